"""The inbox: studies that come in are kept, and run by rule when they are complete; what they make goes to the outbox.

Under ``inbox/`` in the home (mode 0700: patient data) lie ``incoming/`` (what was just received, a folder a sender),
``studies/`` (a folder a study, named by a hash), ``runs/`` (results), ``rejected/`` and ``inbox.sqlite``. A file is in
exactly one of them at any moment, so a kill loses none. A study that fails, or kills its process, again and again is
set aside after a stated number of tries, and the others go on meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from slicermedai.audit.log import append
from slicermedai.dicom.file_list import save_file_list
from slicermedai.domain import locks
from slicermedai.domain.storage import sha256_file
from slicermedai.domain.study import Identity
from slicermedai.domain.words import Words
from slicermedai.errors import MedAIError, OutboxError, UnreadableFileError
from slicermedai.jobs.home import home
from slicermedai.pacs.inbox_rules import Rules
from slicermedai.pacs.ledger import Ledger
from slicermedai.pacs.objects import read_object, result_objects
from slicermedai.pacs.outbox import Outbox
from slicermedai.pacs.peers import load_peer
from slicermedai.pacs.piece_ledger import SCHEMA, PieceLedger
from slicermedai.pacs.pieces import Piece, cut
from slicermedai.pacs.run_worthy import what_was_made
from slicermedai.pacs.twins import with_twins

_SCHEMA = """
CREATE TABLE IF NOT EXISTS study (
    key TEXT PRIMARY KEY, uid TEXT NOT NULL, sender TEXT NOT NULL, state TEXT NOT NULL, first REAL NOT NULL,
    last REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0,
    run INTEGER NOT NULL DEFAULT 1, reason TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS seen (
    uid TEXT PRIMARY KEY, count INTEGER NOT NULL, since REAL NOT NULL, fetched INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS origin (
    key TEXT NOT NULL, uid TEXT NOT NULL, sender TEXT NOT NULL, PRIMARY KEY (key, uid, sender));
"""
_DAY = 24 * 3600.0


class Stage(Words):
    """Where a study stands."""

    RECEIVING = "receiving"
    RUNNING = "running"
    DONE = "done"
    IGNORED = "ignored"
    SET_ASIDE = "set aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One study, of which ``sender`` sent the first object.

    ``first`` and ``last`` are when objects came, ``next_try`` when it may run (seconds since the epoch);
    ``run`` counts how often it was complete.
    """

    key: str
    uid: str
    sender: str
    state: Stage
    first: float
    last: float
    tries: int
    next_try: float
    run: int
    reason: str


_COLUMNS = ", ".join(one.name for one in fields(Arrived))  # an older ledger may have more


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece to be run: make ``output`` from ``source``, within ``minutes``."""

    source: Path
    bundle: str
    identity: str
    output: Path
    minutes: float


Submit = Callable[[Task], None]
"""Runs a task to its end; raises a :class:`~slicermedai.errors.MedAIError` where it fails."""

Expected = Callable[[str], int | None]
"""Study UID -> how many objects, results left out, an archive has of it; None where it does not know it."""


def inbox_folder() -> Path:
    """``inbox`` in :func:`slicermedai.jobs.home.home`; it may not be there yet."""
    return home() / "inbox"


def sender_folder(sender: str) -> str:
    """A folder's name for a sender, whatever characters its title has."""
    return sender.encode().hex() or "00"


class Inbox:
    """The inbox in ``folder``. One process runs it (:meth:`running`); others may look."""

    def __init__(self, rules: Rules, folder: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = Path(folder or inbox_folder())
        self.rules, self.clock = rules, clock
        self.ledger = Ledger(self.folder / "inbox.sqlite", _SCHEMA + SCHEMA)
        self.pieces = PieceLedger(self.ledger, self.result)
        self.incoming = self.folder / "incoming"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Be the one process that runs it; what a dead one left running has used up a try.

        Raises
        ------
        OutboxError
            Another process runs it.
        """
        try:
            lock = locks.take(self.folder / "lock")
        except BlockingIOError as error:
            raise OutboxError("another process runs the inbox", file=self.folder, advice="Stop it first.") from error
        try:
            for study in self.studies(Stage.RUNNING):
                self._failed(study, "its process died")
            yield
        finally:
            locks.release(lock)

    def collect(self) -> int:
        """Sort what was received into studies; returns how many files."""
        count = 0
        for path in sorted(self.incoming.glob("*/*.dcm")):
            if path.name.startswith("."):
                continue
            try:
                ref = read_object(path)
            except UnreadableFileError:
                self._reject(path)
                continue
            self._file(path, ref.study_uid, ref.sop_instance_uid)
            count += 1
        return count

    def studies(self, *states: Stage) -> list[Arrived]:
        """All, or those in some states; the oldest first."""
        rows = self.ledger.rows(f"SELECT {_COLUMNS} FROM study ORDER BY first, key")
        made = [Arrived(**{**dict(row), "state": Stage(row["state"])}) for row in rows]
        return [one for one in made if not states or one.state in states]

    def step(self, submit: Submit, outbox: Outbox, *, expected: Expected | None = None) -> Arrived | None:
        """Run the first study that is complete and due; returns it as it then is, or None where there was none."""
        for study in self.studies(Stage.RECEIVING):
            if self._is_complete(study, expected):
                self._run(study, submit, outbox)
                return self._now(study)
        return None

    def retry(self, key: str = "") -> int:
        """Let what was set aside or ignored (one study, or all) begin again; returns how many."""
        found = [one for one in self.studies(Stage.SET_ASIDE, Stage.IGNORED) if key in ("", one.key)]
        for one in found:
            self.update(one, state=Stage.RECEIVING, tries=0, next_try=0.0, reason="", first=self.clock())
        return len(found)

    def sweep(self) -> int:
        """Remove what is done with and older than ``keep_days``; what was set aside stays. Returns how many."""
        limit = self.clock() - self.rules.keep_days * _DAY
        old = [one for one in self.studies(Stage.DONE, Stage.IGNORED) if one.last < limit]
        for one in old:
            for place in (self.objects(one.key).parent, *self._runs(one.key)):
                shutil.rmtree(place, ignore_errors=True)
            with self.ledger.change() as change:
                change.execute("DELETE FROM study WHERE key = ?", (one.key,))
                change.execute("DELETE FROM origin WHERE key = ?", (one.key,))
        return len(old)

    def objects(self, key: str) -> Path:
        """The folder of a study's files."""
        return self.folder / "studies" / key / "objects"

    def result(self, key: str, piece: str) -> Path:
        """The folder of the result of a study's piece; its source's list of files lies beside it."""
        return self.folder / "runs" / f"{key}-{piece}" / "result"

    def update(self, study: Arrived, **columns: Any) -> None:
        """Record new values, on disk when it returns."""
        values = {name: str(value) if isinstance(value, Stage) else value for name, value in columns.items()}
        names = ", ".join(f"{name} = ?" for name in values)
        with self.ledger.change() as change:
            change.execute(f"UPDATE study SET {names} WHERE key = ?", (*values.values(), study.key))

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()

    def __enter__(self) -> Inbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _file(self, path: Path, study_uid: str, uid: str) -> None:
        """The ledger first: a kill between leaves the file to be sorted again."""
        key, sender = study_key(study_uid), bytes.fromhex(path.parent.name).decode()
        place = self.objects(key) / f"{uid}.dcm"
        if place.exists():
            self._again(path, place, study_uid, sender)
            return
        self._note(study_uid, uid, sender)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.replace(place)

    def _note(self, study_uid: str, uid: str, sender: str) -> None:
        """Something came of the study, which begins anew."""
        key, now = study_key(study_uid), self.clock()
        with self.ledger.change() as change:
            change.execute(
                "INSERT INTO study (key, uid, sender, state, first, last) VALUES (?, ?, ?, 'receiving', ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET last = excluded.last, tries = 0, next_try = 0, reason = '',"
                " first = CASE WHEN state = 'receiving' THEN first ELSE excluded.first END,"
                " run = run + (state <> 'receiving'), state = 'receiving'",
                (key, study_uid, sender, now, now),
            )
            change.execute("INSERT OR IGNORE INTO origin VALUES (?, ?, ?)", (key, uid, sender))

    def _again(self, path: Path, place: Path, study_uid: str, sender: str) -> None:
        """The same object once more is nothing new, unless another sent it, whom another rule may be for; another one
        under its UID is kept apart.
        """
        if sha256_file(path) != sha256_file(place):
            self._reject(path)
            return
        if sender not in self._senders(study_key(study_uid), (place.stem,))[place.stem]:
            self._note(study_uid, place.stem, sender)
        path.unlink()

    def _reject(self, path: Path) -> None:
        place = self.folder / "rejected" / f"{path.parent.name}-{path.name}"
        place.parent.mkdir(exist_ok=True, mode=0o700)
        path.replace(place)

    def _is_complete(self, study: Arrived, expected: Expected | None) -> bool:
        now = self.clock()
        if now < study.next_try or now - study.last < self.rules.quiet_seconds:
            return False
        try:
            told = None if expected is None else expected(study.uid)
        except MedAIError as error:
            return self._wait_or_set_aside(study, f"nobody can say how many objects there are ({error.message})")
        wanted = told or 0
        have = self._count(study) if wanted else 0
        if have < wanted:
            return self._wait_or_set_aside(study, f"incomplete: {have} of {wanted} objects")
        return True

    def _count(self, study: Arrived) -> int:
        """Its objects that are no results, as :data:`Expected` counts them."""
        return sum(not what_was_made(read_object(path).sop_class_uid) for path in self.objects(study.key).glob("*.dcm"))

    def _wait_or_set_aside(self, study: Arrived, reason: str) -> bool:
        over = self.clock() - study.last >= self.rules.incomplete_after_seconds
        later = self.clock() + self.rules.quiet_seconds  # an archive is not asked more often than that
        self.update(study, reason=reason, next_try=later, **({"state": Stage.SET_ASIDE} if over else {}))
        return False

    def _run(self, study: Arrived, submit: Submit, outbox: Outbox) -> None:
        self.update(study, state=Stage.RUNNING, tries=study.tries + 1)
        study = self._now(study)
        try:
            files = sorted(self.objects(study.key).glob("*.dcm"))
            found = cut(files, self.rules, self._senders(study.key, [path.stem for path in files]))
            passed = 0
            for piece in found.pieces:
                if self.pieces.pass_over(study.key, piece, outbox):
                    passed += 1
                else:
                    self._run_piece(study.key, piece, submit=submit, outbox=outbox)
        except MedAIError as error:
            self._failed(study, error.message)
        except Exception as error:  # noqa: BLE001  # one study's outer boundary: the others go on, whatever it is
            self._failed(study, f"failed with {type(error).__name__}")
        except BaseException:  # stopped from outside, which is not the study's fault
            self.update(study, state=Stage.RECEIVING, tries=study.tries - 1)
            raise
        else:
            state = Stage.DONE if found.pieces else Stage.IGNORED
            self.update(study, state=state, reason="; ".join(filter(None, (found.reason, _passed_over(passed)))))
            append("study processed", job_id="", series=len(found.pieces), state=str(state))

    def _run_piece(self, key: str, piece: Piece, *, submit: Submit, outbox: Outbox) -> None:
        """Run one series, unless that was done; queue what it made, and take the place of what fewer images made."""
        if self.pieces.has(piece):
            return
        rule, output = piece.rule, self.result(key, piece.name)
        if not output.exists():
            source = output.parent / "source"
            source.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_file_list(piece.files, source)
            minutes = self.rules.most_minutes
            submit(Task(source=source, bundle=rule.bundle, identity=rule.identity, output=output, minutes=minutes))
        made = with_twins(result_objects(output))
        if made.files and rule.destination:
            peer, route = load_peer(rule.destination), Identity(rule.identity)
            outbox.add(made.files, peer, identity=route, fallbacks=made.fallbacks)
        self.pieces.settle(key, piece, outbox)

    def _senders(self, key: str, uids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Who sent each object; the study's first sender where an older version of this program did not note it."""
        noted: dict[str, list[str]] = {}
        for row in self.ledger.rows("SELECT uid, sender FROM origin WHERE key = ? ORDER BY sender", (key,)):
            noted.setdefault(row["uid"], []).append(row["sender"])
        first = [row["sender"] for row in self.ledger.rows("SELECT sender FROM study WHERE key = ?", (key,))]
        return {uid: tuple(noted.get(uid, first)) for uid in uids}

    def _failed(self, study: Arrived, reason: str) -> None:
        if study.tries >= self.rules.most_tries:
            self.update(study, state=Stage.SET_ASIDE, reason=f"set aside after {study.tries} tries: {reason}")
            append("study set aside", job_id="", tries=study.tries)
            return
        wait = self.rules.quiet_seconds * 2.0**study.tries
        self.update(study, state=Stage.RECEIVING, reason=reason, next_try=self.clock() + wait)

    def _now(self, study: Arrived) -> Arrived:
        return next(one for one in self.studies() if one.key == study.key)

    def _runs(self, key: str) -> list[Path]:
        return list((self.folder / "runs").glob(f"{key}-*"))


def _passed_over(count: int) -> str:
    return f"not run: {count} x series of which a result from more images is there" if count else ""


def study_key(study_uid: str) -> str:
    """The name of a study's folder: no identity in it."""
    return hashlib.sha256(study_uid.encode()).hexdigest()[:32]
