"""Volumes that are the sum of voxels, and so can be counted again wherever a mask is."""

from __future__ import annotations

import numpy as np

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.finding import Mask, Measurement, PackedMask


def is_counted(one: Measurement) -> bool:
    """True for a volume that is the sum of its voxels."""
    known = (one.name.value, one.unit.value, one.method and one.method.value)
    return known == (VOLUME.value, MILLILITER.value, VOXEL_SUMMATION.value) and not one.derivation and not one.missing


def milliliters(region: Mask | PackedMask) -> float:
    """The volume of the voxels of ``region``, ml."""
    return voxels(region) * region.geometry.voxel_volume / 1000


def voxels(region: Mask | PackedMask) -> int:
    """How many voxels ``region`` has; of a packed one no array is made."""
    if isinstance(region, PackedMask):
        return int(np.bitwise_count(region.bits).sum(dtype=np.int64))
    return int(np.count_nonzero(region.to_array()))
