"""What one process keeps of a model and an image, so that a further question about them costs what is new alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from slicermedai.bundles.manifest import Manifest
from slicermedai.inference.network import load_network

_T = TypeVar("_T")
WINDOWS_UP_TO = 1.0e9
"""Bytes of answered windows, and of what encoders made of them, that are kept; the oldest go first."""


@dataclass(slots=True, eq=False)
class Memory:
    """Of one model and one image with their settings: whoever holds it makes another for others.

    An answer is the same with it as without: all that is kept follows from model, image and settings, or, of windows,
    from the points in them too.
    """

    limit: float = WINDOWS_UP_TO
    _kept: dict[str, Any] = field(default_factory=dict)
    _windows: OrderedDict[Any, torch.Tensor] = field(default_factory=OrderedDict)

    def load(self, manifest: Manifest, *, part: str, weights: str, device: str) -> Any:
        """As :func:`~slicermedai.inference.network.load_network`, whose rules (consent, hashes) hold; once."""
        digest = manifest.file(weights).sha256
        network = self.once(
            f"network {manifest.ref.path} {part} {weights} {digest}",
            lambda: load_network(manifest, part=part, weights=weights, device=device),
        )
        return network.to(device)

    def once(self, name: str, make: Callable[[], _T]) -> _T:
        """What ``make`` made the first time; nothing is kept where it raises."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: _T = self._kept[name]
        return kept

    def window(self, key: Any, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The answer of a window, which ``key`` tells from all others."""
        found = self.recalled(key)
        if found is None:
            found = make()
            self.keep(key, found)
        return found

    def recalled(self, key: Any) -> torch.Tensor | None:
        """What was kept under ``key``; None where nothing was, or is any more."""
        if key in self._windows:
            self._windows.move_to_end(key)
        return self._windows.get(key)

    def keep(self, key: Any, made: torch.Tensor) -> None:
        """Keep what is known of a window, as long as there is room."""
        self._windows[key] = made
        while len(self._windows) > 1 and sum(one.nbytes for one in self._windows.values()) > self.limit:
            self._windows.popitem(last=False)


@dataclass(slots=True, eq=False)
class Networks(Memory):
    """Keeps the networks of one model, and nothing of any image: for a run of many images."""

    limit: float = 0.0

    def load(self, manifest: Manifest, *, part: str, weights: str, device: str) -> Any:
        """As :meth:`Memory.load`: once."""
        key = f"network {manifest.ref.path} {part} {weights} {manifest.file(weights).sha256}"
        if key not in self._kept:
            self._kept[key] = load_network(manifest, part=part, weights=weights, device=device)
        return self._kept[key].to(device)

    def once(self, name: str, make: Callable[[], _T]) -> _T:
        """What ``make`` makes now: it is of one image."""
        return make()

    def keep(self, key: Any, made: torch.Tensor) -> None:
        """Nothing of an image is kept."""


@dataclass(slots=True, eq=False)
class Nothing(Memory):
    """Keeps nothing: for a run that is asked once."""

    limit: float = 0.0

    def load(self, manifest: Manifest, *, part: str, weights: str, device: str) -> Any:
        """The network, loaded anew."""
        return load_network(manifest, part=part, weights=weights, device=device)

    def once(self, name: str, make: Callable[[], _T]) -> _T:
        """What ``make`` makes now."""
        return make()

    def keep(self, key: Any, made: torch.Tensor) -> None:
        """Nothing is kept."""
