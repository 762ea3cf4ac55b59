"""Do two ways of measuring a volume agree? Bland-Altman limits and the intraclass correlation ICC(2,1).

Bland and Altman, Lancet 1986; Shrout and Fleiss, Psychological Bulletin 1979 (two-way random effects, single
measurement, absolute agreement).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slicermedai.errors import InputError
from slicermedai.validate.resampling import Estimate, Resampling, over_patients

_LIMITS = 1.96
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Agreement:
    """Predicted against reference, (N,) each in one unit: ``bias`` is the mean of predicted minus reference.

    ``lower`` and ``upper`` hold 95 % of the differences, were they normal.
    """

    reference: FloatArray
    predicted: FloatArray
    bias: Estimate
    lower: Estimate
    upper: Estimate
    icc: Estimate


def agreement(reference: ArrayLike, predicted: ArrayLike, *, subjects: Sequence[str], how: Resampling) -> Agreement:
    """Compare pairs of measurements; raises :class:`InputError` for fewer than three or for unpaired ones."""
    r, p = np.asarray(reference, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if r.shape != p.shape or r.ndim != 1 or r.size < 3 or r.size != len(subjects):
        raise InputError("agreement needs three pairs at least, each with its patient", attribute="volume")
    away = p - r

    def limit(cases: NDArray[np.intp], sign: float) -> float:
        return float(away[cases].mean() + sign * _LIMITS * away[cases].std(ddof=1))

    return Agreement(
        reference=r,
        predicted=p,
        bias=over_patients(lambda cases: limit(cases, 0.0), subjects, how),
        lower=over_patients(lambda cases: limit(cases, -1.0), subjects, how),
        upper=over_patients(lambda cases: limit(cases, 1.0), subjects, how),
        icc=over_patients(lambda cases: icc(np.stack([r[cases], p[cases]], axis=1)), subjects, how),
    )


def icc(table: FloatArray) -> float:
    """ICC(2,1) of (targets, raters); NaN where nothing varies at all."""
    n, k = table.shape
    whole = table.mean()
    rows = k * ((table.mean(axis=1) - whole) ** 2).sum() / (n - 1)
    columns = n * ((table.mean(axis=0) - whole) ** 2).sum() / (k - 1)
    rest = ((table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + whole) ** 2).sum() / ((n - 1) * (k - 1))
    under = rows + (k - 1) * rest + k * (columns - rest) / n
    return float((rows - rest) / under) if under > 0 else float("nan")
