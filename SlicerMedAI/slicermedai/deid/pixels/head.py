"""A head on an upright grid of 2 mm: where its brain, its surface and its face are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume

Mask = NDArray[np.bool_]

STEP = 2.0
_AROUND = np.array([[60.0, 60.0], [110.0, 40.0], [150.0, 40.0]])
"""mm kept around the brain: right and left, front and back, below and above."""
CHIN = 130.0
"""mm from the base of the frontal lobes down to below the chin of any adult."""
_CT_SKIN = -300.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Brain and image on an upright grid: slices to superior, rows to posterior, columns to the left.

    ``brain`` and ``image`` are (slices, rows, columns) on ``grid``; coordinates are LPS mm.
    """

    grid: Geometry
    image: NDArray[np.float32]
    brain: Mask
    modality: str

    @staticmethod
    def of(volume: Volume, brain: Mask) -> Head:
        """Sample a volume, of any orientation, and its brain."""
        grid = _upright(volume.geometry, brain)
        return Head(
            grid=grid,
            image=sampled(volume.array, volume.geometry, grid, order=1),
            brain=sampled(brain.astype(np.uint8), volume.geometry, grid, order=0) > 0,
            modality=volume.modality,
        )

    @property
    def points(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """(left, posterior, superior) mm of the voxels, to be broadcast."""
        superior, posterior, left = (
            start + STEP * np.arange(size) for start, size in zip(self.grid.origin[::-1], self.grid.shape, strict=True)
        )
        return left[None, None, :], posterior[None, :, None], superior[:, None, None]

    @property
    def brain_box(self) -> NDArray[np.float64]:
        """3 x 2: first and last mm of the brain along left, posterior, superior."""
        where = np.argwhere(self.brain)
        ends = np.array([where.min(axis=0), where.max(axis=0)])
        return self.grid.to_lps(ends).T

    @property
    def frontal_base(self) -> float:
        """Superior mm of the lowest brain within 20 mm of its front: eyes and nose begin about there."""
        _, posterior, _ = self.points
        front = self.brain & (posterior < self.brain_box[1, 0] + 20)
        return float(self.grid.to_lps(np.argwhere(front).min(axis=0))[2])

    def threshold(self) -> float:
        """What parts tissue from air: -300 HU in CT, Otsu's threshold of the square roots elsewhere."""
        return _CT_SKIN if self.modality == "CT" else otsu(self.image)


def tissue(image: NDArray[np.float32], threshold: float) -> Mask:
    """The largest piece of tissue."""
    labels, count = ndimage.label(ndimage.binary_opening(image > threshold))
    if not count:
        return np.zeros(image.shape, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def otsu(image: NDArray[np.float32]) -> float:
    """Otsu's threshold (1979) of the square roots, which brings faint skin away from the air."""
    low = float(image.min())
    counts, edges = np.histogram(np.sqrt(image - low), bins=256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), counts.sum()
    mean_below = np.cumsum(counts * middles)
    above = total - below
    valid = (below > 0) & (above > 0)
    first = mean_below[valid] / below[valid]
    second = (mean_below[-1] - mean_below[valid]) / above[valid]
    best = int(np.argmax(below[valid] * above[valid] * (first - second) ** 2))
    return float(middles[valid][best] ** 2 * 0.5 + low)


def sampled(array: NDArray[Any], source: Geometry, grid: Geometry, *, order: int) -> NDArray[np.float32]:
    """``array`` on ``grid``, a slice at a time; beyond the array its smallest value."""
    out = np.empty(grid.shape, dtype=np.float32)
    row, column = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[2]), indexing="ij")
    for index in range(grid.shape[0]):
        points = grid.to_lps(np.stack([np.full(row.shape, index), row, column], axis=-1).reshape(-1, 3))
        where = source.to_index(points).T
        plane = ndimage.map_coordinates(array, where, order=order, mode="constant", cval=array.min(), output=np.float32)
        out[index] = plane.reshape(row.shape)
    return out


def _upright(geometry: Geometry, brain: Mask) -> Geometry:
    """The part of the volume's box that lies around the brain."""
    corners = geometry.corners
    where = geometry.to_lps(np.argwhere(brain))
    low = np.maximum(corners.min(axis=0), where.min(axis=0) - _AROUND[:, 0])
    high = np.minimum(corners.max(axis=0), where.max(axis=0) + _AROUND[:, 1])
    shape = np.maximum(np.ceil((high - low) / STEP).astype(int), 1)[::-1]
    return Geometry.from_axes(
        (int(shape[0]), int(shape[1]), int(shape[2])), origin=low + STEP / 2, spacing=(STEP, STEP, STEP)
    )
