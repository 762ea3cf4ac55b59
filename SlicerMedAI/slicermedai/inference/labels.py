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
from slicermedai.inference.regions import holes_filled, largest_component
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


def labels_on(scores: Scores, target: Geometry) -> NDArray[Any]:
    """Labels on ``target``: each class's lead over the background, resampled linearly; the largest lead wins."""
    labels = np.zeros(target.shape, dtype=_label_type(len(scores.array)))
    best = np.zeros(target.shape, dtype=np.float32) if len(scores.array) > 2 else np.float32(0)
    for value in range(1, len(scores.array)):
        lead = resample(scores.array[value] - scores.array[0], scores.geometry, target, fill=-1.0)
        labels[lead > best] = value
        best = np.maximum(best, lead) if len(scores.array) > 2 else best
    return labels


def _clean_one(labels: NDArray[Any], value: int, kind: str) -> None:
    before = labels == value
    after = _CLEANERS[kind](before)
    labels[before & ~after] = 0
    labels[after & (labels == 0)] = value


def _label_type(classes: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if classes <= 256 else np.uint16
