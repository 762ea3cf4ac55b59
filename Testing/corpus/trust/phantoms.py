"""Generated patients with one structure, and a generated "network" whose error is known exactly.

Each voxel has a true log-odds ``t``. The reference is ``t + noise > 0`` with smooth noise of logistic distribution, so
the probability of the structure at a voxel is exactly ``sigmoid(t)``. The network says
``(t - OFFSET) * OVERCONFIDENCE`` instead: Platt's slope 1 / OVERCONFIDENCE and offset OFFSET undo that, and a
temperature alone does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import log_ndtr

SHAPE = (28, 40, 40)
SPACING = (2.5, 1.5, 1.5)
OVERCONFIDENCE = 3.0
OFFSET = 0.6


@dataclass(frozen=True, eq=False)
class Phantom:
    """One patient: margins (log-odds) of the network, reference and image, (slices, rows, columns)."""

    subject: str
    margin: NDArray[np.float32]
    truth: NDArray[np.bool_]
    image: NDArray[np.float32]
    spacing: tuple[float, float, float] = SPACING
    difficulty: float = 1.0

    @property
    def prediction(self) -> NDArray[np.bool_]:
        return np.asarray(self.margin > 0)


def phantom(
    seed: int | tuple[int, ...], *, shape: tuple[int, int, int] = SHAPE, hard: bool = True, blind: float = 0.0
) -> Phantom:
    """One patient; ``hard`` lets the difficulty vary, so that some predictions are bad and say so by soft margins.

    With the probability ``blind`` the network surely misses half of the structure, and nothing in its margins says so.
    """
    rng = np.random.default_rng(seed)
    difficulty = float(rng.choice([0.6, 1.0, 1.6, 6.0], p=[0.3, 0.4, 0.2, 0.1])) if hard else 1.0
    true = _log_odds(rng, shape, difficulty)
    truth = true + logistic_field(rng, shape) > 0
    image = 100.0 * gaussian_filter(truth.astype(np.float32), 0.7) + 5.0 * rng.standard_normal(shape)
    margin = ((true - OFFSET) * OVERCONFIDENCE).astype(np.float32)
    if rng.random() < blind:
        margin[:, :, shape[2] // 2 :] = -20.0
    return Phantom(
        subject=f"subject-{seed}",
        margin=margin,
        truth=np.asarray(truth),
        image=image.astype(np.float32) + 20.0,
        difficulty=difficulty,
    )


def phantoms(count: int, *, seed: int, hard: bool = True, blind: float = 0.0) -> Iterator[Phantom]:
    """``count`` patients, the same for the same seed."""
    for number in range(count):
        yield phantom((seed, number), hard=hard, blind=blind)


def samples(case: Phantom, count: int, *, seed: int) -> Iterator[NDArray[np.uint8]]:
    """What the network says of ``count`` flipped copies: its label maps vary more where the case is harder."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        shift = 0.8 * case.difficulty * OVERCONFIDENCE * smooth_field(rng, case.margin.shape)
        yield (case.margin + shift > 0).astype(np.uint8)


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float = 1.5) -> NDArray[np.float64]:
    """A smooth Gaussian field of mean 0 and standard deviation 1."""
    wide = tuple(n + 12 for n in shape)
    field = gaussian_filter(rng.standard_normal(wide), sigma, mode="wrap")[tuple(slice(6, -6) for _ in shape)]
    impulse = np.zeros(wide)
    impulse[tuple(n // 2 for n in wide)] = 1.0
    return np.asarray(field / np.sqrt((gaussian_filter(impulse, sigma, mode="wrap") ** 2).sum()))


def logistic_field(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A smooth field whose values have the standard logistic distribution."""
    normal = smooth_field(rng, shape)
    return np.asarray(log_ndtr(normal) - log_ndtr(-normal))


def _log_odds(rng: np.random.Generator, shape: tuple[int, ...], difficulty: float) -> NDArray[np.float64]:
    half = np.array(shape) * SPACING / 2
    axes = [(np.arange(n) + 0.5) * step - h for n, step, h in zip(shape, SPACING, half, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    radii, centre = rng.uniform(12.0, 20.0, 3), rng.uniform(-4.0, 4.0, 3)
    scaled = [(x - c) / r for x, c, r in zip(grid, centre, radii, strict=True)]
    depth = (1.0 - np.sqrt(sum(s**2 for s in scaled))) * radii.mean()
    return np.asarray(1.2 * depth / difficulty + 0.8 * smooth_field(rng, shape, 3.0) - 0.4 * (difficulty > 3))
