"""The layers of label values that segments share: found and filled in pieces, so that the window lives meanwhile.

Findings of one label map lie in one layer. Findings with masks of their own are laid beside each other in as few layers
as they do not overlap in, as Slicer does it: a view draws each layer by itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.pieces import PIECE
from slicermedai.domain.volume import LabelMap
from slicermedai.scene.volumes import LPS_TO_RAS, to_matrix, voxels_of

Layers = dict[str, tuple[Any, int]]
"""The oriented image and the label value of each finding, by tracking UID."""
_SCALARS = {"u1": vtk.VTK_UNSIGNED_CHAR, "u2": vtk.VTK_UNSIGNED_SHORT}
_MOST = 255
"""Findings that one layer of bytes holds."""


def layers_of(findings: Sequence[Finding]) -> Generator[None, None, Layers]:
    """The layers of findings that have masks, in pieces.

    Left out are those of a label map in which several have the same value.
    """
    maps = {id(one.region.label_map): one.region.label_map for one in findings if isinstance(one.region, Mask)}
    found: Layers = {}
    for key, label_map in maps.items():
        inside = [one for one in findings if isinstance(one.region, Mask) and id(one.region.label_map) == key]
        values = {one.tracking_uid: one.region.value for one in inside if isinstance(one.region, Mask)}
        is_plain = label_map.array.dtype in (np.uint8, np.uint16)
        if is_plain and len(set(values.values())) == len(inside):
            layer = yield from _of_map(label_map, list(values.values()))
            found |= {uid: (layer, value) for uid, value in values.items()}
    own = {one.tracking_uid: one.region for one in findings if isinstance(one.region, PackedMask)}
    for place in {_grid(one) for one in own.values()}:
        found |= yield from _of_masks({uid: one for uid, one in own.items() if _grid(one) == place})
    return found


def _grid(region: PackedMask) -> tuple[Any, bytes]:
    return region.geometry.shape, region.geometry.affine.tobytes()


def oriented(box: NDArray[Any], start: Sequence[int], geometry: Geometry) -> Any:
    """A box of voxels that begins at ``start`` of a grid, as an oriented image, placed by its extent."""
    image = empty_layer(box.shape, start, geometry, kind=box.dtype.str[1:])
    if box.size:
        voxels_of(image)[:] = box
    return image


def empty_layer(shape: Sequence[int], start: Sequence[int], geometry: Geometry, *, kind: str = "u1") -> Any:
    """As :func:`oriented`, of that shape, whose voxels are still to be written."""
    sizes = zip(start[::-1], shape[::-1], strict=True)
    image = slicer.vtkOrientedImageData()
    image.SetExtent([limit for a, size in sizes for limit in (int(a), int(a) + int(size) - 1)])
    image.AllocateScalars(_SCALARS.get(kind, vtk.VTK_UNSIGNED_CHAR), 1)
    image.SetImageToWorldMatrix(to_matrix(LPS_TO_RAS @ geometry.ijk_to_lps))
    return image


def slabs(shape: Sequence[int], *, size: int = 1) -> Iterator[slice]:
    """The slices of an array with voxels of ``size`` bytes, as many at once as a moment does."""
    step = max(1, PIECE // max(1, int(shape[1]) * int(shape[2]) * size))
    yield from (slice(at, min(at + step, int(shape[0]))) for at in range(0, int(shape[0]), step))


# --- findings of one label map ---------------------------------------------------------------------------------------


def _of_map(label_map: LabelMap, values: Sequence[int]) -> Generator[None, None, Any]:
    """The box of all ``values`` as an oriented image; other labels, of what was rejected, are not in it."""
    array = label_map.array
    table = np.zeros(np.iinfo(array.dtype).max + 1, array.dtype)
    table[values] = values
    start, stop = yield from _box(array, table != 0)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    shape = [b - a for a, b in zip(start, stop, strict=True)]
    image = empty_layer(shape, start, label_map.geometry, kind=array.dtype.str[1:])
    for slab in slabs(shape, size=array.itemsize) if all(shape) else ():
        voxels_of(image)[slab] = table[array[box][slab]]
        yield
    return image


def _box(array: NDArray[Any], wanted: NDArray[np.bool_]) -> Generator[None, None, tuple[list[int], list[int]]]:
    """Where wanted labels are: first and one past the last index of each axis; 0 and 0 where none is."""
    filled = [np.zeros(size, bool) for size in array.shape]
    for slab in slabs(array.shape, size=array.itemsize):
        inside = wanted[array[slab]]
        filled[0][slab] = inside.any(axis=(1, 2))
        over = inside.any(axis=0)
        filled[1] |= over.any(axis=1)
        filled[2] |= over.any(axis=0)
        yield
    places = [np.flatnonzero(one) for one in filled]
    if not len(places[0]):
        return [0, 0, 0], [0, 0, 0]
    return [int(one[0]) for one in places], [int(one[-1]) + 1 for one in places]


# --- findings with masks of their own --------------------------------------------------------------------------------


class _Shared:
    """Masks that do not overlap, in an array over the box of all masks: only what they cover takes memory."""

    def __init__(self, start: NDArray[np.int_], stop: NDArray[np.int_]) -> None:
        self.origin = start
        self.array = np.zeros(stop - start, np.uint8)
        self.masks: dict[str, PackedMask] = {}

    def has_room(self, region: PackedMask) -> Generator[None, None, bool]:
        """Whether no voxel of ``region`` is taken."""
        for part, place in self._parts(region):
            if self.array[place][part].any():
                return False
            yield
        return len(self.masks) < _MOST

    def put(self, uid: str, region: PackedMask) -> Generator[None, None, None]:
        """Take the voxels of ``region`` for the finding ``uid``."""
        self.masks[uid] = region
        for part, place in self._parts(region):
            self.array[place][part] = len(self.masks)
            yield

    def image(self) -> Generator[None, None, Any]:
        """The box of its masks as an oriented image."""
        filled = [one for one in self.masks.values() if one.bits.size] or list(self.masks.values())
        start, stop = np.min([one.start for one in filled], axis=0), np.max([one.stop for one in filled], axis=0)
        image = empty_layer((stop - start).tolist(), start.tolist(), filled[0].geometry)
        box = tuple(slice(a, b) for a, b in zip(start - self.origin, stop - self.origin, strict=True))
        for slab in slabs((stop - start).tolist()) if (stop > start).all() else ():
            voxels_of(image)[slab] = self.array[box][slab]
            yield
        return image

    def _parts(self, region: PackedMask) -> Iterator[tuple[NDArray[np.bool_], tuple[slice, ...]]]:
        """The mask slab by slab, and where each lies in the array."""
        size = np.subtract(region.stop, region.start)
        if not size.all():
            return
        low = np.subtract(region.start, self.origin)
        rows, columns = (slice(a, a + n) for a, n in zip(low[1:], size[1:], strict=True))
        for slab in slabs(size.tolist()):
            yield region.slab(slab.start, slab.stop), (slice(low[0] + slab.start, low[0] + slab.stop), rows, columns)


def _of_masks(regions: dict[str, PackedMask]) -> Generator[None, None, Layers]:
    """Each mask in the first layer in which it overlaps nothing."""
    if not regions:
        return {}
    boxes = [one for one in regions.values() if one.bits.size] or list(regions.values())
    start, stop = np.min([one.start for one in boxes], axis=0), np.max([one.stop for one in boxes], axis=0)
    shared: list[_Shared] = []
    for uid, region in regions.items():
        layer = yield from _room_for(region, shared)
        if layer is None:
            layer = _Shared(start, stop)
            shared.append(layer)
        yield from layer.put(uid, region)
    found: Layers = {}
    for one in shared:
        image = yield from one.image()
        found |= {uid: (image, value) for value, uid in enumerate(one.masks, start=1)}
    return found


def _room_for(region: PackedMask, shared: Sequence[_Shared]) -> Generator[None, None, _Shared | None]:
    for layer in shared:
        if (yield from layer.has_room(region)):
            return layer
    return None
