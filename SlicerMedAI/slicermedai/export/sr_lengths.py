"""Lengths that web viewers draw, as a report: TID 1500 with one TID 1501 group for each, its ends on the image.

Viewers of the Cornerstone family (OHIF) take a group for an editable line by its Tracking Identifier, and its comment
for the line's label. All numbers here stand in the report too, which says more: who reads a result passes this over.
These viewers count rows and columns in one spacing, so that images whose pixels are not square get no lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom.sr import CoordinatesForMeasurement, SourceImageForRegion
from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.templates import MeasurementsAndQualitativeEvaluations, TrackingIdentifier
from highdicom.sr.value_types import ContainerContentItem, ContentSequence, TextContentItem
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from slicermedai.domain.codes import MILLIMETER
from slicermedai.domain.finding import Finding, Measurement
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export import codes, sr_tree
from slicermedai.export.codes import concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import item, sop_reference
from slicermedai.export.reviews import verifiers
from slicermedai.export.source import SourceFrame, source_planes
from slicermedai.export.sr import check_space, describe
from slicermedai.export.sr_library import image_library
from slicermedai.export.sr_read import TOOL
from slicermedai.export.uids import is_uid, named_uid

KIND = ObjectKind(name="sr-lengths", sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR", offset=11)
FILE_NAME = "sr-lengths.dcm"
_OFF_PLANE = 0.15  # mm that an end may lie beside its image: positions of slices may vary by 0.1 mm
_SQUARE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """A length of the ``number``-th finding: its ``image``, and its ends there, 2 x (column, row) from the corner."""

    number: int
    measurement: Measurement
    image: SourceFrame
    ends: NDArray[np.float64]
    tracking_uid: str


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/sr-lengths.dcm`` of all lengths whose two ends lie on one image; nothing where there are none.

    Raises
    ------
    FormatError
        A tracking UID that is none, or a source without a frame of reference or without what places its images.
    MissingContextError
        The source has no headers.
    """
    if not any(_is_length(one) for found in result.findings for one in found.measurements):
        return []
    check_space(context.header)
    lines = list(_lines(result, source_planes(context)))
    if not lines:
        return []
    return [save(finish(_document(result, lines, context), context, result=result, kind=KIND), folder / FILE_NAME)]


def _is_length(one: Measurement) -> bool:
    return one.unit == MILLIMETER and len(one.points) == 2 and not one.missing


def _lines(result: AnalysisResult, sources: list[SourceFrame]) -> Iterator[_Line]:
    """The first line of a finding is tracked as the finding itself, the others beside it: viewers join what is one."""
    for number, found in enumerate(result.findings, 1):
        if not is_uid(found.tracking_uid):
            raise FormatError(f"finding {found.label.name!r} has no valid UID", attribute="tracking_uid")
        uid = found.tracking_uid
        for place, one in enumerate(found.measurements, 1):
            image = _image(one, sources) if _is_length(one) else None
            if image is not None:
                yield _Line(number=number, measurement=one, image=image, ends=_on(image, one), tracking_uid=uid)
                uid = named_uid("length", found.tracking_uid, str(place))


def _image(one: Measurement, sources: list[SourceFrame]) -> SourceFrame | None:
    """The image that both ends lie on; None where there is none, or where its pixels are not square."""
    ends = np.asarray(one.points, dtype=np.float64)
    normal = np.cross(sources[0].axes[:, 0], sources[0].axes[:, 1])
    normal /= np.linalg.norm(normal)
    nearest = min(sources, key=lambda frame: float(np.abs((ends - frame.position) @ normal).max()))
    horizontal, vertical = np.linalg.norm(nearest.axes, axis=0)
    if np.abs((ends - nearest.position) @ normal).max() > _OFF_PLANE or abs(horizontal / vertical - 1) > _SQUARE:
        return None
    return nearest


def _on(image: SourceFrame, one: Measurement) -> NDArray[np.float64]:
    """Places on ``image`` as DICOM counts them: the middle of the first pixel is (0.5, 0.5) (PS3.3 C.18.6.1.1)."""
    away = np.asarray(one.points, dtype=np.float64) - image.position
    places = np.linalg.lstsq(image.axes, away.T, rcond=None)[0].T + 0.5
    rows, columns = image.size
    return np.clip(places, 0.0, (columns, rows))


def _document(result: AnalysisResult, lines: list[_Line], context: ExportContext) -> Dataset:
    header = context.header
    images = tuple({(one.image.sop_instance_uid, one.image.number): one.image for one in lines}.values())
    content = [image_library(context, images), _measurements(result, lines)]
    remarks = [sr_tree.remarks(result)] if result.needs_a_look else []
    dataset = Dataset()
    for element in sr_tree.report(result, [*content, *remarks], modality=str(header.get("Modality", ""))):
        dataset.add(element)
    describe(dataset, result, header)
    cited = dict.fromkeys((one.sop_class_uid, one.sop_instance_uid) for one in images)
    series = item(
        SeriesInstanceUID=str(header.SeriesInstanceUID),
        ReferencedSOPSequence=[sop_reference(*one) for one in cited],
    )
    study = item(StudyInstanceUID=str(header.StudyInstanceUID), ReferencedSeriesSequence=[series])
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]
    return dataset


def _measurements(result: AnalysisResult, lines: list[_Line]) -> ContainerContentItem:
    made = ContainerContentItem(
        name=standard.DCM.ImagingMeasurements, relationship_type=RelationshipTypeValues.CONTAINS
    )
    made.ContentSequence = ContentSequence([part for line in lines for part in _group(result, line)])
    return made


def _group(result: AnalysisResult, line: _Line) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501 with one measurement, whose coordinates name the image (TID 320)."""
    found = result.findings[line.number - 1]
    made = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=line.tracking_uid, identifier=TOOL),
        finding_type=concept(found.label.type),
        finding_sites=sr_tree.sites(found),
        measurements=[sr_tree.measurement(result, found, line.measurement, places=[_coordinates(line)])],
    )
    comment = TextContentItem(
        name=concept(codes.COMMENT),
        value=_said(result, found, line.measurement),
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    made[0].ContentSequence.append(comment)
    return made


def _coordinates(line: _Line) -> CoordinatesForMeasurement:
    frames = None if line.image.number is None else [line.image.number]
    source = SourceImageForRegion(line.image.sop_class_uid, line.image.sop_instance_uid, frames)
    return CoordinatesForMeasurement(graphic_type="POLYLINE", graphic_data=line.ends, source_image=source)


def _said(result: AnalysisResult, found: Finding, one: Measurement) -> str:
    """What a viewer writes beside the line."""
    return f"{found.label.name}: {one.title}{'' if verifiers(result) else ', by an algorithm, not verified'}"
