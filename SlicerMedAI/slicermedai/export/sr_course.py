"""What a series over time gave as a report: TID 1500 with one TID 1501 group for each ejection fraction.

A segmentation is of one frame, and so is the report on it (TID 1411): readers take what lies at one place for one time.
The numbers that are of several frames are a document of their own, whose groups bear the tracking UID of the structure
and cite the images of the frames that they are of: the end of diastole and the end of systole.
"""

from __future__ import annotations

from pathlib import Path

from highdicom.sr import SourceImageForMeasurementGroup
from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.templates import (
    AlgorithmIdentification,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    TrackingIdentifier,
)
from highdicom.sr.value_types import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from slicermedai.domain import finding as domain
from slicermedai.domain.codes import Code
from slicermedai.domain.course import Course, Ejection, FrameOutcome
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import InstanceRef
from slicermedai.errors import FormatError
from slicermedai.export import codes, sr_tree, subject
from slicermedai.export.codes import concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import item, sop_reference
from slicermedai.export.sr import describe
from slicermedai.export.sr_images import OVER_TIME
from slicermedai.export.uids import is_uid

KIND = ObjectKind(name="sr-course", sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR", offset=11)
FILE_NAME = "sr-course.dcm"
_CONTAINS, _CONTEXT = RelationshipTypeValues.CONTAINS, RelationshipTypeValues.HAS_ACQ_CONTEXT


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/sr-course.dcm`` of the ejection fractions of ``result``; nothing where it has none.

    Raises
    ------
    FormatError
        A tracking UID that is none.
    MissingContextError
        The source has no headers.
    """
    course = result.course
    told = () if course is None else tuple(one for one in course.ejections if not one.refused)
    if course is None or not told:
        return []
    dataset = finish(_document(result, course, told, context), context, result=result, kind=KIND)
    return [save(dataset, folder / FILE_NAME)]


def _document(result: AnalysisResult, course: Course, told: tuple[Ejection, ...], context: ExportContext) -> Dataset:
    images = list(dict.fromkeys(image for frame in course.frames for image in frame.images))
    made = ContainerContentItem(name=standard.DCM.ImagingMeasurements, relationship_type=_CONTAINS)
    groups = [_group(result, course, one, number) for number, one in enumerate(told, 1)]
    made.ContentSequence = ContentSequence([part for group in groups for part in group])
    modality = str(context.header.get("Modality", ""))
    dataset = Dataset()
    content = [_library(modality, images), made, *([sr_tree.remarks(result)] if result.needs_a_look else [])]
    for element in sr_tree.report(result, content, modality=modality):
        dataset.add(element)
    describe(dataset, result, context.header)
    series = item(
        SeriesInstanceUID=str(context.header.SeriesInstanceUID),
        ReferencedSOPSequence=[
            sop_reference(*one) for one in dict.fromkeys((one.sop_class_uid, one.sop_instance_uid) for one in images)
        ],
    )
    study = item(StudyInstanceUID=str(context.header.StudyInstanceUID), ReferencedSeriesSequence=[series])
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]
    return dataset


def _library(modality: str, images: list[InstanceRef]) -> ContainerContentItem:
    """TID 1600: the images of the frames that the numbers are of."""
    entries: list[ContentItem] = [
        ImageContentItem(
            name=concept(codes.SOURCE),
            referenced_sop_class_uid=one.sop_class_uid,
            referenced_sop_instance_uid=one.sop_instance_uid,
            referenced_frame_numbers=list(one.chosen) or None,
            relationship_type=_CONTAINS,
        )
        for one in images
    ]
    said = CodeContentItem(
        name=concept(codes.MODALITY), value=concept(codes.acquisition(modality)), relationship_type=_CONTEXT
    )
    return _container(codes.IMAGE_LIBRARY, [_container(codes.IMAGE_LIBRARY_GROUP, [said, *entries])])


def _container(name: Code, content: list[ContentItem]) -> ContainerContentItem:
    made = ContainerContentItem(name=concept(name), relationship_type=_CONTAINS)
    made.ContentSequence = ContentSequence(content)
    return made


def _group(result: AnalysisResult, course: Course, one: Ejection, number: int) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501: both volumes and the fraction, each with its name of PS3.16 CID 3833, 3468 and 3469."""
    if not is_uid(one.tracking_uid):
        raise FormatError(f"{one.label.name!r} has no valid UID", attribute="tracking_uid")
    numbers = [item for item in (one.end_diastolic, one.end_systolic, one.fraction) if item is not None]
    ends = [course.frames[index] for index in (one.diastole, one.systole) if index is not None]
    found = domain.Finding(tracking_uid=one.tracking_uid, label=one.label)
    name = subject.line(f"{result.provenance.bundle} {one.label.name}")[:52].strip()
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=one.tracking_uid, identifier=f"{name} {number}{OVER_TIME}"),
        finding_type=concept(one.label.type),
        finding_sites=sr_tree.sites(found),
        measurements=[_measured(result, found, one, ends) for one in numbers],
        source_images=[_cited(image) for frame in ends for image in frame.images],
    )


def _cited(image: InstanceRef) -> SourceImageForMeasurementGroup:
    return SourceImageForMeasurementGroup(image.sop_class_uid, image.sop_instance_uid, list(image.chosen) or None)


def _measured(
    result: AnalysisResult, found: domain.Finding, one: domain.Measurement, ends: list[FrameOutcome]
) -> Measurement:
    """TID 300, whose algorithm says which frames were taken, and that nothing calibrated the number."""
    said = [f"{name}: {end.moment.in_words}" for name, end in zip(_ENDS, ends, strict=True)]
    algorithm = AlgorithmIdentification(
        name=subject.algorithm_name(result),
        version=subject.algorithm_version(result),
        parameters=[*subject.algorithm_parameters(result), *said, subject.calibration(found)],
    )
    return Measurement(
        name=concept(one.name),
        value=sr_tree.agreed(one),
        unit=concept(one.unit),
        method=None if one.method is None else concept(one.method),
        algorithm_id=algorithm,
    )


_ENDS = ("largest volume", "smallest volume")
