"""NRRD and MetaImage files through ITK, refused where the file does not say where its voxels lie."""

from __future__ import annotations

from pathlib import Path

import SimpleITK

from slicermedai.dicom.volumes import from_sitk
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, UnreadableFileError


def read_image(path: Path) -> Volume:
    """The scalar volume in ``path``, LPS.

    Raises
    ------
    UnreadableFileError
        Truncated, or not what its name says.
    GeometryError
        NRRD without a space, or axes that are not at right angles.
    UnsupportedImageError
        Two- or four-dimensional, colour, NaN voxels.
    """
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_space(reader, path)
        image = reader.Execute()
    except RuntimeError as error:
        raise _explained(path, str(error)) from error
    return from_sitk(image, name=path.name)


def _explained(path: Path, message: str) -> GeometryError | UnreadableFileError:
    if "orthonormal" in message:
        return GeometryError(
            "the axes are not at right angles",
            file=path,
            attribute="space directions",
            advice="Resample the image to a grid without shear.",
        )
    return UnreadableFileError(
        "damaged, truncated, or not what its name says", file=path, advice="Copy or export the file again."
    )


def _check_space(reader: SimpleITK.ImageFileReader, path: Path) -> None:
    nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))
    if nrrd and "NRRD_space" not in reader.GetMetaDataKeys() and reader.GetNumberOfComponents() == 1:
        raise GeometryError(
            "does not say where the image lies in the patient",
            file=path,
            attribute="space",
            advice="Export it again with its orientation.",
        )
