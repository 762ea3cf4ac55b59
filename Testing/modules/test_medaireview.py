"""The module MedAI Review, as a person uses it: look at findings, accept, edit, reject, rate, save, and come back."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.app.state import Phase
from slicermedai.domain.digests import hash_of_image
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.result import AnalysisResult, Decision
from Testing.app.reviews import WHY_AMBER, a_head, a_nodule, a_run, bigger, pseudonymous
from Testing.Harness import Harness
from Testing.modules.opening import entered
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead
from Testing.scene.test_leaving import voxels_at_the_end

pytestmark = pytest.mark.usefixtures("warm_children")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIReview.py"
LONG = 60_000


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files and settings of the test's own."""
    for name in ("temp", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def module(harness: Harness, places: Path, elsewhere: Path) -> Iterator[Any]:
    """The module, loaded and entered."""
    with entered(harness, MODULE) as loaded:
        yield loaded


@pytest.fixture
def head() -> SmallHead:
    return a_head()


@pytest.fixture
def run(elsewhere: Path, head: SmallHead) -> Path:
    return a_run(elsewhere / "run", head)


@pytest.fixture
def image(harness: Harness, head: SmallHead) -> Any:
    """The image, in the scene, and a slice view."""
    return an_image(head)


def an_image(head: SmallHead) -> Any:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    view = slicer.vtkMRMLSliceNode()
    view.SetName("Red")
    slicer.mrmlScene.AddNode(view)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    return volume_to_node(head.volume, slicer.mrmlScene, study=head.result.study)


def until_idle(harness: Harness, module: Any, milliseconds: int = LONG) -> None:
    assert harness.wait_until(lambda: not module.widget.logic.review.busy, milliseconds)


def open_result(harness: Harness, module: Any, folder: Path) -> None:
    module.widget.ui.folderSelector.setCurrentPath(str(folder))
    until_idle(harness, module)


def press(harness: Harness, module: Any, button: str) -> None:
    harness.click(getattr(module.widget.ui, f"{button}Button"))
    until_idle(harness, module)


def texts(table: Any) -> list[tuple[str, ...]]:
    return [
        tuple(table.item(row, column).text() for column in range(table.columnCount)) for row in range(table.rowCount)
    ]


def name(module: Any) -> None:
    module.widget.ui.personEdit.setText("Jane van Roe")


def reject(harness: Harness, module: Any, reason: str) -> None:
    module.widget.ui.reasonSelector.setEditText(reason)
    press(harness, module, "reject")


def draw(head: SmallHead, uid: str = VENTRICLE_UID) -> None:
    """A person draws a block more into a segment, in the Segment Editor."""
    import slicer

    from Testing.scene.drawing import draw_region

    draw_region(slicer.mrmlScene, head.result, uid, bigger(head.result, uid))


def segments(head: SmallHead) -> list[str]:
    import slicer

    from Testing.scene.drawing import segmentation_of

    inner = segmentation_of(slicer.mrmlScene, head.result).GetSegmentation()
    return [inner.GetNthSegmentID(number) for number in range(inner.GetNumberOfSegments())]


def confidences(head: SmallHead) -> dict[str, str]:
    """The states in the table node of the scene, by finding."""
    import slicer

    from slicermedai.scene import identity

    node = identity.marked_nodes(slicer.mrmlScene, identity.result_key(head.result), identity.TABLE)[0]
    columns = [node.GetTable().GetColumnByName(title) for title in ("TrackingUID", "Confidence")]
    return {columns[0].GetValue(row): columns[1].GetValue(row) for row in range(columns[0].GetNumberOfTuples())}


def opened_by_report(harness: Harness, module: Any) -> str:
    """The result that MedAI Report shows once its button in the panel was pressed."""
    import slicer

    report = harness.load_module(MODULE.with_name("MedAIReport.py"))
    press(harness, module, "report")
    assert slicer.util.selectedModule() == "MedAIReport"
    assert harness.wait_until(lambda: not report.widget.logic.report.busy, LONG)
    shown = report.widget.logic.report.state.asked.folder
    report.close()
    return shown


# --- opening and looking ---------------------------------------------------------------------------------------------


def test_it_opens_and_says_what_to_do(module: Any) -> None:
    ui = module.widget.ui
    assert ui.messageLabel.text == "Choose a result."
    assert "Research use only" in ui.noticeLabel.text
    for button in ("accept", "reject", "edit", "done", "undo", "redo", "save", "table", "cancel", "report", "next"):
        assert not getattr(ui, f"{button}Button").enabled, button


def test_the_worklist_has_a_light_as_word_and_picture_before_the_numbers(
    harness: Harness, module: Any, run: Path, image: Any
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    brain, ventricle, agent = texts(ui.findingsTable)
    assert brain[:4] == ("Brain", "green", "not reviewed", "0.95 (0.85 to 1.00)")
    assert brain[4].endswith("(900.0 to 1100.0)")
    assert brain[5] == "97 %"
    assert "Dice 90%, volume 90%" in ui.detailLabel.text
    assert ventricle[1:4] == ("amber", "not reviewed", "0.74 (0.64 to 0.84)")
    assert ventricle[5] == "not calibrated"
    assert agent[1:] == ("not assessed", "not reviewed", "not assessed", "not measured", "not assessed")
    pictures = [ui.findingsTable.item(row, 1).icon().pixmap(16, 16).toImage() for row in range(3)]
    assert len({bytes(picture.constBits()) for picture in pictures}) == 3
    assert "98765" not in "".join(map("".join, texts(ui.findingsTable))), "a raw score is shown nowhere"


def test_a_click_or_a_key_brings_all_views_to_the_finding(
    harness: Harness, module: Any, run: Path, head: SmallHead, image: Any
) -> None:
    import slicer
    from PySide6.QtCore import Qt

    ui = module.widget.ui
    open_result(harness, module, run)
    ui.findingsTable.setCurrentCell(1, 0)
    matrix = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceNode").GetSliceToRAS()
    seen = np.array([-matrix.GetElement(0, 3), -matrix.GetElement(1, 3), matrix.GetElement(2, 3)])
    region: Any = head.result.findings[1].region
    index = np.rint(region.geometry.to_index(seen)).astype(int)
    assert region.to_array()[tuple(index)], "the views' middle lies in the ventricle"
    assert seen[0] > 0, "which is on the patient's left"
    assert WHY_AMBER in ui.detailLabel.text
    assert "Inner and outer regions are outlined" in ui.detailLabel.text
    key(harness, module, "findingsTable", Qt.Key.Key_N)
    assert ui.findingsTable.currentRow() == 2
    assert "has no place in the image" in ui.messageLabel.text
    assert "has no place in it" in ui.detailLabel.text
    key(harness, module, "findingsTable", Qt.Key.Key_N)
    assert ui.findingsTable.currentRow() == 0
    key(harness, module, "findingsTable", Qt.Key.Key_P)
    assert ui.findingsTable.currentRow() == 2


def test_the_result_that_the_scene_shows_is_opened_by_itself(
    harness: Harness, module: Any, places: Path, head: SmallHead
) -> None:
    import slicer

    from slicermedai.scene.show import show

    a_run(places / "MedAI-one", head)
    module.exit()
    show(head.result, slicer.mrmlScene, volume=head.volume)
    nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    module.enter()
    until_idle(harness, module)
    ui = module.widget.ui
    assert ui.resultSelector.currentText.startswith("In the scene: MedAI-one")
    assert len(texts(ui.findingsTable)) == 3
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == nodes


def test_a_map_is_laid_over_the_image_with_its_threshold_said(
    harness: Harness, module: Any, run: Path, image: Any
) -> None:
    import slicer

    ui = module.widget.ui
    open_result(harness, module, run)
    assert [ui.mapSelector.itemText(row) for row in range(ui.mapSelector.count)] == ["none", "Disagreement"]
    ui.mapSelector.setCurrentIndex(1)
    module.widget.onMap(1)
    assert "Share of samples that disagree, from 0.125 on" in ui.mapLabel.text
    ui.thresholdSlider.value = 60
    assert "from 0.3 on" in ui.mapLabel.text
    view = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert slicer.mrmlScene.GetNodeByID(view.GetForegroundVolumeID()).GetName().startswith("Disagreement")
    ui.mapSelector.setCurrentIndex(0)
    module.widget.onMap(0)
    assert not view.GetForegroundVolumeID()
    assert ui.mapLabel.text == "No map is laid over the image."


def test_an_image_that_nobody_knows_is_asked_for_and_found_on_a_click(
    harness: Harness, module: Any, run: Path, head: SmallHead
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    assert "Shown without its image" in ui.warningLabel.text
    import slicer

    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    slicer.mrmlScene.RemoveNode(node)
    an_image(head)
    press(harness, module, "show")
    assert "without its image" not in ui.warningLabel.text


# --- deciding --------------------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_a_person_goes_through_a_result_edits_and_saves_it_and_the_window_lives(
    harness: Harness,
    module: Any,
    run: Path,
    head: SmallHead,
    image: Any,
    elsewhere: Path,
    keep_screenshot: Callable[..., None],
) -> None:
    import slicer

    ui, review = module.widget.ui, module.widget.logic.review
    open_result(harness, module, run)
    assert not ui.acceptButton.enabled, "nobody has given a name"
    name(module)
    press(harness, module, "accept")
    press(harness, module, "next")
    press(harness, module, "edit")
    assert slicer.util.mainWindow().moduleSelector().selectedModule == "SegmentEditor"
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert editor.GetSelectedSegmentID() == VENTRICLE_UID
    module.exit()
    draw(head)
    module.enter()
    press(harness, module, "done")
    edited = texts(ui.findingsTable)[1]
    assert edited[1:4] == ("not assessed", "edited", "not assessed (edited)")
    assert edited[5] == "not assessed (edited)"
    assert "(" not in edited[4], "the interval is gone"
    assert confidences(head)[VENTRICLE_UID] == "not assessed (edited)"
    assert "Dice 0." in ui.detailLabel.text
    assert "removed" in ui.detailLabel.text
    ui.ratingSelector.setCurrentIndex(2)
    module.widget.onRating(2)
    assert texts(ui.findingsTable)[1][2] == "edited; rated 2 of 5"
    press(harness, module, "next")
    reject(harness, module, "not there: a false finding")
    assert "Decided: 3 of 3. Not saved yet: 4" in ui.standingLabel.text
    ui.findingsTable.setCurrentCell(1, 0)
    ui.mapSelector.setCurrentIndex(1)
    module.widget.onMap(1)
    keep_screenshot(harness.grab(module.parent, elsewhere / "R.png", size=(620, 1010)), "MedAIReview.png")
    harness.reset_stall()
    with harness.python_threads_frozen():
        press(harness, module, "save")
    assert harness.max_stall_ms < 100
    assert "Saved in reviewed-1" in ui.messageLabel.text
    saved = AnalysisResult.load(run / "reviewed-1")
    assert [one.decision for one in saved.reviews] == [
        Decision.ACCEPTED,
        Decision.EDITED,
        Decision.EDITED,
        Decision.REJECTED,
    ]
    kept = saved.reviews[2]
    assert np.array_equal(kept.region.to_array(), bigger(head.result).to_array())  # type: ignore[union-attr]
    assert kept.rating == 2
    assert kept.edit is not None
    assert 0 < kept.edit.dice < 1
    assert kept.edit.added > 0 == kept.edit.removed
    assert AnalysisResult.load(run / "result").reviews == ()
    assert opened_by_report(harness, module) == str(review.state.folder)
    assert review.state.phase is Phase.DONE


def test_the_type_of_a_lung_nodule_is_entered_by_name_and_its_size_suggests_a_category(
    harness: Harness, module: Any, elsewhere: Path, keep_screenshot: Callable[..., None]
) -> None:
    ui, run = module.widget.ui, a_run(elsewhere / "run", a_nodule())
    an_image(a_nodule())
    open_result(harness, module, run)
    name(module)
    assert ui.noduleSection.visible
    assert not ui.noduleButton.enabled
    assert "Accept or edit the finding first" in ui.noduleLabel.text
    press(harness, module, "accept")
    assert "Without a type that a person enters nothing is suggested" in ui.noduleLabel.text
    ui.noduleSelector.setCurrentIndex(2)
    ui.changeSelector.setCurrentIndex(1)
    ui.solidPartSpinBox.value = 6.2
    press(harness, module, "nodule")
    told = "Lung-RADS 4A (ACR Lung-RADS v2022, by size alone): suggestion by size and type entered by Jane van Roe"
    assert told in ui.noduleLabel.text
    assert told in ui.detailLabel.text
    keep_screenshot(harness.grab(module.parent, elsewhere / "N.png", size=(620, 1210)), "MedAIReview-nodule.png")
    press(harness, module, "undo")
    assert "Lung-RADS 4A" not in ui.noduleLabel.text
    assert ui.noduleSelector.currentIndex == 0
    press(harness, module, "redo")
    assert (ui.noduleSelector.currentIndex, ui.changeSelector.currentIndex) == (2, 1)
    press(harness, module, "save")
    (kept,) = [one.nodule for one in AnalysisResult.load(run / "reviewed-1").reviews if one.nodule]
    assert (str(kept.kind), str(kept.change), kept.solid_part) == ("part-solid", "baseline", 6.2)
    assert kept.person == "Jane van Roe"
    press(harness, module, "next")
    assert not ui.noduleSection.visible, "the brain is none"


def test_a_nodule_of_another_image_than_ct_is_told_so(harness: Harness, module: Any, elsewhere: Path) -> None:
    ui, run = module.widget.ui, a_run(elsewhere / "run", a_nodule(modality="MR"))
    an_image(a_nodule())
    open_result(harness, module, run)
    name(module)
    press(harness, module, "accept")
    assert not ui.noduleSelector.enabled
    assert "No Lung-RADS suggestion: the images are not known to be CT." in ui.noduleLabel.text


def test_a_scene_that_is_closed_does_not_copy_segments_and_nothing_counts_as_drawn(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    import slicer

    head = a_head()
    an_image(head)
    open_result(harness, module, a_run(elsewhere / "run", head))
    left = voxels_at_the_end(slicer.mrmlScene)
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    assert left and not any(left)
    assert module.widget.logic.review._scene.changed == frozenset()


@pytest.mark.parametrize("oblique", [False, True])
def test_what_was_decided_comes_back_after_the_scene_was_closed(
    harness: Harness, module: Any, elsewhere: Path, oblique: bool
) -> None:
    import slicer

    from slicermedai.domain.edits import on_grid

    head = a_head(oblique=oblique)
    run, ui = a_run(elsewhere / "run", head), module.widget.ui
    an_image(head)
    open_result(harness, module, run)
    name(module)
    reject(harness, module, "an artefact")
    ui.findingsTable.setCurrentCell(1, 0)
    draw(head)
    module.widget.refresh()
    press(harness, module, "done")
    press(harness, module, "save")
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    an_image(head)
    press(harness, module, "show")
    assert segments(head) == [VENTRICLE_UID]
    drawn = module.widget.logic.review._scene.drawn(VENTRICLE_UID)
    assert np.array_equal(on_grid(drawn, head.result.volume_geometry).to_array(), bigger(head.result).to_array())
    assert [row[2] for row in texts(ui.findingsTable)] == ["rejected: an artefact", "edited", "not reviewed"]
    assert not ui.undoButton.enabled, "what is saved stays"


def test_a_decision_is_seen_in_the_scene_and_taken_back_there_too(
    harness: Harness, module: Any, run: Path, head: SmallHead, image: Any
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    name(module)
    press(harness, module, "reject")
    assert "Say why" in ui.messageLabel.text
    reject(harness, module, "an artefact")
    assert ui.reasonSelector.currentText == ""
    assert segments(head) == [VENTRICLE_UID]
    press(harness, module, "undo")
    assert segments(head) == [BRAIN_UID, VENTRICLE_UID]
    assert not ui.undoButton.enabled
    press(harness, module, "redo")
    assert segments(head) == [VENTRICLE_UID]
    assert list(run.iterdir()) == [run / "result"], "nothing is written before saving"


def test_an_edit_that_is_undone_gives_the_models_voxels_back(
    harness: Harness, module: Any, run: Path, head: SmallHead, image: Any
) -> None:
    ui, review = module.widget.ui, module.widget.logic.review
    open_result(harness, module, run)
    name(module)
    press(harness, module, "next")
    press(harness, module, "edit")
    press(harness, module, "done")
    assert "No voxel of Left lateral ventricle was changed" in ui.messageLabel.text
    assert review.state.pending == ()
    draw(head)
    press(harness, module, "next")
    press(harness, module, "previous")
    press(harness, module, "done")
    assert texts(ui.findingsTable)[1][3] == "not assessed (edited)"
    press(harness, module, "undo")
    assert texts(ui.findingsTable)[1][1:4] == ("amber", "not reviewed", "0.74 (0.64 to 0.84)")
    region: Any = head.result.findings[1].region
    assert np.array_equal(review._scene.drawn(VENTRICLE_UID).to_array(), region.to_array())
    assert confidences(head)[VENTRICLE_UID] == "not calibrated"


def test_voxels_that_nobody_took_stop_the_saving(
    harness: Harness, module: Any, run: Path, head: SmallHead, image: Any
) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    name(module)
    press(harness, module, "accept")
    draw(head)
    press(harness, module, "save")
    assert "Changed in the scene and not taken: Left lateral ventricle" in ui.messageLabel.text
    assert not (run / "reviewed-1").exists()


def test_the_table_says_what_was_decided_and_how_far_it_was_edited(
    harness: Harness, module: Any, run: Path, head: SmallHead, image: Any
) -> None:
    open_result(harness, module, run)
    name(module)
    reject(harness, module, "=too large")
    press(harness, module, "table")
    assert "decisions.csv" in module.widget.ui.messageLabel.text
    with (run / "decisions.csv").open(encoding="utf-8", newline="") as stream:
        brain, ventricle, _ = list(csv.DictReader(stream))
    assert (brain["decision"], brain["person"], brain["saved"]) == ("rejected", "Jane van Roe", "no")
    assert brain["reason"] == "'=too large"
    assert (ventricle["decision"], ventricle["light"]) == ("not reviewed", "amber")


def test_nothing_that_is_written_of_a_pseudonymous_result_names_a_person(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    import slicer

    head = pseudonymous(a_head())
    run = a_run(elsewhere / "run", head)
    an_image(head)
    open_result(harness, module, run)
    assert "Pseudonymous" in module.widget.ui.outcomeLabel.text
    name(module)
    reject(harness, module, "as Doctor Who said")
    press(harness, module, "table")
    press(harness, module, "save")
    slicer.mrmlScene.SetURL(str(elsewhere / "scene.mrml"))
    slicer.mrmlScene.Commit()
    log = b"".join(path.read_bytes() for path in (elsewhere / "home").rglob("*") if path.is_file())
    assert b"result reviewed" in log
    for written in (log, (run / "decisions.csv").read_bytes(), (elsewhere / "scene.mrml").read_bytes()):
        assert b"Roe" not in written
        assert b"Doctor Who" not in written


# --- in Slicer -------------------------------------------------------------------------------------------------------


def key(harness: Harness, module: Any, widget: str, *keys: Any) -> None:
    from PySide6.QtTest import QTest

    from Testing.Harness.pythonqt.objects import unwrap

    target = unwrap(getattr(module.widget.ui, widget))
    target.window().activateWindow()
    target.setFocus()
    harness.process(10)
    for one in keys:
        QTest.keyClick(target, one)
    until_idle(harness, module)


def test_it_is_used_by_keyboard_alone(harness: Harness, module: Any, places: Path, head: SmallHead, image: Any) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    from Testing.Harness.pythonqt.objects import unwrap

    ui, review = module.widget.ui, module.widget.logic.review
    run = a_run(places / "MedAI-one", head)
    module.widget.refresh()
    until_idle(harness, module)
    key(harness, module, "resultSelector", Qt.Key.Key_Down)
    QTest.keyClicks(unwrap(ui.personEdit), "Jane van Roe")
    assert review.state.pending == (), "typing a name is no command"
    key(harness, module, "findingsTable", Qt.Key.Key_A, Qt.Key.Key_4, Qt.Key.Key_N)
    assert texts(ui.findingsTable)[0][2] == "accepted; rated 4 of 5"
    key(harness, module, "findingsTable", Qt.Key.Key_R)
    assert "Say why" in ui.messageLabel.text
    QTest.keyClicks(unwrap(ui.reasonSelector), "wrong side")
    key(harness, module, "findingsTable", Qt.Key.Key_R, Qt.Key.Key_U)
    assert texts(ui.findingsTable)[1][2] == "not reviewed"
    key(harness, module, "findingsTable", Qt.Key.Key_E)
    draw(head)
    key(harness, module, "findingsTable", Qt.Key.Key_D, Qt.Key.Key_S)
    assert [one.decision for one in AnalysisResult.load(run / "reviewed-1").reviews] == [
        Decision.ACCEPTED,
        Decision.ACCEPTED,
        Decision.EDITED,
    ]


def test_closing_the_scene_keeps_the_decisions_and_leaves_a_working_panel(
    harness: Harness, module: Any, run: Path, head: SmallHead, image: Any
) -> None:
    import slicer

    ui = module.widget.ui
    open_result(harness, module, run)
    name(module)
    reject(harness, module, "an artefact")
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    assert module.widget.logic.review._scene._watched is None
    assert "decisions are still here" in ui.messageLabel.text
    assert not ui.editButton.enabled
    press(harness, module, "next")
    assert "show it again" in ui.messageLabel.text
    press(harness, module, "show")
    assert segments(head) == [VENTRICLE_UID]
    press(harness, module, "save")
    assert (run / "reviewed-1").is_dir()


@pytest.mark.cold_children
def test_cancelling_stops_within_two_seconds_and_a_dead_child_is_told(
    harness: Harness, module: Any, run: Path, image: Any
) -> None:
    ui, review = module.widget.ui, module.widget.logic.review
    open_result(harness, module, run)
    name(module)
    press(harness, module, "accept")
    harness.click(ui.saveButton)
    harness.click(ui.cancelButton)
    until_idle(harness, module, 2000)
    assert ui.messageLabel.text == "Stopped. Nothing was written."
    assert list(run.iterdir()) == [run / "result"]
    harness.click(ui.saveButton)
    os.kill(review._working._process.pid, signal.SIGKILL)
    until_idle(harness, module)
    assert review.state.phase is Phase.FAILED
    assert len(review.state.pending) == 1, "what was decided is still there"
    press(harness, module, "save")
    assert (run / "reviewed-1").is_dir()


def test_nothing_of_a_person_is_kept_in_the_scene_and_nothing_temporary_is_left(
    harness: Harness, module: Any, run: Path, elsewhere: Path, image: Any
) -> None:
    import slicer

    open_result(harness, module, run)
    name(module)
    reject(harness, module, "an artefact")
    press(harness, module, "save")
    slicer.mrmlScene.SetURL(str(elsewhere / "scene.mrml"))
    slicer.mrmlScene.Commit()
    saved = (elsewhere / "scene.mrml").read_bytes()
    assert b"Roe" not in saved
    assert str(run).encode() not in saved
    assert [path for path in (elsewhere / "temp").rglob("review-*")] == []


def test_an_image_that_names_no_series_is_compared_before_it_is_shown_and_the_window_lives(
    harness: Harness, module: Any, elsewhere: Path, head: SmallHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    from slicermedai.domain import same_image
    from slicermedai.scene.volumes import volume_to_node

    volume, review, said = head.volume.voxels_alone(), module.widget.logic.review, list[str]()
    read = InputDigest(sha256="0" * 64, image=hash_of_image(volume))
    result = replace(head.result, provenance=replace(head.result.provenance, input=read))
    folder = a_run(elsewhere / "alone", replace(head, volume=volume, result=result))
    node = volume_to_node(volume, slicer.mrmlScene)
    monkeypatch.setattr(same_image, "hash_of_image", lambda volume: pytest.fail("the window stands still"))
    review.changed.connect(lambda state: said.append(state.activity))
    open_result(harness, module, folder)
    assert "compare" in said
    assert (review.state.in_scene, review.state.has_image, review.state.remark) == (True, True, "")
    assert review._scene.image_node is node


@pytest.mark.cold_children
def test_unloading_it_lets_go_of_the_scene(harness: Harness, module: Any, run: Path, head: SmallHead) -> None:
    open_result(harness, module, run)
    stage = module.widget.logic.review._scene
    draw(head)
    assert VENTRICLE_UID in stage.changed
    module.close()
    harness.process(20)
    draw(head)
    assert stage.changed == frozenset(), "nobody listens any more"


def test_the_self_test_passes_on_the_stand_in(module: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    monkeypatch.setattr(slicer.util, "tempDirectory", lambda: tempfile.mkdtemp(dir=elsewhere), raising=False)
    module.module.runTest()


def test_loading_it_loads_nothing_heavy(harness: Harness) -> None:
    code = (
        "import sys; from pathlib import Path; from Testing.Harness import install; h = install();"
        f"m = h.load_module(Path({str(MODULE)!r}));"
        "print([n for n in ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom', 'pynetdicom') if n in sys.modules]);"
        "m.close(); h.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
