"""A lesion inside a box, found by its contrast, so that it can be measured.

What counts as the lesion is at least half way from the level around it to its own level, hangs together with the box's
middle, and is opened where it runs out of the box, so that vessels beside it stay outside (half of the contrast, as in
Kostis et al., "Three-dimensional segmentation and growth-rate estimation of small pulmonary nodules in helical CT
images", IEEE Trans Med Imaging 2003;22:1259-1274). What cannot be trusted is refused with a reason: never a number. A
rim of ground glass of less than about 2 mm is taken for a blurred edge, and of such a nodule the solid part is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.finding import Box, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError

HOW = "segmented inside the box at half of its contrast; not validated on patients"
"""Stands beside every number that rests on such a mask."""
LARGEST = 1 << 22
"""Voxels that are looked at for one box; they take some 0.1 kB each."""
_WIDER, _LEAST_SHELL = 0.5, 4.0
"""The surroundings: half of each edge more on every side, and at least so many mm."""
_MIDDLE, _NEAR = 0.3, 0.5
"""Parts of the box's half edges: where the lesion's own level is looked up, and where its middle must lie."""
_VOXELS, _SHARE, _OUTSIDE, _SECOND = 8, 0.05, 0.3, 0.3
_CONTRAST, _SHIFT, _CHANGE = 4.0, 0.1, 1.6
_FAINTEST, _HAZE, _BLURRED = 0.12, 0.2, 1.5
"""Share of the contrast from which tissue is there, how much of it beside the lesion's voxels, and mm of an edge."""
_OPENED = 0.5
"""Of the largest ball within: the radius of the opening."""
_ALL = np.ones((3, 3, 3), dtype=bool)

Bools = NDArray[np.bool_]
Place = tuple[slice, slice, slice]


class _Refused(Exception):
    """Why the lesion cannot be told from what lies around it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Crop:
    """The box with its surroundings.

    Parameters
    ----------
    values:
        (slices, rows, columns) of the image.
    from_middle:
        Where each voxel's centre lies from the box's middle along each of its axes, in half edges: (3, ...).
    place:
        Where it lies in the image.
    spacing:
        mm.
    open:
        For each axis, whether the image goes on before and behind.
    """

    values: FloatArray
    from_middle: FloatArray
    place: Place
    spacing: FloatArray
    open: tuple[tuple[bool, bool], ...]

    @property
    def inside(self) -> Bools:
        return self.within(1)

    def within(self, share: float) -> Bools:
        """The voxels of the box with that share of its edges and the same middle."""
        return np.asarray(np.abs(self.from_middle).max(axis=0) <= share)

    @property
    def middle(self) -> Bools:
        """An ellipsoid of a third of the box's edges; the voxel that is nearest to the middle where it has none."""
        far = np.linalg.norm(self.from_middle, axis=0)
        return np.asarray(far <= max(_MIDDLE, float(far.min())))


def lesion_in_box(volume: Volume, box: Box) -> PackedMask | str:
    """The lesion in ``box`` on the grid of ``volume``, or why there is none that can be measured.

    Raises
    ------
    GeometryError
        The grid of ``volume`` has axes that are not at right angles.
    """
    if not volume.geometry.is_orthogonal:
        raise GeometryError("a lesion in a box needs a grid with axes at right angles", attribute="affine")
    try:
        crop = _crop(volume, box)
        found = _lesion(crop)
    except _Refused as refused:
        return str(refused)
    return _of_the_image(found, crop, volume.geometry)


def _of_the_image(found: Bools, crop: _Crop, geometry: Geometry) -> PackedMask:
    """``found`` on the whole grid, without an array of its size: detectors tell hundreds of boxes."""
    first = np.array([part.start for part in crop.place])
    last = np.array([part.stop for part in crop.place])
    part = PackedMask.from_array(found, geometry.cropped(tuple(first.tolist()), tuple(last.tolist())))
    start, stop = (first + part.start).tolist(), (first + part.stop).tolist()
    return PackedMask(bits=part.bits, start=tuple(start), stop=tuple(stop), geometry=geometry)


def _crop(volume: Volume, box: Box) -> _Crop:
    geometry = volume.geometry
    middle, edges, axes = box.frame
    half = np.maximum(edges / 2, 1e-6)
    reach = half + np.maximum(2 * _WIDER * half, _LEAST_SHELL)
    corners = np.array([[(-1, 1)[bit >> axis & 1] for axis in range(3)] for bit in range(8)]) * reach
    indices = geometry.to_index(middle + corners @ axes.T)
    size = np.array(geometry.shape)
    start = np.clip(np.floor(indices.min(axis=0)).astype(int), 0, size)
    stop = np.clip(np.ceil(indices.max(axis=0)).astype(int) + 1, 0, size)
    if (stop - start < 1).any():
        raise _Refused("the box lies outside of the image")
    count = int(np.prod(stop - start))
    if count > LARGEST:
        raise _Refused(f"the box with what lies around it has {count} voxels, and {LARGEST} are the most")
    place = (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(start, stop, strict=True)), indexing="ij"), axis=-1)
    along = (geometry.to_lps(grid) - middle) @ axes
    return _Crop(
        values=volume.array[place].astype(np.float64),
        from_middle=np.moveaxis(along / half, -1, 0),
        place=place,
        spacing=geometry.spacing,
        open=tuple((bool(a > 0), bool(b < n)) for a, b, n in zip(start, stop, size, strict=True)),
    )


def _lesion(crop: _Crop) -> Bools:
    inside = crop.inside
    if not inside.any() or inside.all():
        raise _Refused("the box holds no voxel, or all of the image")
    own, around, noise = _levels(crop, inside)
    contrast = own - around
    if abs(contrast) < _CONTRAST * noise or contrast == 0:
        raise _Refused(f"its contrast of {abs(contrast):.3g} is too small beside a noise of {noise:.3g}")
    rise = (crop.values - around) / contrast
    found = _at(crop, rise, 0.5)
    sizes = [np.count_nonzero(_at(crop, rise, 0.5 + step)) for step in (-_SHIFT, _SHIFT)]
    least, most = sorted(int(size) for size in sizes)
    if most > _CHANGE * max(least, 1):
        raise _Refused("it has no clear border: a tenth of its contrast more or less gives another size")
    if _faint(crop, rise, noise / abs(contrast)) > _HAZE * np.count_nonzero(found):
        raise _Refused("fainter tissue lies around its brightest part, as in a part-solid nodule")
    return found


def _faint(crop: _Crop, rise: FloatArray, noise: float) -> int:
    """How many voxels in the box are between the surroundings' level and half of the contrast.

    Those beside brighter ones are left out: they hold some of both.
    """
    bright = rise >= 0.5
    beside = ndimage.binary_dilation(bright, structure=_ALL)
    beside |= ndimage.distance_transform_edt(~bright, sampling=crop.spacing) <= _BLURRED
    haze = (rise >= max(_FAINTEST, 3 * noise)) & ~beside & crop.inside
    return int(np.count_nonzero(haze))


def _levels(crop: _Crop, inside: Bools) -> tuple[float, float, float]:
    """The lesion's level, that of what lies around it, and the noise of that (standard deviation).

    Around it may lie a wall of the lesion's own brightness: of two populations the other one counts.
    """
    own, shell = float(np.median(crop.values[crop.middle])), crop.values[~inside]
    around = float(np.percentile(shell, 10 if own > np.median(shell) else 90))
    for _ in range(3):
        nearer = np.abs(shell - around) < np.abs(shell - own)
        if not nearer.any():
            break
        around = float(np.median(shell[nearer]))
    rest = shell[np.abs(shell - around) < np.abs(shell - own)]
    noise = 1.4826 * float(np.median(np.abs(rest - around))) if rest.size else 0.0
    return own, around, noise


def _at(crop: _Crop, rise: FloatArray, level: float) -> Bools:
    """What is above a share of the contrast and belongs to the box's middle."""
    parts, count = ndimage.label(rise >= level)
    shares = np.bincount(parts[crop.middle], minlength=count + 1)[1:]
    if not shares.size or not shares.max():
        raise _Refused("nothing stands out in the middle of the box")
    found = parts == 1 + int(shares.argmax())
    if (found & ~crop.inside).any():
        found = _opened(crop, found)
    found = ndimage.binary_fill_holes(found)
    _check(crop, np.asarray(found), rise >= level)
    return np.asarray(found)


def _leaves(crop: _Crop, found: Bools) -> bool:
    """Whether it reaches a face of the surroundings beyond which the image goes on, or lies outside of the box."""
    faces = [
        found.take(end, axis=axis).any()
        for axis in range(3)
        for end, goes_on in zip((0, -1), crop.open[axis], strict=True)
        if goes_on
    ]
    outside = np.count_nonzero(found & ~crop.inside)
    return bool(any(faces) or outside > _OUTSIDE * np.count_nonzero(found))


def _opened(crop: _Crop, found: Bools) -> Bools:
    """Without what is thinner than half of the largest ball at the middle."""
    depth = ndimage.distance_transform_edt(np.pad(found, 1), sampling=crop.spacing)[1:-1, 1:-1, 1:-1]
    radius = _OPENED * float(depth[crop.within(_NEAR)].max(initial=0))
    parts, count = ndimage.label(depth > radius, structure=_ALL)
    shares = np.bincount(parts[crop.middle], minlength=count + 1)[1:]
    if not shares.size or not shares.max():
        raise _Refused("it cannot be told from what it hangs together with")
    core = parts == 1 + int(shares.argmax())
    return np.asarray(found & (ndimage.distance_transform_edt(~core, sampling=crop.spacing) <= radius))


def _check(crop: _Crop, found: Bools, bright: Bools) -> None:
    count, inside = np.count_nonzero(found), crop.inside
    if count < _VOXELS:
        raise _Refused(f"it has {count} voxels, and {_VOXELS} are the least")
    if _leaves(crop, found):
        raise _Refused("it runs into what lies beside the box")
    if count < _SHARE * np.count_nonzero(inside):
        raise _Refused(f"it fills less than {_SHARE:.0%} of the box")
    if np.abs(crop.from_middle[:, found].mean(axis=1)).max() > _NEAR:
        raise _Refused("it lies off the middle of the box")
    parts, number = ndimage.label(bright & ~found)
    whole = np.bincount(parts.ravel(), minlength=number + 1)[1:]
    within = np.bincount(parts[inside], minlength=number + 1)[1:]
    if ((within > _SECOND * count) & (within > whole / 2)).any():
        raise _Refused("another one as bright lies in the box")
