"""What is compressed or archived within a value: looked into up to a bounded size; what cannot be is no reason to stay.

zlib (RFC 1950) wherever its header stands, gzip (RFC 1952), deflated bytes (RFC 1951) that are a whole value, and the
members of zip archives; bzip2, xz, 7z, RAR, Zstandard, PDF and encrypted members cannot be looked into.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator

_HEADERS = b"|".join(
    re.escape(bytes([method, flags]))
    for method in range(0x08, 0x79, 0x10)
    for flags in range(256)
    if (method << 8 | flags) % 31 == 0 and not flags & 0x20
)
_SIGNS = re.compile(  # no groups: so the first bytes alone are looked for
    rb"\x1f\x8b\x08|PK\x03\x04|BZh[1-9]1AY&SY|\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|"
    rb"\x28\xb5\x2f\xfd[\x00-\xf7]|%PDF-[0-9]|" + _HEADERS,
)
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*")
_MOST = 1 << 22
"""Bytes that are made of one value."""
_PIECE, _CREDIBLE, _SHORTEST, _LEAST = 1 << 10, 256, 12, 5
_DEEPEST = 4
_DEFLATED, _STORED, _MEMBER_HEAD = 8, 0, 30
_HEADER, _GZIP = 2, 0x1F


class Unsearchable(Exception):
    """What is compressed is too large, or in a way that cannot be looked into."""


class Room:
    """How deep it goes into one value, and how many bytes may still be made of it: hold it for as long as it is
    searched, and again for what is found in it."""

    def __init__(self) -> None:
        self.depth, self.left = 0, _MOST

    def __enter__(self) -> None:
        self.left = self.left if self.depth else _MOST
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def take(self, size: int) -> None:
        """Raises :class:`Unsearchable` where there is no more."""
        self.left -= size
        if self.left < 0:
            raise Unsearchable


def hides(raw: bytes, holds: Callable[[bytes], bool], room: Room) -> bool:
    """True where something compressed in ``raw`` holds what ``holds`` finds, or may hold it and cannot be searched."""
    try:
        return any(room.depth > _DEEPEST or holds(content) for content in _contents(raw, room, whole=True))
    except Unsearchable:
        return True


def is_picture(raw: bytes) -> bool:
    """True for the beginning of a JPEG, PNG, GIF or TIFF file."""
    return raw.startswith(_PICTURES)


def holds_stream(raw: bytes) -> bool:
    """True where something that is compressed begins in a part of a value that is too large to be looked into."""
    try:
        return any(len(content) >= _CREDIBLE for content in _contents(raw, Room(), whole=False))
    except Unsearchable:
        return True


def _contents(raw: bytes, room: Room, *, whole: bool) -> Iterator[bytes]:
    if len(raw) < _SHORTEST:
        return
    view, position = memoryview(raw), 0
    while match := _SIGNS.search(raw, position):
        position = match.start() + 1
        start, bits = _start_of(raw, match)
        content, used = _inflated(view[start:], bits, room) if bits else (b"", 0)
        if len(content) >= _LEAST:
            yield content
        if used and len(content) >= _CREDIBLE:
            position = start + used
    if whole:
        content, used = _inflated(view, -zlib.MAX_WBITS, room)
        if used and len(content) >= _LEAST and not raw[used:].strip(b"\0"):
            yield content


def _start_of(raw: bytes, match: re.Match[bytes]) -> tuple[int, int]:
    """(where what is compressed begins, how zlib is to read it; 0 for what is none)."""
    start, sign = match.start(), match[0]
    if len(sign) == _HEADER:
        return start, zlib.MAX_WBITS
    if sign[0] == _GZIP:
        return start, zlib.MAX_WBITS + 16
    if sign[:2] != b"PK":
        raise Unsearchable
    if start + _MEMBER_HEAD > len(raw):
        return start, 0
    flags, method = struct.unpack_from("<HH", raw, start + 6)
    name, extra = struct.unpack_from("<HH", raw, start + 26)
    if flags & 1 or method not in (_DEFLATED, _STORED):
        raise Unsearchable
    return start + _MEMBER_HEAD + name + extra, -zlib.MAX_WBITS if method == _DEFLATED else 0


def _inflated(view: memoryview, bits: int, room: Room) -> tuple[bytes, int]:
    """(what comes out up to the end or to what is none, how many bytes it was; 0 where it has no end)."""
    inflater, made, position = zlib.decompressobj(bits), bytearray(), 0
    try:
        while not inflater.eof and position < len(view):
            piece = view[position : position + _PIECE]
            position += len(piece)
            before = len(made)
            made += inflater.decompress(piece, room.left + 1)
            room.take(len(made) - before)
    except zlib.error:
        return bytes(made), 0
    return bytes(made), position - len(inflater.unused_data) if inflater.eof else 0
