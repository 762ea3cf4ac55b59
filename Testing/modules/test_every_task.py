"""The main task of every module: by keys alone, killed, cancelled, without packages, and while the scene closes.

After each of these, with the module unloaded and the scene closed, nothing of it is left.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app.state import Phase
from Testing.Harness import Harness
from Testing.Harness.pythonqt import slicer_modules
from Testing.modules.keyboard import Keyboard, unfold
from Testing.modules.leftovers import Emptied, ids_of, observers_of
from Testing.modules.tasks import LONG, TASKS, Task, children, lives
from Testing.recorded.player import Player

MODULES = Path(__file__).resolve().parents[2] / "SlicerMedAI"
PANELS = sorted(path.stem for path in (MODULES / "Resources" / "UI").glob("*.ui"))
NEEDS_NOTHING = {"MedAIPlan", "MedAIReview"}
"""Slicer's own packages do for them."""
GOES_WITHOUT = NEEDS_NOTHING | {"MedAIDeidentify", "MedAIReport"}
"""Their main task is done without the packages that they offer."""
ABSENT = (
    *("torch", "monai", "yaml", "nibabel", "pylibjpeg", "openjpeg", "cryptography", "rapidocr_onnxruntime"),
    *("onnxruntime", "pynetdicom", "dicomweb_client", "keyring", "skimage", "pandas"),
)
"""What Slicer does not come with, by the names of imports."""
_LACKS = f"""\
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Absent())
"""
_INSTALLS = f"""\
if "packages" in sys.argv or "bundle" in sys.argv:
    print("Collecting a part", flush=True)
    sys.exit()
import os
os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
"""


@pytest.fixture
def emptied(harness: Harness) -> Emptied:
    """The scene before anything is in it."""
    return Emptied(harness)


@pytest.fixture
def task(
    emptied: Emptied, harness: Harness, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> Task:
    """What the module is for, with Documents, models, settings and temporary files of the test's own."""
    assert name in TASKS, f"{name}: say in tasks.py what it is for"
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    made = TASKS[name](harness, tmp_path)
    made.make()
    return made


@pytest.fixture
def answered(player: Player) -> Player:
    """What panels ask before a run is answered as it once was."""
    return player


@pytest.fixture
def module(harness: Harness, emptied: Emptied, task: Task, name: str) -> Iterator[Any]:
    """The module, loaded and entered, and nothing going on; nothing of it may be left at the end."""
    loaded = opened(harness, task, name)
    yield loaded
    loaded.close()
    emptied.check()


def opened(harness: Harness, task: Task, name: str) -> Any:
    """The module, when it has nothing more to do by itself."""
    loaded = harness.load_module(MODULES / f"{name}.py")
    task.open(loaded)
    loaded.parent.show()
    loaded.enter()
    task.settle(loaded)
    return loaded


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="absent: Linux's table of processes")
@pytest.mark.parametrize("name", PANELS)
def test_a_killed_child_is_told_and_a_cancelled_one_is_gone_in_two_seconds_with_all_it_started(
    answered: Player, harness: Harness, task: Task, module: Any, tmp_path: Path
) -> None:
    ui = module.widget.ui
    task.prepare(module)
    button, before = getattr(ui, f"{task.button}Button"), files_below(task.documents)
    harness.click(button)
    assert task.busy(module)
    assert harness.wait_until(lambda: bool(children()))
    for pid, _ in children():
        os.kill(pid, signal.SIGKILL)
    task.settle(module)
    assert task.phase(module) is Phase.FAILED, ui.messageLabel.text
    assert ui.messageLabel.text

    harness.click(button)
    assert harness.wait_until(lambda: bool(children()))
    begun = children()
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: not task.busy(module), 2000)
    assert task.phase(module) is Phase.CANCELLED
    assert ui.messageLabel.text.startswith(("Stopped", "Paused"))
    assert task.is_warm or [one for one in begun if lives(one)] == []
    assert files_below(task.documents) == before
    assert button.enabled
    module.close()
    assert harness.wait_until(lambda: not any(map(lives, begun)), 2000)
    assert files_below(tmp_path / "temp") == []


@pytest.mark.parametrize("name", PANELS)
def test_a_scene_that_closes_while_it_is_at_work_leaves_a_working_panel_that_can_be_loaded_anew(
    answered: Player, harness: Harness, task: Task, module: Any, name: str
) -> None:
    import slicer

    task.prepare(module)
    harness.click(getattr(module.widget.ui, f"{task.button}Button"))
    slicer.mrmlScene.Clear(0)
    assert module.widget._parameterNode is not None
    harness.process(200)
    if module.widget.ui.cancelButton.enabled:
        harness.click(module.widget.ui.cancelButton)
    task.settle(module)
    module.exit()
    slicer.mrmlScene.Clear(0)
    assert module.widget._parameterNode is None, "nobody looks at it"
    module.enter()
    task.settle(module)
    module.close()
    again = harness.load_module(MODULES / f"{name}.py")
    again.parent.show()
    task.settle(again)
    assert again.widget.ui.messageLabel.text
    assert harness.dialogs.shown == []
    again.close()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: Harness, installer: Callable[[str], Path]) -> Path:
    """Slicer's Python as it comes: no process finds what Slicer lacks; what is installed is noted in this file."""
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "sitecustomize.py").write_text(_LACKS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "lacking"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", False)
    return installer(_INSTALLS)


def installed(noted: Path) -> list[str]:
    """What was installed so far."""
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    return [line for line in lines if "packages install" in line]


@pytest.mark.parametrize("name", [name for name in PANELS if name not in NEEDS_NOTHING])
def test_without_packages_it_opens_names_them_and_installs_on_a_click(
    bare: Path, harness: Harness, task: Task, module: Any
) -> None:
    ui = module.widget.ui
    assert not ui.installButton.isHidden()
    assert ui.installButton.text.startswith("Install "), ui.installButton.text
    lacking = ui.installButton.text.split()[1].rstrip(",")
    harness.dialogs.answer("cancel")
    harness.click(ui.installButton)
    task.settle(module)
    assert harness.wait_until(lambda: len(harness.dialogs.shown) == 1, LONG)
    assert lacking in harness.dialogs.shown[0].text
    assert installed(bare) == []
    harness.dialogs.answer("ok")
    harness.click(ui.installButton)
    task.settle(module)
    (line,) = installed(bare)
    assert lacking in line
    said = [getattr(ui, label).text for label in ("messageLabel", "outboxLabel") if hasattr(ui, label)]
    assert any(text.startswith("Installed: ") for text in said), said


@pytest.fixture
def as_slicer_comes(request: pytest.FixtureRequest, name: str) -> None:
    """No package that Slicer lacks, for modules whose main task needs none; forks for children of the others, whose
    own tests start them cold."""
    request.getfixturevalue("bare" if name in GOES_WITHOUT else "warm_networks")


@pytest.mark.parametrize("name", PANELS)
def test_the_main_task_is_done_by_keys_alone_and_without_packages_where_it_needs_none(
    as_slicer_comes: None, harness: Harness, task: Task, module: Any, name: str, request: pytest.FixtureRequest
) -> None:
    if name not in GOES_WITHOUT:
        task.play(request.getfixturevalue("player"))
    unfold(module)
    harness.process(30)
    task.by_keys(module, Keyboard(harness, module))
    leave_and_come_back(harness, task, module, name)


def leave_and_come_back(harness: Harness, task: Task, module: Any, name: str) -> None:
    """What is shown stays the person's when the module is left, unloaded and loaded anew, and is doubled by none of it;
    once the module is unloaded nothing listens that did not when it was shown, and the scene may close under it."""
    import slicer

    scene = slicer.mrmlScene
    module.exit()
    shown = ids_of(scene)
    module.close()
    harness.process(100)
    kept, listening = ids_of(scene), observers_of(scene)
    assert kept <= shown
    for closes in (False, True):
        again = opened(harness, task, name)
        if closes:
            scene.Clear(0)
            task.settle(again)
        again.exit()
        again.close()
        harness.process(100)
        if not closes:
            assert ids_of(scene) == kept
            assert observers_of(scene) == listening


@pytest.mark.parametrize("name", [name for name in PANELS if name not in GOES_WITHOUT])
def test_without_packages_what_needs_them_says_so_before_and_names_the_first_where_it_is_tried(
    bare: Path, harness: Harness, task: Task, module: Any
) -> None:
    ui = module.widget.ui
    task.prepare(module)
    assert "Not installed: torch" in ui.messageLabel.text
    assert "nstall what is missing" in ui.messageLabel.text
    button = getattr(ui, f"{task.button}Button")
    if button.enabled:
        harness.click(button)
        task.settle(module)
        assert task.phase(module) is Phase.DONE or " is not installed. Press Install" in ui.messageLabel.text
