"""Runs Qt's event loop without giving Python's lock away, as PythonQt does in Slicer.

PySide6 releases the lock (the GIL) while its event loop waits, so Python threads run on. PythonQt does not: threads
stand still until Python code runs in the main thread, as in a timer's slot. Here the loop is called through
``ctypes.PyDLL``, which keeps the lock, so the real lock is held.
"""

import ctypes
from functools import cache
from typing import Any

import shiboken6
from PySide6 import QtCore

LOOP_EXEC = "_ZN10QEventLoop4execE6QFlagsINS_17ProcessEventsFlagEE"
"""``QEventLoop::exec(QEventLoop::ProcessEventsFlags)`` as the compiler names it."""
LIBRARY = "libQt6Core.so.6"


@cache
def _exec_function() -> Any:
    function = getattr(ctypes.PyDLL(LIBRARY), LOOP_EXEC)
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_int], ctypes.c_int
    return function


def run_loop_holding_the_lock(milliseconds: int) -> None:
    """Runs the event loop for a time; Python threads get their turn only while Python slots run.

    :raises OSError: if Qt's library cannot be found by name (other platforms than Linux)
    """
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(milliseconds, loop, loop.quit)
    _exec_function()(shiboken6.getCppPointer(loop)[0], 0)
