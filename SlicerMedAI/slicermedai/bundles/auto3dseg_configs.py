"""Members of Auto3DSeg whose training stands in configurations beside their weights, not in these.

``configs/hyper_parameters.yaml``, ``network.yaml`` and ``transforms_infer.yaml`` are one configuration of MONAI's. It
is read as plain values: references are followed, and nothing is run. What an expression makes is refused by name.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from slicermedai.bundles.manifest import read_yaml
from slicermedai.errors import BundleError

_FILES = ("network.yaml", "transforms_infer.yaml", "hyper_parameters.yaml")
_REFERENCE = re.compile(r"\$?\s*@(?P<path>[\w#:]+)\s*")
_GROUPS = ("", "training#")
"""Where hyper-parameters stand: at the top, or in a group of their own."""
_LEFT_OUT = ("CastToType", "EnsureType", "ToTensor", "ToDevice")
"""Steps that say of which type numbers are, or where they are kept: both are the engine's own."""


def has_configs(member: Path) -> bool:
    """True for a member whose network and images are described beside its weights."""
    return all((member / "configs" / name).is_file() for name in _FILES)


def read_configs(member: Path) -> dict[str, Any]:
    """How it was trained, by the keys of those whose weights hold it; ``transforms`` are its steps on images.

    Raises
    ------
    BundleError
        Something is missing, or made by an expression: it is named.
    """
    parts = [read_yaml(member / "configs" / name) for name in _FILES]
    reading = _Reading({key: value for part in parts for key, value in part.items()}, member)
    network = reading.first("training_network#network", "network")
    softmax = reading.hyper("softmax")
    if not isinstance(network, dict) or not isinstance(softmax, bool):
        raise BundleError("says nothing of its network or its outputs", file=member, attribute="configs")
    return {
        "network": _network(network),
        "transforms": _flat(reading.first("transforms_infer#transforms"), member),
        "roi_size": reading.hyper("roi_size_valid"),
        "overlap": reading.hyper("overlap_ratio_final", "overlap_ratio"),
        "sigmoid": not softmax,
        "class_names": reading.first("class_names"),
        "output_classes": reading.hyper("output_classes"),
    }


def _network(stated: dict[str, Any]) -> dict[str, Any]:
    """Without the size of the image where MONAI's network no longer takes it: its weights do not depend on it."""
    from monai.networks import nets

    made = getattr(nets, str(stated.get("_target_")).rpartition(".")[2], None)
    taken = made is None or "img_size" in inspect.signature(made).parameters
    return {key: value for key, value in stated.items() if key != "img_size" or taken}


def _flat(steps: Any, member: Path) -> list[dict[str, Any]]:
    """The steps on the image in one list, where some of them are put together; raises :class:`BundleError`."""
    made: list[dict[str, Any]] = []
    for step in steps if isinstance(steps, list) else [None]:
        if not isinstance(step, dict):
            raise BundleError("is no list of steps: was it trained?", file=member, attribute="transforms_infer")
        target = str(step.get("_target_", "")).rpartition(".")[2]
        if target == "Compose":
            made += _flat(step.get("transforms"), member)
        elif re.sub(r"(d|D|Dict)$", "", target) not in _LEFT_OUT:
            made.append({**step, "keys": "@image_key"})
    return made


class _Reading:
    """Values of a configuration, with what they refer to in their place."""

    def __init__(self, config: dict[str, Any], member: Path) -> None:
        self.config, self.member = config, member

    def hyper(self, *names: str) -> Any:
        """The first of these hyper-parameters that there is; None without any."""
        return self.first(*(f"{group}{name}" for name in names for group in _GROUPS))

    def first(self, *paths: str) -> Any:
        """What stands at the first of these places where anything does; None without any."""
        found = (self._at(path) for path in paths)
        return next(
            (self._plain(value, path) for path, value in zip(paths, found, strict=True) if value is not None), None
        )

    def _at(self, path: str) -> Any:
        value: Any = self.config
        for key in re.split(r"#|::", path):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _plain(self, value: Any, where: str, depth: int = 0) -> Any:
        if depth > 20:
            raise BundleError("refers to itself", file=self.member, attribute=where)
        if isinstance(value, dict):
            return {key: self._plain(item, f"{where}#{key}", depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item, f"{where}#{number}", depth + 1) for number, item in enumerate(value)]
        return self._followed(value, where, depth) if isinstance(value, str) else value

    def _followed(self, text: str, where: str, depth: int) -> Any:
        found = _REFERENCE.fullmatch(text)
        if found:
            return self._plain(self._at(found["path"]), where, depth + 1)
        if text.startswith(("$", "%")) and not where.endswith("#dtype"):
            raise BundleError(
                f"is made by an expression of its own ({text[:60]}), which is code",
                file=self.member,
                attribute=where,
                advice="Members whose configuration is plain values can be taken, or whose weights hold it.",
            )
        return text
