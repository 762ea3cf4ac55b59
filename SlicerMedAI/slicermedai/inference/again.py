"""A model asked again about an image that it has answered, on the windows that touch its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Protocol

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
from slicermedai.inference.mirrored import opposite_sides
from slicermedai.inference.regions import bounding_box
from slicermedai.inference.windows import Chosen, Triple, WindowPlan, sweep, touching

Array = NDArray[Any]
Network = Callable[[torch.Tensor], torch.Tensor]


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One sample: what takes windows instead of the run's network, and the labels that change places in its answer."""

    network: Network
    swaps: Mapping[int, int] = field(default_factory=dict)


class Asking(Protocol):
    """How samples are taken."""

    @property
    def what(self) -> str:
        """For the record of the run."""

    @property
    def own(self) -> bool:
        """Whether the run's own answer is the first sample."""

    @property
    def share(self) -> float:
        """The work of a sample's window, in windows of the run."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """One for each sample, where they are drawn at random."""

    def count(self, answered: Answered) -> int:
        """How many :meth:`ways` there are."""

    def ways(self, answered: Answered) -> Iterator[Way]:
        """The samples that are to be taken, each made when it is its turn."""


def ask_again(answered: Answered, observer: SampleObserver, asking: Asking, *, progress: Progress) -> None:
    """Hand the run's answer to ``observer``, and then those of all ways to ask again, one after the other.

    Only windows that touch the run's answer are looked at: elsewhere samples find nothing.

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
    (observer.sample if asking.own else observer.answer)(first)
    del first
    count, ways = asking.count(answered) if any(windows) else 0, asking.ways(answered)
    device = torch.device(answered.device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for number in range(count):
            way = next(ways)
            made = _sample(replace(answered, plan=plan), way.network, _told(progress, number, count))
            observer.sample(_exchanged(answered.masks(made), way.swaps))
            del made, way  # before the next is made: of several networks one is in memory
    cost = count * asking.share * sum(windows) / len(windows)
    observer.end(windows=sum(windows), whole=len(windows), cost=cost, seeds=asking.seeds)


@dataclass(frozen=True, slots=True)
class Flips:
    """An :class:`Asking` about all mirror images of each window by itself, the answers turned back.

    Labels of the left and the right change places in mirror images that change the sides.
    """

    what: str = "mirror images"
    own: bool = True
    share: float = 1.0
    seeds: tuple[int, ...] = ()

    def count(self, answered: Answered) -> int:
        """Seven, or fewer where windows have an axis of one voxel."""
        return len(_turns(answered.plan.roi))

    def ways(self, answered: Answered) -> Iterator[Way]:
        """See :class:`Asking`."""
        side, opposite = side_axis(answered.grid), opposite_sides(answered.labels)
        for axes in _turns(answered.plan.roi):
            yield Way(network=_turned(answered.network, axes), swaps=opposite if side in axes else {})


def _turns(roi: Triple) -> list[tuple[int, ...]]:
    """The axes that are mirrored, for each sample; an axis of one voxel has no mirror image."""
    axes = [axis for axis in range(3) if roi[axis] > 1]
    return [chosen for count in range(1, len(axes) + 1) for chosen in combinations(axes, count)]


def _turned(network: Network, axes: tuple[int, ...]) -> Network:
    dims = [axis + 2 for axis in axes]
    return lambda windows: network(windows.flip(dims)).flip(dims)


def _exchanged(found: Iterable[Found], swaps: Mapping[int, int]) -> Iterator[Found]:
    return ((swaps.get(value, value), box, mask) for value, box, mask in found)


def _told(progress: Progress, number: int, samples: int) -> Callable[[int, int], None]:
    def before(done: int, total: int) -> None:
        progress("uncertainty", (number + min(done / total, 0.99)) / samples)

    return before


def _sample(answered: Answered, network: Network, before: Callable[[int, int], None]) -> Collector:
    made = Collector(shape=answered.found.shape, wanted=answered.wanted)

    def sink(scores: torch.Tensor, weight: torch.Tensor, start: Triple) -> None:
        unseen = (weight[..., 0] == 0).numpy()
        made(scores, weight.clamp(min=torch.finfo(torch.float32).tiny), start)
        if made.channels is not None and unseen.any():
            box = tuple(slice(a, a + n) for a, n in zip(start, unseen.shape, strict=True))
            made.channels[(slice(None), *box)][:, unseen] = answered.post.nothing

    with torch.inference_mode():
        sweep(answered.image, network, answered.plan, sink, before=before)
    made.finish()
    return made


# --- sides -------------------------------------------------------------------------------------------------------


def side_axis(grid: Geometry) -> int:
    """The axis of ``grid`` that runs most along the patient's left and right."""
    directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    return int(np.abs(directions[0]).argmax())
