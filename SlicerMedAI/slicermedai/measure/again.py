"""The numbers of a finding measured once more, of the voxels that a person left, by the methods of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from slicermedai.domain.decisions import NOT_AGAIN, is_same_number
from slicermedai.domain.finding import Mask, Measurement, PackedMask
from slicermedai.domain.volume import Volume
from slicermedai.measure import codes
from slicermedai.measure.methods import METHODS, measure

_OF_THE_IMAGE = frozenset({codes.ATTENUATION, codes.MR_SIGNAL, codes.ACTIVITY, codes.SUV_BODY_WEIGHT})


def measured_again(
    columns: Sequence[Measurement], region: Mask | PackedMask, *, volume: Volume | None = None, why: str = ""
) -> tuple[Measurement, ...]:
    """``columns`` measured of ``region``, in their order; what cannot be measured again says so.

    Sizes need the voxels alone, intensities ``volume``: the image that was analysed. Where there is none, ``why`` says
    for what reason. A number is taken for another only where name, derivation, method and unit are equal.

    Raises
    ------
    GeometryError
        ``region`` and ``volume`` lie on different grids.
    """
    found = measure(region, volume=volume, wanted=list(METHODS))
    return tuple(_column(one, found, why if one.name in _OF_THE_IMAGE else "") for one in columns)


def _column(column: Measurement, found: Sequence[Measurement], why: str) -> Measurement:
    again = next((one for one in found if is_same_number(column, one)), None)
    if again is not None:
        return again
    missing = ": ".join(filter(None, [NOT_AGAIN, why]))
    return replace(column, value=math.nan, interval=None, points=(), missing=missing)
