"""Where rewritten bytes go: gathered into large pieces, deflated where the transfer syntax wants that."""

from __future__ import annotations

import zlib
from typing import BinaryIO

_LARGE, _MANY = 1 << 16, 1 << 20
"""Bytes of a piece that is handed on by itself, and of small ones that are handed on together."""
_LEVEL = 3
"""Of deflate: a third of the time of the usual 6, and files that are some percent larger."""


class Sink:
    """Collects small pieces, and writes them to ``stream`` whenever there are enough of them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pieces: list[bytes | memoryview] = []
        self._size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Take a piece; it must not be changed afterwards."""
        size = len(piece)
        if size >= _LARGE:
            self.flush()
            self._hand_on(piece)
            return
        self._pieces.append(piece)
        self._size += size
        if self._size >= _MANY:
            self.flush()

    def flush(self) -> None:
        """Hand on what was collected."""
        self._hand_on(b"".join(self._pieces))
        self._pieces.clear()
        self._size = 0

    def close(self) -> None:
        """The end of the dataset."""
        self.flush()

    def _hand_on(self, piece: bytes | memoryview) -> None:
        self._stream.write(piece)


class DeflatingSink(Sink):
    """Deflates what it is given (PS3.5 A.5), padded to even length."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        self._written = 0

    def close(self) -> None:
        """The end of the dataset."""
        self.flush()
        self._put(self._deflate.flush())
        if self._written % 2:
            self._stream.write(b"\0")

    def _hand_on(self, piece: bytes | memoryview) -> None:
        self._put(self._deflate.compress(piece))

    def _put(self, piece: bytes) -> None:
        self._written += len(piece)
        self._stream.write(piece)
