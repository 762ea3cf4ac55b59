"""What lies around pixels and samples and is none of them: offset tables, bytes behind frames and behind waveforms.

Nobody shows these bytes, and so nobody notices what somebody left there. What is meant follows from the structure:
offsets ascend from 0, a run-length encoded segment ends with its last pixel, a waveform with its last sample.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

from slicermedai.errors import UnreadableFileError

OFFSETS, OFFSET_LENGTHS = 0x7FE00001, 0x7FE00002
"""Extended Offset Table, and Extended Offset Table Lengths (PS3.3 C.7.6.3.1.8)."""
RLE = "1.2.840.10008.1.2.5"
SAMPLES = 0x54001010
"""Waveform Data."""
WAVE = frozenset({0x003A0005, 0x003A0010, 0x54001004})
"""Number of Waveform Channels, Number of Waveform Samples, Waveform Bits Allocated."""
_EMPTY_TABLE = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
_DELIMITER = b"\xfe\xff\xdd\xe0"
_MOST_SEGMENTS, _RLE_HEAD = 15, 64
_NOTHING = 0x80
"""A code of PackBits that stands for no byte (PS3.5 G.3.2)."""
_KINDS = {2: "H", 4: "I"}
Fragments = Iterator[tuple[bytes, Iterator[bytes | memoryview]]]


def is_offset_table(tag: int, raw: bytes, frames: int, limit: int) -> bool:
    """True where an extended table is one: a number for each of ``frames`` (0: unknown), none beyond ``limit``."""
    numbers = _numbers(raw, "Q", frames, limit)
    return numbers is not None and (min(numbers, default=1) > 0 if tag == OFFSET_LENGTHS else _ascends(numbers))


def is_basic_table(raw: bytes, frames: int, limit: int) -> bool:
    """The same of the Basic Offset Table, which may be empty."""
    numbers = _numbers(raw, "I", frames, limit)
    return numbers is not None and _ascends(numbers)


def with_true_table(fragments: Fragments, frames: int, limit: int) -> Fragments:
    """Encapsulated pixel data (PS3.5 A.4) whose Basic Offset Table is empty where it was none.

    Parameters
    ----------
    fragments:
        (header, pieces of its value) of each item, the offset table first, the delimiter last.
    frames, limit:
        As in :func:`is_offset_table`.
    """
    head, pieces = next(fragments)
    size = int.from_bytes(head[4:], "little")
    table = b"".join(map(bytes, pieces)) if size <= 4 * (frames or limit) and head[:4] != _DELIMITER else b""
    if head[:4] == _DELIMITER or (len(table) == size and is_basic_table(table, frames, limit)):
        yield head, iter([table])
    else:
        yield _EMPTY_TABLE, iter([b""])
    yield from fragments


def true_rle_frames(fragments: Fragments, frames: int, pixels: int) -> Fragments:
    """The same of run-length encoded frames, each without what is no part of its segments.

    Parameters
    ----------
    pixels:
        Rows times columns.

    Raises
    ------
    UnreadableFileError
        There is not one fragment for each frame (PS3.5 A.4.2), or one of them is none.
    """
    yield next(fragments)
    for count, (head, pieces) in enumerate(fragments):
        if head[:4] != _DELIMITER:
            yield head, iter([_true_rle(b"".join(map(bytes, pieces)), pixels)])
        elif count == max(frames, 1):
            yield head, pieces
        else:
            raise UnreadableFileError("has not one fragment for each frame", attribute="PixelData")


def declared_samples(said: dict[int, bytes], order: str) -> int:
    """Bytes of a waveform as its item declares them, even; 0 where it does not."""
    if said.keys() != WAVE or any(len(raw) not in _KINDS for raw in said.values()):
        return 0
    channels, samples, bits = (struct.unpack(f"{order}{_KINDS[len(raw)]}", raw)[0] for raw in said.values())
    return int((channels * samples * bits + 15) // 16 * 2)


def _numbers(raw: bytes, kind: str, frames: int, limit: int) -> tuple[int, ...] | None:
    """The numbers of a table, () of an empty one; None where it is none."""
    width = struct.calcsize(f"<{kind}")
    count = len(raw) // width
    if not raw:
        return ()
    if len(raw) % width or (frames and count != frames):
        return None
    numbers = struct.unpack(f"<{count}{kind}", raw)
    return numbers if max(numbers) < limit else None


def _ascends(numbers: tuple[int, ...]) -> bool:
    return not numbers or (numbers[0] == 0 and all(a < b for a, b in itertools.pairwise(numbers)))


def _true_rle(frame: bytes, pixels: int) -> bytes:
    """One frame (PS3.5 G.5): a header of 64 bytes with the offsets of its segments, and the segments."""
    count = int.from_bytes(frame[:4], "little")
    starts = list(struct.unpack_from(f"<{count}I", frame, 4)) if 0 < count <= _MOST_SEGMENTS < len(frame) // 4 else []
    if not starts or starts[0] < _RLE_HEAD or starts != sorted(starts) or starts[-1] > len(frame):
        raise UnreadableFileError("has a run-length encoded frame that is none", attribute="PixelData")
    made = bytearray(frame)
    _blank(made, 4 + 4 * count, _RLE_HEAD, 0)
    _blank(made, _RLE_HEAD, starts[0], 0)
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        _blank(made, _end_of_segment(frame, start, end, pixels), end, _NOTHING)
    return bytes(made)


def _end_of_segment(frame: bytes, position: int, end: int, pixels: int) -> int:
    """Where the last of ``pixels`` bytes was read; ``end`` where they are fewer."""
    left = pixels
    while left > 0 and position < end:
        code = frame[position]
        if code < _NOTHING:
            position, left = position + code + 2, left - code - 1
        elif code > _NOTHING:
            position, left = position + 2, left - 257 + code
        else:
            position += 1
    return min(position, end)


def _blank(made: bytearray, start: int, end: int, filler: int) -> None:
    """Nothing but zeros stays as it is: padding."""
    if made[start:end].strip(b"\0"):
        made[start:end] = bytes([filler]) * (end - start)
