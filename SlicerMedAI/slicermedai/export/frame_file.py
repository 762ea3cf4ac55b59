"""Multi-frame objects written frame after frame: what memory holds is one frame, whatever the number of frames.

Functional groups and pixel data are the last elements of a data set (PS3.5 7.1), so they follow what pydicom has
written of it. All is in Explicit VR Little Endian.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from slicermedai.errors import FormatError

_MOST_BYTES = 2**32 - 2
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF


def save_frames(dataset: Dataset, path: Path, *, groups: bytes, frames: Iterable[bytes]) -> Path:
    """Write ``dataset``, then ``groups``, then the pixels piece by piece; as they are, no padding between them.

    Parameters
    ----------
    dataset:
        All but the Per-frame Functional Groups and the pixels, with its file meta information.
    groups:
        The whole Per-frame Functional Groups Sequence (5200,9230) as it is encoded.
    frames:
        The bytes of the pixels, in pieces of any size; in RLE Lossless a piece is a frame.

    Raises
    ------
    FormatError
        The pixels are more than one element can hold.
    """
    sides = (dataset.NumberOfFrames, dataset.Rows, dataset.Columns, dataset.BitsAllocated)
    length = -(-math.prod(map(int, sides)) // 8)
    if length > _MOST_BYTES:
        raise FormatError(
            "the frames need more than the 4 GiB that one object can hold",
            attribute="PixelData",
            advice="Ask for fewer findings, or for a label map (seg-labelmap) of those that do not overlap.",
        )
    with path.open("wb") as stream:
        dataset.save_as(stream, enforce_file_format=True)
        stream.write(groups)
        if dataset.file_meta.TransferSyntaxUID == RLELossless:
            _encapsulated(stream, frames, count=int(dataset.NumberOfFrames))
        else:
            _native(stream, frames, wide=int(dataset.BitsAllocated) > 8, length=length)
    return path


def _native(stream: BinaryIO, frames: Iterable[bytes], *, wide: bool, length: int) -> None:
    """PS3.5 A.2: OW where a pixel is wider than a byte; of an even number of bytes."""
    stream.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW" if wide else b"OB", 0, length + length % 2))
    stream.writelines(frames)
    stream.write(b"\0" * (length % 2))


def _encapsulated(stream: BinaryIO, frames: Iterable[bytes], *, count: int) -> None:
    """PS3.5 A.4: one fragment a frame, and before them a table of where each begins, which is filled in at the end."""
    stream.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, _UNDEFINED))
    stream.write(struct.pack("<HHL", *_ITEM, 4 * count))
    table = stream.tell()
    stream.write(bytes(4 * count))
    offsets, first = [], stream.tell()
    for frame in frames:
        offsets.append(stream.tell() - first)
        stream.write(struct.pack("<HHL", *_ITEM, len(frame)))
        stream.write(frame)
    stream.write(struct.pack("<HHL", *_END, 0))
    stream.seek(table)
    stream.write(struct.pack(f"<{count}L", *offsets))
