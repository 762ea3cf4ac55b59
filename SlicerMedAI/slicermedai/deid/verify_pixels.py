"""What may lie in pixel data beside the pixels: bits that are no part of a value, and remarks in compressed frames.

The verifier's own code: it shares none with what clears the bits and blanks the remarks.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.verify_bytes import Element
from slicermedai.deid.verify_frames import BEHIND, REMARK, Frames
from slicermedai.deid.verify_packets import Packets

_ALLOCATED, _STORED, _HIGH, _SIGNED, _PIXELS = 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x7FE00010
_BITS = "bits that are no part of the pixels' values are set"
_TABLES_SAY = "words stand in the tables of a video's stream, or in packets of no picture"
_NO_PICTURES = "packets that are no pictures stand in a video's stream"
_BEHIND_PIXELS = "something stands behind the pixels"
_BEHIND_SAMPLES = "something stands behind the samples of a waveform"
_NO_TABLE = "something else than offsets stands in the offset table"
_PICTURE = "a picture stands within a sequence"
_MPEG2, _H26X = re.compile(rb"1\.2\.840\.10008\.1\.2\.4\.10[01]"), re.compile(rb"1\.2\.840\.10008\.1\.2\.4\.10[2-8]")
_STILL = re.compile(rb"1\.2\.840\.10008\.1\.2\.4\.(?:5[0-9]|6[0-6]|70|8[01]|9[0-3]|11[0-2]|20[1-3])")
_SAID = re.compile(rb"\x00\x00\x01\xb2([^\x00]{4})", re.DOTALL)
_SYSTEM = re.compile(rb"\x00\x00\x01[\xb9-\xff]")
_UNIT = re.compile(rb"\x00\x00(?:\x01|[\x00-\xff]{2})(?:[\x06\x26\x46\x66]|[\x4e\x50]\x01)(?=[\x00-\x40])", re.DOTALL)
_SYNTAX, _RLE = 0x00020010, b"1.2.840.10008.1.2.5"
_COLOURS, _PER_PIXEL, _FRAMES, _ROWS, _COLUMNS = 0x00280004, 0x00280002, 0x00280008, 0x00280010, 0x00280011
_TABLES = (0x7FE00001, 0x7FE00002)
_SAMPLES, _WAVE = 0x54001010, (0x003A0005, 0x003A0010, 0x54001004)
_SHAPE = (_COLOURS, _PER_PIXEL, _FRAMES, _ROWS, _COLUMNS)


class PixelCheck:
    """Looks at the elements of one file, in order."""

    def __init__(self) -> None:
        self._said: dict[int, int] = {}
        self._raw: dict[int, bytes] = {}
        self._big = False
        self._frames: Frames | None = None
        self._packets: Packets | None = None
        self._table, self._is_rle = -1, False
        self._video = b""
        self._is_plain: bool | None = None

    def objection(self, element: Element) -> str:
        """What is wrong with an element, "" for nothing."""
        if element.depth:
            return self._within(element)
        if element.tag in (_ALLOCATED, _STORED, _HIGH, _SIGNED):
            self._said.setdefault(element.tag, max(element.value[:2], default=0))
            self._big = self._big or (element.tag == _ALLOCATED and element.value[:1] == b"\0")
        elif element.tag in _SHAPE:
            self._raw.setdefault(element.tag, element.value)
        elif element.tag == _SYNTAX:
            self._is_rle = element.value.strip(b" \0") == _RLE
            self._video = element.value.strip(b" \0")
        elif element.tag in _TABLES:
            return _no_table(element, 8)
        elif element.tag == _PIXELS:
            return self._encapsulated(element) if element.encapsulated else self._native(element)
        return ""

    def _within(self, element: Element) -> str:
        """In sequences waveforms lie, and no pixels."""
        if element.tag in _WAVE:
            self._raw[element.tag] = element.value
        elif element.tag == _SAMPLES:
            return self._waveform(element)
        return _PICTURE if element.tag == _PIXELS else ""

    def _number(self, tag: int, otherwise: int = 0) -> int:
        raw = self._raw.get(tag, b"")
        if tag == _FRAMES:
            return int(raw.strip(b" \0")) if raw.strip(b" \0").isdigit() else otherwise
        return int.from_bytes(raw, "big" if self._big else "little") if raw else otherwise

    def _native(self, element: Element) -> str:
        """The cells, and what follows the pixels that rows, columns, samples and frames tell of."""
        per_pixel: float = self._number(_PER_PIXEL, 1)
        if b"_42" in self._raw.get(_COLOURS, b""):
            per_pixel = 1.5 if self._raw[_COLOURS].strip(b" \0").endswith(b"0") else 2
        bits = int(self._number(_ROWS) * self._number(_COLUMNS) * per_pixel) * self._said.get(_ALLOCATED, 0)
        frames, frame = self._number(_FRAMES), (bits + 7) // 8
        end = (bits * max(frames, 1) + 15) // 16 * 2
        counted = frames or not frame or element.size % frame > 1
        behind = element.value[max(0, end - (element.offset - element.start)) :] if end and counted else b""
        return self._cells(element.value) or (_BEHIND_PIXELS if behind.strip(b"\0") else "")

    def _waveform(self, element: Element) -> str:
        said = [self._number(tag) for tag in _WAVE]
        declared = int(np.prod(said, dtype=np.int64) + 15) // 16 * 2
        return _BEHIND_SAMPLES if 0 < declared < element.size else ""

    def _encapsulated(self, element: Element) -> str:
        """The offset table comes first, then the frames."""
        if self._table in (-1, element.start):
            self._table = element.start
            return _no_table(element, 4)
        if self._is_rle and len(element.value) == element.size:
            pixels = self._number(_ROWS) * self._number(_COLUMNS)
            return BEHIND if pixels and _rle_rest(element.value, pixels).strip(b"\0\x80") else ""
        if self._is_plain is None:  # the first fragment says whether units follow each other without packets or boxes
            self._is_plain = element.value.startswith(b"\0\0") and element.value.lstrip(b"\0")[:1] == b"\1"
        is_video = _MPEG2.match(self._video) or _H26X.match(self._video)
        if is_video and not self._is_plain:
            self._packets = self._packets or Packets()
            if self._packets.say_more(element):
                return _TABLES_SAY
        if is_video and self._is_plain and _SYSTEM.search(element.value):
            return _NO_PICTURES
        if _MPEG2.match(self._video):
            return REMARK if _has_user_data(element.value) else ""
        if _H26X.match(self._video):
            return REMARK if _has_messages(element.value) else ""
        self._frames = self._frames or Frames(is_still=_STILL.fullmatch(self._video) is not None)
        return self._frames.objection(element)

    def _cells(self, value: bytes) -> str:
        allocated, stored = self._said.get(_ALLOCATED, 0), self._said.get(_STORED, 0)
        high = self._said.get(_HIGH, 0)
        if allocated not in (8, 16, 32) or not 0 < stored < allocated or not stored - 1 <= high < allocated:
            return ""
        size = allocated // 8
        cells = np.frombuffer(value, dtype=f"u{size}", count=len(value) // size)
        signed = bool(self._said.get(_SIGNED))
        return "" if _is_clear(cells.byteswap() if self._big else cells, stored, high, signed=signed) else _BITS


def _has_user_data(value: bytes) -> bool:
    """In MPEG-2, where no packet ends within the first letters of it."""
    found = (match[1] for match in _SAID.finditer(value) if b"\x47" not in match[1])
    return any(said.strip(b"\xff") for said in found)


def _has_messages(value: bytes) -> bool:
    """A message of user data behind others in a unit of H.264 or HEVC, in which something stands."""
    for match in _UNIT.finditer(value):
        body = value[match.end() : match.end() + 4096].replace(b"\0\0\3", b"\0\0")
        place = 0
        while place + 2 < len(body) and body[place] < 64:
            size = body[place + 1]
            if size == 255:
                size += body[place + 2]
            payload = body[place + 2 + (body[place + 1] == 255) : place + 2 + size]
            if body[place] in (4, 5) and len(payload) >= 12 and size < 512 and payload[:12].strip(b"\xff\0"):
                return match.group().startswith(b"\0\0\1") or _is_sample(value, match.start())
            place += 2 + size + (body[place + 1] == 255)
    return False


def _is_sample(value: bytes, place: int) -> bool:
    """True where a length of four bytes stands there that ends with the last bit of a unit, and another one follows."""
    end = place + 4 + int.from_bytes(value[place : place + 4], "big")
    return value[end - 1 : end] == b"\x80" and (end == len(value) or value[end : end + 1] == b"\0")


def _no_table(element: Element, width: int) -> str:
    """Offsets and lengths are less than what a file has of bytes; letters as numbers are more than 500 million."""
    if len(element.value) != element.size or element.size % width:
        return _NO_TABLE
    numbers = np.frombuffer(element.value, dtype=f"<u{width}")
    ascends = element.tag == _TABLES[1] or not numbers.size or (numbers[0] == 0 and bool(np.all(np.diff(numbers) > 0)))
    return "" if ascends and not np.any(numbers >= 1 << 40) else _NO_TABLE


def _rle_rest(frame: bytes, pixels: int) -> bytes:
    """What a run-length encoded frame (PS3.5 G) holds beside the codes of its pixels."""
    count = frame[0] if len(frame) >= 64 else 0
    if not 0 < count <= 15:
        return b""
    starts = [int.from_bytes(frame[4 * n : 4 * n + 4], "little") for n in range(1, count + 1)]
    rest = [frame[4 + 4 * count : 64]]
    for begin, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        made, place = 0, begin
        while made < pixels and place < end:
            code = frame[place]
            made += code + 1 if code < 128 else (257 - code) % 129
            place += code + 2 if code < 128 else 1 + (code > 128)
        rest.append(frame[place:end])
    return b"".join(rest)


def _is_clear(cells: NDArray[np.unsignedinteger[Any]], stored: int, high: int, *, signed: bool) -> bool:
    """Whether all are whole numbers of the bits stored, by the smallest and the largest of them."""
    low = high + 1 - stored
    if low and np.any(cells & ((1 << low) - 1)):
        return False
    numbers = cells.view(f"i{cells.itemsize}") if signed else cells
    if not numbers.size:
        return True
    least, most = int(numbers.min()), int(numbers.max())
    return -(1 << high) <= least and most < 1 << high if signed else most < 1 << (high + 1)
