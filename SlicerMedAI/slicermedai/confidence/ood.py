"""Is this input, and this answer, like those that the model's trust record was made from? Alarms in words.

Each check's numbers are compared with those of the record's patients by a shrunken Mahalanobis distance. The largest
of all checks' distances, each in units of its own spread, is ranked among the same maximum for every patient of the
record when that patient was left out: a conformal p-value. So false alarms stay at ``alpha`` for all checks together,
however many there are. Softmax confidence is no alarm: networks stay sure of themselves on noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.confidence.conformal import conformal_p, conformal_quantile, fewest_for, per_subject
from slicermedai.domain.words import Words
from slicermedai.errors import InputError

ALPHA = 0.05
_SHRINKAGE = 0.3
_FLOORS = {"voxel spacing": 0.05, "field of view": 0.05, "noise and sharpness": 0.03}
_USUAL = 0.02
"""The least spread of a number that is taken for real, relative to its typical size: records of one scanner alone."""

FloatArray = NDArray[np.float64]


class OodState(Words):
    """Whether an input is like those of the record."""

    INSIDE = "in distribution"
    OUTSIDE = "out of distribution"
    NOT_ASSESSED = "not assessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One check that failed, and why, in words for the person who reads the result."""

    check: str
    reason: str
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OodReport:
    """What the checks found. ``unchecked`` says what could not be looked at, and why."""

    state: OodState
    alarms: tuple[Alarm, ...] = ()
    p: float | None = None
    unchecked: tuple[str, ...] = ()

    def joined(self, alarms: Sequence[Alarm]) -> OodReport:
        """This report with alarms of other checks: any alarm makes it "out of distribution"."""
        state = OodState.OUTSIDE if alarms else self.state
        return OodReport(state=state, alarms=(*self.alarms, *alarms), p=self.p, unchecked=self.unchecked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One check's numbers over the record's patients: centre, inverse of the shrunken covariance, typical distance."""

    check: str
    centre: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    typical: float

    def strangeness(self, numbers: FloatArray) -> float:
        """Distance from the centre in units of the typical one; infinite for numbers of another length."""
        if numbers.shape != (len(self.centre),) or not np.isfinite(numbers).all():
            return float("inf")
        away = numbers - self.centre
        return float(np.sqrt(max(away @ np.array(self.precision) @ away, 0.0)) / self.typical)


@dataclass(frozen=True, slots=True, kw_only=True)
class OodReference:
    """What inputs of the record look like. ``largest`` is each patient's largest strangeness when left out."""

    shapes: tuple[Shape, ...]
    largest: tuple[float, ...]

    def report(self, appearance: Mapping[str, FloatArray], *, alpha: float = ALPHA) -> OodReport:
        """Compare one input: check -> its numbers, as :func:`slicermedai.confidence.appearance.appearance` gives them.

        An alarm needs ``1 / alpha - 1`` patients; with fewer the answer is "not assessed".
        """
        unchecked = tuple(f"{s.check}: not known of this input" for s in self.shapes if s.check not in appearance)
        if len(self.largest) < fewest_for(1 - alpha):
            few = f"{len(self.largest)} patients are too few: {fewest_for(1 - alpha)} are needed"
            return OodReport(state=OodState.NOT_ASSESSED, unchecked=(few, *unchecked))
        strange = {s.check: s.strangeness(appearance[s.check]) for s in self.shapes if s.check in appearance}
        if not strange:
            return OodReport(state=OodState.NOT_ASSESSED, unchecked=unchecked)
        alarms = tuple(self._alarm(check, how) for check, how in strange.items() if self._p(how) <= alpha)
        state = OodState.OUTSIDE if alarms else OodState.INSIDE
        return OodReport(state=state, alarms=alarms, p=self._p(max(strange.values())), unchecked=unchecked)

    def strangeness(self, appearance: Mapping[str, FloatArray]) -> float:
        """The largest over the checks that are known of this input."""
        return max(s.strangeness(appearance[s.check]) for s in self.shapes if s.check in appearance)

    def _p(self, strangeness: float) -> float:
        return conformal_p(self.largest, strangeness)

    def _alarm(self, check: str, strangeness: float) -> Alarm:
        p = self._p(strangeness)
        few = f"1 in {round(1 / p)} or fewer"
        return Alarm(
            check=check,
            p=p,
            reason=f"{check}: unlike the {len(self.largest)} patients of the trust record ({few} are as unusual)",
        )


def fit_ood(appearances: Sequence[Mapping[str, FloatArray]], *, subjects: Sequence[str]) -> OodReference:
    """The reference from the record's cases; several images of a patient count once, by their mean.

    Raises
    ------
    InputError
        Cases without the same checks, or numbers of cases and patients that differ.
    """
    tables = _tables(appearances, subjects)
    count = len(next(iter(tables.values())))
    largest = []
    for left_out in range(count):
        shapes = _shapes({check: np.delete(table, left_out, axis=0) for check, table in tables.items()})
        largest.append(max(shape.strangeness(tables[shape.check][left_out]) for shape in shapes))
    return OodReference(shapes=_shapes(tables), largest=tuple(sorted(largest)))


def _tables(appearances: Sequence[Mapping[str, FloatArray]], subjects: Sequence[str]) -> dict[str, FloatArray]:
    """Check -> (patients, numbers)."""
    checks = sorted(appearances[0]) if appearances else []
    if not checks or len(appearances) != len(subjects) or any(sorted(a) != checks for a in appearances):
        raise InputError("each case needs its patient, and the same checks as all others", attribute="subjects")
    keys = np.asarray(subjects, dtype=str)
    patients = np.unique(keys)
    if patients.size < 3:
        raise InputError("three patients are the least that can be compared with", attribute="subjects")
    rows = {check: np.stack([np.asarray(a[check], dtype=np.float64) for a in appearances]) for check in checks}
    return {check: np.stack([table[keys == p].mean(axis=0) for p in patients]) for check, table in rows.items()}


def _shapes(tables: Mapping[str, FloatArray]) -> tuple[Shape, ...]:
    return tuple(_shape(check, table) for check, table in tables.items())


def _shape(check: str, table: FloatArray) -> Shape:
    centre = np.median(table, axis=0)
    floor = _FLOORS.get(check) or max(_USUAL * float(np.abs(table).max()), 1e-9)
    spread = np.atleast_2d(np.cov(table, rowvar=False))
    own = np.diag(np.diag(spread) + floor**2)
    precision = np.linalg.inv((1 - _SHRINKAGE) * (spread + floor**2 * np.eye(len(centre))) + _SHRINKAGE * own)
    away = table - centre
    distances = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", away, precision, away), 0.0))
    return Shape(
        check=check,
        centre=tuple(float(x) for x in centre),
        precision=tuple(tuple(float(x) for x in row) for row in precision),
        typical=max(float(np.sqrt((distances**2).mean())), 0.5 * float(np.sqrt(len(centre)))),
    )


# --- after inference ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRange:
    """Plausible volumes of one structure in ml, for patients from ``youngest`` to ``oldest`` years; both included."""

    value: int
    name: str
    low: float
    high: float
    youngest: float = 0.0
    oldest: float = 200.0

    @property
    def is_of_a_band(self) -> bool:
        """False where it holds at every age."""
        return (self.youngest, self.oldest) != (0.0, 200.0)


def fit_volume_ranges(
    volumes: ArrayLike, labels: Sequence[tuple[int, str]], *, subjects: Sequence[str], alpha: float = ALPHA
) -> tuple[VolumeRange, ...]:
    """Plausible volumes from references in ml, (images, structures) as ``labels`` has them; a patient counts once.

    A new patient with such volumes gets any alarm at all with a chance of ``alpha``, however many structures there are:
    the largest distance of the logarithms from their means, in standard deviations, is ranked among the same of
    every patient when left out. Where a patient lacks a structure, 0 is plausible too. Structures that fewer than
    ``1 / alpha - 1`` patients have get no range.
    """
    table = np.asarray(volumes, dtype=np.float64).reshape(len(subjects), len(labels))
    each = np.stack([per_subject(column, subjects) for column in table.T], axis=1) if table.size else table
    enough = np.count_nonzero(each > 0, axis=0) >= fewest_for(1 - alpha)
    known = [number for number, found in enumerate(enough) if found]
    if not known:
        return ()
    logs = np.log(each[:, known], where=each[:, known] > 0, out=np.full((len(each), len(known)), np.nan))
    largest = []
    for left_out, own in enumerate(logs):
        middle, spread = _spread(np.delete(logs, left_out, axis=0))
        largest.append(float(np.nanmax(np.abs(own - middle) / spread, initial=0.0)))
    middle, spread = _spread(logs)
    half = conformal_quantile(largest, 1 - alpha) * spread
    return tuple(
        VolumeRange(
            value=labels[number][0],
            name=labels[number][1],
            low=0.0 if (each[:, number] <= 0).any() else float(np.exp(middle[n] - half[n])),
            high=float(np.exp(middle[n] + half[n])),
        )
        for n, number in enumerate(known)
    )


def _spread(logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each column, at least that of volumes that differ by some per cent."""
    return np.nanmean(logs, axis=0), np.maximum(np.nanstd(logs, axis=0, ddof=1), _USUAL)


def volume_alarms(
    volumes: Mapping[int, float], ranges: Sequence[VolumeRange], *, age: float | None = None
) -> tuple[Alarm, ...]:
    """Structures whose volume in ml no range allows; without an age the widest of a structure's ranges counts, and with
    one those of its band, where there are any.

    A structure that was not found at all has volume 0, and is judged as such.
    """
    alarms = []
    for value in dict.fromkeys(r.value for r in ranges):
        fitting = [r for r in ranges if r.value == value and (age is None or r.youngest <= age <= r.oldest)]
        if age is not None and any(r.is_of_a_band for r in fitting):
            fitting = [r for r in fitting if r.is_of_a_band]
        found = float(volumes.get(value, 0.0))
        if fitting and not any(r.low <= found <= r.high for r in fitting):
            low, high = min(r.low for r in fitting), max(r.high for r in fitting)
            reason = f"{fitting[0].name} measures {found:.4g} ml; {low:g} to {high:g} is plausible"
            alarms.append(Alarm(check="volume", reason=reason + ("" if age is None else " at this age")))
    return tuple(alarms)


def age_doubts(ranges: Sequence[VolumeRange], *, age: float | None) -> tuple[str, ...]:
    """Why nobody can tell whether volumes are plausible at ``age``, where ranges are of bands and none is of that."""
    bands = [r for r in ranges if r.is_of_a_band]
    if age is None or not bands or any(r.youngest <= age <= r.oldest for r in bands):
        return ()
    return ("volumes were held against patients of all ages: the trust record has too few of this age",)
