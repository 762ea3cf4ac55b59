"""Rules on the configuration as plain values, before anything of it is made; none knows a bundle by its name."""

from __future__ import annotations

import copy
import inspect
import pydoc
import re
from collections.abc import Callable, Iterator
from typing import Any

from monai.bundle.config_item import ConfigComponent

from slicermedai.inference.adapter.report import Ledger

Config = dict[str, Any]
_CUDA = re.compile(r"""(['"])cuda(:\d+)?\1""")
_AVAILABLE = re.compile(r"""'cpu' if torch\.cuda\.is_available\(\) else 'cpu'""")
_LOAD = re.compile(r"torch\.load\((?P<arguments>(?:[^()]|\([^()]*\))*)\)")
_JOINED = re.compile(r"^\$\s*@[\w#:]+(\s*\+\s*@[\w#:]+)*\s*$")
_REFERENCE = re.compile(r"@([\w#:]+)")


def rewritten(config: Config, ledger: Ledger) -> Config:
    """A copy of ``config`` after all rules, which tell ``ledger`` what they changed."""
    made = copy.deepcopy(config)
    for rule in RULES:
        made = rule(made, ledger)
    return made


def on_the_processor(config: Config, ledger: Ledger) -> Config:
    """Hard-coded graphics devices: everything is made on the CPU, and the engine moves the network itself."""

    def changed(text: str) -> str:
        if re.fullmatch(r"cuda(:\d+)?", text):
            return "cpu"
        if not text.startswith("$"):
            return text
        plain = _AVAILABLE.sub("'cpu'", _CUDA.sub("'cpu'", text)).replace(".cuda()", ".cpu()")
        return _LOAD.sub(_mapped, plain)

    return _with_strings(config, changed, lambda where: ledger.did("devices", f"{where} is made on the CPU"))


def _mapped(found: re.Match[str]) -> str:
    arguments = found["arguments"]
    return found[0] if "map_location" in arguments else f"torch.load({arguments}, map_location='cpu')"


def without_downloads(config: Config, ledger: Ledger) -> Config:
    """``pretrained: true`` would fetch weights from the internet that the bundle's own replace at once."""

    def changed(text: str) -> str:
        return re.sub(r"pretrained\s*=\s*True", "pretrained=False", text) if text.startswith("$") else text

    for where, part in _parts(config):
        if part.get("pretrained") is True:
            part["pretrained"] = False
            ledger.did("downloads", f"{where}: pretrained weights are not fetched, the bundle's own are loaded")
    return _with_strings(config, changed, lambda where: ledger.did("downloads", f"{where}: nothing is fetched"))


def joined_lists(config: Config, ledger: Ledger) -> Config:
    """``$@first + @second`` over lists of the configuration: read as the lists themselves, without running code."""
    for name in ("preprocessing", "postprocessing"):
        entry = config.get(name)
        if isinstance(entry, str):
            entry = config[name] = _looked_up(config, entry)
        steps = entry.get("transforms") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(steps, str) and _JOINED.match(steps):
            entry["transforms"] = _join(config, steps)
            ledger.did("lists", f"{name} is put together from {', '.join(_REFERENCE.findall(steps))}")
        elif isinstance(entry, dict) and isinstance(steps, str):
            entry["transforms"] = _looked_up(config, steps)
    return config


def _join(config: Config, text: str) -> list[Any]:
    found = [_looked_up(config, f"@{name}") for name in _REFERENCE.findall(text)]
    return [copy.deepcopy(step) for part in found if isinstance(part, list) for step in part]


def _looked_up(config: Config, text: str) -> Any:
    """What ``@a#b`` names in the configuration; the text itself where it names nothing."""
    match = re.fullmatch(r"\$?\s*@([\w#:]+)\s*", text)
    if not match:
        return text
    value: Any = config
    for key in re.split(r"#|::", match[1]):
        value = value.get(key, text) if isinstance(value, dict) else text
    return value


def without_removed_arguments(config: Config, ledger: Ledger) -> Config:
    """Constructor arguments that the installed MONAI no longer takes (SwinUNETR's ``img_size``)."""
    for where, part in _parts(config):
        if where.split("#")[0] not in _MADE or str(part["_target_"]).startswith("scripts"):
            continue
        accepted = _accepted(part)
        for name in [key for key in part if accepted is not None and not key.startswith("_") and key not in accepted]:
            del part[name]
            target = str(part["_target_"]).rpartition(".")[2]
            ledger.did("removed arguments", f"{where}: {target} takes no {name} any more")
            ledger.warn(f"{target} of the installed MONAI knows no argument {name}; it was left out")
    return config


_MADE = ("network_def", "network", "inferer", "detector", "anchor_generator")


def _accepted(part: Config) -> frozenset[str] | None:
    """Names that the constructor takes; None where that is not known or anything goes."""
    try:
        made = pydoc.locate(ConfigComponent(part).resolve_module_name())
        if not callable(made):
            return None
        parameters = inspect.signature(made).parameters
    except (ImportError, ValueError, TypeError, AttributeError, pydoc.ErrorDuringImport):
        return None
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return None
    return frozenset(parameters)


RULES: tuple[Callable[[Config, Ledger], Config], ...] = (
    on_the_processor,
    without_downloads,
    joined_lists,
    without_removed_arguments,
)
"""The rules in their order; each is a sentence of :mod:`slicermedai.inference.adapter`'s reference."""


# --- walking -----------------------------------------------------------------------------------------------------


def _parts(value: Any, where: str = "") -> Iterator[tuple[str, Config]]:
    """All components (dicts with ``_target_``) and where they stand."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield where, value
        for key, item in value.items():
            yield from _parts(item, f"{where}#{key}" if where else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _parts(item, f"{where}#{number}")


def _with_strings(value: Any, change: Callable[[str], str], told: Callable[[str], None], where: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _with_strings(item, change, told, f"{where}#{k}" if where else str(k)) for k, item in value.items()}
    if isinstance(value, list):
        return [_with_strings(item, change, told, f"{where}#{n}") for n, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    made = change(value)
    if made != value and where.split("#")[0] not in _NEVER_MADE:
        told(where)
    return made


_NEVER_MADE = ("evaluator", "trainer", "train", "validate", "handlers", "val_handlers", "checkpointloader", "run")
"""Parts that the engine never makes: what happens to them is of no interest."""
