"""DICOM Label Map Segmentation (PS3.3 A.51, C.8.20): one frame a slice, whose values are segment numbers.

Small where there are many segments, and for those readers that take it: its SOP class is newer than most of them. So
its BINARY twin is written too, which goes to archives that do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import seg, subject
from slicermedai.export.codes import DERIVED_BY_SEGMENTATION, concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish
from slicermedai.export.frame_file import save_frames
from slicermedai.export.multiframe import Frame, dimensions, encoded_groups, item
from slicermedai.export.planes import Planes, exclusive
from slicermedai.export.rle import encode_frame
from slicermedai.export.source import SourceFrame, source_frames

KIND = ObjectKind(
    name="seg-labelmap",
    sop_class="1.2.840.10008.5.1.4.1.1.66.7",
    modality="SEG",
    offset=9,
    place=seg.KIND.place,
)
FILE_NAME, PLAIN_FILE_NAME = "seg-labelmap.dcm", "seg-labelmap-plain.dcm"
BACKGROUND = Code(value="125040", scheme="DCM", meaning="Background")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Made:
    """One form of the object, with UIDs of its own: what ``encode`` makes of a frame."""

    kind: ObjectKind
    syntax: UID
    encode: Callable[[NDArray[Any]], bytes]


_PLAIN = _Made(kind=KIND, syntax=ExplicitVRLittleEndian, encode=lambda plane: plane.tobytes())
_COMPACT = _Made(kind=replace(KIND, name="seg-labelmap-rle", offset=12), syntax=RLELossless, encode=encode_frame)


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/seg-labelmap.dcm``, and ``folder/seg.dcm`` where it is not there; nothing without findings.

    The frames are in RLE Lossless where their values are bytes: no more is decoded by web viewers.

    Raises
    ------
    FormatError
        Findings that overlap, which a label map cannot say, or what a BINARY segmentation refuses too.
    MissingContextError
        The source has no headers.
    """
    findings = subject.segmented(result)
    compact = _kind(findings) == np.uint8
    return _written(result, findings, context=context, made=_COMPACT if compact else _PLAIN, path=folder / FILE_NAME)


def write_plain(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/seg-labelmap-plain.dcm``, uncompressed, as :func:`write` else."""
    findings = subject.segmented(result)
    return _written(result, findings, context=context, made=_PLAIN, path=folder / PLAIN_FILE_NAME)


def _written(
    result: AnalysisResult, findings: tuple[Finding, ...], *, context: ExportContext, made: _Made, path: Path
) -> list[Path]:
    if not findings:
        return []
    grid, kind = subject.grid(result), _kind(findings)
    planes = exclusive(findings, grid)
    sources = source_frames(context, grid)
    frames = _frames(planes)
    dataset = _described(result, findings, context=context, sources=sources)
    _pixels(dataset, kind)
    seg.sized(dataset, grid, count=len(frames), overlap=False)
    finish(dataset, context, result=result, kind=made.kind)
    dataset.file_meta.TransferSyntaxUID = made.syntax
    twin = path.with_name(seg.FILE_NAME)
    twins = [] if twin.exists() else seg.write(result, path.parent, context=context)
    groups = encoded_groups(frames, grid, sources=sources, derived=DERIVED_BY_SEGMENTATION)
    pixels = (made.encode(planes.labels(frame.index, kind)) for frame in frames)
    return [*twins, save_frames(dataset, path, groups=groups, frames=pixels)]


def _kind(findings: tuple[Finding, ...]) -> np.dtype[Any]:
    return np.dtype("u1" if len(findings) < 256 else "<u2")


def _frames(planes: Planes) -> list[Frame]:
    """The slices with voxels, and the ends of the grid."""
    used = np.asarray(planes.used.any(axis=0))
    used[[0, -1]] = True
    return [Frame(index=int(index)) for index in np.flatnonzero(used)]


def _described(
    result: AnalysisResult,
    findings: tuple[Finding, ...],
    *,
    context: ExportContext,
    sources: tuple[SourceFrame, ...],
) -> Dataset:
    dataset = dimensions(context.uids.other("label map dimensions"), by_segment=False)
    seg.describe(dataset, result, findings, context=context, sources=sources)
    dataset.SegmentSequence.insert(0, _background(dataset.SegmentSequence[0]))
    return dataset


def _pixels(dataset: Dataset, kind: np.dtype[Any]) -> None:
    bits = kind.itemsize * 8
    dataset.SegmentationType = "LABELMAP"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelPaddingValue = 0


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
