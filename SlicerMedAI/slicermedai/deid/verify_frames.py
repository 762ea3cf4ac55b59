"""What stands in compressed frames beside coded samples, for the verifier: comments, segments and boxes that nobody
knows, text behind what a segment says, between segments, and behind the end.

JPEG and JPEG-LS are walked from marker to marker over all pieces of a frame; JPEG 2000 and boxes in the first piece.
The verifier's own code: it shares none with what blanks such things.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from slicermedai.deid.verify_bytes import Element

REMARK, BEHIND = "a remark stands in a compressed frame", "something stands behind a compressed frame"
_NO_FRAME = "a compressed frame is none"
_JPEG, _J2K = b"\xff\xd8", b"\xff\x4f"
_BOXED = (b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cjP  \r\n\x87\n")
_FILLED = b"\xff\xff"
_ANY = (_JPEG, _J2K, b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ")
_MEANT_BOXES = re.compile(rb"JXL |jP  |ftyp|jxl[lcpi]|jp2c")
_IN_HEADERS = re.compile(rb"ihdr|bpcc|colr|pclr|cmap|cdef|res[cd]")
_SUPERBOXES = (b"jp2h", b"res ")
_MEANT = (
    (re.compile(rb"\xff\xe0..JFIF\0", re.DOTALL), 18),
    (re.compile(rb"\xff\xee..Adobe", re.DOTALL), 16),
    (re.compile(rb"\xff\xe8..mrfx", re.DOTALL), 9),
    (re.compile(rb"\xff\xe2..ICC_PROFILE\x00\x01\x01", re.DOTALL), 1 << 16),
)
_UNKNOWN = re.compile(rb"[\x02-\xbf\xe0-\xf6\xf9-\xfe]")
"""Application data, comments, and what ISO/IEC 10918-1 Table B.1 reserves."""
_ALONE = re.compile(rb"[\x00\x01\xd0-\xd8]")
_TOLD_BY_A_COUNT = {**dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB), (10, 9, 3))}
_TOLD_BY_A_COUNT |= {**dict.fromkeys((0xCD, 0xCE, 0xCF, 0xDE, 0xF7), (10, 9, 3)), 0xDA: (8, 4, 2)}
"""Heads of frames and scans (ISO/IEC 10918-1 B.2): (size with nothing counted, place of the count, size of each)."""
_SIZES = {0xDC: 6, 0xDD: 6, 0xDF: 5}
_QUANTISERS, _CODES, _SCAN, _END, _OF_LS = 0xDB, 0xC4, 0xDA, 0xD9, 0xF7
_MARKER = (re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]"))
_KNOWN_2000 = re.compile(rb"[\x30-\x3f\x50-\x53\x55-\x59\x5c-\x61\x63\x70-\x79\x90-\x93]")


class Frames:
    """The frames of one file, whose fragments are given in order and in pieces."""

    def __init__(self, *, is_still: bool) -> None:
        self._is_still = is_still
        self._kind, self._seen = b"", -1
        self._walk = Walk()

    def objection(self, element: Element) -> str:
        """What is wrong with a piece of a fragment, "" for nothing."""
        value, begins = element.value, element.offset == element.start
        new = value if begins else value[max(self._seen - element.offset, 0) :]
        is_first, self._seen = self._seen < 0, element.offset + len(value)
        if begins and value[:12] in _BOXED:
            self._kind = b""
            return in_boxes(value, element.size)
        if begins and value[:2] in (_JPEG, _J2K):
            self._kind, self._walk = value[:2], Walk()
        elif is_first and value.startswith(_FILLED):
            self._kind = _JPEG
        elif is_first and self._is_still and value.strip(b"\0") and not value.startswith(_ANY):
            return _NO_FRAME
        elif begins and self._kind == _J2K:
            self._kind = b""
        if self._kind == _JPEG:
            return self._walk.objection(new)
        return self._of_2000(element, begins=begins) if self._kind else ""

    def _of_2000(self, element: Element, *, begins: bool) -> str:
        if begins and remark_in_2000(element.value):
            return REMARK
        ends = element.offset + len(element.value) == element.start + element.size
        place = element.value.rfind(b"\xff\xd9") if ends else -1
        return BEHIND if place >= 0 and element.value[place + 2 :].strip(b"\0\xff") else ""


class Walk:
    """From marker to marker through one frame of JPEG or JPEG-LS."""

    def __init__(self) -> None:
        self._held, self._at, self._is_ls, self._why = b"", 0, False, ""
        self._step: Callable[[], bool] = self._marker

    def objection(self, piece: bytes) -> str:
        """What is wrong up to the end of the next bytes, "" for nothing."""
        self._held, self._at = self._held[self._at :] + piece, 0
        while not self._why and self._at < len(self._held) and self._step():
            continue
        return self._why

    def _go_to(self, place: int) -> bool:
        self._at = place
        return True

    def _coded(self) -> bool:
        """Samples, in which no marker can stand (ISO/IEC 10918-1 F.1.2.3, ISO/IEC 14495-1 A.1)."""
        found = _MARKER[self._is_ls].search(self._held, self._at)
        if found is None:
            self._go_to(len(self._held) - self._held.endswith(b"\xff"))
            return False
        self._step = self._marker
        return self._go_to(found.start())

    def _behind(self) -> bool:
        self._why = BEHIND if self._held[self._at :].strip(b"\0\xff") else ""
        return self._go_to(len(self._held))

    def _marker(self) -> bool:
        held, at = self._held, self._at
        if held[at] != 0xFF:
            place = held.find(b"\xff", at)
            end = place if place >= 0 else len(held)
            self._why = REMARK if held[at:end].strip(b"\0") else ""
            return self._go_to(end)
        if len(held) < at + 2:
            return False
        if held[at + 1] == 0xFF or _ALONE.match(held, at + 1):
            return self._go_to(at + (1 if held[at + 1] == 0xFF else 2))
        if held[at + 1] == _END:
            self._step = self._behind
            return self._go_to(at + 2)
        end = at + max(2 + int.from_bytes(held[at + 2 : at + 4], "big"), 4)
        return len(held) >= end and self._segment(held[at:end])

    def _segment(self, segment: bytes) -> bool:
        self._is_ls = self._is_ls or segment[1] == _OF_LS
        self._why = REMARK if segment[self._meant(segment) :].strip(b"\0") else ""
        self._step = self._coded if segment[1] == _SCAN else self._marker
        return self._go_to(self._at + len(segment))

    def _meant(self, segment: bytes) -> int:
        """How many bytes of a segment a decoder reads."""
        code = segment[1]
        if _UNKNOWN.match(segment, 1):
            return next((size for sign, size in _MEANT if sign.match(segment)), 4)
        if code in _TOLD_BY_A_COUNT:
            size, place, each = _TOLD_BY_A_COUNT[code]
            return size + each * (segment[place] if len(segment) > place else 0)
        if code in _SIZES and not self._is_ls:
            return _SIZES[code]
        return _end_of_tables(segment) if code in (_QUANTISERS, _CODES) else len(segment)


def _end_of_tables(segment: bytes) -> int:
    """Behind the last whole table, each of which begins with its number, of four (ISO/IEC 10918-1 B.2.4)."""
    place = 4
    while place < len(segment) and not segment[place] & 0x0C:
        wide = 128 if segment[place] >= 0x10 else 64
        size = wide if segment[1] == _QUANTISERS else 16 + sum(segment[place + 1 : place + 17])
        if place + 1 + size > len(segment):
            break
        place += 1 + size
    return place


def remark_in_2000(value: bytes) -> bool:
    """In the main header, and in those of the tile-parts that begin in these bytes (ISO/IEC 15444-1 A.2)."""
    position, part, in_main = 2, 0, True
    while position + 12 <= len(value):
        if value[position] != 0xFF:
            return in_main
        code, size = value[position + 1], int.from_bytes(value[position + 2 : position + 4], "big")
        is_known = _KNOWN_2000.match(value, position + 1)
        if not is_known and code != _END and value[position + 4 : position + 2 + size].strip(b"\0"):
            return True
        if code == 0x90:
            in_main, part = False, position + int.from_bytes(value[position + 6 : position + 10], "big")
        following = part if code == 0x93 else position + (2 if 0x30 <= code < 0x40 else 2 + size)
        if following <= position or code == _END:
            return False
        position = following
    return False


def in_boxes(value: bytes, size: int, meant: re.Pattern[bytes] = _MEANT_BOXES) -> str:
    """What else than pictures stands in a frame of JPEG XL or JPEG 2000 in boxes (ISO/IEC 18181-2, 15444-1 I.4)."""
    place = 0
    while place + 8 <= len(value):
        length, kind = int.from_bytes(value[place : place + 4], "big"), value[place + 4 : place + 8]
        head = 16 if length == 1 else 8
        length = int.from_bytes(value[place + 8 : place + 16], "big") if length == 1 else length or size - place
        if length < head or not kind.isascii() or not kind.decode("ascii").isprintable():
            return BEHIND if value[place:].strip(b"\0") else ""
        if why := _in_box(kind, value[place + head : place + length], meant):
            return why
        place += length
    return ""


def _in_box(kind: bytes, body: bytes, meant: re.Pattern[bytes]) -> str:
    if kind in _SUPERBOXES:
        return in_boxes(body, len(body), _IN_HEADERS)
    if kind == b"jp2c":
        return REMARK if remark_in_2000(body) else ""
    return REMARK if not meant.fullmatch(kind) and body.strip(b"\0") else ""
