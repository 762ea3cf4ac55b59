"""Volumes that are the sum of voxels, and so can be counted again wherever a mask is; and whether an image cuts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slicermedai.domain.codes import MILLILITER, VOLUME, VOXEL_SUMMATION
from slicermedai.domain.finding import Finding, Mask, Measurement, PackedMask, Region
from slicermedai.domain.geometry import Geometry

_INDEX_TOLERANCE = 1e-3


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


def leaves_field(region: Region | None, field: Geometry) -> bool:
    """True for a mask with voxels outermost on, or beyond, the grid ``field``, on which the image was acquired.

    Where a leaning stack was made straight, its slices end within the image, and what is beyond them was filled. Rows
    and columns of ``field`` run along those of the mask's grid; a slice is looked at as a whole, by what it spans.
    """
    if not isinstance(region, (Mask, PackedMask)):
        return False
    last = np.array(field.shape) - 1
    for index in range(region.geometry.shape[0]):
        plane = region.plane(index)
        if plane.any():
            rows, columns = (np.flatnonzero(plane.any(axis=axis))[[0, -1]] for axis in (1, 0))
            ends = [(index, row, column) for row in rows for column in columns]
            place = field.to_index(region.geometry.to_lps(ends))
            if ((place < 1 - _INDEX_TOLERANCE) | (place > last - 1 + _INDEX_TOLERANCE)).any():
                return True
    return False


def edge_warning(name: str) -> str:
    """What a run warns of where the edge of the image cuts the structure ``name``."""
    return f"{name} reaches the edge of the image: what lies beyond is not in its volume"


def is_cut(one: Finding, warnings: Sequence[str]) -> bool:
    """True where the edge of the image cuts ``one``: by its voxels, or by the ``warnings`` of the run it is of."""
    return reaches_edge(one.region) or edge_warning(one.label.name) in warnings
