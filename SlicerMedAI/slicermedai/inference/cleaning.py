"""Clean-up of labels at network resolution, as the bundle's postprocessing asks for it and MONAI does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.errors import BundleError
from slicermedai.inference.regions import BoolArray, holes_filled, largest_component

LARGEST, HOLES = "largest", "holes"
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """One step: ``kind`` is :data:`LARGEST` (keep the largest components) or :data:`HOLES` (fill them).

    Parameters
    ----------
    labels:
        What it applies to; None for all. Values of labels, or, where there is one channel for each label, channels
        from 0: MONAI then takes channel 0 for the background, and leaves it alone unless it is named.
    by_channel:
        Whether ``labels`` count channels; None where several channels decide that (MONAI's ``is_onehot``).
    together:
        The components of all labels' union count, and not those of each label by itself.
    count:
        How many components stay.
    connectivity:
        Voxels are neighbours that differ in at most so many of their three indices: 1 (faces) to 3 (corners).
    """

    kind: str
    labels: tuple[int, ...] | None = None
    by_channel: bool | None = None
    together: bool = False
    count: int = 1
    connectivity: int = 3

    @property
    def in_words(self) -> str:
        """For the record of a run."""
        whose = "all labels" if self.labels is None else f"labels {', '.join(map(str, self.labels))}"
        number = f" {self.count}" if self.count > 1 else ""
        return f"{self.kind}{number} of {whose}{' together' if self.together else ''}"

    def of(self, mask: BoolArray) -> BoolArray:
        """The (slices, rows, columns) mask after this step."""
        if self.kind == HOLES:
            return holes_filled(mask, connectivity=self.connectivity)
        return largest_component(mask, count=self.count, connectivity=self.connectivity)


def cleaned(raw: Array, clean: Sequence[Cleaning], values: Sequence[int]) -> Array:
    """Exclusive labels ``raw`` after the steps; ``values`` are all labels, without the background."""
    labels = raw.copy() if clean else raw
    for step in clean:
        chosen = [value for value in (values if step.labels is None else step.labels) if value > 0]
        for together in [chosen] if step.together else [[value] for value in chosen]:
            before = np.isin(labels, together)
            after = step.of(before)
            labels[before & ~after] = 0
            if step.kind == HOLES:
                labels[after & (labels == 0)] = together[0]
    return labels


def channels_cleaned(channels: Array, threshold: float, clean: Sequence[Cleaning]) -> None:
    """Clean, in place, labels that may overlap: ``channels`` is (labels, ...), and a label is where it is above
    ``threshold``. What a step takes away becomes 0, what it adds becomes 1.

    Raises
    ------
    BundleError
        A step names a channel that there is not, or takes several channels for one map of labels.
    """
    for step in clean:
        chosen = _chosen(step, len(channels))
        before = {n: np.asarray(channels[n] > threshold) for n in chosen}
        union = step.of(np.logical_or.reduce(list(before.values()))) if step.together and chosen else None
        for n, mask in before.items():
            after = step.of(mask) if union is None else mask & union
            channels[n][mask & ~after] = 0
            channels[n][after & ~mask] = 1


def _chosen(step: Cleaning, count: int) -> list[int]:
    """The channels that a step applies to."""
    by_channel = count > 1 if step.by_channel is None else step.by_channel
    if not by_channel and count > 1:
        raise _refused(f"{step.kind} takes {count} channels for one map of labels", "is_onehot")
    first = 0 if by_channel else 1
    if step.labels is None:
        return list(range(1, count)) if by_channel else [0]
    chosen = [label - first for label in step.labels if label >= first]
    if any(n >= count for n in chosen):
        raise _refused(f"{step.kind} names label {max(step.labels)}, and there are {count} channels", "applied_labels")
    return chosen


def _refused(reason: str, attribute: str) -> BundleError:
    return BundleError(reason, attribute=f"postprocessing.{attribute}", advice="Correct the bundle's postprocessing.")
