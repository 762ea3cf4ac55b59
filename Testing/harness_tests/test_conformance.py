"""The static check finds planted mistakes of every kind, and none in a correct module."""

import subprocess
import sys
from pathlib import Path

import pytest

from Testing.Harness import facts
from Testing.Harness.conformance import check

SAMPLE = Path(__file__).parent / "sample"
MODULE = SAMPLE / "SampleVolume.py"
FORM = SAMPLE / "Resources" / "UI" / "SampleVolume.ui"
REPOSITORY = Path(__file__).parents[2]

PY_MISTAKES = [
    ("unknown Qt class", "qt.QProgressBar()", "qt.QProgresBar()"),
    ("unknown CTK class", "qt.QProgressBar()", "ctk.ctkProgressBar()"),
    ("unknown Slicer class", "qt.QProgressBar()", "slicer.qMRMLProgressBar()"),
    ("unknown member of a widget of the form", "applyButton.toolTip", "applyButton.tooltip"),
    ("unknown member of an own widget", "progress.setRange", "progress.setLimits"),
    ("unknown widget of the form", "self.ui.methodBox", "self.ui.methodsBox"),
    ("unknown signal", '"clicked(bool)"', '"clicked(int)"'),
    ("unknown signal of a CTK widget", "currentPathChanged(QString)", "pathChanged(QString)"),
    ("signal without arguments where it has one", '"currentPathChanged(QString)"', '"currentPathChanged()"'),
    ("disconnect from an unknown signal", 'disconnect("timeout()"', 'disconnect("timedOut()"'),
    ("property called like a method", "self.progress.maximum:", "self.progress.maximum():"),
    (
        "property of the form's widget called",
        "statusLabel.text = path",
        "statusLabel.setText(self.ui.titleEdit.text())",
    ),
    ("shadowed method called", "self.ui.methodBox.setCurrentIndex(0)", "self.ui.inputSelector.currentNodeId()"),
    ("write to a read-only property", "self.ui.methodBox.setCurrentIndex(0)", "self.ui.methodBox.count = 0"),
    ("write to a method", "self.progress.setRange(0, 100)", "self.progress.setRange = 100"),
    ("write to a signal", "self.progress.setRange(0, 100)", "self.progress.valueChanged = 100"),
    ("write to an unknown attribute", "advancedButton.collapsed =", "advancedButton.isCollapsed ="),
    ("class that Python cannot make", "qt.QProgressBar()", "slicer.qSlicerAbstractModuleWidget()"),
    ("unknown enum value", "qt.Qt.AlignVCenter", "qt.Qt.AlignVCentre"),
    ("enum value of a class unknown", "qt.Qt.AlignVCenter", "qt.QMessageBox.Okay"),
    ("integer arithmetic on an enum", "qt.Qt.AlignLeft | qt.Qt.AlignVCenter", "qt.Qt.AlignLeft + 128"),
    ("enum or-ed with a number", "qt.Qt.AlignLeft | qt.Qt.AlignVCenter", "qt.Qt.AlignLeft | 128"),
    ("int of an enum", "qt.Qt.AlignLeft | qt.Qt.AlignVCenter", "int(qt.Qt.AlignLeft)"),
    ("unknown slicer.util function", "slicer.util.arrayFromVolume(", "slicer.util.arrayFromScalarVolume("),
    ("wrong argument name", "windowTitle=_(", "title=_("),
    ("wrong argument name without kwargs", "waitCursor=True", "busyCursor=True"),
    ("missing argument", "arrayFromVolume(inputVolume)", "arrayFromVolume()"),
    ("too many arguments", "arrayFromVolume(inputVolume)", "arrayFromVolume(inputVolume, 1, 2)"),
    ("unknown attribute of slicer", "slicer.util.loadUI", "slicer.utils.loadUI"),
    ("unknown import from slicer.util", "import VTKObservationMixin", "import VTKObserverMixin"),
    ("unknown import of a parameter rule", "import Default, WithinRange", "import Default, InRange"),
    ("unknown import of a base class", "    ScriptedLoadableModuleTest,\n", "    ScriptedLoadableModuleTests,\n"),
    (
        "unknown packaging argument",
        "self.timer.stop()\n",
        'import slicer.packaging; slicer.packaging.pip_ensure(["a"], asker="b")\n',
    ),
    ("submodule without its import", "self.timer.stop()\n", 'slicer.packaging.pip_ensure(["a"])\n'),
    ("removed in Qt 6: class", "qt.QProgressBar()", "qt.QDesktopWidget()"),
    ("removed in Qt 6: regular expressions", "qt.QProgressBar()", "qt.QRegExp()"),
    (
        "removed in Qt 6: member",
        "self.timer = qt.QTimer()",
        "self.timer = qt.QTimer(); qt.QFontMetrics(qt.QFont()).width",
    ),
    ("removed in Qt 6: signal", "self.timer = qt.QTimer()", 'qt.QSignalMapper().connect("mapped(QString)", print)'),
    ("removed in Qt 6: static", "self.timer.stop()\n", "qt.QApplication.desktop()\n"),
    ("only in Qt 6", "self.timer.setInterval(10)", "self.timer.intervalAsDuration()"),
    ("subclass of a Qt class", "class Method(Enum):", "class Panel(qt.QWidget):\n    pass\n\n\nclass Method(Enum):"),
    ("PySide import", "import qt\n", "import PySide6\nimport qt\n"),
    ("PyQt import", "import qt\n", "from PyQt5 import QtWidgets\nimport qt\n"),
    ("Signal of PySide", "qt.QTimer()", "qt.Signal()"),
    ("event filter", "self.timer.setInterval(10)", "self.parent.installEventFilter(self.timer)"),
    ("keyword arguments to a constructor", "qt.QProgressBar()", "qt.QProgressBar(maximum=100)"),
    (
        "unknown member of the application",
        "slicer.util.arrayFromVolume",
        "slicer.app.applicationTitle; slicer.util.arrayFromVolume",
    ),
    ("unknown member of the layout manager", "self.timer.stop()\n", "slicer.app.layoutManager().setView(1)\n"),
]
UI_MISTAKES = [
    ("unknown widget class", 'class="ctkSliderWidget"', 'class="ctkSlider"'),
    ("misspelt Qt class", 'class="QSpinBox"', 'class="QSpinnerBox"'),
    ("unknown property", 'name="singleStep"', 'name="stepSize"'),
    ("unknown property of a Slicer widget", 'name="addEnabled"', 'name="addingEnabled"'),
    ("unknown property of a Qt widget", 'name="wordWrap"', 'name="wrapWords"'),
    ("unknown signal", "<signal>toggled(bool)</signal>", "<signal>checked(bool)</signal>"),
    ("wrong signature", "currentNodeChanged(vtkMRMLNode*)", "currentNodeChanged(QString)"),
    ("unknown slot", "setMRMLTableNode(vtkMRMLNode*)", "setTableNode(vtkMRMLNode*)"),
    ("unknown sender", "<sender>invertedBox</sender>", "<sender>invertBox</sender>"),
    ("unknown receiver", "<receiver>tableView</receiver>", "<receiver>table</receiver>"),
    ("two widgets of one name", 'name="repeatsBox"', 'name="titleEdit"'),
    ("binding to an unknown parameter", "<string>repeats</string>", "<string>repetitions</string>"),
]


def _found(folder: Path, mistake: tuple[str, str, str], *, in_form: bool) -> bool:
    _, right, wrong = mistake
    module, form = MODULE.read_text("utf-8"), FORM.read_text("utf-8")
    changed = form if in_form else module
    assert right in changed, f"the sample no longer has {right}"
    changed = changed.replace(right, wrong)
    copies = folder / MODULE.name, folder / FORM.name
    copies[0].write_text(module if in_form else changed, "utf-8")
    copies[1].write_text(changed if in_form else form, "utf-8")
    return bool(check(copies[:1], copies[1:]))


def test_the_correct_sample_has_no_findings() -> None:
    assert check([MODULE], [FORM]) == []


def test_the_shipped_modules_have_no_findings() -> None:
    modules = list((REPOSITORY / "SlicerMedAI").glob("*.py"))
    forms = list((REPOSITORY / "SlicerMedAI" / "Resources" / "UI").glob("*.ui"))
    assert modules
    assert forms
    assert check(modules, forms) == []


def test_at_least_95_percent_of_planted_mistakes_are_found(tmp_path: Path) -> None:
    missed = [m[0] for m in PY_MISTAKES if not _found(tmp_path, m, in_form=False)]
    missed += [m[0] for m in UI_MISTAKES if not _found(tmp_path, m, in_form=True)]
    total = len(PY_MISTAKES) + len(UI_MISTAKES)
    assert total >= 55
    assert len(missed) <= 0.05 * total, missed


def test_a_finding_names_file_and_line(tmp_path: Path) -> None:
    module = tmp_path / "M.py"
    module.write_text("import qt\n\nlabel = qt.QLabel()\nlabel.caption = 'x'\n", "utf-8")
    (finding,) = check([module], [])
    assert (finding.file, finding.line) == (str(module), 4)
    assert str(finding) == f"{module}:4: QLabel has no member caption"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import slicer\nslicer.packaging.pip_check('a')\n", [2]),
        ("import slicer\nimport slicer.packaging\nslicer.packaging.pip_check('a')\n", []),
        ("from slicer.packaging import pip_check\nimport slicer\nslicer.packaging.pip_install('a')\n", []),
        ("from slicer import packaging\nimport slicer\nslicer.packaging.pip_install('a')\n", []),
        ("import slicer\nslicer.util.quit()\nslicer.cli.cancel(1)\n", []),
        ("def f():\n    import slicer.testing\n\ndef g():\n    slicer.testing.exitSuccess()\n", [5]),
        ("def f():\n    import slicer.testing\n    return lambda: slicer.testing.exitSuccess()\n", []),
        ("class A:\n    def f(self):\n        print(slicer.i18n.tr('a'))\n", [3]),
    ],
)
def test_a_submodule_of_slicer_must_be_imported_where_it_is_used(tmp_path: Path, source: str, lines: list[int]) -> None:
    module = tmp_path / "M.py"
    module.write_text(source, "utf-8")
    found = check([module], [])
    assert [finding.line for finding in found] == lines
    assert all("used without import slicer." in finding.message for finding in found)


def test_the_command_prints_findings_and_fails(tmp_path: Path) -> None:
    module = tmp_path / "M.py"
    module.write_text("import PyQt5\n", "utf-8")
    command = [sys.executable, "-m", "Testing.Harness.conformance"]
    bad = subprocess.run([*command, str(module)], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    good = subprocess.run(
        [*command, str(MODULE), str(FORM)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (bad.returncode, good.returncode) == (1, 0)
    assert "PyQt5 is not in Slicer" in bad.stdout


def test_the_facts_stay_small() -> None:
    files = list(facts.FOLDER.glob("*.json"))
    assert len(files) == 3
    assert sum(f.stat().st_size for f in files) <= 1_500_000


@pytest.mark.parametrize(
    ("class_name", "attribute", "kind"),
    [
        ("qMRMLNodeComboBox", "currentNodeId", "property"),
        ("qMRMLNodeComboBox", "currentNode", "method"),
        ("qMRMLNodeComboBox", "currentNodeChanged", "signal"),
        ("ctkPathLineEdit", "Dirs", "enum"),
        ("qSlicerApplication", "layoutManager", "method"),
        ("qSlicerApplication", "temporaryPath", "property"),
        ("QDialog", "exec_", "method"),
        ("QTimer", "timeout", "signal"),
        ("QFile", "ReadOnly", "enum"),
    ],
)
def test_the_facts_know_how_a_name_resolves(class_name: str, attribute: str, kind: str) -> None:
    found = facts.member(class_name, attribute)
    assert found is not None
    assert found.kind == kind
    assert found.versions >= facts.BOTH
