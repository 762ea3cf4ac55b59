"""Stored pixels to real-world values: any transfer syntax, sign, rescale per slice, padding (PS3.3 C.7.6.3, C.11.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.config import IGNORE
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, RLELossless

from slicermedai.dicom.bits import check_high_bit, fits, in_stored_bits, of_stored_bits
from slicermedai.dicom.files import READ_ERRORS, quiet, read_dataset
from slicermedai.dicom.planes import Plane, frame_value
from slicermedai.dicom.scale import check_one_scale
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import UnreadableFileError, UnsupportedImageError

AIR_HU = -1000
_AIR_AT_MOST = -950
"""HU: padding up to here is air to any model, wherever it lies."""

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_INTEGERS = (np.int16, np.uint16, np.int32, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """(slices, rows, columns) in real-world values, the pixel-free datasets of the files, in how many slices padding
    was replaced, and in how many a padding value was left as it is within the image.

    ``datasets`` are in the order in which the slices first touch them.
    """

    array: NDArray[Any]
    datasets: dict[Path, Dataset]
    padded: int
    enclosed: int = 0


def read_pixels(planes: Sequence[Plane], *, progress: Progress = silent) -> Pixels:
    """Decode ``planes`` in their order.

    Slopes of 1 with whole intercepts keep integers (int16 where the values fit, else uint16 or int32); anything
    else becomes float32. Padding (Pixel Padding Value and Range Limit) becomes -1000 HU in CT and 0 elsewhere; where it
    is brighter than that, and so could be tissue, only as far as it reaches in from the edge of its slice.

    Raises
    ------
    UnreadableFileError
        Truncated or damaged pixel data, or a codec that is not installed (its plug-in is named).
    UnsupportedImageError
        NaN voxels, a Modality LUT, a slope of zero or below, slices on two scales, bits that contradict the header.
    """
    datasets: dict[Path, Dataset] = {}
    frames: dict[Path, NDArray[Any]] = {}
    left = {path: sum(plane.file == path for plane in planes) for path in {plane.file for plane in planes}}
    slices, padded, enclosed = [], 0, 0
    for index, plane in enumerate(planes):
        progress("read", index / len(planes))
        if plane.file not in datasets:
            dataset = read_dataset(plane.file, pixels=True)
            frames[plane.file] = _decode(dataset, plane)
            datasets[plane.file] = without_pixels(dataset)
        stored = frames[plane.file][plane.frame]
        one = _scaled(stored, datasets[plane.file], plane)
        slices.append(one.values)
        padded += one.padded
        enclosed += one.enclosed
        left[plane.file] -= 1
        if not left[plane.file]:
            del frames[plane.file]
    check_one_scale(planes, datasets)
    progress("read", 1.0)
    return Pixels(array=_assembled(slices), datasets=datasets, padded=padded, enclosed=enclosed)


def without_pixels(dataset: Dataset) -> Dataset:
    """``dataset`` itself, its pixel data (and icon) taken out."""
    for keyword in (*_PIXELS, "IconImageSequence"):
        dataset.pop(keyword, None)
    return dataset


def background_of(modality: str) -> int:
    """The value of nothing: air (-1000 HU) in CT, no signal (0) elsewhere."""
    return AIR_HU if modality == "CT" else 0


def _decode(dataset: Dataset, plane: Plane) -> NDArray[Any]:
    """(frames, rows, columns) as stored."""
    if not any(keyword in dataset for keyword in _PIXELS):
        raise UnreadableFileError(
            "cut off, or without pixel data", file=plane.file, attribute="PixelData", advice="Copy the file again."
        )
    if "ModalityLUTSequence" in dataset:
        raise UnsupportedImageError(
            "values go through a look-up table, which no volume model expects",
            file=plane.file,
            attribute="ModalityLUTSequence",
        )
    array = stored_pixels(dataset, plane.file)
    if array.size != plane.frames * plane.size[0] * plane.size[1]:
        raise UnreadableFileError(
            "fewer pixels than the header says",
            file=plane.file,
            attribute="PixelData",
            advice="Copy the file again.",
        )
    return array.reshape(plane.frames, *plane.size)


def stored_pixels(dataset: Dataset, file: Path) -> NDArray[Any]:
    """All samples of ``dataset`` as pydicom decodes them: YBR as RGB, colours last; frames first where there are more.

    Raises
    ------
    UnreadableFileError
        Damaged pixel data, or a codec that is not installed (its plug-in is named).
    UnsupportedImageError
        Bits that contradict the header (:mod:`slicermedai.dicom.bits`).
    """
    syntax = _check_codec(dataset, file)
    if not syntax.is_encapsulated or syntax == RLELossless:
        check_high_bit(dataset, file)
    try:
        with quiet():
            dataset.pixel_array_options(correct_unused_bits=False)
            array = np.asarray(dataset.pixel_array)
    except READ_ERRORS as error:
        raise UnreadableFileError(
            f"the pixels cannot be decoded ({type(error).__name__})",
            file=file,
            attribute="PixelData",
            advice="The file may be truncated or damaged: copy it again.",
        ) from error
    return of_stored_bits(array, dataset, file)


def _check_codec(dataset: Dataset, file: Path) -> UID:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID") or "unknown"), IGNORE)
    try:
        with quiet():
            decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise UnreadableFileError(
            f"pixels in transfer syntax {syntax.name} cannot be decoded",
            file=file,
            attribute="TransferSyntaxUID",
            advice="Export the series uncompressed.",
        ) from error
    if not decoder.is_available:
        needed = " or ".join(decoder.missing_dependencies) or "a pydicom plug-in"
        raise UnreadableFileError(
            f"no decoder for {syntax.name} is installed",
            file=file,
            attribute="TransferSyntaxUID",
            advice=f"Install one of: {needed}.",
        )
    return syntax


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """Real-world values of one slice; whether padding was replaced, and whether some was left within the image."""

    values: NDArray[Any]
    padded: bool = False
    enclosed: bool = False


def _scaled(stored: NDArray[Any], dataset: Dataset, plane: Plane) -> _Slice:
    try:
        with quiet():
            return _real_world(stored, dataset, plane)
    except READ_ERRORS as error:
        raise UnreadableFileError(
            f"no usable number ({type(error).__name__})",
            file=plane.file,
            attribute="RescaleSlope, RescaleIntercept, PixelPaddingValue",
        ) from error


def _real_world(stored: NDArray[Any], dataset: Dataset, plane: Plane) -> _Slice:
    slope = _number(dataset, plane, "RescaleSlope", 1.0)
    intercept = _number(dataset, plane, "RescaleIntercept", 0.0)
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        raise UnsupportedImageError(
            "the image holds NaN or infinite voxels",
            file=plane.file,
            attribute="FloatPixelData" if stored.dtype.itemsize == 4 else "DoubleFloatPixelData",
            advice="Replace them (for instance by the background value) and run again.",
        )
    if stored.dtype.kind in "iu" and slope == 1.0 and intercept == round(intercept):
        values: NDArray[Any] = _narrow(stored.astype(np.int64) + int(intercept))
    else:
        values = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    padding = padding_of(stored, dataset)
    background = background_of(str(dataset.get("Modality") or ""))
    if padding is None or not (padding & (values != background)).any():
        return _Slice(values)
    outside = _outside(padding, values, background)
    enclosed = bool((padding & ~outside).any())
    if not outside.any():
        return _Slice(values, enclosed=enclosed and fits(int(dataset.PixelPaddingValue), dataset))
    return _Slice(_narrowed_where(outside, background, values), padded=True, enclosed=enclosed)


def _outside(padding: NDArray[np.bool_], values: NDArray[Any], background: int) -> NDArray[np.bool_]:
    """The padding that no tissue can be: what is darker than anything, and else what reaches the edge of the slice.

    Padding makes a round field rectangular (C.7.5.1.1.2). Headers that name a value of tissue would else cut it out.
    """
    if values[padding].max() <= (_AIR_AT_MOST if background == AIR_HU else background):
        return padding
    from scipy import ndimage

    pieces, _ = ndimage.label(padding)
    edges = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    return np.asarray(np.isin(pieces, edges[edges > 0]))


def _narrowed_where(padding: NDArray[np.bool_], background: int, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "f":
        return np.where(padding, np.float32(background), values)
    return _narrow(np.where(padding, background, values.astype(np.int64)))


def _number(dataset: Dataset, plane: Plane, keyword: str, default: float) -> float:
    value = frame_value(dataset, plane.frame, keyword)
    if value is None or value == "":
        return default
    number = float(value)
    if not np.isfinite(number) or (keyword == "RescaleSlope" and number == 0):
        raise UnsupportedImageError("no usable number", file=plane.file, attribute=keyword)
    if keyword == "RescaleSlope" and number < 0:
        raise UnsupportedImageError(
            "is negative, and whether the image is stored inverted or its header is wrong is not certain",
            file=plane.file,
            attribute=keyword,
            advice="Export the series again with a positive slope.",
        )
    return number


def padding_of(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_] | None:
    """Where ``stored`` holds Pixel Padding Value, or its range (PS3.3 C.7.5.1.1.2); None where none is stated."""
    value, limit = _padded(stored, dataset, "PixelPaddingValue"), _padded(stored, dataset, "PixelPaddingRangeLimit")
    if value is None:
        return None
    other = value if limit is None else limit
    return np.asarray((stored >= min(value, other)) & (stored <= max(value, other)))


def _padded(stored: NDArray[Any], dataset: Dataset, keyword: str) -> float | None:
    """The value in the pixels' own sign: many writers put a negative one down as US, or the other way round
    (PS3.3 C.7.5.1.1.2: 16 bits whose sign is that of Pixel Representation).

    One that needs more than the bits stored is what is left of it in them, as of the pixels that held it.
    """
    value = dataset.get(keyword)
    if not isinstance(value, (int, float)):
        return None
    if stored.dtype.kind == "i" and value > 0x7FFF and value <= 0xFFFF:
        value -= 0x10000
    elif stored.dtype.kind == "u" and value < 0:
        value += 0x10000
    return value if stored.dtype.kind == "f" else in_stored_bits(int(value), stored, dataset)


def _assembled(slices: list[NDArray[Any]]) -> NDArray[Any]:
    """One array of one type: float32 where any slice is, else the first integer type that holds all."""
    if any(part.dtype.kind == "f" for part in slices):
        return np.stack(slices).astype(np.float32, copy=False)
    return _narrow(np.stack(slices))


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    low, high = int(values.min()), int(values.max())
    fits = (kind for kind in _INTEGERS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return values.astype(next(fits), copy=False)
