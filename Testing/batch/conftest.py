"""A home of the test's own, a quick worker that writes real results without a model, and a cohort to try things on."""

from __future__ import annotations

import functools
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slicermedai.batch.cohort import Cohort
from slicermedai.batch.work import PAUSE, Change, Worker
from slicermedai.console import cohorts
from slicermedai.jobs import supervisor
from Testing.batch.studies import RULES, write_study
from Testing.inference.tiny_bundle import write_tiny_bundle

WORKER = """
import os, signal, sys, time
from pathlib import Path
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import *
from slicermedai.jobs.child import serve

def execute(job, *, job_id, progress):
    with atomic_folder(Path(job.output)) as out:
        with open({journal!r}, "a") as stream:
            stream.write(job.output + chr(10))
        progress("segment", 0.5)
{body}
        AnalysisResult.load(Path({prepared!r})).save(out / "result")
    return Path(job.output)

sys.exit(serve(Path(sys.argv[1]), execute, supervised=True))
"""
MakeWorker = Callable[..., Worker]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Application data and temp files of the test's own, also in its children."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)
    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose answer is known."""
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny@0.1")


@pytest.fixture(scope="session")
def three_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three studies of three patients, each with one series that the rules want."""
    folder = tmp_path_factory.mktemp("three")
    for number in range(3):
        write_study(folder / f"study{number}", patient=f"ZZ-{number}", study=f"st{number}")
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The file with the rules of :mod:`Testing.batch.studies`."""
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


@pytest.fixture
def cohort(tmp_path: Path, three_studies: Path, rules: Path, tiny: Path) -> Cohort:
    """Three cases that wait."""
    return cohorts.make(tmp_path / "cohort", three_studies, rules, bundle=str(tiny), device="cpu")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where the quick worker notes each job that it begins: the output's path, a line each."""
    path = tmp_path / "journal"
    path.touch()
    return path


@pytest.fixture
def quick(tmp_path: Path, journal: Path) -> MakeWorker:
    """Makes a :class:`Worker` whose jobs are done by a small program; ``body`` is put into it."""
    from Testing.scene.samples import small_head

    prepared = small_head(spacing=8.0).result.save(tmp_path / "prepared")

    def make(cohort: Cohort, body: str = "pass", **options: Any) -> Worker:
        script = tmp_path / "worker.py"
        values = {"journal": str(journal), "prepared": str(prepared), "body": textwrap.indent(body, " " * 8)}
        script.write_text(WORKER.format(**values))
        start = functools.partial(supervisor.start, command=[sys.executable, str(script)])
        return Worker(cohort, start=start, **options)

    return make


def drive(worker: Worker, *, until: Callable[[], bool] = lambda: False, seconds: float = 60.0) -> list[Change]:
    """Poll until it is done, or ``until`` says so."""
    changes: list[Change] = []
    deadline = time.monotonic() + seconds
    while not worker.done and not until():
        assert time.monotonic() < deadline, "the worker does not come to an end"
        changes += worker.poll()
        time.sleep(PAUSE)
    return changes
