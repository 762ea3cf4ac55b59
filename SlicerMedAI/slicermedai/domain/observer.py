"""What lower layers call back: progress, cancellation and the trust layer's look into the sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicermedai.domain.geometry import Geometry


class Progress(Protocol):
    """Called often; must be cheap. Raises :class:`~slicermedai.errors.JobCancelled` when a person stopped it."""

    def __call__(self, stage: str, fraction: float) -> None:
        """``stage`` is a word or two for people ("segment"), ``fraction`` 0 to 1 within that stage."""


class SweepObserver(Protocol):
    """What the trust layer implements, to see the scores of every voxel of an inference sweep once."""

    def begin(self, geometry: Geometry, labels: Sequence[int]) -> None:
        """The sweep starts: ``geometry`` is the network's grid, ``labels`` the values that channels 1, 2 ... stand for.

        Where labels overlap there is no background, and the first label is channel 0.
        """

    def window(self, scores: Any, start: tuple[int, int, int]) -> None:
        """A finished box: ``scores`` is (channels, a, b, c) float32 on the network's grid, ``start`` its first voxel.

        Scores are what the network gives (logits, or probabilities where the bundle says so), blended over all windows
        that reach them. The array is used again after the call: what is to be kept must be copied.
        """

    def end(self) -> None:
        """All boxes came; not called where the sweep was stopped or failed."""


Found: TypeAlias = "tuple[int, tuple[slice, slice, slice], NDArray[np.bool_]]"
"""A label value, a box of the network's grid, and the label's voxels in it; outside of the box there are none."""


class SampleObserver(Protocol):
    """Who counts a network's further answers to an image: one at a time, each forgotten at once."""

    def begin(self, geometry: Geometry, labels: Sequence[int], *, exclusive: bool) -> None:
        """Samples follow on the network's grid; ``exclusive`` is False where a voxel may have several labels."""

    def answer(self, found: Iterable[Found]) -> None:
        """The run's own answer, where it is none of the samples; comes before them."""

    def sample(self, found: Iterable[Found]) -> None:
        """One sample, as the image lies; the first is the run's own answer, where that is one of them.

        Labels that are not named were not found.
        """

    def end(self, *, windows: int, whole: int, cost: float, seeds: Sequence[int]) -> None:
        """All samples came: each that was asked for looked at ``windows`` of the ``whole`` windows of a sweep, all of
        them together at the cost of ``cost`` sweeps of the run; ``seeds`` are those of samples that were drawn."""


def silent(stage: str, fraction: float) -> None:
    """A :class:`Progress` that tells nobody."""
