"""Calibration of a model from patients that it was not trained on, and its judgement on yet other patients.

What is counted are patients. Several images, time points or augmented copies of one patient are averaged and count as
one, in the fit, in its intervals and in the smallest number that is accepted: voxels of one patient are so alike that
intervals over voxels come out ten to twenty times too narrow. Intervals are by bootstrap over patients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.confidence.margins import margins_of_probabilities
from slicermedai.confidence.metrics import CalibrationMetrics, Reliability
from slicermedai.confidence.scaling import Method, Scaling, fit_platt, fit_temperature
from slicermedai.confidence.sketch import BINS, CaseSketch, MarginSketch, Points, mean_margins, points_of
from slicermedai.domain.finding import Interval
from slicermedai.errors import SharedCasesError, TooFewCasesError, TrustError

MINIMUM_SUBJECTS = 20
_COARSE = 1024

FloatArray = NDArray[np.float64]
FITS: dict[Method, Callable[[Points], Scaling]] = {Method.TEMPERATURE: fit_temperature, Method.PLATT: fit_platt}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals are made: ``rounds`` draws of patients with replacement; the ends hold ``level`` of them."""

    rounds: int = 200
    seed: int = 0
    level: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """Calibration of one structure on a set of patients, with an interval for each number that has one."""

    metrics: CalibrationMetrics
    intervals: dict[str, Interval] = field(default_factory=dict)
    reliability: Reliability
    subjects: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassCalibration:
    """One structure's calibration, or why there is none (then ``scaling.method`` is "none").

    ``intervals`` has "slope" and "offset"; ``before`` and ``after`` are on the patients of the fit itself.
    """

    value: int
    scaling: Scaling
    subjects: int
    intervals: dict[str, Interval] = field(default_factory=dict)
    before: Judgement | None = None
    after: Judgement | None = None
    reason: str = ""

    @property
    def is_calibrated(self) -> bool:
        """True where there is a scaling to use."""
        return self.scaling.method is not Method.NONE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """The calibrations of all structures of one model, with the opaque keys of the patients they were fitted on."""

    classes: tuple[ClassCalibration, ...]
    subjects: tuple[str, ...]
    generated: bool

    def of(self, value: int) -> ClassCalibration | None:
        """That of a label value, None where there is none."""
        return next((found for found in self.classes if found.value == value), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Patients:
    """One structure's voxels: the fine points of all, and for the bootstrap coarse bins: a table per patient
    (S, 2, 1024), and the mean margins (2, 1024) over all."""

    points: Points
    tables: FloatArray
    means: FloatArray

    def drawn(self, rng: np.random.Generator) -> Points:
        """The voxels of as many patients, drawn with replacement."""
        size = len(self.tables)
        times = np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
        return points_of(np.tensordot(times, self.tables, axes=1), self.means)


def calibrate(
    cases: Iterable[CaseSketch],
    *,
    trained_on: Collection[str],
    method: Method = Method.PLATT,
    bootstrap: Bootstrap | None = None,
) -> Calibration:
    """Fit every structure of ``cases``.

    Parameters
    ----------
    trained_on:
        Keys of the patients that the model was trained or tuned on. A separate calibration set is demanded: networks
        are over-confident most of all about what they have seen.

    Raises
    ------
    SharedCasesError
        A patient of ``cases`` is among ``trained_on``.
    TooFewCasesError
        Fewer than 20 patients, whatever the number of images.
    """
    known = tuple(cases)
    subjects = _subjects(known)
    refuse_shared(subjects, trained_on, what="training")
    refuse_few(subjects)
    values = sorted({value for case in known for value in case.sketches})
    chosen = bootstrap or Bootstrap()
    return Calibration(
        classes=tuple(_of_class(known, value, method, chosen) for value in values),
        subjects=subjects,
        generated=any(case.generated for case in known),
    )


def judge(
    cases: Iterable[CaseSketch], calibration: Calibration, *, value: int, bootstrap: Bootstrap | None = None
) -> Judgement:
    """How well calibrated structure ``value`` is on patients that ``calibration`` has not seen.

    Raises
    ------
    SharedCasesError
        A patient was in the fit: such a judgement would flatter.
    TrustError
        No voxel of the structure was counted.
    """
    known = tuple(cases)
    refuse_shared(_subjects(known), calibration.subjects, what="calibration")
    patients = _patients(known, value)
    found = calibration.of(value)
    if patients is None:
        raise TrustError("no voxel of this structure was counted in any case", attribute="value")
    return _judged(patients, found.scaling if found else Scaling(), bootstrap or Bootstrap())


def refuse_few(subjects: Collection[str]) -> None:
    """Raise :class:`TooFewCasesError` for fewer than 20 different patients."""
    count = len(set(subjects))
    if count < MINIMUM_SUBJECTS:
        raise TooFewCasesError(
            f"{count} patients are too few: a calibration needs {MINIMUM_SUBJECTS}, and copies or further images of one"
            " patient count as one",
            attribute="cases",
            advice='The model stays "not calibrated"; add patients that it was not trained on.',
        )


def refuse_shared(subjects: Collection[str], others: Collection[str], *, what: str) -> None:
    """Raise :class:`SharedCasesError` where a patient is in both; patients are counted, never named."""
    shared = len(set(subjects) & set(others))
    if shared:
        raise SharedCasesError(
            f"{shared} of {len(set(subjects))} patients were in the {what} set too",
            attribute="subject",
            advice="Take patients that are in neither set.",
        )


def sketch_of_candidates(scores: ArrayLike, hits: ArrayLike) -> MarginSketch:
    """A case's lesion candidates: scores 0 to 1 and whether each was matched to a reference lesion, (N,).

    Calibrated as voxels are: a candidate's calibrated probability is that of being a true lesion.
    """
    return MarginSketch().add(margins_of_probabilities(np.asarray(scores)), hits)


# --- one structure -----------------------------------------------------------------------------------------------


def _of_class(cases: Sequence[CaseSketch], value: int, method: Method, bootstrap: Bootstrap) -> ClassCalibration:
    patients = _patients(cases, value)
    count = 0 if patients is None else len(patients.tables)
    if patients is None or count < MINIMUM_SUBJECTS:
        return _none(value, count, f"found in {count} patients; {MINIMUM_SUBJECTS} are needed")
    try:
        scaling = FITS[method](patients.points)
    except TrustError as error:
        return _none(value, count, error.message)
    return ClassCalibration(
        value=value,
        scaling=scaling,
        subjects=count,
        intervals=_fit_intervals(patients, method, bootstrap),
        before=_judged(patients, Scaling(), bootstrap),
        after=_judged(patients, scaling, bootstrap),
    )


def _none(value: int, subjects: int, reason: str) -> ClassCalibration:
    return ClassCalibration(value=value, scaling=Scaling(), subjects=subjects, reason=reason)


def _fit_intervals(patients: _Patients, method: Method, bootstrap: Bootstrap) -> dict[str, Interval]:
    """Intervals of slope and offset; a draw that cannot be fitted counts as infinite on both sides."""
    rng = np.random.default_rng(bootstrap.seed)
    fits = []
    for _ in range(bootstrap.rounds):
        try:
            fits.append(FITS[method](patients.drawn(rng)))
        except TrustError:
            return {name: Interval(low=-np.inf, high=np.inf, level=bootstrap.level) for name in ("slope", "offset")}
    slopes, offsets = [fit.slope for fit in fits], [fit.offset for fit in fits]
    return {"slope": percentiles(slopes, bootstrap.level), "offset": percentiles(offsets, bootstrap.level)}


def _judged(patients: _Patients, scaling: Scaling, bootstrap: Bootstrap) -> Judgement:
    rng = np.random.default_rng(bootstrap.seed)
    draws = [scaling.metrics(patients.drawn(rng)) for _ in range(bootstrap.rounds)]
    return Judgement(
        metrics=scaling.metrics(patients.points),
        intervals={n: percentiles([getattr(d, n) for d in draws], bootstrap.level) for n in _NUMBERS},
        reliability=scaling.reliability(patients.points),
        subjects=len(patients.tables),
    )


_NUMBERS = ("ece", "ace", "mce", "brier", "nll")


def percentiles(values: Sequence[float], level: float) -> Interval:
    """The interval that holds the middle ``level`` of ``values``."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)


def _subjects(cases: Iterable[CaseSketch]) -> tuple[str, ...]:
    return tuple(sorted({case.subject for case in cases}))


def _patients(cases: Iterable[CaseSketch], value: int) -> _Patients | None:
    """The voxels of one structure, the images of a patient averaged; None where there is none."""
    seen = [case for case in cases if value in case.sketches and case.sketches[value].voxels]
    images = Counter(case.subject for case in seen)
    order = {subject: number for number, subject in enumerate(sorted(images))}
    if not order:
        return None
    tables, counts, residuals = np.zeros((len(order), 2, _COARSE)), np.zeros((2, BINS)), np.zeros((2, BINS))
    for case in seen:
        sketch, share = case.sketches[value], 1.0 / images[case.subject]
        counts += share * sketch.counts
        residuals += share * sketch.residuals
        tables[order[case.subject]] += share * _coarser(sketch.counts)
    fine = mean_margins(counts, residuals)
    means = _coarser(np.nan_to_num(fine) * counts) / np.maximum(_coarser(counts), np.finfo(float).tiny)
    return _Patients(points=points_of(counts, fine), tables=tables, means=means)


def _coarser(table: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(table.reshape(2, _COARSE, -1).sum(axis=2))
