"""Checks a model's saliency maps on the cases of its calibration: what they gain, and whether its weights matter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.confidence.saliency_checks import (
    LEAST_CASES,
    LEAST_SEEDS,
    SaliencyQuality,
    insertion_minus_deletion,
    middle_of,
    nearness,
    pearson,
    rank_correlation,
)
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import InputError
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Unexplained
from slicermedai.inference.saliency import METHODS, Request, explain
from slicermedai.inference.saliency_question import Asked, Question, question_of
from slicermedai.inference.saliency_whole import around, at_once

Array = NDArray[np.float32]
_TRIES = 4


@dataclass(slots=True, eq=False)
class SaliencyProbe:
    """:meth:`of` is called for each case with its patient; :meth:`quality` says what the first ten patients gave.

    Of each patient the first case with a structure counts, and of that the largest structure is the target, of boxes
    the surest, of labels of the whole image the likeliest: these lie nowhere, so that the trivial map is nearness to
    the middle of the image, and one look gives them, which is all there is to add up. A planted marker needs a network
    that was trained to go by it: what is checked here is the model at hand, so that check stays open.
    """

    method: str
    seed: int = 0
    progress: Progress = silent
    _patients: set[str] = field(default_factory=set, init=False)
    _seeds: list[int] = field(default_factory=list, init=False)
    _numbers: dict[str, list[float]] = field(default_factory=dict, init=False)
    _of_image: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"must be one of {', '.join(METHODS)}", attribute="saliency")

    def of(self, subject: str) -> Callable[[Answered | Asked], None]:
        """Who is to be called with what the sweep over an image of the patient ``subject`` leaves."""
        return lambda answered: self._check(answered, subject)

    @property
    def cases(self) -> int:
        """Of how many patients the maps were checked."""
        return len(self._seeds)

    def _check(self, answered: Answered | Asked, subject: str) -> None:
        """Check the maps of one case; a case whose map is refused counts for nothing."""
        if self.cases >= LEAST_CASES or subject in self._patients:
            return
        try:
            question = question_of(answered, "")
            made = self._map(answered, self.method)
        except Unexplained:
            return
        self._patients.add(subject)
        self._note("repeat", pearson(made, self._map(answered, self.method)))
        mask, gain = question.mask, self._gainer(question)
        self._note("additive", *self._added_up(answered, made, mask))
        self._note("gain", gain(made))
        target = middle_of(made.shape) if mask is None else mask
        self._of_image |= mask is None
        self._note("distance", gain(nearness(target, [float(step) for step in question.grid.spacing])))
        self._note("noise", gain(np.random.default_rng(self.seed).random(made.shape, dtype=np.float32)))
        self._note("plain", *([gain(plain)] if (plain := self._or_none(answered, "gradcam")) is not None else []))
        sizes = self._randomised(answered, made, question.seen)
        self._note("rho", *sizes)
        self._seeds.append(len(sizes))

    def quality(self) -> SaliencyQuality:
        """What was measured so far; None where nothing was, and of what not every case has."""
        found = {name: float(np.mean(values)) for name, values in self._numbers.items() if values}
        if "repeat" in found:
            found["repeat"] = min(self._numbers["repeat"])
        for name in ("plain", "additive"):
            if len(self._numbers.get(name, ())) < self.cases:
                found.pop(name, None)
        seeds = min(self._seeds, default=0)
        return SaliencyQuality(method=self.method, cases=self.cases, seeds=seeds, of_image=self._of_image, **found)

    def _added_up(self, answered: Answered | Asked, made: Array, mask: NDArray[np.bool_] | None) -> list[float]:
        """How far the windows' map goes with that of one window over all, around the target; [] where that cannot be
        made: occlusion takes too many passes, and some networks take windows of one size alone."""
        if self.method == "occlusion":
            return []
        try:
            if isinstance(answered, Answered) and mask is not None:
                piece = around(answered, mask)
                parts, whole = self._or_none(piece, self.method), self._or_none(at_once(piece), self.method)
                return [] if parts is None or whole is None else [pearson(parts, whole)]
            return self._box_added_up(answered, made) if not isinstance(answered, Answered) else []
        except (RuntimeError, ValueError, MemoryError):
            return []

    def _box_added_up(self, answered: Asked, made: Array) -> list[float]:
        """The same of a box, and of a label of the whole image, which one look gives: there they must be the same."""
        other = answered.at_once()
        whole = None if other is None else self._or_none(other, self.method)
        if other is None or whole is None:
            return []
        seen = question_of(other, "").seen
        return [pearson(made[seen], whole[seen])]

    def _randomised(self, answered: Answered | Asked, made: Array, seen: NDArray[np.bool_]) -> list[float]:
        """How far the map goes with those of randomised networks, 0 to 1: of the first that give a map at all.

        What was not looked at counts for nothing: there both are zero, whatever the weights.
        """
        sizes: list[float] = []
        for number in range(_TRIES * LEAST_SEEDS):
            if len(sizes) == LEAST_SEEDS:
                break
            other = replace(answered, module=randomised(answered.module, self.seed + 1 + number))
            drawn = self._or_none(other, self.method)
            sizes += [] if drawn is None else [abs(rank_correlation(made[seen], drawn[seen]))]
        return sizes

    def _note(self, name: str, *values: float) -> None:
        self._numbers.setdefault(name, []).extend(values)

    def _map(self, answered: Answered | Asked, method: str) -> Array:
        return explain(answered, Request(method=method), progress=self.progress).array

    def _or_none(self, answered: Answered | Asked, method: str) -> Array | None:
        try:
            return self._map(answered, method)
        except Unexplained:
            return None

    def _gainer(self, question: Question) -> Callable[[Array], float]:
        image = question.image.numpy()
        cover = np.broadcast_to(np.median(image, axis=(1, 2, 3), keepdims=True), image.shape)

        def score(seen: Array) -> float:
            self.progress("saliency checks", self.cases / (LEAST_CASES + 1))
            return question.certainty(torch.from_numpy(np.ascontiguousarray(seen)))

        return lambda saliency: insertion_minus_deletion(score, image, cover, saliency)


def randomised(module: Any, seed: int) -> Any:
    """A copy of a network with all its weights drawn anew, as its layers begin; the generator is left as it was."""
    made = copy.deepcopy(module)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for one in made.parameters():
            if one.dim() > 1:
                torch.nn.init.kaiming_uniform_(one, a=5**0.5)
        for layer in made.modules():
            if callable(getattr(layer, "reset_parameters", None)):
                layer.reset_parameters()
    return made
