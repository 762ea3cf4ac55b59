"""What a classifier says of an image as a whole, as a report: TID 1500 with one TID 1501 group for each finding.

Such a finding has no place but the image itself, which each group cites; a side it has where label or image says it.
It is a document of its own, since readers of segments (TID 1411) take no other groups beside them.
"""

from __future__ import annotations

from pathlib import Path

from highdicom.sr import SourceImageForMeasurementGroup
from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.templates import MeasurementsAndQualitativeEvaluations, TrackingIdentifier
from highdicom.sr.value_types import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from slicermedai.domain.codes import Code
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export import codes, explanations, sr_tree, subject
from slicermedai.export.codes import concept
from slicermedai.export.context import ExportContext
from slicermedai.export.explanations import CitedMap, cited_maps
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.multiframe import item, sop_reference
from slicermedai.export.sr import describe
from slicermedai.export.uids import is_uid

KIND = ObjectKind(name="sr-image", sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR", offset=10)
FILE_NAME = "sr-image.dcm"
_Image = tuple[str, str, list[int] | None]
"""SOP class, SOP instance, and the frames of it where not all were analysed."""
_CONTAINS, _CONTEXT = RelationshipTypeValues.CONTAINS, RelationshipTypeValues.HAS_ACQ_CONTEXT


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/sr-image.dcm`` of the findings without a region, or that nothing was found; nothing where all
    findings have regions.

    Raises
    ------
    FormatError
        A tracking UID that is none.
    MissingContextError
        The source has no headers.
    """
    numbers = [n for n, one in enumerate(result.findings, 1) if one.region is None]
    if result.findings and not numbers:
        return []
    return [save(finish(_document(result, numbers, context), context, result=result, kind=KIND), folder / FILE_NAME)]


def _document(result: AnalysisResult, numbers: list[int], context: ExportContext) -> Dataset:
    images = _images(context)
    maps = cited_maps(result, context)
    content = [_library(context.header, images), _body(result, numbers, images, maps)]
    if numbers and result.needs_a_look:
        content.append(sr_tree.remarks(result))
    dataset = Dataset()
    for element in sr_tree.report(result, content, modality=str(context.header.get("Modality", ""))):
        dataset.add(element)
    describe(dataset, result, context.header)
    series = item(
        SeriesInstanceUID=str(context.header.SeriesInstanceUID),
        ReferencedSOPSequence=[sop_reference(kind, uid) for kind, uid, _ in images],
    )
    cited = [series, *explanations.evidence(maps)]
    study = item(StudyInstanceUID=str(context.header.StudyInstanceUID), ReferencedSeriesSequence=cited)
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]
    return dataset


def _images(context: ExportContext) -> list[_Image]:
    """Each image that was analysed."""
    named = dict.fromkeys((str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in context.headers)
    return [(kind, uid, list(context.chosen.get(uid, ())) or None) for kind, uid in named]


def _library(header: Dataset, images: list[_Image]) -> ContainerContentItem:
    """TID 1600, with what holds for pictures that have no place in the patient."""
    modality = concept(codes.acquisition(str(header.get("Modality", ""))))
    entries = [
        ImageContentItem(
            name=concept(codes.SOURCE),
            referenced_sop_class_uid=kind,
            referenced_sop_instance_uid=uid,
            referenced_frame_numbers=frames,
            relationship_type=_CONTAINS,
        )
        for kind, uid, frames in images
    ]
    said = CodeContentItem(name=concept(codes.MODALITY), value=modality, relationship_type=_CONTEXT)
    group = _container(codes.IMAGE_LIBRARY_GROUP, [said, *entries])
    return _container(codes.IMAGE_LIBRARY, [group])


def _container(name: Code, content: list[ContentItem]) -> ContainerContentItem:
    made = ContainerContentItem(name=concept(name), relationship_type=_CONTAINS)
    made.ContentSequence = ContentSequence(content)
    return made


def _body(
    result: AnalysisResult, numbers: list[int], images: list[_Image], maps: tuple[CitedMap, ...]
) -> ContainerContentItem:
    if not numbers:
        return sr_tree.outcome_without_findings(result)
    made = ContainerContentItem(name=standard.DCM.ImagingMeasurements, relationship_type=_CONTAINS)
    groups = [_group(result, number, images) for number in numbers]
    for number, group in zip(numbers, groups, strict=True):
        group[0].ContentSequence.extend(explanations.links(maps, result.findings[number - 1].tracking_uid))
    made.ContentSequence = ContentSequence([part for group in groups for part in group])
    return made


def _group(result: AnalysisResult, number: int, images: list[_Image]) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501; a calibrated probability is its number, and there is none otherwise."""
    found = result.findings[number - 1]
    if not is_uid(found.tracking_uid):
        raise FormatError(f"finding {found.label.name!r} has no valid UID", attribute="tracking_uid")
    numbers = (*found.measurements, *subject.probability(result, found))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=found.tracking_uid, identifier=subject.tracking_id(result, number)),
        finding_type=concept(found.label.type),
        finding_sites=sr_tree.sites(found),
        algorithm_id=sr_tree.algorithm(result, found),
        measurements=[sr_tree.measurement(result, found, one) for one in numbers],
        source_images=[SourceImageForMeasurementGroup(*image) for image in images],
    )
