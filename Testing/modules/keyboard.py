"""A person without a mouse: moves by Tab from widget to widget, and presses keys where the focus is."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap

STEPS = 200
"""More Tabs than any panel has widgets."""
CONTROLS = (
    QtWidgets.QAbstractButton,
    QtWidgets.QComboBox,
    QtWidgets.QLineEdit,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QAbstractItemView,
    QtWidgets.QPlainTextEdit,
)


def unfold(module: Any) -> None:
    """Show what is in all sections of a module's panel."""
    for section in unwrap(module.parent).findChildren(QtWidgets.QAbstractButton):
        if hasattr(section, "collapsed"):
            section.setProperty("collapsed", False)


class Keyboard:
    """The keyboard before a module's panel, whose window is in front."""

    def __init__(self, harness: Harness, module: Any) -> None:
        self.harness, self.panel, self.ui = harness, unwrap(module.parent), module.widget.ui
        self.panel.show()
        self.panel.activateWindow()
        self.panel.setFocus()
        harness.process(30)

    def go_to(self, name: str) -> None:
        """Press Tab until the widget of that name, or a part of it, has the focus.

        :raises AssertionError: Tab does not lead there
        """
        target = unwrap(getattr(self.ui, name))
        for _ in range(STEPS):
            focused = QtWidgets.QApplication.focusWidget()
            if focused is not None and (focused is target or target.isAncestorOf(focused)):
                return
            self.tab()
        raise AssertionError(f"Tab does not lead to {name}")

    def tab(self) -> None:
        """To the next widget."""
        QTest.keyClick(QtWidgets.QApplication.focusWidget() or self.panel, Qt.Key.Key_Tab)
        self.harness.process(1)

    def press(self, name: str, *keys: Qt.Key) -> None:
        """Go there and press the keys."""
        self.go_to(name)
        for key in keys:
            QTest.keyClick(QtWidgets.QApplication.focusWidget(), key)
        self.harness.process(20)

    def type(self, name: str, text: str) -> None:
        """Go there and write the text over what stands there."""
        self.go_to(name)
        focused = QtWidgets.QApplication.focusWidget()
        QTest.keyClick(focused, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(focused, text)
        self.harness.process(20)

    def reached(self) -> set[QtWidgets.QWidget]:
        """All widgets that Tab leads to, until it comes round.

        :raises AssertionError: one keeps the focus
        """
        seen, before = set[QtWidgets.QWidget](), None
        for _ in range(STEPS):
            self.tab()
            focused = QtWidgets.QApplication.focusWidget()
            assert focused is not None
            assert focused is not before, f"{focused.objectName()} does not let go of the focus"
            seen.add(focused)
            before = focused
        return seen

    def controls(self) -> list[QtWidgets.QWidget]:
        """What can be worked with now, without the parts of other controls."""
        shown = [one for one in self.panel.findChildren(QtWidgets.QWidget) if isinstance(one, CONTROLS)]
        named = [one for one in shown if one.objectName() and not one.objectName().startswith("qt_")]
        return [one for one in named if one.isVisible() and one.isEnabled()]
