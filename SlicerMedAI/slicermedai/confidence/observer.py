"""The trust layer's look into an inference sweep: margins of chosen labels on the network's grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.confidence.margins import margins_of_logits, margins_of_probabilities, region_around
from slicermedai.confidence.sketch import LIMIT, MarginSketch
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import InputError, TrustError


class MarginObserver:
    """A :class:`~slicermedai.domain.observer.SweepObserver` that keeps one float32 volume of margins per label.

    Parameters
    ----------
    values:
        Labels of interest; each costs four bytes a voxel of the network's grid until the observer is thrown away.
    outputs:
        What the network gives: "logits" or "probabilities".
    """

    def __init__(self, values: Iterable[int], *, outputs: str = "logits") -> None:
        if outputs not in ("logits", "probabilities"):
            raise InputError("must be logits or probabilities", attribute="outputs")
        self._wanted, self._outputs = tuple(values), outputs
        self._labels: tuple[int, ...] = ()
        self._margins: dict[int, NDArray[np.float32]] = {}
        self._geometry: Geometry | None = None

    def begin(self, geometry: Geometry, labels: Sequence[int]) -> None:
        """Make room; what an earlier sweep left is forgotten."""
        self._geometry, self._labels = geometry, tuple(labels)
        known = [value for value in self._wanted if value in self._labels]
        self._margins = {value: np.full(geometry.shape, -LIMIT, dtype=np.float32) for value in known}

    def window(self, scores: Any, start: tuple[int, int, int]) -> None:
        """Keep the margins of a finished box."""
        array = np.asarray(scores)
        box = tuple(slice(a, a + n) for a, n in zip(start, array.shape[1:], strict=True))
        overlapping = len(array) == len(self._labels)
        for value, margins in self._margins.items():
            channel = self._labels.index(value) + (0 if overlapping else 1)
            margins[box] = self._of(array, channel, alone=overlapping)

    def end(self) -> None:
        """Nothing is left to do."""

    @property
    def has_run(self) -> bool:
        """False where the model ended before its network saw anything."""
        return self._geometry is not None

    @property
    def geometry(self) -> Geometry:
        """The network's grid; raises :class:`TrustError` where no sweep was seen."""
        if self._geometry is None:
            raise TrustError("the network was never run: there are no margins", attribute="scores")
        return self._geometry

    def sketch(self, value: int, reference: NDArray[np.bool_] | None = None) -> MarginSketch | None:
        """The sketch of a label around its prediction; None where nothing was predicted or the label is not kept.

        ``reference`` is bool on :attr:`geometry`; without it all voxels count as outside.
        """
        margins = self._margins.get(value)
        if margins is None or not (margins > 0).any():
            return None
        region = region_around(margins > 0, self.geometry.spacing)
        truth = np.zeros(int(region.sum()), dtype=bool) if reference is None else reference[region]
        return MarginSketch().add(margins[region], truth)

    def sketches(self, references: Mapping[int, NDArray[np.bool_]]) -> dict[int, MarginSketch]:
        """The sketches of all labels that have a reference and were predicted."""
        found = {value: self.sketch(value, truth) for value, truth in references.items()}
        return {value: sketch for value, sketch in found.items() if sketch is not None}

    def _of(self, scores: NDArray[Any], channel: int, *, alone: bool) -> NDArray[Any]:
        if self._outputs == "probabilities":
            return margins_of_probabilities(scores[channel])
        return np.asarray(scores[channel]) if alone else margins_of_logits(scores, channel)
