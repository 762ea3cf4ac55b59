"""Boxes of several folds as one set: weighted boxes fusion.

Solovyev, Wang, Gabruseva, "Weighted boxes fusion: ensembling boxes from different object detection models", Image and
Vision Computing 107 (2021) 104117. Boxes of one class that overlap become one, whose faces are means weighted by score;
its score is the mean over all folds that were asked, a fold without a box counting 0. It is taken rather than
non-maximum suppression over all boxes since the place is then every fold's, and a box that one fold alone has stays,
with the low score that says so.

One thing differs: a fold has at most one box in a fused one: the detector has told its boxes of one image apart, and
two neighbours are not made one thing because another fold's box touches both. So it is that of its boxes which overlaps
the fused one most, and a surer neighbour does not take its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.errors import BundleError, InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldBoxes:
    """What one fold found: ``boxes`` (N, 6) from and to in voxels, ``labels`` (N,) int, ``scores`` (N,) 0 to 1."""

    boxes: Array
    labels: NDArray[np.int64]
    scores: Array

    @classmethod
    def of(cls, detector: Any, found: Mapping[str, Any], *, file: str) -> FoldBoxes:
        """From a detector's answer, without boxes that hold nothing.

        Raises
        ------
        BundleError
            Scores are no numbers from 0 to 1: their mean over folds would mean nothing.
        """
        keys = (detector.target_box_key, detector.target_label_key, detector.pred_score_key)
        boxes, labels, scores = (found[key].float().cpu().numpy().astype(np.float64) for key in keys)
        if not ((scores >= 0) & (scores <= 1)).all():
            raise BundleError("boxes of folds are joined by scores from 0 to 1", file=file, attribute="scores")
        held = (boxes[:, 3:] > boxes[:, :3]).all(axis=1)
        return cls(boxes=boxes[held], labels=labels[held].astype(np.int64), scores=scores[held])


@dataclass(slots=True, eq=False)
class Fused:
    """One thing: ``box`` (6,) from and to in voxels, its class, and of each fold that found it (number -> score)."""

    box: Array
    label: int
    scores: dict[int, float]
    members: list[tuple[Array, float]] = field(default_factory=list)

    def score(self, folds: int) -> float:
        """The mean over all ``folds`` that were asked."""
        return sum(self.scores.values()) / folds

    def add(self, box: Array, score: float, fold: int) -> None:
        """Take in one more; the faces move to the mean of all, weighted by score."""
        self.members.append((box, score))
        self.scores[fold] = score
        weights = [weight for _, weight in self.members]
        self.box = np.average([one for one, _ in self.members], axis=0, weights=weights if any(weights) else None)


def fused(answers: Sequence[FoldBoxes], *, overlap: float) -> list[Fused]:
    """The things that the folds found, the surest first.

    ``overlap`` is the intersection over union above which two boxes of one class are one thing.
    """
    every = [
        (fold, box, int(label), float(score))
        for fold, found in enumerate(answers)
        for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
    ]
    made: list[Fused] = []
    left = sorted(every, key=lambda one: -one[3])
    while left:
        fold, box, label, score = left.pop(0)
        others = [one for number, one, kind, _ in left if (number, kind) == (fold, label)]
        things = [one for one in made if one.label == label and fold not in one.scores]
        shared = overlaps([one.box for one in things], box)
        touched = sorted(np.flatnonzero(shared > overlap).tolist(), key=lambda number: -float(shared[number]))
        free = (things[number] for number in touched if not _is_anothers(things[number], box, others, things))
        own = next(free, None)
        if own is not None:
            own.add(box, score, fold)
        else:
            made.append(Fused(box=box, label=label, scores={fold: score}, members=[(box, score)]))
    return sorted(made, key=lambda one: -one.score(len(answers)))


def _is_anothers(thing: Fused, box: Array, others: Sequence[Array], things: Sequence[Fused]) -> bool:
    """True where one of a fold's ``others`` overlaps ``thing`` more than ``box`` does, and none of ``things`` more."""
    with_thing = overlaps(others, thing.box)
    nearer = np.flatnonzero(with_thing > overlaps([box], thing.box)[0]).tolist()
    for other in (others[number] for number in nearer):
        if overlaps([one.box for one in things], other).max() <= overlaps([thing.box], other)[0]:
            return True
    return False


def overlaps(boxes: Sequence[Array], other: Array) -> Array:
    """Intersection over union (N,) of each of ``boxes`` with ``other``, all (6,), from and to."""
    own = np.reshape(boxes, (-1, 6))
    sides = np.minimum(own[:, 3:], other[3:]) - np.maximum(own[:, :3], other[:3])
    both = np.prod(np.maximum(sides, 0), axis=1)
    return np.asarray(both / (np.prod(own[:, 3:] - own[:, :3], axis=1) + np.prod(other[3:] - other[:3]) - both))


def overlap_asked(detector: Any) -> float:
    """The overlap from which on ``detector`` itself takes two boxes for one thing.

    Raises
    ------
    InputError
        It does not say that.
    """
    found = getattr(getattr(detector, "box_selector", detector), "nms_thresh", None)
    if not isinstance(found, int | float) or not 0 <= found < 1:
        raise InputError(
            "the detector does not say from which overlap on two boxes are one thing: boxes of folds cannot be joined",
            attribute="folds",
            advice="Choose one fold.",
        )
    return float(found)


def most_asked(detector: Any) -> int | None:
    """How many boxes ``detector`` gives of an image at the most; None where it does not say."""
    found = getattr(getattr(detector, "box_selector", detector), "detections_per_img", None)
    return int(found) if isinstance(found, int) and found > 0 else None
