"""Names of Qt objects resolve as in PythonQt, and what Slicer lacks does not exist."""

import numpy as np
import pytest

from Testing.Harness import Harness


def test_a_property_is_an_attribute_and_never_callable(harness: Harness) -> None:
    import qt

    button = qt.QPushButton("Apply")
    assert button.text == "Apply"
    with pytest.raises(TypeError, match="not callable"):
        button.text()


def test_a_method_shadowed_by_a_property_cannot_be_called(harness: Harness) -> None:
    import slicer

    assert slicer.qMRMLNodeComboBox().currentNodeId == ""


def test_a_python_attribute_of_a_derived_class_comes_before_the_property(harness: Harness) -> None:
    import qt

    class Label(qt.QLabel):
        text = "mine"

    assert Label("Qt's").text == "mine"


def test_dynamic_property_and_child_come_last_in_this_order(harness: Harness) -> None:
    import qt

    parent = qt.QWidget()
    child = qt.QLabel("child", parent)
    child.objectName = "inner"
    assert parent.inner == child
    parent.setProperty("inner", "dynamic")
    assert parent.inner == "dynamic"


def test_name_is_another_word_for_object_name(harness: Harness) -> None:
    import qt

    widget = qt.QWidget()
    widget.name = "first"
    assert widget.objectName == "first"


def test_reading_an_unknown_name_is_an_error(harness: Harness) -> None:
    import qt

    with pytest.raises(AttributeError, match="QPushButton has no attribute named 'caption'"):
        qt.QPushButton().caption  # noqa: B018


def test_writing_an_unknown_name_on_a_plain_qt_object_is_an_error(harness: Harness) -> None:
    import qt

    with pytest.raises(AttributeError, match="creating new attributes on C\\+\\+ objects is not allowed"):
        qt.QPushButton().myState = 3


def test_writing_a_method_is_an_error(harness: Harness) -> None:
    import qt

    with pytest.raises(AttributeError, match="can not be overwritten"):
        qt.QPushButton().setText = None


def test_writing_a_read_only_property_is_an_error(harness: Harness) -> None:
    import qt

    with pytest.raises(AttributeError, match="'count' of QComboBox object is not writable"):
        qt.QComboBox().count = 2


def test_a_value_of_a_wrong_type_is_refused(harness: Harness) -> None:
    import qt

    with pytest.raises(AttributeError, match="does not accept an object of type int"):
        qt.QLabel().text = 5


def test_a_numpy_scalar_is_refused(harness: Harness) -> None:
    import qt

    with pytest.raises(ValueError, match="use int\\(\\) or float\\(\\)"):
        qt.QSpinBox().setValue(np.int64(3))


def test_keyword_arguments_are_refused(harness: Harness) -> None:
    import qt

    with pytest.raises(TypeError, match="takes no keyword arguments"):
        qt.QLabel(text="PySide only")


@pytest.mark.parametrize(
    "expression",
    [
        "qt.Signal",
        "qt.Slot",
        "qt.Property",
        "qt.QRegExp",
        "qt.QTextCodec",
        "qt.QSize(1, 2).toTuple",
        "qt.QFontMetrics(qt.QFont()).width",
        "qt.Qt.NoSuchValue",
        "qt.QTimer().intervalAsDuration",
        "ctk.ctkNoSuchWidget",
        "slicer.qMRMLNoSuchWidget",
        "slicer.noSuchName",
    ],
)
def test_what_is_not_in_slicer_does_not_exist(harness: Harness, expression: str) -> None:
    import ctk
    import qt
    import slicer

    with pytest.raises(AttributeError):
        eval(expression, {"qt": qt, "ctk": ctk, "slicer": slicer})  # noqa: S307 - the expressions above


def test_an_enum_is_found_on_the_class_and_on_the_namespace(harness: Harness) -> None:
    import qt

    assert qt.QMessageBox.Ok | qt.QMessageBox.Cancel
    label = qt.QLabel("x")
    label.setAlignment(qt.Qt.AlignRight)
    assert label.alignment & qt.Qt.AlignRight


def test_a_wrong_signature_returns_false_and_is_logged(harness: Harness) -> None:
    import qt

    assert qt.QPushButton().connect("clicked(int)", lambda: None) is False
    assert "no such signal QPushButton::clicked(int)" in harness.strict_log.pop()


def test_a_slot_gets_only_as_many_arguments_as_it_takes(harness: Harness) -> None:
    import qt

    got: list[tuple[object, ...]] = []
    box = qt.QCheckBox()
    assert box.connect("toggled(bool)", lambda: got.append(()))
    assert box.connect("toggled(bool)", lambda on: got.append((on,)))
    assert box.toggled.connect(lambda *all_of_them: got.append(all_of_them))
    box.checked = True
    assert got == [(), (True,), (True,)]


def test_a_disconnected_slot_is_not_called(harness: Harness) -> None:
    import qt

    got: list[str] = []

    def slot(text: str) -> None:
        got.append(text)

    edit = qt.QLineEdit()
    edit.connect("textChanged(QString)", slot)
    edit.text = "one"
    assert edit.disconnect("textChanged(QString)", slot)
    edit.text = "two"
    assert got == ["one"]


def test_an_exception_in_a_slot_goes_to_the_strict_log(harness: Harness) -> None:
    import qt

    def fail() -> None:
        raise RuntimeError("broken slot")

    button = qt.QPushButton()
    button.connect("clicked()", fail)
    button.click()
    assert "broken slot" in harness.strict_log.pop()


def test_objects_made_by_qt_itself_are_wrapped_too(harness: Harness) -> None:
    import qt

    tree = qt.QTreeWidget()
    assert type(tree.header()) is qt.QHeaderView
    assert tree.header().objectName == ""


def test_the_same_object_has_the_same_wrapper(harness: Harness) -> None:
    import qt

    parent = qt.QWidget()
    child = qt.QLabel(parent)
    assert child.parent() is parent
    assert parent.findChildren(qt.QLabel) == (child,)
    assert parent.findChild("QLabel") is child


def test_reading_from_a_deleted_object_is_an_error(harness: Harness) -> None:
    import qt

    label = qt.QLabel("x")
    label.delete()
    assert not label
    with pytest.raises(ValueError, match="destroyed QLabel"):
        label.text  # noqa: B018


def test_an_abstract_class_cannot_be_constructed(harness: Harness) -> None:
    import slicer

    with pytest.raises(TypeError, match="cannot be constructed"):
        slicer.qSlicerAbstractModuleWidget()
