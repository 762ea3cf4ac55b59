"""What an image measures inside a region: Hounsfield units, SUV by body weight, activity, or MR signal without unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import HOUNSFIELD, NO_UNITS, Code
from slicermedai.domain.volume import Volume
from slicermedai.measure import codes

_BLOCK = 1 << 20  # voxels that are taken to double precision at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What voxels measure: its coded name and unit, and what a voxel value is multiplied by to be in that unit."""

    name: Code
    unit: Code
    factor: float = 1.0
    method: Code | None = None


def quantity_of(volume: Volume | None) -> Quantity | None:
    """The quantity of ``volume``, or None where its voxels measure nothing that has a code and a known unit.

    CT counts only in Hounsfield units. PET is SUV by body weight where all conditions for it hold
    (:class:`~slicermedai.domain.volume.SuvScale`), else activity where it is in Bq/ml. MR has no unit.
    """
    if volume is None:
        return None
    if volume.modality == "CT" and volume.unit == HOUNSFIELD:
        return Quantity(name=codes.ATTENUATION, unit=HOUNSFIELD)
    if volume.modality == "MR":
        return Quantity(name=codes.MR_SIGNAL, unit=NO_UNITS)
    return _uptake(volume) if volume.modality == "PT" else None


def _uptake(volume: Volume) -> Quantity | None:
    if volume.suv is not None and volume.suv.factor is not None:
        made = codes.SUV_BODY_WEIGHT, codes.GRAMS_PER_ML_SUV
        return Quantity(name=made[0], unit=made[1], factor=volume.suv.factor, method=codes.SUV_METHOD)
    if volume.unit == codes.BECQUERELS_PER_ML:
        return Quantity(name=codes.ACTIVITY, unit=codes.BECQUERELS_PER_ML)
    return None


def mean(values: NDArray[Any]) -> float:
    """Of (voxels), in double precision."""
    return float(values.mean(dtype=np.float64))


def standard_deviation(values: NDArray[Any]) -> float:
    """Of all voxels as the whole population (divided by N, as IBSI has the variance), in two passes."""
    middle = mean(values)
    blocks = (values[start : start + _BLOCK].astype(np.float64) for start in range(0, len(values), _BLOCK))
    return float(np.sqrt(sum(float(((block - middle) ** 2).sum()) for block in blocks) / len(values)))


def percentile(share: float) -> Callable[[NDArray[Any]], float]:
    """The value below which ``share`` (0 to 100) of the voxels lie, interpolated between neighbours."""
    return lambda values: float(np.percentile(values, share))
