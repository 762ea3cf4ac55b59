"""Intervals by bootstrap over patients: whoever has several images, lesions or structures is drawn whole or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.finding import Interval
from slicermedai.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """``rounds`` draws of patients with replacement; intervals hold the middle ``level`` of the results."""

    rounds: int = 1000
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number over a cohort, its interval (None of fewer than two patients) and what it is made of."""

    value: float
    interval: Interval | None
    patients: int
    cases: int

    @property
    def words(self) -> str:
        """For people: "0.91 (0.88 to 0.93)"."""
        if self.interval is None:
            return f"{self.value:.3g}"
        return f"{self.value:.3g} ({self.interval.low:.3g} to {self.interval.high:.3g})"


def mean_over_patients(values: Sequence[float], subjects: Sequence[str], how: Resampling) -> Estimate:
    """The mean of the patients' means, so that who has many images does not weigh more.

    Raises
    ------
    InputError
        No value, a value that is not a finite number, or numbers of values and patients that differ.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size or numbers.size != len(subjects) or not np.isfinite(numbers).all():
        raise InputError("each patient's values must be finite numbers, and there must be some", attribute="values")
    _, place = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    means = np.bincount(place, numbers) / np.bincount(place)
    rng = np.random.default_rng(how.seed)
    drawn = means[rng.integers(0, means.size, (how.rounds, means.size))].mean(axis=1)
    interval = middle(drawn, how.level) if means.size > 1 else None
    return Estimate(value=float(means.mean()), interval=interval, patients=means.size, cases=numbers.size)


def over_patients(statistic: Callable[[NDArray[np.intp]], float], subjects: Sequence[str], how: Resampling) -> Estimate:
    """Any ``statistic`` of case numbers (N,), with an interval; a draw in which it is not defined (NaN) is left out."""
    keys = np.asarray(subjects, dtype=str)
    patients = [np.flatnonzero(keys == patient) for patient in np.unique(keys)]
    rng = np.random.default_rng(how.seed)
    drawn = []
    for _ in range(how.rounds if len(patients) > 1 else 0):
        chosen = rng.integers(0, len(patients), len(patients))
        drawn.append(statistic(np.concatenate([patients[n] for n in chosen])))
    known = [value for value in drawn if np.isfinite(value)]
    return Estimate(
        value=float(statistic(np.arange(keys.size))),
        interval=middle(np.array(known), how.level) if known else None,
        patients=len(patients),
        cases=keys.size,
    )


def middle(values: FloatArray, level: float) -> Interval:
    """The interval that holds the middle ``level`` of ``values``."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)
