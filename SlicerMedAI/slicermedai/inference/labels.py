"""From class scores at network resolution to exclusive labels on the source grid.

No class axis exists at full resolution: the classes are brought back one after the other, and only the best so far
is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import BundleError
from slicermedai.inference.parts import Postprocessing
from slicermedai.inference.regions import bounding_box, holes_filled, largest_component
from slicermedai.inference.resample import resample

_CLEANERS = {"largest": largest_component, "holes": holes_filled}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Class probabilities, (classes, slices, rows, columns) float32 that sum to 1, on ``geometry``."""

    array: NDArray[np.float32]
    geometry: Geometry


def probabilities_of(output: torch.Tensor, outputs: str, activation: str) -> NDArray[np.float32]:
    """(classes, ...) probabilities of a network's output without its batch axis.

    ``outputs`` is "logits" or "probabilities"; one channel alone means foreground against the rest.

    Raises
    ------
    BundleError
        Several sigmoid channels: labels that overlap do not fit into one label map.
    """
    if activation == "sigmoid" and output.shape[0] > 1:
        raise BundleError("labels that overlap (sigmoid) cannot be run yet", attribute="postprocessing")
    scores = output.float()
    if outputs == "logits":
        scores = torch.sigmoid(scores) if scores.shape[0] == 1 else torch.softmax(scores, dim=0)
    if scores.shape[0] == 1:
        scores = torch.cat([1 - scores, scores])
    return np.asarray(scores.cpu().numpy(), dtype=np.float32)


def exclusive_labels(scores: NDArray[np.float32]) -> NDArray[Any]:
    """The class with the highest score per voxel, background where it is not beaten."""
    labels = np.zeros(scores.shape[1:], dtype=_label_type(len(scores)))
    best = scores[0]
    for value in range(1, len(scores)):
        labels[scores[value] > best] = value
        best = np.maximum(best, scores[value]) if value + 1 < len(scores) else best
    return labels


def cleaned(scores: Scores, wanted: Postprocessing) -> tuple[Scores, NDArray[Any]]:
    """Labels at network resolution after the clean-up, and scores that agree with them.

    Where the clean-up changed a label, its score becomes 1 and the others 0, so that resampling keeps it.
    """
    raw = exclusive_labels(scores.array)
    labels = raw.copy()
    for kind, values in wanted.clean:
        for value in values or range(1, len(scores.array)):
            _clean_one(labels, value, kind)
    changed = np.flatnonzero(labels != raw)
    if not changed.size:
        return scores, labels
    array = scores.array.copy()
    flat = array.reshape(len(array), -1)
    flat[:, changed] = 0.0
    flat[labels.ravel()[changed], changed] = 1.0
    return Scores(array=array, geometry=scores.geometry), labels


def mean_scores(scores: Scores, labels: NDArray[Any]) -> dict[int, float | None]:
    """Value -> mean of its own probability inside its region, None for an empty region."""
    found: dict[int, float | None] = {}
    for value in range(1, len(scores.array)):
        inside = scores.array[value][labels == value]
        found[value] = float(inside.mean(dtype=np.float64)) if inside.size else None
    return found


def labels_on(scores: Scores, labels: NDArray[Any], target: Geometry) -> NDArray[Any]:
    """Labels on ``target``: each class's lead over the background, resampled linearly; the largest lead wins.

    ``labels`` are those of ``scores`` at network resolution: outside of their box nothing is computed.
    """
    out = np.zeros(target.shape, dtype=_label_type(len(scores.array)))
    near = _widened(bounding_box(labels > 0), labels.shape)
    if near is None:
        return out
    part = scores.geometry.cropped(*_ends(near))
    window = _covering(part, target)
    if min(piece.stop - piece.start for piece in window) < 1:
        return out
    out[window] = _winners(scores.array[(slice(None), *near)], part, target.cropped(*_ends(window)))
    return out


def _winners(array: NDArray[np.float32], source: Geometry, target: Geometry) -> NDArray[Any]:
    labels = np.zeros(target.shape, dtype=_label_type(len(array)))
    best = np.zeros(target.shape if len(array) > 2 else (), dtype=np.float32)
    for value in range(1, len(array)):
        lead = resample(array[value] - array[0], source, target, fill=-1.0)
        labels[lead > best] = value
        if len(array) > 2:
            np.maximum(best, lead, out=best)
    return labels


_Window = tuple[slice, slice, slice]


def _widened(box: _Window | None, shape: tuple[int, ...]) -> _Window | None:
    """The box and one voxel more on every side, so that a label's edge lies within it."""
    if box is None:
        return None
    first, second, third = (slice(max(0, s.start - 1), min(n, s.stop + 1)) for s, n in zip(box, shape, strict=True))
    return first, second, third


def _covering(source: Geometry, target: Geometry) -> _Window:
    """The window of ``target`` that holds every voxel centre inside ``source``."""
    index = target.to_index(source.corners)
    low = np.maximum(np.floor(index.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0)) + 1, target.shape).astype(int)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return first, second, third


def _ends(window: _Window) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    a, b, c = window
    return (a.start, b.start, c.start), (a.stop, b.stop, c.stop)


def _clean_one(labels: NDArray[Any], value: int, kind: str) -> None:
    before = labels == value
    after = _CLEANERS[kind](before)
    labels[before & ~after] = 0
    labels[after & (labels == 0)] = value


def _label_type(classes: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if classes <= 256 else np.uint16
