"""The cohort as one long table: a row for each measurement of each structure of each case, and one for any other case.

Every case is in it, also those that failed or were refused. It follows the identity route: on the pseudonymous one it
holds pseudonyms, and of cases that were never run nothing but their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from slicermedai.batch.cohort import Case, Cohort, Standing, State
from slicermedai.batch.planning import why_excluded
from slicermedai.batch.reasons import without_names
from slicermedai.batch.thumbnail import FILE_NAME
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.domain.codes import Code
from slicermedai.domain.counting import is_counted
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Finding, Measurement
from slicermedai.domain.result import AnalysisResult, Quality
from slicermedai.domain.reviewed import newest
from slicermedai.domain.study import Identity
from slicermedai.errors import MedAIError

COLUMNS = (
    *("case", "patient", "state", "outcome", "reason", "patient_id", "study_uid", "study_date", "sex", "series_uid"),
    *("series", "bundle", "bundle_version", "weights_sha256", "warnings", "notes", "structure", "structure_code"),
    *("tracking_uid", "measurement", "measurement_code", "method_code", "value", "unit", "low", "high", "missing"),
    *("confidence", "probability", "light", "expected_dice", "seconds", "demonstration", "remark"),
)
"""``patient`` numbers the cohort's patients; ``low`` and ``high`` are the interval of ``value``, where there is one.
``method_code`` says how it was measured, where that is said: a volume in a box is not that of a segmentation.
``demonstration`` is "yes" where the weights were trained for demonstration only, "no" where not, "" without a result.
"""
NUMBERS = frozenset({"value", "low", "high", "probability", "expected_dice", "seconds"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is known of one case: numbers and words, no image, and no names of files.

    ``volumes`` are ml by structure, lesions of one name together; ``lights`` are those of its structures,
    ``why_red`` says of red ones why (unlike the patients of the trust record, or a poor expected Dice);
    ``image`` is a hash of the voxels that were analysed. ``is_reviewed`` says that the numbers are what people decided,
    while ``thumbnail`` shows what the model found. ``demonstration`` and ``remark`` are those of its provenance.
    """

    case: Case
    standing: Standing
    rows: tuple[dict[str, Any], ...]
    outcome: str = ""
    volumes: dict[str, float] = field(default_factory=dict)
    lights: tuple[tuple[str, str], ...] = ()
    why_red: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    image: str = ""
    thumbnail: Path | None = None
    is_reviewed: bool = False
    demonstration: bool = False
    remark: str = ""


def reports_of(cohort: Cohort) -> Iterator[Report]:
    """Every case once, in order; results are read one after the other and not kept.

    Of somebody who opted out after a run no number is told.

    Raises
    ------
    UnreadableFileError, InputError
        The queue, or the list of people who opted out, cannot be read.
    OutputError
        A plan is being added, or that was cut off: studies are missing.
    """
    cohort.check_whole()
    exclusions = cohort.settings.exclusions()
    for name in cohort.names():
        yield report_of(cohort, name, exclusions)


def report_of(cohort: Cohort, name: str, exclusions: ExclusionList | None = None) -> Report:
    """What is known of one case, with what people decided about it: a finding that they rejected has no number."""
    whole = cohort.case(name)
    case, standing = replace(whole, images=()), _shown(whole, cohort.standing(name))
    excluded = why_excluded(case, exclusions)
    if excluded and standing.state is State.DONE:
        standing = replace(standing, state=State.EXCLUDED, reason=f"{excluded}; its result was made before")
    if standing.state is not State.DONE:
        return Report(case=case, standing=standing, rows=(_common(cohort, case, standing),))
    try:
        result = decided(AnalysisResult.load(newest(cohort.result(name))))
    except MedAIError as error:
        standing = replace(standing, state=State.FAILED, reason=f"the result is damaged: {error.message}")
        standing = _shown(whole, standing)
        return Report(case=case, standing=standing, rows=(_common(cohort, case, standing),))
    return _of_result(cohort, case, standing, result)


def _shown(case: Case, standing: Standing) -> Standing:
    """Reasons that an earlier version wrote may name series by UIDs, and files."""
    return replace(standing, reason=without_names(standing.reason, (f for image in case.images for f in image.files)))


def to_rows(cohort: Cohort) -> list[dict[str, Any]]:
    """The whole table; numbers are floats, and what is not there is None or ""."""
    return [row for report in reports_of(cohort) for row in report.rows]


def _of_result(cohort: Cohort, case: Case, standing: Standing, result: AnalysisResult) -> Report:
    thumbnail = cohort.result(case.name) / FILE_NAME
    quality = {one.tracking_uid: one for one in result.quality}
    common = _common(cohort, case, standing) | _of_run(result)
    rows = [common | row for finding in result.findings for row in _of_finding(finding, quality)] or [common]
    volumes: dict[str, float] = {}
    for finding in result.findings:
        for one in finding.measurements:
            if is_counted(one):
                volumes[finding.label.name] = volumes.get(finding.label.name, 0.0) + float(one.value)
    return Report(
        case=case,
        standing=standing,
        rows=tuple(rows),
        outcome=str(result.status),
        volumes=volumes,
        lights=tuple(
            (f.label.name, quality[f.tracking_uid].light) for f in result.findings if f.tracking_uid in quality
        ),
        why_red={
            f.label.name: "; ".join(quality[f.tracking_uid].reasons)
            for f in result.findings
            if f.tracking_uid in quality and quality[f.tracking_uid].light == "red"
        },
        warnings=result.provenance.warnings,
        image=result.provenance.input.image if result.provenance.input else "",
        thumbnail=thumbnail if thumbnail.is_file() else None,
        is_reviewed=bool(result.reviews),
        demonstration=result.provenance.demonstration,
        remark=result.provenance.remark,
    )


def _common(cohort: Cohort, case: Case, standing: Standing) -> dict[str, Any]:
    """What is known without a result; on the pseudonymous route nothing of the patient."""
    row: dict[str, Any] = {name: None if name in NUMBERS else "" for name in COLUMNS}
    row |= {
        "case": case.name,
        "patient": case.patient,
        "state": str(standing.state),
        "reason": standing.reason,
        "bundle": PurePath(case.bundle).name,
        "notes": "; ".join(case.notes),
        "seconds": standing.seconds or None,
    }
    if cohort.settings.identity == Identity.KEEP:
        row |= {
            "patient_id": str(case.who.get("PatientID", "")),
            "study_uid": case.study_uid,
            "study_date": case.study_time[:8],
        }
    return row


def _of_run(result: AnalysisResult) -> dict[str, Any]:
    made, study = result.provenance, result.study
    return {
        "outcome": str(result.status),
        "patient_id": study.patient_id,
        "study_uid": study.study_uid,
        "study_date": study.date,
        "sex": study.sex,
        "series_uid": ", ".join(one.series_uid for one in result.sources),
        "series": ", ".join(filter(None, (one.description for one in result.sources))),
        "bundle": made.bundle,
        "bundle_version": made.bundle_version,
        "weights_sha256": made.weights_sha256,
        "warnings": "; ".join(made.warnings),
        "demonstration": "yes" if made.demonstration else "no",
        "remark": made.remark,
    }


def _of_finding(finding: Finding, quality: dict[str, Quality]) -> Iterator[dict[str, Any]]:
    known = quality.get(finding.tracking_uid)
    common = {
        "structure": finding.label.name,
        "structure_code": _code(finding.label.type),
        "tracking_uid": finding.tracking_uid,
        "confidence": str(finding.confidence.state),
        "probability": finding.confidence.probability,
        "light": known.light if known else "not assessed",
        "expected_dice": known.expected_dice if known else None,
    }
    for one in finding.measurements:
        yield common | _of_measurement(one)
    if not finding.measurements:
        yield common


def _of_measurement(one: Measurement) -> dict[str, Any]:
    return {
        "measurement": one.title,
        "measurement_code": _code(one.name),
        "method_code": "" if one.method is None else _code(one.method),
        "value": None if one.missing else float(one.value),
        "unit": one.unit.value,
        "low": None if one.interval is None else float(one.interval.low),
        "high": None if one.interval is None else float(one.interval.high),
        "missing": one.missing,
    }


def _code(code: Code) -> str:
    return f"{code.scheme}:{code.value}"
