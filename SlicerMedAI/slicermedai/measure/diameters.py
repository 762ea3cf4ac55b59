"""Diameters of a region, with their end points in LPS millimetres.

All points lie on the surface (or the outline in a plane) at half the edge voxels, as in :mod:`measure.surface`: half a
step outside the outermost voxel centres along the axes of the grid. A single voxel is so as long as its longest edge,
and no diameter is off by more than a voxel's diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from slicermedai.domain.geometry import FloatArray, Geometry

_PAIRS = 1 << 20  # distances held at once
_HALF_STEPS = np.vstack([np.eye(3), -np.eye(3)]) / 2
_HALF_STEPS_IN_PLANE = np.vstack([np.eye(2), -np.eye(2)]) / 2
_TOUCHING = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """A straight line between two points, 3 each, LPS mm."""

    start: FloatArray
    end: FloatArray

    @property
    def length(self) -> float:
        """Millimetres."""
        return float(np.linalg.norm(self.end - self.start))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axes:
    """The two lines of a bidirectional measurement; at right angles, in one image plane."""

    long: Segment
    short: Segment


def farthest(mask: NDArray[np.bool_], geometry: Geometry) -> Segment:
    """The longest line between two points of the surface of all pieces (IBSI L0JK, Feret diameter).

    Parameters
    ----------
    mask:
        (slices, rows, columns) bool on ``geometry``, with at least one voxel.
    """
    grown = (_line_ends(mask)[:, None] + _HALF_STEPS).reshape(-1, 3)
    return _farthest_pair(geometry.to_lps(_hull(grown)))


def in_plane(mask: NDArray[np.bool_], geometry: Geometry) -> Axes:
    """The longest line in any image plane, and the longest one across it there at a right angle (RECIST 1.1, WHO).

    Planes are those of the first axis of ``mask`` (slices, rows, columns): the acquired ones. A line lies within the
    convex hull of one connected piece of a plane (pixels that touch by a corner are one piece), so that the gap between
    two lesions is no diameter.
    """
    outline, long = None, None
    bounds = _bounds(mask, geometry)
    for index in np.argsort(-bounds, kind="stable"):
        least = long.length if long else 0.0
        if bounds[index] <= least:
            break
        for pixels in _pieces(mask[index]):
            points = geometry.to_lps(np.insert(_outline(pixels), 0, index, axis=1))
            found = _farthest_pair(points)
            if long is None or found.length > long.length:
                outline, long = points, found
    if outline is None or long is None:
        raise ValueError("a mask without voxels has no diameter")
    return Axes(long=long, short=_across(outline, long))


def _bounds(mask: NDArray[np.bool_], geometry: Geometry) -> FloatArray:
    """For every plane a length in mm that no line in it exceeds: a diagonal of its bounding box, or -1 if empty."""
    rows, columns = _extent(np.any(mask, axis=2)), _extent(np.any(mask, axis=1))
    down, along = geometry.affine[:3, 1], geometry.affine[:3, 2]
    diagonals = [np.linalg.norm(np.outer(rows, down) + sign * np.outer(columns, along), axis=1) for sign in (1, -1)]
    return np.where(rows > 0, np.maximum(*diagonals), -1.0)


def _extent(hit: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(planes): from the first to the last True of each line of (planes, positions), both counted; 0 where none is."""
    size = hit.shape[1] - hit.argmax(axis=1) - hit[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(hit.any(axis=1), size, 0))


def _pieces(plane: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """The connected pieces of ``plane`` (rows, columns), each as the (row, column) of its pixels at ends of rows."""
    labels, count = ndimage.label(plane, structure=_TOUCHING)
    for value, place in enumerate(ndimage.find_objects(labels, max_label=count), 1):
        corner = [part.start for part in place]
        yield _line_ends(labels[place] == value) + corner


def _line_ends(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(N, dimensions): the first and the last True on every line along the last axis that has one."""
    lines = np.argwhere(mask.any(axis=-1))
    chosen = mask[tuple(lines.T)]
    first = chosen.argmax(axis=1)
    last = chosen.shape[1] - 1 - chosen[:, ::-1].argmax(axis=1)
    return np.vstack([np.column_stack([lines, first]), np.column_stack([lines, last])])


def _outline(pixels: NDArray[np.intp]) -> FloatArray:
    """(N, 2): the corners of the convex hull around (row, column) ``pixels``, half a step outside them."""
    return _hull((pixels[:, None] + _HALF_STEPS_IN_PLANE).reshape(-1, 2))


def _hull(points: FloatArray) -> FloatArray:
    """The corners of the convex hull (Qhull: Barber et al., ACM TOMS 22:469, 1996)."""
    return np.asarray(points[ConvexHull(points).vertices])


def _farthest_pair(points: FloatArray) -> Segment:
    """The two of ``points`` (N, 3), LPS mm, that lie farthest apart.

    A point nearer to the middle than the best pair known, less the largest radius, cannot be one of them.
    """
    first = points[np.linalg.norm(points - points[0], axis=1).argmax()]
    least = float(np.linalg.norm(points - first, axis=1).max())
    radii = np.linalg.norm(points - (points.min(axis=0) + points.max(axis=0)) / 2, axis=1)
    points = points[radii >= least - radii.max() - 1e-9]
    best, ends = -1.0, (0, 0)
    step = max(1, _PAIRS // len(points))
    for begin in range(0, len(points), step):
        apart = cdist(points[begin : begin + step], points)
        row, column = divmod(int(apart.argmax()), len(points))
        if apart[row, column] > best:
            best, ends = apart[row, column], (begin + row, column)
    return Segment(start=points[ends[0]], end=points[ends[1]])


def _across(outline: FloatArray, long: Segment) -> Segment:
    """The longest line at a right angle to ``long`` inside the convex ``outline`` (N, 3), LPS mm.

    Both sides of the outline run straight between corners, so it lies at a corner.
    """
    along = (long.end - long.start) / long.length
    reach = (outline - long.start) @ along
    away = outline - long.start - np.outer(reach, along)
    farthest_off = away[np.linalg.norm(away, axis=1).argmax()]
    side = farthest_off / np.linalg.norm(farthest_off)
    offset = away @ side
    sides = [_interpolated(reach, sign * offset, long.length) * sign for sign in (1, -1)]
    best = int((sides[0] - sides[1]).argmax())
    foot = long.start + reach[best] * along
    return Segment(start=foot + sides[1][best] * side, end=foot + sides[0][best] * side)


def _interpolated(reach: FloatArray, offset: FloatArray, length: float) -> FloatArray:
    """At each ``reach``, how far the outline lies off the long axis (0 to ``length``) on the side of ``offset`` > 0."""
    on_side = (offset > 0) & (reach > 0) & (reach < length)
    order = np.argsort(reach[on_side])
    known = np.concatenate([[0.0], reach[on_side][order], [length]])
    return np.asarray(np.interp(reach, known, np.concatenate([[0.0], offset[on_side][order], [0.0]])))
