"""What may lie in pixel data beside the pixels: bits that are no part of a value, and remarks in compressed frames.

The verifier's own code: it shares none with what clears the bits and blanks the remarks.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.verify_bytes import Element

_ALLOCATED, _STORED, _HIGH, _SIGNED, _PIXELS = 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x7FE00010
_SEGMENT = re.compile(rb"\xff[\xe0-\xef\xfe]")
_MEANT = (
    (re.compile(rb"\xff\xe0..JFIF\0", re.DOTALL), 18),
    (re.compile(rb"\xff\xee..Adobe", re.DOTALL), 16),
    (re.compile(rb"\xff\xe8..mrfx", re.DOTALL), 9),
    (re.compile(rb"\xff\xe2..ICC_PROFILE\x00\x01\x01", re.DOTALL), 1 << 16),
)
_BITS = "bits that are no part of the pixels' values are set"
_REMARK = "a remark stands in a compressed frame"
_BEHIND = "something stands behind a compressed frame"


class PixelCheck:
    """Looks at the elements of one file, in order."""

    def __init__(self) -> None:
        self._said: dict[int, int] = {}
        self._kind, self._big = b"", False

    def objection(self, element: Element) -> str:
        """What is wrong with an element, "" for nothing."""
        if element.tag in (_ALLOCATED, _STORED, _HIGH, _SIGNED):
            self._said.setdefault(element.tag, max(element.value[:2], default=0))
            self._big = self._big or (element.tag == _ALLOCATED and element.value[:1] == b"\0")
        elif element.tag == _PIXELS:
            return self._fragment(element) if element.encapsulated else self._cells(element.value)
        return ""

    def _cells(self, value: bytes) -> str:
        allocated, stored = self._said.get(_ALLOCATED, 0), self._said.get(_STORED, 0)
        high = self._said.get(_HIGH, 0)
        if allocated not in (8, 16, 32) or not 0 < stored < allocated or not stored - 1 <= high < allocated:
            return ""
        size = allocated // 8
        cells = np.frombuffer(value, dtype=f"u{size}", count=len(value) // size)
        signed = bool(self._said.get(_SIGNED))
        return "" if _is_clear(cells.byteswap() if self._big else cells, stored, high, signed=signed) else _BITS

    def _fragment(self, element: Element) -> str:
        """Of a frame in several fragments the first one says what it is."""
        value = element.value
        if element.offset == element.start and value[:2] in (b"\xff\xd8", b"\xff\x4f"):
            self._kind = value[:2]
        elif element.offset == element.start and self._kind == b"\xff\x4f":
            self._kind = b""
        if self._kind and self._has_remark(value, first=element.offset == element.start):
            return _REMARK
        ends = element.offset + len(value) == element.start + element.size
        place = value.rfind(b"\xff\xd9") if ends and self._kind else -1
        return _BEHIND if place >= 0 and value[place + 2 :].strip(b"\0\xff") else ""

    def _has_remark(self, value: bytes, *, first: bool) -> bool:
        if self._kind == b"\xff\xd8":
            return _jpeg_remark(value)
        return first and _j2k_remark(value)


def _is_clear(cells: NDArray[np.unsignedinteger[Any]], stored: int, high: int, *, signed: bool) -> bool:
    low = high + 1 - stored
    if low and np.any(cells & ((1 << low) - 1)):
        return False
    above = cells >> (high if signed else high + 1)
    most = (1 << (cells.itemsize * 8 - (high if signed else high + 1))) - 1
    return bool(np.all((above == 0) | (above == most))) if signed else not above.any()


def _jpeg_remark(value: bytes) -> bool:
    """In coded samples no such marker can stand (ISO/IEC 10918-1 F.1.2.3, ISO/IEC 14495-1 A.1)."""
    position = 0
    while found := _SEGMENT.search(value, position):
        begin = found.start()
        end = begin + 2 + max(int.from_bytes(value[begin + 2 : begin + 4], "big"), 2)
        meant = next((size for sign, size in _MEANT if sign.match(value, begin)), 4)
        if value[min(begin + meant, end) : end].strip(b"\0"):
            return True
        position = end
    return False


def _j2k_remark(value: bytes) -> bool:
    """In the main header, and in those of the tile-parts that begin in these bytes (ISO/IEC 15444-1 A.2)."""
    position, part = 2, 0
    while position + 12 <= len(value) and value[position] == 0xFF:
        code, size = value[position + 1], int.from_bytes(value[position + 2 : position + 4], "big")
        if code == 0x64 and value[position + 4 : position + 2 + size].strip(b"\0"):
            return True
        if code == 0x90:
            part = position + int.from_bytes(value[position + 6 : position + 10], "big")
        following = part if code == 0x93 else position + 2 + size
        if following <= position:
            return False
        position = following
    return False
