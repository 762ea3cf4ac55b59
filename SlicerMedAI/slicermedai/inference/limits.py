"""Boxes that a person drew, as limits: outside of its boxes a label has no voxel.

On the network's grid it has no score there, so that other labels have these voxels; on the source's grid the box itself
is the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.prompts import BoxPrompt, place_of
from slicermedai.inference.collect import Collector
from slicermedai.inference.marks import Mark, within
from slicermedai.inference.pointed import NOTHING
from slicermedai.inference.windows import Sink, Triple

Outside = Mapping[int, NDArray[np.bool_]]
"""Value -> the voxels of a grid, (slices, rows, columns), at which this label may not be."""


Boxes = Mapping[int, tuple[BoxPrompt, ...]]


def boxes_of(marks: Sequence[Mark], *, numbered: bool = False) -> dict[int, tuple[BoxPrompt, ...]]:
    """The boxes of labels that have any, by value, or by the number of the mark from 1 on where ``numbered``."""
    return {n if numbered else mark.value: mark.boxes for n, mark in enumerate(marks, 1) if mark.boxes}


def outside_of(boxes: Boxes, grid: Geometry) -> dict[int, NDArray[np.bool_]]:
    """Where labels may not be: voxels of ``grid`` whose centres lie in none of their boxes."""
    return {value: ~within(drawn, grid) for value, drawn in boxes.items()}


def without_scores(boxes: Boxes, grid: Geometry) -> dict[int, NDArray[np.bool_]]:
    """As :func:`outside_of`; where boxes lie between the centres of all voxels, those that they touch count too."""
    found = outside_of(boxes, grid)
    reach = np.abs(grid.affine[:3, :3]).sum(axis=1) / 2
    for value, mask in found.items():
        if mask.all():
            found[value] = ~within([_grown(box, reach) for box in boxes[value]], grid)
    return found


def _grown(box: BoxPrompt, reach: FloatArray) -> BoxPrompt:
    low, high = np.subtract(box.low, reach), np.add(box.high, reach)
    return BoxPrompt(label=box.label, low=place_of(low.tolist()), high=place_of(high.tolist()))


def limited(collector: Collector, marks: Sequence[Mark], grid: Geometry) -> Sink:
    """What hands scores on ``grid`` to ``collector``, those of labels with boxes without what lies outside of these."""
    outside = without_scores(boxes_of(marks), grid)
    return _Limited(collector, outside) if outside else collector


def without_voxels(marks: Sequence[Mark], found: set[int]) -> list[str]:
    """A warning for each marked label that is not among the values ``found``."""
    return [
        f"{mark.label.name} was marked, and nothing of it was found{' within its box' if mark.boxes else ''}"
        for mark in marks
        if mark.value not in found
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Limited:
    """A :class:`~slicermedai.inference.windows.Sink` in front of a collector."""

    collector: Collector
    outside: Outside

    def __call__(self, scores: torch.Tensor, weight: torch.Tensor, start: Triple) -> None:
        wanted, classes = self.collector.wanted, scores.shape[-1]
        box = tuple(slice(a, a + n) for a, n in zip(start, scores.shape[:3], strict=True))
        nothing = weight[..., 0] * (0.0 if wanted.probabilities else NOTHING)
        first = 0 if wanted.exclusive and classes > 1 else 1
        for value, mask in self.outside.items():
            if value - first < classes:
                own = scores[..., value - first]
                own.copy_(torch.where(torch.from_numpy(mask[box]), nothing, own))
        self.collector(scores, weight, start)
