"""The module MedAI with a series over time: recognised before the run, told, run frame by frame, stopped, and shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app import estimates
from slicermedai.app.state import Phase
from slicermedai.domain.result import AnalysisResult
from Testing.fixtures.beating import beating_heart
from Testing.fixtures.series_writer import SeriesSpec, write_series
from Testing.Harness import Harness
from Testing.modules.conftest import MODULE
from Testing.modules.opening import at_rest
from Testing.modules.tasks import children, lives
from Testing.over_time.heart_bundle import write_heart_bundle
from Testing.recorded.player import Player
from Testing.recorded.real import BEAT, HEART, write_cine

LONG = 120_000
TOLD = "This is a series over time: 3 frames over time (MR, by TriggerTime, "


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    """A folder with one generated cine series."""
    return write_cine(tmp_path / "cine")


@pytest.fixture
def panel(
    harness: Harness, places: Path, player: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The module, loaded and entered, with a model of the heart."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(estimates, "PAUSE", 0.05)
    write_heart_bundle(tmp_path / "home" / "models" / "heart@0.1")
    loaded = harness.load_module(MODULE)
    loaded.parent.show()
    loaded.enter()
    yield loaded
    loaded.close()
    harness.wait_until(lambda: not any(one.busy for one in loaded.widget.presenters()), LONG)


def choose(harness: Harness, panel: Any, folder: Path) -> None:
    """The folder is chosen, and what a run would take is known."""
    panel.widget.ui.folderSelector.setCurrentPath(str(folder))
    assert harness.wait_until(lambda: not panel.widget.logic.estimates.busy, LONG)


def tick(harness: Harness, panel: Any) -> None:
    harness.click(panel.widget.ui.overTimeCheckBox)
    assert panel.widget.logic.presenter.state.options.over_time
    assert harness.wait_until(lambda: not panel.widget.logic.estimates.busy, LONG)


def run(harness: Harness, panel: Any) -> None:
    harness.click(panel.widget.ui.runButton)
    assert harness.wait_until(lambda: at_rest(panel), LONG)


@pytest.mark.usefixtures("warm_networks")
def test_a_series_over_time_is_told_before_the_run_and_refused_by_name_where_it_is_not_ticked(
    harness: Harness, panel: Any, cine: Path
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    choose(harness, panel, cine)
    assert ui.estimateLabel.text.startswith(TOLD)
    assert ui.estimateLabel.text.endswith("Tick Every frame over time, or the run will be refused.")
    run(harness, panel)
    assert presenter.state.phase is Phase.FAILED
    assert "one series over time, with 3 images of one body" in presenter.state.message
    assert presenter.state.folder is None


@pytest.mark.usefixtures("warm_networks")
def test_every_frame_is_run_and_the_frame_that_stands_for_them_is_in_the_scene_with_its_curve_in_the_report(
    harness: Harness, panel: Any, cine: Path
) -> None:
    import slicer

    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    choose(harness, panel, cine)
    tick(harness, panel)
    assert ui.estimateLabel.text.startswith("Every frame of a series over time: 3 frames over time (MR, by TriggerTime")
    assert "each is run as one image" in ui.estimateLabel.text
    stages = set[str]()
    presenter.changed.connect(lambda state: stages.add(state.stage))
    run(harness, panel)
    assert presenter.state.phase is Phase.DONE, presenter.state.message
    assert len(stages) > 3
    result = AnalysisResult.load(presenter.state.folder)
    assert result.course is not None
    assert result.moment is not None
    assert len(result.course.frames) == 3
    assert f"are of {result.moment.in_words}; the volumes of all frames stand under Over time" in ui.messageLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    image = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert slicer.util.arrayFromVolume(image).shape == result.volume_geometry.shape
    page = Path(panel.widget.logic.report()).read_text("utf-8")
    assert "Over time" in page
    assert (presenter.state.folder / "over_time.csv").is_file()


def test_a_run_over_time_is_cancelled_and_leaves_nothing(
    harness: Harness, panel: Any, cine: Path, places: Path, player: Player, tmp_path: Path
) -> None:
    player.play("heart", leaves=tmp_path / "nothing", when={"source": str(cine), "over_time": True}, hold=0.1)
    presenter = panel.widget.logic.presenter
    choose(harness, panel, cine)
    tick(harness, panel)
    harness.click(panel.widget.ui.runButton)
    assert harness.wait_until(lambda: presenter.state.progress > 0.1, LONG)
    begun, ui = children(), panel.widget.ui
    assert ui.progressBar.value == round(presenter.state.progress * ui.progressBar.maximum) > 0
    assert ui.stageLabel.text
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: at_rest(panel), 2_000)
    assert presenter.state.phase is Phase.CANCELLED
    assert begun and not any(map(lives, begun))
    assert list(places.iterdir()) == []


def test_what_is_of_one_image_and_every_frame_exclude_each_other_before_the_run(
    harness: Harness, panel: Any, cine: Path
) -> None:
    ui, presenter = panel.widget.ui, panel.widget.logic.presenter
    choose(harness, panel, cine)
    tick(harness, panel)
    presenter.choose_options(samples="flips", stability=2)
    assert "is run without further answers / the stability check, which is of one image" in ui.messageLabel.text
    assert not ui.runButton.enabled
    presenter.choose_options(samples="none", stability=0)
    assert ui.runButton.enabled


def test_another_image_is_asked_about_anew(harness: Harness, panel: Any, cine: Path, tmp_path: Path) -> None:
    ui = panel.widget.ui
    choose(harness, panel, cine)
    tick(harness, panel)
    write_series(beating_heart(HEART, BEAT)[0], tmp_path / "still", spec=SeriesSpec())
    choose(harness, panel, tmp_path / "still")
    assert not ui.overTimeCheckBox.checked
    assert "over time" not in ui.estimateLabel.text
    tick(harness, panel)
    assert "shows one time alone" in ui.estimateLabel.text
