"""A person who follows a tutorial: finds what a sentence names on the screen by its words, and uses it.

A sentence with a **name** or a `value` in it is something to do or to see, and one of :data:`Hand.doings` must fit it;
others explain. Nothing is found by the name that the program gives it: a button that is called otherwise is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap
from Testing.tutorials.steps import Step

MODULES = Path(__file__).resolve().parents[2] / "SlicerMedAI"
LONG = 120_000
WIDTH, EDGE = 620, 8
_BUTTONS = ("QPushButton", "QCheckBox")


def plain(text: str) -> str:
    """A label as it is read: without the access key and the colon, and without the "or" before it."""
    return re.sub(r"^or ", "", text.replace("&", "").strip().removesuffix(":"))


class Hand:
    """Follows steps. ``places`` says what the names in the tutorial are here: `studies` -> a folder."""

    def __init__(self, harness: Harness, modules: Mapping[str, Any], places: Mapping[str, str]) -> None:
        self.harness = harness
        self.modules = modules
        self.places = places
        self.opened: list[str] = []
        self.pressed: list[str] = []
        self.patience = 20_000
        self.current: Any = None
        self.doings: dict[str, Callable[..., None]] = {
            r"Open the module \*\*([^*]+)\*\*": self.open_module,
            r"Unfold \*\*([^*]+)\*\*": self.unfold,
            r"Set \*\*([^*]+)\*\* to `([^`]+)`": self.set_to,
            r"Set \*\*([^*]+)\*\* in \*\*([^*]+)\*\* to `([^`]+)`": self.set_in,
            r"Press \*\*([^*]+)\*\* and choose `([^`]+)`": self.press_and_choose,
            r"Press \*\*([^*]+)\*\*(?: and wait)?": self.press,
            r"Tick \*\*([^*]+)\*\*": self.press,
            r"Click `([^`]+)` in \*\*([^*]+)\*\*": self.click_row,
            r"You see `([^`]+)`": self.see,
            r"`([^`]+)` opens": self.see_opened,
            r"Move the plane `(\d+) mm` to the patient's left in a view": self.move_plane,
        }

    def follow(self, step: Step) -> None:
        """Do what the step says, sentence by sentence."""
        for sentence in step.sentences:
            if "**" in sentence or "`" in sentence:
                try:
                    self.do(sentence)
                except AssertionError as error:
                    raise AssertionError(f"{step.name}: {sentence}\n{error}") from error

    def do(self, sentence: str) -> None:
        """Do what one sentence says, and wait until nothing goes on any more."""
        for pattern, doing in self.doings.items():
            match = re.fullmatch(pattern + r"[.:]?", sentence)
            if match:
                doing(*match.groups())
                self.until_idle()
                return
        raise AssertionError("nobody knows how to do that")

    def until_idle(self) -> None:
        """Wait as a person does, while bars move."""
        self.harness.process(20)
        widget = self.current.widget
        ended = self.harness.wait_until(lambda: not any(one.busy for one in widget.presenters()), LONG)
        assert ended, "it does not end"
        self.harness.process(30)
        self._notice_module()

    def picture(self, title: str, path: Path) -> Path:
        """What is on the screen; of a section alone where the title is that of one."""
        from PIL import Image

        panel = unwrap(self.current.parent)
        self.harness.grab(self.current.parent, path, size=(WIDTH, panel.sizeHint().height() + 200))
        areas = {plain(one.text): unwrap(one) for one in self._all("ctkCollapsibleButton")}
        shown = [areas[title]] if title in areas else [one for one in areas.values() if one.isVisibleTo(panel)]
        edges = [area.mapTo(panel, area.rect().topLeft()).y() for area in shown]
        top = edges[0] - EDGE if title in areas else 0
        bottom = max(edge + area.height() for edge, area in zip(edges, shown, strict=True)) + EDGE
        with Image.open(path) as whole:
            part = whole.crop((0, top, whole.width, min(bottom, whole.height)))
        part.save(path)
        return path

    # --- doing -------------------------------------------------------------------------------------------------------

    def open_module(self, title: str) -> None:
        import slicer

        module = next((one for one in self.modules.values() if one.module.parent.title == title), None)
        assert module is not None, "there is no module of that title"
        slicer.util.selectModule(module.name)
        self._show(module)

    def unfold(self, title: str) -> None:
        self.widget("ctkCollapsibleButton", title).collapsed = False

    def press(self, text: str) -> None:
        self.pressed.append(text)
        button = self.visible(self.button(text))
        self.harness.wait_until(lambda: button.enabled, self.patience)
        self.harness.click(button)

    def press_and_choose(self, text: str, name: str) -> None:
        self.harness.dialogs.answer(self.places[name])
        self.press(text)
        assert self.harness.dialogs.unused == 0, "nothing was asked"

    def set_in(self, label: str, section: str, value: str) -> None:
        self.set_to(label, value, section)

    def set_to(self, label: str, value: str, section: str = "") -> None:
        from PySide6 import QtWidgets

        widget = self.visible(self.labelled(label, section))
        value = self.places.get(value, value)
        inner = unwrap(widget)
        if hasattr(widget, "setCurrentPath"):
            widget.setCurrentPath(value)
        elif hasattr(widget, "setCurrentNode"):
            widget.setCurrentNode(self._node(value))
        elif isinstance(inner, QtWidgets.QComboBox):
            self._choose(inner, value)
        elif isinstance(inner, (QtWidgets.QSpinBox, QtWidgets.QDoubleSpinBox)):
            inner.setValue(type(inner.value())(value))
        else:
            self._type(inner, value)

    def click_row(self, text: str, section: str) -> None:
        from PySide6 import QtWidgets

        holder = unwrap(self.widget("ctkCollapsibleButton", section))
        tables = holder.findChildren(QtWidgets.QTableWidget)

        def found() -> list[tuple[Any, Any]]:
            return [(table, item) for table in tables for item in table.findItems(text, qt_names().MatchExactly)]

        assert self.harness.wait_until(lambda: bool(found()), self.patience), "no table there has such a cell"
        table, item = found()[0]
        table.setCurrentItem(item)

    def move_plane(self, millimetres: str) -> None:
        import slicer

        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode")
        assert node is not None, "there is no plane"
        right, anterior, superior = node.GetOriginWorld()
        node.SetOriginWorld(right - float(millimetres), anterior, superior)
        self.harness.process(600)

    # --- seeing ------------------------------------------------------------------------------------------------------

    def see(self, text: str) -> None:
        seen = self.harness.wait_until(lambda: any(text in one for one in self.shown()), self.patience)
        assert seen, "not to be seen. There is: " + " | ".join(filter(None, self.shown()))

    def see_opened(self, name: str) -> None:
        assert self.opened, "nothing was opened"
        assert Path(self.opened[-1]).name == name, f"{Path(self.opened[-1]).name} was opened"

    def shown(self) -> list[str]:
        """All texts that are on the screen."""
        from PySide6 import QtWidgets

        panel = unwrap(self.current.parent)
        texts = [one.text() for one in panel.findChildren(QtWidgets.QLabel) if one.isVisibleTo(panel)]
        for table in panel.findChildren(QtWidgets.QTableWidget):
            if table.isVisibleTo(panel):
                cells = [(row, column) for row in range(table.rowCount()) for column in range(table.columnCount())]
                items = [table.item(*cell) for cell in cells]
                texts += [item.text() for item in items if item is not None]
        texts += [one.toPlainText() for one in panel.findChildren(QtWidgets.QPlainTextEdit) if one.isVisibleTo(panel)]
        texts += [box.currentText() for box in panel.findChildren(QtWidgets.QComboBox) if box.isVisibleTo(panel)]
        return texts

    # --- finding -----------------------------------------------------------------------------------------------------

    def button(self, text: str) -> Any:
        found = [one for kind in _BUTTONS for one in self._all(kind) if plain(one.text) == text]
        found = [one for one in found if unwrap(one).isVisibleTo(unwrap(self.current.parent))] or found
        assert len(found) == 1, f"there are {len(found)} buttons {text!r}"
        return found[0]

    def widget(self, kind: str, text: str) -> Any:
        found = [one for one in self._all(kind) if plain(one.text) == text]
        assert len(found) == 1, f"there are {len(found)} of {text!r}"
        return found[0]

    def labelled(self, label: str, section: str = "") -> Any:
        """What the label (of that section) stands beside: its buddy, or what comes after it in the form."""
        among = [one for one in self._form().iter("widget") if not section or plain(_text_of(one)) == section]
        widgets = list(among[0].iter("widget"))
        numbers = [number for number, one in enumerate(widgets) if plain(_text_of(one)) == label]
        numbers = [number for number in numbers if widgets[number].get("class") == "QLabel"]
        assert len(numbers) == 1, f"there are {len(numbers)} fields {label!r}"
        buddy = widgets[numbers[0]].findtext("property[@name='buddy']/cstring")
        return getattr(self.current.widget.ui, str(buddy or widgets[numbers[0] + 1].get("name")))

    def visible(self, widget: Any) -> Any:
        assert unwrap(widget).isVisibleTo(unwrap(self.current.parent)), "it is folded away: nobody can see it"
        return widget

    def _all(self, kind: str) -> list[Any]:
        names = [str(widget.get("name")) for widget in self._form().iter("widget") if widget.get("class") == kind]
        return [getattr(self.current.widget.ui, name) for name in names]

    def _form(self) -> ElementTree.ElementTree[Any]:
        return ElementTree.parse(MODULES / "Resources" / "UI" / f"{self.current.name}.ui")

    # --- how ---------------------------------------------------------------------------------------------------------

    def _node(self, name: str) -> Any:
        import slicer

        node = slicer.mrmlScene.GetFirstNodeByName(name)
        assert node is not None, f"nothing in the scene is called {name!r}"
        return node

    def _choose(self, box: Any, value: str) -> None:
        numbers = [number for number in range(box.count()) if box.itemText(number) == value]
        if not numbers and box.isEditable():
            box.setEditText(value)
            return
        assert numbers, "it offers: " + ", ".join(box.itemText(number) for number in range(box.count()))
        box.setCurrentIndex(numbers[0])
        box.activated.emit(numbers[0])

    def _type(self, edit: Any, value: str) -> None:
        from PySide6.QtTest import QTest

        edit.window().activateWindow()
        edit.setFocus()
        edit.clear()
        QTest.keyClicks(edit, value)
        QTest.keyClick(edit, qt_names().Key_Tab)

    def _show(self, module: Any) -> None:
        """Slicer leaves one module and enters the other."""
        if self.current is not None:
            self.current.exit()
            self.current.parent.hide()
        self.current = module
        module.parent.show()
        module.enter()

    def _notice_module(self) -> None:
        """Where a button went on to another module, the person is there now."""
        import slicer

        name = slicer.util.selectedModule()
        if name in self.modules and name != self.current.name:
            self._show(self.modules[name])
            self.until_idle()


def _text_of(widget: Any) -> str:
    return widget.findtext("property[@name='text']/string") or ""


def qt_names() -> Any:
    """Qt's namespace, imported late: the harness chooses the platform first."""
    from PySide6 import QtCore

    return QtCore.Qt
