"""The frames of compressed multi-frame objects, back as voxels.

Segmentations of one bit a voxel may be compressed frame by frame (PS3.5 8.2.2, 8.2.4, 8.2.16): in RLE Lossless a voxel
is a byte, or eight of them are; deflated frames are packed. All else is left to pydicom and its decoders.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from slicermedai.dicom.files import READ_ERRORS
from slicermedai.errors import FormatError
from slicermedai.export import rle

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
"""Deflated Image Frame Compression (PS3.5 A.4.13)."""
_NATIVE = ("", ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def is_compressed(dataset: Dataset) -> bool:
    """True where each frame of ``dataset`` is compressed by itself."""
    return _syntax(dataset) not in _NATIVE


def decoded(dataset: Dataset) -> NDArray[np.unsignedinteger]:
    """(frames, rows, columns) of the stored values, 0 and 1 where a voxel is one bit.

    Raises
    ------
    FormatError
        The frames are damaged, or nothing decodes their transfer syntax, which is named.
    """
    shape = (int(dataset.NumberOfFrames), int(dataset.Rows), int(dataset.Columns))
    bits = int(dataset.BitsAllocated)
    unpack = _UNPACKED.get((_syntax(dataset), bits == 1))
    try:
        if unpack is None:
            whole: NDArray[np.unsignedinteger] = dataset.pixel_array.reshape(shape)
            return whole
        frames = islice(generate_frames(dataset.PixelData, number_of_frames=shape[0]), shape[0])
        return np.array([unpack(frame, math.prod(shape[1:]), bits) for frame in frames]).reshape(shape)
    except READ_ERRORS as error:
        raise FormatError(
            f"cannot be decoded ({UID(_syntax(dataset)).name or 'no transfer syntax'})",
            file=dataset.filename,
            attribute="PixelData",
            advice="Copy the file again, or store it uncompressed (Explicit VR Little Endian).",
        ) from error


def _syntax(dataset: Dataset) -> str:
    return str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID") or "")


def _from_rle(frame: bytes, voxels: int, bits: int) -> NDArray[np.uint8]:
    content = np.frombuffer(rle.decode_frame(frame, most=voxels), np.uint8)
    return np.minimum(content, 1) if content.size == voxels else _bits(content, voxels)


def _inflated(frame: bytes, voxels: int, bits: int) -> NDArray[np.unsignedinteger]:
    content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, -(-voxels * bits // 8))
    if bits == 1:
        return _bits(np.frombuffer(content, np.uint8), voxels)
    values: NDArray[np.unsignedinteger] = np.frombuffer(content, f"<u{bits // 8}")
    return values


def _bits(packed: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    if packed.size * 8 < count:
        raise ValueError("the frame is too short")
    return np.unpackbits(packed, count=count, bitorder="little")


_UNPACKED: dict[tuple[str, bool], Callable[[bytes, int, int], NDArray[np.unsignedinteger]]] = {
    (str(RLELossless), True): _from_rle,
    (DEFLATED_FRAMES, True): _inflated,
    (DEFLATED_FRAMES, False): _inflated,
}
"""By transfer syntax, and whether a voxel is one bit: a frame, its voxels and their bits -> their values."""
