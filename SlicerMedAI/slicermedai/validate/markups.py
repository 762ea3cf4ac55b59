"""Markups of 3D Slicer (``.mrk.json``) as references: boxes, balls around points, and closed curves, in LPS mm.

The file's own coordinate system is obeyed, LPS or RAS. A markup has no name in its file: the labels of its points are
taken, without the running number ("Lesion-1" is "Lesion"). A point is a ball where its description says how large it
is: "radius 5 mm" or "diameter 9.5 mm". Curves are taken as straight between their points.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import InputError, UnreadableFileError
from slicermedai.validate import contours
from slicermedai.validate.contours import ball, box, filled, one_by_one
from slicermedai.validate.froc import Lesion

SUFFIX = ".json"
_ROUNDING = 0.01
"""Of a voxel: boxes that end at the face of the image do not reach beyond it."""
_RAS = np.diag([-1.0, -1.0, 1.0])
_NUMBERED = re.compile(r"[-_ ]+\d+$")
_SIZE = re.compile(r"(radius|diameter)\s*[:=]?\s*(\d+(?:\.\d+)?)\s*mm", re.IGNORECASE)
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxShape:
    """A box: unit vectors of its edges are the columns of ``axes``."""

    name: str
    centre: FloatArray
    axes: FloatArray
    size: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BallShape:
    """A ball, radius in mm."""

    name: str
    centre: FloatArray
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurveShape:
    """A closed curve, (N, 3)."""

    name: str
    points: FloatArray


Shape = BoxShape | BallShape | CurveShape


def read(path: Path) -> tuple[Shape, ...]:
    """All shapes of a file of markups, or of all such files of a folder; points that were never placed are left out.

    Raises
    ------
    UnreadableFileError
        Not a file of markups, or damaged.
    InputError
        A kind of markup, a coordinate system or a unit that is not known here, or a point without a size.
    """
    paths = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    return tuple(shape for one in paths for markup in _markups(one) for shape in _shapes(markup, one))


def masks(shapes: tuple[Shape, ...], grid: Geometry) -> dict[str, BoolArray]:
    """Name -> (slices, rows, columns) bool on ``grid``; shapes of one name are one structure.

    Raises
    ------
    GeometryError
        Curves that do not lie in planes of the grid; see :func:`.contours.filled`. Shapes that mark no voxel of it.
    """
    made: dict[str, BoolArray] = {}
    for name in dict.fromkeys(shape.name for shape in shapes):
        own = [shape for shape in shapes if shape.name == name]
        curves = [shape.points for shape in own if isinstance(shape, CurveShape)]
        mask = filled(curves, grid, name=name, joined=one_by_one)
        for shape in own:
            if isinstance(shape, BoxShape):
                mask |= box(shape.centre, shape.axes, shape.size, grid, name=name)
            elif isinstance(shape, BallShape):
                mask |= ball(shape.centre, shape.radius, grid, name=name)
        made[name] = mask
    return made


def voxels_cut(shapes: tuple[Shape, ...], grid: Geometry) -> dict[str, int]:
    """Name -> about how many voxels of shapes that :func:`masks` takes lie beyond the grid, where any do."""
    made: dict[str, int] = {}
    for name in dict.fromkeys(shape.name for shape in shapes):
        own = [shape for shape in shapes if shape.name == name]
        curves = [shape.points for shape in own if isinstance(shape, CurveShape)]
        count = contours.voxels_cut(curves, grid, name=name, joined=one_by_one)
        count += sum(_rough_cut(shape, grid) for shape in own if not isinstance(shape, CurveShape))
        made |= {name: count} if count else {}
    return made


def is_rough(shape: Shape) -> bool:
    """True for boxes and balls: they hold a structure, and are not its outline."""
    return not isinstance(shape, CurveShape)


def lesions(shapes: tuple[Shape, ...]) -> tuple[Lesion, ...]:
    """Balls, and boxes as balls of their mean edge, as lesions of a :class:`~slicermedai.validate.froc.Scan`."""
    found = []
    for shape in shapes:
        if not isinstance(shape, CurveShape):
            diameter = 2 * shape.radius if isinstance(shape, BallShape) else float(shape.size.mean())
            left, posterior, superior = (float(value) for value in shape.centre)
            found.append(Lesion(position=(left, posterior, superior), diameter=diameter))
    return tuple(found)


def _rough_cut(shape: BoxShape | BallShape, grid: Geometry) -> int:
    if isinstance(shape, BoxShape):
        size, reach = float(np.prod(shape.size)), np.abs(shape.axes) @ shape.size / 2
        mask = box(shape.centre, shape.axes, shape.size, grid, name=shape.name)
    else:
        size, reach = 4 / 3 * np.pi * shape.radius**3, np.full(3, shape.radius)
        mask = ball(shape.centre, shape.radius, grid, name=shape.name)
    ends = np.array(np.meshgrid(*np.stack([shape.centre - reach, shape.centre + reach], axis=1), indexing="ij"))
    index = grid.to_index(ends.reshape(3, -1).T)
    far = np.array(grid.shape) - 0.5 + _ROUNDING
    if index.min() >= -0.5 - _ROUNDING and bool((index.max(axis=0) <= far).all()):
        return 0
    return max(0, round(size / grid.voxel_volume) - int(mask.sum()))


def _markups(path: Path) -> list[Mapping[str, Any]]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        found = body["markups"]
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise TypeError("markups")
    except (OSError, *_DAMAGE) as error:
        raise UnreadableFileError(f"holds no markups ({type(error).__name__})", file=path) from error
    return found


def _shapes(markup: Mapping[str, Any], path: Path) -> list[Shape]:
    kind = str(markup.get("type"))
    make = _KINDS.get(kind)
    if make is None:
        raise InputError(
            f"a markup of type {kind!r} encloses nothing", file=path, attribute="type", advice=f"Known: {_KNOWN}."
        )
    try:
        return make(markup, _to_lps(markup, path), path)
    except _DAMAGE as error:
        raise UnreadableFileError(
            f"a markup of type {kind!r} lacks what belongs to it", file=path, attribute="markups"
        ) from error


def _to_lps(markup: Mapping[str, Any], path: Path) -> FloatArray:
    """What takes the file's coordinates to LPS mm; the schema's default is LPS."""
    unit = markup.get("coordinateUnits", "mm")
    if unit not in ("mm", ["mm", "mm", "mm"]):
        raise InputError("coordinates must be in mm", file=path, attribute="coordinateUnits")
    system = str(markup.get("coordinateSystem", "LPS"))
    if system not in ("LPS", "RAS"):
        raise InputError("must be LPS or RAS", file=path, attribute="coordinateSystem")
    return np.eye(3) if system == "LPS" else _RAS


def _box(markup: Mapping[str, Any], to_lps: FloatArray, path: Path) -> list[Shape]:
    if markup.get("insideOut") or markup.get("roiType", "Box") not in ("Box", "BoundingBox"):
        raise InputError("only boxes that hold what is inside of them can be read", file=path, attribute="roiType")
    size = np.array(markup["size"], dtype=np.float64)
    axes = np.array(markup["orientation"], dtype=np.float64).reshape(3, 3)
    if size.shape != (3,) or not (size > 0).all() or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise ValueError("size")
    return [
        BoxShape(
            name=_name(_placed(markup), path),
            centre=to_lps @ np.array(markup["center"], dtype=np.float64),
            axes=to_lps @ axes,
            size=size,
        )
    ]


def _balls(markup: Mapping[str, Any], to_lps: FloatArray, path: Path) -> list[Shape]:
    return [
        BallShape(name=_name([point], path), centre=to_lps @ _position(point), radius=_radius(point, path))
        for point in _placed(markup)
    ]


def _curve(markup: Mapping[str, Any], to_lps: FloatArray, path: Path) -> list[Shape]:
    points = _placed(markup)
    if len(points) < 3:
        raise ValueError("controlPoints")
    places = np.stack([_position(point) for point in points]) @ to_lps.T
    return [CurveShape(name=_name(points, path), points=places)]


def _placed(markup: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in markup["controlPoints"] if one.get("positionStatus", "defined") == "defined"]


def _position(point: Mapping[str, Any]) -> FloatArray:
    place = np.array(point["position"], dtype=np.float64)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise ValueError("position")
    return place


def _radius(point: Mapping[str, Any], path: Path) -> float:
    found = _SIZE.search(str(point.get("description", "")))
    if found is None or not float(found[2]):
        raise InputError(
            "a point does not say how large the thing is that it marks",
            file=path,
            attribute="description",
            advice='Write "radius 5 mm" or "diameter 10 mm" into its description.',
        )
    return float(found[2]) / (2 if found[1].lower() == "diameter" else 1)


def _name(points: list[Mapping[str, Any]], path: Path) -> str:
    label = str(points[0].get("label") or "") if points else ""
    return without_number(label) or path.name.split(".")[0]


def without_number(label: str) -> str:
    """``label`` without the running number at its end: "Lesion-1" is "Lesion"."""
    return _NUMBERED.sub("", label).strip()


_KINDS: dict[str, Callable[[Mapping[str, Any], FloatArray, Path], list[Shape]]] = {
    "ROI": _box,
    "Fiducial": _balls,
    "ClosedCurve": _curve,
}
_KNOWN = ", ".join(_KINDS)
