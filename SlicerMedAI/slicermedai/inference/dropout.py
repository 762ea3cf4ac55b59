"""Samples by dropout that is left on (Gal and Ghahramani, ICML 2016): what layers a network has, and each one's draws.

Layers of dropout alone are switched on: batch norm and all else stay as they are in a run. Dropout that a network
calls as a function, and paths that are dropped whole, are no layers and stay off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from slicermedai.errors import InputError
from slicermedai.inference.again import Answered, Network, Way

LAYERS = (
    torch.nn.Dropout,
    torch.nn.Dropout1d,
    torch.nn.Dropout2d,
    torch.nn.Dropout3d,
    torch.nn.AlphaDropout,
    torch.nn.FeatureAlphaDropout,
)
SAMPLES = 8


def active_dropout(network: Any) -> dict[str, torch.nn.Module]:
    """Name -> layer of dropout with a probability above 0; {} means that dropout samples are void.

    Most networks have none, and asking them again gives the same answer each time, which looks like certainty.
    """
    layers = network.named_modules() if isinstance(network, torch.nn.Module) else ()
    return {name: layer for name, layer in layers if isinstance(layer, LAYERS) and layer.p > 0}


def dropout_in_use(network: Any, run: Network, window: torch.Tensor, *, title: str) -> tuple[torch.nn.Module, ...]:
    """The layers of dropout that ``network`` calls for ``window`` (1, channels, a, b, c), which ``run`` takes.

    Raises
    ------
    InputError
        The network is TorchScript, has no such layer, calls none, or answers the same with them switched on.
    """
    called, plain = layers_called(network, lambda: run(window), title=title)
    with torch.random.fork_rng(devices=[plain.device] if plain.is_cuda else []), switched_on(called):
        torch.manual_seed(0)
        drawn = run(window)
    if torch.equal(plain, drawn):
        raise _refused(title, "its network answers the same with dropout")
    return tuple(called)


def layers_called(
    network: Any, ask: Callable[[], torch.Tensor], *, title: str
) -> tuple[list[torch.nn.Module], torch.Tensor]:
    """The layers of dropout that ``network`` calls where ``ask`` asks it, and the answer; values are not looked at.

    Raises
    ------
    InputError
        The network is TorchScript (or None: it is not known), has no such layer, or calls none.
    """
    parts = network.modules() if isinstance(network, torch.nn.Module) else ()
    if network is None or any(isinstance(part, torch.jit.ScriptModule) for part in parts):
        raise _refused(title, "its network is TorchScript, whose dropout cannot be switched on")
    layers = active_dropout(network)
    if not layers:
        raise _refused(title, "its network has no dropout layer with a probability above 0")
    with _called(layers.values()) as called:
        answer = ask()
    if not called:
        raise _refused(title, f"none of its network's {len(layers)} dropout layers is in use")
    return called, answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """An :class:`~slicermedai.inference.again.Asking` with ``layers`` switched on in what ``run`` calls.

    Each sample has a seed of its own, from ``seed`` + 1 on.
    """

    run: Network
    layers: tuple[torch.nn.Module, ...]
    seed: int
    what: str = "dropout switched on"
    own: bool = False
    share: float = 1.0

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the samples, in order."""
        return tuple(range(self.seed + 1, self.seed + 1 + SAMPLES))

    def count(self, answered: Answered) -> int:
        """Always the same."""
        return SAMPLES

    def ways(self, answered: Answered) -> Iterator[Way]:
        """See :class:`~slicermedai.inference.again.Asking`."""
        for seed in self.seeds:
            torch.manual_seed(seed)
            yield Way(network=self._drawn)

    def _drawn(self, windows: torch.Tensor) -> torch.Tensor:
        with switched_on(self.layers):
            return self.run(windows)


@contextlib.contextmanager
def switched_on(layers: Sequence[torch.nn.Module]) -> Iterator[None]:
    """These layers in training mode, and no other; all as it was after it."""
    before = [layer.training for layer in layers]
    try:
        for layer in layers:
            layer.training = True
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer.training = was


@contextlib.contextmanager
def _called(layers: Any) -> Iterator[list[torch.nn.Module]]:
    """Those of ``layers`` that are called within the block, each once."""
    found: list[torch.nn.Module] = []

    def note(layer: torch.nn.Module, *_: Any) -> None:
        if not any(one is layer for one in found):
            found.append(layer)

    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _refused(title: str, why: str) -> InputError:
    return InputError(
        f"{title} gives no samples by dropout: {why}", attribute="uncertainty", advice="Ask for flips instead."
    )
