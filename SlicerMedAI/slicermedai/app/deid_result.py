"""What a de-identification left: its report as values, and what a person decides about doubtful text."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from slicermedai.app.deid_state import DeidResult, LeftOut
from slicermedai.domain.storage import write_text

DECISIONS = "decisions.json"
"""In the folder for review: name of a picture -> what a person said."""
IDENTITY, HARMLESS = "identity", "harmless"
_NAMES = "left-out.csv"


def review_folder(output: Path) -> Path:
    """Where pictures of doubtful text and names of refused files go: beside the output, under a name that warns."""
    return output.with_name(f"{output.name}-for-review-PATIENT-DATA")


def read_result(output: Path, review: Path) -> DeidResult:
    """What the job says that made ``output``; names of files are those of the folder for review where it is there."""
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    names = _names(review / _NAMES)
    patients = {file["series"]: file["patient"] for file in report["files"]}
    return DeidResult(
        folder=output,
        written=report["counts"]["written"],
        patients=report["counts"]["patients"],
        left_out=tuple(_left_out(one, names) for one in report["left_out"]),
        pictures=tuple(sorted(review.glob("*.png"))) if report["review"] else (),
        series=tuple(patients.items()),
        missed=tuple(one["sentence"] for one in report.get("missed", ())),
    )


def decisions(review: Path) -> dict[str, str]:
    """What was decided so far; {} where nothing was."""
    try:
        found = json.loads((review / DECISIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(what) for name, what in found.items()} if isinstance(found, dict) else {}


def decide(picture: Path, decision: str) -> dict[str, str]:
    """Note a decision about ``picture`` beside it, whole or not at all; returns all of them.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    made = {**decisions(picture.parent), picture.name: decision}
    write_text(picture.parent / DECISIONS, json.dumps(made, indent=1, sort_keys=True) + "\n")
    return made


def _left_out(one: dict[str, Any], names: dict[int, str]) -> LeftOut:
    return LeftOut(
        name=names.get(one["number"], one["source"]),
        reason=one["reason"],
        kept_back=one["quarantined"],
        asked_for=one["asked_for"],
    )


def _names(path: Path) -> dict[int, str]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {int(row["number"]): "/".join(filter(None, [Path(row["file"]).name, row["member"]])) for row in rows}
