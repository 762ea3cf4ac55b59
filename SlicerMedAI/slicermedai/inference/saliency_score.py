"""What a map of saliency is of: the windows that touch a target, each voxel's share in them, and the score."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.inference.again import Answered
from slicermedai.inference.shadow import scores_of
from slicermedai.inference.windows import Triple, touching

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetWindow:
    """One window of the image: where it starts (in the filled-up image), its voxels, the shares of the target.

    Of a box there is one share, that of the score at ``place`` of the window's answer.
    """

    start: Triple
    given: torch.Tensor
    shares: torch.Tensor
    place: Triple = (0, 0, 0)

    @property
    def size(self) -> Triple:
        """Voxels along each axis."""
        a, b, c = self.given.shape[2:]
        return a, b, c


def windows_of(answered: Answered, mask: NDArray[np.bool_]) -> Iterator[TargetWindow]:
    """Those that touch the target, with each voxel's share in the sum."""
    plan = answered.plan
    image, starts = plan.filled(answered.image), list(itertools.product(*plan.starts(mask.shape)))
    weights = plan.weights()
    own = torch.ones(plan.roi) if weights is None else weights
    sums = torch.zeros(plan.padded(mask.shape))
    for start in starts:
        sums[place_of(start, plan.roi)] += own
    target = torch.zeros_like(sums)
    target[place_of(added_before(answered, mask), mask.shape)] = torch.from_numpy(mask.astype(np.float32))
    target /= sums
    for start, touches in zip(starts, touching(plan, mask), strict=True):
        if touches:
            place = place_of(start, plan.roi)
            given = image[(slice(None), *place)][None].to(answered.device)
            yield TargetWindow(start=start, given=given, shares=(target[place] * own).to(answered.device))


def added_before(answered: Answered, mask: Array) -> Triple:
    """How many voxels were added before the image along each axis."""
    a, b, c = ((p - n) // 2 for p, n in zip(answered.plan.padded(mask.shape), mask.shape, strict=True))
    return a, b, c


def place_of(start: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    """The box of ``size`` voxels from ``start`` on."""
    return tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))


def scores_in(answered: Answered, given: torch.Tensor) -> torch.Tensor:
    """(1, classes, a, b, c) float32 of (1, channels, a, b, c); a network of two dimensions sees one slice."""
    across = answered.across
    made = scores_of(answered.module(given if across is None else given.squeeze(across + 2)))
    return made.float() if across is None else made.float().unsqueeze(across + 2)


def score(answered: Answered, value: int, window: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The sum that is explained: log-odds of the label against all others (probabilities, where the network gives
    such), each voxel by its share."""
    scores = scores_in(answered, window)[0]
    exclusive = answered.post.exclusive and len(scores) > 1
    own = scores[value if exclusive else value - 1]
    if exclusive and not answered.found.wanted.probabilities:
        others = torch.cat([scores[:value], scores[value + 1 :]])
        own = own - torch.logsumexp(others, dim=0)
    return (own * shares).sum()


def certainty(answered: Answered, value: int, mask: NDArray[np.bool_], image: torch.Tensor) -> float:
    """The network's mean probability of the label over the voxels of ``mask``, were the image ``image``: 0 to 1."""
    total = 0.0
    with torch.inference_mode():
        for window in windows_of(replace(answered, image=image), mask):
            scores = scores_in(answered, window.given)[0]
            exclusive = answered.post.exclusive and len(scores) > 1
            if not answered.found.wanted.probabilities:
                scores = scores.softmax(dim=0) if exclusive else scores.sigmoid()
            total += float((scores[value if exclusive else value - 1] * window.shares).sum())
    return total / int(mask.sum())
