"""C1 to C3: fits and metrics against exact ones and references, cost, and calibration on unseen patients."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import brentq, root
from scipy.special import expit

from slicermedai.confidence.calibrate import judge
from slicermedai.confidence.metrics import CalibrationSums
from slicermedai.confidence.scaling import fit_platt, fit_temperature
from slicermedai.confidence.sketch import SKETCH_BYTES, CaseSketch, MarginSketch, merged
from Testing.corpus.trust.peers import Peers
from Testing.corpus.trust.rows import Row, near
from Testing.corpus.trust.study import ROUNDS, Calibration, Patient, calibrated

MANY = 60_000_000
FITTED = 300_000


def rows(patients: list[Patient], others: list[Patient], peers: Peers) -> list[Row]:
    """All rows of the calibration goals for one seed; ``others`` are unseen patients."""
    margin, inside = _voxels(patients)
    return [*_fits(margin, inside), *_metrics(margin, inside, peers), *_cost(margin, inside, peers),
            _merging(patients), *_unseen(patients, others)]  # fmt: skip


def many_rows(peers: Peers) -> list[Row]:
    """Rows at 60 million voxels, whose data do not depend on a seed."""
    return [_right_at_many(peers), _memory_at_many()]


def _voxels(patients: list[Patient]) -> tuple[np.ndarray, np.ndarray]:
    points = [p.known.points() for p in patients]
    margin = np.concatenate([np.repeat(q.margin, q.weight.astype(int)) for q in points])
    inside = np.concatenate([np.repeat(q.inside, q.weight.astype(int)) for q in points])
    order = np.random.default_rng(0).permutation(margin.size)[:FITTED]
    jitter = np.random.default_rng(1).uniform(-0.5, 0.5, order.size) / 128  # no two voxels in one place
    return np.clip(margin[order] + jitter, -31.9, 31.9), inside[order]


def _fits(margin: np.ndarray, inside: np.ndarray) -> list[Row]:
    def gradient(x: np.ndarray) -> np.ndarray:
        rest = expit(x[0] * margin + x[1]) - inside
        return np.array([np.mean(rest * margin), np.mean(rest)])

    def curvature(x: np.ndarray) -> np.ndarray:
        p = expit(x[0] * margin + x[1])
        w = p * (1 - p)
        return np.array([[np.mean(w * margin**2), np.mean(w * margin)], [np.mean(w * margin), np.mean(w)]])

    sketch = MarginSketch().add(margin, inside).points()
    slope = brentq(lambda a: gradient(np.array([a, 0.0]))[0], 1e-3, 10, xtol=1e-14)
    platt = root(gradient, [0.5, 0.0], jac=curvature, tol=1e-14).x
    t, ab = fit_temperature(sketch), fit_platt(sketch)
    away_t, away_ab = abs(t.temperature * slope - 1), max(abs(ab.slope - platt[0]), abs(ab.offset - platt[1]))
    return [
        Row("C1", "temperature of the sketch against an exact float64 fit", "1e-6 relative", f"{away_t:.1e}",
            away_t <= 1e-6, f"T = {1 / slope:.6f} (scipy brentq, {margin.size} voxels)"),
        Row("C1", "Platt slope and offset against an exact float64 fit", "1e-6", f"{away_ab:.1e}", away_ab <= 1e-6,
            f"{platt[0]:.6f}, {platt[1]:.6f} (scipy root)"),
    ]  # fmt: skip


def _metrics(margin: np.ndarray, inside: np.ndarray, peers: Peers) -> list[Row]:
    p = expit(margin)
    ours = CalibrationSums().add(p, inside).metrics()
    netcal = peers.ask("netcal_metrics", p=p, y=inside) or {}
    scores = peers.ask("sklearn_scores", p=p, y=inside) or {}
    torch = peers.ask("torchmetrics_ece", p=p, y=inside) or {}
    made = []
    for name, whose, found in (
        ("ece", "netcal", netcal), ("ace", "netcal", netcal), ("mce", "netcal", netcal),
        ("brier", "scikit-learn", scores), ("nll", "scikit-learn", scores),
    ):  # fmt: skip
        value, other = getattr(ours, name), found.get(name)
        met = None if other is None else near(value, other, 1e-9)
        said = f"{whose} {other:.12f}" if other is not None else f"{whose} not available: {peers.absent}"
        made.append(Row("C1", f"{name.upper()} against {whose}", "1e-9", _apart(value, other), met, said))
    other = torch.get("ece")
    met = None if other is None else near(ours.ece, other, 1e-9)
    made.append(Row("C1", "ECE against torchmetrics", "1e-9", _apart(ours.ece, other), met, f"torchmetrics {other}"))
    return made


def _apart(a: float, b: float | None) -> str:
    return "-" if b is None else f"{abs(a - b):.1e} apart"


def _cost(margin: np.ndarray, inside: np.ndarray, peers: Peers) -> list[Row]:
    points = MarginSketch().add(margin, inside).points()
    sketched = _seconds(lambda: MarginSketch().add(margin, inside).points())
    t_s, platt_s = _seconds(partial(fit_temperature, points)), _seconds(partial(fit_platt, points))
    other = peers.ask("netcal_fit", p=expit(margin), y=inside)
    made = []
    for name, own, key in (("temperature", t_s, "temperature_s"), ("Platt", platt_s, "platt_s")):
        theirs = other[key] if other else None
        faster = theirs / (sketched + own) if theirs else 0.0
        made.append(
            Row("C2", f"{name} of {margin.size} voxels, sketching included", ">= 10x faster",
                f"{1e3 * (sketched + own):.0f} CPU ms, {faster:.1f}x", faster >= 10 if theirs else None,
                f"netcal {theirs:.2f} CPU s, one thread" if theirs else f"netcal not available: {peers.absent}")
        )  # fmt: skip
    return made


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds, the shortest of three, as for the references."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def _merging(patients: list[Patient]) -> Row:
    margins = [p.case.margin.ravel() for p in patients[:6]]
    truths = [p.case.truth.ravel() for p in patients[:6]]
    apart = merged(MarginSketch().add(m, t) for m, t in zip(margins, truths, strict=True))
    whole = MarginSketch().add(np.concatenate(margins), np.concatenate(truths))
    same = np.array_equal(apart.counts, whole.counts) and np.array_equal(apart.residuals, whole.residuals)
    return Row("C2", "merge(A, B) == fit(A + B)", "equal", "bit for bit" if same else "differs", same)


def _right_at_many(peers: Peers) -> Row:
    sums, piece = CalibrationSums(), np.full(1_000_000, 0.95)
    inside = np.arange(1_000_000) % 10 < 9
    for _ in range(MANY // piece.size):
        sums.add(piece, inside)
    found = sums.metrics()
    right = found.weight == MANY and abs(found.ece - 0.05) < 1e-9
    other = peers.ask("monai_bins", count=MANY)
    said = f"MONAI counts {other['counted']:.0f}" if other else f"MONAI not available: {peers.absent}"
    return Row("C1", "ECE of 60 M voxels at 0.95, nine in ten right", "0.05, 60000000 counted",
               f"{found.ece:.10f}, {found.weight:.0f} counted", right, said)  # fmt: skip


def _memory_at_many() -> Row:
    margin = np.random.default_rng(0).normal(0, 6, MANY).astype(np.float32)
    inside = margin > 0
    tracemalloc.start()
    start = time.perf_counter()
    sketch = MarginSketch().add(margin, inside)
    wall = time.perf_counter() - start
    assert sketch.voxels == MANY
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return Row("C2", "memory beside 60 M margins", "< 64 MB", f"{peak:.1f} MB, {wall:.1f} s",
               peak < 64, f"a sketch has {SKETCH_BYTES} bytes")  # fmt: skip


def _unseen(patients: list[Patient], others: list[Patient]) -> list[Row]:
    found = calibrated(patients)
    none = Calibration(classes=(), subjects=(), generated=True)
    unseen = [CaseSketch(subject=p.case.subject, sketches={1: p.known}, generated=True) for p in others]
    after = judge(unseen, found, value=1, bootstrap=ROUNDS)
    before = judge(unseen, none, value=1, bootstrap=ROUNDS)
    made = []
    for name, limit in (("ece", 0.03), ("ace", 0.04)):
        value, interval = getattr(after.metrics, name), after.intervals[name]
        was = getattr(before.metrics, name)
        made.append(
            Row("C3", f"region {name.upper()} on {after.subjects} unseen patients", f"<= {limit}",
                f"{value:.4f} ({interval.low:.4f} to {interval.high:.4f})", value <= limit, f"uncalibrated {was:.4f}")
        )  # fmt: skip
    better = after.metrics.nll <= before.metrics.nll
    said = f"{after.metrics.nll:.4f}"
    return [*made, Row("C3", "NLL", "never worse", said, better, f"uncalibrated {before.metrics.nll:.4f}")]
