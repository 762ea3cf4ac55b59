"""Findings as FHIR Observations, the same in R4 and R5: a group for each finding, and a member for each measurement.

They follow HL7's mapping of DICOM SR (dicom-sr 1.0.0): the group of TID 1411 is an Observation that says what was
found and has the measurements as members. Everything is preliminary, until people verified it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Interval, Measurement
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import codes, subject
from slicermedai.export.context import ExportContext
from slicermedai.export.fhir_parts import DEVICE, Ids, Json, absent, concept, orders, quantity, uid_identifier
from slicermedai.export.fhir_parts import subject as patient
from slicermedai.export.reviews import verifiers

_GROUP = Code(value="125007", scheme="DCM", meaning="Measurement Group")
_TRACKING_UID = Code(value="112040", scheme="DCM", meaning="Tracking Unique Identifier")
_DERIVATION = Code(value="121401", scheme="DCM", meaning="Derivation")
_LOWER = Code(value="371885007", scheme="SCT", meaning="Lower limit")
_UPPER = Code(value="371886008", scheme="SCT", meaning="Upper limit")
IMAGING = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}],
    "text": "Imaging",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What all Observations of one bundle share; ``links`` gives what a finding's number adds, by release."""

    result: AnalysisResult
    context: ExportContext
    ids: Ids
    links: dict[int, Json] = field(default_factory=dict)


def observations(saying: Saying) -> list[Json]:
    """All Observations of the result, groups before their members."""
    made = []
    for number, finding in enumerate(saying.result.findings, 1):
        made.append(_group(saying, finding, number))
        made += [_member(saying, finding, number, place) for place in range(1, len(finding.measurements) + 1)]
    return made


def group_name(number: int) -> str:
    """By which name a finding's group has its id."""
    return f"finding {number}"


def _common(saying: Saying, name: str, number: int) -> Json:
    study = saying.ids.reference("ImagingStudy", "study")
    based = orders(saying.context.header)
    return {
        "resourceType": "Observation",
        "id": saying.ids.of(name),
        **({"basedOn": based} if based else {}),
        "partOf": [study],
        "status": "final" if verifiers(saying.result) else "preliminary",
        "category": [IMAGING],
        "subject": patient(saying.context, saying.result.study.identity),
        "issued": saying.context.finished.isoformat(),
        **_performers(saying.result),
        "device": saying.ids.reference("Device", DEVICE),
        "derivedFrom": [study],
        **saying.links.get(number, {}),
    }


def people(result: AnalysisResult) -> list[Json]:
    """Everybody who verified the result, by name alone."""
    return [{"type": "Practitioner", "display": one.in_words} for one in verifiers(result)]


def _performers(result: AnalysisResult) -> Json:
    return {"performer": people(result)} if people(result) else {}


def _group(saying: Saying, finding: Finding, number: int) -> Json:
    members = [
        saying.ids.reference("Observation", _member_name(number, place))
        for place in range(1, len(finding.measurements) + 1)
    ]
    return _common(saying, group_name(number), number) | {
        "identifier": [uid_identifier(finding.tracking_uid, _TRACKING_UID)],
        "code": concept(_GROUP),
        "valueCodeableConcept": concept(finding.label.type) | {"text": finding.label.name},
        **_site(finding),
        **({"hasMember": members} if members else {}),
        "component": [_trust(finding.confidence)],
    }


def _member(saying: Saying, finding: Finding, number: int, place: int) -> Json:
    one = finding.measurements[place - 1]
    parts = _derived(one) + _ends(one.interval, one.unit)
    return _common(saying, _member_name(number, place), number) | {
        "code": concept(one.name) | {"text": one.title},
        **_value(one),
        **_site(finding),
        **({"method": concept(one.method)} if one.method else {}),
        **({"component": parts} if parts else {}),
    }


def _member_name(number: int, place: int) -> str:
    return f"finding {number} measurement {place}"


def _value(one: Measurement) -> Json:
    if one.missing or not math.isfinite(one.value):
        return {"dataAbsentReason": absent(one.missing or "not a number", "not-a-number")}
    return {"valueQuantity": quantity(float(one.value), one.unit)}


def _derived(one: Measurement) -> list[Json]:
    if one.derivation is None:
        return []
    return [{"code": concept(_DERIVATION), "valueCodeableConcept": concept(one.derivation)}]


def _ends(interval: Interval | None, unit: Code) -> list[Json]:
    """The ends of an interval that are finite, with its level in words."""
    if interval is None:
        return []
    sides = ((_LOWER, interval.low), (_UPPER, interval.high))
    return [
        {
            "code": concept(name) | {"text": f"{name.meaning} of the {interval.level:.0%} interval"},
            "valueQuantity": quantity(value, unit),
        }
        for name, value in sides
        if math.isfinite(value)
    ]


def _trust(confidence: Confidence) -> Json:
    """The calibrated probability, or why there is none; a raw score is never sent."""
    made: Json = {"code": concept(codes.PROBABILITY)}
    if confidence.state is not ConfidenceState.CALIBRATED or confidence.probability is None:
        return made | {"dataAbsentReason": absent(confidence.state.value, "not-performed")}
    made["code"]["text"] = f"Probability, calibrated by {confidence.calibration}"
    return made | {"valueQuantity": quantity(confidence.probability, NO_UNITS)}


def _site(finding: Finding) -> Json:
    """A structure is its own site, with its side; where a lesion lies is not known from its label."""
    if finding.label.category not in codes.ANATOMICAL:
        return {}
    parts = [finding.label.type, *([finding.label.modifier] if finding.label.modifier else [])]
    return {"bodySite": concept(*parts) | {"text": finding.label.name}}


def conclusion(result: AnalysisResult, lines: tuple[str, ...]) -> str:
    """The report in words, warnings first."""
    return "\n".join([*subject.warnings(result), *lines])
