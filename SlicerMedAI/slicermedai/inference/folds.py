"""Folds as one network, whose answers are averaged as they come; and each fold by itself, to see how far they agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from slicermedai.bundles.folds import PROBABILITIES, Folds
from slicermedai.inference.adapter.post import LOGITS, Postprocessing
from slicermedai.inference.again import Answered, Network, Way
from slicermedai.inference.shadow import scores_of

MEAN, SOFTMAX, SIGMOID = "mean", "softmax", "sigmoid"
Load = Callable[[str], Any]


def kind_of(post: Postprocessing) -> str:
    """What a network's scores are averaged as: by what becomes of them."""
    if post.outputs != LOGITS:
        return MEAN
    return SOFTMAX if post.exclusive else SIGMOID


def load_folds(load: Load, folds: Folds | None, chosen: Sequence[str], *, kind: str) -> Any | None:
    """One network of the ``chosen`` folds, each made by ``load`` from its file; None where there are none.

    ``kind`` says what scores are averaged as, where they are logits: :data:`SOFTMAX` or :data:`SIGMOID` probabilities.
    It is :data:`MEAN` for scores that are probabilities already.
    """
    if folds is None:
        return None
    members = [load(folds.file(name)) for name in chosen]
    if len(members) == 1:
        return members[0]
    return FoldMean(members, kind if folds.averages == PROBABILITIES else MEAN)


class FoldMean(torch.nn.Module):
    """The mean of what ``members`` answer; memory is that of their weights and of two answers.

    Means of probabilities are given as the logits that stand for them, so that all that follows takes scores of one
    kind: log p, or log p - log(1 - p) where each channel is by itself.
    """

    def __init__(self, members: Sequence[Any], kind: str) -> None:
        super().__init__()
        self.members, self.kind = torch.nn.ModuleList(members), kind

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scores of the same shape as those of one member."""
        if self.kind == MEAN:
            return self._gathered(image, lambda scores: scores, torch.add) / len(self.members)
        logs = self._gathered(image, _logs if self.kind == SOFTMAX else _both_logs, torch.logaddexp)
        return logs[0] - logs[1] if len(logs) == 2 else logs[0] - math.log(len(self.members))

    def _gathered(
        self,
        image: torch.Tensor,
        change: Callable[[torch.Tensor], torch.Tensor],
        join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        total = None
        for member in self.members:
            own = change(scores_of(member(image)))
            total = own if total is None else join(total, own)
        assert total is not None
        return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """An :class:`~slicermedai.inference.again.Asking` of every fold by itself.

    Parameters
    ----------
    names:
        The folds that are asked: one sample each.
    answered:
        Those that made the run's answer. Where that was one alone, its answer is its sample.
    load:
        Name -> its network on the device. Of those that are not in memory already one is at a time.
    run:
        From a network to what takes windows, as the run's own does.
    """

    names: tuple[str, ...]
    answered: tuple[str, ...]
    load: Load
    run: Callable[[Any], Network]
    seeds: tuple[int, ...] = ()

    @property
    def what(self) -> str:
        """See :class:`~slicermedai.inference.again.Asking`."""
        return f"folds {', '.join(self.names)}, each by itself"

    @property
    def own(self) -> bool:
        """See :class:`~slicermedai.inference.again.Asking`."""
        return len(self.answered) == 1 and self.answered[0] in self.names

    @property
    def share(self) -> float:
        """A mean of several takes a pass of each."""
        return 1 / len(self.answered)

    def count(self, answered: Answered) -> int:
        """All, but the one that has answered."""
        return len(self.names) - self.own

    def ways(self, answered: Answered) -> Iterator[Way]:
        """See :class:`~slicermedai.inference.again.Asking`."""
        known = dict(zip(self.answered, answered.module.members, strict=True)) if len(self.answered) > 1 else {}
        for name in self.names:
            if not (self.own and name == self.answered[0]):
                yield Way(network=self.run(known[name] if name in known else self.load(name)))


def _logs(scores: torch.Tensor) -> torch.Tensor:
    """log p of classes that exclude each other, in a stack of one; a single channel is by itself."""
    return torch.log_softmax(scores, dim=1)[None] if scores.shape[1] > 1 else _both_logs(scores)


def _both_logs(scores: torch.Tensor) -> torch.Tensor:
    """log p and log(1 - p), stacked."""
    log = torch.nn.functional.logsigmoid
    return torch.stack([log(scores), log(-scores)])
