"""The page of settings without Qt: what its rows say, and what becomes of what is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.app.kept import recall, remember
from slicermedai.app.settings_page import SettingsPage
from slicermedai.domain import settings


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for one in settings.SETTINGS.values():
        monkeypatch.delenv(one.variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(settings.FILE_VARIABLE, str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def test_each_row_says_its_value_and_where_that_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = SettingsPage()
    assert page.told("device") == "In use: auto (default)."
    assert page.told("project_key") == "In use: none (default)."
    assert page.change("device", "cpu")
    assert page.told("device") == "In use: cpu (set here)."
    monkeypatch.setenv("SLICERMEDAI_DEVICE", "cuda:0")
    assert page.told("device") == (
        "In use: cuda:0 (variable SLICERMEDAI_DEVICE, which counts more than what is set here)."
    )
    assert page.text("device") == "cpu"


def test_what_does_not_work_is_told_at_once_and_the_old_value_counts(tmp_path: Path) -> None:
    page, heard = SettingsPage(), list[str]()
    page.changed.connect(heard.append)
    page.change("results", str(tmp_path / "studies"))
    (tmp_path / "taken").write_text("a file")
    assert not page.change("results", str(tmp_path / "taken"))
    assert heard == ["results", "results"]
    assert page.is_wrong("results")
    assert page.told("results").splitlines() == [
        f"In use: {tmp_path / 'studies'} (set here).",
        f"Not kept: {tmp_path / 'taken'}: is no folder. Choose a folder.",
    ]
    assert page.change("results", "")
    assert not page.is_wrong("results")
    assert page.told("results").startswith(f"In use: {tmp_path}")


def test_a_row_that_is_put_back_loses_its_complaint(tmp_path: Path) -> None:
    page = SettingsPage()
    page.change("device", "cpu")
    assert not page.change("device", "gpu")
    assert page.change("device", "cpu")
    assert page.told("device") == "In use: cpu (set here)."


def test_a_value_that_stopped_working_is_found_when_the_page_is_opened(tmp_path: Path) -> None:
    page = SettingsPage()
    (tmp_path / "wheels").mkdir()
    page.change("wheels", str(tmp_path / "wheels"))
    (tmp_path / "wheels").rmdir()
    page.look()
    assert "This cannot be used" in page.told("wheels")
    (tmp_path / "wheels").mkdir()
    page.look()
    assert not page.is_wrong("wheels")


def test_a_damaged_file_is_named_on_the_page(file: Path) -> None:
    page = SettingsPage()
    assert page.file_text == f"Kept in {file}, for Slicer and the command line alike."
    file.write_text("devise = 'cpu'\n")
    assert page.file_text.splitlines()[1] == "devise is no setting. Did you mean 'device'?"
    file.write_text("device = ")
    assert "Mend it in a text editor" in page.file_text
    assert not page.change("device", "cpu")
    assert "Mend it" in page.told("device")


def test_a_panel_remembers_in_the_same_file_and_never_fails_for_it(file: Path) -> None:
    remember("device", "cpu")
    assert recall("device") == settings.in_file("device") == "cpu"
    remember("device", "auto")
    assert recall("device") == "" and "device" not in file.read_text()
    file.write_text("device = ")
    remember("device", "cpu")
    assert file.read_text() == "device = "


def test_cohorts_and_de_identification_begin_with_the_key_and_the_device_that_are_set(tmp_path: Path) -> None:
    from slicermedai.app.batch_run import BatchRun
    from slicermedai.app.deid_run import DeidRun

    settings.change("project_key", str(tmp_path / "key"))
    settings.change("device", "cpu")
    batch = BatchRun(bundles=list, files_of=lambda uid: [], add_to_database=lambda found: None)
    assert batch.state.asked.project_key == ""
    batch.choose(identity="deidentify")
    assert batch.state.asked.project_key == str(tmp_path / "key")
    assert batch.plan().settings["device"] == "cpu"
    batch.choose(project_key="other", identity="deidentify")
    assert batch.state.asked.project_key == "other"
    deid = DeidRun(submit=lambda *_, **__: None, add_to_database=lambda result: None)
    assert deid.state.asked.key == str(tmp_path / "key")
    settings.change("project_key", str(tmp_path / "next"))
    deid.refresh()
    assert deid.state.asked.key == str(tmp_path / "next")
    deid.choose(key="own")
    settings.change("project_key", "")
    deid.refresh()
    assert deid.state.asked.key == "own"
