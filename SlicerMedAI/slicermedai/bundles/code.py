"""What in a bundle's configuration would run code beyond a known list of MONAI's and torch's own components.

MONAI's parser finds an unqualified ``_target_`` anywhere in MONAI, and there are classes among them that run whatever
they are given (``ConfigWorkflow``, ``Lambdad``, ``TorchVision``). So ``known_components.json`` lists what is known to
be harmless; everything else needs consent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TORCHSCRIPT = "torch.jit.load"
NETWORKS = ("network_def", "locator_def")
"""Keys whose TorchScript file is loaded by this program, from the bytes that were hashed, not by MONAI's parser."""

_COMPONENTS: dict[str, list[str]] = json.loads((Path(__file__).parent / "known_components.json").read_text("utf-8"))
_PACKAGES = ("monai.transforms.", "monai.networks.nets.", "monai.inferers.")


def runs_code(config: Any) -> bool:
    """True where parsing ``config`` would run anything that is not on the list of known components.

    ``$`` expressions, ``%`` includes and ``_mode_`` do too. TorchScript is no code of the configuration at the keys
    :data:`NETWORKS`, where its hash is judged; anywhere else it is.
    """
    return any(_is_code(path, value) for path, value in _strings(config, ()))


def holds_torchscript(config: Any) -> bool:
    """True where a part of ``config`` is TorchScript: loading it runs what is in its file."""
    return any(path[-1:] == ("_target_",) and value == TORCHSCRIPT for path, value in _strings(config, ()))


def _is_code(path: tuple[str, ...], value: str) -> bool:
    if value.startswith(("$", "%")) or path[-1:] == ("_mode_",):
        return True
    if value.startswith("@") and any(name in value for name in NETWORKS):
        return True  # MONAI's parser would then load the network's file itself, unhashed
    if path[-1:] != ("_target_",):
        return False
    if value == TORCHSCRIPT:
        return not (len(path) == 2 and path[0] in NETWORKS)
    return not _is_known(value)


def _is_known(target: str) -> bool:
    if target in _COMPONENTS["own"]:
        return True
    package, _, name = target.rpartition(".")
    if package == "torch.nn":
        return name in _COMPONENTS["layers"]
    if package and not f"{package}.".startswith(_PACKAGES):
        return False
    plain = name.removesuffix("Dict").removesuffix("d").removesuffix("D")
    known = _COMPONENTS["transforms"]
    return name in known or plain in known or name in (*_COMPONENTS["inferers"], *_COMPONENTS["networks"])


def _strings(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, (*path, str(name)))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, path)
