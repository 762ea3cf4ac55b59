"""The module MedAI, as a person uses it: choose, run, cancel, look, open the report."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from slicermedai import Label, Volume
from slicermedai.app.installing import InstallStep
from slicermedai.app.state import Phase, RunState
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import ANATOMY, BRAIN
from Testing.app import reviews
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.opening import at_rest
from Testing.modules.tasks import children as started
from Testing.modules.tasks import lives
from Testing.recorded.left import leave
from Testing.recorded.player import ESTIMATE, TRUST, Player

MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAI.py"
LONG = 120_000


def a_bundle(name: str) -> BundleRef:
    label = Label(name="Brain", category=ANATOMY, type=BRAIN)
    return BundleRef(
        name=name, version="1", path="p", task="segmentation", modality=("MR",), weights="w", weights_sha256="ab" * 32,
        labels=((1, label),),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def children(player: Player) -> Player:
    """Of all children those that run a model are real ones."""
    return player


@cache
def a_head(spacing: float) -> tuple[Volume, Any]:
    """A generated head of voxels of ``spacing`` mm, and its brain."""
    volume, truth = head_phantom(covering("SPL", spacing=(spacing, spacing, spacing)))
    return replace(volume, name="T1 head"), truth["brain"]


@pytest.fixture
def head() -> Volume:
    """A generated head of 8 mm."""
    return a_head(8.0)[0]


@pytest.fixture
def head_node(medai: Any, head: Volume) -> Any:
    """The head, loaded into the scene."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    return volume_to_node(head, slicer.mrmlScene)


@pytest.fixture
def fine_head(medai: Any) -> Any:
    """A head of 2 mm, loaded into the scene."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    return volume_to_node(a_head(2.0)[0], slicer.mrmlScene)


@pytest.fixture
def tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A home of the test's own, with a model of one convolution; its title."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    write_tiny_bundle(tmp_path / "home" / "models" / "tiny@0.1")
    return "tiny@0.1"


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "empty"))


def test_without_a_model_it_opens_explains_and_offers_to_install(no_model: None, medai: Any) -> None:
    ui = medai.widget.ui
    assert not ui.runButton.enabled
    assert "No model is installed" in ui.messageLabel.text
    assert ui.installButton.visible
    assert "not a medical device" in ui.noticeLabel.text.lower()


def test_a_model_and_a_volume_make_it_ready(
    brain_model: None, harness: Harness, medai: Any, head_node: Any, children: Player
) -> None:
    ui = medai.widget.ui
    children.answers_itself(TRUST)
    ui.volumeSelector.setCurrentNode(head_node)
    assert ui.runButton.enabled
    assert ui.messageLabel.text == "Ready."
    assert "MIT" in ui.modelDescription.text
    assert "Made for: MR of the head." in ui.modelDescription.text
    assert harness.wait_until(lambda: not medai.widget.logic.trust.busy, LONG)
    assert ui.trustLabel.text == (
        "Confidence: not calibrated. No trust record is in use for this model and its preprocessing."
    )
    ui.volumeSelector.setCurrentNode(None)
    assert not ui.runButton.enabled


def test_a_run_shows_its_result_and_never_stalls_the_window(
    brain_model: None,
    harness: Harness,
    medai: Any,
    fine_head: Any,
    children: Player,
    tmp_path: Path,
    keep_screenshot: Callable[[Path, str], None],
) -> None:
    import slicer

    ui = medai.widget.ui
    children.answers_itself(ESTIMATE)
    ui.volumeSelector.setCurrentNode(fine_head)
    presenter = medai.widget.logic.presenter
    stages, stalls = list[str](), list[float]()

    def look(state: RunState) -> None:
        stages.append(state.stage)
        if state.phase is Phase.RUNNING:
            stalls.append(harness.max_stall_ms)

    unwrap(medai.parent).resize(660, 1000)
    harness.process(20)
    assert harness.wait_until(lambda: not medai.widget.logic.estimates.busy, LONG)
    assert medai.widget.logic.estimates.state.estimate is not None
    harness.click(ui.runButton)
    harness.reset_stall()
    presenter.changed.connect(look)
    with harness.python_threads_frozen():
        assert harness.wait_until(lambda: at_rest(medai), LONG)
    assert len(stalls) > 3
    assert max(stalls) < 100
    assert presenter.state.phase.value == "done", presenter.state.message
    assert "segment" in stages
    measured = presenter.state.result.findings[0].measurements
    assert [ui.findingsTable.item(n, 1).text() for n in range(ui.findingsTable.rowCount)] == [m.title for m in measured]
    assert ui.findingsTable.item(0, 1).text() == "Volume"
    assert ui.findingsTable.item(0, 4).text() == "not calibrated"
    segmentation = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert ui.reportButton.enabled
    page = medai.widget.logic.report()
    assert page.read_text(encoding="utf-8").count("<img") >= 4
    picture = harness.grab(medai.parent, tmp_path / "MedAI.png", size=(660, 760))
    keep_screenshot(picture, "MedAI.png")


@pytest.mark.usefixtures("warm_networks")
@pytest.mark.parametrize(
    ("button", "next_module"), [("review", "MedAIReview"), ("plan", "MedAIPlan"), ("pass", "MedAIReport")]
)
def test_the_next_step_opens_this_runs_result(
    harness: Harness, medai: Any, tmp_path: Path, button: str, next_module: str
) -> None:
    import slicer

    later = harness.load_module(MODULE.with_name(f"{next_module}.py"))
    run = reviews.a_run(tmp_path / "run", reviews.a_head())
    presenter = medai.widget.logic.presenter
    presenter._set(phase=Phase.DONE, folder=run)
    harness.click(getattr(medai.widget.ui, f"{button}Button"))
    assert slicer.util.selectedModule() == next_module
    assert later.widget.ui.folderSelector.currentPath == str(run)
    assert harness.wait_until(lambda: not any(one.busy for one in later.widget.presenters()), LONG)
    table = later.widget.ui.rolesTable if button == "plan" else later.widget.ui.findingsTable
    assert table.rowCount == (2 if button == "plan" else 3)
    later.close()


def choose(box: Any, index: int) -> None:
    """As a person does, who picks from the list."""
    box.setCurrentIndex(index)
    unwrap(box).activated.emit(index)


def test_devices_are_listed_and_the_choice_is_remembered(harness: Harness, medai: Any, tmp_path: Path) -> None:
    ui, logic = medai.widget.ui, medai.widget.logic
    assert not logic.devices.busy, "no torch is loaded before anybody asks"
    ui.optionsSection.collapsed = False
    assert logic.devices.busy
    assert harness.wait_until(lambda: not logic.devices.busy, LONG)
    assert ui.deviceSelector.itemText(1).startswith("CPU: ")
    choose(ui.deviceSelector, 1)
    ui.parentSelector.setCurrentPath(str(tmp_path))
    choose(ui.samplesSelector, ui.samplesSelector.findData("flips"))
    ui.stabilitySpinBox.value = 2
    asked = logic.presenter.state.options
    assert (asked.device, asked.parent, asked.samples, asked.stability) == ("cpu", str(tmp_path), "flips", 2)
    medai.cleanup()
    again = harness.load_module(MODULE)
    asked = again.widget.logic.presenter.state.options
    assert (asked.device, asked.parent, asked.samples) == ("cpu", str(tmp_path), "none")
    assert again.widget.ui.deviceSelector.currentText == "cpu"
    again.close()


def test_unloading_while_something_goes_on_ends_it_and_tells_no_panel(harness: Harness, places: Path) -> None:
    loaded = harness.load_module(MODULE)
    devices = loaded.widget.logic.devices
    devices.look()
    assert devices.busy
    loaded.close()
    assert harness.wait_until(lambda: not devices.busy, 2_000)
    assert devices.state.phase is not Phase.RUNNING


def test_an_installation_that_outlives_its_panel_tells_it_nothing(harness: Harness, places: Path) -> None:
    loaded = harness.load_module(MODULE)
    presenter = loaded.widget.logic.presenter
    presenter.install([InstallStep(what="a nap", arguments=("-c", "import time; time.sleep(0.5)"))])
    assert presenter.busy
    loaded.close()
    assert harness.wait_until(lambda: at_rest(loaded), 5_000)
    assert harness.strict_log == []


def test_the_preset_waits_for_the_pseudonymous_route(harness: Harness, medai: Any) -> None:
    ui = medai.widget.ui
    assert not ui.presetSelector.enabled
    harness.click(ui.deidentifyCheckBox)
    assert ui.presetSelector.enabled
    choose(ui.presetSelector, ui.presetSelector.findData("research"))
    assert medai.widget.logic.presenter.state.options.preset == "research"


def test_no_two_widgets_have_the_same_access_key() -> None:
    form = ElementTree.parse(MODULE.parent / "Resources" / "UI" / "MedAI.ui")
    texts = [text.text or "" for text in form.findall(".//widget/property[@name='text']/string")]
    keys = [text[text.index("&") + 1].lower() for text in texts if "&" in text]
    assert len(keys) > 8
    assert len(keys) == len(set(keys))


@pytest.mark.usefixtures("warm_networks")
def test_a_pseudonymous_result_is_shown_without_the_identified_node(
    tiny_model: str, harness: Harness, medai: Any, head_node: Any, tmp_path: Path
) -> None:
    import slicer

    head_node.SetName("Quillfeather T1")
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    ui.deidentifyCheckBox.checked = True
    ui.volumeSelector.setCurrentNode(head_node)
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(None)
    assert harness.wait_until(lambda: at_rest(medai), LONG)
    assert presenter.state.phase is Phase.DONE, presenter.state.message
    images = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert len(images) == 2
    assert [node.GetName() for node in images].count("Quillfeather T1") == 1
    medai.widget.logic.report()
    leaks = [path for path in presenter.state.folder.rglob("*") if path.is_file() and b"Quillfeather" in _bytes(path)]
    assert leaks == []


def _bytes(path: Path) -> bytes:
    """The file's bytes, those of its members too where it is a zip."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(name.encode() + archive.read(name) for name in archive.namelist())


def test_cancelling_stops_within_two_seconds_and_leaves_nothing(
    brain_model: None, harness: Harness, medai: Any, head_node: Any, places: Path
) -> None:
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(head_node)
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: presenter.state.stage not in ("start", ""), LONG)
    begun = started()
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: at_rest(medai), 2000)
    assert presenter.state.phase.value == "cancelled"
    assert begun and not any(map(lives, begun))
    assert list(places.iterdir()) == []
    assert ui.runButton.enabled


@pytest.mark.usefixtures("warm_networks")
def test_a_folder_that_holds_no_image_is_explained(
    brain_model: None, harness: Harness, medai: Any, tmp_path: Path
) -> None:
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    (tmp_path / "empty study").mkdir()
    ui.folderSelector.setCurrentPath(str(tmp_path / "empty study"))
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: at_rest(medai), LONG)
    assert presenter.state.phase.value == "failed"
    assert "empty study" in ui.messageLabel.text


def test_choosing_one_kind_of_source_lets_go_of_the_others(
    brain_model: None, medai: Any, head_node: Any, tmp_path: Path
) -> None:
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(head_node)
    ui.folderSelector.setCurrentPath(str(tmp_path))
    assert ui.volumeSelector.currentNode() is None
    assert presenter.source == str(tmp_path)
    ui.volumeSelector.setCurrentNode(head_node)
    assert ui.folderSelector.currentPath == ""
    assert presenter.source is head_node


class Database:
    """Slicer's DICOM database at the process edge, as much of it as the module uses; series as UID: modality."""

    isOpen = True

    def __init__(self, series: dict[str, str], files: list[Path]) -> None:
        self.series = series
        self.files = files

    def patients(self) -> list[str]:
        return ["1"]

    def studiesForPatient(self, patient: str) -> list[str]:
        return ["1.2"]

    def seriesForStudy(self, study: str) -> list[str]:
        return list(self.series)

    def nameForPatient(self, patient: str) -> str:
        return "Invented"

    def studyForSeries(self, series: str) -> str:
        return "1.2"

    def descriptionForSeries(self, series: str) -> str:
        return f"{self.series[series]} {series}".strip()

    def fieldForSeries(self, field: str, series: str) -> str:
        assert field in ("Modality", "BodyPartExamined")
        return self.series[series] if field == "Modality" else ""

    def filesForSeries(self, series: str) -> list[str]:
        return [str(path) for path in self.files]


@pytest.fixture
def database(
    harness: Harness, head: Volume, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """Two image series, one without a modality, and results that are no images."""
    import slicer

    files = sorted((tmp_path_factory.getbasetemp() / "one series").glob("*.dcm"))
    files = files or write_series(replace(head, name="T1"), tmp_path_factory.getbasetemp() / "one series")
    made = Database({"1.1": "MR", "1.2": "SEG", "1.3": "SR", "1.4": "CT", "1.5": "RTSTRUCT", "1.6": ""}, files)
    monkeypatch.setattr(slicer, "dicomDatabase", made)
    return made


def choose_series(medai: Any, index: int) -> None:
    """What Qt does when a person picks an entry."""
    medai.widget.ui.seriesSelector.setCurrentIndex(index)
    medai.widget.onSeriesChosen(index)


def test_the_database_used_here_offers_what_slicers_own_does() -> None:
    from Testing.Harness import facts

    for name in [name for name in vars(Database) if not name.startswith("_")]:
        found = facts.member("ctkDICOMDatabase", name)
        assert found is not None, name
        count = len(signature(getattr(Database, name)).parameters) - 1 if found.kind == "method" else 0
        assert found.kind == "property" or count in [len(arguments) for _, arguments in found.overloads], name


def test_a_series_of_the_database_goes_in_as_its_files(brain_model: None, medai: Any, database: Database) -> None:
    medai.widget.refresh()
    ui = medai.widget.ui
    assert ui.seriesSelector.itemText(1) == "Invented – MR 1.1"
    choose_series(medai, 1)
    assert medai.widget.logic.presenter.source == database.files
    assert ui.runButton.enabled
    choose_series(medai, 0)
    assert medai.widget.logic.presenter.source is None
    assert not ui.runButton.enabled


def test_only_series_of_images_are_offered(medai: Any, database: Database) -> None:
    medai.widget.refresh()
    box = medai.widget.ui.seriesSelector
    assert [box.itemData(index) for index in range(box.count)] == ["", "1.1", "1.4", "1.6"]


def test_coming_back_keeps_the_series_that_is_shown(brain_model: None, medai: Any, database: Database) -> None:
    medai.widget.refresh()
    choose_series(medai, 2)
    medai.exit()
    database.series = {"0.9": "MR", **database.series}
    medai.enter()
    box, presenter = medai.widget.ui.seriesSelector, medai.widget.logic.presenter
    assert box.itemData(box.currentIndex) == "1.4"
    assert presenter.state.series == "1.4"
    assert presenter.source == database.files


def test_a_series_that_is_gone_is_no_longer_the_source(brain_model: None, medai: Any, database: Database) -> None:
    medai.widget.refresh()
    choose_series(medai, 2)
    medai.exit()
    del database.series["1.4"]
    medai.enter()
    assert medai.widget.ui.seriesSelector.currentIndex == 0
    assert medai.widget.logic.presenter.source is None
    assert not medai.widget.ui.runButton.enabled


def test_coming_back_keeps_the_chosen_model(no_model: None, medai: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    presenter = medai.widget.logic.presenter
    monkeypatch.setattr(presenter, "_list", lambda: [a_bundle("brain"), a_bundle("spleen")])
    medai.widget.refresh()
    box = medai.widget.ui.modelSelector
    assert box.currentText == "brain@1"
    box.setCurrentIndex(1)
    assert presenter.state.bundle.title == "spleen@1"
    medai.exit()
    medai.enter()
    assert box.currentText == "spleen@1"
    assert presenter.state.bundle.title == "spleen@1"


def test_emptying_the_folder_leaves_no_source(brain_model: None, medai: Any, tmp_path: Path) -> None:
    ui = medai.widget.ui
    ui.folderSelector.setCurrentPath(str(tmp_path))
    assert ui.runButton.enabled
    ui.folderSelector.setCurrentPath("")
    assert medai.widget.logic.presenter.source is None
    assert not ui.runButton.enabled


def test_without_slicers_dicom_module_there_are_no_series(
    harness: Harness, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    from Testing.modules.conftest import MODULE

    monkeypatch.delattr(slicer, "dicomDatabase")
    loaded = harness.load_module(MODULE)
    assert loaded.widget.ui.seriesSelector.count == 1
    loaded.close()


def test_it_is_loaded_after_slicers_dicom_module(medai: Any) -> None:
    assert list(medai.module.parent.dependencies) == ["DICOM"]


# --- installing ------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_torch(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer's Python lacks all that the library needs."""
    from Testing.Harness.pythonqt import slicer_modules

    monkeypatch.setitem(slicer_modules.RETURNED, "packaging.pip_check", False)


CHATTY = "for n in range(40):\n    print(f'Collecting part {n}', flush=True)\n    time.sleep(0.02)\n"


def test_installing_asks_first_and_a_refusal_installs_nothing(
    no_model: None, no_torch: None, harness: Harness, medai: Any, installer: Callable[[str], Path]
) -> None:
    noted = installer(CHATTY)
    harness.dialogs.answer("cancel")
    harness.click(medai.widget.ui.installButton)
    assert harness.wait_until(lambda: at_rest(medai), 30_000)
    (asked,) = harness.dialogs.shown
    assert "torch>=2.8" in asked.text
    assert "the brain model" in asked.text
    assert "the build cu130 (RTX 4090 with driver 581.29)" in asked.text
    assert not medai.widget.logic.presenter.busy
    assert not noted.exists()


def test_the_window_lives_while_it_installs(
    no_model: None, no_torch: None, harness: Harness, medai: Any, installer: Callable[[str], Path]
) -> None:
    noted = installer(CHATTY)
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    seen = list[str]()
    presenter.changed.connect(lambda state: seen.append(ui.messageLabel.text))
    harness.dialogs.answer("ok")
    harness.process(50)
    harness.reset_stall()
    harness.call(harness.click, ui.installButton)
    assert not ui.installButton.enabled
    assert not ui.folderSelector.enabled
    assert ui.cancelButton.enabled
    with harness.python_threads_frozen():
        assert harness.wait_until(lambda: at_rest(medai), 30_000)
    assert harness.max_stall_ms < 100
    assert len({text for text in seen if "Collecting part" in text}) > 3
    asked = [line.split() for line in noted.read_text().splitlines()]
    assert [words[:4] for words in asked] == [
        ["-m", "slicermedai", "packages", "install"], ["-m", "slicermedai", "bundle", "fetch"],
    ]  # fmt: skip
    assert {"torch>=2.8", "monai>=1.6.1"} <= set(asked[0])
    assert ui.messageLabel.text.startswith("Installed: PyTorch, MONAI and what they need; the brain model.")
    assert ui.installButton.enabled
    assert ui.folderSelector.enabled


def test_what_is_missing_is_named_although_there_is_a_model(
    brain_model: None, no_torch: None, harness: Harness, medai: Any, installer: Callable[[str], Path]
) -> None:
    noted = installer("")
    ui = medai.widget.ui
    assert ui.installButton.visible
    assert ui.installButton.text == "Install torch>=2.8, torchvision>=0.23, monai>=1.6.1 and 5 more"
    assert "torch>=2.8" in ui.messageLabel.text
    harness.dialogs.answer("ok")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: at_rest(medai), 30_000)
    assert "bundle" not in noted.read_text()


def test_where_nothing_is_missing_there_is_nothing_to_install(brain_model: None, medai: Any) -> None:
    assert not medai.widget.ui.installButton.visible


def test_an_installation_is_cancelled_within_two_seconds(
    no_model: None, harness: Harness, medai: Any, installer: Callable[[str], Path]
) -> None:
    installer("print('waiting', flush=True)\ntime.sleep(60)\n")
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    harness.dialogs.answer("ok")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: "waiting" in ui.messageLabel.text, 30_000)
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: at_rest(medai), 2000)
    assert presenter.state.phase is Phase.CANCELLED
    assert ui.messageLabel.text.startswith("Stopped.")
    assert ui.installButton.enabled
    assert not ui.cancelButton.enabled


def test_an_installation_that_fails_is_told_in_words(
    no_model: None, harness: Harness, medai: Any, installer: Callable[[str], Path]
) -> None:
    installer("print('ERROR: Network is unreachable', file=sys.stderr)\nsys.exit(1)\n")
    ui = medai.widget.ui
    harness.dialogs.answer("ok")
    harness.click(ui.installButton)
    assert harness.wait_until(lambda: at_rest(medai), 30_000)
    assert "Network is unreachable. Check that this computer reaches the network" in ui.messageLabel.text
    assert "Installed" not in ui.messageLabel.text
    assert ui.installButton.enabled


def test_leaving_the_module_for_good_ends_its_installer(
    no_model: None, harness: Harness, medai: Any, installer: Callable[[str], Path]
) -> None:
    from slicermedai.jobs import command

    installer("time.sleep(60)\n")
    harness.dialogs.answer("ok")
    harness.click(medai.widget.ui.installButton)
    (running,) = command._running
    medai.widget.cleanup()
    assert running.cancelled
    running.close()


def test_every_sentence_that_is_shown_can_be_translated(
    no_model: None, no_torch: None, harness: Harness, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``slicer.app.translate`` marks what it was asked for."""
    from slicer import i18n

    from Testing.modules.conftest import MODULE

    monkeypatch.setattr(i18n, "translate", lambda context, text: f"<{context}:{text}>")
    loaded = harness.load_module(MODULE)
    loaded.parent.show()
    loaded.enter()
    ui = loaded.widget.ui
    assert ui.messageLabel.text == "<MedAI:No model is installed yet. Install one to begin.>"
    assert ui.installButton.text.startswith("<MedAI:Install ")
    assert ui.findingsTable.horizontalHeaderItem(0).text() == "<MedAI:Finding>"
    loaded.close()


# --- while a job runs ------------------------------------------------------------------------------------------------


def test_while_a_job_runs_the_next_one_can_be_chosen_and_nothing_else_be_started(
    brain_model: None, harness: Harness, medai: Any, head_node: Any
) -> None:
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    inputs = (ui.volumeSelector, ui.seriesSelector, ui.folderSelector, ui.modelSelector, ui.deidentifyCheckBox)
    ui.volumeSelector.setCurrentNode(head_node)
    assert all(widget.enabled for widget in inputs)
    assert not ui.addButton.enabled
    harness.click(ui.runButton)
    assert all(widget.enabled for widget in inputs)
    assert (ui.runButton.enabled, ui.addButton.enabled, ui.installButton.enabled) == (False, True, False)
    harness.click(ui.cancelButton)
    assert presenter.busy
    assert not ui.runButton.enabled
    assert harness.wait_until(lambda: at_rest(medai), 2000)
    assert (ui.runButton.enabled, ui.addButton.enabled) == (True, False)


# --- the module's self test, run on the stand-in ---------------------------------------------------------------------


@pytest.fixture
def sample_data(monkeypatch: pytest.MonkeyPatch, head: Volume) -> list[str]:
    """Slicer's module SampleData at the process edge: a generated head whatever is asked for; notes what was."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    asked = list[str]()
    module = ModuleType("SampleData")

    def download(name: str) -> Any:
        asked.append(name)
        return volume_to_node(replace(head, name=name), slicer.mrmlScene)

    vars(module)["downloadSample"] = download
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return asked


def test_the_modules_self_test_passes_on_the_stand_in(
    brain_model: None, medai: Any, sample_data: list[str], children: Player, tmp_path: Path
) -> None:
    children.play("tiny", leaves=leave(tmp_path / "left", *a_head(8.0)), when={"bundle": "brain"})
    medai.module.runTest()
    assert sample_data == ["MRHead"]
    assert [job["bundle"].partition("@")[0] for job in children.jobs] == ["brain"]


def test_the_modules_self_test_does_not_wait_for_ever(
    brain_model: None, medai: Any, sample_data: list[str], monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    assert medai.python.SELF_TEST_SECONDS == 600
    monkeypatch.setattr(medai.python, "SELF_TEST_SECONDS", 0.2)
    with pytest.raises(AssertionError, match="took too long"):
        medai.module.runTest()
    assert list(places.iterdir()) == []


def test_closing_the_scene_leaves_a_working_panel(
    brain_model: None, harness: Harness, medai: Any, head: Volume
) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    slicer.mrmlScene.Clear(0)
    harness.process(20)
    node = volume_to_node(head, slicer.mrmlScene)
    medai.widget.ui.volumeSelector.setCurrentNode(node)
    assert medai.widget.ui.runButton.enabled


def test_the_route_is_what_the_box_says(brain_model: None, medai: Any) -> None:
    presenter = medai.widget.logic.presenter
    medai.widget.ui.deidentifyCheckBox.checked = True
    assert presenter.state.identity == "deidentify"
    medai.widget.ui.deidentifyCheckBox.checked = False
    assert presenter.state.identity == "keep"


def test_loading_the_module_loads_nothing_heavy(harness: Harness) -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from Testing.Harness import install; h = install();"
        f"m = h.load_module(Path({str(Path(__file__).resolve().parents[2] / 'SlicerMedAI' / 'MedAI.py')!r}));"
        "print([n for n in ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom') if n in sys.modules]);"
        "m.close(); h.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
