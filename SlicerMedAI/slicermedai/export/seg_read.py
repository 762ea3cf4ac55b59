"""A segmentation back as masks on their grid: ours, and others that keep to regular stacks.

BINARY and LABELMAP are read as they are, FRACTIONAL with a threshold that the caller names: never with one of our own.
"""

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
from slicermedai.errors import FormatError, InputError, UnreadableFileError
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
    """A segmentation as the file has it; ``geometry`` spans all frames, slices in the order of their indices.

    ``cut`` says in words what of a FRACTIONAL one counted as inside; "" for the others.
    """

    sop_instance_uid: str
    series_uid: str
    geometry: Geometry
    segments: tuple[ReadSegment, ...]
    cut: str = ""


def read(path: Path, *, threshold: float | None = None) -> ReadSegmentation:
    """Read a segmentation; a label map's background is no segment.

    Of a FRACTIONAL one the voxels of at least ``threshold`` of its largest value (above 0, at most 1) are inside.

    Raises
    ------
    UnreadableFileError
        Not a DICOM file, or cut off.
    FormatError
        No segmentation, or FRACTIONAL without ``threshold``, or its frames are no regular stack, or it holds what it
        must not.
    InputError
        A threshold that no voxel can be held against.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise InputError("is a share of the largest value, above 0 and at most 1", attribute="threshold")
    dataset = read_dataset(path)
    with understood(path):
        return _segmentation(dataset, path, threshold)


def _segmentation(dataset: Dataset, path: Path, threshold: float | None) -> ReadSegmentation:
    if dataset.get("Modality") != "SEG" or dataset.get("SegmentationType") not in _READERS:
        raise FormatError("is no BINARY, FRACTIONAL or LABELMAP segmentation", file=path, attribute="SegmentationType")
    share = _share(dataset, path, threshold)
    geometry, slices = stack_of(dataset, path)
    planes_of = _READERS[dataset.SegmentationType](dataset, slices, share)
    return ReadSegmentation(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        geometry=geometry,
        segments=tuple(
            _segment(one, geometry, planes_of(int(one.SegmentNumber)))
            for one in dataset.SegmentSequence
            if dataset.SegmentationType != "LABELMAP" or one.SegmentNumber != dataset.get("PixelPaddingValue")
        ),
        cut=_cut(dataset, share),
    )


def _share(dataset: Dataset, path: Path, threshold: float | None) -> float:
    """What part of the largest value is inside; 1 where every voxel is inside or not."""
    if dataset.SegmentationType != "FRACTIONAL":
        return 1.0
    if threshold is None:
        raise FormatError(
            "is FRACTIONAL, and nobody said which of its values are inside",
            file=path,
            attribute="SegmentationType",
            advice="Read it with a threshold, a share of its largest value.",
        )
    return threshold


def _cut(dataset: Dataset, share: float) -> str:
    if dataset.SegmentationType != "FRACTIONAL":
        return ""
    kind = dataset.get("SegmentationFractionalType")
    named = f"FRACTIONAL {kind}" if kind in ("PROBABILITY", "OCCUPANCY") else "FRACTIONAL"
    return f"{named}: what is at least {share:g} of the largest value is read as inside, the rest is not read"


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


def _of_binary(dataset: Dataset, slices: NDArray[np.intp], share: float) -> _Planes:
    return _owned(dataset, slices, _unpacked(dataset))


def _of_fractions(dataset: Dataset, slices: NDArray[np.intp], share: float) -> _Planes:
    """PS3.3 C.8.20.2.3: values from 0 to Maximum Fractional Value."""
    largest, frames = int(dataset.MaximumFractionalValue), decoded(dataset)
    if largest < 1 or frames.max(initial=0) > largest:
        raise FormatError("is not the largest of its values", file=dataset.filename, attribute="MaximumFractionalValue")
    return _owned(dataset, slices, frames >= math.ceil(share * largest - 1e-9))


def _owned(dataset: Dataset, slices: NDArray[np.intp], frames: NDArray[np.bool_]) -> _Planes:
    """Frames that are of one segment each."""
    owners = np.array([_segment_number(group) for group in dataset.PerFrameFunctionalGroupsSequence])
    return lambda number: (slices[owners == number], frames[owners == number])


def _of_label_map(dataset: Dataset, slices: NDArray[np.intp], share: float) -> _Planes:
    frames = decoded(dataset)
    return lambda number: (slices, frames == number)


_READERS: dict[str, Callable[[Dataset, NDArray[np.intp], float], _Planes]] = {
    "BINARY": _of_binary,
    "FRACTIONAL": _of_fractions,
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
