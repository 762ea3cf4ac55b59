"""Which cases a person looks at first: robust z-scores of volumes over the cohort, warnings, red lights, doubles."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slicermedai.batch.cohort import State
from slicermedai.batch.table import Report

FEWEST = 5
"""Cases of a structure below which nothing is said of outliers."""
FAR = 3.5
"""Modified z-score from which a value is called an outlier (Iglewicz and Hoaglin 1993)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Why a case is to be looked at: ``reasons`` in words, the worst first; ``z`` by structure, signed, which say
    nothing (and are 0) where ``is_compared`` tells that there are too few cases of its model.
    """

    report: Report
    reasons: tuple[str, ...]
    z: dict[str, float]
    is_compared: bool = True

    @property
    def farthest(self) -> float:
        """The largest of its absolute z-scores, 0 where there is none."""
        return max(map(abs, self.z.values()), default=0.0)


def robust_z(values: Sequence[float]) -> list[float]:
    """How far each lies from the median, in units of 1.4826 MAD; of 1.2533 mean deviations where the MAD is 0.

    All 0 for equal values, and for fewer than :data:`FEWEST`.
    """
    if len(values) < FEWEST:
        return [0.0] * len(values)
    middle = statistics.median(values)
    away = [abs(value - middle) for value in values]
    scale = 1.4826 * statistics.median(away) or 1.2533 * statistics.fmean(away)
    return [(value - middle) / scale if scale else 0.0 for value in values]


def ranked(reports: Sequence[Report]) -> list[Look]:
    """The cases that were run: by red lights, by warnings, by how far their volumes lie from the others'."""
    done = [one for one in reports if one.standing.state is State.DONE]
    scores = _scores(done)
    doubles: dict[str, list[str]] = {}
    for one in done:
        doubles.setdefault(one.image, []).append(one.case.name)
    sizes = Counter(one.case.bundle for one in done)
    looks = [_look(one, scores.get(one.case.name, {}), doubles) for one in done]
    looks = [replace(one, is_compared=sizes[one.report.case.bundle] >= FEWEST) for one in looks]
    return sorted(looks, key=_urgency)


def _urgency(look: Look) -> tuple[Any, ...]:
    reds = sum(light == "red" for _, light in look.report.lights)
    return -reds, -len(look.report.warnings), -look.farthest, not look.reasons, look.report.case.name


def _scores(done: Sequence[Report]) -> dict[str, dict[str, float]]:
    """Case -> structure -> z, within the cases of one model; a structure that a case lacks has a volume of 0."""
    found: dict[str, dict[str, float]] = {}
    for bundle in {one.case.bundle for one in done}:
        cases = [one for one in done if one.case.bundle == bundle]
        for name in sorted({name for one in cases for name in one.volumes}):
            values = robust_z([one.volumes.get(name, 0.0) for one in cases])
            for one, value in zip(cases, values, strict=True):
                found.setdefault(one.case.name, {})[name] = value
    return found


def _look(report: Report, z: Mapping[str, float], doubles: Mapping[str, Sequence[str]]) -> Look:
    reds = [name for name, light in report.lights if light == "red"]
    reasons = [": ".join(filter(None, (f"{name}: red light", report.why_red.get(name)))) for name in reds]
    reasons += report.warnings
    reasons += [
        f"{name}: {'not found' if name not in report.volumes else 'volume'} unlike the others (z {value:+.1f})"
        for name, value in z.items()
        if abs(value) >= FAR
    ]
    others = [name for name in doubles[report.image] if report.image and name != report.case.name]
    if others:
        reasons.append(f"the same image as case {', '.join(others)}")
    if report.outcome != "complete":
        reasons.append(f"outcome: {report.outcome}")
    return Look(report=report, reasons=tuple(reasons), z=dict(z))
