"""A worker that needs no model: it copies a prepared result, and keeps the volume that it was given."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path

import pytest

from slicermedai.console import launch
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.jobs import supervisor
from Testing.scene.samples import small_head

WORKER = """
import shutil, sys, time
from pathlib import Path
from slicermedai.dicom.file_list import is_file_list
from slicermedai.dicom.volumes import is_volume_folder
from slicermedai.domain.storage import atomic_folder
from slicermedai.jobs.child import serve

def execute(job, *, job_id, progress):
    with atomic_folder(Path(job.output)) as out:
        for step in range(5):
            progress("segment", step / 4)
            time.sleep(0.05)
        while job.series == "endless":
            progress("segment", 0.5)
            time.sleep(0.01)
        shutil.copytree({prepared!r}, out / "result")
        if is_volume_folder(Path(job.source)) or is_file_list(Path(job.source)):
            shutil.copytree(job.source, out / "given")
    return Path(job.output)

sys.exit(serve(Path(sys.argv[1]), execute, supervised=True))
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data, temp files and the user's folder of the test's own."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "application"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    return tmp_path


@pytest.fixture(scope="session")
def head() -> tuple[Volume, AnalysisResult]:
    """A small generated head and its analysis."""
    made = small_head(spacing=8.0)
    return made.volume, made.result


@pytest.fixture
def prepared(head: tuple[Volume, AnalysisResult], tmp_path: Path) -> Path:
    """A saved result."""
    return head[1].save(tmp_path / "prepared")


@pytest.fixture
def with_worker(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are done by the worker of this file."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(prepared=str(prepared)))
    start = functools.partial(supervisor.start, command=[sys.executable, str(script)])
    monkeypatch.setattr(launch, "start", start)
