"""Stand-ins without behaviour have Slicer's names, types and base classes; those with behaviour behave."""

from pathlib import Path
from typing import Any

import pytest

from Testing.Harness import Harness, facts

CHOSEN = [
    "ctkCheckableComboBox",
    "ctkCollapsibleGroupBox",
    "ctkComboBox",
    "ctkDICOMVisualBrowserWidget",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkErrorLogWidget",
    "ctkRangeWidget",
    "ctkSettings",
    "qMRMLColorTableComboBox",
    "qMRMLCheckableNodeComboBox",
    "qMRMLMarkupsToolBar",
    "qMRMLSegmentEditorWidget",
    "qMRMLSliderWidget",
    "qMRMLSliceWidget",
    "qMRMLSubjectHierarchyTreeView",
    "qMRMLThreeDWidget",
    "qMRMLVolumeThresholdWidget",
    "qSlicerMarkupsPlaceWidget",
]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_stand_in_can_be_made_and_its_properties_keep_their_values(harness: Harness, name: str) -> None:
    import ctk
    import slicer

    made = getattr(ctk if name.startswith("ctk") else slicer, name)()
    assert made.className() == name
    own = facts.gui()[name].get("properties", {})
    for attribute in [p for p, (kind, _get, setter, _n) in own.items() if kind == "bool" and setter]:
        setattr(made, attribute, True)
        assert getattr(made, attribute) is True, attribute


def test_a_stand_in_is_an_instance_of_slicers_base_classes(harness: Harness) -> None:
    import qt
    import slicer

    view = slicer.qMRMLSegmentsTableView()
    assert isinstance(view, slicer.qMRMLWidget)
    assert isinstance(view, qt.QWidget)
    assert not isinstance(view, qt.QTableView)


def test_a_method_without_behaviour_is_recorded(harness: Harness) -> None:
    import slicer

    slicer.qMRMLThreeDWidget().setMRMLViewNode(None)
    assert harness.stub_calls == [("qMRMLThreeDWidget", "setMRMLViewNode", (None,))]


def test_a_setter_of_a_stand_in_writes_its_property_and_tells_of_it(harness: Harness) -> None:
    import ctk

    got: list[bool] = []
    slider = ctk.ctkRangeWidget()
    slider.setMaximumValue(7.5)
    assert slider.maximumValue == 7.5
    box = ctk.ctkCollapsibleButton("Title")
    box.connect("contentsCollapsed(bool)", got.append)
    box.collapsed = True
    assert got == [True]


def test_a_collapsed_button_hides_what_it_holds(harness: Harness) -> None:
    import ctk
    import qt

    box = ctk.ctkCollapsibleButton("Title")
    qt.QVBoxLayout(box).addWidget(inner := qt.QLabel("inner"))
    tall = box.sizeHint.height()
    box.collapsed = True
    assert inner.isHidden()
    assert box.sizeHint.height() < tall
    box.click()
    assert not box.collapsed
    assert not inner.isHidden()


def test_slider_and_spin_box_show_the_same_number_within_limits(harness: Harness) -> None:
    import ctk

    got: list[float] = []
    slider = ctk.ctkSliderWidget()
    slider.maximum = 10
    slider.connect("valueChanged(double)", got.append)
    slider.value = 25
    assert slider.value == 10
    assert got == [10.0]


def test_a_path_line_edit_asks_with_a_file_dialog(harness: Harness) -> None:
    import ctk

    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable
    harness.dialogs.answer("/data/study")
    edit.browse()
    assert edit.currentPath == "/data/study"


@pytest.mark.parametrize(("answer", "confirmed"), [("yes", True), ("no", False)])
def test_a_confirmation_is_answered_from_the_queue(harness: Harness, *, answer: str, confirmed: bool) -> None:
    import slicer

    harness.dialogs.answer(answer)
    assert slicer.util.confirmYesNoDisplay("Delete the result?") is confirmed
    assert harness.dialogs.shown[0].text == "Delete the result?"


def test_an_unanswered_dialog_is_refused_and_logged(harness: Harness) -> None:
    import slicer

    assert slicer.util.confirmOkCancelDisplay("Go on?") is False
    assert "Go on?" in harness.strict_log.pop()


def test_in_testing_mode_no_dialog_opens(harness: Harness) -> None:
    import slicer

    harness.set_testing_enabled(enabled=True)
    slicer.util.confirmYesNoDisplay("Delete?")
    slicer.util.errorDisplay("broken")
    assert harness.dialogs.shown == []


def test_core_modules_have_their_real_logic(harness: Harness, a_volume: Any) -> None:
    import slicer

    logic = slicer.modules.volumes.logic()
    label_map = logic.CreateAndAddLabelVolume(a_volume, "labels")
    assert label_map.GetScene() is slicer.mrmlScene
    with pytest.raises(AttributeError):
        slicer.modules.nosuchmodule  # noqa: B018


def test_packaging_installs_nothing_and_checks_its_arguments(harness: Harness) -> None:
    import slicer.packaging

    slicer.packaging.pip_ensure(["monai"], requester="MedAI")
    assert harness.packaging_calls == [("pip_ensure", (["monai"],), {"requester": "MedAI"})]
    with pytest.raises(TypeError, match="unexpected keyword"):
        slicer.packaging.pip_ensure(["monai"], asker="MedAI")


def test_a_submodule_is_there_only_after_its_import(harness: Harness) -> None:
    import slicer

    with pytest.raises(AttributeError, match="packaging"):
        slicer.packaging  # noqa: B018
    import slicer.packaging

    assert slicer.packaging.isPipInstallInProgress() is False


def test_requirements_are_read_from_the_file(harness: Harness, tmp_path: Path) -> None:
    import slicer.packaging

    path = tmp_path / "requirements.txt"
    path.write_text("# for the model\ntorch>=2.8\n\n-r other.txt\nmonai\n", "utf-8")
    assert [str(made) for made in slicer.packaging.load_requirements(path)] == ["torch>=2.8", "monai"]


def test_settings_stay_in_the_harness_folder(harness: Harness, tmp_path: Path) -> None:
    import qt
    import slicer

    settings = qt.QSettings()
    settings.setValue("MedAI/model", "brain")
    settings.sync()
    assert slicer.util.settingsValue("MedAI/model", "") == "brain"
    assert list(tmp_path.rglob("*.ini")) or list(tmp_path.rglob("*.conf"))


def test_closing_leaves_slicer_core_alone(tmp_path: Path) -> None:
    import slicer

    from Testing.Harness import install

    made = install(folder=tmp_path)
    assert slicer.app.testingEnabled() is False
    made.close()
    for name in ("app", "mrmlScene", "modules", "packaging"):
        assert not hasattr(slicer, name), name
    with pytest.raises(ModuleNotFoundError):
        import qt  # noqa: F401


def test_the_table_view_shows_a_real_table_node(harness: Harness) -> None:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Findings")
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(node)
    column = node.AddColumn()
    column.SetName("Volume")
    row = node.AddEmptyRow()
    node.SetCellText(row, 0, "12.5")
    model = view.model()
    assert (model.rowCount(), model.columnCount()) == (1, 1)
    assert model.data(model.index(0, 0)) == "12.5"


def test_the_segments_table_follows_a_real_segmentation(harness: Harness) -> None:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Brain")
    view = slicer.qMRMLSegmentsTableView()
    view.setMRMLScene(slicer.mrmlScene)
    view.setSegmentationNode(node)
    segment = slicer.vtkSegment()
    segment.SetName("Intracranial volume")
    node.GetSegmentation().AddSegment(segment, segment_id := "icv")
    assert view.segmentCount == 1
    view.setSelectedSegmentIDs([segment_id])
    assert view.selectedSegmentIDs() == (segment_id,)
