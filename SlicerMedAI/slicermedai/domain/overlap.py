"""How much of one finding lies where another does, each on its own grid, in one frame of reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.finding import Box, Mask, PackedMask, Region
from slicermedai.domain.geometry import FloatArray

_MOST = 20_000
"""Voxels of a region that are asked where they lie: of a larger one every second, third ..., in order."""
_COARSE = 4
_STEPS = 16
"""Places along each edge of a box."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extent:
    """Places in a region (N x 3, LPS mm), and which places lie in it."""

    places: FloatArray
    holds: Callable[[FloatArray], NDArray[np.bool_]]


def extent_of(region: Region | None) -> Extent | None:
    """The extent of a mask or box; None for what has none: points, findings of a whole image, empty masks."""
    if isinstance(region, Mask):
        region = PackedMask.from_array(region.to_array(), region.geometry)
    if isinstance(region, PackedMask):
        return _of_mask(region)
    return _of_box(region) if isinstance(region, Box) else None


def overlap(one: Extent, other: Extent) -> float:
    """From 0 to 1: the share of the smaller that lies in the larger, so that what grew is still itself."""
    return max(float(other.holds(one.places).mean()), float(one.holds(other.places).mean()))


def lie_apart(one: Region | None, other: Region | None) -> bool:
    """True where both have an extent, and share no place; what meets in few of its voxels is known at once."""
    if isinstance(one, Mask) and isinstance(other, Mask) and _meet(one, other):
        return False
    here, there = extent_of(one), extent_of(other)
    return here is not None and there is not None and not overlap(here, there)


def _meet(one: Mask, other: Mask) -> bool:
    """True where every fourth voxel of ``one``, along each axis, shows it; no mask is made of the label maps."""
    coarse = np.argwhere(one.label_map.array[::_COARSE, ::_COARSE, ::_COARSE] == one.value) * _COARSE
    index = np.rint(other.geometry.to_index(one.geometry.to_lps(coarse))).astype(int)
    inside = index[((index >= 0) & (index < other.geometry.shape)).all(axis=1)]
    return bool((other.label_map.array[tuple(inside.T)] == other.value).any())


def _of_mask(mask: PackedMask) -> Extent | None:
    start, size = np.array(mask.start), np.subtract(mask.stop, mask.start)
    box = np.unpackbits(mask.bits, count=int(np.prod(size))).reshape(size).astype(bool)
    voxels = np.argwhere(box)
    if not len(voxels):
        return None

    def holds(places: FloatArray) -> NDArray[np.bool_]:
        index = np.rint(mask.geometry.to_index(places)).astype(int) - start
        inside = np.asarray(((index >= 0) & (index < size)).all(axis=1))
        inside[inside] = box[tuple(index[inside].T)]
        return inside

    few = voxels[:: -(-len(voxels) // _MOST)]
    return Extent(places=mask.geometry.to_lps(few + start), holds=holds)


def _of_box(box: Box) -> Extent:
    middle, edges, axes = box.frame
    steps = (np.arange(_STEPS) + 0.5) / _STEPS - 0.5
    away = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3) * edges

    def holds(places: FloatArray) -> NDArray[np.bool_]:
        return np.asarray((np.abs((places - middle) @ axes) <= edges / 2).all(axis=1))

    return Extent(places=middle + away @ axes.T, holds=holds)
