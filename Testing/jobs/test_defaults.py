"""What a job takes from the settings where nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.cli import batch
from slicermedai.cli.commands import parser
from slicermedai.cli.options import job_from
from slicermedai.console import cohorts
from slicermedai.console import launch as launching
from slicermedai.console.sources import place
from slicermedai.domain import settings
from slicermedai.errors import UnreadableFileError
from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.specs import CalibrateJob, DeidJob, ExportJob, RunJob, ValidateJob


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(settings.FILE_VARIABLE, str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def given(*words: str) -> RunJob:
    return job_from(RunJob, parser().parse_args(["run", "head.nii", *words]))


def test_without_settings_a_command_is_what_it_always_was() -> None:
    assert given() == RunJob(source="head.nii")


def test_a_command_takes_what_is_set_and_what_is_said_counts_more(tmp_path: Path) -> None:
    settings.change("device", "cpu")
    settings.change("results", str(tmp_path / "studies"))
    made = given()
    assert made.device == "cpu"
    assert Path(made.output).parent == tmp_path / "studies"
    assert Path(made.output).name.startswith("MedAI-")
    said = given("--device", "auto", "--output", "here")
    assert (said.device, said.output) == ("auto", "here")


def test_a_project_key_counts_where_something_is_de_identified_and_nowhere_else(tmp_path: Path) -> None:
    settings.change("project_key", str(tmp_path / "key"))
    assert given().project_key == ""
    assert given("--identity", "deidentify").project_key == str(tmp_path / "key")
    assert with_settings(DeidJob, {})["key"] == str(tmp_path / "key")
    assert with_settings(DeidJob, {"key": ""})["key"] == ""


def test_calibration_and_validation_run_on_the_device_that_is_set_and_keep_their_places(tmp_path: Path) -> None:
    settings.change("device", "cuda:1")
    settings.change("results", str(tmp_path))
    for spec in (CalibrateJob, ValidateJob):
        assert with_settings(spec, {"source": "cases"}) == {"source": "cases", "device": "cuda:1"}
    assert with_settings(ExportJob, {"source": "run"}) == {"source": "run"}


def test_a_result_goes_where_it_is_set_from_a_console_too(tmp_path: Path) -> None:
    settings.change("results", str(tmp_path / "studies"))
    assert place(None).parent == tmp_path / "studies"
    assert place(tmp_path / "there") == tmp_path / "there"


def test_no_job_starts_while_nobody_can_know_what_was_set(file: Path, tmp_path: Path) -> None:
    file.write_text("project_key = \n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"settings\.toml.*remove it"):
        launching.launch(RunJob(source=str(tmp_path / "head.nii"), output=str(tmp_path / "out")))


def test_a_new_cohort_takes_the_device_that_is_set_and_one_that_is_there_keeps_its_own() -> None:
    settings.change("device", "cpu")
    words = ["batch", "make", "studies", "--rules", "rules.toml", "--output", "cohort"]
    assert batch._settings(parser().parse_args(words), is_new=True) == {"bundle": "brain", "device": "cpu"}
    assert batch._settings(parser().parse_args(words), is_new=False) == {}
    chosen = batch._settings(parser().parse_args([*words, "--device", "mps"]), is_new=True)
    assert chosen["device"] == "mps"


def test_a_new_cohort_of_the_console_takes_what_is_set_and_what_is_said_counts_more(tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    settings.change("device", "cuda:1")
    settings.change("project_key", key)
    settings.change("results", str(tmp_path / "studies"))
    set_, kept = cohorts._settings({}, is_new=True), cohorts._settings({}, is_new=False)
    assert (set_.device, set_.project_key) == ("cuda:1", "")
    assert cohorts._settings({"identity": "deidentify"}, is_new=True).project_key == key
    said = cohorts._settings({"identity": "deidentify", "project_key": tmp_path / "own", "device": "cpu"}, is_new=True)
    assert (said.device, said.project_key) == ("cpu", str(tmp_path / "own"))
    assert (kept.device, kept.project_key) == ("auto", "")
