"""The page "MedAI" in Slicer's application settings: rows that are kept, refused, put back and emptied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6 import QtWidgets

from slicermedai.app.removal import Removal
from slicermedai.app.settings_page import SettingsPage
from slicermedai.domain import settings
from Testing.fixtures.wheels import ThrowAway, make_wheel
from Testing.Harness import Harness, fonts
from Testing.Harness.pythonqt.objects import unwrap
from Testing.modules import readable
from Testing.modules.keyboard import Keyboard

POINTS = 10


@pytest.fixture(autouse=True)
def user(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person whose settings nobody else sees."""
    for one in settings.SETTINGS.values():
        monkeypatch.delenv(one.variable, raising=False)
    monkeypatch.delenv(settings.FILE_VARIABLE)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return places.parent


@pytest.fixture
def dialog(harness: Harness) -> Any:
    import slicer

    return slicer.app.settingsDialog()


@pytest.fixture
def panel(harness: Harness, dialog: Any) -> Any:
    """The page, shown."""
    from slicermedai.scene.settings_panel import SettingsPanel

    made = SettingsPanel(SettingsPage(), Removal())
    unwrap(dialog).show()
    dialog.setCurrentPanel("MedAI")
    harness.process(20)
    return made


def status(panel: Any, name: str) -> str:
    """What stands below the row, without the places where a path may go on in the next line."""
    return str(getattr(panel.ui, f"{name}Status").text).replace("\u200b", "")


def write(harness: Harness, panel: Any, name: str, text: str) -> None:
    editor = panel.editor(name)
    setattr(editor, "currentPath" if hasattr(editor, "currentPath") else "currentText", text)
    panel.keep()
    harness.process(10)


def test_slicer_gets_the_page_when_it_has_started_and_nothing_is_set_by_that(
    harness: Harness, medai: Any, dialog: Any
) -> None:
    import slicer

    assert getattr(medai.module, "settings", None) is None
    slicer.app.startupCompleted.emit()
    panel = medai.module.settings
    assert panel.panel.windowTitle == "MedAI"
    assert status(panel, "home") == f"In use: {settings.platform_home()} (default)."
    assert not settings.settings_file().exists()


def test_every_setting_has_a_row_with_its_value_and_source(panel: Any) -> None:
    for name in settings.SETTINGS:
        assert status(panel, name).startswith("In use: "), name
        assert panel.editor(name).toolTip
        assert unwrap(getattr(panel.ui, f"{name}Label")).buddy() is unwrap(panel.editor(name))


def test_what_is_written_counts_after_a_pause_for_all_modules(
    harness: Harness, panel: Any, medai: Any, tmp_path: Path
) -> None:
    panel.editor("results").currentPath = str(tmp_path / "studies")
    assert settings.value("results") == ""
    assert harness.wait_until(lambda: settings.value("results") == str(tmp_path / "studies"), 3000)
    assert status(panel, "results") == f"In use: {tmp_path / 'studies'} (set here)."
    write(harness, panel, "device", "cpu")
    medai.exit()
    medai.enter()
    asked = medai.widget.logic.presenter.state.options
    assert (asked.device, asked.parent) == ("cpu", str(tmp_path / "studies"))


def test_what_medai_remembers_is_on_the_page(harness: Harness, panel: Any, medai: Any) -> None:
    box = medai.widget.ui.deviceSelector
    box.addItem("CPU", "cpu")
    medai.widget._options.onDevice(box.findData("cpu"))
    panel.page.look()
    assert status(panel, "device") == "In use: cpu (set here)."


def test_a_folder_that_cannot_be_used_is_told_below_its_row(harness: Harness, panel: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    write(harness, panel, "home", str(tmp_path / "taken"))
    assert "Not kept:" in status(panel, "home")
    assert "is no folder" in status(panel, "home")
    assert settings.value("home") == ""
    write(harness, panel, "home", "")
    assert "Not kept" not in status(panel, "home")


def test_a_key_that_does_not_open_is_told_below_its_row(harness: Harness, panel: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    write(harness, panel, "project_key", str(tmp_path / "key"))
    assert "Not kept:" in status(panel, "project_key")
    assert settings.value("project_key") == ""


def test_cancel_goes_back_to_what_counted_before(harness: Harness, panel: Any, dialog: Any) -> None:
    write(harness, panel, "device", "cpu")
    dialog.accept()
    unwrap(dialog).show()
    write(harness, panel, "device", "mps")
    assert settings.value("device") == "mps"
    dialog.reject()
    assert settings.value("device") == "cpu"
    assert panel.editor("device").currentText == "cpu"


def remember(medai: Any, device: str) -> None:
    """As a person who chooses a device in the module MedAI, which keeps it as the setting."""
    box = medai.widget.ui.deviceSelector
    box.addItem(device, device)
    medai.widget._options.onDevice(box.findData(device))
    assert settings.value("device") == device


def elsewhere_and_back(harness: Harness, dialog: Any) -> None:
    """Another page is looked at, then this one again."""
    unwrap(dialog).findChild(QtWidgets.QStackedWidget).setCurrentIndex(0)
    dialog.setCurrentPanel("MedAI")
    harness.process(20)


def test_what_was_changed_elsewhere_stands_in_its_row_and_is_emptied_by_restore(
    harness: Harness, panel: Any, medai: Any, dialog: Any
) -> None:
    remember(medai, "cpu")
    elsewhere_and_back(harness, dialog)
    assert panel.editor("device").currentText == "cpu"
    dialog.restoreDefaultSettings()
    panel.keep()
    assert settings.value("device") == ""


def test_cancel_goes_back_to_what_was_set_elsewhere_and_not_to_what_stood_on_the_page_before(
    harness: Harness, panel: Any, medai: Any, dialog: Any
) -> None:
    write(harness, panel, "device", "mps")
    write(harness, panel, "torch", "cpu")
    dialog.accept()
    remember(medai, "cpu")
    harness.process(250)
    unwrap(dialog).show()
    opened = harness.wait_until(lambda: panel.editor("device").currentText == "cpu", 3000)
    assert opened, "the dialog opens on the page where it was left"
    write(harness, panel, "device", "cuda:0")
    dialog.reject()
    panel.keep()
    assert (settings.value("device"), settings.value("torch")) == ("cpu", "cpu")


def test_what_is_set_elsewhere_meanwhile_leaves_other_rows_to_cancel_and_what_was_refused_in_its_row(
    harness: Harness, panel: Any, medai: Any, dialog: Any, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    write(harness, panel, "torch", "cpu")
    write(harness, panel, "home", str(tmp_path / "taken"))
    remember(medai, "cpu")
    elsewhere_and_back(harness, dialog)
    assert panel.editor("torch").currentText == "cpu"
    assert panel.editor("home").currentPath == str(tmp_path / "taken")
    assert "Not kept:" in status(panel, "home")
    dialog.reject()
    panel.keep()
    assert (settings.value("device"), settings.value("torch"), settings.value("home")) == ("cpu", "", "")


def test_what_was_typed_in_the_last_moment_is_kept_by_ok(harness: Harness, panel: Any, dialog: Any) -> None:
    panel.editor("torch").currentText = "cpu"
    dialog.accept()
    assert settings.value("torch") == "cpu"


def test_restoring_defaults_empties_every_row(harness: Harness, panel: Any, dialog: Any, tmp_path: Path) -> None:
    write(harness, panel, "device", "cpu")
    write(harness, panel, "home", str(tmp_path / "here"))
    dialog.restoreDefaultSettings()
    panel.keep()
    assert [settings.value(name) for name in settings.SETTINGS] == [""] * len(settings.SETTINGS)


def test_an_old_copy_in_slicers_settings_does_not_overrule_the_file(harness: Harness, dialog: Any) -> None:
    from slicermedai.scene.settings_panel import SettingsPanel

    first = SettingsPanel(SettingsPage(), Removal())
    write(harness, first, "device", "mps")
    settings.change("device", "cuda:1")
    second = SettingsPanel(SettingsPage(), Removal())
    second.keep()
    harness.process(20)
    assert settings.value("device") == "cuda:1"
    assert second.editor("device").currentText == "cuda:1"


def test_a_value_that_stopped_working_is_told_when_the_page_is_shown(
    harness: Harness, panel: Any, dialog: Any, tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    write(harness, panel, "wheels", str(tmp_path / "wheels"))
    (tmp_path / "wheels").rmdir()
    stack = unwrap(dialog).findChild(QtWidgets.QStackedWidget)
    stack.setCurrentIndex(0)
    assert "cannot be used" not in status(panel, "wheels")
    dialog.setCurrentPanel("MedAI")
    assert "This cannot be used" in status(panel, "wheels")


@pytest.fixture
def looks() -> Iterator[None]:
    palette = QtWidgets.QApplication.palette()
    yield
    QtWidgets.QApplication.setPalette(palette)
    fonts.use_readable_font(POINTS)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("scale", [1, 2], ids=["100", "200"])
def test_the_page_is_readable(harness: Harness, panel: Any, looks: None, scale: int, dark: bool) -> None:
    assert fonts.use_readable_font(POINTS * scale)
    if dark:
        QtWidgets.QApplication.setPalette(readable.dark_palette())
    page = unwrap(panel.panel)
    page.setParent(None)
    page.show()
    harness.process(20)
    page.resize(640 * scale, max(page.sizeHint().height(), page.heightForWidth(640 * scale)))
    for layout in page.findChildren(QtWidgets.QLayout):
        layout.invalidate()
    harness.process(20)
    assert len([one for one in page.findChildren(QtWidgets.QWidget) if readable.needed(one)]) > 20
    assert readable.clipped(page) == []
    assert readable.faint(page) == []
    page.deleteLater()


def test_tab_leads_to_every_row_and_is_caught_by_none(harness: Harness, panel: Any) -> None:
    unwrap(panel.panel).setParent(None)
    keyboard = Keyboard(harness, SimpleNamespace(parent=panel.panel, widget=SimpleNamespace(ui=panel.ui)))
    reached = keyboard.reached()
    editors = {name: unwrap(panel.editor(name)) for name in settings.SETTINGS}
    missed = [name for name, one in editors.items() if not any(one is it or one.isAncestorOf(it) for it in reached)]
    assert missed == []


def test_what_medai_installed_is_named_and_removed_after_a_question(
    harness: Harness, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slicermedai.jobs import install_record, interpreter

    python = ThrowAway(tmp_path / "python")
    monkeypatch.setattr(interpreter, "python", lambda: str(python.python))
    monkeypatch.setattr(install_record, "library", lambda: python.library)
    monkeypatch.setattr(install_record, "installed", lambda names=None: python.installed())
    shelf = make_wheel(tmp_path / "shelf", "alpha", "1.0").parent
    done = python.run("packages", "install", "--wheels", str(shelf), "alpha")
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("SLICERMEDAI_HOME", str(python.home))
    panel.look()
    assert panel.ui.installedLabel.text == "Installed by MedAI: alpha 1.0."
    harness.dialogs.answer("cancel")
    harness.click(panel.ui.removeButton)
    assert "alpha" in python.installed()
    harness.dialogs.answer("ok")
    harness.click(panel.ui.removeButton)
    assert "alpha" in harness.dialogs.shown[-1].text
    assert harness.wait_until(lambda: not panel.removal.busy, 30_000)
    assert panel.ui.messageLabel.text == "Removed: alpha 1.0"
    assert panel.ui.installedLabel.text == "Installed by MedAI: nothing."
    assert not panel.ui.removeButton.enabled
    assert python.installed() == {}


def test_the_page_is_pictured(
    harness: Harness,
    panel: Any,
    dialog: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keep_screenshot: Callable[[Path, str], None],
) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", "/data/medai")
    monkeypatch.setenv("SLICERMEDAI_SETTINGS", "/data/medai/settings.toml")
    monkeypatch.setenv("SLICERMEDAI_RESULTS", "/data/studies")
    monkeypatch.setenv("SLICERMEDAI_SCRATCH", "/scratch")
    panel.show_all()
    picture = harness.grab(panel.panel, tmp_path / "MedAISettings.png", size=(680, 760))
    keep_screenshot(picture, "MedAISettings.png")


def test_form_and_code_use_what_slicer_has() -> None:
    from slicermedai.scene import settings_panel
    from Testing.Harness.conformance import check

    assert check([Path(settings_panel.__file__)], [settings_panel.FORM]) == []
