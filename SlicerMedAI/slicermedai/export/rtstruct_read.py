"""A DICOM RT Structure Set (PS3.3 A.19, C.8.8.5 ff.) back as named contours in LPS mm: ours, and others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.dicom.files import understood
from slicermedai.errors import FormatError
from slicermedai.export.seg_read import read_dataset

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""Geometric types that enclose something; points and open lines do not (PS3.3 C.8.8.6.1)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadContours:
    """One region of interest: ``polygons`` are its closed contours, each (N, 3) LPS mm; ``other`` counts what encloses
    nothing: points and open contours. ``frame_of_reference_uid`` is "" where the file does not say it."""

    number: int
    name: str
    polygons: tuple[NDArray[np.float64], ...]
    other: int = 0
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadStructureSet:
    """A structure set as the file has it; ``frame_of_reference_uid`` is "" where its regions do not share one."""

    frame_of_reference_uid: str
    regions: tuple[ReadContours, ...]


def read(path: Path) -> ReadStructureSet:
    """Read a structure set; regions without any contour are there too, with none.

    Raises
    ------
    UnreadableFileError
        Not a DICOM file, or cut off.
    FormatError
        No structure set, or it holds what it must not.
    """
    dataset = read_dataset(path)
    with understood(path):
        return _structure_set(dataset, path)


def _structure_set(dataset: Dataset, path: Path) -> ReadStructureSet:
    if dataset.get("Modality") != "RTSTRUCT":
        raise FormatError("is no RT Structure Set", file=path, attribute="Modality")
    rois = dataset.get("StructureSetROISequence") or ()
    drawn = {int(one.ReferencedROINumber): one for one in dataset.get("ROIContourSequence") or ()}
    frames = {str(one.get("ReferencedFrameOfReferenceUID", "")) for one in rois}
    return ReadStructureSet(
        frame_of_reference_uid=frames.pop() if len(frames) == 1 else "",
        regions=tuple(_region(one, drawn.get(int(one.ROINumber)), path) for one in rois),
    )


def _region(described: Dataset, drawn: Dataset | None, path: Path) -> ReadContours:
    contours = (drawn.get("ContourSequence") or ()) if drawn is not None else ()
    closed = [one for one in contours if one.ContourGeometricType in CLOSED]
    return ReadContours(
        number=int(described.ROINumber),
        name=str(described.get("ROIName", "")),
        polygons=tuple(_points(one, path) for one in closed),
        other=len(contours) - len(closed),
        frame_of_reference_uid=str(described.get("ReferencedFrameOfReferenceUID", "")),
    )


def _points(contour: Dataset, path: Path) -> NDArray[np.float64]:
    values = np.array([float(value) for value in contour.ContourData], dtype=np.float64)
    if values.size < 9 or values.size % 3 or not np.isfinite(values).all():
        raise FormatError("a closed contour has fewer than three points", file=path, attribute="ContourData")
    return values.reshape(-1, 3)
