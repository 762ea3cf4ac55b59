"""Modal dialogs that answer themselves from a queue, so that a test never hangs on one."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6 import QtWidgets

from Testing.Harness.pythonqt.log import record
from Testing.Harness.pythonqt.registry import implements

Button = QtWidgets.QMessageBox.StandardButton
REFUSALS = (Button.Cancel, Button.No, Button.Close, Button.Abort, Button.Ok)
"""What an unanswered box returns: the first of these it has."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A dialog that was opened: its class, title and text."""

    kind: str
    title: str
    text: str


@dataclass(slots=True)
class Dialogs:
    """Answers given before, and the dialogs that were opened."""

    shown: list[Shown] = field(default_factory=list)
    _answers: deque[Any] = field(default_factory=deque)

    def answer(self, *values: Any) -> None:
        """Queues answers in order.

        A message box takes a button's name ("yes", "ok", ...), a dialog "accept" or "reject", a file dialog a path
        or a list of paths, an input dialog its value; a function is called with the dialog's title and text and
        returns the answer.
        """
        self._answers.extend(values)

    @property
    def unused(self) -> int:
        """How many answers were not asked for."""
        return len(self._answers)

    def clear(self) -> None:
        """Forgets answers and what was shown."""
        self.shown.clear()
        self._answers.clear()

    def take(self, shown: Shown, otherwise: Any) -> Any:
        """The next answer; without one the dialog is refused and the strict log says so."""
        self.shown.append(shown)
        if not self._answers:
            record(f"{shown.kind} opened without an answer queued: {shown.title}: {shown.text}")
            return otherwise
        value = self._answers.popleft()
        return value(shown.title, shown.text) if callable(value) else value


DIALOGS = Dialogs()


def _button(shown: Shown, buttons: Any) -> Button:
    refusal = next((b for b in REFUSALS if b & buttons), Button.Ok)
    value = DIALOGS.take(shown, refusal)
    if isinstance(value, str):
        value = getattr(Button, value.capitalize())
    if not value & buttons:
        record(f"{shown.kind} has no button {value.name}: {shown.title}")
    return Button(value)


@implements("QMessageBox")
class MessageBox(QtWidgets.QMessageBox):
    """A message box that is answered from the queue."""

    def exec(self) -> Button:
        """The button of the next answer."""
        shown = Shown("message box", self.windowTitle(), self.text())
        return _button(shown, self.standardButtons() or Button.Ok)


def _static_box(icon: str, default: Button) -> Callable[..., Button]:
    def ask(parent: Any, title: str, text: str, buttons: Any = default, default_button: Any = None) -> Button:
        return _button(Shown(icon, title, text), buttons)

    return ask


for _icon, _default in (("question", Button.Yes | Button.No), ("information", Button.Ok)):
    setattr(MessageBox, _icon, staticmethod(_static_box(_icon, _default)))
for _icon in ("warning", "critical"):
    setattr(MessageBox, _icon, staticmethod(_static_box(_icon, Button.Ok)))


@implements("QDialog")
class Dialog(QtWidgets.QDialog):
    """A dialog that is accepted or rejected by the queue."""

    def exec(self) -> int:
        """1 if the next answer is "accept", else 0."""
        accepted = DIALOGS.take(Shown("dialog", self.windowTitle(), ""), "reject") == "accept"
        self.done(int(accepted))
        return int(accepted)


def _path(_parent: Any = None, caption: str = "", *_rest: Any) -> str:
    return str(DIALOGS.take(Shown("file dialog", caption, ""), ""))


def _paths(_parent: Any = None, caption: str = "", *_rest: Any) -> list[str]:
    return list(DIALOGS.take(Shown("file dialog", caption, ""), []))


def _text(_parent: Any, title: str, label: str, *_rest: Any) -> str:
    return str(DIALOGS.take(Shown("input dialog", title, label), ""))


@implements("QFileDialog")
class FileDialog(QtWidgets.QFileDialog):
    """A file dialog whose static functions return a path, as PythonQt's do (PySide6's add the filter)."""


@implements("QInputDialog")
class InputDialog(QtWidgets.QInputDialog):
    """An input dialog whose static function returns a text, empty if refused."""


for _name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
    setattr(FileDialog, _name, staticmethod(_path))
FileDialog.getOpenFileNames = staticmethod(_paths)  # type: ignore[assignment]  # PythonQt returns no filter
InputDialog.getText = staticmethod(_text)  # type: ignore[assignment]  # PythonQt returns no flag
