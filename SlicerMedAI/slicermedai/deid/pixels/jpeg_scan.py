"""The coded samples of a baseline JPEG frame (ITU-T T.81), block by block: read, and coded again where one changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.pixels.jpeg_layout import (
    END_OF_BLOCK,
    NEVER,
    SIXTEEN_ZEROS,
    Codes,
    Layout,
    NotCoded,
    with_all_codes,
)

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
Block = list[int]
"""64 quantised coefficients in the order in which they are coded."""


class _Part(NamedTuple):
    """What lies between two restarts: its bytes, number of its first block, of its blocks, and of its bits."""

    coded: bytes
    begin: int
    blocks: int
    end: int


@dataclass(slots=True, eq=False)
class Scan:
    """The blocks of a frame as they are coded: where each begins and where its first coefficient ends (in bits of its
    part), its first coefficient, and all coefficients of those that are ``wanted``."""

    layout: Layout
    wanted: Sequence[bool]
    begins: list[int]
    behind: list[int]
    firsts: list[int]
    blocks: dict[int, Block]
    parts: list[_Part]

    @staticmethod
    def read(layout: Layout, wanted: Sequence[bool]) -> Scan:
        """Follow all codes to the end.

        Raises
        ------
        NotCoded
            They do not end where the frame does.
        """
        scan = Scan(layout, wanted, [], [], [], {}, [])
        per_unit = sum(c.across * c.down for c in layout.components)
        units, left = layout.restart or NEVER, len(wanted) // per_unit
        for coded in _RESTART.split(layout.data[layout.start : layout.end]):
            count = min(units, left)
            begin, raw = len(scan.begins), coded.replace(b"\xff\0", b"\xff")
            scan.parts.append(_Part(coded, begin, count * per_unit, scan._followed(raw, count)))
            left -= count
        if left:
            raise NotCoded("fewer units than the frame should have")
        return scan

    def _followed(self, raw: bytes, units: int) -> int:
        try:
            end = self._follow(_next_bits(raw), units)
        except IndexError as error:
            raise NotCoded("codes that go on behind the end") from error
        if not 0 <= 8 * len(raw) - end < 8:
            raise NotCoded("something behind the codes")
        return end

    def _follow(self, bits: Sequence[int], units: int) -> int:
        components = self.layout.components
        plan = [(n, c.first, c.others) for n, c in enumerate(components) for _ in range(c.across * c.down)]
        before, place = [0] * len(components), 0
        begins, behind, firsts, wanted = self.begins, self.behind, self.firsts, self.wanted
        for _ in range(units):
            for n, first, others in plan:
                begins.append(place)
                now = bits[place]
                size = first.symbol[now]
                place += first.step[now]
                if size:
                    before[n] += _signed(bits[place - size] >> (16 - size), size)
                behind.append(place)
                firsts.append(before[n])
                if wanted[len(firsts) - 1]:
                    place = self._block(bits, place, others)
                    continue
                step, skip, k = others.step, others.skip, 1
                while k < 64:
                    now = bits[place]
                    place += step[now]
                    k += skip[now]
        return place

    def _block(self, bits: Sequence[int], place: int, codes: Codes) -> int:
        block, k = [0] * 64, 1
        block[0] = self.firsts[-1]
        while k < 64:
            now = bits[place]
            place += codes.step[now]
            k += codes.skip[now]
            size = codes.symbol[now] & 15
            if size:
                if k > 64:
                    raise NotCoded("more than 64 coefficients")
                block[k - 1] = _signed(bits[place - size] >> (16 - size), size)
        self.blocks[len(self.firsts) - 1] = block
        return place

    def coded(self, changed: Mapping[int, Block], components: Sequence[int]) -> bytes:
        """The frame with ``changed`` blocks in the place of theirs; ``components`` tells whose each block is.

        Raises
        ------
        NotCoded
            A first coefficient has no code in the frame's tables.
        """
        layout, pieces = self.layout, []
        for number, part in enumerate(self.parts):
            if number:
                pieces.append(bytes([0xFF, 0xD0 + (number - 1) % 8]))
            pieces.append(self._coded_part(part, changed, components))
        return b"".join((layout.data[: layout.start], *pieces, b"\xff\xd9"))

    def recoded(self, changed: Mapping[int, Block], components: Sequence[int]) -> bytes:
        """The same with other tables, which have a code for everything; all blocks have to be known."""
        self.layout = with_all_codes(self.layout)
        return self.coded({**self.blocks, **changed}, components)

    def _coded_part(self, part: _Part, changed: Mapping[int, Block], components: Sequence[int]) -> bytes:
        numbers = range(part.begin, part.begin + part.blocks)
        if not any(n in changed for n in numbers):
            return part.coded
        plain = np.frombuffer(part.coded.replace(b"\xff\0", b"\xff"), np.uint8)
        bits = (np.unpackbits(plain) + ord("0")).tobytes().decode("ascii")
        before = [(0, 0)] * len(self.layout.components)
        pieces, copied = [], 0
        for n in numbers:
            component = self.layout.components[components[n]]
            was, now = before[components[n]]
            block = changed.get(n)
            first = self.firsts[n] if block is None else block[0]
            if block is not None or was != now:
                pieces += [bits[copied : self.begins[n]], _first_bits(first - now, component.first)]
                copied = self.behind[n]
            if block is not None:
                pieces.append(_other_bits(block, component.others))
                copied = self.begins[n + 1] if n + 1 < numbers.stop else part.end
            before[components[n]] = self.firsts[n], first
        return _as_bytes("".join((*pieces, bits[copied : part.end])))


def _next_bits(raw: bytes) -> Sequence[int]:
    """Of every bit the 16 that begin with it; behind the end there are ones."""
    wide = np.frombuffer(raw + b"\xff" * 3, np.uint8).astype(np.uint32)
    three = (wide[:-2] << 16) | (wide[1:-1] << 8) | wide[2:]
    made: NDArray[Any] = (three[:, None] >> np.arange(8, 0, -1, dtype=np.uint32)).astype(np.uint16)
    return memoryview(made.tobytes()).cast("H")


def _signed(value: int, size: int) -> int:
    return value if value >> (size - 1) else value - (1 << size) + 1


def _magnitude(value: int) -> str:
    """The bits of a value behind its size (T.81 F.1.2.1)."""
    size = abs(value).bit_length()
    return f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


def _code(codes: Codes, symbol: int) -> str:
    try:
        return codes.written[symbol]
    except KeyError as error:
        raise NotCoded("a value that the frame has no code for") from error


def _first_bits(difference: int, codes: Codes) -> str:
    return _code(codes, abs(difference).bit_length()) + _magnitude(difference)


def _other_bits(block: Block, codes: Codes) -> str:
    pieces, run = [], 0
    for value in block[1:]:
        if not value:
            run += 1
            continue
        if run > 15:
            pieces += [_code(codes, SIXTEEN_ZEROS)] * (run // 16)
        pieces += [_code(codes, run % 16 << 4 | abs(value).bit_length()), _magnitude(value)]
        run = 0
    return "".join((*pieces, _code(codes, END_OF_BLOCK))) if run else "".join(pieces)


def _as_bytes(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:].replace(b"\xff", b"\xff\0")
