"""Checkpoints of trainers, taken apart: the network's weights alone are kept. Nothing in them is run."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from slicermedai.bundles.code import runs_code
from slicermedai.bundles.weights import SAFETENSORS, STATE, check_weights, read_header
from slicermedai.errors import BundleError

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool", "uint8")),
]
"""Plain numbers that trainers leave in checkpoints; torch knows no other types there than its own."""
_PREFIXES = ("module.", "_orig_mod.")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What is in a checkpoint: tensors and plain values alone, on the CPU.

    Raises
    ------
    BundleError
        It would run code, is damaged, or holds no dictionary.
    """
    if check_weights(path) != STATE:
        raise BundleError("is no checkpoint of weights", file=path, attribute="weights")
    try:
        with torch.serialization.safe_globals(_NUMPY):
            body = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise BundleError(f"cannot be loaded ({type(error).__name__})", file=path, attribute="weights") from error
    if not isinstance(body, dict):
        raise BundleError("holds no dictionary", file=path, attribute="weights")
    return body


def plain_state(state: Any, *, file: Path) -> dict[str, torch.Tensor]:
    """A network's own tensors: without the prefixes of wrappers, and without names that repeat a tensor."""
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BundleError("holds no weights of a network", file=file, attribute="weights")
    plain = {_without_prefix(str(name)): value for name, value in state.items()}
    return {
        name: value
        for name, value in plain.items()
        if ".all_modules." not in name and not name.startswith("decoder.encoder.")
    }


def write_state(state: dict[str, torch.Tensor], definition: dict[str, Any], path: Path) -> None:
    """Write ``state`` as PyTorch weights, after seeing that it fits the network of ``definition`` by name and shape.

    Raises
    ------
    BundleError
        It does not.
    """
    check_fit({name: tuple(value.shape) for name, value in state.items()}, definition, file=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.contiguous().clone() for name, value in state.items()}, path)


def check_fit(shapes: dict[str, tuple[int, ...]], definition: dict[str, Any], *, file: Path) -> None:
    """Raise :class:`BundleError` where weights are not those of the network that ``definition`` describes.

    ``definition`` is an entry ``network_def``; one that would run anything but known networks is refused unmade. The
    network is made without memory for its weights, where it can be: one that reads numbers while it is made cannot.
    """
    if runs_code({"network_def": definition}):
        raise BundleError(
            "names something beyond the networks that are known here", file=file, attribute="network._target_"
        )
    try:
        network = _made(definition)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise BundleError(f"cannot be made ({type(error).__name__})", file=file, attribute="network") from error
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    differing = sorted(name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name))
    if differing:
        name = differing[0]
        raise BundleError(
            f"the weights are not those of the network: {name} has shape {shapes.get(name, 'nothing')}, and "
            f"{expected.get(name, 'nothing')} is expected; {len(differing)} of {len(expected)} differ",
            file=file,
            attribute="network",
        )


def _made(definition: dict[str, Any]) -> torch.nn.Module:
    parser = ConfigParser({"network_def": definition})
    try:
        with torch.device("meta"):
            made: torch.nn.Module = parser.get_parsed_content("network_def")
    except RuntimeError:
        parser.parse(reset=True)
        made = parser.get_parsed_content("network_def")
    return made


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Tensor name -> shape of safetensors or PyTorch weights."""
    if check_weights(path) == SAFETENSORS:
        return {name: tuple(tensor["shape"]) for name, tensor in read_header(path).items()}
    return {name: tuple(value.shape) for name, value in plain_state(read_checkpoint(path), file=path).items()}


def load_safetensors(content: bytes | bytearray) -> dict[str, torch.Tensor]:
    """Tensor name -> tensor of the content of a safetensors file whose header was checked before."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    return {name: _tensor(entry, memoryview(content)[8 + length :]) for name, entry in header.items()}


def _tensor(entry: dict[str, Any], data: memoryview) -> torch.Tensor:
    first, last = entry["data_offsets"]
    if first == last:
        return torch.empty(entry["shape"], dtype=_DTYPES[entry["dtype"]])
    part = torch.frombuffer(bytearray(data[first:last]), dtype=_DTYPES[entry["dtype"]])
    return part.reshape(entry["shape"])


def _without_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
