"""How good the segmentation of one structure is expected to be, and where its border may lie.

The Dice that the calibrated probabilities themselves expect is a feature, not the answer: it is regressed on the Dice
that patients of the calibration set turned out to have, together with the agreement of samples where such were
taken. The interval is made of the errors for patients left out of the regression one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.confidence.calibrate import MINIMUM_SUBJECTS
from slicermedai.confidence.conformal import conformal_quantile
from slicermedai.confidence.scaling import Scaling
from slicermedai.confidence.sketch import MarginSketch
from slicermedai.domain.finding import Interval
from slicermedai.errors import InputError, TooFewCasesError

EXPECTED_DICE = "expected Dice of the calibrated probabilities"
PAIRWISE_DICE = "pairwise Dice of samples"
PAIRWISE_DICE_BEFORE = "pairwise Dice of test-time augmentation"
"""The same in records that were made when there were no other samples."""
_RIDGE = 1e-3

FloatArray = NDArray[np.float64]


def expected_dice(sketch: MarginSketch, scaling: Scaling) -> float | None:
    """The Dice that calibrated probabilities expect of the prediction (margin above 0) in the region of ``sketch``.

    ``2 sum_P p / (|P| + sum p)``; the reference's answers in the sketch are not looked at. None where nothing was
    predicted.
    """
    points = sketch.points()
    p, found = scaling.probabilities(points.margin), points.margin > 0
    size = float(points.weight[found].sum())
    if not size:
        return None
    return float(2 * (points.weight * p)[found].sum() / (size + points.weight @ p))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiceModel:
    """A linear model of the Dice from named features, with what it predicted for each patient left out of it.

    ``held_out`` is a pair (predicted, true) for each patient of the calibration set.
    """

    features: tuple[str, ...]
    weights: tuple[float, ...]
    held_out: tuple[tuple[float, float], ...]

    def predict(self, features: Mapping[str, float]) -> float | None:
        """Expected Dice, 0 to 1; None where a feature of the fit is not there."""
        if not set(self.features) <= set(features):
            return None
        return float(np.clip(np.array([1.0, *(features[name] for name in self.features)]) @ self.weights, 0.0, 1.0))

    def interval(self, predicted: float, *, level: float = 0.9) -> Interval:
        """The interval that held ``level`` of the patients left out, by the finite-sample rank; 0 to 1 at most."""
        errors = [abs(a - b) for a, b in self.held_out]
        half = conformal_quantile(errors, level)
        return Interval(low=max(0.0, predicted - half), high=min(1.0, predicted + half), level=level)


def fit_dice(features: Sequence[Mapping[str, float]], dice: Sequence[float], *, subjects: Sequence[str]) -> DiceModel:
    """Fit to cases: their features (the same names in all), their true Dice, and the keys of their patients.

    Raises
    ------
    TooFewCasesError
        Fewer than 20 patients.
    InputError
        Numbers of cases differ, or features are missing.
    """
    names, design = _design(features)
    truth, keys = np.asarray(dice, dtype=np.float64), np.asarray(subjects, dtype=str)
    if not len(design) == truth.size == keys.size:
        raise InputError("each case needs its features, its Dice and its patient", attribute="subjects")
    patients = np.unique(keys)
    if patients.size < MINIMUM_SUBJECTS:
        raise TooFewCasesError(
            f"{patients.size} patients are too few to predict a Dice: {MINIMUM_SUBJECTS} are needed", attribute="cases"
        )
    held_out = []
    for patient in patients:
        own = keys == patient
        weights = _ridge(design[~own], truth[~own])
        held_out.append((float(np.clip(design[own] @ weights, 0, 1).mean()), float(truth[own].mean())))
    whole = _ridge(design, truth)
    return DiceModel(features=names, weights=tuple(float(w) for w in whole), held_out=tuple(held_out))


def contours(
    probabilities: NDArray[Any], mask: NDArray[np.bool_], *, level: float = 0.9
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Inner and outer region of a structure: where it is at least ``level`` probable, and where not that improbable.

    Both are (slices, rows, columns) bool, of calibrated probabilities on the grid of ``mask``; inner lies within the
    mask and the mask within outer, whatever the probabilities. Voxel by voxel: no promise about the border as a whole.
    """
    if probabilities.shape != mask.shape or not 0.5 <= level < 1:
        raise InputError("contours need one probability per voxel and a level from 0.5 to 1", attribute="level")
    return np.asarray(mask & (probabilities >= level)), np.asarray(mask | (probabilities > 1 - level))


def _design(features: Sequence[Mapping[str, float]]) -> tuple[tuple[str, ...], FloatArray]:
    names = tuple(sorted(features[0])) if features else ()
    if not names or any(tuple(sorted(found)) != names for found in features):
        raise InputError("all cases need the same features", attribute="features")
    return names, np.array([[1.0, *(found[name] for name in names)] for found in features])


def _ridge(design: FloatArray, truth: FloatArray) -> FloatArray:
    """Least squares with a small penalty on all but the constant, so that features that say the same do no harm."""
    penalty = _RIDGE * len(design) * np.diag([0.0, *np.ones(design.shape[1] - 1)])
    return np.asarray(np.linalg.solve(design.T @ design + penalty, design.T @ truth), dtype=np.float64)
