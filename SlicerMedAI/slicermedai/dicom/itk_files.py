"""NIfTI, NRRD and MetaImage files through ITK, refused where the file does not say where its voxels lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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
        NIfTI without qform and sform, or with an sform that is sheared; NRRD without a space.
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
    if path.name.lower().endswith((".nii", ".nii.gz")):
        _check_sform(reader, image, path)
    return from_sitk(image, name=path.name)


def _explained(path: Path, message: str) -> GeometryError | UnreadableFileError:
    if "orthonormal" in message:
        return GeometryError(
            "the axes are not at right angles",
            file=path,
            attribute="srow_x, srow_y, srow_z",
            advice="Resample the image to a grid without shear.",
        )
    return UnreadableFileError(
        "damaged, truncated, or not what its name says", file=path, advice="Copy or export the file again."
    )


def _check_space(reader: SimpleITK.ImageFileReader, path: Path) -> None:
    name = path.name.lower()
    keys = set(reader.GetMetaDataKeys())
    if name.endswith((".nii", ".nii.gz")):
        codes = [reader.GetMetaData(key) for key in ("qform_code", "sform_code") if key in keys]
        placed, attribute = any(code.strip() not in ("", "0") for code in codes), "qform_code, sform_code"
    elif name.endswith((".nrrd", ".nhdr")):
        placed, attribute = "NRRD_space" in keys, "space"
    else:
        return
    if not placed:
        raise GeometryError(
            "does not say where the image lies in the patient",
            file=path,
            attribute=attribute,
            advice="Export it again with its orientation.",
        )


def _check_sform(reader: SimpleITK.ImageFileReader, image: SimpleITK.Image, path: Path) -> None:
    """Where the file has an sform (NIfTI-1, method 3), the geometry read must be that one."""
    if not reader.HasMetaDataKey("sform_code") or reader.GetMetaData("sform_code").strip() == "0":
        return
    rows = [[float(part) for part in reader.GetMetaData(f"srow_{axis}").split()] for axis in "xyz"]
    size = image.GetDimension()
    directions = np.reshape(image.GetDirection(), (size, size))[:3, :3] * image.GetSpacing()[:3]
    found = np.column_stack([directions, image.GetOrigin()[:3]])
    if np.abs(np.diag([-1.0, -1.0, 1.0]) @ np.array(rows) - found).max() > 1e-2:
        raise GeometryError(
            "two different places for one image: qform and sform disagree",
            file=path,
            attribute="srow_x, srow_y, srow_z",
            advice="Correct the header, or export the image again.",
        )
