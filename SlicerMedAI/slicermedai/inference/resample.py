"""Volumes on other grids, in physical space: the one place where voxels change their grid.

Any affine is allowed on both sides: flipped, permuted, oblique, anisotropic, sheared. Values between voxel centres
are trilinear or nearest; the outer half of the edge voxels counts as inside, everything beyond is ``fill``. Memory is
bounded: the output, the input as float32, and a slab of coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry

_SLAB_POINTS = 1 << 20
_EDGE = 0.5 + 1e-6


def resample(
    array: NDArray[Any],
    source: Geometry,
    target: Geometry,
    *,
    fill: float | None = 0.0,
    nearest: bool | tuple[int, ...] = False,
) -> NDArray[np.float32]:
    """``array`` on ``source`` -> float32 array of ``target.shape``.

    Parameters
    ----------
    array:
        (slices, rows, columns) on ``source``; integers up to 2**24 are exact.
    fill:
        Value outside the source's outer faces; None repeats the edge voxels.
    nearest:
        Nearest voxel instead of trilinear, for labels; or the axes of the source along which the nearest voxel counts,
        the later one in a tie, where the grids are parallel.
    """
    matrix = np.linalg.inv(source.affine) @ target.affine
    values = _tensor(array)
    order = axis_order(matrix)
    if order is None:
        return _by_points(values.float(), matrix, target.shape, fill=fill, nearest=nearest is True)
    near = [np.rint] * 3 if nearest is True else [_upwards if axis in (nearest or ()) else None for axis in order]
    return _by_axes(values.permute(order), matrix[list(order)], target.shape, fill=fill, rounding=near)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """Without a copy where torch can work on the type; the caller never writes to it."""
    plain = array if array.dtype in (np.int16, np.uint8, np.float32) else array.astype(np.float32)
    return torch.from_numpy(np.require(plain, requirements=["C", "W"]))


def axis_order(matrix: NDArray[np.float64]) -> tuple[int, int, int] | None:
    """For each target axis the one source axis along it, or None where the grids stand obliquely."""
    linear = np.abs(matrix[:3, :3])
    order = linear.argmax(axis=0)
    rest = linear.copy()
    rest[order, range(3)] = 0
    if sorted(order) != [0, 1, 2] or rest.max() > 1e-9:
        return None
    return int(order[0]), int(order[1]), int(order[2])


def _by_axes(
    values: torch.Tensor,
    matrix: NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    fill: float | None,
    rounding: Sequence[Callable[[Any], Any] | None],
) -> NDArray[np.float32]:
    """Axis after axis, those that shrink first: parallel grids need no points. ``matrix`` is 3 x 4, diagonal."""
    outside = []
    positions = [np.round(matrix[a, a] * np.arange(shape[a]) + matrix[a, 3], 9) for a in range(3)]
    for axis in sorted(range(3), key=lambda a: shape[a] / values.shape[a]):
        size = values.shape[axis]
        outside.append((axis, np.abs(positions[axis] - (size - 1) / 2) > size / 2 - 0.5 + _EDGE))
        position = np.clip(positions[axis], 0, size - 1)
        values = _along_axis(values, axis, position if (rounded := rounding[axis]) is None else rounded(position))
    out = values.float().contiguous().numpy()
    for axis, beyond in outside if fill is not None else ():
        np.moveaxis(out, axis, 0)[beyond] = fill
    return np.asarray(out, dtype=np.float32)


def _upwards(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """To whole numbers, halves to the larger one, as splines of order 0 have it."""
    return np.floor(position + 0.5)


def _along_axis(values: torch.Tensor, axis: int, position: NDArray[np.float64]) -> torch.Tensor:
    low = np.floor(position)
    below = values.index_select(axis, torch.from_numpy(low.astype(np.int64)))
    if not np.any(position - low):
        return below
    high = np.minimum(low + 1, values.shape[axis] - 1).astype(np.int64)
    share = torch.from_numpy((position - low).astype(np.float32))
    form = [1, 1, 1]
    form[axis] = -1
    return below.float().lerp_(values.index_select(axis, torch.from_numpy(high)).float(), share.view(form))


def _by_points(
    values: torch.Tensor, matrix: NDArray[np.float64], shape: tuple[int, int, int], *, fill: float | None, nearest: bool
) -> NDArray[np.float32]:
    """Slab after slab of target slices, each point looked up in the source."""
    out = np.empty(shape, dtype=np.float32)
    steps = torch.from_numpy(_normalised(matrix, values.shape)).float()
    rows = torch.arange(shape[1], dtype=torch.float32).view(1, -1, 1, 1) * steps[:, 1]
    plane = rows + torch.arange(shape[2], dtype=torch.float32).view(1, 1, -1, 1) * steps[:, 2] + steps[:, 3]
    thickness = max(1, _SLAB_POINTS // (shape[1] * shape[2]))
    for start in range(0, shape[0], thickness):
        stop = min(start + thickness, shape[0])
        grid = plane + torch.arange(start, stop, dtype=torch.float32).view(-1, 1, 1, 1) * steps[:, 0]
        out[start:stop] = _looked_up(values, grid, fill, "nearest" if nearest else "bilinear")
    return out


def _looked_up(values: torch.Tensor, grid: torch.Tensor, fill: float | None, mode: str) -> NDArray[np.float32]:
    found = torch.nn.functional.grid_sample(
        values[None, None], grid[None], mode=mode, padding_mode="border", align_corners=False
    )[0, 0]
    if fill is not None:
        found[(grid.abs() > 1 + 1e-5).any(dim=-1)] = fill
    return np.asarray(found.numpy())


def _normalised(matrix: NDArray[np.float64], size: torch.Size) -> NDArray[np.float64]:
    """3 x 4: target index -> torch's coordinates, -1 to 1 between outer faces, column first."""
    length = np.array(size, dtype=np.float64)[:, None]
    steps = 2 * matrix[:3] / length
    steps[:, 3] += 1 / length[:, 0] - 1
    return np.asarray(steps[::-1].copy(), dtype=np.float64)
