"""MP4 files (ISO/IEC 14496-12 and -15) with one track of pictures: remarks, names, dates and unused boxes go."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from slicermedai.deid.video_units import Codec, cleaned_unit
from slicermedai.errors import UnreadableFileError

_KEPT = frozenset({b"ftyp", b"styp", b"sidx", b"mfra"})
_HELD = frozenset({b"moov", b"moof", *_KEPT})
_PARENTS = frozenset({b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"mvex", b"traf", b"moov", b"moof"})
_PLAIN = frozenset(
    b"vmhd stts stss ctts stsc stsz stz2 stco co64 sdtp sbgp sgpd elst trex mfhd tfhd tfdt trun mehd".split()
)
_TIMES = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_ENTRIES = frozenset({b"avc1", b"avc3", b"hvc1", b"hev1"})
_ENTRY_HEAD, _NAME = 86, (50, 82)
"""Bytes of a sample entry before its boxes, and where in it the compressor's name is."""
_LONGEST = 1 << 26
"""Bytes of a box that has to be held."""


def _error(why: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"is a video in which remarks cannot be looked for: {why}",
        attribute="PixelData",
        advice="Write it anew as a plain stream, without sound and data.",
    )


class Boxes:
    """The boxes of a file, given piece by piece."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._held, self._left = codec, b"", 0
        self._step: Callable[[], bytes] = self._head

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes. Raises :class:`UnreadableFileError` where they cannot be followed."""
        self._held += bytes(piece)
        while self._held and (done := self._step()):
            yield done

    def end(self) -> Iterator[bytes]:
        """Nothing follows; what is left over is a byte that makes the length even."""
        if len(self._held) > 1 or (self._left and self._step != self._head):
            raise _error("a box has no end")
        yield bytes(len(self._held))

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _head(self) -> bytes:
        head = 16 if self._held[:4] == b"\0\0\0\1" else 8
        if len(self._held) < head:
            return b""
        size, kind = struct.unpack_from(">I4s", self._held)
        size = struct.unpack_from(">Q", self._held, 8)[0] if size == 1 else size
        if size < head:
            raise _error("a box has no length")
        if kind in _HELD and size > _LONGEST:
            raise _error("a box is too long")
        self._left = size
        if kind in _HELD:
            self._step = self._whole
            return self._whole()
        self._left -= head
        self._step = self._samples if kind == b"mdat" else self._other
        taken = self._take(head)
        self._step = self._step if self._left else self._head
        return taken if kind == b"mdat" else taken.replace(kind, b"free")

    def _whole(self) -> bytes:
        if len(self._held) < self._left:
            return b""
        self._step = self._head
        return _cleaned(self._take(self._left), self._codec)

    def _other(self) -> bytes:
        size = len(self._take(self._left))
        self._left -= size
        self._step = self._step if self._left else self._head
        return bytes(size)

    def _samples(self) -> bytes:
        """Units, each behind its length of four bytes."""
        if len(self._held) < 4:
            return b""
        (size,) = struct.unpack_from(">I", self._held)
        if not 0 < size <= min(self._left - 4, _LONGEST):
            raise _error("its samples are not of pictures alone")
        if len(self._held) < 4 + size:
            return b""
        raw = self._take(4 + size)
        if raw[4] & 0x80:
            raise _error("its samples are not of pictures alone")
        self._left -= len(raw)
        self._step = self._step if self._left else self._head
        return raw[:4] + cleaned_unit(self._codec, raw[4:])


def _cleaned(box: bytes, codec: Codec) -> bytes:
    """A box of the same length, with what is in it."""
    size, kind = struct.unpack_from(">I4s", box)
    head = 16 if size == 1 else 8
    if kind in _PARENTS:
        return box[:head] + b"".join(_cleaned(inner, codec) for inner in _within(box[head:]))
    if kind in _TIMES:
        width = 8 if box[head] == 1 else 4
        return box[: head + 4] + bytes(2 * width) + box[head + 4 + 2 * width :]
    if kind == b"hdlr":
        if box[head + 8 : head + 12] != b"vide":
            raise _error("it has tracks of something else than pictures")
        return box[: head + 24] + bytes(len(box) - head - 24)
    if kind == b"stsd":
        return box[: head + 8] + b"".join(_entry(inner, codec) for inner in _within(box[head + 8 :]))
    if kind == b"dref":
        return box[: head + 8] + b"".join(one[:12] + bytes(len(one) - 12) for one in _within(box[head + 8 :]))
    if kind in _PLAIN or kind in _KEPT:
        return box
    return box[:4] + b"free" + bytes(len(box) - 8)


def _entry(box: bytes, codec: Codec) -> bytes:
    """A sample entry without the compressor's name; what configures a decoder stays, its messages without remarks."""
    if box[4:8] not in _ENTRIES or len(box) < _ENTRY_HEAD:
        raise _error("its samples are of an unknown kind")
    inner = b"".join(_setup(one, codec) for one in _within(box[_ENTRY_HEAD:]))
    return box[: _NAME[0]] + bytes(_NAME[1] - _NAME[0]) + box[_NAME[1] : _ENTRY_HEAD] + inner


def _setup(box: bytes, codec: Codec) -> bytes:
    kind = box[4:8]
    if kind == b"avcC":
        if box[12] & 3 != 3:
            raise _error("its units have lengths of less than four bytes")
        return box
    if kind == b"hvcC":
        return _hevc_setup(box, codec)
    is_plain = kind in (b"colr", b"pasp", b"btrt", b"clap") and len(box) <= 64
    return box if is_plain else box[:4] + b"free" + bytes(len(box) - 8)


def _hevc_setup(box: bytes, codec: Codec) -> bytes:
    """Its arrays of units may hold messages (ISO/IEC 14496-15 8.3.3.1)."""
    if len(box) < 31 or box[29] & 3 != 3:
        raise _error("its units have lengths of less than four bytes")
    made, position = bytearray(box), 31
    for _ in range(box[30]):
        (count,) = struct.unpack_from(">H", box, position + 1)
        position += 3
        for _ in range(count):
            (size,) = struct.unpack_from(">H", box, position)
            position += 2
            made[position : position + size] = cleaned_unit(codec, box[position : position + size])
            position += size
    return bytes(made)


def _within(raw: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(raw):
        size = int.from_bytes(raw[position : position + 4], "big")
        if size < 8 or position + size > len(raw):
            raise _error("a box is longer than what it lies in")
        yield raw[position : position + size]
        position += size
