"""The module MedAI, as a person uses it: choose, run, cancel, look, open the report."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai import Volume
from slicermedai.app.guided_run import Phase, RunState
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.Harness import Harness

LONG = 120_000


@pytest.fixture
def head() -> Volume:
    """A generated head of 2 mm."""
    volume, _ = head_phantom(covering("SPL", spacing=(2.0, 2.0, 2.0)))
    return replace(volume, name="T1 head")


@pytest.fixture
def head_node(medai: Any, head: Volume) -> Any:
    """The head, loaded into the scene."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    return volume_to_node(head, slicer.mrmlScene)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "empty"))


def test_without_a_model_it_opens_explains_and_offers_to_install(no_model: None, medai: Any) -> None:
    ui = medai.widget.ui
    assert not ui.runButton.enabled
    assert "No model is installed" in ui.messageLabel.text
    assert ui.installButton.visible
    assert "not a medical device" in ui.noticeLabel.text.lower()


def test_a_model_and_a_volume_make_it_ready(brain_model: None, medai: Any, head_node: Any) -> None:
    ui = medai.widget.ui
    ui.volumeSelector.setCurrentNode(head_node)
    assert ui.runButton.enabled
    assert ui.messageLabel.text == "Ready."
    assert "MIT" in ui.modelDescription.text
    assert "not calibrated" in ui.modelDescription.text
    ui.volumeSelector.setCurrentNode(None)
    assert not ui.runButton.enabled


def test_a_run_shows_its_result_and_never_stalls_the_window(
    brain_model: None,
    harness: Harness,
    medai: Any,
    head_node: Any,
    tmp_path: Path,
    keep_screenshot: Callable[[Path, str], None],
) -> None:
    import slicer

    ui = medai.widget.ui
    ui.volumeSelector.setCurrentNode(head_node)
    presenter = medai.widget.logic.presenter
    stages, stalls = list[str](), list[float]()

    def look(state: RunState) -> None:
        stages.append(state.stage)
        if state.phase is Phase.RUNNING:
            stalls.append(harness.max_stall_ms)

    harness.click(ui.runButton)
    harness.reset_stall()
    presenter.changed.connect(look)
    with harness.python_threads_frozen():
        assert harness.wait_until(lambda: not presenter.busy, LONG)
    assert len(stalls) > 3
    assert max(stalls) < 100
    assert presenter.state.phase.value == "done", presenter.state.message
    assert "segment" in stages
    assert ui.findingsTable.rowCount == 1
    assert ui.findingsTable.item(0, 4).text() == "not calibrated"
    segmentation = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert ui.reportButton.enabled
    page = medai.widget.logic.report()
    assert page.read_text(encoding="utf-8").count("<img") >= 4
    picture = harness.grab(medai.parent, tmp_path / "MedAI.png", size=(460, 760))
    keep_screenshot(picture, "MedAI.png")


def test_a_pseudonymous_result_is_shown_without_the_identified_node(
    brain_model: None, harness: Harness, medai: Any, head_node: Any, tmp_path: Path
) -> None:
    import slicer

    head_node.SetName("Quillfeather T1")
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    ui.deidentifyCheckBox.checked = True
    ui.volumeSelector.setCurrentNode(head_node)
    harness.click(ui.runButton)
    ui.volumeSelector.setCurrentNode(None)
    assert harness.wait_until(lambda: not presenter.busy, LONG)
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
    harness.click(ui.cancelButton)
    assert harness.wait_until(lambda: not presenter.busy, 2000)
    assert presenter.state.phase.value == "cancelled"
    assert list(places.iterdir()) == []
    assert ui.runButton.enabled


def test_a_folder_that_holds_no_image_is_explained(
    brain_model: None, harness: Harness, medai: Any, tmp_path: Path
) -> None:
    ui, presenter = medai.widget.ui, medai.widget.logic.presenter
    (tmp_path / "empty study").mkdir()
    ui.folderSelector.setCurrentPath(str(tmp_path / "empty study"))
    harness.click(ui.runButton)
    assert harness.wait_until(lambda: not presenter.busy, LONG)
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


def test_a_series_of_the_database_goes_in_as_its_files(
    brain_model: None, medai: Any, head: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    files = write_series(replace(head, name="T1"), tmp_path / "series")

    class Database:
        """Slicer's DICOM database at the process edge: one patient, one study, one series."""

        isOpen = True

        def patients(self) -> list[str]:
            return ["1"]

        def studiesForPatient(self, patient: str) -> list[str]:
            return ["1.2"]

        def seriesForStudy(self, study: str) -> list[str]:
            return ["1.2.3"]

        def nameForPatient(self, patient: str) -> str:
            return "Invented"

        def descriptionForSeries(self, series: str) -> str:
            return "T1"

        def filesForSeries(self, series: str) -> list[str]:
            return [str(path) for path in files]

    monkeypatch.setattr(slicer, "dicomDatabase", Database())
    medai.widget.refresh()
    ui = medai.widget.ui
    assert ui.seriesSelector.itemText(1) == "Invented – T1"
    ui.seriesSelector.setCurrentIndex(1)
    medai.widget.onSeriesChosen(1)
    assert medai.widget.logic.presenter.source == files
    assert ui.runButton.enabled


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
    import sys

    code = (
        "import sys; from pathlib import Path; from Testing.Harness import install; h = install();"
        f"m = h.load_module(Path({str(Path(__file__).resolve().parents[2] / 'SlicerMedAI' / 'MedAI.py')!r}));"
        "print([n for n in ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom') if n in sys.modules]);"
        "m.close(); h.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
