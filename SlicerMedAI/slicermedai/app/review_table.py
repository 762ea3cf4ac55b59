"""The table of decisions, as a file that spreadsheets open."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from slicermedai.app.review_state import Row
from slicermedai.domain.cells import text_cell
from slicermedai.domain.lung_rads import Advice
from slicermedai.domain.storage import atomic_file

FILE_NAME = "decisions.csv"
COLUMNS = (
    "tracking_uid",
    "finding",
    "decision",
    "rating",
    "reason",
    "person",
    "time",
    "saved",
    "dice_with_network",
    "changed_ml",
    "added_ml",
    "removed_ml",
    "nodule_type",
    "nodule_change",
    "nodule_mm",
    "nodule_mm_is",
    "solid_part_mm",
    "lung_rads",
    "nodule_entered_by",
    "light",
    "expected_dice",
    "confidence",
)


def write_table(folder: Path, rows: Sequence[Row], *, is_named: bool) -> Path:
    """Write ``decisions.csv`` into ``folder``, one row a finding, whole or not at all (RFC 4180).

    Without ``is_named`` (on the pseudonymous route) no person is named, and what people wrote stays in the result.
    Texts that a spreadsheet would compute are quoted.

    Raises
    ------
    OutputError, DiskFullError
    """
    path = folder / FILE_NAME
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(_cells(row, is_named=is_named) for row in rows)
    return path


def _cells(row: Row, *, is_named: bool) -> dict[str, str]:
    review, dice = row.review, row.quality.expected_dice
    told = {
        "tracking_uid": row.uid,
        "finding": text_cell(row.finding.label.name),
        "light": row.quality.light,
        "expected_dice": row.quality.state if dice is None else f"{dice:.4f}",
        "confidence": str(row.finding.confidence.state),
        "decision": "not reviewed",
    }
    if review is None:
        return told
    told |= {"decision": str(review.decision), "rating": str(review.rating or ""), "time": review.time}
    told |= {"saved": "yes" if row.is_saved else "no"}
    if is_named:
        told |= {"person": text_cell(review.person), "reason": text_cell(review.reason)}
    if row.advice is not None:
        told |= _of_nodule(row.advice, is_named=is_named)
    if review.edit is not None:
        numbers = {"changed_ml": review.edit.changed, "added_ml": review.edit.added, "removed_ml": review.edit.removed}
        told |= {"dice_with_network": f"{review.edit.dice:.4f}"} | {key: f"{one:.4f}" for key, one in numbers.items()}
    return told


def _of_nodule(advice: Advice, *, is_named: bool) -> dict[str, str]:
    nodule = advice.nodule
    told = {"nodule_type": str(nodule.kind), "nodule_change": str(nodule.change)}
    told |= {"nodule_mm": "" if advice.size is None else f"{advice.size:.1f}", "nodule_mm_is": advice.how_measured}
    told |= {"solid_part_mm": "" if nodule.solid_part is None else f"{nodule.solid_part:.1f}"}
    told |= {"lung_rads": advice.category or f"none: {advice.why_not}"}
    return told | ({"nodule_entered_by": text_cell(nodule.person)} if is_named else {})
