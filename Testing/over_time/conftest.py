"""One beating heart through a whole run, once for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slicermedai.cli.execute import execute
from slicermedai.domain.course import Course
from slicermedai.domain.result import AnalysisResult
from slicermedai.jobs.specs import RunJob
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import covering, rotated
from Testing.fixtures.timed_writer import write_over_time
from Testing.over_time.heart_bundle import write_heart_bundle

BEAT = Beat(frames=12)
GRID = rotated(covering("PIL", spacing=(8.0, 4.0, 3.5), extent=(130.0, 130.0, 130.0)), (20, -15, 10))
"""Oblique, and coarse along the slices."""


@dataclass(frozen=True)
class Run:
    """What ``slicermedai run --over-time`` left of the generated cine series, whose files are by frame."""

    folder: Path
    result: AnalysisResult
    files: list[list[Path]]

    @property
    def course(self) -> Course:
        assert self.result.course is not None
        return self.result.course


@pytest.fixture(scope="session")
def heart_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_heart_bundle(tmp_path_factory.mktemp("bundles") / "heart@0.1")


@pytest.fixture(scope="session")
def heart_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def own_home(heart_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(heart_home))


@pytest.fixture(scope="session")
def beat_run(heart_bundle: Path, heart_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole beat, oblique and anisotropic, with report."""
    place = tmp_path_factory.mktemp("beat")
    files = write_over_time(
        beating_heart(GRID, BEAT), BEAT.times, place / "series", interval=BEAT.interval, by_slice=True
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(heart_home))
        folder = execute(job(place / "series", heart_bundle, place / "out", report=True), job_id="beat")
    return Run(folder, AnalysisResult.load(folder), files)


def job(source: Path, bundle: Path, output: Path, **options: Any) -> RunJob:
    """A run over time on the CPU."""
    given: dict[str, Any] = {"device": "cpu", "over_time": True, "report": False, **options}
    return RunJob(source=str(source), bundle=str(bundle), output=str(output), **given)
