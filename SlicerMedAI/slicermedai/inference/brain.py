"""Where the brain is in an image, for steps that must not touch it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicermedai.errors import MedAIError

BrainFinder = Callable[[Any], Any]
"""From a :class:`~slicermedai.domain.volume.Volume` to a mask on its grid, bool [slice, row, column]."""


def brain_finder() -> BrainFinder | None:
    """By the brain model; None where that is not installed."""
    from slicermedai.bundles.registry import resolve

    try:
        bundle = resolve("brain")
    except MedAIError:
        return None

    def find(volume: Any) -> Any:
        from slicermedai.inference.anatomy import ANY
        from slicermedai.inference.task import RunSettings, predict

        settings = RunSettings(body_part=ANY)  # who asks has found a head, whatever the header says
        return predict(bundle, volume, settings=settings).label_map.array > 0

    return find
