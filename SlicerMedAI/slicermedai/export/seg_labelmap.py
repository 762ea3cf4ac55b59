"""DICOM Label Map Segmentation (PS3.3 A.51, C.8.20): one frame a slice, whose values are segment numbers.

Small where there are many segments, and for those readers that take it: its SOP class is newer than most of them. So
its BINARY twin is written too, which goes to archives that do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Finding, Mask
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export import seg, subject
from slicermedai.export.codes import concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import Frame, dimensions, item
from slicermedai.export.source import source_frames

KIND = ObjectKind(
    name="seg-labelmap",
    sop_class="1.2.840.10008.5.1.4.1.1.66.7",
    modality="SEG",
    offset=9,
    place=seg.KIND.place,
)
FILE_NAME = "seg-labelmap.dcm"
BACKGROUND = Code(value="125040", scheme="DCM", meaning="Background")
_MOST_SEGMENTS = 65535


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/seg-labelmap.dcm``, and ``folder/seg.dcm`` where it is not there; nothing without findings.

    Raises
    ------
    FormatError
        Findings that overlap, which a label map cannot say, or what a BINARY segmentation refuses too.
    MissingContextError
        The source has no headers.
    """
    findings = subject.segmented(result)
    if not findings:
        return []
    labels = _labels(findings, result)
    sources = source_frames(context.headers, subject.grid(result))
    dataset = dimensions(context.uids.other("label map dimensions"), by_segment=False)
    seg.describe(dataset, result, findings, context=context, sources=sources)
    dataset.SegmentSequence.insert(0, _background(dataset.SegmentSequence[0]))
    _pixels(dataset, labels)
    frames = [Frame(index=int(index)) for index in seg.slices_with(labels, edges=True)]
    dataset.NumberOfFrames, dataset.PixelData = len(frames), labels[[one.index for one in frames]].tobytes()
    dataset.PerFrameFunctionalGroupsSequence = seg.groups_of(frames, result=result, sources=sources)
    finish(dataset, context, result=result, kind=KIND)
    twin = [] if (folder / seg.FILE_NAME).exists() else seg.write(result, folder, context=context)
    return [*twin, save(dataset, folder / FILE_NAME)]


def _shared(findings: tuple[Finding, ...], kind: np.dtype[Any]) -> NDArray[Any] | None:
    """Findings that are values of one small label map, renumbered at one go; None for all others."""
    regions = [one.region for one in findings]
    masks = [one for one in regions if isinstance(one, Mask)]
    array = masks[0].label_map.array if masks else np.zeros(0)
    values = {one.value for one in masks}
    together = len(values) == len(regions) and all(one.label_map.array is array for one in masks)
    if not together or array.dtype not in (np.uint8, np.uint16):
        return None
    numbers = np.zeros(np.iinfo(array.dtype).max + 1, dtype=kind)
    numbers[[one.value for one in masks]] = range(1, len(masks) + 1)
    return np.asarray(numbers[array])


def _labels(findings: tuple[Finding, ...], result: AnalysisResult) -> NDArray[Any]:
    """The number of the segment of each voxel, from 1; 0 is background."""
    if len(findings) > _MOST_SEGMENTS:
        raise FormatError("more segments than a label map can number", attribute="SegmentSequence")
    kind = np.dtype("u1" if len(findings) < 256 else "<u2")
    shared = _shared(findings, kind)
    if shared is not None:
        return shared
    labels = np.zeros(subject.grid(result).shape, dtype=kind)
    for number, finding in enumerate(findings, 1):
        mask = subject.region(finding).to_array()
        if labels[mask].any():
            raise FormatError(
                "the findings overlap, and a label map has one value a voxel",
                attribute="SegmentsOverlap",
                advice="Ask for seg (BINARY) instead of seg-labelmap.",
            )
        labels[mask] = number
    return labels


def _pixels(dataset: Dataset, labels: NDArray[Any]) -> None:
    bits = labels.dtype.itemsize * 8
    dataset.SegmentationType, dataset.SegmentsOverlap = "LABELMAP", "NO"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelPaddingValue = 0
    dataset.Rows, dataset.Columns = labels.shape[1:]


def _background(like: Dataset) -> Dataset:
    """Segment 0: every value of a label map is described (C.8.20.4)."""
    return item(
        SegmentNumber=0,
        SegmentLabel="Background",
        SegmentAlgorithmType=like.SegmentAlgorithmType,
        SegmentAlgorithmName=like.SegmentAlgorithmName,
        SegmentationAlgorithmIdentificationSequence=like.SegmentationAlgorithmIdentificationSequence,
        RecommendedDisplayCIELabValue=[0, 32896, 32896],
        SegmentedPropertyCategoryCodeSequence=[concept(BACKGROUND)],
        SegmentedPropertyTypeCodeSequence=[concept(BACKGROUND)],
    )
