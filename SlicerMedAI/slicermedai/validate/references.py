"""References as masks: label maps and segmentations on their own grids, contours and markups on that of the image.

What a file is, its name and content say: NIfTI, NRRD and MetaImage label maps, DICOM SEG and RT Structure Set, and 3D
Slicer's markups (``.json``, or a folder of them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slicermedai.confidence.margins import box_around
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError, GeometryError, InputError
from slicermedai.validate import markups
from slicermedai.validate.cases import Match
from slicermedai.validate.contours import filled, voxels_cut

if TYPE_CHECKING:
    from slicermedai.export.rtstruct_read import ReadContours

BoolArray = NDArray[np.bool_]
_FRAME = "FrameOfReferenceUID"
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Structures:
    """A reference as it was read: name -> bool mask (slices, rows, columns) on ``geometry``.

    ``rough`` are those whose reference is a box or a ball around them, and not their outline. ``cut`` says of those
    that reach beyond the image how many of their voxels lie there: of their own grid, or of the image's where drawn.
    """

    masks: dict[str, BoolArray]
    geometry: Geometry
    rough: frozenset[str] = frozenset()
    cut: dict[str, int] = field(default_factory=dict)


def names_in(path: Path) -> tuple[str, ...]:
    """The structures of a reference, as a label table names them; errors as :func:`read_reference`."""
    if is_markup(path):
        return tuple(dict.fromkeys(shape.name for shape in markups.read(path)))
    if _is_label_map(path):
        return tuple(_label_map(path).masks)
    regions = _regions(path)
    return tuple(_segments(path).masks) if regions is None else tuple(dict.fromkeys(one.name for one in regions))


def read_reference(path: Path, grid: Geometry) -> Structures:
    """Read a reference; contours and markups are drawn on ``grid``, that of the image.

    Raises
    ------
    InputError, FormatError
        No label map, segmentation, structure set or markups, or it holds what it must not, or what it holds is of
        another frame of reference than the image.
    GeometryError
        Contours that do not lie in the planes of the image; what was drawn, or a reference with a grid of its own, lies
        wholly beyond the image.
    """
    if is_markup(path):
        shapes = markups.read(path)
        rough = frozenset(shape.name for shape in shapes if markups.is_rough(shape))
        made = Structures(masks=markups.masks(shapes, grid), geometry=grid, rough=rough)
        return replace(made, cut=markups.voxels_cut(shapes, grid))
    if _is_label_map(path):
        return _within(_label_map(path), grid, path)
    regions = _regions(path)
    if regions is None:
        found = _segments(path)
        _refuse_other_frames([found.geometry.frame_of_reference_uid], grid, path, _FRAME)
        return _within(found, grid, path)
    _refuse_other_frames([one.frame_of_reference_uid for one in regions], grid, path, f"Referenced{_FRAME}")
    return Structures(masks=_drawn(regions, grid), geometry=grid, cut=_drawn_beyond(regions, grid))


def drawn_beyond(path: Path, grid: Geometry) -> dict[str, int]:
    """Name -> how many voxels of what contours and curves mark lie beyond ``grid``, where any do; of references with a
    grid of their own nothing is cut by reading them. Errors as :func:`read_reference`."""
    if is_markup(path):
        curves = tuple(shape for shape in markups.read(path) if not markups.is_rough(shape))
        return markups.voxels_cut(curves, grid)
    regions = None if _is_label_map(path) else _regions(path)
    return {} if regions is None else _drawn_beyond(regions, grid)


def masks_on(structures: Structures, matches: Sequence[Match], grid: Geometry) -> dict[int, BoolArray]:
    """Label value -> mask on ``grid``, by the nearest voxel; a label that the reference lacks is empty, not missing."""
    from slicermedai.inference.resample import resample

    out: dict[int, BoolArray] = {match.value: np.zeros(grid.shape, dtype=bool) for match in matches}
    for match in matches:
        mask = structures.masks.get(match.reference)
        if mask is not None and structures.geometry.same_grid(grid):
            out[match.value] |= mask
        elif mask is not None:
            out[match.value] |= resample(mask.astype(np.uint8), structures.geometry, grid, nearest=True) > 0.5
    return out


def _within(structures: Structures, grid: Geometry, path: Path) -> Structures:
    """``structures``, unless all that is marked lies beyond ``grid``: then they are of another image."""
    boxes = [box for mask in structures.masks.values() if (box := box_around(mask)) is not None]
    if boxes and not any(_meet(box, structures.geometry, grid) for box in boxes):
        raise GeometryError(
            "all that it marks lies beyond the image",
            file=path,
            attribute="reference",
            advice="Give the image that the reference was made on.",
        )
    beyond = {name: _voxels_beyond(mask, structures.geometry, grid) for name, mask in structures.masks.items()}
    return replace(structures, cut={name: count for name, count in beyond.items() if count})


def _voxels_beyond(mask: BoolArray, own: Geometry, grid: Geometry) -> int:
    """How many voxels of ``mask`` have their centre beyond the outer faces of ``grid``."""
    box, to_grid = box_around(mask), np.linalg.inv(grid.affine) @ own.affine
    if box is None:
        return 0
    corners = np.array(np.meshgrid(*[(part.start, part.stop - 1) for part in box], indexing="ij")).reshape(3, -1).T
    if not _beyond(corners, to_grid, grid):
        return 0
    planes = ((k, np.argwhere(mask[k])) for k in range(box[0].start, box[0].stop))
    return sum(_beyond(np.insert(marked, 0, k, axis=1), to_grid, grid) for k, marked in planes)


def _beyond(index: NDArray[np.intp], to_grid: NDArray[np.float64], grid: Geometry) -> int:
    """How many of (N, 3) voxels lie beyond ``grid``; those on its faces, but for rounding, do not."""
    there = index @ to_grid[:3, :3].T + to_grid[:3, 3]
    outside = (there < -0.5 - _ROUNDING) | (there > np.array(grid.shape) - 0.5 + _ROUNDING)
    return int(outside.any(axis=1).sum())


def _meet(box: tuple[slice, ...], own: Geometry, grid: Geometry) -> bool:
    """Whether the box (slices of the voxels of ``own``) around a structure and ``grid`` may share a place."""
    ends = [(part.start, part.stop - 1) for part in box]
    index = grid.to_index(own.to_lps(np.array(np.meshgrid(*ends, indexing="ij")).reshape(3, -1).T))
    return bool((index.max(axis=0) > -0.5).all() and (index.min(axis=0) < np.array(grid.shape) - 0.5).all())


def is_markup(path: Path) -> bool:
    """True for a file of 3D Slicer's markups, and for a folder with some."""
    return path.name.lower().endswith(markups.SUFFIX) or (path.is_dir() and any(path.glob(f"*{markups.SUFFIX}")))


def _is_label_map(path: Path) -> bool:
    from slicermedai.dicom.inputs import IMAGE_SUFFIXES

    return path.name.lower().endswith(IMAGE_SUFFIXES)


def _label_map(path: Path) -> Structures:
    from slicermedai.dicom.inputs import open_source

    volume = open_source(path).volume
    values = [int(v) for v in np.unique(volume.array) if v > 0]
    if not np.array_equal(volume.array, np.round(volume.array)):
        raise InputError("is no label map: its values are no whole numbers", file=path, attribute="reference")
    return Structures(masks={str(v): np.asarray(volume.array == v) for v in values}, geometry=volume.geometry)


def _segments(path: Path) -> Structures:
    """Segments of one name and one meaning are one structure."""
    from slicermedai.export.seg_read import read

    found = read(path)
    meant = {one.name: (one.category, one.type, one.modifier) for one in found.segments}
    masks: dict[str, BoolArray] = {}
    for one in found.segments:
        if (one.category, one.type, one.modifier) != meant[one.name]:
            raise InputError(
                f"several segments are called {one.name!r}, and their codes differ",
                file=path,
                attribute="SegmentLabel",
                advice="Give each structure a name of its own.",
            )
        mask = one.mask.to_array()
        masks[one.name] = masks[one.name] | mask if one.name in masks else mask
    return Structures(masks=masks, geometry=found.geometry)


def _regions(path: Path) -> list[ReadContours] | None:
    """The regions of a structure set that enclose something, or are empty; None for other objects."""
    from slicermedai.export.rtstruct_read import read

    try:
        found = read(path)
    except FormatError as error:
        if error.attribute == "Modality":
            return None
        raise
    return [one for one in found.regions if one.polygons or not one.other]  # points and lines alone are no structure


def _drawn(regions: Sequence[ReadContours], grid: Geometry) -> dict[str, BoolArray]:
    """Regions of one name are one structure, each filled by itself: none is a hole in another."""
    masks: dict[str, BoolArray] = {}
    for one in regions:
        mask = filled(one.polygons, grid, name=one.name)
        masks[one.name] = masks[one.name] | mask if one.name in masks else mask
    return masks


def _drawn_beyond(regions: Sequence[ReadContours], grid: Geometry) -> dict[str, int]:
    """Name -> how many voxels of it lie beyond the rows and columns of ``grid``, where any do."""
    found: Counter[str] = Counter()
    for one in regions:
        found[one.name] += voxels_cut(one.polygons, grid, name=one.name)
    return {name: count for name, count in found.items() if count}


def _refuse_other_frames(frames: Sequence[str], grid: Geometry, path: Path, attribute: str) -> None:
    """A frame that file or image does not know cannot be held against the other."""
    own = grid.frame_of_reference_uid
    if own and any(frame and frame != own for frame in frames):
        raise InputError(
            "is of another frame of reference than its image",
            file=path,
            attribute=attribute,
            advice="Give the image that the reference was made on.",
        )
