"""Intervals and p-values that hold at any number of patients, because they are ranks and no model's word.

Split conformal prediction: a new patient's score is as likely to take any rank among the calibration patients' scores
as any other. Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005; Lei et al., "Distribution-Free
Predictive Inference for Regression", JASA 2018. The promise is over draws of calibration set and patient together:
one calibration set's own coverage varies by some hundredths. Too few patients give an infinite interval, never a
narrow one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.domain.finding import Interval
from slicermedai.errors import InputError

_ROUNDING = 1e-9
"""(n + 1) * level is a whole number in more cases than floating point knows."""
_SMALL = 0.05

FloatArray = NDArray[np.float64]


def conformal_quantile(scores: ArrayLike, level: float) -> float:
    """The ceil((n + 1) * level)-th smallest of n scores; infinite where n is too small for it."""
    ordered = np.sort(np.ravel(np.asarray(scores, dtype=np.float64)))
    rank = math.ceil((ordered.size + 1) * level - _ROUNDING)
    return float(ordered[rank - 1]) if 1 <= rank <= ordered.size else math.inf


def fewest_for(level: float) -> int:
    """How many patients the narrowest finite interval of ``level`` needs: 9 for 0.9, 19 for 0.95."""
    return math.ceil(level / (1 - level) - _ROUNDING)


def conformal_p(scores: ArrayLike, score: float) -> float:
    """The share of scores, the new one among them, that are at least as strange as ``score``; never below 1/(n + 1)."""
    known = np.ravel(np.asarray(scores, dtype=np.float64))
    return float((1 + np.count_nonzero(known >= score)) / (known.size + 1))


def per_subject(values: ArrayLike, subjects: Sequence[str]) -> FloatArray:
    """The mean of ``values`` for each patient, (patients,), in the order of their keys: copies count as one."""
    array = np.ravel(np.asarray(values, dtype=np.float64))
    if array.size != len(subjects):
        raise InputError("one patient key is needed for each value", attribute="subjects")
    _, place = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    return np.asarray(np.bincount(place, array) / np.bincount(place))


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeModel:
    """Volume intervals of one structure: ``scores`` are |reference - predicted| / difficulty of patients, one each.

    The difficulty of a volume is the volume itself, and at least ``floor`` ml.
    """

    scores: tuple[float, ...]
    floor: float

    def half_width(self, predicted: float, *, level: float = 0.9) -> float:
        """ml to either side of a predicted volume in ml; infinite where the patients are too few for ``level``."""
        return conformal_quantile(self.scores, level) * max(predicted, self.floor)

    def interval(self, predicted: float, *, level: float = 0.9) -> Interval | None:
        """The interval in ml, cut at 0; None ("not assessed") where the patients are too few for ``level``."""
        half = self.half_width(predicted, level=level)
        if math.isinf(half):
            return None
        return Interval(low=max(0.0, predicted - half), high=predicted + half, level=level)


def fit_volume(predicted: ArrayLike, reference: ArrayLike, *, subjects: Sequence[str]) -> VolumeModel:
    """From volumes in ml of patients that neither the network nor its calibration has seen, (N,) each."""
    p, r = np.ravel(np.asarray(predicted, dtype=np.float64)), np.ravel(np.asarray(reference, dtype=np.float64))
    if p.size != r.size or (p.size and min(p.min(), r.min()) < 0):
        raise InputError("volumes come in pairs and are not negative", attribute="volume")
    floor = max(_SMALL * float(np.median(p)), 1e-6) if p.size else 1e-6
    scores = per_subject(np.abs(r - p) / np.maximum(p, floor), subjects)
    return VolumeModel(scores=tuple(float(s) for s in np.sort(scores)), floor=floor)
