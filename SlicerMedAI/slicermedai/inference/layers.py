"""The layer of a network that a class activation map is taken from: by one rule, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

RULE = "the last layer that sees the window more coarsely than it is, else the last but the output"
REACHED = (
    "the last layer that the score depends on and that sees the window more coarsely than its answer does, else the "
    "last that it depends on"
)


class Unexplained(Exception):
    """A map that was asked for cannot be made; the text says why, for people. The run itself goes on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A module of a network by its ``name``, and the shape of what it gives."""

    name: str
    module: Any
    shape: tuple[int, ...]
    rule: str = RULE

    @property
    def in_words(self) -> str:
        """For the record of a map: name, kind, size, and why this one."""
        size = "x".join(map(str, self.shape[2:]))
        return f"{self.name} ({type(self.module).__name__}, {self.shape[1]} channels of {size}; {self.rule})"


def is_script(network: Any) -> bool:
    """True for what has no layers that could be watched: TorchScript, and plain functions."""
    return isinstance(network, torch.jit.ScriptModule) or not isinstance(network, torch.nn.Module)


def choose_layer(network: Any, run: Callable[[], Any], *, voxels: int) -> Layer:
    """The layer that :data:`RULE` names, found by ``run``, which calls the network on one window of ``voxels`` voxels.

    All that the network has found out passes through it but what goes around it at full resolution. A layer that is
    called several times, or gives one voxel, has no place of its own and is passed over.

    Raises
    ------
    Unexplained
        There is none.
    """
    once = _seen_once(network, run)
    coarse = [layer for layer in once if torch.Size(layer.shape[2:]).numel() < voxels]
    outputs = once[-1].shape[1] if once else 0
    fine = [layer for layer in once if layer.shape[1] != outputs]
    if not coarse and not fine:
        raise Unexplained("the network has no layer before its output: ask for gradient or occlusion")
    return coarse[-1] if coarse else fine[-1]


def layers_of(network: Any, run: Callable[[], Any], *, voxels: int) -> list[Layer]:
    """All layers that :data:`RULE` may name, the one that it prefers first: for scores that not all of them lead to.

    ``voxels`` is how many the answer has that the score is of. Raises as :func:`choose_layer`.
    """
    once = _seen_once(network, run)
    coarse = [layer for layer in once if torch.Size(layer.shape[2:]).numel() < voxels]
    fine = [layer for layer in once if torch.Size(layer.shape[2:]).numel() >= voxels]
    if not once:
        raise Unexplained("the network has no layer that sees places: ask for gradient or occlusion")
    return [replace(layer, rule=REACHED) for layer in (*coarse[::-1], *fine[::-1])]


def _seen_once(network: Any, run: Callable[[], Any]) -> list[Layer]:
    """The layers that are called once, in their order."""
    seen: list[Layer] = []

    def note(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, given: Any, made: Any) -> None:
            if isinstance(made, torch.Tensor) and made.dim() > 3 and made.shape[2:].numel() > 1:
                seen.append(Layer(name=name, module=module, shape=tuple(made.shape)))

        return hook

    with ExitStack() as stack, torch.no_grad():
        for name, module in network.named_modules():
            if name:
                stack.callback(module.register_forward_hook(note(name)).remove)
        run()
    names = [layer.name for layer in seen]
    return [layer for layer in seen if names.count(layer.name) == 1]


@contextmanager
def kept_at(layer: Layer) -> Iterator[list[torch.Tensor]]:
    """What the layer gives, as the start of a graph: nothing before it is kept, and slopes end there."""
    kept: list[torch.Tensor] = []

    def hook(module: Any, given: Any, made: torch.Tensor) -> torch.Tensor:
        kept[:] = [made.detach().requires_grad_(True)]
        return kept[0].clone()  # what follows may work in place

    handle = layer.module.register_forward_hook(hook)
    try:
        yield kept
    finally:
        handle.remove()
