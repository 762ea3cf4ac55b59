"""Observers that the stand-ins put on real VTK objects, so that all can be taken off at the end.

One left on a dying scene would call into Python objects that are half gone, and crash.
"""

from collections.abc import Callable
from typing import Any

_kept: dict[tuple[int, int], Any] = {}
"""(address of the observed object, tag) -> the object, kept alive until its observer is taken off."""


def add(caller: Any, event: Any, callback: Callable[..., None], priority: float = 0.0) -> int:
    """Observes; the tag."""
    tag = int(caller.AddObserver(event, callback, priority))
    _kept[id(caller), tag] = caller
    return tag


def remove(caller: Any, tag: int) -> None:
    """Takes one observer off; one that is off already is no error."""
    if _kept.pop((id(caller), tag), None) is not None:
        caller.RemoveObserver(tag)


def remove_all() -> None:
    """Takes all observers off."""
    for (_, tag), caller in list(_kept.items()):
        caller.RemoveObserver(tag)
    _kept.clear()
