"""How a baseline JPEG frame (ITU-T T.81) is laid out: its segments, components, tables and blocks.

One scan with all components, 8 bits, Huffman codes: what ultrasound devices and cameras write. Anything else is told
from it and not touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ZIGZAG = (
    *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21),
    *(28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61),
    *(54, 47, 55, 62, 63),
)
"""Places of the coefficients in a block of 64, in the order in which they are coded (T.81 figure A.6)."""
END_OF_BLOCK, SIXTEEN_ZEROS = 0x00, 0xF0
"""Symbols: all other coefficients of a block are 0, the next 16 are."""
NEVER = 1 << 40
"""More bits than a frame has."""
_TABLES, _SCAN, _QUANTISERS = 0xC4, 0xDA, 0xDB
_FREQUENT = bytes.fromhex("01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282")
_OTHERS = bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125)) + _FREQUENT
_OTHERS += bytes(n for n in range(0xFB) if 0 < n & 15 <= 10 and n not in _FREQUENT)
_FIRSTS = bytes((0, 1, 5, *[1] * 6, *[0] * 7, *range(12)))
"""The usual tables of luminance (T.81 K.3), which have all codes; both sorts of components may use them."""


class NotCoded(ValueError):
    """The frame is not coded as this module knows it, or a value has no code in its tables."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A Huffman table (T.81 C): what the next 16 bits begin with, and the bits of each symbol."""

    symbol: list[int]
    bits: list[int]
    step: list[int]
    skip: list[int]
    written: dict[int, str]

    @staticmethod
    @lru_cache(maxsize=32)
    def of(table: bytes) -> Codes:
        """From the 16 counts and the symbols of a DHT segment."""
        symbol, bits = (np.zeros(1 << 16, np.int64) for _ in range(2))
        written, code, place = {}, 0, 16
        for length, count in enumerate(table[:16], 1):
            for one in table[place : place + count]:
                begin = code << (16 - length)
                symbol[begin : begin + (1 << (16 - length))], written[one] = one, f"{code:0{length}b}"
                bits[begin : begin + (1 << (16 - length))] = length
                code += 1
            place, code = place + count, code << 1
        step, skip = bits + (symbol & 15), (symbol >> 4) + 1
        skip[symbol == END_OF_BLOCK] = 64
        step[bits == 0] = NEVER
        return Codes(symbol.tolist(), bits.tolist(), step.tolist(), skip.tolist(), written)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Component:
    """A component: samples across and down in a unit of the scan, its quantisers, and the tables of its codes.

    ``quantisers`` is (8, 8), in rows.
    """

    across: int
    down: int
    quantisers: NDArray[np.float64]
    first: Codes
    others: Codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """A frame: its head up to the coded samples, what follows them, and how they are arranged.

    ``restart`` is the number of units between two restarts, 0 without.
    """

    data: bytes
    start: int
    end: int
    rows: int
    columns: int
    components: tuple[Component, ...]
    restart: int

    @property
    def unit(self) -> tuple[int, int]:
        """(rows, columns) of pixels in a unit."""
        return 8 * max(c.down for c in self.components), 8 * max(c.across for c in self.components)

    @property
    def units(self) -> tuple[int, int]:
        """(rows, columns) of units."""
        return -(-self.rows // self.unit[0]), -(-self.columns // self.unit[1])

    def blocks(self) -> NDArray[np.int64]:
        """(blocks, 3): component, row and column of each block among its component's, as they are coded."""
        down, across = self.units
        of_unit = np.array(
            [(n, y, x) for n, c in enumerate(self.components) for y in range(c.down) for x in range(c.across)]
        )
        scale = np.array([(0, c.down, c.across) for c in self.components])[of_unit[:, 0]]
        places = np.stack(np.meshgrid(np.arange(down), np.arange(across), indexing="ij"), -1).reshape(-1, 1, 2)
        places = np.concatenate([np.zeros_like(places[..., :1]), places], axis=-1)
        return np.asarray((of_unit + scale * places).reshape(-1, 3), dtype=np.int64)


def layout_of(data: bytes) -> Layout:
    """Read the segments of a frame.

    Raises
    ------
    NotCoded
        It is coded in another way, or damaged.
    """
    try:
        return _layout(data)
    except (IndexError, KeyError) as error:
        raise NotCoded("segments that do not fit") from error


def _layout(data: bytes) -> Layout:
    quantisers: dict[int, NDArray[np.float64]] = {}
    codes: dict[int, Codes] = {}
    frame, restart = b"", 0
    for marker, body, position in _segments(data):
        if marker == _QUANTISERS:
            quantisers.update(_quantisers(body))
        elif marker == _TABLES:
            codes.update(_codes(body))
        elif marker in (0xC0, 0xC1):
            frame = body
        elif marker == 0xDD:
            restart = int.from_bytes(body[:2], "big")
        elif marker == _SCAN:
            components = _components(frame, body, quantisers, codes)
            rows, columns = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            end = data.rfind(b"\xff\xd9")
            if not rows or not columns or end < position:
                raise NotCoded("no size, or no end")
            return Layout(
                data=data, start=position, end=end, rows=rows, columns=columns, components=components, restart=restart
            )
    raise NotCoded("no scan")


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(marker, body, offset behind it) of the segments before the first scan, and of its header."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF or data[:2] != b"\xff\xd8":
            raise NotCoded("no marker where one should be")
        marker, size = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xFF:
            position += 1
            continue
        if marker in range(0xC2, 0xD0) and marker != _TABLES:
            raise NotCoded("another process than the sequential one of 8 bits")
        yield marker, data[position + 4 : position + 2 + size], position + 2 + size
        position += 2 + size


def _quantisers(body: bytes) -> Iterator[tuple[int, NDArray[np.float64]]]:
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        values = np.frombuffer(body[1 : 1 + 64 * (1 + wide)], dtype=">u2" if wide else "u1")
        if len(values) != 64:
            raise NotCoded("a table of quantisers is too short")
        table = np.zeros(64)
        table[list(ZIGZAG)] = values
        yield number, table.reshape(8, 8)
        body = body[1 + 64 * (1 + wide) :]


def _codes(body: bytes) -> Iterator[tuple[int, Codes]]:
    while body:
        size = 17 + sum(body[1:17])
        yield body[0], Codes.of(body[1:size])
        body = body[size:]


def _components(
    frame: bytes, scan: bytes, quantisers: Mapping[int, NDArray[np.float64]], codes: Mapping[int, Codes]
) -> tuple[Component, ...]:
    count = scan[0]
    if not frame or frame[0] != 8 or frame[5] != count or scan[1 + 2 * count :][:3] != b"\0\x3f\0":
        raise NotCoded("samples of more than 8 bits, or several scans")
    made = []
    for n in range(count):
        name, shape, table = frame[6 + 3 * n : 9 + 3 * n]
        if scan[1 + 2 * n] != name:
            raise NotCoded("components in another order")
        chosen = scan[2 + 2 * n]
        made.append(
            Component(
                across=shape >> 4 if count > 1 else 1,
                down=shape & 15 if count > 1 else 1,
                quantisers=quantisers[table],
                first=codes[chosen >> 4],
                others=codes[0x10 | (chosen & 15)],
            )
        )
    return tuple(made)


def with_all_codes(layout: Layout) -> Layout:
    """The head of a frame with tables that have a code for everything."""
    pieces, begin = [b"\xff\xd8"], 2
    for marker, _, behind in _segments(layout.data):
        if marker == _SCAN:
            tables = b"".join(
                bytes([kind << 4 | n]) + table for n in range(2) for kind, table in enumerate((_FIRSTS, _OTHERS))
            )
            pieces += [b"\xff\xc4" + (len(tables) + 2).to_bytes(2, "big") + tables, layout.data[begin:behind]]
            break
        if marker != _TABLES:
            pieces.append(layout.data[begin:behind])
        begin = behind
    return layout_of(b"".join((*pieces, b"\xff\xd9")))
