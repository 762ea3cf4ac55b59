"""DICOM Segmentation, BINARY (PS3.3 A.51, C.8.20): what every PACS and viewer takes.

The file is built here frame by frame, for full control over geometry, bytes and time. Empty frames are left out,
except the first and the last slice of the grid: so every reader gets the whole grid back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from highdicom.color import CIELabColor
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import subject, words
from slicermedai.export.attributes import BODY_PART, SPACE
from slicermedai.export.codes import AI_FAMILY, DERIVED_BY_SEGMENTATION, concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import (
    Frame,
    derivation,
    dimensions,
    frame_groups,
    item,
    referenced_series,
    shared_groups,
)
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
    dataset = _segmentation(result, findings, context)
    finish(dataset, context, result=result, kind=KIND)
    return [save(dataset, folder / FILE_NAME)]


def _segmentation(result: AnalysisResult, findings: tuple[Finding, ...], context: ExportContext) -> Dataset:
    sources = source_frames(context.headers, subject.grid(result))
    dataset = dimensions(context.uids.other("dimensions"))
    describe(dataset, result, findings, context=context, sources=sources)
    dataset.SegmentationType = "BINARY"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    _frames(dataset, findings, result=result, sources=sources)
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


def _frames(
    dataset: Dataset,
    findings: tuple[Finding, ...],
    *,
    result: AnalysisResult,
    sources: tuple[SourceFrame, ...],
) -> None:
    """Pixels and per-frame groups, segment after segment, so that one mask at a time is in memory."""
    grid = subject.grid(result)
    covered: NDArray[Any] = np.zeros(grid.shape, dtype=bool)
    overlap, frames, bits = False, [], _Bits()
    for number, finding in enumerate(findings, 1):
        mask = subject.region(finding).to_array()
        overlap = overlap or bool((covered & mask).any())
        covered |= mask
        wanted = slices_with(mask, edges=number == 1)
        frames += [Frame(index=int(index), segment=number) for index in wanted]
        bits.add(mask[wanted])
    dataset.SegmentsOverlap = "YES" if overlap else "NO"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = grid.shape[1], grid.shape[2], len(frames)
    dataset.PerFrameFunctionalGroupsSequence = groups_of(frames, result=result, sources=sources)
    dataset.PixelData = bits.finish()


def slices_with(mask: NDArray[Any], *, edges: bool) -> NDArray[np.intp]:
    """The slices to be written: those with voxels, and with ``edges`` the first and the last one."""
    used: NDArray[np.bool_] = np.array([bool(plane.any()) for plane in mask])
    if edges:
        used[[0, -1]] = True
    return np.flatnonzero(used)


def groups_of(frames: list[Frame], *, result: AnalysisResult, sources: tuple[SourceFrame, ...]) -> list[Dataset]:
    """The functional groups of each of ``frames``."""
    grid = subject.grid(result)
    order = {index: place for place, index in enumerate(sorted({frame.index for frame in frames}), 1)}
    return [
        frame_groups(
            frame,
            grid,
            order=order[frame.index],
            source=derivation(sources[frame.index], DERIVED_BY_SEGMENTATION),
        )
        for frame in frames
    ]


class _Bits:
    """Frames as one run of bits, least significant first (PS3.5 8.1.1), packed as they come to spare memory."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._rest = np.empty(0, dtype=bool)

    def add(self, planes: NDArray[np.bool_]) -> None:
        """Append (frames, rows, columns); bits that fill no byte wait for the next frames."""
        waiting = np.concatenate([self._rest, planes.reshape(-1)])
        whole = waiting.size // 8 * 8
        self._packed.append(np.packbits(waiting[:whole], bitorder="little").tobytes())
        self._rest = waiting[whole:]

    def finish(self) -> bytes:
        """All bits, padded to an even number of bytes."""
        packed = b"".join([*self._packed, np.packbits(self._rest, bitorder="little").tobytes()])
        return packed + b"\0" * (len(packed) % 2)
