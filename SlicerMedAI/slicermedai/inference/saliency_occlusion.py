"""Occlusion: cubes of the image are covered one by one, and what is told is how far the score falls.

A cube is covered in all windows that see it, so that the falls of windows add up to that of the image. All cubes of
the windows that touch the target are tried, wherever they lie: a network sees nothing outside its window.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from slicermedai.inference.saliency_question import Question
from slicermedai.inference.saliency_score import TargetWindow
from slicermedai.inference.windows import Triple

MOST = 4096
"""Times that the network is asked for one map, at most: where it would be more, the cubes are larger."""
_LEAST_EDGE = 4
Told = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patches:
    """Cubes of ``edge`` voxels on a grid over the whole filled-up image; ``cover`` is what stands in each channel."""

    question: Question
    edge: Triple
    cover: torch.Tensor

    @classmethod
    def of(cls, question: Question) -> Patches:
        """As fine as the question wants them, and larger, up to half of a window, where the network would be asked more
        than :data:`MOST` times."""
        windows, roi = question.windows, question.windows[0].size
        a, b, c = (min(n, max(_LEAST_EDGE, wanted)) for n, wanted in zip(roi, question.grain, strict=True))
        while _count(windows, (a, b, c)) > MOST and any(2 * e < n for e, n in zip((a, b, c), roi, strict=True)):
            a, b, c = (max(e, min(2 * e, -(-n // 2))) for e, n in zip((a, b, c), roi, strict=True))
        cover = question.image.flatten(1).median(dim=1).values.to(question.device)
        return cls(question=question, edge=(a, b, c), cover=cover)

    def falls(self, windows: Sequence[TargetWindow], told: Told) -> torch.Tensor:
        """By how much the score of the whole image falls, for each voxel's cube: (1, *filled-up image).

        ``told`` gets the share that is done before each cube of each window, and may raise to stop.
        """
        size = self.question.size
        falls = torch.zeros([-(-n // edge) for n, edge in zip(size, self.edge, strict=True)])
        with torch.no_grad():
            for number, window in enumerate(windows):
                self._add(falls, window, _part_of(told, number, len(windows)))
        for axis, edge in enumerate(self.edge):
            falls = falls.repeat_interleave(edge, dim=axis)
        return falls[: size[0], : size[1], : size[2]][None]

    @property
    def in_words(self) -> str:
        """What was tried, in mm."""
        steps = zip(self.edge, self.question.grid.spacing, strict=True)
        return f"{' x '.join(f'{edge * step:.3g}' for edge, step in steps)} mm, all in {self.question.looked_at}"

    def _add(self, falls: torch.Tensor, window: TargetWindow, told: Told) -> None:
        whole = self._score(window, window.given)
        cells = list(itertools.product(*_cells(window, self.edge)))
        for number, cell in enumerate(cells):
            told(number / len(cells))
            covered = window.given.clone()
            covered[(0, slice(None), *self._inside(cell, window))] = self.cover[:, None, None, None]
            falls[cell] += whole - self._score(window, covered)

    def _score(self, window: TargetWindow, given: torch.Tensor) -> float:
        return float(self.question.score(given, window))

    def _inside(self, cell: tuple[int, ...], window: TargetWindow) -> tuple[slice, ...]:
        """The part of a cube that lies in the window."""
        firsts = [at * edge - start for at, edge, start in zip(cell, self.edge, window.start, strict=True)]
        return tuple(slice(max(first, 0), first + edge) for first, edge in zip(firsts, self.edge, strict=True))


def _part_of(told: Told, number: int, count: int) -> Told:
    return lambda share: told((number + share) / count)


def _cells(window: TargetWindow, edge: Triple) -> list[range]:
    """The cubes along each axis that reach into the window."""
    return [
        range(start // step, -(-(start + n) // step))
        for start, n, step in zip(window.start, window.size, edge, strict=True)
    ]


def _count(windows: Sequence[TargetWindow], edge: Triple) -> int:
    return sum(int(np.prod([len(along) for along in _cells(window, edge)])) for window in windows)
