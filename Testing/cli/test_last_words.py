"""A run that needs a look does not end in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.cli.last_words import tell
from Testing.scene.samples import small_head


def test_warnings_are_told_in_full_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = small_head(spacing=12.0).result
    made = replace(result.provenance, warnings=("it looks like noise", "it is small."))
    replace(result, provenance=made).save(tmp_path / "result")
    tell(tmp_path)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "Complete, with 2 warnings: read them first.",
        "Warning: it looks like noise.",
        "Warning: it is small.",
    ]


def test_a_clean_run_is_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_head(spacing=12.0).result.save(tmp_path / "result")
    tell(tmp_path)
    assert capsys.readouterr().err == "Complete.\n"


def test_other_kinds_of_job_leave_nothing_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(tmp_path)
    assert capsys.readouterr().err == ""
