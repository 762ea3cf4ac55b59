"""Which pieces were run, so that none is run twice; and which results later ones with more images superseded.

It holds hashes alone, and stays when a study's files are removed: what comes once more later is known again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slicermedai.audit.log import append
from slicermedai.pacs.ledger import Ledger
from slicermedai.pacs.objects import read_object, result_objects
from slicermedai.pacs.outbox import Outbox
from slicermedai.pacs.pieces import Piece

SCHEMA = """
CREATE TABLE IF NOT EXISTS piece (
    name TEXT NOT NULL, destination TEXT NOT NULL, key TEXT NOT NULL, line TEXT NOT NULL, objects INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', PRIMARY KEY (name, destination))
"""
_SMALLER = "line = ? AND objects < ? AND state = 'done'"
_LARGER = "line = ? AND objects > ? AND state = 'done'"
_REASON = "superseded by the result of more images of the series"


class PieceLedger:
    """The table of pieces in ``ledger``; ``place``: (study's key, piece's name) -> where its result lies."""

    def __init__(self, ledger: Ledger, place: Callable[[str, str], Path]) -> None:
        self._ledger, self._place = ledger, place

    def has(self, piece: Piece) -> bool:
        """True where it was run, and its result queued for its destination."""
        query = "SELECT 1 FROM piece WHERE name = ? AND destination = ?"
        return bool(self._ledger.rows(query, (piece.name, piece.rule.destination)))

    def pass_over(self, key: str, piece: Piece, outbox: Outbox) -> bool:
        """True where a result of its line from more images is there: ``piece`` is superseded, though it came later."""
        if not self._ledger.rows(f"SELECT 1 FROM piece WHERE {_LARGER}", (piece.line, len(piece.files))):
            return False
        outbox.withdraw(piece.rule.destination, _uids(self._place(key, piece.name)), reason=_REASON)
        with self._ledger.change() as change:
            change.execute(
                "INSERT INTO piece (name, destination, key, line, objects, state, reason)"
                " VALUES (?, ?, ?, ?, ?, 'superseded', ?)"
                " ON CONFLICT (name, destination) DO UPDATE SET state = excluded.state, reason = excluded.reason",
                (piece.name, piece.rule.destination, key, piece.line, len(piece.files), _REASON),
            )
        return True

    def settle(self, key: str, piece: Piece, outbox: Outbox) -> None:
        """``piece`` is done, and its result queued. Results of its line from fewer images are superseded, and so is
        its own where one from more images is there: what of them still waits in ``outbox`` is not sent any more.
        """
        if self.pass_over(key, piece, outbox):
            return
        destination, count = piece.rule.destination, len(piece.files)
        older = self._ledger.rows(f"SELECT key, name FROM piece WHERE {_SMALLER}", (piece.line, count))
        for row in older:
            outbox.withdraw(destination, _uids(self._place(row["key"], row["name"])), reason=_REASON)
        with self._ledger.change() as change:
            change.execute(
                f"UPDATE piece SET state = 'superseded', reason = ? WHERE {_SMALLER}", (_REASON, piece.line, count)
            )
            change.execute(
                "INSERT INTO piece (name, destination, key, line, objects, state) VALUES (?, ?, ?, ?, ?, 'done')",
                (piece.name, destination, key, piece.line, count),
            )
        if older:
            append("results superseded", job_id="", series=len(older))

    def superseded(self, key: str) -> tuple[str, ...]:
        """The names of a study's pieces whose results are superseded."""
        query = "SELECT DISTINCT name FROM piece WHERE key = ? AND state = 'superseded' ORDER BY name"
        return tuple(row["name"] for row in self._ledger.rows(query, (key,)))


def _uids(output: Path) -> list[str]:
    files = result_objects(output) if output.is_dir() else []
    return [read_object(path).sop_instance_uid for path in files]
