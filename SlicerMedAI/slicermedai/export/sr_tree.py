"""The content tree of a report: TID 1500 Measurement Report, one TID 1411 group for each segment.

Trees hold one kind of group, with the same measurements in the same order in each, in the order of the segments:
readers match table columns and segments by position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr.content import (
    CoordinatesForMeasurement,
    FindingSite,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    VolumeSurface,
)
from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.templates import (
    DEFAULT_LANGUAGE,
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    Measurement,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    TimePointContext,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr.value_types import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    TextContentItem,
)
from pydicom.sr.codedict import codes as standard

from slicermedai.dicom.decimals import decimal_string
from slicermedai.dicom.implementation import DEVICE_UID, MANUFACTURER, MODEL_NAME
from slicermedai.domain import finding as domain
from slicermedai.domain.codes import Code
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import FormatError
from slicermedai.export import codes, reviews, subject, words
from slicermedai.export.codes import concept
from slicermedai.export.explanations import CitedMap, links

_CONTAINS = RelationshipTypeValues.CONTAINS
_MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedSegmentation:
    """The segmentation that the groups cite, the series it was made from, and the maps that explain findings."""

    sop_class_uid: str
    sop_instance_uid: str
    source_series_uid: str
    maps: tuple[CitedMap, ...] = ()


def report(result: AnalysisResult, content: list[ContentItem], *, modality: str) -> ContainerContentItem:
    """The root of the tree (TID 1500) around ``content``: language, observer, procedure."""
    root = ContainerContentItem(name=standard.DCM.ImagingMeasurementReport, template_id="1500")
    procedure = CodeContentItem(
        name=standard.DCM.ProcedureReported,
        value=concept(codes.procedure(modality)),
        relationship_type=_MODIFIER,
    )
    root.ContentSequence = ContentSequence(
        [
            *LanguageOfContentItemAndDescendants(DEFAULT_LANGUAGE),
            *observers(result),
            procedure,
            *content,
        ]
    )
    return root


def measurements(
    result: AnalysisResult,
    findings: tuple[domain.Finding, ...],
    cited: CitedSegmentation,
) -> ContainerContentItem:
    """Imaging Measurements, a group for each of ``findings`` in their order.

    Raises
    ------
    FormatError
        Findings whose measurements differ in name, unit or order, or that have none.
    """
    _check_columns(findings)
    made = ContainerContentItem(name=standard.DCM.ImagingMeasurements, relationship_type=_CONTAINS)
    numbers = range(1, len(findings) + 1)
    groups = [_group(result, number, _segment(number, cited), cited.maps) for number in numbers]
    made.ContentSequence = ContentSequence([item for group in groups for item in group])
    return made


def located(
    result: AnalysisResult, places: Sequence[tuple[int, VolumeSurface]], maps: tuple[CitedMap, ...]
) -> ContainerContentItem:
    """Imaging Measurements of findings (by number, from 1) that lie in space and are no segments."""
    made = ContainerContentItem(name=standard.DCM.ImagingMeasurements, relationship_type=_CONTAINS)
    groups = [_group(result, number, place, maps) for number, place in places]
    made.ContentSequence = ContentSequence([item for group in groups for item in group])
    return made


def source_series(uid: str) -> SourceSeriesForSegmentation:
    """Row 12 of TID 1411, named in the standard's own words."""
    made = SourceSeriesForSegmentation(uid)
    made.ConceptNameCodeSequence = [concept(codes.SOURCE_SERIES)]
    return made


def outcome_without_findings(result: AnalysisResult) -> ContainerContentItem:
    """Qualitative Evaluations that say: nothing was found, people rejected all of it, or the algorithm failed."""
    summary = CodeContentItem(
        name=concept(codes.ALGORITHM_SUMMARY),
        value=concept(subject.summary(result)),
        relationship_type=_CONTAINS,
    )
    texts = [
        (codes.ALGORITHM_NAME, subject.algorithm_name(result)),
        (codes.ALGORITHM_VERSION, subject.algorithm_version(result)),
        *[(codes.ALGORITHM_PARAMETERS, text) for text in subject.algorithm_parameters(result)],
    ]
    if result.status is Status.COMPLETE:
        texts.append((codes.COMMENT, words.outcome(result)))
    if result.message:
        texts.append((codes.COMMENT, result.message))
    return _evaluations([summary, *[_text(name, value) for name, value in texts], *_warnings(result)])


def remarks(result: AnalysisResult) -> ContainerContentItem:
    """Qualitative Evaluations with every warning that must be read before the measurements."""
    return _evaluations(_warnings(result))


def _warnings(result: AnalysisResult) -> list[TextContentItem]:
    return [_text(codes.COMMENT, text) for text in subject.warnings(result)]


def _evaluations(items: Sequence[ContentItem]) -> ContainerContentItem:
    made = ContainerContentItem(name=concept(codes.QUALITATIVE_EVALUATIONS), relationship_type=_CONTAINS)
    made.ContentSequence = ContentSequence(items)
    return made


def _text(name: Code, value: str) -> TextContentItem:
    return TextContentItem(name=concept(name), value=value, relationship_type=_CONTAINS)


def observers(result: AnalysisResult) -> ObservationContext:
    """TID 1001: the algorithm, and the person who verified or edited last; readers take one person here."""
    people = reviews.observers(result)
    return ObservationContext(
        observer_person_context=_person(people[-1].name) if people else None,
        observer_device_context=_device(result),
    )


def _person(name: str) -> ObserverContext:
    """TID 1003."""
    return ObserverContext(
        observer_type=standard.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=name),
    )


def _device(result: AnalysisResult) -> ObserverContext:
    """TID 1002 and TID 1004: a device, with the same UID in each of our reports."""
    device = DeviceObserverIdentifyingAttributes(
        uid=DEVICE_UID,
        name=f"{MANUFACTURER} {result.provenance.bundle}",
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=DEVICE_UID,
    )
    return ObserverContext(observer_type=standard.DCM.Device, observer_identifying_attributes=device)


def _segment(number: int, cited: CitedSegmentation) -> ReferencedSegment:
    return ReferencedSegment(
        sop_class_uid=cited.sop_class_uid,
        sop_instance_uid=cited.sop_instance_uid,
        segment_number=number,
        source_series=source_series(cited.source_series_uid),
    )


def _group(
    result: AnalysisResult,
    number: int,
    place: ReferencedSegment | VolumeSurface,
    maps: tuple[CitedMap, ...],
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """TID 1411."""
    found = result.findings[number - 1]
    why = found.why_not_measured if isinstance(place, VolumeSurface) else ""
    numbers = (*(() if why else found.measurements), *subject.probability(result, found))
    made = VolumetricROIMeasurementsAndQualitativeEvaluations(
        time_point_context=_time_point(result),
        tracking_identifier=TrackingIdentifier(uid=found.tracking_uid, identifier=subject.tracking_id(result, number)),
        referenced_segment=place if isinstance(place, ReferencedSegment) else None,
        referenced_volume_surface=place if isinstance(place, VolumeSurface) else None,
        finding_type=concept(found.label.type),
        finding_sites=sites(found),
        measurements=[measurement(result, found, one) for one in numbers],
        algorithm_id=_algorithm_without_numbers(result, found, why) if why or not numbers else None,
    )
    made[0].ContentSequence.extend(links(maps, found.tracking_uid))
    return made


def _algorithm_without_numbers(result: AnalysisResult, found: domain.Finding, why: str) -> AlgorithmIdentification:
    """Of a group whose numbers do not name it, with the reason where there should have been some."""
    return algorithm(result, found, *([f"Not measured: {why}"] if why else []))


def _time_point(result: AnalysisResult) -> TimePointContext | None:
    """TID 1502, of one image of several over time."""
    moment = result.moment
    return None if moment is None else TimePointContext(moment.in_words)


def sites(found: domain.Finding) -> list[FindingSite] | None:
    """A structure is its own site; where a lesion lies is not known from its label, but for the side."""
    modifier = found.label.modifier
    if found.label.category not in codes.ANATOMICAL:
        somewhere = concept(codes.ANATOMICAL[1])
        return (
            [FindingSite(anatomic_location=somewhere, laterality=concept(modifier))]
            if modifier in codes.SIDES
            else None
        )
    site = concept(found.label.type)
    if modifier is None:
        return [FindingSite(anatomic_location=site)]
    if modifier in codes.SIDES:
        return [FindingSite(anatomic_location=site, laterality=concept(modifier))]
    return [FindingSite(anatomic_location=site, topographical_modifier=concept(modifier))]


def measurement(
    result: AnalysisResult,
    found: domain.Finding,
    one: domain.Measurement,
    *,
    places: Sequence[CoordinatesForMeasurement] = (),
) -> Measurement:
    """TID 300, with the algorithm on the number itself (TID 4019); ``places`` are what it was measured between."""
    made = Measurement(
        name=concept(one.name),
        value=0.0 if one.missing else agreed(one),
        unit=concept(one.unit),
        qualifier=concept(codes.VALUE_INDETERMINATE) if one.missing else None,
        derivation=None if one.derivation is None else concept(one.derivation),
        method=None if one.method is None else concept(one.method),
        referenced_coordinates=places or None,
        algorithm_id=algorithm(result, found, *(() if one.missing else subject.measured_of(result, found))),
    )
    if one.missing:
        made[0].MeasuredValueSequence = []  # no number, and why (PS3.3 C.18.1): the library cannot make an item without
    return made


def algorithm(result: AnalysisResult, found: domain.Finding, *more: str) -> AlgorithmIdentification:
    """TID 4019: what made a number or a finding, how sure it is of it, and ``more`` that must be said beside it."""
    return AlgorithmIdentification(
        name=subject.algorithm_name(result),
        version=subject.algorithm_version(result),
        parameters=[*subject.algorithm_parameters(result), subject.calibration(found), *more],
    )


def agreed(one: domain.Measurement) -> float:
    """The value as a Decimal String can say it, so that Numeric Value and Floating Point Value are one number."""
    if not math.isfinite(one.value):
        raise FormatError(f"measurement {one.name.meaning!r} is no number", attribute="measurements")
    return float(decimal_string(one.value))


def _check_columns(findings: tuple[domain.Finding, ...]) -> None:
    columns = {tuple((one.name, one.derivation, one.unit) for one in found.measurements) for found in findings}
    if len(columns) > 1 or () in columns:
        raise FormatError(
            "findings need measurements, the same ones in the same order, for readers take columns by position",
            attribute="measurements",
        )
