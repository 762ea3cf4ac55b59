"""A BINARY or LABELMAP segmentation back as masks on their grid: ours, and others that keep to regular stacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.dicom.files import READ_ERRORS, understood
from slicermedai.domain.codes import Code
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.codes import from_item
from slicermedai.export.frame_read import decoded, is_compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAlgorithm:
    """What made a segment: ``kind`` is AUTOMATIC, SEMIAUTOMATIC or MANUAL; all is "" where the file does not say."""

    kind: str = ""
    name: str = ""
    version: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadSegment:
    """One segment as the file has it; ``color`` is sRGB, None where the file recommends none."""

    number: int
    name: str
    category: Code
    type: Code
    tracking_uid: str
    mask: PackedMask
    modifier: Code | None = None
    color: tuple[int, int, int] | None = None
    algorithm: ReadAlgorithm = ReadAlgorithm()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadSegmentation:
    """A segmentation as the file has it; ``geometry`` spans all frames, slices in the order of their indices."""

    sop_instance_uid: str
    series_uid: str
    geometry: Geometry
    segments: tuple[ReadSegment, ...]


def read(path: Path) -> ReadSegmentation:
    """Read a BINARY or LABELMAP segmentation; a label map's background is no segment.

    Raises
    ------
    UnreadableFileError
        Not a DICOM file, or cut off.
    FormatError
        Neither of these, or its frames are no regular stack, or it holds what it must not.
    """
    dataset = read_dataset(path)
    with understood(path):
        return _segmentation(dataset, path)


def _segmentation(dataset: Dataset, path: Path) -> ReadSegmentation:
    if dataset.get("Modality") != "SEG" or dataset.get("SegmentationType") not in _READERS:
        raise FormatError("is no BINARY or LABELMAP segmentation", file=path, attribute="SegmentationType")
    geometry, slices = stack_of(dataset, path)
    planes_of = _READERS[dataset.SegmentationType](dataset, slices)
    return ReadSegmentation(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        geometry=geometry,
        segments=tuple(
            _segment(one, geometry, planes_of(int(one.SegmentNumber)))
            for one in dataset.SegmentSequence
            if one.SegmentNumber != dataset.get("PixelPaddingValue")
        ),
    )


def read_dataset(path: Path) -> Dataset:
    """The data set in ``path`` with its pixels; raises :class:`~slicermedai.errors.UnreadableFileError`."""
    try:
        dataset = dcmread(path)
        dataset.get("PixelData")
    except READ_ERRORS as error:
        raise UnreadableFileError("cannot be read as DICOM", file=path) from error
    return dataset


def _segment(
    described: Dataset,
    geometry: Geometry,
    planes: tuple[NDArray[np.intp], NDArray[np.bool_]],
) -> ReadSegment:
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[planes[0]] = planes[1]
    kind = described.SegmentedPropertyTypeCodeSequence[0]
    modifiers = kind.get("SegmentedPropertyTypeModifierCodeSequence") or ()
    return ReadSegment(
        number=int(described.SegmentNumber),
        name=str(described.SegmentLabel),
        category=from_item(described.SegmentedPropertyCategoryCodeSequence[0]),
        type=from_item(kind),
        tracking_uid=str(described.get("TrackingUID", "")),
        mask=PackedMask.from_array(mask, geometry),
        modifier=from_item(modifiers[0]) if modifiers else None,
        color=_color(described),
        algorithm=_algorithm(described),
    )


def _color(described: Dataset) -> tuple[int, int, int] | None:
    """CIELab back as sRGB, which rounding may move by one."""
    from highdicom.color import CIELabColor

    lab = described.get("RecommendedDisplayCIELabValue")
    if not lab:
        return None
    red, green, blue = CIELabColor.from_dicom_value([int(part) for part in lab]).to_rgb()
    return int(red), int(green), int(blue)


def _algorithm(described: Dataset) -> ReadAlgorithm:
    said = (described.get("SegmentationAlgorithmIdentificationSequence") or [Dataset()])[0]
    parameters = str(said.get("AlgorithmParameters", ""))
    return ReadAlgorithm(
        kind=str(described.get("SegmentAlgorithmType", "")),
        name=str(said.get("AlgorithmName") or described.get("SegmentAlgorithmName", "")),
        version=str(said.get("AlgorithmVersion", "")),
        parameters=tuple(filter(None, parameters.split("; "))),
    )


_Planes = Callable[[int], tuple[NDArray[np.intp], NDArray[np.bool_]]]
"""Number of a segment -> the slices of its frames, and the frames."""


def _of_binary(dataset: Dataset, slices: NDArray[np.intp]) -> _Planes:
    owners = np.array([_segment_number(group) for group in dataset.PerFrameFunctionalGroupsSequence])
    frames = _unpacked(dataset)
    return lambda number: (slices[owners == number], frames[owners == number])


def _of_label_map(dataset: Dataset, slices: NDArray[np.intp]) -> _Planes:
    frames = decoded(dataset)
    return lambda number: (slices, frames == number)


_READERS: dict[str, Callable[[Dataset, NDArray[np.intp]], _Planes]] = {
    "BINARY": _of_binary,
    "LABELMAP": _of_label_map,
}


def _unpacked(dataset: Dataset) -> NDArray[np.bool_]:
    """(frames, rows, columns)."""
    if is_compressed(dataset):
        return decoded(dataset).astype(bool)
    shape = (int(dataset.NumberOfFrames), int(dataset.Rows), int(dataset.Columns))
    packed, count = np.frombuffer(dataset.PixelData, np.uint8), math.prod(shape)
    if packed.size * 8 < count:
        raise FormatError("has fewer voxels than it says", file=dataset.filename, attribute="PixelData")
    bits = np.unpackbits(packed, count=count, bitorder="little")
    return bits.reshape(shape).astype(bool)


def _segment_number(group: Dataset) -> int:
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def stack_of(dataset: Dataset, path: Path) -> tuple[Geometry, NDArray[np.intp]]:
    """The grid that spans all frames, and the slice of each frame in it; FormatError for what is no regular stack."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    across, down = _cosines(shared.PlaneOrientationSequence[0])
    positions = _positions(dataset)
    step, slices = _stack(dataset, positions, spacing=float(measures.SpacingBetweenSlices))
    affine = np.eye(4)
    spacing = [float(v) for v in measures.PixelSpacing]
    first = positions[int(np.argmin(slices))]
    affine[:3] = np.column_stack([step, down * spacing[0], across * spacing[1], first])
    expected = first + np.outer(slices, step)
    if np.abs(expected - positions).max() > 0.01 * float(measures.SpacingBetweenSlices):
        raise FormatError("the frames are no regular stack", file=path, attribute="ImagePositionPatient")
    geometry = Geometry(
        shape=(int(slices.max()) + 1, int(dataset.Rows), int(dataset.Columns)),
        affine=affine,
        frame_of_reference_uid=str(dataset.FrameOfReferenceUID),
    )
    return geometry, slices


def _stack(dataset: Dataset, positions: NDArray[Any], *, spacing: float) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The step in mm from slice to slice, and the slice of each frame, from 0."""
    across, down = _cosines(dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0])
    normal = np.cross(across, down)
    along = positions @ normal
    order = np.array([_last_index(group) for group in _groups(dataset)])
    first, last = int(np.argmin(order)), int(np.argmax(order))
    count = round(float(np.linalg.norm(positions[last] - positions[first])) / spacing)
    if count == 0:
        return normal * spacing, np.zeros(len(positions), dtype=np.intp)
    step = (positions[last] - positions[first]) / count
    slices = np.rint((along - along[first]) / float(step @ normal)).astype(np.intp)
    return step, slices


def _last_index(group: Dataset) -> int:
    """The place along the slices, which may be the only dimension."""
    values = group.FrameContentSequence[0].DimensionIndexValues
    return int(values if isinstance(values, int) else values[-1])


def _positions(dataset: Dataset) -> NDArray[Any]:
    """(frames, 3), LPS mm of the first voxels."""
    places = [group.PlanePositionSequence[0].ImagePositionPatient for group in _groups(dataset)]
    return np.array(places, dtype=np.float64)


def _groups(dataset: Dataset) -> list[Dataset]:
    return list(dataset.PerFrameFunctionalGroupsSequence)


def _cosines(plane: Dataset) -> tuple[NDArray[Any], NDArray[Any]]:
    values = np.array(plane.ImageOrientationPatient, dtype=np.float64)
    return values[:3], values[3:]
