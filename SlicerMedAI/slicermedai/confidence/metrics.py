"""How far stated probabilities are from what happens: ECE, ACE, MCE, Brier score, NLL, reliability diagram.

Sums are kept in float64 and counts in whole numbers, so that the answer is right at any number of voxels. All are
metrics of one structure against all else, in a region that the prediction defines: over a whole volume they say
nothing, for nearly all of it is easy background.

Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015 (ECE, MCE); Neumann et al.,
"Relaxed Softmax", 2018 (ACE: the mean over bins that hold anything); Nixon et al., "Measuring Calibration in Deep
Learning", CVPR workshops 2019 (bins of equal mass).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.errors import InputError

BINS = 15
_TINY = 1e-15

FloatArray = NDArray[np.float64]


def _zeros() -> FloatArray:
    return np.zeros(BINS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationMetrics:
    """Calibration of one structure; ``weight`` is the number of voxels (or candidates), all errors are 0 to 1.

    ``adaptive`` is the ECE over bins of equal mass, None where only fixed bins were summed.
    """

    ece: float
    ace: float
    mce: float
    brier: float
    nll: float
    weight: float
    adaptive: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """The diagram's data per bin of stated probability, (15,): mean stated, observed share, weight; NaN where empty."""

    stated: FloatArray
    observed: FloatArray
    weight: FloatArray


@dataclass(slots=True, eq=False)
class CalibrationSums:
    """Running sums over 15 bins of equal width, from 0 to 1; memory does not grow."""

    weight: FloatArray = field(default_factory=_zeros)
    stated: FloatArray = field(default_factory=_zeros)
    inside: FloatArray = field(default_factory=_zeros)
    brier: float = 0.0
    nll: float = 0.0

    def add(
        self, probabilities: NDArray[Any], inside: NDArray[Any], weight: FloatArray | None = None
    ) -> CalibrationSums:
        """Take in probabilities and bool answers, (N,) each, with weights (default 1); returns itself."""
        p, y = np.ravel(probabilities).astype(np.float64), np.ravel(inside).astype(bool)
        if p.size != y.size or (p.size and not (p.min() >= 0 and p.max() <= 1)):
            raise InputError("probabilities lie between 0 and 1, one per answer", attribute="probabilities")
        w = np.ones(p.size) if weight is None else weight
        place = np.clip(np.searchsorted(_EDGES, p, side="right") - 1, 0, BINS - 1)
        self.weight += np.bincount(place, w, BINS)
        self.stated += np.bincount(place, w * p, BINS)
        self.inside += np.bincount(place, w * y, BINS)
        self.brier += float(w @ (p - y) ** 2)
        self.nll -= float(w @ np.log(np.maximum(np.where(y, p, 1 - p), _TINY)))
        return self

    def metrics(self) -> CalibrationMetrics:
        """What the sums say; raises :class:`InputError` where nothing was added."""
        total = float(self.weight.sum())
        if total <= 0:
            raise InputError("there is nothing to judge: no voxel lies in the region", attribute="region")
        full = self.weight > 0
        gaps = np.abs(self.stated - self.inside)[full] / self.weight[full]
        return CalibrationMetrics(
            ece=float(gaps @ self.weight[full] / total),
            ace=float(gaps.mean()),
            mce=float(gaps.max()),
            brier=self.brier / total,
            nll=self.nll / total,
            weight=total,
        )

    def reliability(self) -> Reliability:
        """The reliability diagram's data."""
        full = np.where(self.weight > 0, self.weight, np.nan)
        return Reliability(stated=self.stated / full, observed=self.inside / full, weight=self.weight.copy())


def adaptive_error(probabilities: FloatArray, inside: NDArray[np.bool_], weight: FloatArray) -> float:
    """The ECE over 15 bins of equal mass; points of one probability are never parted, so that ties do not matter."""
    levels, place = np.unique(probabilities, return_inverse=True)
    mass = np.bincount(place, weight, levels.size)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    bins = np.minimum((middle * BINS).astype(np.intp), BINS - 1)[place]
    gaps = np.bincount(bins, weight * (probabilities - inside), BINS)
    return float(np.abs(gaps).sum() / weight.sum())


_EDGES = np.linspace(0.0, 1.0, BINS + 1)
