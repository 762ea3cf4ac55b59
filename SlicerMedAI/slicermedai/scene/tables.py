"""The measurement table: one row per measurement, columns typed."""

from __future__ import annotations

from typing import Any

import vtk

from slicermedai.domain.finding import Finding, Interval, Measurement
from slicermedai.domain.notice import RESEARCH_USE
from slicermedai.domain.result import AnalysisResult

COLUMNS: tuple[tuple[str, int], ...] = (
    ("Finding", vtk.VTK_STRING),
    ("Measurement", vtk.VTK_STRING),
    ("Value", vtk.VTK_DOUBLE),
    ("Unit", vtk.VTK_STRING),
    ("Interval", vtk.VTK_STRING),
    ("Confidence", vtk.VTK_STRING),
    ("TrackingUID", vtk.VTK_STRING),
    ("Missing", vtk.VTK_STRING),
    ("Status", vtk.VTK_STRING),
    ("Warnings", vtk.VTK_STRING),
    ("Use", vtk.VTK_STRING),
)


def fill_table(node: Any, result: AnalysisResult) -> None:
    """Make the rows of table ``node`` the measurements of ``result``, finding by finding.

    Value is in the unit (UCUM) of its row. Where there is no number it is NaN, and Missing says why. A finding without
    any has one row, so that nothing that was found is missing from the table. What must be read before the numbers
    stands in each row.
    """
    node.RemoveAllColumns()
    said = (result.outcome, " ".join(result.provenance.warnings) or "none", RESEARCH_USE)
    rows = [(*row, *said) for finding in result.findings for row in _rows(finding)]
    for index, (name, kind) in enumerate(COLUMNS):
        node.AddColumn(_column(name, kind, [row[index] for row in rows]))
        node.SetColumnType(name, kind)
    node.SetUseColumnTitleAsColumnHeader(True)


def _rows(finding: Finding) -> list[tuple[Any, ...]]:
    label, state = finding.label.name, finding.confidence.state.value
    if finding.why_not_measured or not finding.measurements:
        return [(label, "none", float("nan"), "", "", state, finding.tracking_uid, finding.why_not_measured)]
    return [(label, *_cells(item), state, finding.tracking_uid, item.missing) for item in finding.measurements]


def _cells(measurement: Measurement) -> tuple[Any, ...]:
    return (
        measurement.title,
        measurement.value,
        measurement.unit.value,
        _interval(measurement.interval),
    )


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:g} to {interval.high:g} ({interval.level:.0%})"


def _column(name: str, kind: int, values: list[Any]) -> Any:
    column = vtk.vtkDoubleArray() if kind == vtk.VTK_DOUBLE else vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    return column
