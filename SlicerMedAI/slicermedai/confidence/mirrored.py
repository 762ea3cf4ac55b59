"""How the scores of labels of the whole image vary when a classifier is asked about mirror images.

The image as the network is given it is mirrored along each of its axes and all combinations of them, and nothing is
turned back: a label lies nowhere. What a label says must therefore not depend on a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from slicermedai.bundles.coding import SIDES, words_of
from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.uncertainty import flips
from slicermedai.domain.finding import Finding
from slicermedai.domain.uncertainty import Uncertainty
from slicermedai.errors import InputError
from slicermedai.inference.saliency_label import LookedAtWhole
from slicermedai.inference.saliency_target import in_words
from slicermedai.inference.task import FLIPS

_METHOD = "flip test-time augmentation of the whole image"
_NOTE = (
    "Scores vary where the network's answer depends on how the image lies. That is no probability of an error, and the"
    " scores are no probabilities."
)


class MirroredScores:
    """A probe of an inference: :meth:`heard` is called with what a classifier leaves of an image, once a run."""

    def __init__(self) -> None:
        self._scores: list[dict[int, float]] = []
        self._found: list[set[int]] = []

    def heard(self, looked: Any) -> None:
        """Ask about all mirror images; one at a time, each forgotten at once."""
        if not isinstance(looked, LookedAtWhole):
            return
        axes = [axis for axis, size in enumerate(looked.grid.shape) if size > 1 and axis != looked.across]
        for chosen in flips(axes):
            scores = looked.scores(torch.flip(looked.image, [axis + 1 for axis in chosen]))
            self._scores.append(scores)
            self._found.append(looked.found_in(scores))

    @property
    def has_varied(self) -> bool:
        """Whether there are samples to tell of."""
        return len(self._scores) > 1

    def uncertainty(self, findings: Sequence[tuple[int, Finding]]) -> Uncertainty | None:
        """How the score of each label (its value, its finding) varied; None where nothing was asked again."""
        if not self.has_varied:
            return None
        count = len(self._scores)
        said = tuple(self._said(value, finding) for value, finding in findings if value in self._scores[0])
        return Uncertainty(method=_METHOD, samples=count, cost=float(count), level=0.0, notes=(*said, _NOTE))

    def _said(self, value: int, finding: Finding) -> str:
        scores = [one[value] for one in self._scores]
        seen = sum(value in found for found in self._found)
        return (
            f"{in_words(finding.label)}: score {scores[0]:.2f}; {min(scores):.2f} to {max(scores):.2f} over the image"
            f" and its {len(scores) - 1} mirror images, found in {seen} of {len(scores)}."
        )


def mirrored_scores(method: str, manifest: Manifest) -> MirroredScores | None:
    """Who asks a classifier again; None where no samples are asked for.

    Raises
    ------
    InputError
        Another way than mirror images is asked for, or a label of the model has a side, which mirror images change.
    """
    title = manifest.ref.title
    if method == "none":
        return None
    if method != FLIPS:
        raise InputError(
            f"{title} does {manifest.ref.task}, and other samples than mirror images are of segmentations alone",
            attribute="uncertainty",
            advice=f"Ask for {FLIPS!r}, or run it without them.",
        )
    if any(_has_side(label.name, label.modifier) for _, label in manifest.ref.labels):
        raise InputError(
            f"labels of {title} have a side or an end, which mirror images change",
            attribute="uncertainty",
            advice="Run it without them.",
        )
    return MirroredScores()


_ENDS = frozenset(
    {"upper", "lower", "top", "bottom", "superior", "inferior", "anterior", "posterior"}
    | {"cranial", "caudal", "ventral", "dorsal", "apical", "basal"}
)
"""What labels say of which end something lies at, which mirror images change as they change sides."""


def _has_side(name: str, modifier: Any) -> bool:
    return modifier in SIDES.values() or not (_ENDS | set(SIDES)).isdisjoint(words_of(name))
