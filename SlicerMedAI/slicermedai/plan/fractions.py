"""Which share of a voxel lies on one side of a plane, so that a cut through voxels counts parts of them.

A voxel is a parallelepiped; an affine map takes it to the unit cube and the plane to a plane, and shares of volume
stay. For the cube the share is known in closed form (Scardovelli and Zaleski, J Comput Phys 2000;164:228-237).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.finding import Box
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.plan import Place

Shares = NDArray[np.float32]
_TINY = 1e-6


def share_beyond(distance: NDArray[Any], steps: FloatArray) -> FloatArray:
    """The share of each voxel beyond a plane, 0 to 1, (N).

    Parameters
    ----------
    distance:
        (N) mm from the plane to the centre of the voxel, positive beyond it.
    steps:
        (N, 3) or (3): how far one (slice, row, column) step of the grid goes along the plane's unit normal, mm.
    """
    sizes = np.sort(np.abs(np.broadcast_to(steps, (len(distance), 3))), axis=1)
    total = sizes.sum(axis=1)
    first, second, third = np.maximum(sizes / total[:, None], _TINY).T
    level = np.clip(0.5 + np.asarray(distance, dtype=np.float64) / total, 0.0, 1.0)
    near = _volume_below(np.minimum(level, 1 - level), first, second, third)
    return np.asarray(np.where(level > 0.5, 1 - near, near))


def _volume_below(a: FloatArray, m1: FloatArray, m2: FloatArray, m3: FloatArray) -> FloatArray:
    """Of the unit cube with m1 x + m2 y + m3 z < a, for m1 <= m2 <= m3 with sum 1 and a <= 1/2."""
    m12 = m1 + m2
    product = 6 * m1 * m2 * m3
    corner = a**3
    edge = a * (a - m1) / (2 * m2 * m3) + m1**2 / (6 * m2 * m3)
    cut = a**2 * (3 * m12 - a) + m1**2 * (m1 - 3 * a) + m2**2 * (m2 - 3 * a)
    last = np.where(
        m3 < m12,
        (a**2 * (3 - 2 * a) + m1**2 * (m1 - 3 * a) + m2**2 * (m2 - 3 * a) + m3**2 * (m3 - 3 * a)) / product,
        (2 * a - m12) / (2 * m3),
    )
    kinds = [a < m1, a < m2, a < np.minimum(m12, m3)]
    return np.asarray(np.clip(np.select(kinds, [corner / product, edge, cut / product], last), 0.0, 0.5))


def beyond_plane(geometry: Geometry, point: Place, normal: Place) -> Shares:
    """(slices, rows, columns): the share of each voxel on the side of the plane that ``normal`` points to, 0 to 1."""
    unit = np.asarray(normal, dtype=np.float64) / np.linalg.norm(normal)
    steps = unit @ geometry.affine[:3, :3]
    start = float(unit @ (geometry.origin - np.asarray(point)))
    slices, rows, columns = (step * np.arange(n) for step, n in zip(steps, geometry.shape, strict=True))
    distance = start + slices[:, None, None] + rows[:, None] + columns
    shares: Shares = (distance > 0).astype(np.float32)
    cut = np.abs(distance) < np.abs(steps).sum() / 2
    shares[cut] = share_beyond(distance[cut], steps)
    return shares


def within_box(geometry: Geometry, box: Box) -> Shares:
    """(slices, rows, columns): the share of each voxel in ``box``, 0 to 1.

    Exact but for voxels that an edge of the box runs through on a grid that is oblique to it.
    """
    shares = np.ones(geometry.shape, dtype=np.float32)
    for point, normal in _faces(box):
        shares *= beyond_plane(geometry, point, normal)
    return shares


def _faces(box: Box) -> list[tuple[Place, Place]]:
    """A point of each face and its normal to the inside."""
    low, high = np.asarray(box.low), np.asarray(box.high)
    axes: FloatArray = np.eye(3)
    if box.geometry is not None and box.start is not None and box.stop is not None:
        low, high = box.geometry.to_lps(box.start), box.geometry.to_lps(box.stop)
        axes = np.asarray(np.linalg.inv(box.geometry.affine[:3, :3]), dtype=np.float64)
    faces = [(low, axis) for axis in axes] + [(high, -axis) for axis in axes]
    return [(_place(point), _place(normal)) for point, normal in faces]


def _place(values: FloatArray) -> Place:
    return float(values[0]), float(values[1]), float(values[2])
