"""Closed contours, boxes and balls as voxels of a grid: a voxel belongs to what its centre lies in.

A contour inside of another is a hole, and one that reaches its hole by a channel of no width (PS3.3 C.8.8.6.3) is
filled as the same. The contours of one region belong together: they are filled by the even-odd rule, where one that is
drawn twice counts once. Curves that were drawn one by one belong together only where one lies in another.

What was drawn and marks no voxel of the image was drawn on another one, or is too small for it: it is refused, for
"nothing there" would be an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import GeometryError

OFF_PLANE = 0.2
"""How far, in slices, a contour may lie off the plane of its slice: other programs round positions."""

_ONE_PLANE = 0.05
"""How far apart, in slices, contours of one plane may lie: farther ones are of several planes of another image."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_BEYOND = "contours of {name!r} lie beyond the image: they were drawn on another one"
Joined = Callable[[Sequence[FloatArray], tuple[int, int]], BoolArray]
"""What makes (rows, columns) bool of the contours of one plane, each (N, 2) (row, column)."""


def of_one_region(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> BoolArray:
    """By the even-odd rule; a contour whose corners are those of another is the same one again."""
    corners = {np.unique(one.round(3), axis=0).tobytes(): one for one in polygons}
    return even_odd(list(corners.values()), shape)


def one_by_one(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> BoolArray:
    """A curve within another is a hole in it, and one in the hole an island; curves that overlap are added."""
    drawn = sorted((even_odd([one], shape) for one in polygons), key=np.count_nonzero)
    within = np.array([[_lies_in(inner, outer) for outer in drawn] for inner in drawn])
    next_within = within & ~(within.astype(int) @ within.astype(int) > 0)
    left: list[BoolArray] = []
    for number, outer in enumerate(drawn):  # the smallest first: what lies within is known
        holes = [left[n] for n in np.flatnonzero(next_within[:, number])]
        left.append(outer & ~np.any(holes, axis=0) if holes else outer)
    outermost = [mask for mask, outer in zip(left, within, strict=True) if not outer.any()]
    return np.asarray(np.any(outermost, axis=0))


def filled(polygons: Sequence[FloatArray], grid: Geometry, *, name: str, joined: Joined = of_one_region) -> BoolArray:
    """Closed contours, each (N, 3) LPS mm, as (slices, rows, columns) bool on ``grid``; without any the mask is empty.

    The contours lie in the planes of one axis of the grid, whichever that is. ``name`` is that of the structure;
    ``joined`` says how those of one plane belong together, :func:`of_one_region` or :func:`one_by_one`.

    Raises
    ------
    GeometryError
        They lie in no such planes, or between them, or at several places of one, or on every second plane only, or one
        lies beyond the image, or all together mark no voxel.
    """
    mask = np.zeros(grid.shape, dtype=bool)
    if not polygons:
        return mask
    axis, planes, flat = _laid(polygons, grid, name)
    sliced = np.moveaxis(mask, axis, 0)
    shape = (sliced.shape[1], sliced.shape[2])
    if any(_is_beyond(points, shape) for points in flat):
        raise _refused(_BEYOND.format(name=name))
    for plane in np.unique(planes):
        sliced[plane] = joined([points for points, at in zip(flat, planes, strict=True) if at == plane], shape)
    return _marked(mask, name)


def voxels_cut(polygons: Sequence[FloatArray], grid: Geometry, *, name: str, joined: Joined = of_one_region) -> int:
    """How many voxels of the slices of ``grid``, were these larger, contours that :func:`filled` takes mark beyond
    them, up to an image's width away."""
    if not polygons:
        return 0
    axis, planes, flat = _laid(polygons, grid, name)
    shape = np.delete(np.array(grid.shape), axis)
    count = 0
    for plane in np.unique(planes):
        own = [points for points, at in zip(flat, planes, strict=True) if at == plane]
        ends = np.concatenate(own)
        first = np.clip(np.floor(ends.min(axis=0)).astype(int), -shape, 0)
        last = np.clip(np.ceil(ends.max(axis=0)).astype(int) + 1, shape, 2 * shape)
        if first.any() or (last > shape).any():
            wide = joined([points - first for points in own], (int(last[0] - first[0]), int(last[1] - first[1])))
            inside = wide[-first[0] : shape[0] - first[0], -first[1] : shape[1] - first[1]]
            count += int(wide.sum()) - int(inside.sum())
    return count


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


def box(centre: FloatArray, axes: FloatArray, size: FloatArray, grid: Geometry, *, name: str) -> BoolArray:
    """The voxels of ``grid`` in a box: centre LPS mm, unit vectors of its edges as columns of ``axes``, ``size`` mm.

    Raises
    ------
    GeometryError
        There are none; ``name`` is that of the structure.
    """
    half = size / 2
    reach = np.abs(axes) @ half
    near, points = _near(centre - reach, centre + reach, grid)
    inside = (np.abs((points - centre) @ axes) <= half).all(axis=-1)
    return _marked(_placed(np.asarray(inside), near, grid), name)


def ball(centre: FloatArray, radius: float, grid: Geometry, *, name: str) -> BoolArray:
    """The voxels of ``grid`` nearer than ``radius`` mm to ``centre``, LPS mm; errors as :func:`box`."""
    near, points = _near(centre - radius, centre + radius, grid)
    return _marked(_placed(((points - centre) ** 2).sum(axis=-1) <= radius**2, near, grid), name)


def _laid(polygons: Sequence[FloatArray], grid: Geometry, name: str) -> tuple[int, NDArray[np.intp], list[FloatArray]]:
    """The axis across the contours' planes, each one's plane, and its corners within that."""
    places = [grid.to_index(points) for points in polygons]
    axis = int(np.max([np.ptp(points, axis=0) for points in places], axis=0).argmin())
    planes = _planes([points[:, axis] for points in places], grid.shape[axis], name)
    return axis, planes, [np.delete(points, axis, axis=1) for points in places]


def _planes(along: Sequence[FloatArray], count: int, name: str) -> NDArray[np.intp]:
    """The plane of each contour; ``along`` holds its points' indices across the planes."""
    planes = np.array([round(float(values.mean())) for values in along])
    off = max(float(np.abs(values - plane).max()) for values, plane in zip(along, planes, strict=True))
    if off > OFF_PLANE:
        raise _refused(f"the contours of {name!r} do not lie in the planes of the image ({off:.2f} of a slice off)")
    if planes.min() < 0 or planes.max() >= count:
        raise _refused(_BEYOND.format(name=name))
    _refuse_several(np.array([float(values.mean()) for values in along]), planes, name)
    _refuse_sparse(np.diff(np.unique(planes)), name)
    return planes


def _refuse_several(places: FloatArray, planes: NDArray[np.intp], name: str) -> None:
    """Contours at several places along one slice: which of them is that of the slice nobody can say."""
    apart = max(float(np.ptp(places[planes == plane])) for plane in np.unique(planes))
    if apart > _ONE_PLANE:
        raise _refused(f"{name!r} is drawn several times within one slice of the image ({apart:.2f} of a slice apart)")


def _refuse_sparse(steps: NDArray[np.intp], name: str) -> None:
    """Even steps over slices are how a drawing on some slices alone looks; one step is the way to another piece."""
    even = [int(a) for a, b in pairwise(steps) if a == b > 1]
    apart = even or ([int(np.median(steps))] if steps.size and steps.min() > 1 else [])
    if apart:
        raise _refused(f"{name!r} is drawn once in {apart[0]} slices: what lies between is not known")


def _is_beyond(points: FloatArray, shape: tuple[int, int]) -> bool:
    """True for a contour that reaches beyond the rows or columns, and holds no pixel's centre of them."""
    reaches = points.min() < -0.5 or bool((points.max(axis=0) > np.array(shape) - 0.5).any())
    return reaches and not even_odd([points], shape).any()


def _lies_in(inner: BoolArray, outer: BoolArray) -> bool:
    """Wholly, and not the same."""
    return not (inner & ~outer).any() and bool((outer & ~inner).any())


def _marked(mask: BoolArray, name: str) -> BoolArray:
    if not mask.any():
        raise _refused(f"{name!r} was drawn and marks no voxel: it lies beyond the image, or is smaller than a voxel")
    return mask


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
