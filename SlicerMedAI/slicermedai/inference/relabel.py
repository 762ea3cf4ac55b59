"""Labels on other grids: by the nearest voxel, or by a vote of the voxels around where they disagree.

Where all eight voxels around a point have one label, no interpolation can give another: only points near a border are
looked at closely. Memory is the output and a slab of coordinates, whatever the number of labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.inference.resample import axis_order

_SLAB_POINTS = 1 << 20
_EDGE = 0.5 + 1e-6
Array = NDArray[Any]


def relabelled(labels: Array, source: Geometry, target: Geometry, *, smooth: bool) -> Array:
    """``labels`` (uint8 or uint16 on ``source``) on ``target``; 0 outside of the source's outer faces.

    ``smooth`` lets the eight voxels around each point vote with their trilinear weights; the label with the largest
    sum wins, the smaller number in a tie. Without it the nearest voxel's label is taken.
    """
    matrix = np.linalg.inv(source.affine) @ target.affine
    mixed = _mixed_cells(labels) if smooth else None
    order = axis_order(matrix)
    if order is not None:
        return _along_axes(labels, mixed, matrix, order=order, shape=target.shape)
    out = np.zeros(target.shape, dtype=labels.dtype)
    thickness = max(1, _SLAB_POINTS // (target.shape[1] * target.shape[2]))
    steps = [np.arange(n, dtype=np.float64) for n in target.shape]
    for start in range(0, target.shape[0], thickness):
        planes = steps[0][start : start + thickness]
        index = [
            (matrix[a, 0] * planes)[:, None, None]
            + (matrix[a, 1] * steps[1])[:, None]
            + (matrix[a, 2] * steps[2] + matrix[a, 3])
            for a in range(3)
        ]
        out[start : start + thickness] = _slab(labels, mixed, index)
    return out


def _along_axes(
    labels: Array, mixed: Array | None, matrix: Array, *, order: tuple[int, int, int], shape: tuple[int, int, int]
) -> Array:
    """Parallel grids: each axis has its own positions, and no point needs coordinates of its own."""
    turned, close = labels.transpose(order), None if mixed is None else mixed.transpose(order)
    positions, beyond = [], []
    for axis, (source, n) in enumerate(zip(order, shape, strict=True)):
        position = np.round(matrix[source, axis] * np.arange(n) + matrix[source, 3], 9)
        size = turned.shape[axis]
        beyond.append((position < -_EDGE) | (position > size - 1 + _EDGE))
        positions.append(np.clip(position, 0, size - 1))
    out = _taken(turned, [np.rint(p).astype(np.intp) for p in positions])
    if close is not None:
        near_border = _taken(close, [np.floor(p).astype(np.intp) for p in positions])
        for plane in range(shape[0]):
            rows, columns = np.nonzero(near_border[plane])
            points = [np.full(rows.size, positions[0][plane]), positions[1][rows], positions[2][columns]]
            out[plane, rows, columns] = _votes(turned, points)
    for axis, outside in enumerate(beyond):
        np.moveaxis(out, axis, 0)[outside] = 0
    return out


def _taken(values: Array, places: list[NDArray[np.intp]]) -> Array:
    """The values at the crossings of three lists of places, the axis that shrinks most first."""
    for axis in sorted(range(3), key=lambda a: places[a].size / values.shape[a]):
        values = values.take(places[axis], axis=axis)
    return np.ascontiguousarray(values)


def _slab(labels: Array, mixed: Array | None, index: list[Array]) -> Array:
    inside = np.ones(index[0].shape, dtype=bool)
    for position, size in zip(index, labels.shape, strict=True):
        inside &= (position > -_EDGE) & (position < size - 1 + _EDGE)
        np.clip(position, 0, size - 1, out=position)
    near = [np.rint(position).astype(np.intp) for position in index]
    found = np.where(inside, labels[near[0], near[1], near[2]], 0).astype(labels.dtype)
    if mixed is not None:
        low = [np.floor(position).astype(np.intp) for position in index]
        close = inside & mixed[low[0], low[1], low[2]]
        found[close] = _votes(labels, [position[close] for position in index])
    return found


def _votes(labels: Array, points: list[Array]) -> Array:
    """The label with the largest sum of trilinear weights, for (N,) coordinates along each axis."""
    low = [np.floor(p).astype(np.intp) for p in points]
    share = [p - start for p, start in zip(points, low, strict=True)]
    high = [np.minimum(start + 1, n - 1) for start, n in zip(low, labels.shape, strict=True)]
    corners, weights = [], []
    for corner in range(8):
        bits = [(corner >> axis) & 1 for axis in range(3)]
        corners.append(labels[tuple(high[a] if bits[a] else low[a] for a in range(3))])
        weights.append(np.prod([share[a] if bits[a] else 1 - share[a] for a in range(3)], axis=0))
    best, top = corners[0].copy(), np.full(corners[0].shape, -1.0)
    for candidate in corners:
        total = np.sum(
            [np.where(other == candidate, w, 0.0) for other, w in zip(corners, weights, strict=True)], axis=0
        )
        total = np.round(total, 9)
        wins = (total > top) | ((total == top) & (candidate < best))
        best[wins], top[wins] = candidate[wins], total[wins]
    return best


def _mixed_cells(labels: Array) -> NDArray[np.bool_]:
    """True where the cell from a voxel to the next along all three axes has more than one label."""
    low, high = labels, labels
    for axis in range(3):
        shifted = np.minimum(np.arange(labels.shape[axis]) + 1, labels.shape[axis] - 1)
        low = np.minimum(low, low.take(shifted, axis=axis))
        high = np.maximum(high, high.take(shifted, axis=axis))
    return np.asarray(low != high)
