"""A region cut out of its grid: what all measurements of one structure share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import GeometryError
from slicermedai.measure import surface
from slicermedai.measure.diameters import Axes, Segment, farthest, in_plane

Place = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class Structure:
    """The bounding box of one region.

    Parameters
    ----------
    mask:
        (slices, rows, columns) bool, of the box alone; empty where the region has no voxels.
    geometry:
        The grid of the box, LPS mm.
    image:
        What was imaged, or None.
    place:
        Where in the array of ``image`` the box lies.
    """

    mask: NDArray[np.bool_]
    geometry: Geometry
    image: Volume | None = None
    place: Place | None = None

    @cached_property
    def voxels(self) -> int:
        return int(np.count_nonzero(self.mask))

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """Cells of 2 x 2 x 2 voxel centres by kind, see :mod:`slicermedai.measure.surface`."""
        return surface.cells_of(self.mask)

    @property
    def steps(self) -> FloatArray:
        """3 x 3, the (slice, row, column) steps in mm as columns."""
        return np.array(self.geometry.affine[:3, :3])

    @cached_property
    def axes(self) -> Axes | None:
        """Long and short axis in the image plane that has the longest; None without voxels."""
        return in_plane(self.mask, self.geometry) if self.voxels else None

    @cached_property
    def longest(self) -> Segment | None:
        """The longest straight line between two points of the surface; None without voxels."""
        return farthest(self.mask, self.geometry) if self.voxels else None

    @cached_property
    def values(self) -> NDArray[np.generic]:
        """What the voxels of the region measure, (voxels), in the unit of the image; none without an image."""
        if self.image is None or self.place is None:
            return np.empty(0)
        return np.asarray(self.image.array[self.place][self.mask])


def structures(regions: Iterable[Mask | PackedMask], volume: Volume | None) -> Iterable[Structure]:
    """Every region cut out, one after the other; label maps that regions share are searched once.

    Raises
    ------
    GeometryError
        A region and ``volume`` lie on different grids.
    """
    boxes: dict[int, dict[int, Place]] = {}
    for region in regions:
        _check_grid(region.geometry, volume)
        if isinstance(region, PackedMask):
            yield _unpacked(region, volume)
            continue
        key = id(region.label_map)
        if key not in boxes:
            boxes[key] = boxes_of(region.label_map)
        yield _cut(region, boxes[key].get(region.value), volume)


def boxes_of(label_map: LabelMap) -> dict[int, Place]:
    """The bounding box of every value that has voxels, found in one pass."""
    found = ndimage.find_objects(label_map.array)
    return {value: place for value, place in enumerate(found, 1) if place is not None}


def _check_grid(geometry: Geometry, volume: Volume | None) -> None:
    if volume is not None and geometry is not volume.geometry and not geometry.same_grid(volume.geometry):
        raise GeometryError("a region and the image lie on different grids", attribute="volume")


def _cut(region: Mask, place: Place | None, volume: Volume | None) -> Structure:
    if place is None:
        return _empty(region.geometry, volume)
    mask = np.asarray(region.label_map.array[place] == region.value)
    return Structure(mask=mask, geometry=_cropped(region.geometry, place), image=volume, place=place)


def _unpacked(region: PackedMask, volume: Volume | None) -> Structure:
    size = tuple(b - a for a, b in zip(region.start, region.stop, strict=True))
    if 0 in size:
        return _empty(region.geometry, volume)
    mask = np.unpackbits(region.bits, count=int(np.prod(size))).reshape(size).view(np.bool_)
    first, second, third = (slice(a, b) for a, b in zip(region.start, region.stop, strict=True))
    place = first, second, third
    return Structure(mask=mask, geometry=_cropped(region.geometry, place), image=volume, place=place)


def _empty(geometry: Geometry, volume: Volume | None) -> Structure:
    nothing = np.zeros((1, 1, 1), dtype=bool)
    return Structure(mask=nothing, geometry=geometry.cropped((0, 0, 0), (1, 1, 1)), image=volume, place=None)


def _cropped(geometry: Geometry, place: Place) -> Geometry:
    start, stop = [part.start for part in place], [part.stop for part in place]
    return geometry.cropped((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
