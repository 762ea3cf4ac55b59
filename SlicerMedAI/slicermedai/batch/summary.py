"""The cohort's numbers in brief: for each structure and measurement how many, where they lie and how far apart."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLUMNS = (
    *("structure", "measurement", "unit", "cases", "patients", "missing"),
    *("mean", "sd", "median", "q1", "q3", "least", "most"),
)


def summarise(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each structure, measurement and unit of the long table; sd is the sample's, None for one value."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["measurement"]:
            groups.setdefault((row["structure"], row["measurement"], row["unit"]), []).append(row)
    return [_summary(key, members) for key, members in sorted(groups.items())]


def _summary(key: tuple[str, str, str], members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = sorted(row["value"] for row in members if row["value"] is not None)
    named = dict(zip(COLUMNS, key, strict=False))
    counts = {
        "cases": len({row["case"] for row in members}),
        "patients": len({row["patient"] for row in members}),
        "missing": len(members) - len(values),
    }
    return named | counts | (_numbers(values) if values else dict.fromkeys(COLUMNS[6:]))


def _numbers(values: Sequence[float]) -> dict[str, Any]:
    quarters = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "median": quarters[1],
        "q1": quarters[0],
        "q3": quarters[2],
        "least": values[0],
        "most": values[-1],
    }
