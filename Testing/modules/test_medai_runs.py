"""The module MedAI with real clicks: what a run would take, models of several images, runs that wait for their turn."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app import estimates
from slicermedai.app.state import Phase
from slicermedai.domain.study import Study
from slicermedai.errors import GeometryError
from Testing.app.test_guided_run import PlannedJob, a_result
from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import change_json, write_folded_bundle, write_tiny_bundle
from Testing.inference.zoo import write_zoo_bundle
from Testing.modules.conftest import MODULE
from Testing.modules.opening import at_rest
from Testing.recorded.left import leave, leave_speed
from Testing.recorded.player import Player, recorded
from Testing.recorded.real import CONTRASTS as NAMES
from Testing.recorded.real import GRID

FROM_MEMORY = {"source": "/inputs"}
"""What tells the jobs of volumes from those of folders."""
LONG = 120_000
SOON = 2_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data of the test's own: a model of one image, and one of four."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(estimates, "PAUSE", 0.05)
    write_tiny_bundle(tmp_path / "home" / "models" / "tiny@0.1")
    write_zoo_bundle(tmp_path / "home" / "models" / "of_several_channels@0.1", "of_several_channels")
    return tmp_path / "home"


@pytest.fixture
def panel(home: Path, player: Player, harness: Harness, places: Path) -> Iterator[Any]:
    """The module, loaded and entered, with the model of one image chosen."""
    loaded = harness.load_module(MODULE)
    loaded.parent.show()
    loaded.enter()
    loaded.widget.ui.modelSelector.setCurrentIndex(loaded.widget.ui.modelSelector.findData("tiny@0.1"))
    yield loaded
    loaded.close()
    harness.wait_until(lambda: not any(one.busy for one in loaded.widget.presenters()), SOON)


@pytest.fixture
def volumes(panel: Any) -> list[Any]:
    """Four volumes of one grid and one study in the scene, called as contrasts are."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    body, _ = body_on(GRID)
    study = Study(study_uid="1.2", patient_id="A")
    return [volume_to_node(replace(body, name=f"AX {name} TSE"), slicer.mrmlScene, study=study) for name in NAMES]


@pytest.fixture
def played(player: Player, tmp_path: Path) -> Player:
    """Runs of volumes are played, and leave the region that the tiny model finds; the first one has a result apart."""
    for earlier, name in enumerate(("first", "later")):
        player.play("tiny", leaves=leave(tmp_path / name, *body_on(GRID)), when=FROM_MEMORY, after=earlier)
    return player


def choose(box: Any, data: str) -> None:
    """As a person does, who picks from the list."""
    box.setCurrentIndex(box.findData(data))
    unwrap(box).activated.emit(box.currentIndex)


def cells(table: Any) -> list[list[str]]:
    return [[table.item(row, n).text() for n in range(table.columnCount)] for row in range(table.rowCount)]


def segmentations() -> int:
    import slicer

    return len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))


# --- time and memory -------------------------------------------------------------------------------------------------


def test_time_and_memory_are_told_before_the_run_and_the_time_only_after_one_was_made(
    harness: Harness, panel: Any, volumes: list[Any], player: Player, tmp_path: Path
) -> None:
    ui, logic = panel.widget.ui, panel.widget.logic
    (said,) = [one["said"]["answer"] for one in recorded()["estimates"] if one["when"] == {"bundle": "tiny"}]
    at_home = str(leave_speed(tmp_path / "at home", said, seconds=7.0))
    player.play("tiny", leaves=leave(tmp_path / "left", *body_on(GRID)), when=FROM_MEMORY, at_home=at_home)
    assert ui.estimateLabel.isHidden()
    harness.process(50)
    harness.reset_stall()
    harness.call(ui.volumeSelector.setCurrentNode, volumes[0])
    assert ui.estimateLabel.text == "Estimating time and memory ..."
    with harness.python_threads_frozen():
        assert harness.wait_until(lambda: not logic.estimates.busy, LONG)
    assert harness.max_stall_ms < 100
    assert ui.estimateLabel.text.startswith("No run like this one of this model here yet: its time is not known.")
    assert "Peak memory about 0.4 GB" in ui.estimateLabel.text
    assert " MFLOP." in ui.estimateLabel.text
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert logic.presenter.state.phase is Phase.DONE, logic.presenter.state.message
    assert ui.estimateLabel.text.startswith("Estimated for this machine: ")
    assert "as 1 run here took" in ui.estimateLabel.text


def test_folds_and_dropout_are_offered_where_the_model_has_them_and_else_is_said_why(
    harness: Harness, panel: Any, volumes: list[Any], home: Path
) -> None:
    ui, logic = panel.widget.ui, panel.widget.logic
    change_json(write_folded_bundle(home / "models" / "folded@0.1") / "medai.json", name="folded")
    panel.widget.refresh()
    ui.optionsSection.collapsed = False

    def offered() -> list[str]:
        return [ui.samplesSelector.itemData(row) for row in range(ui.samplesSelector.count)]

    assert offered() == ["none", "flips"]
    assert "known once time and memory are" in ui.samplesLabel.text
    ui.modelSelector.setCurrentIndex(ui.modelSelector.findData("folded@0.1"))
    ui.volumeSelector.setCurrentNode(volumes[0])
    assert harness.wait_until(lambda: ui.samplesSelector.count == 3, LONG)
    assert offered() == ["none", "flips", "folds"]
    assert "no dropout layer" in ui.samplesLabel.text
    choose(ui.samplesSelector, "folds")
    assert logic.presenter.state.options.samples == "folds"
    ui.modelSelector.setCurrentIndex(ui.modelSelector.findData("tiny@0.1"))
    assert ui.samplesSelector.itemData(ui.samplesSelector.currentIndex) == "folds", "no choice changes silently"
    assert harness.wait_until(lambda: "no folds" in ui.messageLabel.text, LONG)
    assert not ui.runButton.enabled
    choose(ui.samplesSelector, "none")
    assert ui.runButton.enabled
    assert offered() == ["none", "flips"]


def test_without_an_image_or_what_a_run_needs_nothing_is_estimated(panel: Any, volumes: list[Any]) -> None:
    ui, logic = panel.widget.ui, panel.widget.logic
    ui.volumeSelector.setCurrentNode(volumes[0])
    assert logic.estimates.busy
    ui.volumeSelector.setCurrentNode(None)
    assert ui.estimateLabel.isHidden()
    assert logic.estimates.state.estimate is None


def test_leaving_for_good_ends_the_child_that_estimates(harness: Harness, panel: Any, volumes: list[Any]) -> None:
    logic = panel.widget.logic
    panel.widget.ui.volumeSelector.setCurrentNode(volumes[0])
    assert harness.wait_until(lambda: logic.estimates._working is not None, LONG)
    child = logic.estimates._working
    panel.widget.cleanup()
    assert harness.wait_until(lambda: child.done, SOON)


# --- several images --------------------------------------------------------------------------------------------------


def test_a_model_of_several_images_shows_what_it_takes_for_which_and_runs(
    harness: Harness,
    panel: Any,
    volumes: list[Any],
    played: Player,
    tmp_path: Path,
    keep_screenshot: Callable[[Path, str], None],
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    assert ui.inputsTable.isHidden()
    ui.volumeSelector.setCurrentNode(volumes[1])
    ui.modelSelector.setCurrentIndex(ui.modelSelector.findData("of_several_channels@0.1"))
    assert not ui.inputsTable.isHidden()
    assert cells(ui.inputsTable) == [[name, f"AX {name} TSE"] for name in NAMES]
    keep_screenshot(harness.grab(panel.parent, tmp_path / "MedAI-inputs.png", size=(460, 860)), "MedAI-inputs.png")
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert presenter.state.phase is Phase.DONE, presenter.state.message
    assert presenter.analysed is volumes[0]
    (job,) = played.jobs
    assert (job["bundle"], job["shows"]) == ("of_several_channels@0.1", "T1c")
    assert [text.partition("=")[0] for text in job["inputs"]] == ["T1", "T2", "FLAIR"]
    assert len({job["source"], *(text.partition("=")[2] for text in job["inputs"])}) == 4
    assert segmentations() == 1


def test_each_image_can_be_changed_and_a_missing_or_doubled_one_is_refused_by_name(
    harness: Harness, panel: Any, volumes: list[Any]
) -> None:
    ui = panel.widget.ui
    ui.volumeSelector.setCurrentNode(volumes[0])
    ui.modelSelector.setCurrentIndex(ui.modelSelector.findData("of_several_channels@0.1"))
    assert ui.runButton.enabled
    ui.inputsTable.setCurrentCell(2, 0)
    assert ui.inputSelector.currentText == "AX T2 TSE"
    choose(ui.inputSelector, "")
    assert ui.messageLabel.text == "Choose an image for: T2."
    assert not ui.runButton.enabled
    assert cells(ui.inputsTable)[2][1] == "none yet: choose one"
    choose(ui.inputSelector, volumes[3].GetID())
    assert ui.messageLabel.text == "T2, FLAIR have the same image: choose one for each."
    assert not ui.runButton.enabled
    choose(ui.inputSelector, volumes[2].GetID())
    assert ui.messageLabel.text == "Ready."
    assert ui.runButton.enabled


def test_volumes_of_two_patients_are_neither_suggested_together_nor_run(
    panel: Any, volumes: list[Any], harness: Harness
) -> None:
    import slicer

    from slicermedai.scene.hierarchy import file_under_study

    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    other = Study(study_uid="1.3", patient_id="B")
    for node in volumes[2:]:
        file_under_study(node, slicer.mrmlScene, other)
    ui.volumeSelector.setCurrentNode(volumes[0])
    ui.modelSelector.setCurrentIndex(ui.modelSelector.findData("of_several_channels@0.1"))
    assert [row[1] for row in cells(ui.inputsTable)[2:]] == ["none yet: choose one"] * 2
    for row in (2, 3):
        ui.inputsTable.setCurrentCell(row, 0)
        choose(ui.inputSelector, volumes[row].GetID())
    assert ui.messageLabel.text == "T2, FLAIR show another patient than T1c: choose images of one patient."
    assert not ui.runButton.enabled
    for node in volumes[2:]:
        file_under_study(node, slicer.mrmlScene, Study(study_uid="1.2"))
        choose_again(ui, volumes.index(node), node)
    assert ui.runButton.enabled
    file_under_study(volumes[3], slicer.mrmlScene, other)
    harness.click(ui.runButton)
    assert presenter.state.phase is Phase.FAILED
    assert "two patients" in ui.messageLabel.text, "what was filed elsewhere meanwhile is refused when a job is made"


def choose_again(ui: Any, row: int, node: Any) -> None:
    ui.inputsTable.setCurrentCell(row, 0)
    choose(ui.inputSelector, "")
    choose(ui.inputSelector, node.GetID())


def test_a_model_of_one_image_shows_no_table(panel: Any, volumes: list[Any]) -> None:
    ui = panel.widget.ui
    ui.volumeSelector.setCurrentNode(volumes[0])
    for name in ("of_several_channels@0.1", "tiny@0.1"):
        ui.modelSelector.setCurrentIndex(ui.modelSelector.findData(name))
    assert ui.inputsTable.isHidden() and ui.inputSelector.isHidden() and ui.inputLabel.isHidden()
    assert ui.runButton.enabled


# --- the queue -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("warm_networks")
def test_runs_wait_for_their_turn_and_one_that_fails_stops_that_one_only(
    harness: Harness,
    panel: Any,
    volumes: list[Any],
    played: Player,
    tmp_path: Path,
    keep_screenshot: Callable[[Path, str], None],
) -> None:
    ui = panel.widget.ui
    before = background()
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    assert ui.queueTable.isHidden(), "one run is no queue"
    (tmp_path / "empty").mkdir()
    ui.folderSelector.setCurrentPath(str(tmp_path / "empty"))
    harness.click(ui.addButton)
    ui.volumeSelector.setCurrentNode(volumes[1])
    harness.click(ui.addButton)
    assert [row[:3] for row in cells(ui.queueTable)] == [
        ["AX T1c TSE", "tiny@0.1", "running"],
        ["empty", "tiny@0.1", "waiting"],
        ["AX T1 TSE", "tiny@0.1", "waiting"],
    ]
    keep_screenshot(harness.grab(panel.parent, tmp_path / "MedAI-queue.png", size=(460, 980)), "MedAI-queue.png")
    with harness.python_threads_frozen():
        assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert [row[2] for row in cells(ui.queueTable)] == ["done", "failed", "done"]
    assert "empty" in cells(ui.queueTable)[1][4]
    assert segmentations() == 2
    assert background() == before, "nobody's view was taken away"
    assert harness.dialogs.shown == []


def background() -> list[Any]:
    import slicer

    return [one.GetBackgroundVolumeID() for one in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")]


def test_the_result_of_any_run_of_the_list_can_be_looked_at(
    harness: Harness, panel: Any, volumes: list[Any], played: Player
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    ui.optionsSection.collapsed = False
    assert harness.wait_until(lambda: not panel.widget.logic.devices.busy, LONG)
    choose(ui.deviceSelector, "cpu")
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(volumes[1])
    harness.click(ui.addButton)
    assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert [job["device"] for job in played.jobs] == ["cpu", "cpu"]
    first = presenter.state.folder
    assert presenter.analysed is volumes[0]
    ui.queueTable.setCurrentCell(1, 0)
    assert presenter.analysed is volumes[1]
    assert presenter.state.folder != first
    assert ui.reportButton.enabled
    assert panel.widget.logic.report().parent == presenter.state.folder


def test_what_waits_can_be_removed_and_what_runs_cannot(harness: Harness, panel: Any, volumes: list[Any]) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    for node in volumes[1:3]:
        ui.volumeSelector.setCurrentNode(node)
        harness.click(ui.addButton)
    ui.queueTable.setCurrentCell(0, 0)
    assert not ui.removeButton.enabled
    ui.queueTable.setCurrentCell(1, 0)
    harness.click(ui.removeButton)
    assert [row[0] for row in cells(ui.queueTable)] == ["AX T1c TSE", "AX T2 TSE"]
    presenter.stop_runs()
    assert harness.wait_until(lambda: at_rest(panel), SOON)


def test_closing_the_scene_stops_what_runs_and_what_waits(
    harness: Harness, panel: Any, volumes: list[Any], places: Path
) -> None:
    import slicer

    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(volumes[1])
    harness.click(ui.addButton)
    slicer.mrmlScene.Clear(0)
    assert harness.wait_until(lambda: at_rest(panel), SOON)
    assert [row.state for row in presenter.state.queue] == ["cancelled"]
    assert segmentations() == 0
    assert list(places.iterdir()) == []


def test_no_number_of_a_closed_scene_stays_and_none_stands_without_its_images_name(
    harness: Harness, panel: Any, volumes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    monkeypatch.setattr(presenter, "_submit", lambda *_, **__: PlannedJob([("read", 0.1)], a_result()))
    monkeypatch.setattr(panel.widget.logic.showing, "show", lambda order, turn=True: None)
    assert ui.resultLabel.isHidden()
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: at_rest(panel), SOON)
    assert ui.messageLabel.text.startswith("AX T1c TSE: Brain: 1957.0 ml.")
    ui.volumeSelector.setCurrentNode(volumes[1])
    assert ui.messageLabel.text == "Ready."
    assert cells(ui.findingsTable) != []
    assert not ui.resultLabel.isHidden()
    assert ui.resultLabel.text == "Of AX T1c TSE, by tiny@0.1:"
    slicer.mrmlScene.Clear(0)
    assert harness.wait_until(lambda: ui.messageLabel.text == "Choose an image.", SOON)
    assert (cells(ui.findingsTable), cells(ui.queueTable)) == ([], [])
    assert ui.resultLabel.isHidden()
    afterwards = (ui.reportButton, ui.folderButton, ui.reviewButton, ui.planButton, ui.passButton)
    assert [button.enabled for button in afterwards] == [False] * 5


def test_a_worker_that_is_killed_is_told_and_the_next_run_has_its_turn(
    harness: Harness, panel: Any, volumes: list[Any], places: Path, player: Player, tmp_path: Path
) -> None:
    """The first worker is a real one, and so is its end."""
    player.play("tiny", leaves=leave(tmp_path / "left", *body_on(GRID)), when=FROM_MEMORY, after=1)
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(volumes[1])
    harness.click(ui.addButton)
    assert harness.wait_until(lambda: len(player.jobs) == 1, LONG)
    os.kill(presenter._working._running._process.pid, signal.SIGKILL)
    assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert [row[2] for row in cells(ui.queueTable)] == ["failed", "done"]
    assert "worker" in cells(ui.queueTable)[0][4]
    assert presenter.analysed is volumes[1]
    assert segmentations() == 1
    assert list(places.iterdir()) == [presenter.state.folder], "of the killed run nothing is left"
    assert harness.dialogs.shown == []


def test_unloading_stops_what_runs_and_what_waits(
    harness: Harness, panel: Any, volumes: list[Any], places: Path
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(volumes[1])
    harness.click(ui.addButton)
    panel.widget.cleanup()
    assert harness.wait_until(lambda: at_rest(panel), SOON)
    assert [row.state for row in presenter.state.queue] == ["cancelled"]
    assert list(places.iterdir()) == []
    assert harness.strict_log == []


@pytest.mark.usefixtures("warm_networks")
def test_a_result_that_cannot_be_shown_opens_no_box_in_a_queue_and_is_told(
    harness: Harness, panel: Any, volumes: list[Any], played: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter

    def refuse(*args: Any, **more: Any) -> None:
        raise GeometryError("the image is not the one that was analysed")

    monkeypatch.setattr(panel.widget.logic.arrivals, "show", refuse)
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    ui.folderSelector.setCurrentPath(str(Path(__file__).parent / "no such folder"))
    harness.click(ui.addButton)
    said = list[str]()
    presenter.changed.connect(lambda state: said.append(state.message))
    assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert harness.dialogs.shown == []
    assert any(text.startswith("AX T1c TSE: The result could not be shown.") for text in said)
    assert presenter.state.folder is not None, "it is saved all the same"


def test_whatever_goes_wrong_while_a_result_is_shown_the_queue_goes_on_and_each_row_tells_it(
    harness: Harness, panel: Any, volumes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter

    def refuse(*args: Any, **more: Any) -> None:
        raise RuntimeError("Slicer cannot")

    monkeypatch.setattr(presenter, "_submit", lambda *_, **__: PlannedJob([("read", 0.1)], a_result()))
    monkeypatch.setattr(panel.widget.logic.arrivals, "show", refuse)
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    for node in volumes[1:3]:
        ui.volumeSelector.setCurrentNode(node)
        harness.click(ui.addButton)
    assert harness.wait_until(lambda: at_rest(panel), SOON)
    told = "The result could not be shown. RuntimeError: Slicer cannot"
    assert [(row[2], row[4]) for row in cells(ui.queueTable)] == [("done", told)] * 3
    assert harness.dialogs.shown == []
    assert harness.strict_log == []


def test_a_volume_that_left_the_scene_while_it_waited_fails_by_name(
    harness: Harness, panel: Any, volumes: list[Any], played: Player
) -> None:
    import slicer

    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    ui.volumeSelector.setCurrentNode(volumes[0])
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(volumes[1])
    harness.click(ui.addButton)
    slicer.mrmlScene.RemoveNode(volumes[1])
    assert harness.wait_until(lambda: at_rest(panel), LONG)
    assert [row.state for row in presenter.state.queue] == ["done", "failed"]
    assert "has left the scene" in presenter.state.queue[1].why


# --- the DICOM browser -----------------------------------------------------------------------------------------------


def test_without_a_browser_nothing_is_chosen_in_it(panel: Any) -> None:
    assert panel.widget.logic.chosenInBrowser().smallest == ()
