"""What a network itself makes of an image, in a few numbers: the mean of its deepest feature map over all windows.

They are taken from the sweep that is run anyway, from the layer that is the deepest in the bundle's own window: small
images have smaller windows, in which it may be another one, and numbers of several layers cannot be compared. A map of
many channels is told by its projections on fixed directions of random signs (Achlioptas, Journal of Computer and System
Sciences 2003), the same for all images and machines, so that a record of some twenty patients can say what they look
like.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.inference.shadow import FAILURES, Shadow
from slicermedai.inference.windows import Triple

NUMBERS = 16
"""At most so many numbers are left of a feature map."""
REFUSED = "Features of the network: not taken, since {why}."
_SCRIPT = "TorchScript has no layers that could be watched"
_NONE = "it has no layer that is coarser than its window"
_UNASKED = "its layers cannot be told without running it"


@dataclass(slots=True, eq=False)
class Features:
    """What was seen of one layer during a sweep; without a layer ``why_not`` says why."""

    layer: str = ""
    why_not: str = ""
    windows: int = 0
    total: torch.Tensor | None = field(default=None, repr=False)

    @property
    def values(self) -> tuple[float, ...]:
        """At most :data:`NUMBERS` numbers; () where nothing was seen."""
        if self.total is None:
            return ()
        return tuple(float(value) for value in projected(self.total.cpu().numpy() / self.windows))

    @property
    def source(self) -> str:
        """What the numbers are of, layer and channels: others are not to be compared; "" where there are none."""
        return f"{self.layer}, {self.total.numel()} channels" if self.total is not None else ""

    @property
    def refusals(self) -> list[str]:
        """Why there are none, as a sentence; nothing where there are, or where none were wanted."""
        return [REFUSED.format(why=self.why_not)] if self.why_not else []

    @contextmanager
    def watching(self, network: Any) -> Iterator[None]:
        """Look at each window that ``network`` is asked about."""
        if not self.layer:
            yield
            return
        handle = network.get_submodule(self.layer).register_forward_hook(self._see)
        try:
            yield
        finally:
            handle.remove()

    def _see(self, module: Any, given: Any, made: torch.Tensor) -> None:
        pooled = made.detach().float().flatten(2).mean(dim=2).sum(dim=0, dtype=torch.float64)
        self.total = pooled if self.total is None else self.total + pooled.to(self.total.device)
        self.windows += len(made)


def features_of(shadow: Shadow, roi: Triple) -> Features:
    """Which layer of a network to look at, found on its ``shadow`` with a window of ``roi``: nothing is computed.

    It is the last of those with the fewest voxels, two at least, of all that answer once.
    """
    if not shadow.knows:
        return Features(why_not=_SCRIPT)
    seen: list[tuple[str, int]] = []
    with ExitStack() as stack:
        for name, module in shadow.network.named_modules():
            if name:
                stack.callback(module.register_forward_hook(_noted(name, seen)).remove)
        try:
            shadow.ask(roi)
        except FAILURES:
            return Features(why_not=_UNASKED)
    names = [name for name, _ in seen]
    once = [(name, voxels) for name, voxels in seen if names.count(name) == 1 and 1 < voxels < math.prod(roi)]
    if not once:
        return Features(why_not=_NONE)
    fewest = min(voxels for _, voxels in once)
    return Features(layer=[name for name, voxels in once if voxels == fewest][-1])


def projected(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(channels,) on at most :data:`NUMBERS` fixed directions; few channels stay as they are."""
    if values.size <= NUMBERS:
        return values
    bits = hashlib.shake_128(f"{values.size} channels".encode()).digest(math.ceil(NUMBERS * values.size / 8))
    signs = np.unpackbits(np.frombuffer(bits, dtype=np.uint8))[: NUMBERS * values.size].reshape(NUMBERS, -1)
    return np.asarray((2.0 * signs - 1.0) @ values / math.sqrt(values.size))


def _noted(name: str, seen: list[tuple[str, int]]) -> Callable[[Any, Any, Any], None]:
    def hook(module: Any, given: Any, made: Any) -> None:
        if isinstance(made, torch.Tensor) and made.dim() > 3:
            seen.append((name, made.shape[2:].numel()))

    return hook
