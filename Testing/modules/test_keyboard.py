"""The modules are used by keyboard alone: Tab leads to every control and out of it again, keys do what clicks do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6 import QtWidgets
from PySide6.QtCore import Qt

from slicermedai.app.state import Phase
from slicermedai.console import models as library
from Testing.bundles.sources import a_source
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.keyboard import STEPS, Keyboard

MODULES = Path(__file__).resolve().parents[2] / "SlicerMedAI"
PANELS = sorted(path.stem for path in (MODULES / "Resources" / "UI").glob("*.ui"))
LONG = 120_000


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data of the test's own: no model is there."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def opened(harness: Harness, name: str) -> Any:
    """The module with all sections open."""
    module = harness.load_module(MODULES / f"{name}.py")
    for section in unwrap(module.parent).findChildren(QtWidgets.QAbstractButton):
        if hasattr(section, "collapsed"):
            section.setProperty("collapsed", False)
    harness.process(30)
    return module


@pytest.mark.parametrize("name", PANELS)
def test_tab_leads_to_every_control_and_is_caught_by_none(harness: Harness, places: Path, name: str) -> None:
    module = opened(harness, name)
    for table in unwrap(module.parent).findChildren(QtWidgets.QTableWidget):
        table.setRowCount(STEPS)  # a full one must let go of the focus too
    keyboard = Keyboard(harness, module)
    controls = keyboard.controls()
    reached = keyboard.reached()
    assert len(controls) >= 8
    missed = [one for one in controls if not any(one is seen or one.isAncestorOf(seen) for seen in reached)]
    assert [one.objectName() for one in missed] == []
    module.close()


def test_a_volume_is_analysed_and_its_result_opened_by_keyboard_alone(
    harness: Harness, places: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    write_tiny_bundle(own_home / "models" / "tiny@0.1")
    head, _ = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
    volume_to_node(head, slicer.mrmlScene)
    module = harness.load_module(MODULES / "MedAI.py")
    opened_pages = list[str]()
    monkeypatch.setattr(module.widget, "open", lambda path: opened_pages.append(Path(path).name))
    keyboard, presenter, ui = Keyboard(harness, module), module.widget.logic.presenter, module.widget.ui
    keyboard.press("volumeSelector", Qt.Key.Key_Down)
    assert ui.volumeSelector.currentNode() is not None
    assert ui.runButton.enabled, ui.messageLabel.text
    keyboard.press("deidentifyCheckBox", Qt.Key.Key_Space)
    assert presenter.state.identity == "deidentify"
    keyboard.press("runButton", Qt.Key.Key_Space)
    assert harness.wait_until(lambda: not presenter.busy, LONG)
    assert presenter.state.phase is Phase.DONE, presenter.state.message
    keyboard.press("findingsTable", Qt.Key.Key_Home, Qt.Key.Key_Down)
    assert ui.findingsTable.currentRow() == 1
    keyboard.press("folderButton", Qt.Key.Key_Space)
    assert opened_pages == [presenter.state.folder.name]
    module.close()


def test_a_run_is_cancelled_by_keyboard_alone(harness: Harness, places: Path, own_home: Path) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    write_tiny_bundle(own_home / "models" / "tiny@0.1")
    head, _ = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
    volume_to_node(head, slicer.mrmlScene)
    module = harness.load_module(MODULES / "MedAI.py")
    keyboard, presenter = Keyboard(harness, module), module.widget.logic.presenter
    keyboard.press("volumeSelector", Qt.Key.Key_Down)
    keyboard.press("runButton", Qt.Key.Key_Space)
    assert presenter.busy
    keyboard.press("cancelButton", Qt.Key.Key_Space)
    assert harness.wait_until(lambda: not presenter.busy, 5_000)
    assert presenter.state.phase is Phase.CANCELLED
    module.close()


def test_a_model_comes_is_looked_for_and_goes_by_keyboard_alone(
    harness: Harness, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    asked = list[str]()
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, *rest, **more: not asked.append(text))
    module = harness.load_module(MODULES / "MedAIModels.py")
    models, ui = module.widget.logic.models, module.widget.ui

    def done() -> None:
        assert harness.wait_until(lambda: not models.busy, LONG)

    done()
    keyboard = Keyboard(harness, module)
    for version in ("1.0", "2.0"):
        keyboard.type("folderSelector", str(a_source(tmp_path / version, version=version)))
        keyboard.press("takeInButton", Qt.Key.Key_Space)
        done()
        assert ui.messageLabel.text == f"phantom@{version} is installed."
    keyboard.press("modelsTable", Qt.Key.Key_Up, Qt.Key.Key_Up)
    assert models.state.chosen == "phantom@1.0"
    keyboard.press("pinButton", Qt.Key.Key_Space)
    done()
    assert {one.title: one.in_use for one in library.catalogue()} == {"phantom@1.0": True, "phantom@2.0": False}
    keyboard.type("searchEdit", "2.0")
    keyboard.press("modelsTable", Qt.Key.Key_Down)
    assert models.state.chosen == "phantom@2.0"
    keyboard.press("removeButton", Qt.Key.Key_Space)
    done()
    assert "phantom@2.0" in asked[0]
    assert [one.title for one in library.catalogue()] == ["phantom@1.0"]
    module.close()


def test_a_control_that_tab_does_not_lead_to_is_found(harness: Harness, places: Path) -> None:
    module = opened(harness, "MedAIModels")
    unwrap(module.widget.ui.searchEdit).setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    keyboard = Keyboard(harness, module)
    assert unwrap(module.widget.ui.searchEdit) in set(keyboard.controls()) - keyboard.reached()
    with pytest.raises(AssertionError, match="searchEdit"):
        keyboard.go_to("searchEdit")
    module.close()
