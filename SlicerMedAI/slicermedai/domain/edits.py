"""How far the voxels that a person left are from those of the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.counting import voxels
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import EditDistance
from slicermedai.errors import GeometryError


def packed(region: Mask | PackedMask) -> PackedMask:
    """The same region as bits of its bounding box."""
    if isinstance(region, PackedMask):
        return region
    return PackedMask.from_array(region.to_array(), region.geometry)


def on_grid(region: PackedMask, geometry: Geometry) -> PackedMask:
    """``region`` on ``geometry``, which must be its own grid but for rounding and the name of its frame of reference.

    Raises
    ------
    GeometryError
        It lies on another grid: it was moved, or drawn on another image's voxels.
    """
    far = np.abs(region.geometry.ijk_to_lps - geometry.ijk_to_lps).max()
    if region.geometry.shape != geometry.shape or far > 1e-3 * geometry.spacing.min():
        raise GeometryError(
            "the segment does not lie on the voxels of the analysed image any more",
            attribute="ReferenceImageGeometry",
            advice="Take it out of transforms, and choose the analysed image as source geometry in the Segment Editor.",
        )
    return replace(region, geometry=geometry)


def edit_distance(before: Mask | PackedMask, after: Mask | PackedMask) -> EditDistance:
    """Dice of both regions on one grid, and what ``after`` has more and less, ml; both empty have Dice 1.

    Raises
    ------
    GeometryError
        They lie on different grids.
    """
    first = packed(before)
    second = on_grid(packed(after), first.geometry)
    common = _common(first, second)
    counts = voxels(first), voxels(second)
    milliliters = first.geometry.voxel_volume / 1000
    return EditDistance(
        dice=2 * common / sum(counts) if sum(counts) else 1.0,
        added=(counts[1] - common) * milliliters,
        removed=(counts[0] - common) * milliliters,
    )


def _common(first: PackedMask, second: PackedMask) -> int:
    """Voxels of both, counted in the box that both boxes share."""
    start, stop = np.maximum(first.start, second.start), np.minimum(first.stop, second.stop)
    if (start >= stop).any():
        return 0
    parts = [_part(one, start, stop) for one in (first, second)]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _part(region: PackedMask, start: NDArray[np.int_], stop: NDArray[np.int_]) -> NDArray[np.bool_]:
    size = tuple(int(b - a) for a, b in zip(region.start, region.stop, strict=True))
    box = np.unpackbits(region.bits, count=int(np.prod(size))).reshape(size).astype(bool)
    cut = [slice(a - o, b - o) for a, b, o in zip(start.tolist(), stop.tolist(), region.start, strict=True)]
    return np.asarray(box[tuple(cut)])
