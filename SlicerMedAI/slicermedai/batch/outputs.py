"""What a cohort leaves for people: table, summary and quality sheet, written anew from the results at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from slicermedai.batch import summary, table
from slicermedai.batch.cohort import Cohort
from slicermedai.batch.sheet import sheet_page
from slicermedai.domain.cells import csv_text
from slicermedai.domain.storage import atomic_file, named, write_text

TABLE, SUMMARY, SHEET, PARQUET = "table.csv", "summary.csv", "sheet.html", "table.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The files that were written; ``absent`` says in words what was not, and why."""

    table: Path
    summary: Path
    sheet: Path
    parquet: Path | None = None
    absent: tuple[str, ...] = ()


def write_outputs(cohort: Cohort) -> Outputs:
    """Write all of them, each whole or not at all, from what is in the queue and the results now.

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written; older files stay.
    """
    with cohort.alone(), named(cohort.folder):
        reports = list(table.reports_of(cohort))
        rows = [row for report in reports for row in report.rows]
        numbers = summary.summarise(rows)
        title = f"Quality sheet: {len(reports)} cases"
        parquet = _write_parquet(rows, cohort.folder / PARQUET)
        return Outputs(
            table=write_text(cohort.folder / TABLE, csv_text(table.COLUMNS, rows)),
            summary=write_text(cohort.folder / SUMMARY, csv_text(summary.COLUMNS, numbers)),
            sheet=write_text(cohort.folder / SHEET, sheet_page(reports, numbers, title=title)),
            parquet=parquet,
            absent=() if parquet else (f"{PARQUET}: the package pyarrow is not installed",),
        )


def _write_parquet(rows: Sequence[Mapping[str, Any]], path: Path) -> Path | None:
    if find_spec("pyarrow") is None:
        return None
    import pyarrow
    from pyarrow import parquet

    types = [(name, pyarrow.float64() if name in table.NUMBERS else pyarrow.string()) for name in table.COLUMNS]
    made = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=pyarrow.schema(types))
    with atomic_file(path) as partial:
        parquet.write_table(made, partial)
    return path
