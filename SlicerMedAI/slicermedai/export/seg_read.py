"""A BINARY or LABELMAP segmentation back as masks on their grid: ours, and others that keep to regular stacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
from slicermedai.export.frame_stack import stack_of


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
    tracking_id: str = ""


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
        tracking_id=str(described.get("TrackingID", "")),
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
