"""Networks that take places and classes beside the image, as MONAI's VISTA3D does: windows around what was marked.

Windows lie, and are asked, as by MONAI's ``point_based_window_inferer``; what none of them reaches has no label. Where
windows overlap their logits are averaged (MONAI adds them up; their sign, which decides, is the same). A place on the
first half voxel of the image counts, where MONAI's network forgets it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.observer import Progress
from slicermedai.errors import BundleError, InputError
from slicermedai.inference.marks import Mark, on_grid
from slicermedai.inference.memory import Memory
from slicermedai.inference.remembered import remembering
from slicermedai.inference.windows import Triple, WindowPlan

NOTHING = -9999.0
"""The logit of what no window reaches, or of a class that was not asked for."""
_INSIDE, _OUTSIDE, _SPECIAL = 1, 0, 2
_EDGE = 1e-3
_SLAB = 16
_MARGIN = 3


def takes_places(network: Any) -> bool:
    """True for a network that is called with places beside the image."""
    return {"point_coords", "point_labels"} <= _parameters(network)


def takes_classes(network: Any) -> bool:
    """True for a network that answers for classes that it is asked for, without any place."""
    return takes_places(network) and "class_vector" in _parameters(network)


def _parameters(network: Any) -> set[str]:
    try:
        return set(inspect.signature(network.forward).parameters)
    except (AttributeError, TypeError, ValueError):
        return set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """What a bundle says of its classes.

    Parameters
    ----------
    asked:
        Values that a run without places asks for; None for all labels that are no composition.
    composed:
        Values that stand for several others, which alone the network knows.
    special:
        Values whose places the network is told apart: those of tumours and vessels, within other structures.
    """

    asked: tuple[int, ...] | None = None
    composed: tuple[int, ...] = ()
    special: tuple[int, ...] = ()


class AllClasses(torch.nn.Module):
    """``network`` asked for classes alone: channel 0 is background, and channel n the class n; others have no score."""

    def __init__(self, network: Any, values: Sequence[int], channels: int) -> None:
        super().__init__()
        self.network, self.values, self.channels = network, tuple(values), channels

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """(windows, channels, a, b, c) logits."""
        classes = torch.tensor(self.values, device=windows.device)[:, None]
        found = self.network(windows, class_vector=classes, transpose=True)
        scores = found.new_full((len(windows), self.channels, *windows.shape[2:]), NOTHING)
        scores[:, 0] = 0
        scores[:, list(self.values)] = found
        return scores


def has_gaps(network: Any) -> bool:
    """True where channels of a network may be those of no label, as they are of :class:`AllClasses` and its folds."""
    return any(isinstance(one, AllClasses) for one in (network, *getattr(network, "members", ())))


class Asked(torch.nn.Module):
    """``network`` asked about one window with the ``prompts`` in it; tensors among them follow the window's device."""

    def __init__(self, network: Any, prompts: dict[str, Any]) -> None:
        super().__init__()
        self.network, self.prompts = network, prompts

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        """(1, 1, a, b, c) logits."""
        moved = {k: v.to(window.device) if isinstance(v, torch.Tensor) else v for k, v in self.prompts.items()}
        scores: torch.Tensor = self.network(window, **moved)
        return scores


def needs_a_mark(file: str) -> InputError:
    """The refusal of a run without marks."""
    return InputError(
        "the model needs at least one point or box, and none was marked",
        file=file,
        attribute="prompts",
        advice="Mark a place in the structure: MedAI Mark, slicermedai.prompt(), or --prompts LABEL=x y z (LPS mm).",
    )


def without_places(network: Any, classes: Classes, values: Sequence[int], *, file: str) -> AllClasses:
    """The network for a run without any mark.

    Raises
    ------
    InputError
        It answers to places alone.
    """
    known = _supported(network, values)
    wanted = [v for v in known if v not in classes.composed and (classes.asked is None or v in classes.asked)]
    if not takes_classes(network) or not wanted:
        raise needs_a_mark(file)
    return AllClasses(network, wanted, max(values) + 1)


def _supported(network: Any, values: Sequence[int]) -> list[int]:
    """Classes that the network has learned; others it knows by places alone."""
    last = getattr(getattr(network, "point_head", None), "last_supported", None)
    return [value for value in values if last is None or value <= last]


# --- windows around places ---------------------------------------------------------------------------------------


Ask = Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]
"""Runs a module on (1, channels, a, b, c), on the device and in the precision of the run."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pointed:
    """A prepared image, (channels, a, b, c) on ``grid``, and the network that is asked about places in it."""

    network: Any
    image: torch.Tensor
    grid: Geometry
    roi: Triple
    classes: Classes
    ask: Ask
    memory: Memory
    file: str = ""

    def answers(self, marks: Sequence[Mark], progress: Progress) -> Answers:
        """The logits around all marks.

        Raises
        ------
        InputError
            A mark that the network cannot be asked about.
        JobCancelled
            From ``progress``, before each window.
        """
        plan = WindowPlan(roi=self.roi)
        image = plan.filled(self.image)
        offset = _offset(plan.padded(self.image.shape[1:]), self.image.shape[1:])
        asked = [self._places(mark, offset) for mark in marks]
        todo = [(n, start) for n, one in enumerate(asked) for start in one.windows(self.roi, image.shape[1:])]
        low, high = _hull([start for _, start in todo], self.roi, offset, self.image.shape[1:])
        found = Answers.over(self.grid, low, high, len(marks))
        for done, (number, start) in enumerate(todo):
            progress("segment", min(done / len(todo), 0.99))
            scores = self._window(image, asked[number], start)
            found.add(number, scores, [s - o for s, o in zip(start, offset, strict=True)])
        found.finish()
        return found

    def _places(self, mark: Mark, offset: Sequence[int]) -> Places:
        if mark.value in self.classes.composed:
            raise InputError(
                f"{mark.label.name} stands for several structures, which alone the model knows",
                attribute="prompts",
                advice="Mark one of these.",
            )
        places, inside = mark.places
        index = on_grid(places, self.grid, mark.label.name)
        edge = np.asarray(self.grid.shape) - _EDGE
        special = _SPECIAL * (mark.value in self.classes.special)
        return Places(
            value=mark.value,
            index=np.clip(index, _EDGE, edge) + np.asarray(offset),
            labels=np.where(inside, _INSIDE, _OUTSIDE) + special,
            known=takes_classes(self.network) and bool(_supported(self.network, [mark.value])),
        )

    def _window(self, image: torch.Tensor, places: Places, start: Triple) -> NDArray[np.float32]:
        """(a, b, c) logits of one window: those of its places, and of the class where these do not change it."""
        seen = places.within(start, self.roi)
        box = tuple(slice(a, a + n) for a, n in zip(start, self.roi, strict=True))
        window = image[(slice(None), *box)][None].clone()
        prompts = seen.prompts((slice(None), slice(None), *box))
        with remembering(self.network, self.memory, ("features", start)):
            marked = self._asked(window, ("places", start, *seen.key), prompts)
        if not places.known:
            return marked
        by_class = {"class_vector": prompts["prompt_class"], "transpose": True}
        own = self._asked(window, ("class", start, places.value), by_class)
        return changed_by(own, marked, seen.index - start, seen.labels % 2 == _INSIDE)

    def _asked(self, window: torch.Tensor, key: Any, prompts: dict[str, Any]) -> NDArray[np.float32]:
        """What the network answers, remembered by what was asked."""

        def ask() -> torch.Tensor:
            scores = self.ask(Asked(self.network, prompts), window)
            if scores.shape != (1, 1, *window.shape[2:]):
                raise BundleError(
                    f"the network answers {tuple(scores.shape)} to a window of {self.roi}",
                    file=self.file,
                    attribute="network_def",
                )
            return scores[0, 0].float().cpu()

        return np.asarray(self.memory.window(key, ask).numpy(), dtype=np.float32)


def changed_by(
    own: NDArray[np.float32], marked: NDArray[np.float32], index: FloatArray, inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(a, b, c) logits of a class, where places at ``index`` of the window change them those of the places.

    As MONAI's VISTA3D joins both: what the places add counts in parts that hold a place inside, what they take away in
    parts that hold one outside; where a place lies in the class already, the whole part that holds it counts anew.
    """
    size = np.asarray(own.shape)
    places = np.clip(np.rint(index), 0, size - 1).astype(np.intp)
    wanted = marked > 0
    is_met = bool((own[tuple(places.T)] > 0).any())
    added = wanted if is_met else wanted & (own <= 0)
    change = np.zeros(own.shape, dtype=bool)
    for region, chosen in ((added, places[inside]), ((own > 0) & ~wanted, places[~inside])):
        if len(chosen) and region.any():
            parts, _ = ndimage.label(region, structure=np.ones((3, 3, 3)))
            for place in chosen:
                change |= np.isin(parts, _part_at(parts, place))
    return np.where(change, marked, own)


def _part_at(parts: NDArray[Any], place: NDArray[np.intp]) -> list[int]:
    """The number of the part at a place, or within two voxels of it; none where there is none."""
    for margin in range(_MARGIN):
        near = parts[tuple(slice(max(p - margin, 0), p + margin + 1) for p in place)]
        if near.any():
            return [int(near.max())]
    return []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Of one label: (N, 3) indices in the filled-up image, and what the network calls each (0, 1; special 2, 3)."""

    value: int
    index: FloatArray
    labels: NDArray[np.int64]
    known: bool

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells apart what the network is asked."""
        return self.value, self.index.tobytes(), self.labels.tobytes()

    def windows(self, roi: Triple, shape: Sequence[int]) -> list[Triple]:
        """First voxels of the windows around the places, each once."""
        found = [
            tuple(_start(float(p), r, n) for p, r, n in zip(place, roi, shape, strict=True)) for place in self.index
        ]
        return [(a, b, c) for a, b, c in dict.fromkeys(found)]

    def within(self, start: Triple, roi: Triple) -> Places:
        """Those that lie in a window, as the network itself has it: not on its first or beyond its last voxel."""
        first, end = np.asarray(start), np.asarray(start) + roi
        seen = ((self.index > first) & (self.index < end)).all(axis=1)
        return Places(value=self.value, index=self.index[seen], labels=self.labels[seen], known=self.known)

    def prompts(self, box: tuple[slice, ...]) -> dict[str, Any]:
        """What the network is called with beside the window that lies at ``box``."""
        return {
            "point_coords": torch.from_numpy(self.index)[None].float(),
            "point_labels": torch.from_numpy(self.labels)[None].int(),
            "patch_coords": [box],
            "prompt_class": torch.tensor([[self.value]]),
            "transpose": True,
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Answers:
    """(labels, a, b, c) logits on ``grid``, the part of the network's grid that any window reached."""

    grid: Geometry
    low: Triple
    scores: NDArray[np.float32]
    counts: NDArray[np.uint16]

    @classmethod
    def over(cls, grid: Geometry, low: Triple, high: Triple, labels: int) -> Answers:
        """Empty, for the box from ``low`` to ``high`` of ``grid``."""
        shape = tuple(b - a for a, b in zip(low, high, strict=True))
        return cls(
            grid=grid.cropped(low, high),
            low=low,
            scores=np.zeros((labels, *shape), dtype=np.float32),
            counts=np.zeros((labels, *shape), dtype=np.uint16),
        )

    def add(self, number: int, scores: NDArray[np.float32], start: Sequence[int]) -> None:
        """Take the logits of a window that begins at ``start`` of the whole grid, for the label of that number."""
        first = [s - a for s, a in zip(start, self.low, strict=True)]
        inside = [slice(max(0, f), min(f + n, m)) for f, n, m in zip(first, scores.shape, self.grid.shape, strict=True)]
        part = tuple(slice(s.start - f, s.stop - f) for s, f in zip(inside, first, strict=True))
        self.scores[number][tuple(inside)] += scores[part]
        self.counts[number][tuple(inside)] += 1

    def finish(self) -> None:
        """All windows came: their mean, and nothing where none was."""
        np.divide(self.scores, self.counts, out=self.scores, where=self.counts > 0)
        self.scores[self.counts == 0] = NOTHING

    def hand_to(self, sink: Any) -> None:
        """Hand all to a :class:`~slicermedai.inference.windows.Sink`, with a background of 0 as the first class."""
        shape = self.grid.shape
        weight = torch.ones((1, 1, 1, 1)).expand(_SLAB, *shape[1:], 1)
        for first in range(0, shape[0], _SLAB):
            part = self.scores[:, first : first + _SLAB]
            slab = np.zeros((part.shape[1], *shape[1:], len(part) + 1), dtype=np.float32)
            slab[..., 1:] = np.moveaxis(part, 0, -1)
            sink(torch.from_numpy(slab), weight[: part.shape[1]], (first, 0, 0))


def _start(place: float, roi: int, size: int) -> int:
    """As MONAI lays a window around a place: the place in its middle, the window within the image."""
    if place - roi // 2 < 0:
        return 0
    if place + roi // 2 > size:
        return size - roi
    return int(place) - roi // 2


def _offset(padded: Sequence[int], shape: Sequence[int]) -> list[int]:
    return [(n - m) // 2 for n, m in zip(padded, shape, strict=True)]


def _hull(starts: Sequence[Triple], roi: Triple, offset: Sequence[int], shape: Sequence[int]) -> tuple[Triple, Triple]:
    first = np.asarray(starts) - np.asarray(offset)
    low, high = np.maximum(first.min(axis=0), 0), np.minimum((first + roi).max(axis=0), shape)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))
