"""What a sweep runs with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.prompts import Prompt
from slicermedai.inference.memory import Memory, Nothing
from slicermedai.inference.task import Listeners


class NetworkLoader(Protocol):
    """How a network is loaded; see :func:`slicermedai.inference.network.load_network`."""

    def __call__(self, manifest: Manifest, *, part: str, weights: str, device: str) -> Any:
        """A callable network on ``device``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a sweep runs with.

    ``members`` are the folds whose answers are compared, where somebody counts them; ``memory`` keeps what a further
    question about the same image needs.
    """

    manifest: Manifest
    device: str
    listeners: Listeners
    load: NetworkLoader
    precision: str = "float32"
    folds: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    seed: int = 0
    prompts: tuple[Prompt, ...] = ()
    memory: Memory = field(default_factory=Nothing)
