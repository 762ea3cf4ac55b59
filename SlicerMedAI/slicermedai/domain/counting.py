"""Volumes that are the sum of voxels, and so can be counted again wherever a mask is; and whether an image cuts it."""

from __future__ import annotations

import numpy as np

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.finding import Mask, Measurement, PackedMask, Region


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


def reaches_edge(region: Region | None) -> bool:
    """True for a mask with voxels in an outermost plane of its grid, along any axis: it may go on beyond."""
    if isinstance(region, PackedMask):
        ends = list(zip(region.start, region.stop, region.geometry.shape, strict=True))
        return all(start < stop for start, stop, _ in ends) and any(not a or b == size for a, b, size in ends)
    if not isinstance(region, Mask):
        return False
    array = region.label_map.array
    return any(bool((array.take(end, axis=axis) == region.value).any()) for axis in range(3) for end in (0, -1))
