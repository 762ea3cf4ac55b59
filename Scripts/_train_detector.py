"""Training of the demonstration detector: a small network, generated patients alone, every draw from seeds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from slicermedai.inference.spots import HEAT, OFFSET, SIZE, STRIDE, SpotNet
from Testing.fixtures.grids import covering
from Testing.fixtures.thorax import Thorax, thorax

SPACING = 2.0
"""Millimetres of a voxel, as the bundle resamples images."""
WINDOW = (-1000.0, 200.0)
"""Hounsfield units that become 0 and 1."""
GRID = covering(spacing=(SPACING,) * 3, extent=(260.0, 180.0, 190.0))
PATIENTS, STEPS, BATCH, EDGE = range(1000, 1072), 900, 6, 36
_RATE = 6e-3
_NARROWEST = 0.8
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patient:
    """A training image, 0 to 1, and in voxels where its nodules lie, (N, 3), and how large they are, (N,)."""

    image: FloatArray
    centers: NDArray[np.float64]
    diameters: NDArray[np.float64]


def trained(seed: int = 0, *, steps: int = STEPS, patients: Sequence[int] = PATIENTS) -> SpotNet:
    """Train the network; the same for the same seed on one machine. Takes minutes on two cores."""
    torch.manual_seed(seed)
    rng, network, begun = np.random.default_rng(seed), SpotNet(), time.perf_counter()
    known = [patient_of(thorax(number, grid=GRID)) for number in patients]
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=_RATE, total_steps=steps)
    for step in range(steps):
        images, targets = batch(rng, known)
        loss = loss_of(network(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step + 1 == steps:
            print(f"step {step}: loss {float(loss.detach()):.3f}, {time.perf_counter() - begun:.0f} s", flush=True)
    return network.eval()


def patient_of(made: Thorax) -> Patient:
    """A generated image as the network is to see it."""
    low, high = WINDOW
    places = np.array([one.center for one in made.nodules]).reshape(-1, 3)
    return Patient(
        image=np.clip((made.volume.array - low) / (high - low), 0, 1).astype(np.float32),
        centers=np.asarray(made.volume.geometry.to_index(places)).reshape(-1, 3) if len(places) else places,
        diameters=np.array([one.diameter / SPACING for one in made.nodules]),
    )


def batch(rng: np.random.Generator, known: Sequence[Patient]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pieces of images (N, 1, e, e, e) in any orientation, and their targets (N, 6, e/2, e/2, e/2)."""
    pairs = [_piece(rng, known[int(rng.integers(len(known)))]) for _ in range(BATCH)]
    images, targets = zip(*pairs, strict=True)
    return torch.from_numpy(np.stack(images)[:, None].copy()), torch.from_numpy(np.stack(targets))


def _piece(rng: np.random.Generator, patient: Patient) -> tuple[FloatArray, FloatArray]:
    """A cube, around a nodule in two of three cases, turned and mirrored."""
    shape = np.array(patient.image.shape)
    middle = rng.uniform(EDGE / 2, shape - EDGE / 2)
    if len(patient.centers) and rng.random() < 2 / 3:
        middle = patient.centers[int(rng.integers(len(patient.centers)))] + rng.uniform(-EDGE / 3, EDGE / 3, 3)
    start = np.clip(np.round(middle - EDGE / 2), 0, shape - EDGE).astype(int)
    cube = patient.image[tuple(slice(a, a + EDGE) for a in start)]
    centers = patient.centers - start
    axes, flips = rng.permutation(3), rng.random(3) < 0.5
    cube, centers = cube.transpose(axes), centers[:, axes]
    for axis in np.flatnonzero(flips):
        cube, centers[:, axis] = np.flip(cube, axis), EDGE - 1 - centers[:, axis]
    return np.ascontiguousarray(cube), target_of(centers, patient.diameters)


def target_of(centers: NDArray[np.float64], diameters: NDArray[np.float64], edge: int = EDGE) -> FloatArray:
    """Maps (6, e/2, e/2, e/2): how much a nodule, its size and offsets, and 1 where the last are known."""
    count = edge // STRIDE
    out = np.zeros((6, count, count, count), dtype=np.float32)
    grid = np.stack(np.meshgrid(*[np.arange(count)] * 3, indexing="ij"), axis=-1)
    for center, diameter in zip(centers, diameters, strict=True):
        place = np.round(center / STRIDE).astype(int)
        if (place < 0).any() or (place >= count).any():
            continue
        width = max(_NARROWEST, diameter / STRIDE / 6)
        near = np.exp(-((grid - place) ** 2).sum(axis=-1) / (2 * width**2)).astype(np.float32)
        out[HEAT] = np.maximum(out[HEAT], near)
        known = near > 0.3
        out[SIZE][known] = np.log(diameter)
        out[OFFSET][:, known] = (center - STRIDE * grid[known]).T
        out[5][known] = 1
    return out


def loss_of(maps: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The focal loss of CenterNet for the score, absolute errors for size and offsets."""
    heat, wanted, known = maps[:, HEAT], targets[:, HEAT], targets[:, 5]
    p, hit = torch.sigmoid(heat), wanted >= 0.999
    found = functional.logsigmoid(heat) * (1 - p) ** 2 * hit
    left = functional.logsigmoid(-heat) * p**2 * (1 - wanted) ** 4 * ~hit
    score = -(found + left).sum() / hit.sum().clamp(min=1)
    size = ((maps[:, SIZE] - targets[:, SIZE]).abs() * known).sum()
    offset = ((maps[:, OFFSET] - targets[:, OFFSET]).abs().sum(dim=1) * known).sum()
    return score + (size + 0.3 * offset) / known.sum().clamp(min=1)


def held_out(first: int, count: int) -> Iterator[Thorax]:
    """Generated patients that no training saw, on the grid that the network was not trained on."""
    return (thorax(first + number) for number in range(count))
