"""What people decide becomes a new result beside the old one, and nothing else changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from slicermedai.dicom.headers import FILE_NAME, load_headers, save_headers
from slicermedai.domain import reviewed
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.reviewed import newest, save_reviewed
from slicermedai.domain.seal import CHECKSUMS
from slicermedai.domain.storage import sha256_file
from slicermedai.errors import FormatError, NewerResultError, UnreadableFileError
from Testing.export.cases import a_case

CASE = a_case()
UID = CASE.result.findings[0].tracking_uid


def a_run(folder: Path) -> Path:
    """The output of a run, as far as its result goes."""
    CASE.result.save(folder / "result")
    save_headers(CASE.headers, folder / "result" / "source")
    return folder


def a_review(decision: Decision = Decision.ACCEPTED, uid: str = UID) -> Review:
    return Review(tracking_uid=uid, person="Jane Roe", decision=decision, time="2026-11-23T10:20:30+01:00")


def test_a_reviewed_result_lies_beside_the_first_which_stays_as_it_was(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    before = {path: path.read_bytes() for path in (run / "result").rglob("*") if path.is_file()}
    made = save_reviewed(run, [a_review()])
    assert made == run / "reviewed-1"
    assert {path: path.read_bytes() for path in (run / "result").rglob("*") if path.is_file()} == before
    kept = AnalysisResult.load(made)
    assert [(one.person, one.decision) for one in kept.reviews] == [("Jane Roe", Decision.ACCEPTED)]
    assert len(load_headers(made / "source")) == len(CASE.headers)


def test_its_seal_covers_the_headers_too(tmp_path: Path) -> None:
    made = save_reviewed(a_run(tmp_path / "run"), [a_review()])
    assert f"{sha256_file(made / 'source' / FILE_NAME)}  source/{FILE_NAME}" in (made / CHECKSUMS).read_text()


def test_decisions_add_up_and_the_last_folder_is_the_newest(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    assert newest(run) == run / "result"
    first = save_reviewed(run, [a_review()])
    second = save_reviewed(first, [a_review(Decision.REJECTED)])
    assert (second.name, newest(run)) == ("reviewed-2", second)
    assert [one.decision for one in AnalysisResult.load(second).reviews] == [Decision.ACCEPTED, Decision.REJECTED]
    assert newest(first) == first, "who names a folder gets that one"


def test_the_eleventh_review_is_newer_than_the_second(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    made = [save_reviewed(newest(run), [a_review()]).name for _ in range(11)]
    assert (made[-1], newest(run).name) == ("reviewed-11", "reviewed-11")
    assert len(AnalysisResult.load(newest(run)).reviews) == 11


@pytest.mark.parametrize("named", ["result", "reviewed-1", ""])
def test_a_result_that_was_opened_before_others_decided_is_refused_and_the_newer_one_named(
    tmp_path: Path, named: str
) -> None:
    """Else the newest would lack their decisions."""
    run = a_run(tmp_path / "run")
    second = save_reviewed(save_reviewed(run, [a_review(Decision.REJECTED)]), [a_review(Decision.REJECTED)])
    with pytest.raises(NewerResultError, match="Open the result again") as refused:
        save_reviewed(run / named, [a_review(uid="")])
    assert refused.value.file == str(second)
    assert newest(run) == second


def test_of_two_that_save_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path / "run")
    write = reviewed._write

    def late(*given: Any, **more: Any) -> None:
        monkeypatch.setattr(reviewed, "_write", write)
        save_reviewed(run, [a_review(Decision.REJECTED)])
        write(*given, **more)

    monkeypatch.setattr(reviewed, "_write", late)
    with pytest.raises(NewerResultError, match="reviewed-1"):
        save_reviewed(run, [a_review()])
    assert [one.decision for one in AnalysisResult.load(newest(run)).reviews] == [Decision.REJECTED]


def test_a_result_saved_alone_gets_a_name_beside_its_own(tmp_path: Path) -> None:
    CASE.result.save(tmp_path / "head")
    assert save_reviewed(tmp_path / "head", [a_review()]).name == "head-reviewed-1"
    assert save_reviewed(tmp_path / "head-reviewed-1", [a_review()]).name == "head-reviewed-2"


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    for wrong in (a_review(uid="2.25.999"), dataclasses.replace(a_review(), decision=Decision.EDITED)):
        with pytest.raises(FormatError, match="reviews"):
            save_reviewed(run, [wrong])
    assert [path.name for path in run.iterdir()] == ["result"]
    with pytest.raises(UnreadableFileError):
        save_reviewed(tmp_path / "nothing", [a_review()])
