"""The network asked again about an image that it has answered: mirror images, on the windows that touch its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Found, Progress, SampleObserver
from slicermedai.inference.adapter.post import Postprocessing
from slicermedai.inference.cleaning import channels_cleaned, cleaned
from slicermedai.inference.collect import Collector, Wanted
from slicermedai.inference.regions import bounding_box
from slicermedai.inference.windows import Chosen, Triple, WindowPlan, sweep, touching

Array = NDArray[Any]
Network = Callable[[torch.Tensor], torch.Tensor]
_SIDES = ({"7771000", "24028007"}, {"left", "right"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """What a sweep leaves for those who ask again: the prepared image, the network, how it went over it, its answer.

    ``image`` is (channels, a, b, c) on ``grid``; ``found`` holds the scores as they came, before the clean-up.
    ``network`` takes windows as the sweep gives them; ``module`` is what it calls on ``device``, and ``across`` is the
    axis that a network of two dimensions does not have.
    """

    image: torch.Tensor
    grid: Geometry
    network: Network
    plan: WindowPlan
    post: Postprocessing
    found: Collector
    module: Any
    device: str
    across: int | None
    labels: tuple[tuple[int, Label], ...]

    @property
    def values(self) -> list[int]:
        """All label values."""
        return [value for value, _ in self.labels]

    @property
    def wanted(self) -> Wanted:
        """What a further sweep keeps: labels alone."""
        return replace(self.found.wanted, leads=False, keep=(), observer=None)

    def masks(self, made: Collector) -> list[Found]:
        """The labels of one answer after the clean-up, each in its box; those that were not found are left out."""
        if made.channels is None:
            labels = cleaned(made.labels, self.post.clean, self.values)
            boxes = ndimage.find_objects(labels, max_label=max(self.values, default=0))
            return [(v, box, labels[box] == v) for v in self.values if (box := boxes[v - 1]) is not None]
        channels = made.channels.copy() if self.post.clean else made.channels
        channels_cleaned(channels, self.post.bar, self.post.clean)
        masks = {value: np.asarray(channels[value - 1] > self.post.bar) for value in self.values}
        boxed = {value: bounding_box(mask) for value, mask in masks.items()}
        return [(value, box, masks[value][box]) for value, box in boxed.items() if box is not None]


def ask_flipped(answered: Answered, observer: SampleObserver, *, progress: Progress) -> None:
    """Hand the run's answer to ``observer``, and then those to all mirror images, turned back, one after the other.

    Each window is mirrored by itself, and only windows that touch the answer are looked at: elsewhere samples find
    nothing. Labels of the left and the right change places in mirror images that change the sides.

    Raises
    ------
    JobCancelled
        From ``progress``, which is called before each batch of windows.
    """
    first = answered.masks(answered.found)
    foreground = np.zeros(answered.grid.shape, dtype=bool)
    for _, box, mask in first:
        foreground[box] |= mask
    windows = touching(answered.plan, foreground)
    plan = replace(answered.plan, chosen=Chosen(windows=windows, channels=answered.found.outputs))
    del foreground
    observer.begin(answered.grid, answered.values, exclusive=answered.post.exclusive)
    observer.sample(first)
    turns = _turns(answered.plan.roi) if any(windows) else []
    del first
    for number, axes in enumerate(turns):
        made = _sample(replace(answered, plan=plan), axes, _told(progress, number, len(turns)))
        swaps = opposite_sides(answered.labels) if side_axis(answered.grid) in axes else {}
        observer.sample((swaps.get(value, value), box, mask) for value, box, mask in answered.masks(made))
        del made
    observer.end(windows=sum(windows) * len(turns), whole=len(windows))


def _turns(roi: Triple) -> list[tuple[int, ...]]:
    """The axes that are mirrored, for each sample; an axis of one voxel has no mirror image."""
    axes = [axis for axis in range(3) if roi[axis] > 1]
    return [chosen for count in range(1, len(axes) + 1) for chosen in combinations(axes, count)]


def _told(progress: Progress, number: int, samples: int) -> Callable[[int, int], None]:
    def before(done: int, total: int) -> None:
        progress("uncertainty", (number + min(done / total, 0.99)) / samples)

    return before


def _sample(answered: Answered, axes: tuple[int, ...], before: Callable[[int, int], None]) -> Collector:
    made = Collector(shape=answered.found.shape, wanted=answered.wanted)
    dims = [axis + 2 for axis in axes]

    def turned(windows: torch.Tensor) -> torch.Tensor:
        return answered.network(windows.flip(dims)).flip(dims)

    def sink(scores: torch.Tensor, weight: torch.Tensor, start: Triple) -> None:
        unseen = (weight[..., 0] == 0).numpy()
        made(scores, weight.clamp(min=torch.finfo(torch.float32).tiny), start)
        if made.channels is not None and unseen.any():
            box = tuple(slice(a, a + n) for a, n in zip(start, unseen.shape, strict=True))
            made.channels[(slice(None), *box)][:, unseen] = answered.post.nothing

    with torch.inference_mode():
        sweep(answered.image, turned, answered.plan, sink, before=before)
    made.finish()
    return made


# --- sides -------------------------------------------------------------------------------------------------------


def side_axis(grid: Geometry) -> int:
    """The axis of ``grid`` that runs most along the patient's left and right."""
    directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    return int(np.abs(directions[0]).argmax())


def opposite_sides(labels: Sequence[tuple[int, Label]]) -> Mapping[int, int]:
    """Value -> the value of the same structure on the other side: by the code of the side, else by the name."""
    keys = {value: _sideless(label) for value, label in labels}
    pairs = {}
    for value, key in keys.items():
        others = [other for other, its in keys.items() if key is not None and other != value and its == key]
        if len(others) == 1:
            pairs[value] = others[0]
    return pairs


def _sideless(label: Label) -> tuple[str, ...] | None:
    """What the two sides of one structure have in common; None for a structure without a side."""
    if label.modifier is not None and label.modifier.value in _SIDES[0]:
        return label.type.scheme, label.type.value
    words = label.name.lower().replace("_", " ").split()
    rest = tuple(word for word in words if word not in _SIDES[1])
    return rest if len(rest) == len(words) - 1 else None
