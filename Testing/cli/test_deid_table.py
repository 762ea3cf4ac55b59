"""The way back from a pseudonym, by whoever has the table and its passphrase, and what the audit log says of that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slicermedai.audit.log import log_path
from slicermedai.cli.main import main
from slicermedai.deid.keystore import PatientRecord, ReidentificationTable
from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

PASSPHRASE = "correct horse battery staple"
RECORD = PatientRecord(
    pseudonym="PSN-1",
    key="0" * 16,
    owner="ZW-5501923",
    patient_ids=("ZW-5501923",),
    names=("Zwickelmann^Rosalind",),
    birth_dates=("19510823",),
    shift_days=-41,
    uids={"2.25.1": "1.2.3.4"},
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    made = ReidentificationTable(tmp_path / "way.table", PASSPHRASE)
    made.add(RECORD)
    return made.save()


def command(*words: object) -> int:
    try:
        return main(["deid-key", *map(str, words)])
    except SystemExit as end:
        return int(end.code or 0)


def test_a_pseudonym_and_a_uid_lead_back_to_who_it_is(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--table", table, "--who", "PSN-1") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == ["PatientID\tZW-5501923", "PatientName\tZwickelmann^Rosalind", "PatientBirthDate\t19510823"]
    assert command("--table", table, "--who", "2.25.1") == 0
    assert capsys.readouterr().out == "UID\t1.2.3.4\n"


def test_nobody_behind_a_pseudonym_is_said_and_fails(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--table", table, "--who", "PSN-2") == 1
    assert capsys.readouterr().out == ""


def test_the_whole_table_goes_to_a_file_that_others_cannot_read(table: Path, tmp_path: Path) -> None:
    assert command("--table", table, "--table-csv", tmp_path / "all.csv") == 0
    assert "Zwickelmann^Rosalind" in (tmp_path / "all.csv").read_text()
    assert (tmp_path / "all.csv").stat().st_mode & 0o077 == 0
    assert command("--table", table, "--table-csv", tmp_path / "all.csv") == 1


def test_the_audit_log_says_that_somebody_looked_and_not_for_whom(table: Path) -> None:
    command("--table", table, "--who", "PSN-1")
    log = log_path().read_text(encoding="utf-8")
    assert '"re-identification table read"' in log
    assert json.loads(log.splitlines()[-1])
    assert not [word for word in ("PSN-1", "Zwickelmann", "ZW-5501923", "19510823", PASSPHRASE) if word in log]


def test_a_table_that_is_not_there_is_not_made(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--table", tmp_path / "other.table", "--who", "PSN-1") == 1
    assert "no re-identification table" in capsys.readouterr().err
    assert not (tmp_path / "other.table").exists()


def test_a_wrong_passphrase_shows_nothing(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "another horse altogether")
    assert command("--table", table, "--who", "PSN-1") == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["--who", "PSN-1"], [], ["--table", "t"], ["k", "--table", "t", "--who", "P"]])
def test_words_that_do_not_go_together_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*words) == 2
    assert "usage" in capsys.readouterr().err
