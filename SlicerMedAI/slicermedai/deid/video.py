"""Remarks in videos are blanked, and no other byte changes; a stream that cannot be followed is refused by name.

Streams of units as they are, in MPEG-2 transport streams (ISO/IEC 13818-1), and in MP4 files (ISO/IEC 14496-12) with
one track of pictures. What people say in a video's sound is not looked for.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from slicermedai.deid.video_boxes import Boxes
from slicermedai.deid.video_tables import clean_tables
from slicermedai.deid.video_units import Codec, Units, refused

_ROOT = "1.2.840.10008.1.2.4."
_CODECS = {
    **dict.fromkeys(("100", "100.1", "101", "101.1"), Codec.MPEG2),
    **{f"{number}{part}": Codec.H264 for number in range(102, 107) for part in ("", ".1")},
    **dict.fromkeys(("107", "108"), Codec.HEVC),
}
_SYNC, _PACKET = 0x47, 188
_NULL, _TABLES = 0x1FFF, range(0x10, 0x20)
_ENOUGH = 3 * 192
_VIDEO, _AUDIO = range(0xE0, 0xF0), range(0xC0, 0xE0)


class Blanks(Protocol):
    """As many bytes come out as go in."""

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes."""

    def end(self) -> Iterator[bytes]:
        """Nothing follows."""


def codec_of(syntax: str) -> Codec | None:
    """How the pictures of a transfer syntax are coded, None where it is none of videos."""
    return _CODECS.get(syntax[len(_ROOT) :]) if syntax.startswith(_ROOT) else None


class VideoBlanker:
    """Blanks remarks in one video, whose fragments are pieces of one stream (PS3.5 8.2.5 to 8.2.11)."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._held = codec, b""
        self._inner: Blanks | None = None

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes.

        Raises
        ------
        UnreadableFileError
            The stream is none that can be followed.
        """
        if self._inner is None:
            self._held += bytes(piece)
            if len(self._held) < _ENOUGH:
                return
            piece, self._inner = self._held, _reader_of(self._held, self._codec)
        yield from self._inner.feed(piece)

    def boundary(self) -> Iterator[bytes]:
        """A fragment ends, which says nothing."""
        return iter(())

    def end(self) -> Iterator[bytes]:
        """Nothing follows."""
        if self._inner is None:
            self._inner = _reader_of(self._held, self._codec)
            yield from self._inner.feed(self._held)
        yield from self._inner.end()


def _reader_of(head: bytes, codec: Codec) -> Blanks:
    for size, sync in ((_PACKET, 0), (192, 4)):
        if len(head) > sync + size and head[sync] == _SYNC and head[sync + size] == _SYNC:
            return Packets(codec, size, sync)
    if head[4:8] in (b"ftyp", b"styp") and codec is not Codec.MPEG2:
        return Boxes(codec)
    if head.lstrip(b"\0")[:1] == b"\1" and head.startswith(b"\0\0") and head[:4] != b"\0\0\1\xba":
        return Units(codec)
    raise refused("it is neither a stream of units, nor a transport stream, nor MP4")


@dataclass(slots=True)
class _Packet:
    """One packet on its way; its payload is written from ``at`` to ``end``."""

    raw: bytearray
    at: int
    end: int


@dataclass(slots=True)
class _Stream:
    """The packets of one stream of pictures that wait for their payload."""

    units: Units
    waiting: deque[_Packet] = field(default_factory=deque)

    def pour(self, pieces: Iterator[bytes]) -> None:
        """Write what comes out of the units into the packets that it came from."""
        for piece in pieces:
            while piece:
                packet = self.waiting[0]
                size = min(len(piece), packet.end - packet.at)
                packet.raw[packet.at : packet.at + size] = piece[:size]
                packet.at, piece = packet.at + size, piece[size:]
                if packet.at == packet.end:
                    self.waiting.popleft()


class Packets:
    """A transport stream: pictures are searched, sound stays, tables lose their words, all else becomes empty."""

    def __init__(self, codec: Codec, size: int, sync: int) -> None:
        self._codec, self._size, self._sync = codec, size, sync
        self._held = b""
        self._queue: deque[_Packet] = deque()
        self._streams: dict[int, _Stream | None] = {}
        self._tables = {0}

    def feed(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """The next bytes. Raises :class:`UnreadableFileError` where no packet begins where one should."""
        self._held += bytes(piece)
        whole = len(self._held) - len(self._held) % self._size
        for start in range(0, whole, self._size):
            self._take(bytearray(self._held[start : start + self._size]))
        self._held = self._held[whole:]
        yield self._done()

    def end(self) -> Iterator[bytes]:
        """Nothing follows; what is no whole packet is blanked."""
        for stream in self._streams.values():
            if stream is not None:
                stream.pour(stream.units.end())
        yield self._done()
        yield bytes(len(self._held))

    def _done(self) -> bytes:
        made = bytearray()
        while self._queue and self._queue[0].at == self._queue[0].end:
            made += self._queue.popleft().raw
        return bytes(made)

    def _take(self, raw: bytearray) -> None:
        head = self._sync
        if raw[head] != _SYNC:
            raise refused("its packets are not whole")
        raw[:head] = bytes(head)
        pid, has_field, has_payload = (raw[head + 1] & 31) << 8 | raw[head + 2], raw[head + 3] & 32, raw[head + 3] & 16
        start = head + 4 + (_clean_field(raw, head + 4) if has_field else 0)
        packet = _Packet(raw, 0, 0)
        self._queue.append(packet)
        if pid == _NULL or pid in _TABLES:
            _empty(raw, head)
        elif has_payload and start < self._size:
            self._payload(packet, pid, (start, head))

    def _payload(self, packet: _Packet, pid: int, where: tuple[int, int]) -> None:
        raw, (start, head) = packet.raw, where
        if raw[head + 1] & 64 and pid not in self._tables and raw[start : start + 3] == b"\0\0\1":
            if raw[start + 3] in _VIDEO and pid not in self._streams:
                self._streams[pid] = _Stream(Units(self._codec))
            elif raw[start + 3] in _AUDIO:
                self._streams.setdefault(pid, None)
            start = _clean_head(raw, start)
        is_table = pid in self._tables and bool(raw[head + 1] & 64)
        if is_table:
            self._tables.update(clean_tables(raw, start))
        elif pid not in self._streams:
            _empty(raw, head)
        stream = self._streams.get(pid)
        if stream is not None:
            packet.at, packet.end = start, self._size
            if start < self._size:
                stream.waiting.append(packet)
                stream.pour(stream.units.feed(bytes(raw[start:])))


def _clean_field(raw: bytearray, at: int) -> int:
    """The size of an adaptation field (ISO/IEC 13818-1 2.4.3.4), whose private data and stuffing are overwritten."""
    size = raw[at]
    if size:
        flags = raw[at + 1]
        kept = 2 + 6 * bool(flags & 16) + 6 * bool(flags & 8) + bool(flags & 4) + bool(flags & 2)
        if flags & 1:
            raise refused("its packets have fields that nobody knows")
        end = min(at + 1 + size, len(raw))
        raw[at + kept : end] = b"\xff" * max(end - at - kept, 0)
    return size + 1


def _clean_head(raw: bytearray, start: int) -> int:
    """Where the payload behind the header of a packet of pictures or sound begins (ISO/IEC 13818-1 2.4.3.6), of which
    nothing but the times stays."""
    end = min(start + 9 + raw[min(start + 8, len(raw) - 1)], len(raw))
    if start + 8 < len(raw):
        raw[start + 7] &= 0xC0
        kept = start + 9 + 5 * bool(raw[start + 7] & 0x80) + 5 * bool(raw[start + 7] & 0x40)
        raw[kept:end] = b"\xff" * max(end - kept, 0)
    return end


def _empty(raw: bytearray, head: int) -> None:
    struct.pack_into(">HB", raw, head + 1, _NULL, 0x10)
    raw[head + 4 :] = b"\xff" * (len(raw) - head - 4)
