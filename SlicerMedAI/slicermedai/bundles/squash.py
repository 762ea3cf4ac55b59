"""Smooth limits for intensities, as Auto3DSeg's networks are trained with them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform

from slicermedai.errors import BundleError


def _sigmoid(values: Any) -> Any:
    return torch.sigmoid(values)


def _tanh3(values: Any) -> Any:
    return 3 * torch.tanh(values / 3)


def _pet(values: Any) -> Any:
    return torch.sigmoid((values - values.min()) / values.std())


KINDS: dict[str, Callable[[Any], Any]] = {"sigmoid": _sigmoid, "tanh3": _tanh3, "pet": _pet}
"""What each does to a tensor of intensities; its place in space stays as it is."""


class Squashd(MapTransform):
    """Apply one of :data:`KINDS` to images in a dictionary; raises :class:`BundleError` for another kind."""

    def __init__(self, keys: Any, kind: str) -> None:
        super().__init__(keys)
        if kind not in KINDS:
            raise BundleError(f"must be one of {', '.join(KINDS)}", attribute="kind")
        self.apply = KINDS[kind]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The same dictionary with its images squashed."""
        return {**data, **{key: self.apply(data[key]) for key in self.key_iterator(data)}}
