"""Where a finding is looked at: a place inside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.finding import Box, Finding, Mask, PackedMask, Point
from slicermedai.domain.geometry import FloatArray
from slicermedai.errors import InputError


def finding_center(finding: Finding, *, within: tuple[slice, ...] | None = None) -> FloatArray:
    """LPS mm, 3 numbers: a place inside the finding, nearest to the middle of what it covers.

    ``within`` is the part of a label map outside of which it has no voxels, where that is known: the others are not
    looked through.

    Raises
    ------
    InputError
        The finding has no region, or an empty one.
    """
    region = finding.region
    if isinstance(region, Point):
        return np.array(region.position)
    if isinstance(region, Box):
        return np.asarray((np.array(region.low) + np.array(region.high)) / 2, dtype=np.float64)
    if region is None:
        raise InputError("a finding without a region has no centre", attribute="region")
    part, start = _covered(region, within)
    places = np.argwhere(part)
    if not len(places):
        raise InputError("an empty region has no centre", attribute="region")
    nearest = np.square(places - places.mean(axis=0)).sum(axis=1).argmin()
    return np.asarray(region.geometry.to_lps(places[nearest] + start))


def _covered(region: Mask | PackedMask, within: tuple[slice, ...] | None) -> tuple[NDArray[np.bool_], tuple[int, ...]]:
    """A part of the grid that holds all of its voxels, and the index of the first of that part."""
    if isinstance(region, PackedMask):
        return region.slab(0, region.stop[0] - region.start[0]), region.start
    if within is None:
        return region.to_array(), (0, 0, 0)
    return np.asarray(region.label_map.array[within] == region.value), tuple(one.start for one in within)
