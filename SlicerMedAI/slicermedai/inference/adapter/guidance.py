"""Models that take clicks as further channels of their image: one a label, drawn where somebody clicked.

The step of the bundle that draws them (a Gaussian at each click) is its own; where the clicks lie is worked out here,
on the grid that the image has at that step. What bundles bring for that, which scales indices by shapes, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import BundleError, InputError
from slicermedai.inference.marks import Mark, voxels_on
from slicermedai.inference.metatensor import geometry_of, metatensor_on

_BY_LABEL = re.compile(r"DeepEdit|Label")
BACKGROUND = 0
Labels = tuple[tuple[int, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """The step that draws clicks.

    Parameters
    ----------
    at:
        Its number among the steps that are done.
    key:
        Where it looks for the clicks.
    channels:
        Name and label value of each channel that it adds, 0 for places outside of what is wanted.
    listed:
        True where it takes two lists, of places inside and outside, and no names.
    """

    at: int
    key: str = "guidance"
    channels: tuple[tuple[str, int], ...] = ()
    listed: bool = False

    def drawn(self, step: Callable[[Any], Any], data: dict[str, Any], image: str, marks: Sequence[Mark]) -> Any:
        """``data`` with the channels behind those of its ``image``; raises as :func:`~.marks.on_grid`, and
        :class:`InputError` for a click that no channel takes."""
        grid = geometry_of(data[image])
        given = {**data, image: data[image].as_tensor().clone(), self.key: self._clicks(marks, grid)}
        values = torch.as_tensor(np.asarray(step(given)[image])).float()
        return {**data, image: metatensor_on(values, grid)}

    def _clicks(self, marks: Sequence[Mark], grid: Geometry) -> Any:
        values = [value for _, value in self.channels]
        found: dict[int, list[list[int]]] = {value: [] for value in values}
        for mark in marks:
            for value, places in ((mark.value, mark.inside), (BACKGROUND, mark.outside)):
                if len(places):
                    self._check(value, mark)
                    found[self._channel(value)] += voxels_on(places, grid, mark.label.name).tolist()
        return list(found.values()) if self.listed else {name: found[value] for name, value in self.channels}

    def _channel(self, value: int) -> int:
        """Two lists know one structure, whatever its number."""
        return value if not self.listed or value == BACKGROUND else self.channels[0][1]

    def _check(self, value: int, mark: Mark) -> None:
        if self._channel(value) in [known for _, known in self.channels]:
            return
        what = f"no places outside of {mark.label.name}" if value == BACKGROUND else f"no places for {mark.label.name}"
        known = ", ".join(name for name, _ in self.channels)
        raise InputError(f"the model takes {what}", attribute="prompts", advice=f"It takes places for: {known}.")


def answers_without_clicks(target: str) -> bool:
    """True for networks with a channel for each label, which were trained without any click too."""
    return _BY_LABEL.search(target) is not None


def names_by_count(labels: Labels, count: int) -> dict[str, int]:
    """What ``count`` channels are for where nothing names them: the labels, and then the background; {} where neither
    number fits."""
    known = {str(label.name): value for value, label in labels}
    return {len(labels): known, len(labels) + 1: {**known, "background": BACKGROUND}}.get(count, {})


def guidance_of(at: int, step: dict[str, Any], *, names: dict[str, int], labels: Labels, file: str) -> Guidance:
    """From the step's options; ``names`` are those of labels and their values, in the order of channels.

    A step that knows no labels takes what is inside of one structure, and what is outside.

    Raises
    ------
    BundleError
        Nothing says what the channels are for.
    """
    values = [value for value, _ in labels]
    listed = not _BY_LABEL.search(str(step.get("_target_", "")))
    if listed and len(values) == 1:
        names = {"inside": values[0], "outside": BACKGROUND}
    if not names or not set(names.values()) <= {*values, BACKGROUND} or (listed and len(values) != 1):
        raise BundleError(
            "nothing says which label each channel of clicks is for", file=file, attribute="preprocessing.label_names"
        )
    return Guidance(at=at, key=str(step.get("guidance", "guidance")), channels=tuple(names.items()), listed=listed)
