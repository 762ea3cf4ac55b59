"""Frozen dataclasses as plain JSON values and back, by their type hints; what does not fit is refused."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")


def to_plain(value: Any) -> Any:
    """Dataclasses become objects, tuples lists, infinite numbers their names; NaN is refused by ValueError."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _infinite(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"a value of type {type(value).__name__} has no plain form")


def from_plain(value: Any, kind: type[_T]) -> _T:
    """The way back to ``kind``; ValueError, TypeError or KeyError for what is not of that form."""
    made: _T = _made(value, kind)
    return made


def _infinite(value: float) -> str:
    if math.isnan(value):
        raise ValueError("not a number")
    return "inf" if value > 0 else "-inf"


def _made(value: Any, kind: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _optional(value, kind)
    if origin is tuple:
        return _tuple(value, get_args(kind))
    if origin is dict:
        return _dict(value, get_args(kind))
    if dataclasses.is_dataclass(kind):
        return _object(value, kind)
    return _simple(value, kind)


def _optional(value: Any, kind: Any) -> Any:
    inner = [part for part in get_args(kind) if part is not type(None)]
    return None if value is None else _made(value, inner[0])


def _tuple(value: Any, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("a list is wanted")
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(_made(item, parts[0]) for item in value)
    return tuple(_made(item, part) for item, part in zip(value, parts, strict=True))


def _dict(value: Any, parts: tuple[Any, ...]) -> dict[Any, Any]:
    return {parts[0](key): _made(item, parts[1]) for key, item in value.items()}


def _object(value: Any, kind: Any) -> Any:
    hints = get_type_hints(kind)
    if not isinstance(value, dict) or set(value) - set(hints):
        raise TypeError(f"this is no {kind.__name__}")
    return kind(**{name: _made(item, hints[name]) for name, item in value.items()})


def _simple(value: Any, kind: Any) -> Any:
    if kind is float and value in ("inf", "-inf"):
        return float(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and issubclass(kind, Enum) and isinstance(value, str):
        return kind(value)
    if kind in (bool, int, float, str) and type(value) is kind:
        return value
    raise TypeError(f"{typing.cast(Any, kind)} is wanted")
