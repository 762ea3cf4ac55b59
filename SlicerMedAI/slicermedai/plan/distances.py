"""The shortest way from one structure to another, with both ends in LPS millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.plan import Place
from slicermedai.errors import GeometryError, InputError
from slicermedai.plan.border import Window, around, border_points, window_of

ACCURACY = "sub-voxel: borders are interpolated between voxel centres; within one voxel on phantoms of known distance"
_NEAR_ENOUGH = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """``mm`` from ``start`` on one border to ``end`` on the other, LPS mm; 0 where they overlap or touch."""

    mm: float
    start: Place
    end: Place
    overlap_ml: float = 0.0


def shortest(one: NDArray[np.bool_], other: NDArray[np.bool_], geometry: Geometry) -> Distance:
    """Between two masks (slices, rows, columns) on ``geometry``; 0 with the overlap in ml where they overlap.

    Raises
    ------
    GeometryError
        A mask has another shape than the grid.
    InputError
        A mask is empty.
    """
    _check(one, other, geometry)
    window = window_of(one)
    common = one[window.slices] & other[window.slices]
    if common.any():
        places = geometry.to_lps(np.argwhere(common) + window.start)
        middle = _place(places[np.linalg.norm(places - places.mean(axis=0), axis=1).argmin()])
        return Distance(mm=0.0, start=middle, end=middle, overlap_ml=len(places) * geometry.voxel_volume / 1000)
    return _between(one, other, geometry)


def to_border(inner: NDArray[np.bool_], organ: NDArray[np.bool_], geometry: Geometry) -> Distance:
    """From the border of ``inner`` to that of ``organ`` around it; 0 where it reaches the border.

    ``organ`` counts as holding ``inner``. Raises as :func:`shortest` does.
    """
    _check(inner, organ, geometry)
    return _between(inner, organ | inner, geometry)


def _check(one: NDArray[np.bool_], other: NDArray[np.bool_], geometry: Geometry) -> None:
    if not one.shape == other.shape == geometry.shape:
        raise GeometryError("masks and geometry differ in shape", attribute="shape")
    if not (one.any() and other.any()):
        raise InputError(
            "a structure without voxels has no distance", attribute="structures", advice="Draw it, or leave it out."
        )


def _between(one: NDArray[np.bool_], other: NDArray[np.bool_], geometry: Geometry) -> Distance:
    """From border to border: near voxels first, then the borders there as fine as they can be known."""
    mine, theirs = _edge(one), _edge(other)
    apart, partner = cKDTree(geometry.to_lps(theirs)).query(geometry.to_lps(mine))
    near = apart <= apart.min() + 2 * _diagonal(geometry)
    windows = _window(mine[near], geometry), _window(theirs[partner[near]], geometry)
    if any(_is_large(window, geometry) for window in windows):
        best = int(apart.argmin())
        windows = _window(mine[[best]], geometry), _window(theirs[[partner[best]]], geometry)
    first, second = border_points(one, geometry, windows[0]), border_points(other, geometry, windows[1])
    found, place = cKDTree(second).query(first, distance_upper_bound=apart.min() + 2 * _diagonal(geometry))
    start = int(found.argmin())
    return Distance(mm=float(found[start]), start=_place(first[start]), end=_place(second[place[start]]))


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(N, 3) indices of the voxels that have a face in common with what is outside; so is all beyond the grid."""
    window = window_of(mask)
    box = mask[window.slices]
    return np.argwhere(box & ~ndimage.binary_erosion(box)) + window.start


def _window(indices: NDArray[np.intp], geometry: Geometry) -> Window:
    """What holds ``indices`` and two voxel diagonals around them."""
    reach = np.ceil(2 * _diagonal(geometry) / geometry.spacing).astype(int)
    return around(indices).grown((int(reach[0]), int(reach[1]), int(reach[2])))


def _is_large(window: Window, geometry: Geometry) -> bool:
    """True where the border in it could not be known finely."""
    cells = np.prod(window.shape) * geometry.voxel_volume / (geometry.spacing.min() / 2) ** 3
    return bool(cells > _NEAR_ENOUGH)


def _diagonal(geometry: Geometry) -> float:
    return float(np.linalg.norm(geometry.spacing))


def _place(values: FloatArray) -> Place:
    return float(values[0]), float(values[1]), float(values[2])
