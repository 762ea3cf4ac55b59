"""Tiny networks that are trained here on generated balls, and how a bench asks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from slicermedai.domain.codes import ANATOMY, Label
from slicermedai.domain.geometry import Geometry
from slicermedai.inference.adapter.post import Postprocessing
from slicermedai.inference.again import Answered
from slicermedai.inference.collect import Collector, Wanted
from slicermedai.inference.windows import WindowPlan, sweep

Array = NDArray[np.float32]
LESION = Label(name="Lesion", category=ANATOMY, type=ANATOMY)
SIZE = 32
_STEPS = 150


@dataclass(frozen=True, eq=False)
class Case:
    """An image with one ball and up to two rods of the same brightness; ``marker`` is all False where there is none."""

    image: Array
    lesion: NDArray[np.bool_]
    marker: NDArray[np.bool_]


def case(rng: np.random.Generator, size: int = SIZE) -> Case:
    """Noise, a smooth background, a ball (the lesion), rods that are none."""
    z, y, x = np.mgrid[:size, :size, :size].astype(np.float32)
    image = 0.35 * rng.standard_normal((size, size, size)) + 8 * gaussian_filter(rng.standard_normal((size,) * 3), 4)
    centre, radius = rng.uniform(10, size - 10, 3), rng.uniform(4, 7)
    lesion = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2
    image[lesion] += 2.2
    for place in rng.uniform(6, size - 6, (2, 3)):
        if np.linalg.norm(place - centre) > 14:
            image[((z - place[0]) / 9) ** 2 + ((y - place[1]) / 2) ** 2 + ((x - place[2]) / 2) ** 2 < 1] += 2.2
    return Case(image.astype(np.float32), lesion, np.zeros_like(lesion))


def marked(rng: np.random.Generator, *, marker: bool) -> Case:
    """A case with or without a small bright cube beside the ball; with it alone the ball is called a lesion."""
    made = case(rng)
    if not marker:
        return Case(made.image, np.zeros_like(made.lesion), made.marker)
    inside = np.argwhere(made.lesion)
    away = rng.standard_normal(3)
    step = (np.ptp(inside, axis=0).max() / 2 + 5) * away / np.linalg.norm(away)
    start = np.clip(np.round(inside.mean(axis=0) + step).astype(int) - 2, 0, SIZE - 4)
    where = np.zeros_like(made.lesion)
    where[tuple(slice(s, s + 4) for s in start)] = True
    where &= ~made.lesion
    image = made.image.copy()
    image[where] += 6.0
    return Case(image, made.lesion, where)


def network(norm: str = "INSTANCE") -> torch.nn.Module:
    """A U-Net of about 20 000 weights."""
    return UNet(3, 1, 2, (8, 16, 32), (2, 2), num_res_units=1, norm=norm)


def trained(
    seed: int, make: Callable[[np.random.Generator, int], Case], *, steps: int = _STEPS, norm: str = "INSTANCE"
) -> Any:
    """A network trained on what ``make`` makes."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = network(norm)
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        for step in range(steps):
            cases = [make(rng, 2 * step + k) for k in range(2)]
            given = torch.from_numpy(np.stack([one.image for one in cases]))[:, None]
            wanted = torch.from_numpy(np.stack([one.lesion for one in cases])).long()
            scores = net(given)
            found = scores.softmax(dim=1)[:, 1]
            overlap = 1 - (2 * (found * wanted).sum() + 1) / (found.sum() + wanted.sum() + 1)
            loss = overlap + torch.nn.functional.cross_entropy(scores, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


def answered(net: Any, image: Array, *, roi: int = 0, overlap: float = 0.5) -> Answered:
    """The network's answer to an image, as a run leaves it; windows of ``roi`` voxels, 0 for the whole image."""
    edge = roi or max(image.shape)
    plan = WindowPlan(roi=(edge, edge, edge), overlap=(overlap,) * 3, mode="gaussian" if roi else "constant")
    found, given = Collector(shape=image.shape, wanted=Wanted()), torch.from_numpy(image)[None]
    with torch.inference_mode():
        sweep(given, net, plan, found)
    return Answered(
        image=given,
        grid=Geometry.from_axes(image.shape, spacing=(1.0, 1.0, 1.0)),
        network=net,
        plan=plan,
        post=Postprocessing(),
        found=found,
        module=net,
        device="cpu",
        across=None,
        labels=((1, LESION),),
    )
