"""A leaning stack (tilted gantry) onto a straight grid: every slice is moved within its own plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.geometry import Geometry


def straighten(array: NDArray[Any], geometry: Geometry, *, background: float) -> tuple[NDArray[Any], Geometry]:
    """Resample a stack that is sheared along its slice axis onto a grid with three right angles.

    Slices stay in their own planes, so that interpolation (linear) is within a slice alone; rows and columns are
    added where slices reach out, filled with ``background``. Integers are rounded and stay integers.

    Parameters
    ----------
    array:
        (slices, rows, columns).
    geometry:
        Its grid: rows at right angles to columns, slices leaning.
    """
    shifts = _shifts(geometry)
    low, high = np.floor(shifts.min(axis=0)), np.ceil(shifts.max(axis=0))
    grow = [(0, int(n)) for n in high - low]
    moved = [
        _move(np.pad(part, grow, constant_values=background), shift - low, background)
        for part, shift in zip(array, shifts, strict=True)
    ]
    return np.stack(moved).astype(array.dtype), _straight_grid(geometry, low, grow)


def _normal(geometry: Geometry) -> NDArray[np.float64]:
    _, rows, columns = geometry.directions.T
    return np.asarray(np.cross(columns, rows), dtype=np.float64)


def _shifts(geometry: Geometry) -> NDArray[np.float64]:
    """N x 2: how far each slice lies aside of the first one's normal, in (rows, columns)."""
    lean = geometry.affine[:3, 0]
    per_slice = (lean @ geometry.directions[:, 1:]) / geometry.spacing[1:]
    return np.asarray(np.arange(geometry.shape[0])[:, None] * per_slice, dtype=np.float64)


def _move(part: NDArray[Any], shift: NDArray[np.float64], background: float) -> NDArray[Any]:
    moved = ndimage.shift(part.astype(np.float32), shift, order=1, mode="constant", cval=background)
    values = np.asarray(moved, dtype=np.float32)
    return np.rint(values) if part.dtype.kind in "iu" else values


def _straight_grid(geometry: Geometry, low: NDArray[np.float64], grow: list[tuple[int, int]]) -> Geometry:
    normal = _normal(geometry)
    affine = np.array(geometry.affine)
    affine[:3, 0] = normal * float(normal @ geometry.affine[:3, 0])
    affine[:3, 3] = geometry.to_lps((0.0, float(low[0]), float(low[1])))
    shape = (geometry.shape[0], geometry.shape[1] + grow[0][1], geometry.shape[2] + grow[1][1])
    return Geometry(shape=shape, affine=affine, frame_of_reference_uid=geometry.frame_of_reference_uid)
