"""CTK's settings dialog and its panels: rows that are copied into settings, put back by Cancel, emptied by Restore."""

from dataclasses import dataclass
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.Harness import facts
from Testing.Harness.pythonqt import registry
from Testing.Harness.pythonqt.registry import implements


@dataclass(slots=True)
class Row:
    """A property that the panel keeps: its value at the last apply, and the one it had when it was registered."""

    target: Any
    name: str
    previous: Any
    default: Any


@implements("ctkSettingsPanel")
class SettingsPanel(QtWidgets.QWidget):
    """Writes each change of a registered property into the settings at once."""

    settingChanged = Signal(str, object)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(next((a for a in arguments if isinstance(a, QtWidgets.QWidget)), None))
        self._settings: Any = None
        self._rows: dict[str, Row] = {}

    def _get_settings(self) -> Any:
        return self._settings

    def setSettings(self, settings: Any) -> None:
        """Takes the values that the settings hold; what they lack is written into them."""
        self._settings = settings
        for key in self._rows:
            self._recall(key)

    settings = Property("QVariant", _get_settings, setSettings)

    def registerProperty(self, key: str, target: Any, name: str, signal: Any, *_rest: Any) -> None:
        """Keeps a property of an object; its value now is the default."""
        value = target.property(name)
        self._rows[key] = Row(target=target, name=name, previous=value, default=value)
        if self._settings is not None:
            self._recall(key)
        signature = facts.normalized(str(signal).lstrip("2"))
        registry.signal_instance(target, signature).connect(lambda *_: self._update(key))

    def _recall(self, key: str) -> None:
        if self._settings.contains(key):
            self._rows[key].previous = self._settings.value(key)
            self._put(key, self._settings.value(key))
        else:
            self._update(key)

    def _put(self, key: str, value: Any) -> None:
        row = self._rows[key]
        row.target.setProperty(row.name, value)

    def _update(self, key: str) -> None:
        row = self._rows[key]
        if self._settings is not None:
            self._set(key, row.target.property(row.name))

    def _set(self, key: str, value: Any) -> None:
        old = self._settings.value(key)
        self._settings.setValue(key, value)
        self._put(key, value)
        if old != value:
            self.settingChanged.emit(key, value)

    def applySettings(self) -> None:
        """What stands there now is what Cancel goes back to."""
        for row in self._rows.values():
            row.previous = row.target.property(row.name)

    def resetSettings(self) -> None:
        """Puts back what stood there at the last apply."""
        for key, row in self._rows.items():
            self._set(key, row.previous)

    def restoreDefaultSettings(self) -> None:
        """Puts back what stood there when each row was registered."""
        for key, row in self._rows.items():
            self._set(key, row.default)


@implements("ctkSettingsDialog")
class SettingsDialog(QtWidgets.QDialog):
    """Panels in a stack. As in CTK, Cancel resets all and then closes as OK does."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(next((a for a in arguments if isinstance(a, QtWidgets.QWidget)), None))
        self._settings = QtCore.QSettings()
        self._stack = QtWidgets.QStackedWidget()
        self._stack.setObjectName("SettingsStackedWidget")
        self._stack.addWidget(QtWidgets.QWidget())  # the panel "General", which is there from the beginning
        QtWidgets.QVBoxLayout(self).addWidget(self._stack)

    def _panels(self) -> list[SettingsPanel]:
        found = (self._stack.widget(index) for index in range(self._stack.count()))
        return [one for one in found if isinstance(one, SettingsPanel)]

    def addPanel(self, *arguments: Any) -> None:
        """Takes a panel with its label and icon."""
        panel = next(one for one in arguments if isinstance(one, SettingsPanel))
        for one in arguments:
            if isinstance(one, str):
                panel.setWindowTitle(one)
            elif isinstance(one, QtGui.QIcon):
                panel.setWindowIcon(one)
        self._stack.addWidget(panel)
        panel.setSettings(self._settings)

    def setCurrentPanel(self, panel: Any) -> None:
        """Shows a panel, itself or by its label."""
        chosen = next(one for one in self._panels() if panel in (one, one.windowTitle()))
        self._stack.setCurrentWidget(chosen)

    def applySettings(self) -> None:
        """Applies all panels."""
        for panel in self._panels():
            panel.applySettings()

    def resetSettings(self) -> None:
        """Resets all panels."""
        for panel in self._panels():
            panel.resetSettings()

    def restoreDefaultSettings(self) -> None:
        """Empties the settings, and has all panels write their defaults."""
        self._settings.clear()
        for panel in self._panels():
            panel.restoreDefaultSettings()

    def accept(self) -> None:
        """OK."""
        self.applySettings()
        super().accept()

    def reject(self) -> None:
        """Cancel."""
        self.resetSettings()
        super().accept()
