"""DICOM Segmentation, BINARY (PS3.3 A.51, C.8.20): what every PACS and viewer takes.

The file is written frame by frame, for full control over geometry, bytes, memory and time. Empty frames are left out,
except the first and the last slice of the grid: so every reader gets the whole grid back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Finding
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import subject, words
from slicermedai.export.attributes import BODY_PART, SPACE
from slicermedai.export.codes import AI_FAMILY, DERIVED_BY_SEGMENTATION, concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish
from slicermedai.export.frame_file import save_frames
from slicermedai.export.multiframe import (
    Frame,
    dimensions,
    encoded_groups,
    item,
    referenced_series,
    shared_groups,
)
from slicermedai.export.planes import Planes, planes_of
from slicermedai.export.reviews import algorithm_type
from slicermedai.export.source import SourceFrame, source_frames

KIND = ObjectKind(
    name="seg",
    sop_class="1.2.840.10008.5.1.4.1.1.66.4",
    modality="SEG",
    offset=1,
    place=(BODY_PART, *SPACE),
)
FILE_NAME = "seg.dcm"


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/seg.dcm``; nothing where the result has no findings (the report says so instead).

    Raises
    ------
    FormatError
        Findings without voxels or on another grid than the source's images, or a source that lacks what a
        segmentation must say; the attribute is named.
    MissingContextError
        The source has no headers.
    """
    findings = subject.segmented(result)
    if not findings:
        return []
    sources = source_frames(context, subject.grid(result))
    dataset = _segmentation(result, findings, context=context, sources=sources)
    planes = planes_of(findings, subject.grid(result))
    frames = _frames(planes)
    sized(dataset, subject.grid(result), count=len(frames), overlap=planes.overlap)
    finish(dataset, context, result=result, kind=KIND)
    groups = encoded_groups(frames, subject.grid(result), sources=sources, derived=DERIVED_BY_SEGMENTATION)
    return [save_frames(dataset, folder / FILE_NAME, groups=groups, frames=_bits(planes, frames))]


def _segmentation(
    result: AnalysisResult,
    findings: tuple[Finding, ...],
    *,
    context: ExportContext,
    sources: tuple[SourceFrame, ...],
) -> Dataset:
    dataset = dimensions(context.uids.other("dimensions"))
    describe(dataset, result, findings, context=context, sources=sources)
    dataset.SegmentationType = "BINARY"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    return dataset


def describe(
    dataset: Dataset,
    result: AnalysisResult,
    findings: tuple[Finding, ...],
    *,
    context: ExportContext,
    sources: tuple[SourceFrame, ...],
) -> None:
    """All that is the same for a BINARY segmentation and a label map: what the segments are, and where they lie."""
    header = context.header
    _image_module(dataset, header)
    dataset.ContentDescription = words.said_of(result)
    if result.needs_a_look:
        dataset.ImageComments = "\r\n".join(subject.warnings(result))[:10240]
    dataset.ContentCreatorName = subject.line(f"{MANUFACTURER}^{result.provenance.bundle}")
    dataset.SegmentSequence = [_segment(result, finding, n) for n, finding in enumerate(findings, 1)]
    dataset.ReferencedSeriesSequence = referenced_series(str(header.SeriesInstanceUID), sources)
    dataset.SharedFunctionalGroupsSequence = [shared_groups(subject.grid(result))]


def _image_module(dataset: Dataset, header: Dataset) -> None:
    """Segmentation Image module (C.8.20.2); a source that lost something when compressed passes that on."""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel = "SEGMENTATION"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "00"
    if header.get("LossyImageCompression") == "01":
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in header:
                setattr(dataset, keyword, header[keyword].value)


def _segment(result: AnalysisResult, finding: Finding, number: int) -> Dataset:
    made = item(
        SegmentNumber=number,
        SegmentLabel=subject.line(finding.label.name),
        SegmentAlgorithmType=algorithm_type(result, finding),
        SegmentAlgorithmName=subject.algorithm_name(result),
        SegmentationAlgorithmIdentificationSequence=[_algorithm(result)],
        TrackingID=subject.tracking_id(result, number),
        TrackingUID=finding.tracking_uid,
        RecommendedDisplayCIELabValue=[int(part) for part in CIELabColor.from_rgb(*finding.label.color).value],
    )
    _property(made, finding.label)
    return made


def _property(made: Dataset, label: Label) -> None:
    made.SegmentedPropertyCategoryCodeSequence = [concept(label.category)]
    made.SegmentedPropertyTypeCodeSequence = [concept(label.type)]
    if label.modifier is not None:
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [concept(label.modifier)]


def _algorithm(result: AnalysisResult) -> Dataset:
    """Algorithm Identification macro (PS3.3 table 10-19)."""
    return item(
        AlgorithmFamilyCodeSequence=[concept(AI_FAMILY)],
        AlgorithmName=subject.algorithm_name(result),
        AlgorithmVersion=subject.algorithm_version(result),
        AlgorithmParameters="; ".join(subject.algorithm_parameters(result)),
    )


def sized(dataset: Dataset, grid: Geometry, *, count: int, overlap: bool) -> None:
    """How many frames of which size follow, and whether segments share voxels."""
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = grid.shape[1], grid.shape[2], count
    dataset.SegmentsOverlap = "YES" if overlap else "NO"


def _frames(planes: Planes) -> list[Frame]:
    """Segment after segment the slices with voxels; of the first segment the ends of the grid too."""
    used = planes.used.copy()
    used[0, [0, -1]] = True
    return [Frame(index=int(index), segment=int(place) + 1) for place, index in np.argwhere(used)]


def _bits(planes: Planes, frames: list[Frame]) -> Iterator[bytes]:
    """Frames as one run of bits, least significant first (PS3.5 8.1.1); bits that fill no byte wait for the next."""
    rest = np.empty(0, dtype=bool)
    for frame in frames:
        waiting = np.concatenate([rest, planes.mask(frame.segment, frame.index).reshape(-1)])
        whole = waiting.size // 8 * 8
        yield np.packbits(waiting[:whole], bitorder="little").tobytes()
        rest = waiting[whole:]
    yield np.packbits(rest, bitorder="little").tobytes()
