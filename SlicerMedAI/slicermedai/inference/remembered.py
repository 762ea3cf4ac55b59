"""Networks whose encoder looks at the image alone, and not at what is marked: it is asked once about a window."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import torch

from slicermedai.inference.memory import Memory

_BRANCH = "with_point"


class Remembered(torch.nn.Module):
    """An image encoder whose features of one window, which ``key`` tells from all others, are kept in ``memory``."""

    def __init__(self, encoder: Any, memory: Memory, key: Any) -> None:
        super().__init__()
        self.encoder, self.memory, self.key = encoder, memory, key

    def forward(self, image: torch.Tensor, **branches: bool) -> Any:
        """As the encoder: features of the branch for places, and of that for classes, which is not asked for."""
        kept = self.memory.recalled(self.key)
        if kept is not None:
            return kept.to(image.device, copy=True), None
        made = self.encoder(image, **branches)
        if self.memory.limit and isinstance(made, tuple) and isinstance(made[0], torch.Tensor):
            self.memory.keep(self.key, made[0].to("cpu", copy=True))
        return made


@contextlib.contextmanager
def remembering(network: Any, memory: Memory, key: Any) -> Iterator[None]:
    """Within, ``network`` asks its encoder about places only where the answer is not known; others are left alone."""
    encoder = getattr(network, "image_encoder", None)
    if not hasattr(network, "point_head") or not _has_branches(encoder):
        yield
        return
    network.image_encoder = Remembered(encoder, memory, key)
    try:
        yield
    finally:
        network.image_encoder = encoder


def _has_branches(encoder: Any) -> bool:
    try:
        return _BRANCH in inspect.signature(encoder.forward).parameters
    except (AttributeError, TypeError, ValueError):
        return False
