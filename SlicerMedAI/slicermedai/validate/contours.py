"""Closed contours, boxes and balls as voxels of a grid: a voxel belongs to what its centre lies in.

Contours are filled by the even-odd rule, all of one plane together: a contour inside of another is a hole, and one that
reaches its hole by a channel of no width (PS3.3 C.8.8.6.3) is filled as the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import GeometryError

OFF_PLANE = 0.2
"""How far, in slices, a contour may lie off the plane of its slice: other programs round positions."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def filled(polygons: Sequence[FloatArray], grid: Geometry, *, name: str) -> BoolArray:
    """Closed contours, each (N, 3) LPS mm, as (slices, rows, columns) bool on ``grid``; without any the mask is empty.

    The contours lie in the planes of one axis of the grid, whichever that is. ``name`` is that of the structure.

    Raises
    ------
    GeometryError
        They lie in no such planes, or between them, or beyond the image, or on every second plane only.
    """
    mask = np.zeros(grid.shape, dtype=bool)
    if not polygons:
        return mask
    places = [grid.to_index(points) for points in polygons]
    axis = int(np.max([np.ptp(points, axis=0) for points in places], axis=0).argmin())
    planes = _planes([points[:, axis] for points in places], grid.shape[axis], name)
    sliced = np.moveaxis(mask, axis, 0)
    for plane in np.unique(planes):
        own = [np.delete(points, axis, axis=1) for points, at in zip(places, planes, strict=True) if at == plane]
        sliced[plane] = even_odd(own, (sliced.shape[1], sliced.shape[2]))
    return mask


def even_odd(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> BoolArray:
    """(rows, columns) bool: the pixels whose centres an odd number of times lie inside ``polygons``.

    Each polygon is (N, 2) (row, column), pixel centres at whole numbers; its last corner is joined to the first.
    """
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(one, -1, axis=0) for one in polygons])
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first = np.clip(np.ceil(low), 0, shape[0]).astype(int)
    count = np.maximum(np.clip(np.ceil(high), 0, shape[0]).astype(int) - first, 0)  # low <= row < high
    edge = np.repeat(np.arange(len(starts)), count)
    row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    (r0, c0), (r1, c1) = starts[edge].T, ends[edge].T
    column = np.clip(np.ceil(c0 + (row - r0) * (c1 - c0) / (r1 - r0)), 0, shape[1]).astype(int)
    turns = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(turns, (row, column), 1)
    return np.asarray(np.cumsum(turns[:, :-1], axis=1) % 2 == 1)


def box(centre: FloatArray, axes: FloatArray, size: FloatArray, grid: Geometry) -> BoolArray:
    """The voxels of ``grid`` in a box: centre LPS mm, unit vectors of its edges as columns of ``axes``, ``size`` mm."""
    half = size / 2
    reach = np.abs(axes) @ half
    near, points = _near(centre - reach, centre + reach, grid)
    inside = (np.abs((points - centre) @ axes) <= half).all(axis=-1)
    return _placed(np.asarray(inside), near, grid)


def ball(centre: FloatArray, radius: float, grid: Geometry) -> BoolArray:
    """The voxels of ``grid`` nearer than ``radius`` mm to ``centre``, LPS mm."""
    near, points = _near(centre - radius, centre + radius, grid)
    return _placed(((points - centre) ** 2).sum(axis=-1) <= radius**2, near, grid)


def _planes(along: Sequence[FloatArray], count: int, name: str) -> NDArray[np.intp]:
    """The plane of each contour; ``along`` holds its points' indices across the planes."""
    planes = np.array([round(float(values.mean())) for values in along])
    off = max(float(np.abs(values - plane).max()) for values, plane in zip(along, planes, strict=True))
    if off > OFF_PLANE:
        raise _refused(f"the contours of {name!r} do not lie in the planes of the image ({off:.2f} of a slice off)")
    if planes.min() < 0 or planes.max() >= count:
        raise _refused(f"contours of {name!r} lie beyond the image: they were drawn on another one")
    steps = np.diff(np.unique(planes))
    if steps.size and np.median(steps) > 1:
        raise _refused(f"{name!r} is drawn once in {int(np.median(steps))} slices: what lies between is not known")
    return planes


def _refused(message: str) -> GeometryError:
    advice = "Give the image that the contours were drawn on, or the reference as a segmentation."
    return GeometryError(message, attribute="reference", advice=advice)


def _near(low: FloatArray, high: FloatArray, grid: Geometry) -> tuple[tuple[slice, ...], FloatArray]:
    """The part of ``grid`` around a box LPS mm, and its voxels' centres, (a, b, c, 3) LPS mm."""
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    index = grid.to_index(corners)
    first = np.clip(np.floor(index.min(axis=0)), 0, grid.shape).astype(int)
    last = np.clip(np.ceil(index.max(axis=0)) + 1, 0, grid.shape).astype(int)
    near = tuple(slice(int(a), int(max(a, b))) for a, b in zip(first, last, strict=True))
    places = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in near), indexing="ij"), axis=-1)
    return near, grid.to_lps(places.reshape(-1, 3)).reshape(*places.shape)


def _placed(inside: BoolArray, near: tuple[slice, ...], grid: Geometry) -> BoolArray:
    mask = np.zeros(grid.shape, dtype=bool)
    mask[near] = inside
    return mask
