"""The cohort's numbers in brief: for each structure and measurement how many, where they lie and how far apart."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLUMNS = (
    *("model", "structure", "measurement", "unit", "cases", "patients", "missing"),
    *("mean", "sd", "median", "q1", "q3", "least", "most"),
    *("demonstration", "remark"),
)
_KEY, _NUMBERS = COLUMNS[:4], COLUMNS[7:14]


def summarise(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each model (NAME@VERSION), structure, measurement and unit of the long table.

    sd is the sample's, None for one value. ``demonstration`` and ``remark`` are those of the cases behind the numbers.
    """
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["measurement"]:
            key = (_model(row), row["structure"], row["measurement"], row["unit"])
            groups.setdefault(key, []).append(row)
    return [_summary(key, members) for key, members in sorted(groups.items())]


def _model(row: Mapping[str, Any]) -> str:
    return "@".join(filter(None, (row["bundle"], row["bundle_version"])))


def _summary(key: tuple[str, ...], members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = sorted(row["value"] for row in members if row["value"] is not None)
    named = dict(zip(_KEY, key, strict=True))
    counts = {
        "cases": len({row["case"] for row in members}),
        "patients": len({row["patient"] for row in members}),
        "missing": len(members) - len(values),
    }
    said = {
        "demonstration": "yes" if any(row["demonstration"] == "yes" for row in members) else "no",
        "remark": "; ".join(dict.fromkeys(filter(None, (row["remark"] for row in members)))),
    }
    return named | counts | (_numbers(values) if values else dict.fromkeys(_NUMBERS)) | said


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
