"""What is asked about a label of the whole image: its score before the sigmoid, in the one look that gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import Geometry
from slicermedai.inference.adapter.post import LOGITS, Postprocessing
from slicermedai.inference.layers import Unexplained
from slicermedai.inference.saliency_question import Question, grain_of
from slicermedai.inference.saliency_score import TargetWindow, place_of
from slicermedai.inference.saliency_target import asked_target, in_words
from slicermedai.inference.shadow import scores_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedAtWhole:
    """What a classification leaves for those who ask again; see :class:`.saliency_question.Asked`.

    ``image`` is (channels, a, b, c) on ``grid``, ``across`` the axis that a network of two dimensions does not have;
    ``best`` is the value of the likeliest label that was found, 0 where none was.
    """

    image: torch.Tensor
    grid: Geometry
    module: Any
    device: str
    across: int | None
    post: Postprocessing
    labels: tuple[tuple[int, Label], ...]
    best: int

    def question(self, target: str) -> Question:
        """See :func:`.saliency_question.question_of`; a label is explained that was not found, too."""
        value = self._chosen(target)
        size = self.grid.shape
        window = TargetWindow(
            start=(0, 0, 0), given=self.image[None].to(self.device), shares=torch.ones((), device=self.device)
        )
        with torch.inference_mode():
            found = float(self._score(value, window.given))
        return Question(
            value=value,
            words=in_words(dict(self.labels)[value]),
            image=self.image,
            grid=self.grid,
            size=size,
            place=place_of((0, 0, 0), size),
            windows=(window,),
            whole=1,
            module=self.module,
            device=self.device,
            across=self.across,
            run=self._scores,
            places=int(torch.Size(size).numel()),
            score=lambda given, _: self._score(value, given),
            certainty=lambda image: self._certainty(value, image),
            mask=None,
            grain=grain_of(size),
            looked_at="the image as the network is given it",
            why_these="the network takes the image as a whole",
            reaches=1,
            facts=(("score", self._in_words(found)),),
        )

    def scores(self, image: torch.Tensor) -> dict[int, float]:
        """Label value -> what the run would call its score, were the image ``image``, (channels, a, b, c)."""
        return {value: self._certainty(value, image) for value, _ in self.labels}

    def found_in(self, scores: Mapping[int, float]) -> set[int]:
        """The label values that a run with such scores finds."""
        if self.post.exclusive and len(scores) > 1:
            return {max(scores, key=lambda value: scores[value])}
        return {value for value, score in scores.items() if score >= self.post.threshold}

    def at_once(self) -> LookedAtWhole:
        """See :class:`.saliency_question.Asked`: there was one look at all of the image."""
        return self

    def _chosen(self, target: str) -> int:
        value, part = asked_target(self.labels, target) if target else (self.best, 0)
        if part:
            raise Unexplained("a label of the whole image has no parts")
        if not value:
            raise Unexplained("no label was found in this image")
        return value

    def _scores(self, given: torch.Tensor) -> torch.Tensor:
        """(classes,) of a window (1, channels, a, b, c)."""
        taken = given if self.across is None else given.squeeze(self.across + 2)
        return scores_of(self.module(taken))[0].float().reshape(-1)

    def _score(self, value: int, given: torch.Tensor) -> torch.Tensor:
        """Log-odds: what a sigmoid makes the label's probability of; the probability itself where such is given."""
        scores = self._scores(given)
        own, others = scores[value - 1], torch.cat([scores[: value - 1], scores[value:]])
        is_one_of = self.post.exclusive and len(scores) > 1 and self.post.outputs == LOGITS
        return own - torch.logsumexp(others, dim=0) if is_one_of else own

    def _certainty(self, value: int, image: torch.Tensor) -> float:
        with torch.inference_mode():
            score = self._score(value, image[None].to(self.device))
        return float(torch.sigmoid(score) if self.post.outputs == LOGITS else score)

    def _in_words(self, score: float) -> str:
        kind = "log-odds, before the sigmoid," if self.post.outputs == LOGITS else "probability"
        return f"{kind} {score:.3g}"
