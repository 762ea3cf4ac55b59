"""Networks from verified bytes: nothing is parsed before its hash and, where it is code, before consent."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from slicermedai.bundles.code import TORCHSCRIPT
from slicermedai.bundles.manifest import Manifest
from slicermedai.bundles.verify import require_consent, verified_bytes
from slicermedai.errors import BundleError
from slicermedai.inference.parts import make_part, parser_of

_NESTED = ("state_dict", "model_state_dict", "model", "network", "net", "network_weights", "ema")
_PREFIXES = ("module.", "network.", "model.", "net.", "_orig_mod.")


def load_network(manifest: Manifest, *, part: str, weights: str, device: str) -> Any:
    """The network that the configuration describes under ``part``, with ``weights``, ready to run on ``device``.

    Raises
    ------
    ConsentError
        The bundle runs code and nobody agreed.
    HashMismatchError
        The weights are not the pinned ones; they were not opened.
    BundleError
        The definition or the weights cannot be used.
    """
    require_consent(manifest.ref)
    content = verified_bytes(Path(manifest.ref.path), manifest.file(weights))
    definition = manifest.config.get(part)
    target = definition.get("_target_") if isinstance(definition, dict) else None
    try:
        network = _torchscript(content) if target == TORCHSCRIPT else _from_state(manifest, part, content)
    except (RuntimeError, ValueError, KeyError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise BundleError(
            f"the weights cannot be loaded ({type(error).__name__})", file=manifest.ref.path, attribute=weights
        ) from error
    return network.to(device).eval()


def _torchscript(content: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.load` is (deprecated|not supported)")
        return torch.jit.load(io.BytesIO(content), map_location="cpu")


def _from_state(manifest: Manifest, part: str, content: bytes) -> Any:
    network = make_part(parser_of(manifest), part, file=manifest.ref.path)
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    network.load_state_dict(_plain(state, network))
    return network


def _plain(state: Any, network: Any) -> dict[str, Any]:
    """The network's own tensors in a checkpoint: out of the dict they lie in, without the prefix of a wrapper."""
    wanted = set(network.state_dict())
    for _ in range(2):
        inner = next((state[name] for name in _NESTED if isinstance(state.get(name), dict)), None)
        state = state if inner is None or wanted & set(state) else inner
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state) and not wanted & set(state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)
