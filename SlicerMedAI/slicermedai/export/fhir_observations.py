"""Findings as FHIR Observations, the same in R4 and R5: a group for each finding, and a member for each measurement.

They follow HL7's mapping of DICOM SR (dicom-sr 1.0.0): the group of TID 1411 is an Observation that says what was
found and has the measurements as members. Everything is preliminary, until people verified it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from slicermedai.domain.codes import NO_UNITS, Code, Label
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Interval, Measurement
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import codes, subject
from slicermedai.export.context import ExportContext
from slicermedai.export.fhir_parts import DEVICE, Ids, Json, absent, concept, orders, quantity, uid_identifier
from slicermedai.export.fhir_parts import subject as patient
from slicermedai.export.reviews import observers, verifiers

PROBABILITY_CALIBRATED = "Probability, calibrated by "
"""What the text of a calibrated probability begins with; the name of its calibration follows."""
OF_PROBABILITY = " of the probability"
"""What the text of an end of a probability's interval ends with."""
IMAGING = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}],
    "text": "Imaging",
}

_VERIFIER = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "verifier"},
    ],
    "text": "Verifier",
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


def common(saying: Saying, name: str, number: int) -> Json:
    """What every Observation says; ``number`` is that of its finding, 0 for none."""
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


def verifications(saying: Saying) -> list[Json]:
    """Who verified the report, and when: a Provenance for each."""
    return [
        {
            "resourceType": "Provenance",
            "id": saying.ids.of(f"verification {number}"),
            "target": [saying.ids.reference("DiagnosticReport", "report")],
            "recorded": one.time.isoformat(),
            "agent": [{"type": _VERIFIER, "who": {"type": "Practitioner", "display": one.in_words}}],
        }
        for number, one in enumerate(verifiers(saying.result), 1)
    ]


def people(result: AnalysisResult) -> list[Json]:
    """Everybody who verified the result, by name alone."""
    return [{"type": "Practitioner", "display": one.in_words} for one in verifiers(result)]


def _performers(result: AnalysisResult) -> Json:
    found = [{"type": "Practitioner", "display": one.in_words} for one in observers(result)]
    return {"performer": found} if found else {}


def _group(saying: Saying, finding: Finding, number: int) -> Json:
    members = [
        saying.ids.reference("Observation", _member_name(number, place))
        for place in range(1, len(finding.measurements) + 1)
    ]
    return common(saying, group_name(number), number) | {
        "identifier": [uid_identifier(finding.tracking_uid, codes.TRACKING_UID)],
        "code": concept(codes.MEASUREMENT_GROUP),
        "valueCodeableConcept": concept(finding.label.type) | {"text": finding.label.name},
        **_site(finding),
        **({"hasMember": members} if members else {}),
        "component": [*_kind(finding.label), *_trust(finding.confidence)],
    }


def _member(saying: Saying, finding: Finding, number: int, place: int) -> Json:
    one = finding.measurements[place - 1]
    parts = _derived(one) + _modified(finding.label) + _ends(one.interval, one.unit)
    return common(saying, _member_name(number, place), number) | {
        "code": concept(one.name) | {"text": one.title},
        **_value(one),
        **_site(finding),
        **({"method": concept(one.method)} if one.method else {}),
        **({"component": parts} if parts else {}),
        **_noted(saying.result, finding, one),
    }


def _noted(result: AnalysisResult, finding: Finding, one: Measurement) -> Json:
    """That a number is of voxels that a person left."""
    told = () if one.missing else subject.measured_of(result, finding)
    return {"note": [{"text": text} for text in told]} if told else {}


def _member_name(number: int, place: int) -> str:
    return f"finding {number} measurement {place}"


def _value(one: Measurement) -> Json:
    if one.missing or not math.isfinite(one.value):
        return {"dataAbsentReason": absent(one.missing or "not a number", "not-a-number")}
    return {"valueQuantity": quantity(float(one.value), one.unit)}


def _derived(one: Measurement) -> list[Json]:
    if one.derivation is None:
        return []
    return [{"code": concept(codes.DERIVATION), "valueCodeableConcept": concept(one.derivation)}]


def _ends(interval: Interval | None, unit: Code, *, of: str = "") -> list[Json]:
    """The ends of an interval that are finite, with its level in words."""
    if interval is None:
        return []
    sides = ((codes.LOWER_LIMIT, interval.low), (codes.UPPER_LIMIT, interval.high))
    return [
        {
            "code": concept(name) | {"text": f"{name.meaning} of the {interval.level * 100:.12g}% interval{of}"},
            "valueQuantity": quantity(value, unit),
        }
        for name, value in sides
        if math.isfinite(value)
    ]


def _kind(label: Label) -> list[Json]:
    """What kind of thing it is, and its side."""
    kind = {"code": concept(codes.FINDING_CATEGORY), "valueCodeableConcept": concept(label.category)}
    return [kind, *_modified(label)]


def _modified(label: Label) -> list[Json]:
    """The side, or another modifier: codings of one concept mean the same, so that a site cannot say it."""
    if label.modifier is None:
        return []
    name = codes.LATERALITY if label.modifier in codes.SIDES else codes.TOPOGRAPHY
    return [{"code": concept(name), "valueCodeableConcept": concept(label.modifier)}]


def _trust(confidence: Confidence) -> list[Json]:
    """The calibrated probability with its interval, or why there is none; a raw score is never sent."""
    made: Json = {"code": concept(codes.PROBABILITY)}
    if confidence.state is not ConfidenceState.CALIBRATED or confidence.probability is None:
        return [made | {"dataAbsentReason": absent(confidence.state.value, "not-performed")}]
    made["code"]["text"] = f"{PROBABILITY_CALIBRATED}{confidence.calibration}"
    ends = _ends(confidence.interval, NO_UNITS, of=OF_PROBABILITY)
    return [made | {"valueQuantity": quantity(confidence.probability, NO_UNITS)}, *ends]


def _site(finding: Finding) -> Json:
    """A structure is its own site; where a lesion lies is not known from its label."""
    if finding.label.category not in codes.ANATOMICAL:
        return {}
    return {"bodySite": concept(finding.label.type) | {"text": finding.label.name}}


def conclusion(result: AnalysisResult, lines: tuple[str, ...]) -> str:
    """The report in words, warnings first."""
    return "\n".join([*subject.warnings(result), *lines])
