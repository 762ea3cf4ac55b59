"""Reading a file that somebody else is writing, without ever waiting."""

from __future__ import annotations

from pathlib import Path

_CHUNK = 1 << 20
_LONGEST = 1 << 20


class Tail:
    """The complete lines that were added to ``path`` since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._skipping = False

    def lines(self) -> list[str]:
        """New complete lines from at most 1 MiB; a line longer than that is noise, and dropped."""
        data = read_from(self._path, self._offset, _CHUNK)
        self._offset += len(data)
        *complete, self._rest = (self._rest + data).split(b"\n")
        if complete and self._skipping:
            del complete[0]
            self._skipping = False
        if len(self._rest) > _LONGEST:
            self._rest, self._skipping = b"", True
        return [line.decode("utf-8", errors="replace") for line in complete]

    @property
    def at_end(self) -> bool:
        """True where all that is in the file now was read."""
        return not read_from(self._path, self._offset, 1)


def read_from(path: Path, offset: int, size: int) -> bytes:
    """At most ``size`` bytes from ``offset``; none where there is no file."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)
    except OSError:
        return b""


def last_lines(path: Path, size: int = 4096) -> list[str]:
    """The lines of the last ``size`` bytes."""
    try:
        start = max(path.stat().st_size - size, 0)
    except OSError:
        return []
    return read_from(path, start, size).decode("utf-8", errors="replace").splitlines()
