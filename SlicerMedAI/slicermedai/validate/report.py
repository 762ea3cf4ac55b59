"""The validation report: one HTML file that needs no other, for the screen and for paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from slicermedai.confidence.calibrate import Judgement
from slicermedai.domain.markup import el, page, table
from slicermedai.domain.storage import write_text
from slicermedai.validate.cohort import StructureSummary, Validation
from slicermedai.validate.detection import Detection
from slicermedai.validate.froc import RATES, Froc
from slicermedai.validate.images import ImageLabel
from slicermedai.validate.plots import bland_altman_plot, forest_plot, froc_plot, reliability_plot
from slicermedai.validate.resampling import Estimate
from slicermedai.validate.segmentation import Kind
from slicermedai.validate.subgroups import Subgroup

ROUGH = "References of {} are boxes or balls, and no outlines: Dice and distances say how well these are filled."
GENERATED = "Some or all cases are generated: these numbers say nothing about patients."
_NAMES = {"dice": "Dice", "nsd": "NSD at {tolerance:g} mm", "hd95": "HD95, mm", "assd": "ASSD, mm"}
_RULES = (
    "Empty cases are counted: where reference and prediction both have nothing, Dice and NSD are 1 and distances 0 mm;"
    " where one of them has, Dice and NSD are 0 and distances the diagonal of the image."
)
_LESION_RULES = (
    "Lesions are matched by the rules of LUNA16: a candidate hits where its middle lies nearer to a lesion's centre"
    " than the lesion's radius; of several in one lesion the best counts, and the others are no false alarms; what lies"
    " in excluded lesions is neither. Scans without lesions count."
)


_IMAGE_RULES = (
    "A label is found where the model says so: the likeliest where labels exclude each other, else from its threshold"
    " on. Images without a label count."
)


def write_report(validation: Validation, path: Path) -> Path:
    """Write the page, whole or not at all."""
    return write_text(path, report_page(validation))


def report_page(validation: Validation) -> str:
    """The page as text."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    parts = [el("h1", f"Technical validation of {validation.model}")]
    if validation.generated:
        parts.append(el("p", GENERATED, class_="warning", role="note"))
    if validation.rough:
        parts.append(el("p", ROUGH.format(", ".join(validation.rough)), class_="warning", role="note"))
    remarks = (*validation.remarks, *(one.cut for one in validation.structures if one.cut))
    parts += [el("p", words, class_="warning", role="note") for words in remarks]
    parts.append(el("p", _method(validation)))
    parts += [_structure(summary, validation) for summary in validation.structures]
    parts += [_detection(found) for found in validation.detections]
    parts += [_image_label(found) for found in validation.images]
    return page(f"Validation of {validation.model}", style, *parts)


def _method(validation: Validation) -> str:
    how = validation.how
    rules = _RULES if validation.structures else _LESION_RULES if validation.detections else _IMAGE_RULES
    return (
        f"Means are over patients. Intervals hold {how.level:.0%} of {how.rounds} draws of patients with replacement"
        f" (seed {how.seed}). {rules}"
    )


def _structure(summary: StructureSummary, validation: Validation) -> Element:
    parts = [
        el("h2", summary.structure),
        el("p", f"{summary.cases} cases of {summary.patients} patients: {_kinds(summary.kinds)}."),
        _metrics(summary, validation),
        el("div", *_figures(summary), class_="figures"),
        _groups(summary.structure, summary.groups, of="Dice"),
    ]
    return el("section", *parts)


def _kinds(kinds: dict[Kind, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _metrics(summary: StructureSummary, validation: Validation) -> Element:
    rows = [(_NAMES[m].format(tolerance=validation.tolerance_mm), e.words) for m, e in summary.metrics.items()]
    rows += [
        ("Sensitivity: found where it is there", _or_none(summary.presence.sensitivity, "no case has it")),
        ("Specificity: not found where it is not", _or_none(summary.presence.specificity, "all cases have it")),
        ("AUC of the predicted volume for its presence", _or_none(summary.presence.auc, "needs cases of both kinds")),
    ]
    agreed = summary.agreement
    if agreed is not None:
        rows += [
            ("Volume: bias, ml", agreed.bias.words),
            ("Volume: limits of agreement, ml", f"{agreed.lower.words} to {agreed.upper.words}"),
            ("Volume: ICC(2,1)", agreed.icc.words),
        ]
    if summary.calibration is not None:
        rows += _calibration(summary.calibration)
    return table(f"{summary.structure}: results", ("Measure", "Value (interval)"), rows)


def _calibration(found: Judgement, *, of: str = "around the prediction") -> list[tuple[str, str]]:
    numbers = found.metrics
    names = (("ECE", "ece"), ("ACE", "ace"), ("MCE", "mce"), ("Brier score", "brier"), ("NLL", "nll"))
    return [(f"Calibration {of}: {words}", _with(found, name, getattr(numbers, name))) for words, name in names]


def _with(found: Judgement, name: str, value: float) -> str:
    interval = found.intervals.get(name)
    return Estimate(value=value, interval=interval, patients=found.subjects, cases=found.subjects).words


def _or_none(estimate: Estimate | None, why: str) -> str:
    return estimate.words if estimate else f"not defined: {why}"


def _figures(summary: StructureSummary) -> list[Element]:
    made = []
    if summary.agreement is not None:
        made.append(_figure(bland_altman_plot(summary.agreement, "Bland-Altman plot"), "Agreement of volumes"))
    if summary.calibration is not None:
        picture = reliability_plot(summary.calibration.reliability, "Reliability diagram")
        made.append(_figure(picture, "Reliability around the prediction; bars: share of voxels"))
    if summary.groups:
        made.append(_figure(forest_plot(summary.groups, "Dice by subgroup"), "Dice by subgroup, the worst first"))
    return made


def _groups(structure: str, groups: Sequence[Subgroup], *, of: str) -> Element:
    if not groups:
        return el("p", "No subgroups: nothing is known of the patients' sex, age, scanner or site.")
    rows = [(f"{g.by}: {g.value}", str(g.patients), g.words) for g in groups]
    return table(f"{structure}: {of} by subgroup, the worst first", ("Subgroup", "Patients", of), rows)


def _detection(found: Detection) -> Element:
    said = f"{found.lesions} lesions in {found.scans} scans of {found.patients} patients"
    left = f", {found.excluded} more excluded" if found.excluded else ""
    candidates = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes.items())
    return el(
        "section",
        el("h2", f"{found.structure}: lesion detection"),
        el("p", f"{said}{left}. Candidates: {candidates}."),
        _detected(found),
        el("div", *_detection_figures(found), class_="figures"),
        *([_points(found.curve)] if found.curve else []),
        _groups(found.structure, found.groups, of="CPM"),
    )


def _detected(found: Detection) -> Element:
    rows = [
        ("CPM: mean sensitivity at the seven rates", _or_none(found.cpm, "no scan has a lesion that counts")),
        ("AUC of a scan's highest score for a lesion in it", _or_none(found.presence, "needs scans of both kinds")),
    ]
    if found.calibration is not None:
        rows += _calibration(found.calibration, of="of the candidates")
    return table(f"{found.structure}: results", ("Measure", "Value (interval)"), rows)


def _image_label(found: ImageLabel) -> Element:
    rows = [
        ("Sensitivity: found where it is there", _or_none(found.found.sensitivity, "no image has it")),
        ("Specificity: not found where it is not", _or_none(found.found.specificity, "all images have it")),
        ("AUC of the score for its presence", _or_none(found.scored.auc, "needs images of both kinds")),
    ]
    figures = []
    if found.calibration is not None:
        rows += _calibration(found.calibration, of="of the images")
        picture = reliability_plot(found.calibration.reliability, "Reliability diagram")
        figures.append(_figure(picture, "Reliability of the scores; bars: share of images"))
    if found.groups:
        picture = forest_plot(found.groups, "Rightly told by subgroup", of="Rightly told")
        figures.append(_figure(picture, "Share of images that are rightly told by subgroup, the worst first"))
    return el(
        "section",
        el("h2", f"{found.structure}: label of the whole image"),
        el("p", f"{found.cases} images of {found.patients} patients; {found.there} have it."),
        table(f"{found.structure}: results", ("Measure", "Value (interval)"), rows),
        el("div", *figures, class_="figures"),
        _groups(found.structure, found.groups, of="Rightly told"),
    )


def _detection_figures(found: Detection) -> list[Element]:
    made = []
    if found.curve is not None:
        made.append(_figure(froc_plot(found.curve, "FROC curve"), "FROC curve; dots: the seven points of the CPM"))
    if found.calibration is not None:
        picture = reliability_plot(found.calibration.reliability, "Reliability diagram")
        made.append(_figure(picture, "Reliability of the candidates; bars: share of candidates"))
    if found.groups:
        made.append(_figure(forest_plot(found.groups, "CPM by subgroup", of="CPM"), "CPM by subgroup, the worst first"))
    return made


def _points(curve: Froc) -> Element:
    rows = [(f"{rate:g}", f"{curve.at(rate):.3f}") for rate in RATES]
    return table("Sensitivity at false alarms per scan", ("False alarms per scan", "Sensitivity"), rows)


def _figure(picture: Element, caption: str) -> Element:
    return el("figure", picture, el("figcaption", caption))
