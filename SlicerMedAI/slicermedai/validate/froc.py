"""Lesion detection: FROC curve and CPM by the rules of LUNA16 (Setio et al., Medical Image Analysis 2017).

- A candidate hits a lesion where it lies nearer to its centre than its radius. It may hit several.
- Of several candidates in one lesion the best counts; the others are neither hits nor false alarms.
- Candidates in an excluded lesion are neither, and excluded lesions need not be found.
- Scans without lesions count: their candidates are false alarms, and they are in the number of scans.
- Candidates of one score are taken together.
- Sensitivity is interpolated linearly at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms per scan; CPM is the mean of the
  seven. Where a curve ends earlier its last value goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.words import Words
from slicermedai.errors import InputError
from slicermedai.validate.resampling import Estimate, Resampling, over_patients

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A reference lesion: centre in LPS mm, diameter in mm."""

    position: tuple[float, float, float]
    diameter: float
    excluded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A place that a detector names, LPS mm, with its score: larger is surer."""

    position: tuple[float, float, float]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan of a patient, with or without lesions; ``groups`` are its properties, as sex and manufacturer."""

    subject: str
    lesions: tuple[Lesion, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    case: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)


class Outcome(Words):
    """What became of a candidate."""

    HIT = "hit"
    AGAIN = "another of the same lesion"
    EXCLUDED = "in an excluded lesion"
    FALSE_ALARM = "false alarm"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Froc:
    """The curve: ``false_alarms`` per scan and ``sensitivity``, (N,), from strict to lax; and what it is made of."""

    false_alarms: FloatArray
    sensitivity: FloatArray
    lesions: int
    scans: int

    def at(self, rate: float) -> float:
        """Sensitivity at ``rate`` false alarms per scan."""
        return float(np.interp(rate, self.false_alarms, self.sensitivity))

    @property
    def cpm(self) -> float:
        """Competition performance metric: the mean sensitivity at the seven rates."""
        return float(np.mean([self.at(rate) for rate in RATES]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """One scan's outcome: scores of lesions that were hit, and of false alarms, and how many lesions there were."""

    hits: FloatArray
    false_alarms: FloatArray
    lesions: int


def matched(scan: Scan) -> Matched:
    """Match a scan's candidates to its lesions; raises :class:`InputError` for a score that is not a number."""
    scores, inside = _inside(scan)
    wanted = np.array([not lesion.excluded for lesion in scan.lesions], dtype=bool)
    hits = [float(scores[row].max()) for row in inside[wanted] if row.any()]
    return Matched(hits=np.array(hits), false_alarms=scores[~inside.any(axis=0)], lesions=int(wanted.sum()))


def outcomes(scan: Scan) -> tuple[Outcome, ...]:
    """What became of each candidate of a scan, in order; errors as :func:`matched`.

    The best of a lesion is its hit, of equal ones the first. One that lies in several lesions is a hit of any, and
    else in an excluded one, if that is among them.
    """
    scores, inside = _inside(scan)
    found = np.where(inside.any(axis=0), Outcome.AGAIN, Outcome.FALSE_ALARM).astype(object)
    best = [int(np.where(row, scores, -np.inf).argmax()) if row.any() else None for row in inside]
    for lesion, row in zip(scan.lesions, inside, strict=True):
        if lesion.excluded:
            found[row] = Outcome.EXCLUDED
    for lesion, number in zip(scan.lesions, best, strict=True):
        if number is not None and not lesion.excluded:
            found[number] = Outcome.HIT
    return tuple(Outcome(one) for one in found)


def _inside(scan: Scan) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Scores (candidates,), and whether each candidate hits each lesion, (lesions, candidates)."""
    scores = np.array([c.score for c in scan.candidates], dtype=np.float64)
    if np.isnan(scores).any():
        raise InputError("a candidate's score is not a number", attribute="score")
    places = np.array([c.position for c in scan.candidates], dtype=np.float64).reshape(1, -1, 3)
    centres = np.array([lesion.position for lesion in scan.lesions], dtype=np.float64).reshape(-1, 1, 3)
    radii = np.array([lesion.diameter / 2 for lesion in scan.lesions], dtype=np.float64).reshape(-1, 1)
    return scores, ((places - centres) ** 2).sum(axis=2) < radii**2


def froc(outcomes: Sequence[Matched]) -> Froc:
    """The curve over scans; raises :class:`InputError` where no scan has a lesion: sensitivity is not defined."""
    lesions = sum(outcome.lesions for outcome in outcomes)
    if not lesions:
        raise InputError("no scan has a lesion that counts: there is nothing to find", attribute="lesions")
    hits = np.concatenate([outcome.hits for outcome in outcomes])
    alarms = np.concatenate([outcome.false_alarms for outcome in outcomes])
    levels = np.unique(np.concatenate([hits, alarms]))[::-1]
    found = hits.size - np.searchsorted(np.sort(hits), levels)
    wrong = alarms.size - np.searchsorted(np.sort(alarms), levels)
    return Froc(
        false_alarms=np.concatenate([[0.0], wrong / len(outcomes)]),
        sensitivity=np.concatenate([[0.0], found / lesions]),
        lesions=lesions,
        scans=len(outcomes),
    )


def cpm(scans: Sequence[Scan], *, how: Resampling) -> Estimate:
    """CPM with its interval by bootstrap over patients."""
    outcomes = [matched(scan) for scan in scans]

    def statistic(cases: NDArray[np.intp]) -> float:
        drawn = [outcomes[n] for n in cases]
        return froc(drawn).cpm if any(outcome.lesions for outcome in drawn) else float("nan")

    return over_patients(statistic, [scan.subject for scan in scans], how)
