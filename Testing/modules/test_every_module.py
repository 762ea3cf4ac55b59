"""What every module's panel must be: readable at 200 % and in the dark, and gone without a trace when unloaded."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from Testing.app.plans import a_liver_run
from Testing.app.reviews import a_head, a_run
from Testing.Harness import Harness, fonts
from Testing.Harness.pythonqt.objects import unwrap
from Testing.modules import readable
from Testing.modules.leftovers import Emptied, nodes_of, observers_of

MODULES = Path(__file__).resolve().parents[2] / "SlicerMedAI"
PANELS = sorted(path.stem for path in (MODULES / "Resources" / "UI").glob("*.ui"))
POINTS = 10
ASKS = "a question before it"
TAKEN_BACK = {
    "MedAI": {"removeButton": "addButton"},
    "MedAIBatch": {"removeRuleButton": "undoRulesButton"},
    "MedAIMark": {"removeButton": "undoButton", "clearButton": "undoButton"},
    "MedAIModels": {"removeButton": ASKS},
    "MedAIPlan": {"removeButton": "undoButton", "anewButton": ASKS},
    "MedAIReport": {"removeButton": ASKS},
}
"""How what a button throws away comes back, by module and button; tests of each module try it."""
LEAST_KEYS = {"MedAIModels": 18}
"""Access keys (Alt and a letter) that a panel has at least; 17 where it is not named."""
LONG = 60_000
"""Milliseconds that what a panel begins by itself may take."""
WIDEST = 1280
"""Pixels that a panel may take at 200 %: two thirds of a screen of 1920, the views beside it."""


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Application data of the test's own: no model is there, and none is needed."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))


@pytest.fixture
def looks() -> Iterator[None]:
    """Whatever the test makes of font and colours ends with it."""
    palette = QtWidgets.QApplication.palette()
    yield
    QtWidgets.QApplication.setPalette(palette)
    fonts.use_readable_font(POINTS)


def opened(harness: Harness, name: str) -> tuple[Any, QtWidgets.QWidget]:
    """The module with all its sections open and text everywhere, as high as it wants to be."""
    module = harness.load_module(MODULES / f"{name}.py")
    panel = unwrap(module.parent)
    for section in panel.findChildren(QtWidgets.QAbstractButton):
        if hasattr(section, "collapsed"):
            section.setProperty("collapsed", False)
    harness.process(30)
    readable.fill(panel)
    shown(harness, panel)
    return module, panel


def shown(harness: Harness, panel: QtWidgets.QWidget) -> None:
    """Show it as wide as it must be, and as high as its text then needs."""
    panel.show()
    harness.process(20)
    width = panel.minimumSizeHint().width()
    height = max(panel.sizeHint().height(), panel.heightForWidth(width))
    panel.resize(width, height)
    for layout in panel.findChildren(QtWidgets.QLayout):
        layout.invalidate()  # Qt's form layout may keep the heights of another width
    harness.process(20)


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("scale", [1, 2], ids=["100", "200"])
def test_everything_is_readable(
    harness: Harness, places: Path, own_home: None, looks: None, name: str, scale: int, dark: bool
) -> None:
    assert fonts.use_readable_font(POINTS * scale)
    QtWidgets.QApplication.setPalette(readable.dark_palette() if dark else readable.light_palette())
    module, panel = opened(harness, name)
    assert len([one for one in panel.findChildren(QtWidgets.QWidget) if readable.needed(one)]) > 15
    assert readable.clipped(panel) == []
    assert readable.faint(panel) == []
    assert panel.width() <= WIDEST * scale / 2
    module.close()


def lines_shown(harness: Harness, name: str, points: int) -> dict[str, int]:
    """How many rows of each table, and lines of each tree and text, are in sight, with a font of that size."""
    assert fonts.use_readable_font(points)
    module, panel = opened(harness, name)
    assert harness.wait_until(lambda: not any(one.busy for one in module.widget.presenters()), LONG)
    readable.fill(panel)
    shown(harness, panel)
    found = {}
    for widget in panel.findChildren(QtWidgets.QAbstractScrollArea):
        if widget.objectName().startswith("qt_") or not widget.objectName():
            continue
        row = widget.fontMetrics().height()
        if isinstance(widget, QtWidgets.QTableView):
            row = widget.verticalHeader().defaultSectionSize()
        found[widget.objectName()] = widget.viewport().height() // row
    module.close()
    return found


@pytest.mark.parametrize("name", PANELS)
def test_tables_show_as_many_rows_of_large_text(
    harness: Harness, places: Path, own_home: None, looks: None, name: str
) -> None:
    usual, large = (lines_shown(harness, name, points) for points in (POINTS, 2 * POINTS))
    assert usual
    assert {one: (count, large[one]) for one, count in usual.items() if large[one] < count} == {}


def test_text_without_room_and_text_without_contrast_are_found(
    harness: Harness, places: Path, own_home: None, looks: None
) -> None:
    module, panel = opened(harness, "MedAIModels")
    fonts.use_readable_font(2 * POINTS)
    shown(harness, panel)
    button, label = (panel.findChild(QtWidgets.QPushButton, "pinButton"), panel.findChild(QtWidgets.QLabel, "zooLabel"))
    button.setMaximumHeight(12)
    label.setStyleSheet("color: #777; background: #555;")
    panel.findChild(QtWidgets.QLabel, "messageLabel").setMaximumHeight(30)
    rows = panel.findChild(QtWidgets.QTableWidget, "modelsTable").verticalHeader()
    rows.setMinimumSectionSize(9)
    rows.setDefaultSectionSize(9)
    harness.process(30)
    assert {line.partition(":")[0] for line in readable.clipped(panel)} == {"pinButton", "messageLabel", "modelsTable"}
    assert [line.partition(":")[0] for line in readable.faint(panel)] == ["zooLabel"]
    module.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_faint_word_cell_or_hint_is_found_beside_clear_ones(harness: Harness, looks: None, dark: bool) -> None:
    """The same greys on white and on dark ground: one of them is faint there."""
    QtWidgets.QApplication.setPalette(readable.dark_palette() if dark else readable.light_palette())
    faint, clear = ("#555555", "#cccccc") if dark else ("#cccccc", "#555555")
    panel = QtWidgets.QWidget()
    rows = QtWidgets.QVBoxLayout(panel)
    words = QtWidgets.QLabel(f"clear <span style='color:{faint}'>faint</span> <span style='color:{clear}'>grey</span>")
    table, tree, hint, off = (
        QtWidgets.QTableWidget(2, 2), QtWidgets.QTreeWidget(), QtWidgets.QLineEdit(), QtWidgets.QPushButton("off"),
    )  # fmt: skip
    off.setEnabled(False)
    for number, color in enumerate((clear, faint, clear, faint)):
        cell = QtWidgets.QTableWidgetItem("a cell")
        cell.setForeground(QtGui.QColor(color))
        table.setItem(number // 2, number % 2, cell)
    table.item(1, 1).setFlags(QtCore.Qt.ItemFlag.NoItemFlags)
    branch = QtWidgets.QTreeWidgetItem(tree, ["clear"])
    QtWidgets.QTreeWidgetItem(branch, ["faint"]).setForeground(0, QtGui.QColor(faint))
    branch.setExpanded(True)
    hint.setPlaceholderText("what is expected")
    palette = hint.palette()
    palette.setColor(QtGui.QPalette.ColorRole.PlaceholderText, QtGui.QColor(faint))
    hint.setPalette(palette)
    for widget, name in ((words, "words"), (table, "table"), (tree, "tree"), (hint, "hint"), (off, "off")):
        widget.setObjectName(name)
        rows.addWidget(widget)
    panel.setAttribute(QtCore.Qt.WidgetAttribute.WA_DontShowOnScreen)
    panel.show()
    harness.process(20)
    assert [line.rpartition(":")[0] for line in readable.faint(panel) if "words" not in line] == [
        "table 0, 1", "tree 0, 0", "hint",
    ]  # fmt: skip
    assert [line.partition(" of ")[2] for line in readable.faint(panel) if "words" in line] == ["'faint'"]


@pytest.mark.parametrize("name", PANELS)
def test_closed_sections_take_no_room_and_no_text_widens_the_panel(
    harness: Harness, places: Path, own_home: None, looks: None, name: str
) -> None:
    module, panel = opened(harness, name)
    assert panel.minimumSizeHint().width() <= WIDEST / 2
    sections = [one for one in panel.findChildren(QtWidgets.QAbstractButton) if hasattr(one, "collapsed")]
    before = panel.heightForWidth(panel.width())
    for section in sections:
        section.setProperty("collapsed", True)
    shown(harness, panel)
    own = [one for one in sections if one.parentWidget() is unwrap(module.widget.ui.noticeLabel).parentWidget()]
    tops = sorted((one.y(), one.y() + one.height()) for one in own)
    assert len(tops) > 2
    assert panel.heightForWidth(panel.width()) < before / 2
    assert all(below[0] - above[1] <= 12 for above, below in itertools.pairwise(tops)), tops
    module.close()


@pytest.mark.parametrize("name", PANELS)
def test_access_keys_are_of_one_widget_each_and_those_of_labels_lead_to_their_control(name: str) -> None:
    form = ElementTree.parse(MODULES / "Resources" / "UI" / f"{name}.ui")
    found = [(widget, widget.find("property[@name='text']/string")) for widget in form.iter("widget")]
    named = [(widget, text.text or "") for widget, text in found if text is not None]
    keys = [text[text.index("&") + 1].lower() for _, text in named if "&" in text]
    assert len(keys) == len(set(keys)), "two widgets have the same access key"
    assert len(keys) >= LEAST_KEYS.get(name, 17)
    for widget, text in named:
        if widget.get("class") == "QLabel" and "&" in text:
            assert widget.find("property[@name='buddy']") is not None, text


@pytest.mark.parametrize("name", PANELS)
def test_every_control_says_what_it_is_for(name: str) -> None:
    form = ElementTree.parse(MODULES / "Resources" / "UI" / f"{name}.ui")
    kinds = ("QPushButton", "QComboBox", "QDoubleSpinBox", "QTableWidget", "QCheckBox", "QLineEdit")
    mute = [
        str(widget.get("name"))
        for widget in form.iter("widget")
        if widget.get("class") in kinds and widget.find("property[@name='toolTip']") is None
    ]
    assert mute == []


@pytest.mark.parametrize("name", PANELS)
def test_whatever_throws_something_away_asks_before_or_can_be_taken_back(name: str) -> None:
    form = ElementTree.parse(MODULES / "Resources" / "UI" / f"{name}.ui")
    buttons = {str(one.get("name")) for one in form.iter("widget") if one.get("class") == "QPushButton"}
    found = {one for one in buttons if re.match("remove|clear|delete|anew|discard|reset", one)}
    known = TAKEN_BACK.get(name, {})
    assert found == set(known)
    assert {back for back in known.values() if back != ASKS} <= buttons
    if ASKS in known.values():
        assert "confirmOkCancelDisplay(" in (MODULES / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PANELS)
def test_unloading_leaves_no_observer_and_no_node(harness: Harness, places: Path, own_home: None, name: str) -> None:
    import slicer

    scene = slicer.mrmlScene
    remembered = slicer.vtkMRMLScriptedModuleNode()
    remembered.SetSingletonTag(name)
    remembered.SetModuleName(name)
    scene.AddNode(remembered)
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    before = observers_of(scene), {node.GetID() for node in nodes_of(scene)}
    for _ in range(2):
        module = harness.load_module(MODULES / f"{name}.py")
        module.parent.show()
        harness.process(30)
        assert len(observers_of(scene)) > len(before[0]), "it listens while it is there"
        module.exit()
        module.enter()
        module.close()
        harness.process(100)
    assert {node.GetID() for node in nodes_of(scene)} - before[1] == set()
    assert observers_of(scene) == before[0]
    assert scene.GetNodeByID(volume.GetID()) is volume


@pytest.mark.usefixtures("warm_children")
@pytest.mark.parametrize(("name", "stays"), [("MedAIReview", True), ("MedAIReport", False), ("MedAIPlan", True)])
def test_unloading_with_a_result_leaves_no_observer_and_at_most_what_it_showed(
    harness: Harness, places: Path, own_home: None, tmp_path: Path, name: str, stays: bool
) -> None:
    """A result that a module put into the scene is the person's, and stays until they close the scene."""
    import slicer

    scene = slicer.mrmlScene
    run = a_liver_run(tmp_path / "run") if name == "MedAIPlan" else a_run(tmp_path / "run", a_head())
    before, known = observers_of(scene), {node.GetID() for node in nodes_of(scene)}
    module = harness.load_module(MODULES / f"{name}.py")
    module.parent.show()
    module.widget.ui.folderSelector.setCurrentPath(str(run))
    assert harness.wait_until(lambda: not any(one.busy for one in module.widget.presenters()), 60_000)
    assert len(nodes_of(scene)) > len(known) + (name != "MedAIReport"), "it has opened the result"
    module.exit()
    module.close()
    harness.process(100)
    new = [node for node in nodes_of(scene) if node.GetID() not in known]
    left = [node for node in new if not node.IsA("vtkMRMLScriptedModuleNode")]
    assert bool(left) is stays
    for node in new:
        scene.RemoveNode(node)
    assert observers_of(scene) == before


def test_what_is_left_behind_is_found(harness: Harness) -> None:
    import slicer

    scene = slicer.mrmlScene
    emptied = Emptied(harness)
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "of a result")
    emptied.check()
    kept = scene.AddNewNodeByClass("vtkMRMLTextNode", "forgotten")
    kept.SetSingletonTag("forgotten")
    with pytest.raises(AssertionError, match="vtkMRMLTextNode forgotten"):
        emptied.check()
    scene.RemoveNode(kept)
    tag = scene.AddObserver(slicer.vtkMRMLScene.EndCloseEvent, lambda caller, event: None)
    with pytest.raises(AssertionError, match=str(int(slicer.vtkMRMLScene.EndCloseEvent))):
        emptied.check()
    scene.RemoveObserver(tag)
    emptied.check()
