"""The module MedAI Plan, as a person uses it: roles, margins, a plane moved in the scene, an edit, undo, saving."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app.state import Phase
from slicermedai.console import planning
from slicermedai.domain.digests import hash_of_image
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Study
from Testing.app.plans import COARSE, a_liver_run, pseudonymous, smaller_lesion, two_phases, uid_of
from Testing.fixtures import liver
from Testing.Harness import Harness
from Testing.modules.keyboard import Keyboard
from Testing.modules.opening import entered
from Testing.plan.cases import a_result
from Testing.plan.test_contours import a_map

pytestmark = pytest.mark.usefixtures("warm_children")
MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "MedAIPlan.py"
LONG = 60_000
VALUE = 2
"""The column of the table of numbers that has the values."""


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
def run(elsewhere: Path) -> Path:
    return a_liver_run(elsewhere / "run")


@pytest.fixture
def image(harness: Harness) -> Any:
    """The image, in the scene, and a slice view."""
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    view = slicer.vtkMRMLSliceNode()
    view.SetName("Red")
    slicer.mrmlScene.AddNode(view)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    return volume_to_node(liver.phase("venous", COARSE), slicer.mrmlScene, study=a_result(COARSE).study)


def until_idle(harness: Harness, module: Any, milliseconds: int = LONG) -> None:
    plan = module.widget.logic.plan
    assert harness.wait_until(lambda: not (plan.busy or plan.following.busy), milliseconds)


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


def shown(module: Any, structure: str, quantity: str) -> str:
    """A number as the person reads it."""
    rows = texts(module.widget.ui.numbersTable)
    return next(row[VALUE] for row in rows if row[:VALUE] == (structure, quantity))


def plane() -> Any:
    import slicer

    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode")


def draw(result: AnalysisResult, region: Any, name: str = "lesion") -> None:
    """A person draws in a segment, in the Segment Editor."""
    import slicer

    from Testing.scene.drawing import draw_region

    draw_region(slicer.mrmlScene, result, uid_of(result, name), region)


# --- opening ---------------------------------------------------------------------------------------------------------


def test_it_opens_and_says_what_to_do(module: Any) -> None:
    ui = module.widget.ui
    assert ui.messageLabel.text == "Choose a result."
    assert "Research use only" in ui.noticeLabel.text
    for button in ("margin", "cutMargin", "plane", "box", "undo", "redo", "save", "page", "surfaces", "cancel", "edit"):
        assert not getattr(ui, f"{button}Button").enabled, button


def test_roles_are_suggested_by_codes_and_a_person_changes_them(harness: Harness, module: Any, run: Path) -> None:
    ui = module.widget.ui
    open_result(harness, module, run)
    assert [row[2] for row in texts(ui.rolesTable)] == ["organ", "lesion", "vessel", "vessel"]
    assert texts(ui.rolesTable)[0][1] == "Liver (SCT 10200004)"
    ui.rolesTable.setCurrentCell(3, 0)
    assert ui.roleSelector.currentText == "vessel"
    number = ui.roleSelector.findText("left out")
    ui.roleSelector.setCurrentIndex(number)
    module.widget.onRole(number)
    until_idle(harness, module)
    assert [row[2] for row in texts(ui.rolesTable)] == ["organ", "lesion", "vessel", "left out"]
    assert not [row for row in texts(ui.numbersTable) if "portal vein" in row[0]]
    press(harness, module, "undo")
    assert [row for row in texts(ui.numbersTable) if "portal vein" in row[0]]


def test_the_result_that_the_scene_shows_is_opened_by_itself(harness: Harness, module: Any, places: Path) -> None:
    import slicer

    from slicermedai.scene.show import show

    a_liver_run(places / "MedAI-one")
    module.exit()
    show(a_result(COARSE), slicer.mrmlScene)
    module.enter()
    until_idle(harness, module)
    assert module.widget.ui.resultSelector.currentText.startswith("In the scene: MedAI-one")
    assert module.widget.logic.plan.state.plan is not None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_an_image_that_names_no_series_is_compared_before_it_is_shown_while_the_window_lives(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    volume, result, plan = liver.phase("venous", COARSE).voxels_alone(), a_result(COARSE), module.widget.logic.plan
    read = InputDigest(sha256="0" * 64, image=hash_of_image(volume))
    a_liver_run(elsewhere / "run", result=replace(result, provenance=replace(result.provenance, input=read)))
    node, said = volume_to_node(volume, slicer.mrmlScene), list[str]()
    plan.changed.connect(lambda state: said.append(state.activity))
    open_result(harness, module, elsewhere / "run")
    assert "compare" in said
    assert (plan.state.has_image, plan.state.remark) == (True, "")
    assert module.widget.logic._scene.image_node is node
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


# --- planning --------------------------------------------------------------------------------------------------------


@pytest.mark.cold_children
def test_a_person_plans_moves_a_plane_saves_and_prints_and_the_window_lives(
    harness: Harness, module: Any, run: Path, image: Any, elsewhere: Path, keep_screenshot: Callable[..., None]
) -> None:
    ui, plan = module.widget.ui, module.widget.logic.plan
    harness.reset_stall()
    with harness.python_threads_frozen():
        open_result(harness, module, run)
        ui.personEdit.setText("Jane van Roe")
        ui.widthSpinBox.value = 20
        press(harness, module, "margin")
        assert "reaches hepatic vein" in ui.warningLabel.text
        press(harness, module, "plane")
        before = shown(module, "liver", "remnant volume")
        assert f"Remnant {before}, " in ui.headlineLabel.text
        right, anterior, superior = plane().GetOriginWorld()
        plane().SetOriginWorld(right - 12, anterior, superior)
        assert "not in the numbers yet: a cut" in ui.warningLabel.text
        assert not ui.saveButton.enabled
        until_idle(harness, module)
        after = shown(module, "liver", "remnant volume")
        assert float(after.split()[0]) < float(before.split()[0]), "the plane went to the left: less stays"
        assert f"({-(right - 12):.1f}, {-anterior:.1f}, {superior:.1f})" in texts(ui.stepsTable)[1][2]
    assert harness.max_stall_ms < 100
    said = planning.table(plan.state.plan)
    assert f"{said.value('liver', 'remnant volume'):.1f} ml" == after
    press(harness, module, "undo")
    assert shown(module, "liver", "remnant volume") == before
    assert plane().GetOriginWorld() == pytest.approx((right, anterior, superior))
    ui.sizeSection.collapsed = False
    ui.heightSpinBox.value, ui.weightSpinBox.value = 171, 68
    press(harness, module, "size")
    assert shown(module, "patient", "standard liver volume") == "1483.2 ml"
    assert "of the standard liver volume." in ui.headlineLabel.text
    with harness.python_threads_frozen():
        press(harness, module, "save")
    assert "Saved in planned-1" in ui.messageLabel.text
    press(harness, module, "page")
    assert ui.messageLabel.text == "Written: plan.html. Pictures: 1.", "nobody says where files of the image are"
    page = (run / "plan.html").read_text(encoding="utf-8")
    assert "Jane van Roe" in page
    ui.numbersTable.setCurrentCell(1, 0)
    keep_screenshot(harness.grab(module.parent, elsewhere / "P.png", size=(620, 1500)), "MedAIPlan.png")
    again = planning.table(planning.load(run))
    assert [str(row) for row in again.rows] == [str(row) for row in planning.table(plan.state.plan).rows]


def test_a_saved_plan_is_passed_on_with_the_next_module(harness: Harness, module: Any, run: Path) -> None:
    import slicer

    report = harness.load_module(MODULE.with_name("MedAIReport.py"))
    open_result(harness, module, run)
    assert not module.widget.ui.reportButton.enabled, "nothing is saved yet"
    press(harness, module, "save")
    press(harness, module, "report")
    assert slicer.util.selectedModule() == "MedAIReport"
    assert report.widget.ui.folderSelector.currentPath == str(run / "planned-1")
    assert harness.wait_until(lambda: not report.widget.logic.report.busy, LONG)
    report.close()


def test_an_edit_in_the_segment_editor_is_followed_when_a_person_comes_back(
    harness: Harness, module: Any, run: Path
) -> None:
    import slicer

    ui = module.widget.ui
    open_result(harness, module, run)
    press(harness, module, "cutMargin")
    rows = texts(ui.numbersTable)
    ui.structureSelector.setCurrentIndex(1)
    module.widget.onStructure(1)
    press(harness, module, "edit")
    assert slicer.util.mainWindow().moduleSelector().selectedModule == "SegmentEditor"
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert editor.GetSelectedSegmentID() == uid_of(a_result(COARSE), "lesion")
    module.exit()
    draw(a_result(COARSE), smaller_lesion(COARSE))
    harness.process(600)
    assert texts(ui.numbersTable) == rows, "drawing elsewhere is not disturbed"
    assert "not in the numbers yet: lesion" in ui.warningLabel.text
    module.enter()
    until_idle(harness, module)
    before = dict((row[:2], row[2]) for row in rows)
    for structure, quantity in (("lesion", "volume"), ("liver", "resected volume")):
        now = float(shown(module, structure, quantity).split()[0])
        assert now < float(before[structure, quantity].split()[0])
    assert "not assessed (edited)" in [row[2] for row in texts(ui.numbersTable)]
    press(harness, module, "undo")
    assert texts(ui.numbersTable) == rows


def test_a_saved_plan_is_gone_on_with_and_its_numbers_are_equal(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    import slicer

    ui = module.widget.ui
    open_result(harness, module, run)
    press(harness, module, "box")
    press(harness, module, "margin")
    press(harness, module, "save")
    rows = texts(ui.numbersTable)
    other = a_liver_run(elsewhere / "other")
    open_result(harness, module, other)
    assert texts(ui.numbersTable) != rows
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 0, "the other plan's box is gone"
    open_result(harness, module, run)
    assert texts(ui.numbersTable) == rows
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 1
    assert "Saved." in ui.standingLabel.text
    press(harness, module, "plane")
    for answer, steps in (("cancel", 3), ("ok", 0)):
        harness.dialogs.answer(answer)
        press(harness, module, "anew")
        assert len(texts(ui.stepsTable)) == steps
    assert "is not saved" in harness.dialogs.shown[0].text


def test_a_box_that_is_turned_takes_what_lies_in_it_and_one_inside_out_is_refused(
    harness: Harness, module: Any, run: Path
) -> None:
    import slicer
    import vtk

    ui = module.widget.ui
    open_result(harness, module, run)
    press(harness, module, "box")
    box = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsROINode")
    turn = vtk.vtkTransform()
    turn.Translate(50.0, 0.0, 14.0)
    turn.RotateZ(33.0)
    box.SetAndObserveObjectToNodeMatrix(turn.GetMatrix())
    box.SetSize(40.0, 30.0, 36.0)
    until_idle(harness, module)
    assert float(shown(module, "liver", "resected volume").split()[0]) == pytest.approx(43.2, rel=0.01)
    told = "oblique, 40.0 x 30.0 x 36.0 mm around (-50.0, 0.0, 14.0), along (-0.84, -0.54, 0.00), (0.54, -0.84, 0.00)"
    assert texts(ui.stepsTable)[0][2] == f"{told}, (0.00, 0.00, 1.00)"
    box.SetInsideOut(True)
    until_idle(harness, module)
    assert "inside out" in ui.messageLabel.text
    assert not ui.saveButton.enabled, "the numbers do not follow what is seen"
    box.SetInsideOut(False)
    until_idle(harness, module)
    assert ui.saveButton.enabled


def test_clicks_on_tables_bring_the_views_there_and_say_what_may_be_done(
    harness: Harness, module: Any, run: Path, image: Any
) -> None:
    import slicer

    ui = module.widget.ui
    open_result(harness, module, run)
    press(harness, module, "plane")
    assert not ui.turnButton.enabled
    ui.stepsTable.setCurrentCell(0, 0)
    assert ui.turnButton.enabled and ui.removeButton.enabled
    remnant = shown(module, "liver", "resected volume")
    press(harness, module, "turn")
    assert shown(module, "liver", "resected volume") != remnant
    rows = [row[1] for row in texts(ui.numbersTable)]
    ui.numbersTable.setCurrentCell(rows.index("shortest distance"), 0)
    matrix = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceNode").GetSliceToRAS()
    seen = (-matrix.GetElement(0, 3), -matrix.GetElement(1, 3), matrix.GetElement(2, 3))
    row = module.widget.logic.plan.state.numbers.rows[rows.index("shortest distance")]
    assert seen == pytest.approx(row.points[0], abs=0.01)
    ui.stepsTable.setCurrentCell(0, 0)
    press(harness, module, "remove")
    assert texts(ui.stepsTable) == []
    assert plane() is None


def test_inner_and_outer_contours_are_outlined_and_stay_so_when_a_person_comes_back(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    import slicer

    from slicermedai.scene import identity
    from slicermedai.scene.plan_regions import CONTOURS

    ui, result = module.widget.ui, replace(a_result(), maps=(a_map("platt"),))
    open_result(harness, module, a_liver_run(elsewhere / "run", result=result))
    (node,) = identity.marked_nodes(slicer.mrmlScene, identity.result_key(result), CONTOURS)
    assert ui.contoursCheckBox.enabled
    assert not node.GetDisplayNode().GetVisibility()
    harness.call(ui.contoursCheckBox.click)
    assert node.GetDisplayNode().GetVisibility()
    assert "calibrated probability" in ui.contoursLabel.text
    module.exit()
    module.enter()
    assert ui.contoursCheckBox.checked
    assert node.GetDisplayNode().GetVisibility()
    press(harness, module, "margin")
    assert node.GetDisplayNode().GetVisibility()


def test_nothing_that_is_written_of_a_pseudonymous_result_names_a_person(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    run = a_liver_run(elsewhere / "run", result=pseudonymous(a_result(COARSE)))
    open_result(harness, module, run)
    module.widget.ui.personEdit.setText("Jane van Roe")
    press(harness, module, "plane")
    press(harness, module, "save")
    press(harness, module, "page")
    written = [path for folder in (run, elsewhere / "home") for path in folder.rglob("*") if path.is_file()]
    assert run / "plan.html" in written
    for path in written:
        assert b"van Roe" not in path.read_bytes(), path


def test_nothing_of_a_patient_is_kept_in_the_scene_and_nothing_temporary_is_left(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    import slicer

    ui = module.widget.ui
    open_result(harness, module, run)
    ui.personEdit.setText("Jane van Roe")
    ui.sizeSection.collapsed = False
    ui.heightSpinBox.value, ui.weightSpinBox.value = 171.25, 68.75
    press(harness, module, "size")
    press(harness, module, "plane")
    slicer.mrmlScene.SetURL(str(elsewhere / "scene.mrml"))
    slicer.mrmlScene.Commit()
    saved = (elsewhere / "scene.mrml").read_bytes()
    for secret in (b"Roe", b"171.25", b"68.75", str(run).encode()):
        assert secret not in saved
    open_result(harness, module, run)
    number = module.widget.logic.plan.child.number
    module.widget.cleanup()
    assert not Path(f"/proc/{number}").exists()
    assert [path for path in (elsewhere / "temp").rglob("*") if path.is_file()] == []


# --- a second phase --------------------------------------------------------------------------------------------------

BROUGHT = "artery (second phase)"


def surfaces() -> set[str]:
    import slicer

    return {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode")}


def choose_phase(module: Any, folder: Path) -> None:
    module.widget.ui.phaseSection.collapsed = False
    assert not module.widget.ui.phaseButton.enabled, "no other phase was chosen yet"
    module.widget.ui.phaseSelector.setCurrentPath(str(folder))


def test_a_second_phase_is_joined_by_clicks_its_residual_stated_and_its_vessels_planned_with(
    harness: Harness, module: Any, elsewhere: Path
) -> None:
    ui, (venous, arterial) = module.widget.ui, two_phases(elsewhere)
    open_result(harness, module, venous)
    assert ui.phasesLabel.text == "No second phase: alignment not assessed."
    choose_phase(module, arterial)
    harness.reset_stall()
    with harness.python_threads_frozen():
        press(harness, module, "phase")
    assert harness.max_stall_ms < 100
    assert "registered rigidly; residual " in ui.phasesLabel.text
    assert "by the border of liver in both phases" in ui.phasesLabel.text
    assert float(shown(module, "second phase", "residual").split()[0]) < 3
    assert float(shown(module, f"lesion to {BROUGHT}", "shortest distance").split()[0]) > 0
    assert BROUGHT in surfaces()
    ui.widthSpinBox.value = 30
    press(harness, module, "margin")
    assert f"reaches {BROUGHT}" in ui.warningLabel.text
    press(harness, module, "save")
    saved = planning.load(venous)
    assert saved.names[-1] == BROUGHT
    assert saved.alignments[0].in_words in ui.phasesLabel.text
    press(harness, module, "undo")
    press(harness, module, "undo")
    assert BROUGHT not in surfaces()
    assert BROUGHT not in {row[0] for row in texts(ui.numbersTable)}
    press(harness, module, "redo")
    assert BROUGHT in surfaces()


def test_what_of_a_second_phase_is_not_known_or_left_out_is_read_before_the_numbers(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    unnamed = a_liver_run(elsewhere / "other", result=replace(a_result(COARSE), study=Study()))
    open_result(harness, module, unnamed)
    choose_phase(module, run)
    open_result(harness, module, run)
    assert module.widget.ui.phaseSelector.currentPath == "", "the phase of one patient is none of the next"
    choose_phase(module, unnamed)
    press(harness, module, "phase")
    told = module.widget.ui.warningLabel.text
    assert "Nothing says that the second phase is of the same patient" in told
    assert "hepatic vein of the second phase was left out" in told
    press(harness, module, "page")
    assert "Nothing says that the second phase" in (run / "plan.html").read_text(encoding="utf-8")


@pytest.mark.cold_children
def test_a_dead_child_a_closed_scene_and_a_stop_while_phases_are_joined_lose_no_plan(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    import slicer

    ui, plan = module.widget.ui, module.widget.logic.plan
    open_result(harness, module, run)
    press(harness, module, "plane")
    rows = texts(ui.numbersTable)
    choose_phase(module, a_liver_run(elsewhere / "other"))
    os.kill(plan.child.number, signal.SIGSTOP)
    harness.click(ui.phaseButton)
    os.kill(plan.child.number, signal.SIGKILL)
    until_idle(harness, module)
    assert "the worker died: SIGKILL, it was killed from outside" in ui.messageLabel.text
    assert texts(ui.numbersTable) == rows
    harness.click(ui.phaseButton)
    harness.click(ui.cancelButton)
    until_idle(harness, module, 2000)
    assert ui.messageLabel.text == "Stopped. Nothing was written."
    assert texts(ui.numbersTable) == rows
    harness.click(ui.phaseButton)
    slicer.mrmlScene.Clear(0)
    until_idle(harness, module)
    assert len(plan.state.plan.alignments) == 1
    press(harness, module, "show")
    assert plane() is not None
    assert "residual 0.0 mm" in ui.phasesLabel.text
    assert set(rows) < set(texts(ui.numbersTable)), "the plan is as it was, with the residual"


@pytest.mark.cold_children
def test_unloading_it_while_phases_are_joined_leaves_no_child_and_no_file(
    harness: Harness, module: Any, run: Path, elsewhere: Path
) -> None:
    plan = module.widget.logic.plan
    open_result(harness, module, run)
    choose_phase(module, a_liver_run(elsewhere / "other"))
    harness.click(module.widget.ui.phaseButton)
    number = plan.child.number
    assert plan.busy
    module.close()
    harness.process(20)
    assert not Path(f"/proc/{number}").exists()
    assert [path for path in (elsewhere / "temp").rglob("*") if path.is_file()] == []
    again = harness.load_module(MODULE)
    again.parent.show()
    again.enter()
    open_result(harness, again, run)
    assert again.widget.logic.plan.state.plan.alignments == ()
    again.close()


# --- in Slicer -------------------------------------------------------------------------------------------------------


def test_a_case_is_planned_by_keyboard_alone(harness: Harness, module: Any, places: Path, elsewhere: Path) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    def key(widget: str, one: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        keyboard.go_to(widget)
        QTest.keyClick(QApplication.focusWidget(), one, modifier)
        until_idle(harness, module)

    plan = module.widget.logic.plan
    a_liver_run(places / "MedAI-one")
    module.widget.refresh()
    keyboard = Keyboard(harness, module)
    key("resultSelector", Qt.Key.Key_Down)
    assert plan.state.plan is not None
    key("marginButton", Qt.Key.Key_Space)
    key("planeButton", Qt.Key.Key_Space)
    assert len(plan.steps) == 2
    key("numbersTable", Qt.Key.Key_U)
    assert len(plan.steps) == 1
    key("numbersTable", Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    assert len(plan.steps) == 2
    key("phaseSection", Qt.Key.Key_Space)
    keyboard.type("phaseSelector", str(a_liver_run(elsewhere / "other")))
    key("phaseButton", Qt.Key.Key_Space)
    assert len(plan.state.plan.alignments) == 1
    keyboard.type("personEdit", "Sue Usher")
    assert len(plan.steps) == 2, "typing a name is no command"
    key("numbersTable", Qt.Key.Key_S)
    assert (places / "MedAI-one" / "planned-1").is_dir()
    key("pageButton", Qt.Key.Key_Space)
    assert "Sue Usher" in (places / "MedAI-one" / "plan.html").read_text(encoding="utf-8")


def test_closing_the_scene_keeps_the_plan_and_leaves_a_working_panel(harness: Harness, module: Any, run: Path) -> None:
    import slicer

    ui, plan = module.widget.ui, module.widget.logic.plan
    open_result(harness, module, run)
    press(harness, module, "plane")
    rows = texts(ui.numbersTable)
    slicer.mrmlScene.Clear(0)
    harness.process(20)
    assert plan._scene._observed == []
    assert "the plan is still here" in ui.messageLabel.text
    assert not ui.editButton.enabled
    press(harness, module, "undo")
    press(harness, module, "redo")
    press(harness, module, "show")
    assert texts(ui.numbersTable) == rows
    assert plane() is not None
    press(harness, module, "save")
    assert (run / "planned-1").is_dir()


@pytest.mark.cold_children
def test_cancelling_stops_within_two_seconds_and_a_dead_child_is_told(harness: Harness, module: Any, run: Path) -> None:
    ui, plan = module.widget.ui, module.widget.logic.plan
    open_result(harness, module, run)
    press(harness, module, "plane")
    rows = texts(ui.numbersTable)
    harness.click(ui.pageButton)
    harness.click(ui.cancelButton)
    until_idle(harness, module, 2000)
    assert ui.messageLabel.text == "Stopped. Nothing was written."
    assert sorted(path.name for path in run.iterdir()) == ["result"]
    press(harness, module, "margin")
    os.kill(plan.child.number, signal.SIGSTOP)
    harness.click(ui.boxButton)
    os.kill(plan.child.number, signal.SIGKILL)
    until_idle(harness, module)
    assert plan.state.phase is Phase.FAILED
    assert "the worker died: SIGKILL, it was killed from outside" in ui.messageLabel.text
    assert len(texts(ui.stepsTable)) == 2, "what was not worked out is not shown"
    press(harness, module, "undo")
    assert texts(ui.numbersTable) == rows


def test_unloading_and_reloading_it_lets_go_of_the_scene(harness: Harness, module: Any, run: Path) -> None:
    import slicer

    open_result(harness, module, run)
    press(harness, module, "plane")
    stage, plan = module.widget.logic.plan._scene, module.widget.logic.plan
    module.close()
    harness.process(20)
    assert stage._observed == [], "nobody listens any more"
    assert plane() is None, "what the plan added is gone"
    stale = plan.state.stale
    draw(a_result(COARSE), smaller_lesion(COARSE))
    assert plan.state.stale == stale, "nobody listens any more"
    again = harness.load_module(MODULE)
    again.parent.show()
    again.enter()
    open_result(harness, again, run)
    assert again.widget.logic.plan.state.plan is not None
    again.close()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsPlaneNode") == 0


def test_the_self_test_passes_on_the_stand_in(module: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    monkeypatch.setattr(slicer.util, "tempDirectory", lambda: tempfile.mkdtemp(dir=elsewhere), raising=False)
    module.module.runTest()


def test_loading_it_loads_nothing_heavy(harness: Harness) -> None:
    code = (
        "import sys; from pathlib import Path; from Testing.Harness import install; h = install();"
        f"m = h.load_module(Path({str(MODULE)!r}));"
        "heavy = ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom', 'pynetdicom', 'scipy');"
        "print([n for n in heavy if n in sys.modules]); m.close(); h.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
