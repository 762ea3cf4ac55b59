"""What was found: the findings table, what a confidence means, quality, and what people decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from slicermedai.domain import lung_rads
from slicermedai.domain.decisions import WHOLE, decided
from slicermedai.domain.finding import Box, Confidence, ConfidenceState, Finding, Interval, Measurement, Point
from slicermedai.domain.result import AnalysisResult, Quality, Review
from slicermedai.domain.study import Identity
from slicermedai.report.markup import Html, items, join, number, section, table, tag, text
from slicermedai.report.people import coded, identifier, unit

NOT_CALIBRATED = "Not calibrated: the network's score cannot be read as a probability"
_SELDOM = ("Interval", "Method")  # columns that are left out where no measurement has one
_AT_A_GLANCE = 3  # measurements of a finding that stand in the first table: volume, long and short axis


def findings_section(result: AnalysisResult) -> Html:
    """Every finding with its first measurements; all of them unfold below where there are more."""
    if not result.findings:
        return section("findings", "Findings", tag("p", "There are no findings in this result."))
    measured = [item for finding in result.findings for item in finding.measurements]
    columns = [name for name in _COLUMNS if name not in _SELDOM or any(_COLUMNS[name](item) for item in measured)]
    rows = [row for finding in result.findings for row in _rows(finding, columns)]
    headings = ("Finding", *columns, "Confidence")
    shown = table("Findings and measurements", headings, rows, class_="findings")
    return section("findings", "Findings", shown, _all_measurements(result, columns), _made_for(result))


def _all_measurements(result: AnalysisResult, columns: list[str]) -> Html:
    if all(len(finding.measurements) <= _AT_A_GLANCE for finding in result.findings):
        return Html("")
    rows = [
        (finding.label.name, *(_COLUMNS[name](item) for name in columns))
        for finding in result.findings
        if not finding.why_not_measured
        for item in finding.measurements
    ]
    if not rows:
        return Html("")
    inner = table("All measurements", ("Finding", *columns), rows, class_="findings")
    return tag("details", tag("summary", f"All {len(rows)} measurements"), inner)


def _made_for(result: AnalysisResult) -> Html:
    """What the numbers above may be used for, in the model's own words."""
    made_by = result.provenance
    if not made_by.intended_use:
        return Html("")
    return tag("p", f"What {made_by.bundle} {made_by.bundle_version} is made for: {made_by.intended_use}", class_="use")


def quality_section(result: AnalysisResult) -> Html:
    """How good each segmentation is expected to be, or why nobody knows."""
    names = _names(result)
    known = {quality.tracking_uid: quality for quality in result.quality}
    rows = []
    for uid, name in names.items():
        quality = known.get(uid) or Quality(tracking_uid=uid)
        rows.append((name, _light(quality), _expected(quality), quality.state, _why(quality)))
    if not rows:
        return section("quality", "Segmentation quality", tag("p", "Not assessed: there is nothing to assess."))
    headings = ("Finding", "Light", "Expected Dice", "State", "Why")
    return section("quality", "Segmentation quality", table("Expected quality of each segmentation", headings, rows))


def _light(quality: Quality) -> Html:
    """The traffic light as a word, so that nothing hangs on seeing a colour."""
    return tag("span", quality.light, class_=f"light {quality.light.replace(' ', '-')}")


def _expected(quality: Quality) -> Html:
    if quality.expected_dice is None:
        return text("none")
    return join([number(quality.expected_dice), _interval(quality.interval)], " ")


def _why(quality: Quality) -> str:
    return "; ".join(quality.reasons) or quality.reason or "no reason was recorded"


def reviews_section(result: AnalysisResult) -> Html:
    """What people decided; that nobody has looked is said, too."""
    if not result.reviews:
        return section("reviews", "Review", tag("p", "No person has reviewed these findings."))
    names = {WHOLE: "The result as a whole", **_names(result)}
    rows = [_decision(_nameless(review, result), names) for review in result.reviews]
    headings: tuple[str, ...] = ("Finding", "Decision", "Person", "Reason", "Time")
    if any(review.rating or review.edit for review in result.reviews):
        headings = (*headings, "Rating", "Edit")
        rows = [(*row, *_told_of(review)) for row, review in zip(rows, result.reviews, strict=True)]
    return section("reviews", "Review", table("Decisions about findings", headings, rows), _entered(result))


def _entered(result: AnalysisResult) -> Html:
    """What people entered of lung nodules, and what size and type suggest: a person's words, not the model's."""
    now = decided(result)
    said = ((one.label.name, lung_rads.in_words(now, one)) for one in now.findings)
    told = [f"{name}: {text}" for name, text in said if text]
    return items(told) if told else Html("")


def confidence_words(confidence: Confidence) -> Html:
    """A confidence in plain words; only a calibrated one is a percentage, a raw score never."""
    return _WORDS[confidence.state](confidence)


def not_assessed(result: AnalysisResult) -> list[str]:
    """What this result says nothing about, one sentence each."""
    missing = [
        f"{finding.label.name}: confidence {finding.confidence.state.value}"
        + (f" ({finding.confidence.reason})" if finding.confidence.reason else "")
        for finding in result.findings
        if finding.confidence.state is not ConfidenceState.CALIBRATED
    ]
    left_out = result.deidentification.refused if result.deidentification else ()
    return [*result.provenance.refusals, *(f"Not de-identified, left out: {line}" for line in left_out), *missing]


def refusals_section(result: AnalysisResult) -> Html:
    """What was refused or not assessed."""
    sentences = not_assessed(result)
    content = items(sentences) if sentences else tag("p", "Nothing was refused or left out.")
    return section("refused", "Refused or not assessed", content)


def _nameless(review: Review, result: AnalysisResult) -> Review:
    """On the pseudonymous route people have no names, and what they wrote stays with the result."""
    if result.study.identity is Identity.KEEP:
        return review
    return replace(review, person="", reason="")


def _decision(review: Review, names: dict[str, str]) -> tuple[object, ...]:
    name = names.get(review.tracking_uid, "finding no longer present")
    return name, review.decision.value, review.person, review.reason, review.time


def _told_of(review: Review) -> tuple[str, str]:
    """The rating, and how far the person's voxels are from the network's."""
    edit = review.edit
    changed = f"Dice {edit.dice:.2f}, {edit.added:.2f} ml added, {edit.removed:.2f} ml removed" if edit else ""
    return (f"{review.rating} of 5" if review.rating else ""), changed


def _names(result: AnalysisResult) -> dict[str, str]:
    return {finding.tracking_uid: finding.label.name for finding in result.findings}


def _rows(finding: Finding, columns: list[str]) -> list[tuple[object, ...]]:
    """One row per measurement at a glance; name and confidence reach over all of them."""
    glanced = () if finding.why_not_measured else finding.measurements[:_AT_A_GLANCE]
    over = str(max(1, len(glanced)))
    name = tag("th", _name(finding), scope="rowgroup", rowspan=over)
    confidence = tag("td", confidence_words(finding.confidence), rowspan=over)
    if not glanced:
        why = f": {finding.why_not_measured}" if finding.why_not_measured else ""
        return [(name, tag("td", f"not measured{why}", colspan=str(len(columns))), confidence)]
    first, *others = [tuple(tag("td", _COLUMNS[c](item)) for c in columns) for item in glanced]
    return [(name, *first, confidence), *others]


def _what(item: Measurement) -> Html:
    return join([coded(item.name), *([coded(item.derivation)] if item.derivation else [])], ", ")


def _interval(interval: Interval | None) -> Html:
    if interval is None:
        return Html("")
    return Html(f"{number(interval.low)} to {number(interval.high)} ({interval.level:.0%})")


def _name(finding: Finding) -> Html:
    red, green, blue = finding.label.color
    swatch = tag("span", class_="swatch", style=f"background:rgb({red},{green},{blue})", aria_hidden="true")
    kind = finding.label.type
    same = kind.meaning == finding.label.name
    parts = [Html(f"{swatch}{tag('strong', finding.label.name)}"), identifier(kind) if same else coded(kind)]
    if finding.label.modifier:
        parts.append(coded(finding.label.modifier))
    if finding.label.definition:
        parts.append(tag("small", finding.label.definition, class_="definition"))
    place = _place(finding)
    if place:
        parts.append(tag("small", place))
    return join(parts, "<br>")


def _place(finding: Finding) -> str:
    if isinstance(finding.region, Point):
        return f"at {_position(finding.region.position)} mm (LPS)"
    if isinstance(finding.region, Box):
        return f"box from {_position(finding.region.low)} to {_position(finding.region.high)} mm (LPS)"
    return ""


def _position(place: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in place) + ")"


def _not_calibrated(confidence: Confidence) -> Html:
    return join([tag("p", f"{NOT_CALIBRATED}."), _reason(confidence)], "")


def _calibrated(confidence: Confidence) -> Html:
    said = f"Calibrated probability {confidence.probability:.1%} (calibration: {confidence.calibration})."
    return join([tag("p", said), _interval(confidence.interval), _reason(confidence)], "")


def _unassessed(confidence: Confidence) -> Html:
    return join([tag("p", "Not assessed."), _reason(confidence)], "")


def _edited(confidence: Confidence) -> Html:
    return join([tag("p", "Not assessed: a person edited this finding."), _reason(confidence)], "")


def _reason(confidence: Confidence) -> Html:
    return tag("p", confidence.reason) if confidence.reason else Html("")


_COLUMNS: dict[str, Callable[[Measurement], Html]] = {
    "Measurement": lambda item: _what(item),
    "Value": lambda item: text(f"not available: {item.missing}") if item.missing else number(item.value),
    "Unit": lambda item: unit(item.unit),
    "Interval": lambda item: _interval(item.interval),
    "Method": lambda item: text(item.method.meaning if item.method else ""),
}
_WORDS: dict[ConfidenceState, Callable[[Confidence], Html]] = {
    ConfidenceState.CALIBRATED: _calibrated,
    ConfidenceState.NOT_CALIBRATED: _not_calibrated,
    ConfidenceState.NOT_ASSESSED: _unassessed,
    ConfidenceState.NOT_ASSESSED_EDITED: _edited,
}
