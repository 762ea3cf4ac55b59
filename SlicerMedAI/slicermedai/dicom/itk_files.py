"""NRRD and MetaImage files through ITK, refused where the file does not say where its voxels lie.

ITK reads a MetaImage without ``TransformMatrix``, and a NRRD in a space that is no anatomical one, as if they were
LPS, turns left-anterior-superior half round (5.4 negates x, where y points the other way), and hands out sheared axes.
So the text header is asked first, and where a NRRD lies is taken from there (teem.sourceforge.net/nrrd/format.html;
itk.org/Wiki/ITK/MetaIO/Documentation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK

from slicermedai.dicom.volumes import from_sitk
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, UnreadableFileError, UnsupportedImageError

_HEADER_BYTES = 1 << 20
_TO_LPS = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1.0, -1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1.0, -1.0, 1.0)),
}
"""The three-dimensional anatomical spaces of NRRD (in small letters), and what takes them to LPS."""

_FROM = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "I": (2, 1), "S": (2, -1)}
"""AnatomicalOrientation names the side that an axis comes from: its LPS component, and the sign of that."""
_ALONG = 0.3
"""Cosine between an axis and the one it is named for; the closest naming of three oblique axes has 1/3 or more."""

_MILLIMETRES = frozenset({"mm", "?", ""})


@dataclass(frozen=True, slots=True)
class _Format:
    """The ITK reader, the names of the fields that place an image (any of each row), and those of its axes."""

    reader: str
    placing: tuple[tuple[str, ...], ...]
    axes: str
    units: str


_NRRD = _Format(
    "NrrdImageIO", (("space",), ("space directions",), ("space origin",)), "space directions", "space units"
)
_META = _Format(
    "MetaImageIO",
    (
        ("TransformMatrix", "Orientation", "Rotation"),
        ("Offset", "Position", "Origin"),
        ("ElementSpacing", "ElementSize"),
    ),
    "TransformMatrix",
    "DistanceUnits",
)


def read_image(path: Path) -> Volume:
    """The scalar volume in ``path``, LPS mm.

    Raises
    ------
    UnreadableFileError
        Truncated, or not what its name says.
    GeometryError
        NRRD in no anatomical space; MetaImage without a TransformMatrix, or with an AnatomicalOrientation that
        contradicts it; either without an origin or voxel sizes, or with axes that are not at right angles.
    UnsupportedImageError
        Two- or four-dimensional, colour, NaN voxels, lengths that are not in mm.
    """
    form = _NRRD if path.name.lower().endswith((".nrrd", ".nhdr")) else _META
    image, fields = _read(path, form)
    try:
        volume = from_sitk(image, name=path.name)
        volume = _placed(volume, fields) if form is _NRRD else volume
    except GeometryError as error:
        raise _lost(path, form.axes) from error
    if not volume.geometry.is_orthogonal:
        raise _sheared(path, form)
    _check_orientation(volume, path, fields)
    return volume


def holds_its_voxels(path: Path) -> bool:
    """False where the header ``path`` (NRRD or MetaImage) names other files for its voxels."""
    form = _NRRD if path.name.lower().endswith((".nrrd", ".nhdr")) else _META
    fields = _fields(path, form)
    return "datafile" not in fields if form is _NRRD else fields.get("ElementDataFile") == "LOCAL"


def _read(path: Path, form: _Format) -> tuple[SimpleITK.Image, dict[str, str]]:
    """What ITK reads, and the fields of the header, checked unless ITK sees colour or two dimensions.

    A number of dimensions that is none ends the whole process in ITK 5.4, so that is looked at before.
    """
    fields = _fields(path, form)
    if form is _META and fields.get("NDims") not in ("2", "3", "4"):
        raise _broken(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(form.reader)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        if reader.GetNumberOfComponents() == 1 and reader.GetDimension() > 2:
            _check_placing(path, form, fields)
        return reader.Execute(), fields
    except RuntimeError as error:
        raise _explained(path, str(error), form) from error


def _explained(path: Path, message: str, form: _Format) -> GeometryError | UnreadableFileError:
    if "determinant" in message:
        return _lost(path, form.axes)
    return _broken(path)


def _broken(path: Path) -> UnreadableFileError:
    return UnreadableFileError(
        "damaged, truncated, or not what its name says", file=path, advice="Copy or export the file again."
    )


def _sheared(path: Path, form: _Format) -> GeometryError:
    return GeometryError(
        "the axes are not at right angles",
        file=path,
        attribute=form.axes,
        advice="Resample the image to a grid without shear.",
    )


def _lost(path: Path, attribute: str) -> GeometryError:
    return GeometryError(
        "does not say where the image lies in the patient",
        file=path,
        attribute=attribute,
        advice="Export it again with its orientation.",
    )


# --- what the text header says -------------------------------------------------------------------------------------


def _fields(path: Path, form: _Format) -> dict[str, str]:
    """The fields of the header by name (those of NRRD in small letters and without blanks)."""
    with path.open("rb") as file:
        lines = [line.rstrip("\r") for line in file.read(_HEADER_BYTES).decode("latin-1").split("\n")]
    return _nrrd_fields(lines) if form is _NRRD else _meta_fields(lines)


def _check_placing(path: Path, form: _Format, fields: Mapping[str, str]) -> None:
    for names in form.placing:
        if not any(_key(name, form) in fields for name in names):
            raise _lost(path, names[0])
    if form is _NRRD:
        _check_space(path, fields)
    _check_units(path, fields.get(_key(form.units, form), ""), form)


def _key(name: str, form: _Format) -> str:
    return name.replace(" ", "").lower() if form is _NRRD else name


def _nrrd_fields(lines: list[str]) -> dict[str, str]:
    """Up to the first empty line; comments and key:=value pairs are no fields."""
    end = lines.index("") if "" in lines else len(lines)
    pairs = (line.partition(": ") for line in lines[:end] if not line.startswith("#") and ":=" not in line)
    return {_key(name, _NRRD): value.strip() for name, mark, value in pairs if mark}


def _meta_fields(lines: list[str]) -> dict[str, str]:
    """Up to ElementDataFile, which is always the last."""
    fields: dict[str, str] = {}
    for line in lines:
        name, *value = re.split(r"[=:]", line, maxsplit=1)
        fields[name.strip()] = "".join(value).strip()
        if name.strip() == "ElementDataFile":
            break
    return fields


def _check_space(path: Path, fields: Mapping[str, str]) -> None:
    if fields["space"].lower() not in _TO_LPS:
        raise GeometryError(
            "is no anatomical space, so nobody knows which side is left",
            file=path,
            attribute="space",
            advice="Export it again in left-posterior-superior or right-anterior-superior.",
        )
    for name, count in (("space directions", 3), ("space origin", 1)):
        if len(_vectors(fields[_key(name, _NRRD)])) != count:
            raise _lost(path, name)


def _vectors(text: str) -> list[list[float]]:
    """The vectors in ``(x,y,z) (x,y,z)``; an axis without a direction ("none") is none of them."""
    return [[float(number) for number in vector.split(",")] for vector in re.findall(r"\(([^)]*)\)", text)]


def _placed(volume: Volume, fields: Mapping[str, str]) -> Volume:
    """``volume`` where the header of a NRRD says."""
    affine = np.eye(4)
    affine[:3] = np.transpose([*_vectors(fields["spacedirections"]), *_vectors(fields["spaceorigin"])])
    affine[:3] *= np.reshape(_TO_LPS[fields["space"].lower()], (3, 1))
    return replace(volume, geometry=Geometry.from_ijk_lps(volume.geometry.shape, affine))


def _check_units(path: Path, units: str, form: _Format) -> None:
    if not {word.strip('"') for word in units.split()} <= _MILLIMETRES:
        raise UnsupportedImageError(
            "lengths are not in millimetres", file=path, attribute=form.units, advice="Export it again in mm."
        )


def _check_orientation(volume: Volume, path: Path, fields: Mapping[str, str]) -> None:
    """What ITK writes as AnatomicalOrientation follows from TransformMatrix: where it does not, one is wrong."""
    letters = fields.get("AnatomicalOrientation", "").upper()
    if not letters:
        return
    axes = volume.geometry.directions[:, ::-1].T
    named = [_FROM.get(letter, (0, 0)) for letter in letters]
    if len(named) != 3 or any(axis[row] * sign < _ALONG for axis, (row, sign) in zip(axes, named, strict=True)):
        raise GeometryError(
            "contradicts TransformMatrix, or is unknown, so nobody knows which side is left",
            file=path,
            attribute="AnatomicalOrientation",
            advice="Export it again from the original image, with a program that writes both alike (as ITK does).",
        )
