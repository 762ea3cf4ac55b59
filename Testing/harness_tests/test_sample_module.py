"""A module in the manner of Slicer's template runs: form, binding, clicks, timer, scene close, screenshot."""

from pathlib import Path
from typing import Any

import pytest

from Testing.Harness import Harness
from Testing.Harness.pythonqt.objects import unwrap


def test_the_form_is_loaded_with_slicers_classes(sample: Any) -> None:
    import ctk
    import slicer

    ui = sample.widget.ui
    assert type(ui.inputSelector) is slicer.qMRMLNodeComboBox
    assert type(ui.folderEdit) is ctk.ctkPathLineEdit
    assert ui.inputSelector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    assert ui.inputSelector.addEnabled is False
    assert ui.folderEdit.filters == ctk.ctkPathLineEdit.Dirs
    assert ui.inputsButton.text == "Inputs"


def test_the_forms_connections_work(sample: Any) -> None:
    import slicer

    ui = sample.widget.ui
    assert ui.inputSelector.mrmlScene() is slicer.mrmlScene
    table = ui.tableSelector.addNode()
    assert ui.tableView.mrmlTableNode() is table
    ui.invertedBox.checked = True
    assert not ui.titleEdit.enabled


def test_a_connection_to_an_unknown_signal_is_logged(harness: Harness, tmp_path: Path) -> None:
    import slicer

    form = Path(__file__).parent / "sample" / "Resources" / "UI" / "SampleVolume.ui"
    broken = tmp_path / "Broken.ui"
    broken.write_text(form.read_text("utf-8").replace("toggled(bool)", "switched(bool)"), "utf-8")
    slicer.util.loadUI(str(broken))
    log = "\n".join(harness.strict_log)
    harness.strict_log.clear()
    assert "QCheckBox has no signal switched(bool)" in log
    assert "connection failed: invertedBox.switched(bool)" in log


def test_an_unknown_widget_class_is_logged(harness: Harness, tmp_path: Path) -> None:
    import slicer

    form = tmp_path / "Unknown.ui"
    widget = '<widget class="QWidget" name="Panel"><widget class="ctkNoSuch" name="odd"/></widget>'
    form.write_text(f'<ui version="4.0"><class>Panel</class>{widget}</ui>', "utf-8")
    slicer.util.loadUI(str(form))
    log = "\n".join(harness.strict_log)
    harness.strict_log.clear()
    assert "unknown widget class ctkNoSuch" in log


def test_an_unbounded_slider_cannot_be_bound(harness: Harness) -> None:
    import ctk
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        factor: float = 1.0

    import slicer

    parameters = Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    with pytest.raises(RuntimeError, match="unbounded"):
        parameters.connectParametersToGui({"factor": ctk.ctkSliderWidget()})


def test_the_description_is_filled_in(sample: Any) -> None:
    assert sample.module.parent.title == "Sample volume"
    assert sample.module.parent.categories == ("Examples",)


def test_a_widget_writes_its_parameter(sample: Any, a_volume: Any) -> None:
    ui, node = sample.widget.ui, sample.widget._parameterNode
    ui.inputSelector.setCurrentNode(a_volume)
    ui.thresholdSlider.value = 42.0
    ui.repeatsBox.value = 7
    ui.invertedBox.checked = True
    ui.titleEdit.text = "run 1"
    ui.methodBox.currentIndex = 1
    assert node.inputVolume is a_volume
    assert (node.threshold, node.repeats, node.inverted, node.title) == (42.0, 7, True, "run 1")
    assert node.method is sample.python.Method.BELOW


def test_a_parameter_writes_its_widget(sample: Any, a_volume: Any) -> None:
    ui, node = sample.widget.ui, sample.widget._parameterNode
    node.inputVolume = a_volume
    node.threshold = 12.5
    node.inverted = True
    node.method = sample.python.Method.BELOW
    assert ui.inputSelector.currentNode() is a_volume
    assert ui.thresholdSlider.value == 12.5
    assert ui.invertedBox.checked
    assert ui.methodBox.currentText == "BELOW"


def test_the_state_is_in_the_scene(sample: Any) -> None:
    import slicer

    sample.widget._parameterNode.labels = ["brain", "csf"]
    stored = slicer.mrmlScene.GetSingletonNode("SampleVolume", "vtkMRMLScriptedModuleNode")
    assert stored.GetParameter("threshold") == "100.0"
    again = sample.python.SampleVolumeParameterNode(stored)
    assert again.labels == ["brain", "csf"]
    assert again.repeats == 3


@pytest.mark.parametrize(("name", "value"), [("threshold", 500.0), ("repeats", "three"), ("inverted", 1)])
def test_a_value_outside_the_rules_is_refused(sample: Any, name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        setattr(sample.widget._parameterNode, name, value)


def test_an_unknown_parameter_is_refused(sample: Any) -> None:
    with pytest.raises(AttributeError, match="no parameter treshold"):
        sample.widget._parameterNode.treshold = 1.0


def test_a_type_outside_the_allowed_subset_is_refused(harness: Harness) -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    with pytest.raises(TypeError, match="not among the parameter types"):

        @parameterNodeWrapper
        class Parameters:
            anything: dict[str, int]


def test_a_disconnected_panel_changes_nothing(sample: Any) -> None:
    node = sample.widget._parameterNode
    sample.exit()
    sample.widget.ui.repeatsBox.value = 9
    assert node.repeats == 3
    sample.enter()
    assert sample.widget.ui.repeatsBox.value == 3


def test_a_click_runs_the_module(harness: Harness, sample: Any, a_volume: Any) -> None:
    ui = sample.widget.ui
    sample.widget._parameterNode.inputVolume = a_volume
    harness.dialogs.answer("yes")
    harness.click(ui.applyButton)
    assert ui.statusLabel.text == "99 voxels"
    assert harness.wait_until(lambda: sample.widget.progress.value == 100, 2000)
    assert not sample.widget.timer.active


def test_a_refused_confirmation_runs_nothing(harness: Harness, sample: Any, a_volume: Any) -> None:
    sample.widget._parameterNode.inputVolume = a_volume
    harness.dialogs.answer("no")
    harness.click(sample.widget.ui.applyButton)
    assert sample.widget.ui.statusLabel.text == "Ready"


def test_a_disabled_button_cannot_be_clicked(harness: Harness, sample: Any) -> None:
    with pytest.raises(AssertionError, match="applyButton is disabled"):
        harness.click(sample.widget.ui.applyButton)


def test_closing_the_scene_leaves_a_working_panel(harness: Harness, sample: Any, a_volume: Any) -> None:
    import slicer

    sample.widget._parameterNode.inputVolume = a_volume
    slicer.mrmlScene.Clear(0)
    assert sample.widget._parameterNode.inputVolume is None
    assert not sample.widget.ui.applyButton.enabled


def test_cleanup_leaves_no_observer_on_the_scene(harness: Harness) -> None:
    import slicer

    from .conftest import SAMPLE

    loaded = harness.load_module(SAMPLE)
    assert len(loaded.widget.Observations) == 3
    loaded.cleanup()
    assert loaded.widget.Observations == []
    slicer.mrmlScene.Clear(0)
    assert loaded.widget._parameterNode is None


def test_the_module_test_class_runs(sample: Any) -> None:
    sample.module.runTest(msec=0)


def test_the_screenshot_has_readable_text(harness: Harness, sample: Any, a_volume: Any, tmp_path: Path) -> None:
    from PySide6.QtGui import QImage

    if not harness.has_readable_font:
        pytest.skip("no DejaVu Sans: install matplotlib or fonts-dejavu-core")
    shot = QImage(str(harness.grab(sample.parent, tmp_path / "sample.png", size=(420, 480))))
    needed = unwrap(sample.parent).heightForWidth(420)
    assert (shot.width(), shot.height()) == (420, needed), "texts that wrap say how high it is"
    assert 0 < needed < 480
    area = _area_of(sample.widget.ui.applyButton, sample.parent)
    dark = {(x, y) for x, y in area if shot.pixelColor(x, y).lightness() < 100}
    sample.widget.ui.applyButton.text = ""
    blank = QImage(str(harness.grab(sample.parent, tmp_path / "blank.png", size=(420, 480))))
    without_text = {(x, y) for x, y in area if blank.pixelColor(x, y).lightness() < 100}
    assert len(dark - without_text) > 30


def _area_of(widget: Any, panel: Any) -> set[tuple[int, int]]:
    corner = widget.mapTo(panel, widget.rect.topLeft())
    left, top = corner.x() + 3, corner.y() + 3
    return {(x, y) for x in range(left, left + widget.width - 6) for y in range(top, top + widget.height - 6)}
