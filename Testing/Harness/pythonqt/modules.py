"""The modules ``qt`` and ``ctk``, and the Qt classes of ``slicer``."""

import sys
from types import ModuleType
from typing import Any

from PySide6 import QtCore

from Testing.Harness import facts
from Testing.Harness.pythonqt import dialogs, objects, uiloader  # noqa: F401 - dialogs and loader register themselves
from Testing.Harness.pythonqt.log import record


class Namespace:
    """``qt.Qt``: the enum values that exist in Qt 5.15 and in Qt 6."""

    def __getattr__(self, name: str) -> Any:
        if not facts.namespace().get(name, frozenset()) >= facts.BOTH:
            raise AttributeError(f"qt.Qt has no attribute '{name}'")
        return getattr(QtCore.Qt, name)


class QtModule(ModuleType):
    """``qt``: Qt's classes that PythonQt wraps in Qt 5.15 and that still exist in Qt 6."""

    Qt = Namespace()

    def __getattr__(self, name: str) -> Any:
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        if name not in facts.qt():
            raise AttributeError(f"module 'qt' has no attribute '{name}'")
        return objects.wrapper_class(name)


class CtkModule(ModuleType):
    """``ctk``: CTK's classes."""

    def __getattr__(self, name: str) -> Any:
        return gui_class("ctk", name)


def gui_class(module: str, name: str) -> Any:
    """A class of Slicer or CTK.

    :raises AttributeError: if the module has no such class
    """
    belongs = name.startswith("ctk") if module == "ctk" else name.startswith(("qMRML", "qSlicer"))
    if not belongs or name not in facts.gui():
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    return objects.wrapper_class(name)


FUNCTIONS: dict[str, Any] = {
    "SIGNAL": lambda signature: signature,
    "SLOT": lambda signature: signature,
    "qVersion": QtCore.qVersion,
    "qWarning": record,
    "qCritical": record,
    "qDebug": lambda message: None,
}
"""What ``qt`` has beside classes; Qt's warnings go to the strict log."""


def remove_modules() -> None:
    """Takes ``qt`` and ``ctk`` out of ``sys.modules``."""
    for name in ("qt", "ctk"):
        sys.modules.pop(name, None)


def install_modules() -> None:
    """Puts ``qt`` and ``ctk`` into ``sys.modules``."""
    sys.modules["qt"] = QtModule("qt")
    sys.modules["ctk"] = CtkModule("ctk")
