"""What leaves the sliding window: labels, and of the scores only what somebody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.observer import SweepObserver
from slicermedai.errors import BundleError
from slicermedai.inference.windows import Triple

Array = NDArray[Any]
_ROUNDING = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be kept at network resolution.

    Parameters
    ----------
    probabilities:
        True where the network's outputs are probabilities already, False for logits.
    exclusive:
        One label per voxel; else each channel has its own, from ``threshold`` on.
    leads:
        Keep each label's lead over the background, in ``precise`` (float32) or float16, for smooth borders.
    logits:
        Leads, and the channels of labels that overlap, are logits: linear in what the network gives.
    keep:
        Label values whose probabilities are kept as float16.
    """

    probabilities: bool = False
    exclusive: bool = True
    threshold: float = 0.5
    leads: bool = False
    precise: bool = True
    logits: bool = False
    keep: tuple[int, ...] = ()
    observer: SweepObserver | None = None


@dataclass(slots=True, eq=False)
class Collector:
    """A :class:`~slicermedai.inference.windows.Sink` for an image of ``shape``.

    Afterwards ``labels`` (uint8 or uint16) are the best classes, ``own`` (float16) the probability of each voxel's
    label, ``leads`` (labels, ...) and ``kept`` (value -> float16) what was wanted. Where labels overlap ``labels``
    stays zero, and ``channels`` holds the probabilities (or logits) of each, float16. ``outputs`` counts the network's
    channels.
    """

    shape: Triple
    wanted: Wanted
    classes: int = 0
    outputs: int = 0
    labels: Array = field(init=False)
    own: Array = field(init=False)
    leads: Array | None = None
    channels: Array | None = None
    kept: dict[int, Array] = field(default_factory=dict)

    def __call__(self, scores: torch.Tensor, weight: torch.Tensor, start: Triple) -> None:
        """Take a finished box; see :class:`~slicermedai.inference.windows.Sink`."""
        if not self.classes:
            self._begin(int(scores.shape[-1]))
        box = tuple(slice(a, a + n) for a, n in zip(start, scores.shape[:3], strict=True))
        values, weights = scores.numpy(), weight.numpy()
        if self.wanted.probabilities:
            _bound(values, weights)
        if self.wanted.observer is not None:
            self.wanted.observer.window(np.moveaxis(values / weights, -1, 0), start)
        for plane in range(values.shape[0]):
            self._plane((box[0].start + plane, box[1], box[2]), values[plane], weights[plane])

    def finish(self) -> None:
        """Nothing more comes; an image without any window has no label."""
        if not self.classes:
            self._begin(2)

    def _begin(self, channels: int) -> None:
        wanted = self.wanted
        self.outputs = channels
        self.classes = channels + 1 if channels == 1 or not wanted.exclusive else channels
        kind = np.uint8 if self.classes <= 256 else np.uint16
        self.labels = np.zeros(self.shape, dtype=kind)
        self.own = np.zeros(self.shape if wanted.exclusive else (1, 1, 1), dtype=np.float16)
        if not wanted.exclusive:
            self.channels = np.zeros((channels, *self.shape), dtype=np.float16)
        elif wanted.leads:
            self.leads = np.full((self.classes - 1, *self.shape), -1, np.float32 if wanted.precise else np.float16)
        for value in wanted.keep:
            self.kept[value] = np.zeros(self.shape, dtype=np.float16)

    def _plane(self, place: Any, values: Array, weight: Array) -> None:
        """(rows, columns, classes) weighted sums of one plane of a box."""
        if not self.wanted.exclusive or values.shape[-1] == 1:
            self._channels(place, values / weight)
        elif self.wanted.leads or self.wanted.keep:
            scores = values / weight
            self._all(place, self._probabilities(scores), scores)
        else:
            self._best(place, values, weight)

    def _best(self, place: Any, values: Array, weight: Array) -> None:
        labels = values.argmax(axis=-1)
        self.labels[place] = labels
        found = labels > 0
        near, shares = values[found] / weight[found], labels[found]
        top = near[np.arange(len(near)), shares]
        if not self.wanted.probabilities:
            top = 1 / np.exp(near - top[:, None]).sum(axis=-1)
        self.own[place][found] = top

    def _all(self, place: Any, probabilities: Array, scores: Array) -> None:
        labels = probabilities.argmax(axis=-1)
        self.labels[place] = labels
        own = np.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0]
        self.own[place] = np.where(labels > 0, own, 0)
        if self.leads is not None:
            leading = scores if self.wanted.logits else probabilities
            lead = leading[..., 1:] - leading[..., :1]
            self.leads[(slice(None), *place)] = np.moveaxis(lead, -1, 0)
        for value, array in self.kept.items():
            array[place] = probabilities[..., value]

    def _channels(self, place: Any, scores: Array) -> None:
        probabilities = self._single(scores)
        if self.wanted.exclusive:
            both = np.concatenate([1 - probabilities, probabilities], axis=-1)
            self._all(place, both, np.concatenate([np.zeros_like(scores), scores], axis=-1))
            return
        assert self.channels is not None
        held = scores if self.wanted.logits else probabilities
        self.channels[(slice(None), *place)] = np.moveaxis(held, -1, 0)
        for value, array in self.kept.items():
            array[place] = probabilities[..., value - 1]

    def _single(self, scores: Array) -> Array:
        if self.wanted.probabilities:
            return scores
        return np.asarray(torch.sigmoid(torch.from_numpy(np.ascontiguousarray(scores))).numpy())

    def _probabilities(self, scores: Array) -> Array:
        if self.wanted.probabilities:
            return scores
        return np.asarray(torch.softmax(torch.from_numpy(np.ascontiguousarray(scores)), dim=-1).numpy())


def _bound(values: Array, weights: Array) -> None:
    """Take rounding off weighted sums of probabilities, in place; refused where they are none."""
    if (values < -_ROUNDING * weights).any() or (values > (1 + _ROUNDING) * weights).any():
        raise BundleError(
            "the model says that its network gives probabilities, and they are not between 0 and 1",
            attribute="outputs",
            advice="Say outputs: logits in its medai.json, if its scores are such.",
        )
    np.clip(values, 0, weights, out=values)


def mean_scores(labels: Array, raw: Array, own: Array, values: Sequence[int]) -> dict[int, float | None]:
    """Value -> the network's mean probability of it over the region, None for an empty region.

    ``labels`` are those after the clean-up, ``raw`` and ``own`` the network's choice and its probability; voxels that
    the clean-up added count where the network chose the same.
    """
    size = max(values, default=0) + 1
    same = labels == raw
    flat = labels[same]
    sums = np.bincount(flat, weights=own[same], minlength=size)
    counts, present = np.bincount(flat, minlength=size), np.bincount(labels.ravel(), minlength=size)
    return {v: (float(sums[v] / counts[v]) if counts[v] else 0.0) if present[v] else None for v in values}
