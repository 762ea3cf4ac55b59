"""The findings as a table (CSV, RFC 4180), one row for each measurement, without any patient data."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from slicermedai import __version__
from slicermedai.domain.codes import Code
from slicermedai.domain.finding import Finding, Interval
from slicermedai.domain.result import AnalysisResult
from slicermedai.export.context import ExportContext
from slicermedai.export.subject import measured_of

FILE_NAME = "findings.csv"
COLUMNS = (
    "status",
    "warnings",
    "tracking_uid",
    "label",
    "category_code",
    "type_code",
    "modifier_code",
    "measurement",
    "measurement_code",
    "value",
    "unit",
    "interval_low",
    "interval_high",
    "interval_level",
    "method_code",
    "derivation_code",
    "missing",
    "measured_of",
    "confidence",
    "probability",
    "calibration",
    "bundle",
    "bundle_version",
    "weights_sha256",
    "software",
    "note",
)


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``findings.csv``; a result without findings has one row that says its status."""
    path = folder / FILE_NAME
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(_rows(result))
    return [path]


def _rows(result: AnalysisResult) -> Iterator[dict[str, str]]:
    made = result.provenance
    common = {
        "status": result.status.value,
        "warnings": "; ".join(made.warnings),
        "bundle": made.bundle,
        "bundle_version": made.bundle_version,
        "weights_sha256": made.weights_sha256,
        "software": f"SlicerMedAI {__version__}",
        "note": "research use only, not a medical device",
    }
    if not result.findings:
        yield common
    for finding in result.findings:
        said = "; ".join(measured_of(result, finding))
        for cells in _measurements(finding, said):
            yield common | _finding(finding) | cells


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "tracking_uid": finding.tracking_uid,
        "label": finding.label.name,
        "category_code": _code(finding.label.category),
        "type_code": _code(finding.label.type),
        "modifier_code": _code(finding.label.modifier),
        "confidence": finding.confidence.state.value,
        "probability": "" if finding.confidence.probability is None else repr(float(finding.confidence.probability)),
        "calibration": finding.confidence.calibration,
    }


def _measurements(finding: Finding, said: str) -> Iterator[dict[str, str]]:
    """A row for each; ``said`` stands beside each number."""
    if not finding.measurements:
        yield {}
    for one in finding.measurements:
        yield {
            "measurement": one.title,
            "measurement_code": f"{one.name.scheme}:{one.name.value}",
            "value": "" if one.missing else repr(float(one.value)),
            "unit": one.unit.value,
            "method_code": _code(one.method),
            "derivation_code": _code(one.derivation),
            "missing": one.missing,
            "measured_of": "" if one.missing else said,
            **_interval(one.interval),
        }


def _interval(one: Interval | None) -> dict[str, str]:
    """Ends that are infinite are empty."""
    if one is None:
        return {}
    low, high = (repr(float(end)) if math.isfinite(end) else "" for end in (one.low, one.high))
    return {"interval_low": low, "interval_high": high, "interval_level": repr(float(one.level))}


def _code(code: Code | None) -> str:
    return "" if code is None else f"{code.scheme}:{code.value}"
