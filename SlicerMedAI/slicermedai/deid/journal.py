"""What of a job is done already, so that one that was killed goes on where it was.

A journal is a file of JSON lines beside the copies: a line when a copy has its name, and one when the verifier has
passed it. It names outputs, attributes and actions; inputs are told apart by an HMAC of their path, size and time
under the project key, so that nothing in it is identity. Because a copy depends on nothing but the files, the settings
and the key, what is taken over is byte for byte what would be written again.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from slicermedai.deid.profile import Option
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.window import Origin
from slicermedai.deid.work import Done, Task

_PIECE = 1 << 20
_TORN = (ValueError, KeyError, TypeError, AttributeError)


class Journal:
    """A journal that forgets: every file is to be done. :class:`FileJournal` remembers."""

    def resumed(self, task: Task) -> Task:
        """``task`` with what an earlier run did to it."""
        return task

    def wrote(self, task: Task, done: Done) -> None:
        """The copy of ``task`` has its name."""

    def checked(self, task: Task) -> None:
        """The verifier found nothing in the copy."""


@dataclass(slots=True)
class _Entry:
    name: str
    size: int
    claimed: frozenset[Option]
    tally: Counter[tuple[str, str]]
    check: int
    checked: bool = False


@dataclass(slots=True, eq=False)
class FileJournal(Journal):
    """A journal in the file ``path``, of copies below ``folder``; use as context manager.

    Raises
    ------
    OSError
        The file cannot be written; what is torn in it by a kill is passed over.
    """

    path: Path
    folder: Path
    key: ProjectKey
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _stream: TextIO | None = None

    def __enter__(self) -> FileJournal:
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []:
            self._read(line)
        self._stream = self.path.open("a", encoding="utf-8", newline="\n")
        self._stream.write("\n")  # ends a line that was torn
        return self

    def __exit__(self, *error: object) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def resumed(self, task: Task) -> Task:
        """``task`` as done, where its copy is there with the size and the check sum that were noted."""
        entry = self._entries.get(self._place(task.origin))
        if entry is None or entry.name != self._name(task) or _size(task.target) != entry.size:
            return task
        if _check_sum(task.target) != entry.check:
            return task
        known = Done(tally=entry.tally, claimed=entry.claimed)
        return Task(
            origin=task.origin, target=task.target, claimed=entry.claimed, known=known, is_checked=entry.checked
        )

    def wrote(self, task: Task, done: Done) -> None:
        """Note a copy, unless it was noted before."""
        if task.known is None:
            tally = [[*what, count] for what, count in done.tally.items()]
            claimed = sorted(option.value for option in task.claimed)
            body = {"in": self._place(task.origin), "out": self._name(task), "size": _size(task.target)}
            body["check"] = _check_sum(task.target)
            self._write({**body, "claimed": claimed, "done": tally})

    def checked(self, task: Task) -> None:
        """Note that a copy passed the verifier."""
        if not task.is_checked:
            self._write({"checked": self._place(task.origin)})

    def _name(self, task: Task) -> str:
        return task.target.relative_to(self.folder).as_posix()

    def _place(self, origin: Origin) -> str:
        return place_of(origin, self.key)

    def _write(self, body: dict[str, Any]) -> None:
        if self._stream is not None:
            self._stream.write(json.dumps(body) + "\n")
            self._stream.flush()

    def _read(self, line: str) -> None:
        try:
            body = json.loads(line or "{}")
            if "checked" in body:
                self._entries[body["checked"]].checked = True
            elif body:
                tally = Counter({(label, action): int(count) for label, action, count in body["done"]})
                claimed = frozenset(map(Option, body["claimed"]))
                self._entries[body["in"]] = _Entry(body["out"], body["size"], claimed, tally, body["check"])
        except _TORN:
            return


def place_of(origin: Origin, key: ProjectKey) -> str:
    """What tells an input and its state from others, and says nothing about it: 32 hexadecimal digits."""
    try:
        found = origin.path.stat()
        state = (found.st_size, found.st_mtime_ns)
    except OSError:
        state = (-1, -1)
    return key.digest("input", os.fsencode(origin.path.absolute()).hex(), origin.member, *state)[:16].hex()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _check_sum(path: Path) -> int:
    """CRC-32, which tells a file that was torn or overwritten since; -1 where there is none."""
    found = 0
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                found = zlib.crc32(piece, found)
    except OSError:
        return -1
    return found
