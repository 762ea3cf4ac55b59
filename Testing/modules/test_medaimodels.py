"""The module MedAI Models, as a person uses it: look, search, take in, agree, try, pin, go back, remove, cancel."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app.state import Phase
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.store import changes
from slicermedai.confidence.models import preprocessing_of, records_folder
from slicermedai.console import models as library
from slicermedai.domain.estimate import Took
from slicermedai.jobs import speeds
from Testing.bundles.sources import a_source, with_code
from Testing.confidence.test_record import a_record
from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap
from Testing.inference.test_sample import write_image
from Testing.modules.opening import entered
from Testing.validate.test_record_plots import a_structure

pytestmark = pytest.mark.usefixtures("warm_networks")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIModels.py"
LONG = 60_000


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's data of the test's own: no model is there."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "user" / ".local" / "share" / "SlicerMedAI"))
    return tmp_path


@pytest.fixture
def module(harness: Harness, places: Path, data: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    with entered(harness, MODULE) as loaded:
        until_idle(harness, loaded)
        yield loaded


def until_idle(harness: Harness, module: Any) -> None:
    assert harness.wait_until(lambda: not module.widget.logic.models.busy, LONG)


def press(harness: Harness, module: Any, button: str) -> None:
    harness.click(getattr(module.widget.ui, f"{button}Button"))
    until_idle(harness, module)


def shown(module: Any) -> list[str]:
    table = module.widget.ui.modelsTable
    return [table.item(row, 0).text() for row in range(table.rowCount)]


def enabled(module: Any) -> set[str]:
    names = ("pin", "back", "remove", "try", "verify", "refresh", "agree", "takeIn", "fetch", "cancel")
    return {name for name in names if getattr(module.widget.ui, f"{name}Button").enabled}


def take_in(harness: Harness, module: Any, folder: Path) -> None:
    module.widget.ui.folderSelector.setCurrentPath(str(folder))
    press(harness, module, "takeIn")


def answer(monkeypatch: pytest.MonkeyPatch, *, yes: bool) -> list[str]:
    """What a person is asked; they answer it so."""
    import slicer

    asked: list[str] = []

    def confirm(text: str, *rest: Any, **more: Any) -> bool:
        asked.append(text)
        return yes

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    return asked


def test_without_a_model_it_says_what_to_do(module: Any) -> None:
    ui = module.widget.ui
    assert "No model is here yet" in ui.messageLabel.text
    assert "brain@" in ui.messageLabel.text
    assert "Research use only" in ui.noticeLabel.text
    assert enabled(module) == {"refresh", "fetch"}


def test_a_model_is_taken_in_looked_at_pinned_and_removed(
    harness: Harness,
    module: Any,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    keep_screenshot: Callable[[Path, str], None],
) -> None:
    ui = module.widget.ui
    take_in(harness, module, a_source(data / "first", version="1.0"))
    assert ui.messageLabel.text == "phantom@1.0 is installed."
    assert ui.folderSelector.currentPath == ""
    take_in(harness, module, a_source(data / "second", version="2.0"))
    assert shown(module) == ["phantom@1.0", "phantom@2.0"]
    assert "SCT" in ui.detailText.plainText
    assert f"Folder: {Path('~/.local/share/SlicerMedAI/models/phantom@2.0')}" in ui.detailText.plainText
    assert "not calibrated" in ui.detailText.plainText
    assert "phantom@2.0" in ui.changesText.plainText
    assert "Runs on this computer" not in ui.detailText.plainText
    took = Took(
        machine=speeds.machine(), device="cpu", precision="float32", manner="keep", operations=1e9, voxels=1e6,
        image_voxels=1e6, millilitres=1e3, network_seconds=30.0, rest_seconds=4.2,
    )  # fmt: skip
    first = next(one for one in library.catalogue() if one.title == "phantom@1.0")
    speeds.note(first.weights_sha256, took)
    ui.modelsTable.setCurrentCell(0, 0)
    assert "Runs on this computer: 1, the last took 34 s on cpu" in ui.detailText.plainText
    assert "pin" in enabled(module)
    press(harness, module, "pin")
    assert {one.title: one.in_use for one in library.catalogue()} == {"phantom@1.0": True, "phantom@2.0": False}
    press(harness, module, "back")
    assert {one.title: one.in_use for one in library.catalogue()} == {"phantom@1.0": False, "phantom@2.0": True}
    assert module.widget.logic.models.state.chosen == "phantom@2.0"
    keep_screenshot(harness.grab(module.parent, tmp_path / "MedAIModels.png", size=(500, 980)), "MedAIModels.png")
    asked = answer(monkeypatch, yes=False)
    press(harness, module, "remove")
    assert "phantom@2.0" in asked[0]
    assert len(library.catalogue()) == 2
    answer(monkeypatch, yes=True)
    press(harness, module, "remove")
    assert shown(module) == ["phantom@1.0"]
    assert [change.action for change in changes()] == ["imported", "imported", "pinned", "rolled back", "removed"]


def test_the_search_looks_at_names_labels_and_tasks(harness: Harness, module: Any, data: Path) -> None:
    take_in(harness, module, a_source(data / "first", name="alpha"))
    take_in(harness, module, a_source(data / "second", name="beta"))
    ui = module.widget.ui
    for text, left in (
        ("alp", ["alpha@1.0"]),
        ("SEGMENT bet", ["beta@1.0"]),
        ("nothing", []),
        ("", ["alpha@1.0", "beta@1.0"]),
    ):
        ui.searchEdit.setText(text)
        assert shown(module) == left


def test_a_model_with_code_waits_for_a_named_person(harness: Harness, module: Any, data: Path) -> None:
    take_in(harness, module, with_code(a_source(data / "first")))
    ui = module.widget.ui
    assert ui.modelsTable.item(0, 3).text().startswith("waits for consent")
    assert not {"try", "agree"} & enabled(module)
    ui.wordEdit.setText("Jane van Roe read it")
    press(harness, module, "agree")
    assert "Jane van Roe read it" in ui.detailText.plainText
    assert "try" in enabled(module)
    (model,) = library.catalogue()
    script = next(Path(model.folder).glob("scripts/*.py"))
    script.write_text(script.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    press(harness, module, "verify")
    assert "Do not use" in ui.messageLabel.text
    assert ui.modelsTable.item(0, 3).text().startswith("waits for consent")


@pytest.mark.cold_children
def test_a_model_is_tried_on_a_generated_image(harness: Harness, module: Any, data: Path) -> None:
    take_in(harness, module, a_source(data / "first"))
    press(harness, module, "try")
    assert "runs here" in module.widget.ui.messageLabel.text
    assert "Last look: runs here" in module.widget.ui.detailText.plainText
    press(harness, module, "verify")
    assert module.widget.ui.messageLabel.text == "All files are as they came. Models looked at: 1."


def test_a_model_that_brings_a_sample_is_tried_on_it_and_that_is_said(
    harness: Harness, module: Any, data: Path
) -> None:
    source = a_source(data / "first")
    write_image(source / "sample" / "head.nii.gz", value=1.0)
    take_in(harness, module, source)
    press(harness, module, "try")
    assert "in its own sample, sample/head.nii.gz" in module.widget.ui.messageLabel.text


def test_a_try_tells_where_it_stands_brings_its_report_and_can_be_cancelled(
    harness: Harness, module: Any, data: Path
) -> None:
    take_in(harness, module, a_source(data / "first"))
    ui, models, stages = module.widget.ui, module.widget.logic.models, list[str]()
    models.changed.connect(lambda state: stages.append(ui.stageLabel.text))
    press(harness, module, "try")
    assert set(stages) - {"", "Starting", "Trying the model"}, "a step of it; which is chance"
    told = ui.detailText.plainText
    report = told[told.index("Report of the try:") :]
    assert "segment: " in report
    harness.click(ui.tryButton)
    assert harness.wait_until(lambda: models.state.stage not in ("", "start", "check"), LONG)
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: not models.busy, 2_000)
    assert ui.messageLabel.text == "Stopped. Nothing was changed."


def use_record(title: str) -> None:
    """A trust record of 30 invented patients for exactly this model."""
    folder = Path(next(one for one in library.catalogue() if one.title == title).folder)
    manifest = read_manifest(folder)
    a_record(
        model=title,
        weights_sha256=manifest.ref.weights_sha256,
        preprocessing_sha256=preprocessing_of(manifest),
        structures=(a_structure(),),
    ).save(records_folder())


def test_the_trust_record_of_a_model_is_drawn_with_its_scope(
    harness: Harness, module: Any, data: Path, tmp_path: Path, keep_screenshot: Callable[[Path, str], None]
) -> None:
    ui, models = module.widget.ui, module.widget.logic.models
    take_in(harness, module, a_source(data / "first", version="1.0"))
    assert not ui.pictureButton.enabled, "there is no record to draw"
    use_record("phantom@1.0")
    press(harness, module, "refresh")
    assert "calibrated on 24 patients: Brain" in ui.detailText.plainText
    press(harness, module, "picture")
    assert ui.messageLabel.text == "The trust record of phantom@1.0 is drawn."
    assert [ui.pictureSelector.itemText(row) for row in range(ui.pictureSelector.count)] == [
        "Brain: are stated probabilities kept?",
        "Brain: how far volumes err",
        "Brain: is the Dice foreseen?",
    ]
    ui.pictureSelector.setCurrentIndex(1)
    assert "conformal interval" in ui.recordLabel.text
    assert "24 patients, 30 images; for MR, MAKER A, Maker B." in ui.recordLabel.text
    assert unwrap(ui.recordPicture).pixmap().width() > 300
    ui.pictureSelector.setCurrentIndex(0)
    keep_screenshot(
        harness.grab(module.parent, tmp_path / "MedAIModels-record.png", size=(500, 1340)), "MedAIModels-record.png"
    )
    files = [Path(one.file) for one in models.pictures]
    assert all(file.is_file() for file in files)
    take_in(harness, module, a_source(data / "second", version="2.0"))
    assert ui.recordLabel.isHidden(), "pictures of one version do not stand below another"
    module.widget.cleanup()
    assert not any(file.exists() for file in files)


def test_of_several_versions_each_has_its_own_files_consent_size_and_end(
    harness: Harness, module: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = module.widget.ui
    take_in(harness, module, with_code(a_source(data / "first", version="1.0")))
    take_in(harness, module, with_code(a_source(data / "second", version="2.0")))

    def states() -> dict[str, str]:
        table = ui.modelsTable
        return {table.item(row, 0).text(): table.item(row, 3).text() for row in range(table.rowCount)}

    def choose(title: str) -> None:
        ui.modelsTable.setCurrentCell(shown(module).index(title), 0)

    assert all(text.startswith("waits for consent") for text in states().values())
    choose("phantom@1.0")
    ui.wordEdit.setText("Jane van Roe read 1.0")
    press(harness, module, "agree")
    assert not states()["phantom@1.0"].startswith("waits")
    assert states()["phantom@2.0"].startswith("waits"), "a word for one version is none for another"
    folders = {one.title: Path(one.folder) for one in library.catalogue()}
    (folders["phantom@2.0"] / "models" / "model.pt").write_bytes(b"changed")
    press(harness, module, "verify")
    assert "phantom@2.0" in ui.messageLabel.text
    assert "phantom@1.0" not in ui.messageLabel.text
    sizes = {one.title: one.size for one in library.catalogue()}
    assert sizes["phantom@1.0"] > sizes["phantom@2.0"] > 0
    answer(monkeypatch, yes=True)
    choose("phantom@2.0")
    press(harness, module, "remove")
    assert shown(module) == ["phantom@1.0"]
    assert not folders["phantom@2.0"].exists()
    assert folders["phantom@1.0"].is_dir()
    assert "in use" in states()["phantom@1.0"]


def test_what_is_no_model_is_refused_and_what_was_typed_stays(harness: Harness, module: Any, data: Path) -> None:
    ui = module.widget.ui
    ui.modalityEdit.setText("ct")
    (data / "empty").mkdir()
    take_in(harness, module, data / "empty")
    assert "no MONAI bundle" in ui.messageLabel.text
    assert (ui.modalityEdit.text, ui.folderSelector.currentPath) == ("ct", str(data / "empty"))
    assert library.catalogue() == []


def test_a_source_is_one_place(module: Any, data: Path) -> None:
    ui, asked = module.widget.ui, module.widget.logic.models
    ui.folderSelector.setCurrentPath(str(data))
    ui.zooEdit.setText("spleen")
    assert (asked.state.incoming.source, asked.state.incoming.zoo, ui.folderSelector.currentPath) == ("", "spleen", "")
    ui.folderSelector.setCurrentPath(str(data))
    assert (asked.state.incoming.source, asked.state.incoming.zoo, ui.zooEdit.text) == (str(data), "", "")


def test_nothing_asks_the_network_without_a_yes(harness: Harness, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, yes=False)
    press(harness, module, "fetch")
    assert "Python Package Index" in asked[0]
    assert module.widget.logic.models.state.doing == "list"


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX processes")
@pytest.mark.cold_children
def test_cancelling_stops_within_two_seconds_and_a_dead_child_is_told(
    harness: Harness, module: Any, data: Path
) -> None:
    models = module.widget.logic.models
    harness.click(module.widget.ui.refreshButton)
    assert models.busy
    harness.click(module.widget.ui.cancelButton)
    assert harness.wait_until(lambda: not models.busy, 2_000)
    assert models.state.phase is Phase.CANCELLED
    harness.click(module.widget.ui.refreshButton)
    child = models._working._process.pid
    os.kill(child, signal.SIGKILL)
    until_idle(harness, module)
    assert models.state.phase is Phase.FAILED
    assert "ended before it was done" in module.widget.ui.messageLabel.text
    assert subprocess.run(["ps", "-p", str(child)], capture_output=True).returncode != 0
    press(harness, module, "refresh")
    assert models.state.phase is Phase.IDLE


def test_closing_the_scene_and_unloading_leave_nothing(harness: Harness, module: Any) -> None:
    import slicer

    slicer.mrmlScene.Clear(0)
    module.exit()
    module.enter()
    until_idle(harness, module)
    assert module.widget._parameterNode is not None
    before = module.widget
    module.close()
    assert list(before.Observations) == []


def test_the_self_test_passes_on_the_stand_in(module: Any) -> None:
    module.python.MedAIModelsTest().runTest()
