"""Which bits of a stored sample hold its value (PS3.3 C.7.6.3.1.1, PS3.5 8.1.1), and what contradicts the header.

Bits beyond Bits Stored hold nothing, the sign of the value, or an overlay that says so (PS3.5 8.1.2, retired). Decoders
cut them off, whatever they hold: a header that says too few bits, or bits at another place, changes values in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from slicermedai.dicom.files import integer_of
from slicermedai.errors import UnsupportedImageError

_OVERLAYS = range(0x6000, 0x6020, 2)
_ADVICE = "Export the series again from its archive."


def check_high_bit(dataset: Dataset, file: Path) -> None:
    """Raise where native samples do not end at their first bit, as old writers stored them.

    Raises
    ------
    UnsupportedImageError
    """
    allocated, stored, high = (integer_of(dataset, name) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if None in (allocated, stored, high) or allocated == stored or high == (stored or 0) - 1:
        return
    raise UnsupportedImageError(
        "is not the last of the bits stored, and where a sample's value lies is not certain",
        file=file,
        attribute="HighBit",
        advice=_ADVICE,
    )


def of_stored_bits(array: NDArray[Any], dataset: Dataset, file: Path) -> NDArray[Any]:
    """``array`` (samples as they lie in the file) with the bits beyond Bits Stored cut off, or made the sign.

    Raises
    ------
    UnsupportedImageError
        Those bits hold something, and no overlay is said to lie there.
    """
    size = 8 * array.dtype.itemsize
    unused = size - (integer_of(dataset, "BitsStored") or 0)
    if array.dtype.kind not in "iu" or not 0 < unused < size:
        return array
    cut = np.asarray(np.right_shift(np.left_shift(array, unused), unused))
    if not np.array_equal(cut, array):
        _check_unused(array, cut, dataset, file)
    return cut


def in_stored_bits(value: int, like: NDArray[Any], dataset: Dataset) -> int:
    """What is left of ``value`` in the bits that are stored, as samples of the integers ``like`` have it."""
    bits = integer_of(dataset, "BitsStored") or 0
    if not 0 < bits < 8 * like.dtype.itemsize:
        return value
    left = value & ((1 << bits) - 1)
    return left - (1 << bits) if like.dtype.kind == "i" and left >> (bits - 1) else left


def fits(value: int, dataset: Dataset) -> bool:
    """True where the bits that are stored can hold ``value``, whatever the sign that it is written with."""
    bits = integer_of(dataset, "BitsStored") or 0
    negative = value - 0x10000 if value > 0x7FFF else value
    signed = -(1 << bits - 1) <= negative < 1 << bits - 1
    return not bits or (signed if integer_of(dataset, "PixelRepresentation") else 0 <= value % 0x10000 < 1 << bits)


def _check_unused(array: NDArray[Any], cut: NDArray[Any], dataset: Dataset, file: Path) -> None:
    """Beside an overlay each sample is its value, or its value without the sign."""
    kind = np.dtype(f"u{array.dtype.itemsize}")
    stored = integer_of(dataset, "BitsStored") or 0
    beside = kind.type(~sum(1 << bit for bit in _overlay_bits(dataset)) & int(np.iinfo(kind).max))
    seen, signed = array.astype(kind) & beside, cut.astype(kind) & beside
    plain = signed & kind.type((1 << stored) - 1)
    if ((seen != signed) & (seen != plain)).any():
        raise UnsupportedImageError(
            "says fewer bits than the samples fill: their values are not certain",
            file=file,
            attribute="BitsStored",
            advice=_ADVICE,
        )


def _overlay_bits(dataset: Dataset) -> Iterator[int]:
    """The bits in which an overlay is said to lie: those of a group 60xx without data of its own."""
    for group in _OVERLAYS:
        position = dataset.get((group, 0x0102))
        if position is not None and (group, 0x3000) not in dataset:
            yield int(position.value or 0)
