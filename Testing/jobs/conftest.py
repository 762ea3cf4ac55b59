"""Small workers written by the tests: real processes that speak the protocol."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slicermedai.domain.storage import process_alive
from slicermedai.jobs.specs import RunJob

SERVING = """
import os, sys, time
from pathlib import Path
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import OutputError
from slicermedai.jobs.child import serve

def execute(job, *, job_id, progress):
{body}

if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), execute, supervised=True))
"""

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]

Worker = Callable[..., list[str]]


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temp folder of the test's own, for the folders of jobs."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def job(tmp_path: Path, temp: Path) -> RunJob:
    """A job whose output is ``tmp_path/out/result``."""
    return RunJob(source="study", output=str(tmp_path / "out" / "result"))


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """The command of a worker whose ``execute`` has the given body."""

    def make(body: str) -> list[str]:
        return script(tmp_path / "worker.py", SERVING.format(body=textwrap.indent(textwrap.dedent(body), "    ")))

    return make


@pytest.fixture
def bare_worker(tmp_path: Path) -> Worker:
    """The command of a worker that is just the given script."""
    return lambda text: script(tmp_path / "bare.py", textwrap.dedent(text))


@pytest.fixture
def pid_file(tmp_path: Path) -> Iterator[Path]:
    """Where a process writes its number; whatever it names is killed in the end."""
    path = tmp_path / "pid"
    yield path
    if path.exists() and process_alive(int(path.read_text())):
        os.kill(int(path.read_text()), 9)


def script(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return [sys.executable, str(path)]


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until ``condition`` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def job_folders(temp: Path) -> list[Path]:
    """The folders of jobs in ``temp``."""
    return sorted(temp.glob("slicermedai*/job-*"))
