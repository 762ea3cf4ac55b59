"""Temperature and Platt scaling of one structure's margins, fitted by Newton's method with a line search.

Both are fits of ``p = sigmoid(slope * margin + offset)`` by least negative log-likelihood, which is convex; a
temperature is 1 / slope with the offset held at 0. Without the line search Newton's steps run away on over-confident
margins.

Platt, "Probabilistic Outputs for Support Vector Machines", 1999; Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from slicermedai.confidence.metrics import CalibrationMetrics, CalibrationSums, Reliability, adaptive_error
from slicermedai.confidence.sketch import Points
from slicermedai.domain.words import Words
from slicermedai.errors import TrustError

_STEPS = 200
_GRADIENT = 1e-13
_STEEPEST = 1e3
_PARTED = "the margins part the reference without an error: their best slope is infinite, and none is fitted"

FloatArray = NDArray[np.float64]
Loss = Callable[[FloatArray], float]


class Method(Words):
    """How margins become probabilities."""

    NONE = "none"
    TEMPERATURE = "temperature"
    PLATT = "Platt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """``p = sigmoid(slope * margin + offset)``; it changes what is shown, never a mask."""

    method: Method = Method.NONE
    slope: float = 1.0
    offset: float = 0.0

    @property
    def temperature(self) -> float:
        """1 / slope."""
        return 1.0 / self.slope

    def probabilities(self, margins: ArrayLike) -> FloatArray:
        """Calibrated probabilities of margins of any shape, float64."""
        return np.asarray(expit(self.slope * np.asarray(margins, dtype=np.float64) + self.offset))

    def metrics(self, points: Points) -> CalibrationMetrics:
        """How well calibrated ``points`` are after this scaling."""
        p = self.probabilities(points.margin)
        found = CalibrationSums().add(p, points.inside, points.weight).metrics()
        adaptive = adaptive_error(p, points.inside, points.weight)
        return replace(found, adaptive=adaptive)

    def reliability(self, points: Points) -> Reliability:
        """The reliability diagram of ``points`` after this scaling."""
        return CalibrationSums().add(self.probabilities(points.margin), points.inside, points.weight).reliability()


def fit_temperature(points: Points) -> Scaling:
    """The temperature of least NLL; errors as :func:`fit_platt`."""
    if points.margin.size and (np.where(points.inside, 1.0, -1.0) * points.margin).min() >= 0:
        raise TrustError(_PARTED, attribute="margins")
    (slope,) = _minimum(points.margin[None], points)
    return _checked(Scaling(method=Method.TEMPERATURE, slope=float(slope)))


def fit_platt(points: Points) -> Scaling:
    """Slope and offset of least NLL.

    Raises
    ------
    TrustError
        The reference has only one answer, margins and reference are parted without an error, or larger margins go
        with less of the structure: no calibration makes a probability of them.
    """
    inside, outside = points.margin[points.inside], points.margin[~points.inside]
    if inside.size and outside.size and inside.min() >= outside.max():
        raise TrustError(_PARTED, attribute="margins")
    slope, offset = _minimum(np.stack([points.margin, np.ones_like(points.margin)]), points)
    return _checked(Scaling(method=Method.PLATT, slope=float(slope), offset=float(offset)))


def _minimum(design: FloatArray, points: Points) -> FloatArray:
    """The parameters (P,) that minimise the mean NLL of ``sigmoid(parameters @ design)``; design is (P, N)."""
    weight = points.weight / points.weight.sum() if points.weight.sum() > 0 else points.weight
    if not weight[points.inside].sum() or not weight[~points.inside].sum():
        why = "the references have one answer throughout: there is nothing to tell apart"
        raise TrustError(why, attribute="reference")
    sign = np.where(points.inside, 1.0, -1.0)
    at: FloatArray = np.eye(len(design))[0]
    value = _loss(at, design, sign, weight)
    for _ in range(_STEPS):
        gradient, curvature = _slopes(at, design, points.inside, weight)
        if np.abs(gradient).max() < _GRADIENT:
            break
        step = np.asarray(np.linalg.lstsq(curvature, gradient, rcond=None)[0], dtype=np.float64)
        at, value, moved = _searched(at, step, lambda x: _loss(x, design, sign, weight), value)
        if not moved or abs(at[0]) > _STEEPEST:
            break
    return at


def _searched(at: FloatArray, step: FloatArray, loss: Loss, value: float) -> tuple[FloatArray, float, bool]:
    """The first of ``at - step``, half of it, a quarter ... whose loss is less."""
    for halving in range(40):
        new = at - step * 0.5**halving
        found = loss(new)
        if found < value:
            return new, found, True
    return at, value, False


def _loss(at: FloatArray, design: FloatArray, sign: FloatArray, weight: FloatArray) -> float:
    return float(weight @ np.logaddexp(0.0, -sign * (at @ design)))


def _slopes(
    at: FloatArray, design: FloatArray, inside: NDArray[np.bool_], weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    p = expit(at @ design)
    return design @ (weight * (p - inside)), (design * (weight * p * (1 - p))) @ design.T


def _checked(scaling: Scaling) -> Scaling:
    if not 0 < scaling.slope <= _STEEPEST:
        raise TrustError(
            "higher scores do not go with more of it: they say nothing that a calibration could use",
            attribute="margins",
        )
    return scaling
