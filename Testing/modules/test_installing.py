"""Installing inside of Slicer: its PyTorch extension is used where it is there, and nobody installs twice at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from slicermedai.app.state import Phase
from slicermedai.jobs import install_record
from Testing.Harness import Harness
from Testing.Harness.pythonqt import slicer_modules

PARAMETERS = {
    *("askConfirmation", "forceComputationBackend", "torchVersionRequirement", "torchvisionVersionRequirement"),
}
"""Of the extension's ``PyTorchUtilsLogic.installTorch``, by its source."""


@pytest.fixture
def bare(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer's Python lacks all packages, and there is no model."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", False)


@pytest.fixture
def extension(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Slicer's PyTorch extension as far as it is called, with the signature that it has; its calls."""
    import slicer

    called, there = list[dict[str, Any]](), {"numpy": "2.4.6"}

    class PyTorchUtilsLogic:
        def installTorch(self, **given: Any) -> object:
            assert set(given) <= PARAMETERS
            called.append(given)
            there["torch"] = "2.9.1+cu130"
            return object()

    module = ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    slicer.modules.pytorchutils = SimpleNamespace(name="PyTorchUtils")
    monkeypatch.setattr(install_record, "installed", lambda names=None: dict(there))
    return called


def test_torch_comes_by_slicers_extension_and_the_rest_by_a_child(
    bare: None,
    harness: Harness,
    medai: Any,
    installer: Callable[[str], Path],
    extension: list[dict[str, Any]],
) -> None:
    noted = installer("print('ok')\n")
    ui, presenter, seen = medai.widget.ui, medai.widget.logic.presenter, list[str]()
    presenter.changed.connect(lambda state: seen.append(ui.messageLabel.text))
    harness.dialogs.answer("ok")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: not presenter.busy, 30_000)
    assert "PyTorch comes by Slicer's PyTorch extension: the window stands still" in harness.dialogs.shown[0].text
    assert extension == [{"askConfirmation": False, "torchVersionRequirement": ">=2.8"}]
    assert any(text.startswith("Installing PyTorch (step 1 of 3).") for text in seen)
    lines = noted.read_text().splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["-m", "slicermedai", "packages", "install"],
        ["-m", "slicermedai", "bundle", "fetch"],
    ]
    assert "torch>=2.8" not in lines[0] and "monai>=1.6.1" in lines[0]
    assert install_record.InstallRecord().ours() == {"torch": "2.9.1+cu130"}


def test_nothing_is_asked_while_slicer_installs_something_else(
    bare: None, harness: Harness, medai: Any, installer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = installer("")
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.isPipInstallInProgress", True)
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: not presenter.busy, 30_000)
    assert presenter.state.phase is Phase.FAILED
    assert ui.messageLabel.text == ("Nothing was installed: Slicer is installing packages: wait until that has ended.")
    assert harness.dialogs.shown == []
    assert not noted.exists()


def test_the_window_lives_while_it_looks_and_is_asked_with_no_timer_behind_the_box(
    bare: None, harness: Harness, medai: Any, installer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    installer("")
    presenter, busy = medai.widget.logic.presenter, list[bool]()
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: bool(busy.append(presenter.busy)))
    harness.process(50)
    harness.reset_stall()
    harness.call(harness.click, medai.widget.ui.installButton)
    assert presenter.can_cancel
    with harness.python_threads_frozen():
        assert harness.wait_until(lambda: bool(busy), 30_000)
    assert busy == [False]
    assert harness.max_stall_ms < 100
    assert presenter.state.phase is Phase.IDLE
