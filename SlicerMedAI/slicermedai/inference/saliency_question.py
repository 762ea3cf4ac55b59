"""What a map of saliency asks of a network: one score, the windows that it comes from, and how it is asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.inference.again import Answered
from slicermedai.inference.saliency_score import (
    TargetWindow,
    added_before,
    certainty,
    place_of,
    score,
    scores_in,
    windows_of,
)
from slicermedai.inference.saliency_target import target_of
from slicermedai.inference.windows import Triple

TOUCHING = "the windows that touch the target"
_PATCHES = 8
"""Cubes of an occlusion along a window, where nothing finer is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """One score of a network that is to be explained: the sum of what :attr:`score` gives for each of its windows.

    Parameters
    ----------
    value, words:
        The label that it is of (0 for none), and what the target is called.
    image, grid:
        What the network was given, (channels, a, b, c); it lies at ``place`` of the filled-up image of ``size`` voxels.
    windows, whole:
        Those that the score comes from, and how many windows the image has.
    looked_at, why_these:
        What the windows are, and why no others, in words.
    run:
        The network's answer to a window of (1, channels, a, b, c); ``places`` is how many voxels that answer has.
    score:
        What a window, as it is or changed, gives of the score.
    certainty:
        How sure the network is of the target, 0 to 1, were the image another.
    mask:
        The target's voxels on ``grid``; None for a label of the whole image.
    grain:
        Voxels of an occlusion's cubes.
    reaches:
        At how many places the score must depend on the layer of a class activation map; 0 where any layer will do.
    facts:
        What else belongs beside the map, names and values.
    """

    value: int
    words: str
    image: torch.Tensor
    grid: Geometry
    size: Triple
    place: tuple[slice, ...]
    windows: tuple[TargetWindow, ...]
    whole: int
    module: Any
    device: str
    across: int | None
    run: Callable[[torch.Tensor], Any]
    places: int
    score: Callable[[torch.Tensor, TargetWindow], torch.Tensor]
    certainty: Callable[[torch.Tensor], float]
    mask: NDArray[Any] | None
    grain: Triple
    looked_at: str = TOUCHING
    why_these: str = "those that touch the target, which depends on no other"
    reaches: int = 0
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def seen(self) -> NDArray[np.bool_]:
        """The voxels on ``grid`` that were looked at: elsewhere every map is zero."""
        filled = np.zeros(self.size, dtype=bool)
        for window in self.windows:
            filled[place_of(window.start, window.size)] = True
        return filled[self.place]


class Asked(Protocol):
    """What a look leaves for those who ask again about a box or a label of the whole image; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def module(self) -> Any:
        """The network."""

    @property
    def grid(self) -> Geometry:
        """Of the map."""

    @property
    def device(self) -> str:
        """Where the network is."""

    def question(self, target: str) -> Question:
        """What is asked about a target; raises as :func:`question_of`."""

    def at_once(self) -> Asked | None:
        """The same, asked about its surest target by one look at windows, or a piece, and what lies around them; the
        same again where there is one look at the whole image. None where that cannot be."""


def question_of(given: Answered | Asked, target: str) -> Question:
    """What is asked about a target by its name, "" for the largest structure, the surest box, the likeliest label.

    Raises
    ------
    Unexplained
        It was not found in this image, or its score cannot be told from what the network gives.
    InputError
        The model has no label, or several, of that name.
    """
    return _of_structure(given, target) if isinstance(given, Answered) else given.question(target)


def grain_of(size: Triple) -> Triple:
    """An eighth of a window."""
    a, b, c = (n // _PATCHES for n in size)
    return a, b, c


def _of_structure(answered: Answered, target: str) -> Question:
    value, mask, words = target_of(answered, target)
    plan = answered.plan
    windows = tuple(windows_of(answered, mask))
    return Question(
        value=value,
        words=words,
        image=answered.image,
        grid=answered.grid,
        size=plan.padded(mask.shape),
        place=place_of(added_before(answered, mask), mask.shape),
        windows=windows,
        whole=plan.count(mask.shape),
        module=answered.module,
        device=answered.device,
        across=answered.across,
        run=lambda given: scores_in(answered, given),
        places=windows[0].shares.numel(),
        score=lambda given, window: score(answered, value, given, window.shares),
        certainty=lambda image: certainty(answered, value, mask, image),
        mask=mask,
        grain=grain_of(plan.roi),
    )
