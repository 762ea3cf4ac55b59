"""A small SQLite file that survives kills: write-ahead log, each change committed and synced before it counts."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from slicermedai.errors import DiskFullError, OutboxError

_WAIT = 30.0
"""Seconds that one process waits for another's change."""


class Ledger:
    """The database at ``path``, made with ``schema`` where missing. For the thread that made it alone."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            with self.change() as connection:
                for statement in filter(str.strip, schema.split(";")):
                    connection.execute(statement)

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction that excludes other writers from its start; it is on disk when the block ends.

        Raises
        ------
        DiskFullError
            No space left; nothing was changed.
        OutboxError
            The database cannot be used.
        """
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """What ``query`` finds."""
        with self._translated():
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
                raise DiskFullError(
                    "no space left", file=self.path, advice="Free some; nothing was changed."
                ) from error
            raise OutboxError(
                f"cannot be used ({getattr(error, 'sqlite_errorname', type(error).__name__)})",
                file=self.path,
                advice="Is the folder on a local disk, and may it be written?",
            ) from error
        except OSError as error:
            raise OutboxError(f"cannot be used ({error.strerror})", file=self.path) from error
