"""The page "MedAI" among Slicer's application settings: a form in CTK's panel, whose Cancel and Restore count here too.

CTK keeps a copy of each row in its own settings and puts the row back from it; each change of a row, whoever made it,
then goes to the presenter. The presenter's file is the truth: the copies are written from it before CTK sees the rows,
and rows and copies again where the page is shown and the file was changed elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import qt
import slicer

TITLE = "MedAI"
FORM = Path(__file__).resolve().parents[2] / "Resources" / "Settings" / "MedAISettings.ui"
PAUSE_MILLISECONDS = 600
"""How long nobody types before what was typed is tried and kept."""
POLL_MILLISECONDS = 100
COPY = "MedAI/Settings/{name}"
_STACK = "SettingsStackedWidget"


def has_window() -> bool:
    """Whether this Slicer shows windows."""
    return not slicer.app.commandOptions().noMainWindow


class SettingsPanel:
    """Fills a panel with the form and keeps it in step with ``page`` and ``removal``, its presenters."""

    def __init__(self, page: Any, removal: Any) -> None:
        self.page, self.removal = page, removal
        self.panel = ctk.ctkSettingsPanel()
        self.panel.setLayout(qt.QVBoxLayout())
        form = slicer.util.loadUI(str(FORM))
        self.panel.layout().addWidget(form)
        self.ui = slicer.util.childWidgetVariables(form)
        self._waiting: set[str] = set()
        self._seen: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._timer = qt.QTimer()
        self._timer.setInterval(PAUSE_MILLISECONDS)
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.keep)
        self._join(slicer.app.settingsDialog())
        for name in page.names:
            self._add_row(name)
        page.changed.connect(self.show)
        self._poller = qt.QTimer()
        self._poller.setInterval(POLL_MILLISECONDS)
        self._poller.connect("timeout()", removal.poll)
        removal.changed.connect(self.show_removal)
        self._was_visible = False
        self._watcher = qt.QTimer(self.panel)
        self._watcher.setInterval(POLL_MILLISECONDS)
        self._watcher.connect("timeout()", self.watch)
        self._watcher.start()
        self.ui.removeButton.connect("clicked(bool)", self.remove)
        self.show_all()

    def editor(self, name: str) -> Any:
        """The widget in which a setting is written."""
        return getattr(self.ui, f"{name}Edit")

    def keep(self) -> None:
        """Hand what was written to the presenter, now."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, set()
        for name in sorted(waiting):
            self.page.change(name, self._written(name))
            self._seen[name] = self.page.text(name)

    def look(self, *_: Any) -> None:
        """The page is shown: take what the file says now, and try all that counts."""
        if not self.panel.visible:
            return
        self._take_changed()
        self.show_all()
        self.page.look()
        self.removal.look()

    def watch(self) -> None:
        """Look when the page has come to be shown: the dialog opens where it was left, and tells nobody of that."""
        before, self._was_visible = self._was_visible, bool(self.panel.visible)
        if self._was_visible and not before:
            self.look()

    def show_all(self) -> None:
        """Write what the presenters say now; nothing is tried."""
        self.ui.fileLabel.text = _breakable(self.page.file_text)
        for name in self.page.names:
            self.show(name)
        self.show_removal()

    def show(self, name: str) -> None:
        """Write what the presenter says of a setting below its row."""
        label = getattr(self.ui, f"{name}Status")
        label.text = _breakable(self.page.told(name))
        label.styleSheet = "font-weight: bold" if self.page.is_wrong(name) else ""

    def remove(self, *_: Any) -> None:
        """Ask, and let the presenter remove what was installed."""
        if slicer.util.confirmOkCancelDisplay(self.removal.question):
            self.removal.start()

    def show_removal(self) -> None:
        """Say what MedAI installed, and how its removal goes."""
        removal = self.removal
        self.ui.installedLabel.text, self.ui.messageLabel.text = removal.text, _breakable(removal.message)
        self.ui.removeButton.enabled = bool(removal.ours) and not removal.busy
        (self._poller.start if removal.busy else self._poller.stop)()

    def _add_row(self, name: str) -> None:
        """Empty when CTK is told of it: that is what Restore Defaults goes back to."""
        editor, copy, text = self.editor(name), COPY.format(name=name), self.page.text(name)
        prop, signal = _property_of(editor)
        setattr(editor, prop, "")
        self.panel.settings.setValue(copy, text)
        self.panel.registerProperty(copy, editor, prop, str(qt.SIGNAL(signal)))
        setattr(editor, prop, text)
        self._seen[name] = self._before[name] = text
        editor.connect(signal, lambda text, name=name: self._changed(name))

    def _take_changed(self) -> None:
        """Rows of settings that were changed elsewhere get the file's text, and Cancel goes back to that.

        CTK takes what Cancel goes back to from all rows at once: the others are as they were then, for this moment.
        """
        self.keep()
        texts = {name: self.page.text(name) for name in self.page.names}
        changed = {name: text for name, text in texts.items() if text != self._seen[name]}
        if not changed:
            return
        shown = {name: self._written(name) for name in self.page.names} | changed
        self._seen.update(changed)
        self._before.update(changed)
        self._write(self._before)
        self.panel.applySettings()
        self._write(shown)

    def _write(self, texts: dict[str, str]) -> None:
        """Into rows and copies; nobody is told."""
        for name, text in texts.items():
            editor = self.editor(name)
            was = editor.blockSignals(True)
            setattr(editor, _property_of(editor)[0], text)
            editor.blockSignals(was)
            self.panel.settings.setValue(COPY.format(name=name), text)

    def _closed(self) -> None:
        """CTK applies all rows when its dialog is closed, by Cancel too after it has put them back."""
        self.keep()
        self._before = {name: self._written(name) for name in self.page.names}

    def _join(self, dialog: Any) -> None:
        dialog.addPanel(TITLE, self.panel)
        dialog.connect("accepted()", self._closed)
        for stack in slicer.util.findChildren(dialog, name=_STACK):
            stack.connect("currentChanged(int)", self.look)

    def _changed(self, name: str) -> None:
        self._waiting.add(name)
        self._timer.start()

    def _written(self, name: str) -> str:
        return str(getattr(self.editor(name), _property_of(self.editor(name))[0])).strip()


def _breakable(text: str) -> str:
    """Long paths may go on in the next line after each folder."""
    return text.replace("/", "/\u200b").replace("\\", "\\\u200b")


def _property_of(editor: Any) -> tuple[str, str]:
    """The property that holds what is written, and the signal that tells of it."""
    if editor.className() == "ctkPathLineEdit":
        return "currentPath", "currentPathChanged(QString)"
    if editor.className() == "QComboBox":
        return "currentText", "currentTextChanged(QString)"
    return "text", "textChanged(QString)"
