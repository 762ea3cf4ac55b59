"""A network without values: what size it answers, and what memory and arithmetic a window will take.

A copy of the network is run on torch's device "meta", which knows shapes alone: nothing is computed, whatever the
size. TorchScript has no such copy; then nothing is known beforehand.
"""

from __future__ import annotations

import copy
import math
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from slicermedai.inference.uncompiled import PlainMode, as_on_cpu, uncompiled
from slicermedai.inference.windows import Triple

FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError, AssertionError)
"""What a network may raise that is asked about a window that it was not made for, or without values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one window: ``values`` that live at once at most, in- and outputs included, and floating ``operations``."""

    values: int
    operations: int


@dataclass(slots=True)
class Shadow:
    """Asks a network's shapes; ``across`` is the axis that a network of two dimensions does not have."""

    network: Any
    channels: int
    across: int | None = None
    _known: dict[Triple, tuple[int, ...] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Any, *, channels: int, across: int | None = None) -> Shadow:
        """The shadow of ``network``; one that knows nothing where there is none (TorchScript, a plain function)."""
        parts = list(network.modules()) if isinstance(network, torch.nn.Module) else []
        plain = bool(parts) and not any(isinstance(part, torch.jit.ScriptModule) for part in parts)
        made = copy.deepcopy(network).to("meta") if plain else None
        return cls(network=made, channels=channels, across=across)

    @property
    def knows(self) -> bool:
        """False for a network that cannot be asked (TorchScript)."""
        return self.network is not None

    def fits(self, roi: Triple) -> bool:
        """True where the network answers a window of that size in full, or where that is not known beforehand."""
        if self.network is None:
            return True
        if roi not in self._known:
            self._known[roi] = self._answer(roi)
        found = self._known[roi]
        return found is not None and found[2:] == tuple(self._window(roi).shape[2:])

    def classes(self, roi: Triple) -> int | None:
        """How many classes the network has; None where that is not known beforehand."""
        if self.network is None or not self.fits(roi):
            return None
        found = self._known[roi]
        return found[1] if found else None

    def cost(self, roi: Triple) -> Cost | None:
        """Of one window of that size; None where that is not known beforehand."""
        if self.network is None:
            return None
        try:
            meter = _Meter()
            with _asking(), meter:
                output = self.network(self._window(roi))
            del output
        except FAILURES:
            return None
        return Cost(values=meter.peak, operations=meter.operations)

    def ask(self, roi: Triple) -> tuple[int, ...]:
        """The shape of the scores of one window; raises whatever the network raises."""
        return tuple(self.answer(roi).shape)

    def answer(self, roi: Triple) -> torch.Tensor:
        """The scores of one window, which have a shape alone; raises whatever the network raises."""
        with _asking():
            return scores_of(self.network(self._window(roi)))

    def _answer(self, roi: Triple) -> tuple[int, ...] | None:
        try:
            return self.ask(roi)
        except FAILURES:
            return None

    def _window(self, roi: Triple) -> torch.Tensor:
        size = [n for axis, n in enumerate(roi) if axis != self.across]
        return torch.empty((1, self.channels, *size), device="meta")


@contextmanager
def _asking() -> Iterator[None]:
    with warnings.catch_warnings(), torch.no_grad(), as_on_cpu(), uncompiled():
        warnings.simplefilter("ignore")
        yield


def scores_of(output: Any) -> torch.Tensor:
    """The scores in what a network answers: the tensor itself, the first of several, or the one called "pred"."""
    if isinstance(output, dict):
        output = output.get("pred", next(iter(output.values())))
    if isinstance(output, (list, tuple)):
        return scores_of(output[0])
    if not isinstance(output, torch.Tensor):
        raise TypeError(f"a network that answers {type(output).__name__}")
    return output


class _Meter(PlainMode):
    """Counts the values of all tensors that live at once, and floating operations as torch's own counter does."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = self.operations = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        made = func(*args, **given)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.operations += int(count(*args, **given, out_val=made))
        for tensor in made if isinstance(made, (list, tuple)) else (made,):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor)
        return made

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._seen:
            return
        size = math.ceil(storage.nbytes() / tensor.element_size())
        self._seen.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size
