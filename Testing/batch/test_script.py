"""The documented script is run as it stands: from studies to table, with a case that fails, waits again and ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slicermedai.console import cohorts
from Testing.batch.studies import RULES, write_day
from Testing.inference.tiny_bundle import change_json, write_tiny_bundle

DOCS = Path(__file__).resolve().parents[2] / "Resources" / "Docs" / "batch.md"


def blocks() -> list[str]:
    """All Python of the page; the second block is for Slicer's console."""
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def write_brain(folder: Path) -> Path:
    """A model of the name that the page uses, whose answer is known."""
    made = write_tiny_bundle(folder / "brain@0.1")
    change_json(made / "medai.json", name="brain")
    return folder


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the script is run in: studies, rules, the list of people who opted out."""
    day = write_day(tmp_path, studies=3, odd=("tilted", "opted out"))
    day.folder.rename(tmp_path / "STUDIES")
    (tmp_path / "rules.toml").write_text(RULES)
    monkeypatch.setenv("SLICERMEDAI_MODELS", str(write_brain(tmp_path / "models")))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_documented_script_runs_and_every_case_is_accounted_for(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day: dict[str, object] = {}
    exec(compile(blocks()[0], "batch.md", "exec"), day)
    said = capsys.readouterr().out
    assert "localizer" in said, "the preview says why not"
    assert re.search(r"^\d{4} done $", said, re.MULTILINE)
    assert re.search(r"^\d{4} refused series 3: the gantry was tilted", said, re.MULTILINE)
    assert re.search(r"^\d{4} excluded .*exclusion list", said, re.MULTILINE)
    assert {row["state"] for row in day["rows"]} == {"done", "refused", "excluded"}  # type: ignore[attr-defined]
    assert (desk / "COHORT" / "sheet.html").is_file()


def test_the_console_tells_of_cases_without_patient_data_and_lets_them_wait_again(desk: Path) -> None:
    from slicermedai.batch.cohort import Standing, State

    made = cohorts.make("COHORT", "STUDIES", "rules.toml", bundle="brain", exclude="opted-out.txt")
    (waiting,) = [one["case"] for one in cohorts.cases("COHORT") if one["state"] == "waiting"]
    made.write(waiting, Standing(state=State.FAILED, error="BundleError", reason="the network is broken", tries=1))
    (failed,) = [one for one in cohorts.cases("COHORT") if one["state"] == "failed"]
    assert set(failed) == {"case", "patient", "state", "error", "reason", "tries", "seconds", "ended"}
    assert (failed["case"], failed["error"], failed["tries"]) == (waiting, "BundleError", 1)
    assert "ZZ-" not in str(cohorts.cases("COHORT"))
    assert cohorts.retry("COHORT") == [waiting]
    assert cohorts.retry("COHORT") == []
    assert cohorts.objects("COHORT") == [], "none is done"
