"""A plan beside the result it was made from: a new result folder, whole or not at all; the old one stays as it was.

``planned-1``, ``planned-2`` ... hold the result with the planned regions as findings, so that scene, SEG and SR have
them, and in ``plan/`` the plan itself without loss, its table and its warnings. What follows from the plan is worked
out from it again.
"""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

from slicermedai.domain.codec import load_object, write_object
from slicermedai.domain.plan import Plan
from slicermedai.domain.result import RESULT, AnalysisResult, result_folder
from slicermedai.domain.reviewed import newest
from slicermedai.domain.seal import check_seal, seal
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import UnreadableFileError
from slicermedai.plan.numbers import PlanTable, table_of
from slicermedai.plan.planned import planned_result

PLAN = "plan"
"""The folder of the plan in that of its result, and the stem of its JSON file."""
TABLE = "table.csv"
WARNINGS = "warnings.txt"
"""What must be read before the numbers of the table, a line each."""

_NUMBERED = re.compile(r"(.+-)?planned-(\d{1,6})")
_REVIEWED = re.compile(r"-reviewed-\d{1,6}$")
_OF_A_RUN = re.compile(rf"{RESULT}|reviewed-\d+|planned-\d+")


def save_plan(plan: Plan, folder: Path) -> Path:
    """Save ``plan`` beside the result in ``folder``; returns the new folder.

    ``folder`` is a result folder, or the output of a run, whose last decisions then count. Height and weight are
    patient data, as is all of a result folder.

    Raises
    ------
    UnreadableFileError
        No result is there, or it is damaged.
    GeometryError
        The plan is of another image than the result.
    InputError
        The plan cannot be carried out as it stands, see :func:`slicermedai.plan.numbers.table_of`.
    OutputError, DiskFullError
        The place cannot be written; nothing is left behind.
    """
    source = newest(Path(folder))
    table = table_of(plan)
    made = planned_result(AnalysisResult.load(source), plan, table)
    target = _next(source)
    with atomic_folder(target) as partial:
        for extra in [path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")]:
            if extra.name != PLAN:
                shutil.copytree(extra, partial / extra.name)
        (partial / PLAN).mkdir()
        write_object(plan, partial / PLAN, kind=PLAN)
        write_table(table, partial / PLAN / TABLE)
        lines = "".join(f"{line}\n" for line in table.warnings)
        (partial / PLAN / WARNINGS).write_text(lines, encoding="utf-8", newline="\n")
        seal(partial / PLAN)
        write_object(made, partial, kind=RESULT)
        seal(partial)
    return target


def load_plan(folder: Path) -> Plan:
    """The plan in ``folder``: one that :func:`save_plan` made, or the last one of a run's output or of a result.

    Raises
    ------
    UnreadableFileError
        No plan is there, or plans of several cases; or it is damaged or was changed afterwards.
    """
    place = _planned(Path(folder))
    check_seal(place)
    return load_object(place / PLAN, Plan, kind=PLAN)


def write_table(table: PlanTable, path: Path) -> None:
    """CSV (RFC 4180), a line for each number; no patient data but what follows from height and weight."""
    rows = table.to_rows()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({**row, "value": "" if row["missing"] else repr(row["value"])} for row in rows)


def _planned(folder: Path) -> Path:
    """The folder of the last plan; of several cases beside each other none is guessed."""
    if _has_plan(folder):
        return folder
    found = _beside(folder) if (folder / f"{RESULT}.json").is_file() else _within(folder)
    if not found:
        raise UnreadableFileError(
            "holds no plan",
            file=folder,
            advice="Give the folder that saving the plan made, the output of its run, or the result it lies beside.",
        )
    return max(found, key=_number)


def _beside(source: Path) -> list[Path]:
    """Plans of the result in ``source``."""
    return [path for path in source.parent.iterdir() if _stem_of(path) == _stem(source) and _has_plan(path)]


def _within(folder: Path) -> list[Path]:
    """Plans of the one case in ``folder``: of its run where it is the output of one."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _stem_of(path) is not None and _has_plan(path)]
    if (folder / RESULT / f"{RESULT}.json").is_file():
        return [path for path in found if _stem_of(path) == ""]
    if len({_stem_of(path) for path in found}) > 1:
        raise UnreadableFileError(
            "holds plans of several cases",
            file=folder,
            advice="Give the folder that saving the plan made, or the result that it lies beside.",
        )
    return found


def _has_plan(folder: Path) -> bool:
    return (folder / PLAN / f"{PLAN}.json").is_file()


def _next(source: Path) -> Path:
    """Beside ``source``, under the next number that is free."""
    source = result_folder(source)
    stem = _stem(source)
    number = 1 + max((_number(path) for path in source.parent.iterdir() if _stem_of(path) == stem), default=0)
    return source.parent / f"{stem}planned-{number}"


def _stem(source: Path) -> str:
    """What the names of the plans of a result begin with: "" in the output of a run."""
    known = _stem_of(source)
    if known is not None:
        return known
    return "" if _OF_A_RUN.fullmatch(source.name) else f"{_REVIEWED.sub('', source.name)}-"


def _stem_of(folder: Path) -> str | None:
    match = _NUMBERED.fullmatch(folder.name)
    return match[1] or "" if match else None


def _number(folder: Path) -> int:
    match = _NUMBERED.fullmatch(folder.name)
    return int(match[2]) if match else 0
