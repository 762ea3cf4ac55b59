"""Scores that are no numbers: all comparisons with them fail, so that a label that may be there would not be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from slicermedai.errors import BundleError


def has_nan(scores: torch.Tensor) -> bool:
    """True where any of ``scores`` is not a number (NaN); infinite ones are numbers.

    The sum tells it without a copy; infinities of both signs make NaN too, and only then each value is looked at.
    """
    return bool(torch.isnan(scores.sum())) and bool(torch.isnan(scores).any())


def checked(scores: torch.Tensor) -> torch.Tensor:
    """``scores`` as they are; raises :class:`BundleError` where any is not a number."""
    if has_nan(scores):
        raise BundleError(
            "the network answers with values that are no numbers (NaN)",
            attribute="network_def",
            advice="Its weights may be damaged, the image of values that it does not take, or the precision too low: "
            "try --precision float32, and the model on its author's own sample.",
        )
    return scores


def watch_numbers(network: torch.nn.Module) -> None:
    """Have every later answer of ``network`` :func:`checked`, whatever tensors are in it."""

    def look(module: torch.nn.Module, given: Any, answer: Any) -> None:
        for one in _tensors(answer):
            checked(one)

    network.register_forward_hook(look)


def _tensors(answer: Any) -> Iterator[torch.Tensor]:
    if isinstance(answer, torch.Tensor):
        yield answer
    elif isinstance(answer, Mapping):
        for one in answer.values():
            yield from _tensors(one)
    elif isinstance(answer, Sequence) and not isinstance(answer, str):
        for one in answer:
            yield from _tensors(one)
