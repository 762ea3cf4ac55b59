"""What lower layers call back: progress, cancellation and the trust layer's look into the sweep."""

from __future__ import annotations

from typing import Any, Protocol


class Progress(Protocol):
    """Called often; must be cheap. Raises :class:`~slicermedai.errors.JobCancelled` when a person stopped it."""

    def __call__(self, stage: str, fraction: float) -> None:
        """``stage`` is a word or two for people ("segment"), ``fraction`` 0 to 1 within that stage."""


class SweepObserver(Protocol):
    """What the trust layer implements, to see each window of an inference sweep once."""

    def window(self, logits: Any, start: tuple[int, int, int]) -> None:
        """``logits`` is (classes, slices, rows, columns) at network resolution, ``start`` its first voxel."""


def silent(stage: str, fraction: float) -> None:
    """A :class:`Progress` that tells nobody."""
