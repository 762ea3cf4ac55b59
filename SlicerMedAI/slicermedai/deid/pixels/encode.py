"""Cleaned frames in a compressed file: the same lossless syntax where there is an encoder for it, else uncompressed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from slicermedai.deid.codestreams import without_remarks
from slicermedai.deid.pixels.frames import Frame
from slicermedai.deid.pixels.kinds import PixelReplacement

_SAME = {
    RLELossless: RLELossless,
    JPEGLSLossless: JPEGLSLossless,
    JPEGLSNearLossless: JPEGLSLossless,
    JPEG2000Lossless: JPEG2000Lossless,
    JPEG2000: JPEG2000Lossless,
}
_AS_STORED = (RLELossless, JPEGLSLossless, JPEGLSNearLossless)
_MAY_STORE_YBR = (JPEG2000Lossless, JPEG2000, JPEGLossless, JPEGLosslessSV1, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
"""Their decoders leave YBR_FULL alone. Those of lossy JPEG may not: it depends on a marker of Adobe."""
_LOSSY_METHODS = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}
_NO_TABLES: dict[str, Any] = {"ExtendedOffsetTable": None, "ExtendedOffsetTableLengths": None}
_ITEM, _END = struct.pack("<HHI", 0xFFFE, 0xE000, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """What decoded frames look like: samples, their colour space, and whether they are to be taken raw."""

    samples: int
    interpretation: str
    raw: bool


def target_syntax(source: UID) -> UID:
    """The transfer syntax in which cleaned frames are written."""
    target = _SAME.get(source)
    if target is None or not get_encoder(target).is_available:
        return ExplicitVRLittleEndian
    return target


def colours_of(dataset: Dataset, source: UID) -> Colours:
    """How frames are decoded for ``target_syntax``: RLE and JPEG-LS as stored, and YBR_FULL where decoders leave it as
    stored; other JPEG and JPEG 2000 as RGB."""
    samples, old = int(dataset.SamplesPerPixel), str(dataset.PhotometricInterpretation)
    if samples == 1:
        return Colours(samples=1, interpretation=old, raw=True)
    if source in _AS_STORED or (old == "YBR_FULL" and source in _MAY_STORE_YBR):
        return Colours(samples=samples, interpretation=old, raw=True)
    again = target_syntax(source) == JPEG2000Lossless and old in ("YBR_RCT", "YBR_ICT")
    return Colours(samples=samples, interpretation="YBR_RCT" if again else "RGB", raw=False)


def replacement(dataset: Dataset, source: UID, frames: Callable[[], Iterator[Frame]], count: int) -> PixelReplacement:
    """The cleaned ``frames`` (as :func:`colours_of` wants them) in the target syntax."""
    target, colours = target_syntax(source), colours_of(dataset, source)
    size = int(dataset.Rows) * int(dataset.Columns) * colours.samples * int(dataset.BitsAllocated) // 8
    native = target == ExplicitVRLittleEndian
    encode = _little_endian if native else _encoder(dataset, target, colours)
    return PixelReplacement(
        vr="OW" if native and int(dataset.BitsAllocated) > 8 else "OB",
        transfer_syntax_uid=str(target),
        length=count * size + count * size % 2 if native else None,
        chunks=lambda: _padded(map(encode, frames())) if native else encapsulated(map(encode, frames())),
        attributes=_attributes(dataset, source, colours, native=native),
    )


def _attributes(dataset: Dataset, source: UID, colours: Colours, *, native: bool) -> dict[str, Any]:
    """What else changes in the header. What was lossy stays so (PS3.3 C.7.6.1.1.5)."""
    changed = dict(_NO_TABLES) if native and _declared(dataset) else lossy_marks(dataset, source)
    if str(dataset.PhotometricInterpretation) != colours.interpretation:
        changed["PhotometricInterpretation"] = colours.interpretation
    if colours.samples > 1:
        changed["PlanarConfiguration"] = 0
    return changed


def lossy_marks(dataset: Dataset, source: UID) -> dict[str, Any]:
    """What changes in the header of frames that were written anew: no offset tables, and what was lossy says so."""
    changed = dict(_NO_TABLES)
    if str(source) in _LOSSY_METHODS:
        changed["LossyImageCompression"] = "01"
        if not dataset.get("LossyImageCompressionMethod"):
            changed["LossyImageCompressionMethod"] = _LOSSY_METHODS[str(source)]
    return changed


def _declared(dataset: Dataset) -> bool:
    return dataset.get("LossyImageCompression") == "01" and bool(dataset.get("LossyImageCompressionMethod"))


def _encoder(dataset: Dataset, target: UID, colours: Colours) -> Callable[[Frame], bytes]:
    encoder = get_encoder(target)
    options: dict[str, Any] = {
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "samples_per_pixel": colours.samples,
        "planar_configuration": 0,
        "number_of_frames": 1,
        "bits_allocated": int(dataset.BitsAllocated),
        "bits_stored": int(dataset.BitsStored),
        "pixel_representation": int(dataset.PixelRepresentation),
        "photometric_interpretation": colours.interpretation,
    }

    def encode(frame: Frame) -> bytes:
        return without_remarks(bytes(encoder.encode(np.ascontiguousarray(frame), **options)))

    return encode


def _little_endian(frame: NDArray[Any]) -> bytes:
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()


def _padded(frames: Iterable[bytes]) -> Iterator[bytes]:
    total = 0
    for frame in frames:
        total += len(frame)
        yield frame
    if total % 2:
        yield b"\0"


def encapsulated(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Pixel data of coded frames: an empty offset table, one fragment for each frame, and the delimiter (PS3.5 A.4)."""
    yield _ITEM
    for frame in frames:
        even = frame + b"\0" * (len(frame) % 2)
        yield struct.pack("<HHI", 0xFFFE, 0xE000, len(even)) + even
    yield _END
