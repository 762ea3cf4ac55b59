"""A view on the bytes of a file that only moves forward: what lies behind it is forgotten, so memory stays small."""

from __future__ import annotations

import contextlib
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from slicermedai.errors import UnreadableFileError

CHUNK = 1 << 18
TRUNCATED = "is truncated, or lengths in it do not fit"
DAMAGE = (EOFError, OSError, RuntimeError, ValueError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)
"""What reading the bytes of a damaged file, or of a damaged member of a zip file, may raise."""


class Stream(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, b"" at the end."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A file, or one member of a zip file."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """File name, without folders."""
        return Path(self.member).name if self.member else self.path.name

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its bytes as a stream; OSError and zipfile.BadZipFile where that fails, UnreadableFileError where it is no
        file at all."""
        if why := no_file(self.path):
            raise UnreadableFileError(why, file=self.path)
        if not self.member:
            with self.path.open("rb", buffering=0) as stream:
                yield stream
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
            yield stream

    @property
    def size(self) -> int:
        """In bytes, inflated."""
        if not self.member:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).file_size


def no_file(path: Path) -> str:
    """Why a path is not opened, "" for files: to open a pipe may wait for ever, and a device may have no end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "is a link to a file that is not there" if path.is_symlink() else ""
    return next((f"is a {name}, which is not opened" for is_one, name in _NO_FILES if is_one(mode)), "")


_NO_FILES = (
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


class Window:
    """A part of a stream, ``buffer``, that begins at ``base``.

    What lies behind the position that was asked for last may be forgotten, but for what lies from ``kept`` on (-1:
    nothing).

    Parameters
    ----------
    skip:
        Moves the stream forward to a position without reading; None where that is not possible.
    """

    __slots__ = ("_read", "_skip", "base", "buffer", "kept")

    def __init__(self, read: Callable[[int], bytes], skip: Callable[[int], object] | None = None) -> None:
        self._read, self._skip = read, skip
        self.base, self.buffer = 0, b""
        self.kept = -1

    def index(self, position: int, size: int) -> int:
        """Where ``position`` lies in ``buffer``, which then holds ``size`` bytes from there on.

        Raises
        ------
        EOFError
            The stream ends before that.
        """
        index = position - self.base
        if index + size > len(self.buffer):
            index = self._fill(position, size)
            if index + size > len(self.buffer):
                raise EOFError
        return index

    def load(self, size: int) -> None:
        """Read the first ``size`` bytes at once, or as many as there are."""
        if not self.buffer:
            self.buffer = self._read(size)

    def bytes_at(self, position: int, size: int) -> bytes:
        """``size`` bytes from ``position`` on."""
        index = position - self.base
        if index + size > len(self.buffer):
            index = self.index(position, size)
        return self.buffer[index : index + size]

    def ended(self, position: int) -> bool:
        """True where the stream has no byte at ``position``."""
        try:
            self.index(position, 1)
        except EOFError:
            return True
        return False

    def chunks(self, position: int, size: int) -> Iterator[bytes | memoryview]:
        """``size`` bytes in pieces; raises EOFError where they are not all there."""
        end = position + size
        while position < end:
            index = self.index(position, 1)
            piece = memoryview(self.buffer)[index : index + end - position]
            position += len(piece)
            yield piece

    def _fill(self, position: int, size: int) -> int:
        if 0 <= self.kept < position:
            return self._fill_from(self.kept, position - self.kept + size) + position - self.kept
        return self._fill_from(position, size)

    def _fill_from(self, position: int, size: int) -> int:
        end = self.base + len(self.buffer)
        if position < self.base:
            raise EOFError
        kept = self.buffer[position - self.base :] if position < end else b""
        if position > end:
            self._forward(end, position)
        pieces, have = [kept], len(kept)
        wanted = max(size, CHUNK)
        while have < wanted:
            piece = self._read(wanted - have)
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self.base, self.buffer = position, b"".join(pieces)
        return 0

    def _forward(self, end: int, position: int) -> None:
        if self._skip is not None:
            self._skip(position)
            return
        while end < position:
            piece = self._read(min(CHUNK, position - end))
            if not piece:
                raise EOFError
            end += len(piece)


def window_on(stream: IO[bytes], *, seeks: bool, whole: int = 0) -> Window:
    """A window on a file from its beginning.

    Parameters
    ----------
    whole:
        How many bytes to read at once; what is small is held as a whole.
    """
    window = Window(stream.read, stream.seek if seeks else None)
    if whole:
        window.load(whole)
    return window


def inflated(window: Window, position: int) -> Window:
    """A window on what is deflated (PS3.5 A.5, RFC 1951) in another one from ``position`` on."""
    return Window(_Inflater(window, position).read)


class _Inflater:
    def __init__(self, window: Window, position: int) -> None:
        self._window, self._position = window, position
        self._inflate = zlib.decompressobj(-15)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; EOFError where the stream stops in the middle, zlib.error where it is damaged."""
        pending = self._inflate.unconsumed_tail
        while not self._inflate.eof:
            piece = self._inflate.decompress(pending, size)  # of nothing: what zlib still holds back
            if piece:
                return piece
            pending = self._inflate.unconsumed_tail or (b"" if self._inflate.eof else self._more())
        return b""

    def _more(self) -> bytes:
        index = self._window.index(self._position, 1)
        pending = self._window.buffer[index : index + CHUNK]
        self._position += len(pending)
        return pending


def unreadable(origin: Origin, error: Exception) -> UnreadableFileError:
    """The error that names the file, for what goes wrong below."""
    if isinstance(error, UnreadableFileError):
        return UnreadableFileError(error.message, file=origin.path, attribute=error.attribute, advice=error.advice)
    if isinstance(error, (EOFError, zlib.error, zipfile.BadZipFile)):
        return UnreadableFileError(TRUNCATED, file=origin.path)
    return UnreadableFileError(f"cannot be read ({type(error).__name__})", file=origin.path)
