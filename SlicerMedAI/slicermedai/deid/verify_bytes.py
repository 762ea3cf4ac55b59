"""The verifier's own reader: every value of a DICOM file that holds bytes, in pieces, whatever the file's size.

It shares no code with the reader that files are rewritten with, so that a mistake in one does not hide in the other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from slicermedai.deid.dictionary import vr_of
from slicermedai.deid.tokens import Scope, scope_of
from slicermedai.errors import UnreadableFileError

_IMPLICIT, _BIG, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = range(0x7FE00000, 0x7FE10000)
_PIECE, _OVERLAP = 1 << 21, 1 << 10
_BLOCK = 1 << 18
_Read = Callable[[int], bytes]
_Head = tuple[int, str, int, int]
"""(tag, VR, length, start of the value)"""


class Element(NamedTuple):
    """One value, or a piece of a long one, as it lies in the file.

    ``offset`` counts from the start of the file (or of what was inflated), ``start`` is that of the whole value and
    ``size`` its length; pieces overlap. ``depth`` is how many sequences it lies in.
    """

    tag: int
    vr: str
    value: bytes
    offset: int
    start: int = -1
    size: int = -1
    encapsulated: bool = False
    depth: int = 0

    @property
    def scope(self) -> Scope:
        """What kind of value it is."""
        if self.tag in _PIXELS:
            return Scope.BINARY if self.encapsulated else Scope.PIXELS
        return scope_of(self.vr, self.size if self.size >= 0 else len(self.value))


def elements(path: Path) -> Iterator[Element]:
    """All elements of a DICOM file (PS3.10) that hold bytes, the preamble and the file meta information included.

    Raises
    ------
    UnreadableFileError
        Truncated, or lengths that do not fit.
    """
    with Path(path).open("rb") as stream:
        data = _Bytes(stream.read)
        if data.take(128, 4) != b"DICM":
            raise UnreadableFileError("is no DICOM file", file=path, attribute="preamble")
        yield Element(tag=0, vr="OB", value=data.take(0, 128), offset=0)
        try:
            yield from _body(data)
        except (struct.error, zlib.error, IndexError) as error:
            raise UnreadableFileError("is truncated, or lengths in it do not fit", file=path) from error


class _Bytes:
    """A stream, read forward in blocks; the last two pieces can be looked at again."""

    def __init__(self, read: _Read) -> None:
        self._read, self._base, self._held, self._over = read, 0, b"", False

    def take(self, position: int, size: int) -> bytes:
        """``size`` bytes, fewer where the stream ends."""
        while not self._over and self._base + len(self._held) < position + size:
            more = self._read(max(_BLOCK, min(position + size - self._base - len(self._held), _PIECE)))
            self._over = not more
            behind = max(0, min(position, self._base + len(self._held)) - self._base - _PIECE)
            self._held = self._held[behind:] + more
            self._base += behind
        if position < self._base:
            raise IndexError
        return self._held[position - self._base : position - self._base + size]

    def whole(self, position: int, size: int) -> bytes:
        """``size`` bytes; IndexError where the stream ends before."""
        found = self.take(position, size)
        if len(found) < size:
            raise IndexError
        return found


class _Inflated:
    """Reads what is deflated from ``position`` on."""

    def __init__(self, data: _Bytes, position: int) -> None:
        self._data, self._position, self._inflate = data, position, zlib.decompressobj(-15)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, b"" at the end; IndexError where it is cut off."""
        pending = self._inflate.unconsumed_tail
        while not self._inflate.eof:
            piece = self._inflate.decompress(pending, size)
            if piece:
                return piece
            pending = self._inflate.unconsumed_tail
            if not pending and not self._inflate.eof:
                pending = self._data.take(self._position, _BLOCK)
                self._position += len(pending)
                if not pending:
                    raise IndexError
        return b""


def _body(data: _Bytes) -> Iterator[Element]:
    syntax, position = "", 132
    while data.take(position, 2) == b"\x02\x00":
        pieces, position = _Reader(data, implicit=False, order="<").leaf(position)
        for element in pieces:
            syntax = element.value.decode("latin-1").strip("\0 ") if element.tag == 0x00020010 else syntax
            yield element
    if syntax == _DEFLATED:
        data, position = _Bytes(_Inflated(data, position).read), 0
    order = ">" if syntax == _BIG else "<"
    yield from _Reader(data, implicit=syntax == _IMPLICIT, order=order).walk(position)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Elements one after the other; sequences and items are entered."""

    data: _Bytes
    implicit: bool
    order: str

    def walk(self, position: int, *, delimited: bool = False, within: int = 0) -> Generator[Element, None, int]:
        """All leaves up to the end, or up to the delimiter of the sequence that was entered before; those are in
        ``within`` sequences already."""
        depth, ends = 1, list[int]()
        while self.data.take(position, 1):
            while ends and position >= ends[-1]:
                ends.pop()
            tag, vr, length, start = self._header(position)
            position = start
            if tag == _SEQUENCE_END:
                depth -= 1
                if delimited and depth == 0:
                    return position
            elif tag not in (_ITEM, _ITEM_END):
                if self._is_sequence(tag, vr, length, start):
                    depth += length == _UNDEFINED
                    ends += [start + length] if length != _UNDEFINED else []
                else:
                    position = yield from self._enter((tag, vr, length, start), within + depth - 1 + len(ends))
        if delimited:
            raise IndexError
        return position

    def leaf(self, position: int) -> tuple[list[Element], int]:
        """(element, in pieces; position after it)."""
        tag, vr, length, start = self._header(position)
        return list(self._element((tag, vr, length, start), 0)), start + length

    def _enter(self, head: _Head, within: int) -> Generator[Element, None, int]:
        """Yield a leaf, or what UN or fragments hold; returns where to go on."""
        tag, vr, length, start = head
        if length != _UNDEFINED:
            yield from self._element(head, within)
            return start + length
        if vr == "UN":
            inner = _Reader(self.data, implicit=True, order="<")
            return (yield from inner.walk(start, delimited=True, within=within + 1))
        return (yield from self._fragments(tag, vr, start, within))

    def _is_sequence(self, tag: int, vr: str, length: int, start: int) -> bool:
        if not self.implicit:
            return vr == "SQ"
        if length == _UNDEFINED:
            return tag not in _PIXELS
        return vr in ("SQ", "UN") and self.data.take(start, 4) == b"\xfe\xff\x00\xe0"

    def _fragments(self, tag: int, vr: str, position: int, within: int) -> Generator[Element, None, int]:
        """Encapsulated pixel data (PS3.5 A.4)."""
        while True:
            item, _, length, start = self._header(position)
            if item == _SEQUENCE_END:
                return start
            for piece in self._element((tag, vr, length, start), within):
                yield piece._replace(encapsulated=True)
            position = start + length

    def _element(self, head: _Head, within: int) -> Iterator[Element]:
        tag, vr, length, start = head
        position, end = start, start + length
        while True:
            size = min(_PIECE, end - position)
            value = self.data.whole(position, size)
            yield Element(tag=tag, vr=vr, value=value, offset=position, start=start, size=length, depth=within)
            if position + size == end:
                return
            position += size - _OVERLAP

    def _header(self, position: int) -> tuple[int, str, int, int]:
        """(tag, VR, length, start of the value)."""
        head = self.data.take(position, 12)
        group, number = struct.unpack_from(f"{self.order}HH", head)
        tag = group << 16 | number
        if group == 0xFFFE or self.implicit:
            (length,) = struct.unpack_from(f"{self.order}I", head, 4)
            vr = "" if group == 0xFFFE else vr_of(tag)
            return tag, vr, 0 if tag == _ITEM_END else length, position + 8
        vr = head[4:6].decode("latin-1")
        if vr in _LONG_VRS:
            (length,) = struct.unpack_from(f"{self.order}I", head, 8)
            return tag, vr, length, position + 12
        (length,) = struct.unpack_from(f"{self.order}H", head, 6)
        return tag, vr, length, position + 8
