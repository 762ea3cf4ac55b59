"""Detections as a Comprehensive 3D SR: boxes and points in space, in a document of their own.

A box is a Volume Surface of TID 1411: its lower and its upper face as two polygons in LPS mm. Groups of segments stand
in :mod:`sr`, for readers take one kind of group in a document.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from highdicom.sr.content import SourceImageForSegmentation, VolumeSurface
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.domain.finding import Box, Point
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export import sr_tree
from slicermedai.export.context import ExportContext
from slicermedai.export.explanations import cited_maps
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.source import SourceFrame, source_planes
from slicermedai.export.sr import check_space, describe, evidence
from slicermedai.export.sr_library import image_library
from slicermedai.export.uids import is_uid

KIND = ObjectKind(name="sr-regions", sop_class="1.2.840.10008.5.1.4.1.1.88.34", modality="SR", offset=8)
FILE_NAME = "sr-regions.dcm"


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/sr-regions.dcm`` of the findings that are boxes or points; nothing where there are none.

    Raises
    ------
    FormatError
        A tracking UID that is none, or a source without a frame of reference.
    MissingContextError
        The source has no headers.
    """
    numbers = [n for n, one in enumerate(result.findings, 1) if isinstance(one.region, (Box, Point))]
    if not numbers:
        return []
    dataset = _document(result, numbers, context)
    return [save(finish(dataset, context, result=result, kind=KIND), folder / FILE_NAME)]


def _document(result: AnalysisResult, numbers: list[int], context: ExportContext) -> Dataset:
    header, sources = context.header, tuple(source_planes(context))
    check_space(header)
    places = [(number, _place(result, number, header, sources)) for number in numbers]
    content = [image_library(context, sources), sr_tree.located(result, places, cited_maps(result, context))]
    remarks = [sr_tree.remarks(result)] if result.needs_a_look else []
    dataset = Dataset()
    for element in sr_tree.report(result, [*content, *remarks], modality=str(header.get("Modality", ""))):
        dataset.add(element)
    describe(dataset, result, header)
    dataset.CurrentRequestedProcedureEvidenceSequence = [evidence(context, sources, result=result)]
    return dataset


def _place(result: AnalysisResult, number: int, header: Dataset, sources: tuple[SourceFrame, ...]) -> VolumeSurface:
    finding = result.findings[number - 1]
    if not is_uid(finding.tracking_uid):
        raise FormatError(f"finding {finding.label.name!r} has no valid UID", attribute="tracking_uid")
    if isinstance(finding.region, Box):
        kind, data = "POLYGON", _faces(finding.region)
    elif isinstance(finding.region, Point):
        kind, data = "POINT", [np.array([finding.region.position], dtype=np.float64)]
    else:
        raise FormatError(f"finding {finding.label.name!r} is no box and no point", attribute="region")
    return VolumeSurface(
        graphic_type=kind,
        graphic_data=data,
        frame_of_reference_uid=str(header.FrameOfReferenceUID),
        source_images=[_image(sources, np.concatenate(data).mean(axis=0))],
    )


def _image(sources: tuple[SourceFrame, ...], middle: NDArray[np.float64]) -> SourceImageForSegmentation:
    """The image plane that lies nearest to ``middle``, LPS mm."""
    normal = np.cross(sources[0].axes[:, 0], sources[0].axes[:, 1])
    nearest = min(sources, key=lambda frame: abs(float((middle - frame.position) @ normal)))
    frames = None if nearest.number is None else [nearest.number]
    return SourceImageForSegmentation(nearest.sop_class_uid, nearest.sop_instance_uid, frames)


def _faces(box: Box) -> list[NDArray[np.float64]]:
    """The lower and the upper face, closed, each 5 x 3 LPS mm."""
    (left, front, low), (right, back, high) = box.low, box.high
    corners = ((left, front), (right, front), (right, back), (left, back), (left, front))
    return [np.array([(x, y, z) for x, y in corners], dtype=np.float64) for z in (low, high)]
