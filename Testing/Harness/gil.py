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
PROCESS_EVENTS = "_ZN16QCoreApplication13processEventsE6QFlagsIN10QEventLoop17ProcessEventsFlagEE"
"""``QCoreApplication::processEvents(QEventLoop::ProcessEventsFlags)``."""
LIBRARY = "libQt6Core.so.6"


@cache
def _exec_function() -> Any:
    function = getattr(ctypes.PyDLL(LIBRARY), LOOP_EXEC)
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_int], ctypes.c_int
    return function


def process_events_holding_the_lock() -> None:
    """Handles the events that wait, as ``slicer.app.processEvents()`` does: Python threads get no turn in it.

    :raises OSError: if Qt's library cannot be found by name (other platforms than Linux)
    """
    function = getattr(ctypes.PyDLL(LIBRARY), PROCESS_EVENTS)
    function.argtypes, function.restype = [ctypes.c_int], None
    function(0)


def run_loop_holding_the_lock(milliseconds: int) -> None:
    """Runs the event loop for a time; Python threads get their turn only while Python slots run.

    :raises OSError: if Qt's library cannot be found by name (other platforms than Linux)
    """
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(milliseconds, loop, loop.quit)
    _exec_function()(shiboken6.getCppPointer(loop)[0], 0)
