"""The layer of a network that a class activation map is taken from: by one rule, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

RULE = "the last layer that sees the window more coarsely than it is, else the last but the output"


class Unexplained(Exception):
    """A map that was asked for cannot be made; the text says why, for people. The run itself goes on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A module of a network by its ``name``, and the shape of what it gives."""

    name: str
    module: Any
    shape: tuple[int, ...]

    @property
    def in_words(self) -> str:
        """For the record of a map: name, kind, size, and why this one."""
        size = "x".join(map(str, self.shape[2:]))
        return f"{self.name} ({type(self.module).__name__}, {self.shape[1]} channels of {size}; {RULE})"


def is_script(network: Any) -> bool:
    """True for what has no layers that could be watched: TorchScript, and plain functions."""
    return isinstance(network, torch.jit.ScriptModule) or not isinstance(network, torch.nn.Module)


def choose_layer(network: Any, run: Callable[[], torch.Tensor], *, voxels: int) -> Layer:
    """The layer that :data:`RULE` names, found by ``run``, which calls the network on one window of ``voxels`` voxels.

    All that the network has found out passes through it but what goes around it at full resolution. A layer that is
    called several times, or gives one voxel, has no place of its own and is passed over.

    Raises
    ------
    Unexplained
        There is none.
    """
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
    once = [layer for layer in seen if names.count(layer.name) == 1]
    coarse = [layer for layer in once if torch.Size(layer.shape[2:]).numel() < voxels]
    outputs = once[-1].shape[1] if once else 0
    fine = [layer for layer in once if layer.shape[1] != outputs]
    if not coarse and not fine:
        raise Unexplained("the network has no layer before its output: ask for gradient or occlusion")
    return coarse[-1] if coarse else fine[-1]


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
