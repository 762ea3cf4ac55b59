"""The geometry gate: positions decide where slices lie, and what does not fit is refused by name.

Image Position (Patient), projected on the normal of Image Orientation (Patient), orders the slices and gives their
distance (PS3.3 C.7.6.2.1.1). Slice Thickness and Spacing Between Slices are never asked: scanners write what they
like there. A stack passes where every slice lies within ``min(0.1 mm, 10 %)`` of its place on an even ladder along
the normal; scanners that round positions to 0.1 mm pass, a slice that is missing, doubled or moved does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slicermedai.dicom.planes import Plane
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import GeometryError, UnsupportedImageError

FloatArray = NDArray[np.float64]

POSITION_TOLERANCE_MM = 0.1
LATERAL_TOLERANCE_MM = 0.2
RELATIVE_TOLERANCE = 0.1
_SAME_PLACE_MM = 1e-2
_UNIT_TOLERANCE = 1e-3
_POSITION, _ORIENTATION = "ImagePositionPatient", "ImageOrientationPatient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Planes in slice order along the normal, and the grid they make; sheared where the gantry was tilted.

    ``tilt_degrees`` is 0 for a straight stack; ``deviation`` the largest distance in mm between a slice and its
    place on the grid.
    """

    planes: tuple[Plane, ...]
    geometry: Geometry
    tilt_degrees: float
    deviation: float


@dataclass(frozen=True, slots=True)
class _Ladder:
    """Slices along their normal: places (mm, ascending), order, and the offsets across (N x 3, mm)."""

    normal: FloatArray
    order: NDArray[np.intp]
    places: FloatArray
    across: FloatArray


def judge(planes: Sequence[Plane]) -> Stack:
    """The stack that ``planes`` make.

    Raises
    ------
    UnsupportedImageError
        Colour, a localizer, a mosaic of slices, one slice alone, or grey values of which low ones are white
        (MONOCHROME1).
    GeometryError
        No positions or orientations, slices that are missing, doubled or moved, or files with one SOP Instance UID.
        Says which files.
    """
    stack = _stacked(tuple(planes))
    _check_photometric(stack.planes)
    _check_instances(stack.planes)
    return stack


def _stacked(planes: tuple[Plane, ...]) -> Stack:
    _check_kind(planes)
    _check_attributes(planes)
    ladder = _ladder(planes)
    ordered = tuple(planes[int(i)] for i in ladder.order)
    _check_doubled(ordered, ladder)
    _check_steps(ordered, ladder)
    return _stack(ordered, ladder)


def is_regular(planes: Sequence[Plane]) -> bool:
    """True where ``planes`` make one stack to :func:`judge`, tilted or not, however their greys are shown."""
    try:
        _stacked(tuple(planes))
    except (GeometryError, UnsupportedImageError):
        return False
    return True


# --- what kind of images -------------------------------------------------------------------------------------------


def _check_kind(planes: tuple[Plane, ...]) -> None:
    first = planes[0]
    if first.is_colour:
        raise UnsupportedImageError(
            "a colour image",
            file=first.file,
            attribute="SamplesPerPixel" if first.samples != 1 else "PhotometricInterpretation",
            advice="Choose a greyscale series.",
        )
    if first.is_localizer:
        raise UnsupportedImageError(
            "a localizer, made for planning and not for analysis",
            file=first.file,
            attribute="ImageType",
            advice="Choose the series that was planned on it.",
        )
    if "MOSAIC" in first.image_type:
        raise UnsupportedImageError(
            "many slices side by side in one image, whose places the header does not tell",
            file=first.file,
            attribute="ImageType",
            advice="Export it as an enhanced object, or convert the mosaics to NIfTI.",
        )
    if len(planes) == 1:
        raise UnsupportedImageError(
            "a single two-dimensional image, and a volume is needed",
            file=first.file,
            attribute="NumberOfFrames",
            advice="Choose a series with all its slices.",
        )


def _check_photometric(planes: tuple[Plane, ...]) -> None:
    """MONOCHROME1 says how to show values, not what they mean (PS3.3 C.7.6.3.1.2), and not all writers and readers
    keep to that: a model could see such a volume inverted, and nothing would tell.
    """
    other = next((plane for plane in planes if plane.photometric != "MONOCHROME2"), None)
    if other is not None:
        raise UnsupportedImageError(
            "is not MONOCHROME2, and whether low values are dark or white is not certain",
            file=other.file,
            attribute="PhotometricInterpretation",
            advice="Export the series again as MONOCHROME2.",
        )


def _check_instances(planes: tuple[Plane, ...]) -> None:
    """Each file is an instance of its own (PS3.3 C.12.1.1.1): results cite them by that UID."""
    owners: dict[str, Path] = {}
    for plane in planes:
        if plane.instance and owners.setdefault(plane.instance, plane.file) != plane.file:
            raise GeometryError(
                f"has the SOP Instance UID of {owners[plane.instance].name}: what results cite by it is not certain",
                file=plane.file,
                attribute="SOPInstanceUID",
                advice="Export the original series again; a converter may have written one UID into all files.",
            )


def _check_attributes(planes: tuple[Plane, ...]) -> None:
    for plane in planes:
        for keyword, value in (
            (_POSITION, plane.position),
            (_ORIENTATION, plane.orientation),
            ("PixelSpacing", plane.spacing),
        ):
            if value is None or not np.isfinite(value).all():
                raise GeometryError(
                    "is missing: without it nobody knows where the image lies",
                    file=plane.file,
                    attribute=keyword,
                    advice="Export the original series again; secondary captures cannot be used.",
                )
        _check_plane(plane)


def _check_plane(plane: Plane) -> None:
    row, column = _directions(plane)
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if np.abs(lengths - 1).max() > _UNIT_TOLERANCE or abs(float(row @ column)) > _UNIT_TOLERANCE:
        raise GeometryError(
            "holds no two unit vectors at right angles (PS3.3 C.7.6.2.1.1)", file=plane.file, attribute=_ORIENTATION
        )
    if min(plane.spacing or (0.0,)) <= 0:
        raise GeometryError("is not positive", file=plane.file, attribute="PixelSpacing")


# --- where the slices lie ------------------------------------------------------------------------------------------


def _directions(plane: Plane) -> FloatArray:
    """2 x 3: the direction along a row, and down a column."""
    return np.array(plane.orientation or (), dtype=np.float64).reshape(2, 3)


def _axes(planes: Sequence[Plane]) -> FloatArray:
    """3 x 3, rows: row direction, column direction, normal; exactly orthonormal, from the mean orientation."""
    mean = np.mean([_directions(plane) for plane in planes], axis=0)
    left, _, right = np.linalg.svd(mean, full_matrices=False)
    row, column = left @ right
    return np.array([row, column, np.cross(row, column)])


def _ladder(planes: tuple[Plane, ...]) -> _Ladder:
    normal = _axes(planes)[2]
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    places = positions @ normal
    order = np.argsort(places, kind="stable")
    across = positions - np.outer(places, normal)
    return _Ladder(normal=normal, order=order, places=places[order], across=across[order])


def _check_doubled(ordered: tuple[Plane, ...], ladder: _Ladder) -> None:
    steps = np.diff(ladder.places)
    apart = steps[steps > _SAME_PLACE_MM]
    same = steps <= max(_SAME_PLACE_MM, 0.05 * float(np.median(apart)) if apart.size else 0.0)
    if same.any():
        at = int(np.flatnonzero(same)[0])
        raise GeometryError(
            f"{_count(int(same.sum()), 'slice')} at the place of another, as {_names(ordered, at)}",
            file=ordered[at + 1].file,
            attribute=_POSITION,
            advice="Remove the double, or choose one series if two were copied into one folder.",
        )


def _check_steps(ordered: tuple[Plane, ...], ladder: _Ladder) -> None:
    steps = np.diff(ladder.places)
    step = float(np.median(steps))
    tolerance = _tolerance(step)
    if _deviation(ladder.places) <= tolerance and np.abs(steps - step).max() <= 0.5 * step:
        return
    gaps = np.rint(steps / step)
    if np.abs(steps - gaps * step).max() <= 4 * tolerance and gaps.max() >= 2:
        at = int(np.argmax(gaps >= 2))
        raise GeometryError(
            f"{_count(int((gaps - 1).sum()), 'slice')} missing, the first between {_names(ordered, at)}",
            file=ordered[at].file,
            attribute=_POSITION,
            advice="Copy the whole series again.",
        )
    at = int(np.argmax(np.abs(steps - step)))
    raise GeometryError(
        f"the slices are not evenly spaced: {steps[at]:.2f} mm between {_names(ordered, at)}, "
        f"and {step:.2f} mm elsewhere",
        file=ordered[at].file,
        attribute=_POSITION,
        advice="Choose a series with even spacing; such a stack cannot be analysed as a volume.",
    )


def _tolerance(step: float) -> float:
    return min(POSITION_TOLERANCE_MM, RELATIVE_TOLERANCE * abs(step))


def _fit(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(value at slice 0, change per slice) of the straight line through ``values``, N or N x 3, least squares."""
    index = np.arange(len(values), dtype=np.float64)
    centred = index - index.mean()
    mean = values.mean(axis=0)
    slope = centred @ (values - mean) / (centred @ centred)
    return np.asarray(mean - slope * index.mean()), np.asarray(slope)


def _deviation(places: FloatArray) -> float:
    start, step = _fit(places)
    return float(np.abs(places - start - step * np.arange(len(places))).max())


def _stack(ordered: tuple[Plane, ...], ladder: _Ladder) -> Stack:
    start, step = _fit(ladder.places)
    middle, lean = ladder.across.mean(axis=0), np.zeros(3)
    off = np.linalg.norm(ladder.across - middle, axis=1).max()
    tilt = 0.0
    if off > _lateral_tolerance(ordered[0]):
        middle, lean = _fit(ladder.across)
        tilt = float(np.degrees(np.arctan2(np.linalg.norm(lean), float(step))))
        off = _check_straight(ordered, ladder, middle, lean)
    origin = middle + ladder.normal * start
    return Stack(
        planes=ordered,
        geometry=_geometry(ordered, origin, ladder.normal * step + lean),
        tilt_degrees=tilt,
        deviation=max(float(off), _deviation(ladder.places)),
    )


def _lateral_tolerance(plane: Plane) -> float:
    return min(LATERAL_TOLERANCE_MM, 0.25 * min(plane.spacing or (0.0,)))


def _check_straight(ordered: tuple[Plane, ...], ladder: _Ladder, middle: FloatArray, lean: FloatArray) -> float:
    wanted = middle + np.outer(np.arange(len(ordered)), lean)
    off = np.linalg.norm(ladder.across - wanted, axis=1)
    if off.max() > _lateral_tolerance(ordered[0]):
        at = int(np.argmax(off))
        raise GeometryError(
            f"the slices do not lie over one another: this one is {off[at]:.1f} mm aside",
            file=ordered[at].file,
            attribute=_POSITION,
            advice="These may be several stacks in one series: export them separately.",
        )
    return float(off.max())


def _geometry(ordered: tuple[Plane, ...], origin: FloatArray, step: FloatArray) -> Geometry:
    row, column, _ = _axes(ordered)
    between_rows, between_columns = np.mean([plane.spacing or () for plane in ordered], axis=0)
    affine = np.eye(4)
    affine[:3] = np.column_stack([step, column * between_rows, row * between_columns, origin])
    return Geometry(
        shape=(len(ordered), *ordered[0].size),
        affine=affine,
        frame_of_reference_uid=ordered[0].frame_of_reference_uid,
    )


def _names(ordered: tuple[Plane, ...], at: int) -> str:
    return f"{_name(ordered[at])} and {_name(ordered[at + 1])}"


def _name(plane: Plane) -> str:
    name = Path(plane.file).name
    return f"{name} frame {plane.frame + 1}" if plane.frames > 1 else name


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
