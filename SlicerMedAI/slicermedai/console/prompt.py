"""Something that is called again and again while Python's own prompt waits for a person to type.

Python calls ``PyOS_InputHook`` some ten times a second then, in the main thread: graphical toolkits live on that, and
so does a job here. No thread is in it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_callbacks: list[Callable[[], object]] = []


def while_waiting(callback: Callable[[], object]) -> Callable[[], None] | None:
    """Call ``callback`` while the prompt waits; returns what stops that.

    None where there is no prompt on a terminal, or where a toolkit has the hook: the caller then drives itself.
    """
    if not hasattr(sys, "ps1") or sys.stdin is None or not sys.stdin.isatty() or not _install():
        return None
    _callbacks.append(callback)
    return lambda: _callbacks.remove(callback)


def _install() -> bool:
    """True where the hook is ours; it stays for the life of the process, since it may be running now."""
    place, address = ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyOS_InputHook"), ctypes.cast(_HOOK, ctypes.c_void_p)
    if not place.value:
        place.value = address.value
    return place.value == address.value


def _call_all() -> int:
    for callback in list(_callbacks):
        callback()
    return 0


_HOOK = ctypes.PYFUNCTYPE(ctypes.c_int)(_call_all)
