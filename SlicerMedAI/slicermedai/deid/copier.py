"""Copies what stays as whole runs of bytes, from a window on the source to the sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from slicermedai.deid.sink import Sink
from slicermedai.deid.window import Window

Change = Callable[[bytes | memoryview], bytes | memoryview]
"""Bytes in, as many bytes out; it is given whole numbers of up to 8 bytes, but for what a damaged value ends with."""

_RUN = 1 << 18
_WIDEST = 8
"""Bytes of the widest number."""


class Copier:
    """The run of bytes that stay, from where nothing was written yet up to :attr:`end`."""

    __slots__ = ("_begin", "_sink", "_window", "end")

    def __init__(self, window: Window, sink: Sink, start: int) -> None:
        self._window, self._sink = window, sink
        self.resume(start)

    def write(self, piece: bytes | memoryview) -> None:
        """Something new, after what was written before."""
        self._sink.write(piece)

    def write_all(self, piece: bytes | Callable[[], Iterator[bytes]]) -> None:
        """The same, also for what comes in pieces."""
        for part in [piece] if isinstance(piece, bytes) else piece():
            self._sink.write(part)

    def keep(self, end: int) -> None:
        """What lies before ``end`` stays; long runs are written at once."""
        self.end = end
        if end - self._begin > _RUN:
            self.flush(end)

    def cut(self, head: int, resume: int) -> None:
        """Write what stays up to ``head``, and leave out what lies between there and ``resume``."""
        self.flush(head)
        self.resume(resume)

    def flush(self, end: int) -> None:
        """Write what stays up to ``end``."""
        if end > self._begin:
            self._sink.write(self._window.bytes_at(self._begin, end - self._begin))
            self.resume(end)

    def resume(self, position: int) -> None:
        """A new run begins at ``position``; the window keeps it."""
        self._begin = self.end = self._window.kept = position

    def let_go(self) -> None:
        """Nothing is to be kept until :meth:`resume`: the window may move on."""
        self._window.kept = -1

    def copy(self, start: int, size: int, *, change: Change | None = None) -> None:
        """Copy a value of any size in pieces, each after ``change``."""
        self.let_go()
        rest = b""
        for piece in self._window.chunks(start, size):
            if change is None:
                self._sink.write(piece)
                continue
            joined = rest + bytes(piece) if rest else piece
            whole = len(joined) - len(joined) % _WIDEST
            rest = bytes(joined[whole:])
            self._sink.write(change(joined[:whole]))
        if rest and change is not None:
            self._sink.write(change(rest))
        self.resume(start + size)
