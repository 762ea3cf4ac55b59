"""The public names of the package and of its console, with their signatures: what scripts rely on.

``python -m Testing.tutorials.public`` writes them to ``public-names.txt``, for a change that is meant.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Any

import slicermedai
from slicermedai import console


class _Bare(str):
    """An annotation that is shown as it is written."""

    __slots__ = ()

    @staticmethod
    def of(annotation: Any) -> Any:
        return _Bare(annotation) if isinstance(annotation, str) else annotation

    def __repr__(self) -> str:
        return str(self)


def _named(default: Any) -> Any:
    """A function that is a default stands there by its name, not by its place in memory."""
    return _Bare(default.__name__) if inspect.isfunction(default) else default


def console_modules() -> list[ModuleType]:
    """All modules of the console."""
    return [import_module(f"{console.__name__}.{one.name}") for one in pkgutil.iter_modules(console.__path__)]


def names_of(module: ModuleType) -> list[str]:
    """What a module offers: its ``__all__``, or the functions and classes without underscore that are made there."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    found = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
    return sorted(name for name, value in found if getattr(value, "__module__", "") == module.__name__)


def signature_of(value: Any) -> str:
    """The signature as it is written; of an enumeration its values."""
    if isinstance(value, type) and issubclass(value, Enum):
        return " = " + " | ".join(repr(one.value) for one in value)
    found = inspect.signature(value)
    parts = [
        one.replace(annotation=_Bare.of(one.annotation), default=_named(one.default))
        for one in found.parameters.values()
    ]
    return str(found.replace(parameters=parts, return_annotation=_Bare.of(found.return_annotation)))


def methods_of(kind: type) -> dict[str, Any]:
    """Public methods and properties that a class, or one of the console's that it is made of, defines, by name."""
    kinds = [kind, *(base for base in kind.__mro__[1:] if base.__module__.startswith(console.__name__))]
    found = {name: getattr(kind, name) for one in kinds for name in vars(one) if not name.startswith("_")}
    plain = {name: getattr(value, "__func__", value) for name, value in found.items()}
    wanted = {name: value for name, value in plain.items() if inspect.isfunction(value) or isinstance(value, property)}
    return {name: value for name, value in wanted.items() if value.__doc__}


def lines() -> Iterator[str]:
    """A line for each name, class, method and property, in order."""
    for module in (slicermedai, *console_modules()):
        for name in names_of(module):
            value = getattr(module, name)
            yield f"{module.__name__}.{name}{signature_of(value)}"
            if isinstance(value, type):
                for method, made in methods_of(value).items():
                    how = "" if isinstance(made, property) else signature_of(made)
                    yield f"{module.__name__}.{name}.{method}{how}"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_name("public-names.txt").write_text("\n".join(lines()) + "\n", encoding="utf-8")
