"""A result in plain lines, for objects that people read: pages, text reports, messages. No patient stands in them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slicermedai.domain import lung_rads
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Measurement
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.export import subject
from slicermedai.export.course_words import course_lines
from slicermedai.export.reviews import verifiers

RESEARCH = "Research use only. Not for primary diagnosis."
REJECTED = "A person rejected all findings of the algorithm."
NOTHING_FOUND = "The algorithm ran and found nothing."
FAILED = "The algorithm failed"
NOTHING_FOLLOWS = ". Nothing follows from this for the patient."
NOT_VERIFIED = "Made by an algorithm. Not verified by a person."
VERIFIED = "Made by an algorithm. Verified by"


def heading(result: AnalysisResult) -> str:
    """Which algorithm speaks."""
    return f"MedAI result: {subject.algorithm_name(result)} {subject.algorithm_version(result)}"


def outcome(result: AnalysisResult) -> str:
    """What came of the run, in a sentence; "no finding" and "failed" are said, never left to be guessed."""
    if result.status is Status.FAILED:
        reason = f": {result.message}" if result.message else ""
        return f"{FAILED}{reason}{NOTHING_FOLLOWS}"
    if not result.findings and result.status is Status.COMPLETE:
        return REJECTED
    if not result.findings:
        return NOTHING_FOUND
    return f"Findings: {len(result.findings)}"


def trust(confidence: Confidence) -> str:
    """The calibrated probability with its calibration, or that there is none; never a raw score."""
    if confidence.state is ConfidenceState.CALIBRATED and confidence.probability is not None:
        between = confidence.interval
        ends = f", {between.level:.0%} interval {between.low:.2f} to {between.high:.2f}" if between else ""
        return f"Probability: {confidence.probability:.2f}{ends} (calibration: {confidence.calibration})"
    return f"Confidence: {confidence.state.value}"


def amount(one: Measurement) -> str:
    """A number with its unit, or why there is none."""
    if one.missing or not math.isfinite(one.value):
        return f"{one.title}: no value ({one.missing or 'not a number'})"
    unit = "" if one.unit.value == "1" else f" {one.unit.value}"
    ends = one.interval
    between = f" ({ends.level:.0%} interval {ends.low:.4g} to {ends.high:.4g})" if ends else ""
    return f"{one.title}: {one.value:.4g}{unit}{between}"


def standing(result: AnalysisResult) -> str:
    """Whether people verified it, and who."""
    people = [f"{one.in_words} ({one.time:%Y-%m-%d})" for one in verifiers(result)]
    return f"{VERIFIED} {', '.join(people)}." if people else NOT_VERIFIED


def said_of(result: AnalysisResult) -> str:
    """What an object is, in as many words as VR LO has room for."""
    use = "for demonstration only" if result.provenance.demonstration else "research use only"
    return f"Made by an algorithm, {'' if verifiers(result) else 'not '}verified, {use}"


def calibration(result: AnalysisResult) -> str:
    """How far its numbers are calibrated: of findings, or of maps where there are no findings."""
    known = [one.confidence.state is ConfidenceState.CALIBRATED for one in result.findings]
    known = known or [one.calibration != "none" for one in result.maps]
    if not any(known):
        return "not calibrated"
    return "calibrated" if all(known) else "partly calibrated"


def summary(result: AnalysisResult) -> str:
    """What a list of objects says of each, in as many words as VR LO has room for."""
    verified = "verified" if verifiers(result) else "not verified"
    return f"AI result, {calibration(result)}, {verified}, research use only"


def entered(result: AnalysisResult) -> tuple[str, ...]:
    """What people entered of lung nodules, and what it suggests: a line for each that they entered a type of."""
    said = ((number, lung_rads.in_words(result, one)) for number, one in enumerate(result.findings, 1))
    return tuple(f"Of finding {number}: {text}" for number, text in said if text)


def lines(result: AnalysisResult) -> Iterator[str]:
    """The whole result, one statement a line, indented by two spaces below its finding."""
    yield outcome(result)
    yield standing(result)
    yield from subject.warnings(result)
    for number, finding in enumerate(result.findings, 1):
        yield from _finding(number, finding)
    yield from entered(result)
    yield from course_lines(result)
    yield f"Weights SHA-256: {result.provenance.weights_sha256}"
    yield f"Finished: {result.provenance.finished}"


def _finding(number: int, finding: Finding) -> Iterator[str]:
    modifier = f", {finding.label.modifier.meaning}" if finding.label.modifier else ""
    yield f"{number}. {finding.label.name} ({finding.label.type.meaning}{modifier})"
    if finding.why_not_measured:
        yield f"  Not measured: {finding.why_not_measured}"
    for one in () if finding.why_not_measured else finding.measurements:
        yield f"  {amount(one)}"
    yield f"  {trust(finding.confidence)}"
