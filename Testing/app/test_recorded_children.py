"""What panels are tested with in place of children that load PyTorch is what those children say, and leave, today."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from slicermedai.domain.result import AnalysisResult
from slicermedai.jobs import speeds
from slicermedai.jobs.protocol import Progress, decode
from Testing.inference.conftest import body_on
from Testing.recorded import real
from Testing.recorded.left import leave, leave_speed
from Testing.recorded.player import Player, recorded

OF_THE_MACHINE = ("free", "weights", "cores", "total")
"""What another computer, or another release of PyTorch, says otherwise."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all is made."""
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def now(place: Path) -> Iterator[dict[str, Any]]:
    """What the real children say, in the form of the recording; temporary files are this test's."""
    yield real.all_said(place)


def of_any_machine(said: Any) -> Any:
    """Without what is of this computer, or of this moment."""
    if isinstance(said, dict):
        return {name: of_any_machine(value) for name, value in said.items() if name not in OF_THE_MACHINE}
    return [of_any_machine(one) for one in said] if isinstance(said, list) else said


def names(said: Any) -> Any:
    """The names of all values."""
    if isinstance(said, dict):
        return {name: names(value) for name, value in said.items()}
    return [names(one) for one in said[:1]] if isinstance(said, list) else None


def test_questions_are_answered_as_they_were(now: dict[str, Any]) -> None:
    before = recorded()
    assert of_any_machine(now["estimates"]) == of_any_machine(before["estimates"])
    assert names([one["said"] for one in now["estimates"][:1]]) == names([before["estimates"][0]["said"]])
    assert now["trust"] == before["trust"]
    first = [said["devices"]["answer"][0] for said in (now, before)]
    assert of_any_machine(first[0]) == of_any_machine(first[1])
    assert set(first[0]) == set(first[1])


def stages(lines: list[str]) -> list[str]:
    """In their order, each once."""
    events = [decode(line) for line in lines]
    assert all(isinstance(one, Progress) for one in events)
    fractions = [one.fraction for one in events if isinstance(one, Progress)]
    assert all(first <= second for first, second in pairwise(fractions))
    assert fractions[0] == 0.0 and fractions[-1] == 1.0
    return [name for name, _ in groupby(one.stage for one in events if isinstance(one, Progress))]


@pytest.mark.parametrize("name", ["tiny", "heart"])
def test_a_worker_says_what_it_said(now: dict[str, Any], name: str) -> None:
    ours, theirs = recorded()["runs"][name], now["runs"][name]
    assert stages(ours) == stages(theirs)
    assert [names(json.loads(line)) for line in (ours[0], ours[-1])] == [
        names(json.loads(line)) for line in (theirs[0], theirs[-1])
    ]


def test_what_a_played_run_leaves_is_as_what_a_real_one_left(now: dict[str, Any], place: Path, tmp_path: Path) -> None:
    body, found = body_on(real.GRID)
    played = AnalysisResult.load(leave(tmp_path / "played", body, found))
    done = AnalysisResult.load(place / "tiny")
    kept = {path.relative_to(tmp_path / "played") for path in (tmp_path / "played").rglob("*") if path.is_file()}
    assert kept <= {path.relative_to(place / "tiny") for path in (place / "tiny").rglob("*") if path.is_file()}
    assert (played.status, played.study) == (done.status, done.study)
    assert played.volume_geometry == done.volume_geometry
    assert played.provenance.input == done.provenance.input
    (ours,), (theirs,) = played.findings, done.findings
    assert type(ours.confidence) is type(theirs.confidence) and ours.confidence.state is theirs.confidence.state
    assert [(one.name, one.unit) for one in ours.measurements] == [(one.name, one.unit) for one in theirs.measurements]


def test_what_a_played_run_keeps_in_medais_home_is_what_a_real_one_kept(
    now: dict[str, Any], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = now["estimates"][0]["said"]["answer"]
    monkeypatch.setenv("SLICERMEDAI_HOME", str(leave_speed(tmp_path / "played", answer, seconds=7.0)))
    (ours,) = speeds.known(answer["weights"])
    monkeypatch.setenv("SLICERMEDAI_HOME", str(place / "home"))
    (theirs,) = speeds.known(answer["weights"])
    same = ("machine", "device", "precision", "manner", "operations", "voxels", "image_voxels", "millilitres")
    assert [getattr(ours, name) for name in same] == [getattr(theirs, name) for name in same]
    assert theirs.network_seconds + theirs.rest_seconds > 0


def test_what_is_not_played_is_run_by_the_python_that_the_player_was_given(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text(f"#!{sys.executable} -IS\nimport sys\nprint('given', *sys.argv[1:])\n", encoding="utf-8")
    given.chmod(0o755)
    program = Player(tmp_path / "player", python=str(given)).program
    done = subprocess.run([program, "-m", "slicermedai.app.report_answer"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["given", "-m", "slicermedai.app.report_answer"]
