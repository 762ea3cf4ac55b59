"""Findings slice by slice: segmentations are written from planes, so that no grid is in memory for each finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError
from slicermedai.export import subject

_Regions = tuple[Mask | PackedMask, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shared:
    """One array whose values all regions are, each another; ``numbers`` has the segment of each value, 0 for none."""

    array: NDArray[Any]
    numbers: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planes:
    """The voxels of segments, numbered from 1 in their order.

    ``used`` (segments, slices) is True where a segment has voxels; ``overlap`` where a voxel belongs to two.
    """

    regions: _Regions
    shape: tuple[int, int, int]
    used: NDArray[np.bool_]
    overlap: bool
    shared: _Shared | None = None

    def mask(self, number: int, index: int) -> NDArray[np.bool_]:
        """(rows, columns): the voxels of segment ``number`` in slice ``index``."""
        return self.regions[number - 1].plane(index)

    def labels(self, index: int, kind: np.dtype[Any]) -> NDArray[Any]:
        """(rows, columns) of ``kind``: the segment of each voxel of slice ``index``, 0 for none.

        Where segments overlap the last one counts.
        """
        if self.shared is not None:
            return np.asarray(self.shared.numbers.astype(kind).take(self.shared.array[index]))
        made = np.zeros(self.shape[1:], dtype=kind)
        for place in np.flatnonzero(self.used[:, index]):
            made[self.regions[place].plane(index)] = place + 1
        return made


def planes_of(findings: tuple[Finding, ...], grid: Geometry) -> Planes:
    """The planes of ``findings``, which :func:`slicermedai.export.subject.segmented` has let pass."""
    regions = tuple(subject.region(finding) for finding in findings)
    shared = _shared(regions)
    if shared is not None:
        values = [one.value for one in regions if isinstance(one, Mask)]
        used = np.array([_present(plane, shared.numbers.size)[values] for plane in shared.array]).T
        return Planes(regions=regions, shape=grid.shape, used=used, overlap=False, shared=shared)
    used, overlap = _laid_over(regions, grid.shape)
    return Planes(regions=regions, shape=grid.shape, used=used, overlap=overlap)


def exclusive(findings: tuple[Finding, ...], grid: Geometry) -> Planes:
    """The planes of ``findings``; raises FormatError where two share a voxel, which a label map cannot say."""
    planes = planes_of(findings, grid)
    if planes.overlap:
        raise FormatError(
            "the findings overlap, and a label map has one value a voxel",
            attribute="SegmentsOverlap",
            advice="Ask for seg (BINARY) instead of seg-labelmap.",
        )
    return planes


def _shared(regions: _Regions) -> _Shared | None:
    masks = [one for one in regions if isinstance(one, Mask)]
    if not masks or len({one.value for one in masks}) < len(regions):
        return None
    array = masks[0].label_map.array
    if any(one.label_map.array is not array for one in masks):
        return None
    numbers = np.zeros(np.iinfo(array.dtype).max + 1, dtype=np.uint16)
    numbers[[one.value for one in masks]] = range(1, len(masks) + 1)
    return _Shared(array=array, numbers=numbers)


def _present(plane: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """(count,): which values are in ``plane``; looked for where they change, as there are few such places."""
    flat, present = plane.reshape(-1), np.zeros(count, dtype=bool)
    present[flat[np.flatnonzero(flat[1:] != flat[:-1])]] = True
    present[flat[-1]] = True
    return present


def _laid_over(regions: _Regions, shape: tuple[int, int, int]) -> tuple[NDArray[np.bool_], bool]:
    """Where each region has voxels, and whether any two share one."""
    used, overlap = np.zeros((len(regions), shape[0]), dtype=bool), False
    for index in range(shape[0]):
        covered = np.zeros(shape[1:], dtype=bool)
        for place, region in enumerate(regions):
            if _spans(region, index) and (plane := region.plane(index)).any():
                used[place, index] = True
                overlap = overlap or bool((covered & plane).any())
                covered |= plane
    return used, overlap


def _spans(region: Mask | PackedMask, index: int) -> bool:
    return isinstance(region, Mask) or region.start[0] <= index < region.stop[0]
