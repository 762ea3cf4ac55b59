"""RLE Lossless (PS3.5 annex G) of bytes, a run at a time: label maps are few long runs.

The lossless code that web viewers decode for label maps. Their decoder takes one byte segment a frame, so nothing wider
than a byte is encoded here; what others made of single bits is decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST = 128
"""Bytes that one control byte can stand for."""
_HEADER = struct.pack("<16L", 1, 64, *[0] * 14)
"""One byte segment, which begins right after this header (G.5)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Runs:
    """Equal bytes in a row of the image, in order; ``begins`` is True for the first run of a row."""

    lengths: NDArray[np.intp]
    values: NDArray[np.uint8]
    begins: NDArray[np.bool_]


def encode_frame(frame: NDArray[np.uint8]) -> bytes:
    """One frame (rows, columns) as the content of one fragment; no run crosses the end of a row (G.3.1)."""
    segment = _packed(_cut(_runs(frame)))
    return _HEADER + segment.tobytes() + b"\0" * (segment.size % 2)


def decode_frame(content: bytes, *, most: int) -> bytes:
    """The bytes of a frame that is one byte segment (G.3.2), ``most`` at most.

    Raises
    ------
    ValueError
        The frame has several segments, or no header.
    """
    if len(content) < len(_HEADER) or int.from_bytes(content[:4], "little") != 1:
        raise ValueError("a frame of one byte segment is needed")
    made, place = bytearray(), int.from_bytes(content[4:8], "little")
    while place < len(content) and len(made) < most:
        control = content[place]
        literal = control < _MOST
        count = control + 1 if literal else 257 - control
        if literal:
            made += content[place + 1 : place + 1 + count]
        elif control > _MOST:
            made += content[place + 1 : place + 2] * count
        place += 1 + (count if literal else control != _MOST)
    return bytes(made[:most])


def _runs(frame: NDArray[np.uint8]) -> _Runs:
    flat, columns = np.ascontiguousarray(frame).reshape(-1), frame.shape[1]
    new = np.empty(flat.size, dtype=bool)
    np.not_equal(flat[1:], flat[:-1], out=new[1:])
    new[::columns] = True
    starts = np.flatnonzero(new)
    return _Runs(
        lengths=np.diff(starts, append=flat.size),
        values=flat[starts],
        begins=starts % columns == 0,
    )


def _cut(runs: _Runs) -> _Runs:
    """Runs that one control byte can say: of a long one the last takes what is left."""
    parts = -(-runs.lengths // _MOST)
    if parts.max() == 1:
        return runs
    last = np.cumsum(parts) - 1
    lengths = np.full(last[-1] + 1, _MOST)
    lengths[last] = runs.lengths - _MOST * (parts - 1)
    begins = np.zeros(lengths.size, dtype=bool)
    begins[last - parts + 1] = runs.begins
    return _Runs(lengths=lengths, values=np.repeat(runs.values, parts), begins=begins)


def _packed(runs: _Runs) -> NDArray[np.uint8]:
    """The byte segment: runs of two and more are replicated, single bytes in a row are literal (G.3.1)."""
    at, single = np.arange(runs.lengths.size), runs.lengths == 1
    joined = single & ~runs.begins
    joined[1:] &= single[:-1]
    since = at - np.maximum.accumulate(np.where(joined, 0, at))
    heads = ~joined | (since % _MOST == 0)
    counts = np.diff(np.flatnonzero(heads), append=at.size)
    ends = np.cumsum(np.where(single, 1, 2) + (heads & single))
    packed = np.empty(ends[-1], dtype=np.uint8)
    packed[ends - 1] = runs.values
    packed[ends[heads] - 2] = np.where(single[heads], counts - 1, 257 - runs.lengths[heads])
    return packed
