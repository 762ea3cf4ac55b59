"""How far apart two phases lie by their grey values alone: small blocks of one image, each looked for in the other.

Blocks are taken where edges run in all three directions (structure tensor: Förstner and Gülch 1987), for along a
straight edge a shift cannot be seen. They are compared by how steep the grey values are, since contrast turns round
between phases, and in the voxels of the organ alone: ribs and spine beside it hold still while it moves. A block counts
where its best place is clear; where too few of them are, or too many run out of the search, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.plan import Residual
from slicermedai.domain.volume import Volume
from slicermedai.plan.border import window_of

_STEP = 2.0  # mm
_HALF = 5  # steps from the middle of a block to its edge
_REACH = 5  # steps that are searched each way
_APART = 5  # steps between two blocks at least
_MOST, _FEWEST = 60, 6
_CLEAR = 0.5  # correlation
_LOST = 0.25  # of all clear places, those whose best one is the last that is searched

FloatVolume = NDArray[np.float32]
BoolVolume = NDArray[np.bool_]


def between_images(
    plan: Volume, other: Volume, *, within: Mask | PackedMask, transform: ArrayLike | None = None
) -> Residual | None:
    """How far apart the images lie in the organ ``within`` of the plan's phase, mm; None where too little can be found.

    ``transform`` takes LPS mm of the plan's phase to the other's. Shifts of more than 10 mm cannot be seen as such: the
    places are then lost at the edge of the search, and nothing is said.
    """
    grid = _grid(within)
    matrix = np.eye(4) if transform is None else np.asarray(transform, dtype=np.float64)
    here, there = _steepness(plan, grid, np.eye(4)), _steepness(other, grid, matrix)
    organ = _organ(within, grid)
    clear = [found for place in _places(here, organ) if (found := _found(here, there, organ, place)) is not None]
    shifts = [one for one in clear if np.abs(one).max() < _REACH]
    if len(shifts) < _FEWEST or len(clear) - len(shifts) > _LOST * len(clear):
        return None
    apart = np.linalg.norm(np.array(shifts), axis=1) * _STEP
    return Residual(
        mean=float(apart.mean()),
        largest=float(apart.max()),
        by=f"{len(apart)} landmarks found in the images",
        count=len(apart),
        transform=() if transform is None else tuple(matrix.ravel().tolist()),
    )


def _grid(within: Mask | PackedMask) -> Geometry:
    """Equal steps along the patient's axes over the organ, with room for the search."""
    window = window_of(within.to_array())
    corners = within.geometry.cropped(window.start, window.stop).corners
    room = _STEP * (_HALF + _REACH)
    low, high = corners.min(axis=0) - room, corners.max(axis=0) + room
    shape = np.ceil((high - low) / _STEP).astype(int) + 1
    return Geometry.from_axes((int(shape[2]), int(shape[1]), int(shape[0])), origin=low, spacing=(_STEP,) * 3)


def _steepness(volume: Volume, grid: Geometry, transform: FloatArray) -> FloatVolume:
    matrix = np.linalg.inv(volume.geometry.affine) @ transform @ grid.affine
    image = ndimage.affine_transform(
        np.asarray(volume.array, dtype=np.float32), matrix[:3, :3], offset=matrix[:3, 3], output_shape=grid.shape,
        order=1, mode="nearest",
    )  # fmt: skip
    return np.asarray(ndimage.gaussian_gradient_magnitude(image, 1.0), dtype=np.float32)


def _organ(within: Mask | PackedMask, grid: Geometry) -> BoolVolume:
    matrix = np.linalg.inv(within.geometry.affine) @ grid.affine
    made = ndimage.affine_transform(
        within.to_array().astype(np.float32), matrix[:3, :3], offset=matrix[:3, 3], output_shape=grid.shape, order=1
    )
    return np.asarray(made > 0.5)


def _places(steep: FloatVolume, organ: BoolVolume) -> Iterator[tuple[int, int, int]]:
    """Middles of blocks in which the organ's image changes in every direction, the best first."""
    slopes = np.gradient(steep)
    tensor = np.stack([[ndimage.gaussian_filter(a * b * organ, _HALF / 2) for b in slopes] for a in slopes])
    least = np.linalg.eigvalsh(np.moveaxis(tensor, (0, 1), (-2, -1)))[..., 0] * organ
    edge = _HALF + _REACH
    inner = np.zeros(steep.shape, dtype=bool)
    inner[edge:-edge, edge:-edge, edge:-edge] = True
    peaks = (least == ndimage.maximum_filter(least, 2 * _APART + 1)) & inner & (least > 0)
    found = np.argwhere(peaks)
    for place in found[np.argsort(-least[peaks], kind="stable")][:_MOST]:
        yield int(place[0]), int(place[1]), int(place[2])


def _found(here: FloatVolume, there: FloatVolume, organ: BoolVolume, place: tuple[int, int, int]) -> FloatArray | None:
    """The shift in steps at which the block around ``place`` is found, or None where that is not clear.

    A shift of as many steps as are searched means that the block lies there or beyond.
    """
    block = tuple(slice(p - _HALF, p + _HALF + 1) for p in place)
    room = there[tuple(slice(p - _HALF - _REACH, p + _HALF + _REACH + 1) for p in place)]
    inside = organ[block]
    score = _correlation(here[block][inside], np.lib.stride_tricks.sliding_window_view(room, inside.shape)[..., inside])
    best = np.unravel_index(int(score.argmax()), score.shape)
    if score[best] < _CLEAR:
        return None
    shift = np.array(best, dtype=np.float64) - _REACH
    if np.abs(shift).max() == _REACH:
        return shift
    return shift + _summit(score[tuple(slice(b - 1, b + 2) for b in best)])


def _correlation(block: FloatVolume, views: FloatVolume) -> FloatArray:
    """Normalised cross-correlation of the N values of ``block`` with every view (a, b, c, N)."""
    centred = block - block.mean()
    others = views - views.mean(axis=-1, keepdims=True)
    sizes = np.linalg.norm(centred) * np.linalg.norm(others, axis=-1)
    return np.asarray((others @ centred) / (sizes + 1e-9), dtype=np.float64)


def _summit(around: FloatArray) -> FloatArray:
    """Where a parabola through each line of three has its top, -0.5 to 0.5 steps off the middle."""
    lines = [around[:, 1, 1], around[1, :, 1], around[1, 1, :]]
    bends = [line[0] - 2 * line[1] + line[2] for line in lines]
    tops = [0.5 * (line[0] - line[2]) / bend if bend < 0 else 0.0 for line, bend in zip(lines, bends, strict=True)]
    return np.asarray(np.clip(np.array(tops), -0.5, 0.5))
