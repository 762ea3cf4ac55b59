"""The modules are used by keyboard alone: Tab leads to every control and out of it again, keys do what clicks do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6 import QtWidgets
from PySide6.QtCore import Qt

from slicermedai.app.state import Phase
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.keyboard import STEPS, Keyboard, unfold

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
    unfold(module)
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


def test_a_control_that_tab_does_not_lead_to_is_found(harness: Harness, places: Path) -> None:
    module = opened(harness, "MedAIModels")
    unwrap(module.widget.ui.searchEdit).setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    keyboard = Keyboard(harness, module)
    assert unwrap(module.widget.ui.searchEdit) in set(keyboard.controls()) - keyboard.reached()
    with pytest.raises(AssertionError, match="searchEdit"):
        keyboard.go_to("searchEdit")
    module.close()
