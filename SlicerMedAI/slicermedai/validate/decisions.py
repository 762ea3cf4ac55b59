"""Yes or no for a case or a lesion: sensitivity, specificity and AUC, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from slicermedai.errors import InputError
from slicermedai.validate.resampling import Estimate, Resampling, over_patients


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """At ``threshold`` (score at or above it: yes); None where no case of that kind is there, and it is said so."""

    threshold: float
    sensitivity: Estimate | None
    specificity: Estimate | None
    auc: Estimate | None


def decisions(
    truth: ArrayLike, scores: ArrayLike, *, subjects: Sequence[str], threshold: float, how: Resampling
) -> Decisions:
    """From bool ``truth`` and ``scores``, (N,) each; raises :class:`InputError` where numbers differ or are NaN."""
    y, s = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=np.float64)
    if y.shape != s.shape or y.size != len(subjects) or np.isnan(s).any():
        raise InputError("each case needs its truth, its score and its patient", attribute="scores")
    yes = s >= threshold
    return Decisions(
        threshold=threshold,
        sensitivity=over_patients(lambda c: _share(yes[c][y[c]]), subjects, how) if y.any() else None,
        specificity=over_patients(lambda c: _share(~yes[c][~y[c]]), subjects, how) if not y.all() else None,
        auc=over_patients(lambda c: auc(y[c], s[c]), subjects, how) if y.any() and not y.all() else None,
    )


def auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve by ranks, ties counted one half (Mann and Whitney); NaN where one class is missing."""
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(scores)[truth].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else float("nan")
