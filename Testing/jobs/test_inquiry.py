"""A child that is asked one thing: its answer comes through a pipe, its end is bounded, and nothing stays of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slicermedai.errors import InputError, JobCancelled, WorkerCrashed
from slicermedai.jobs import interpreter
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry

HEAD = "import json, os, signal, sys, time\nasked = json.loads(sys.stdin.readline())\n"
SAY = "def say(**event): print(json.dumps(event), flush=True)\n"
Ask = Callable[..., Inquiry]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask a child whose program is given."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def start(program: str, **request: Any) -> Inquiry:
        (tmp_path / "answering.py").write_text(HEAD + SAY + program)
        return Inquiry("answering", request, JobFolder.create("inquiry"))

    return start


def until_done(inquiry: Inquiry, seconds: float = 20) -> Inquiry:
    end = time.monotonic() + seconds
    while not inquiry.done:
        assert time.monotonic() < end, "it never ended"
        inquiry.poll()
        time.sleep(0.01)
    return inquiry


def test_the_answer_is_what_the_child_says(ask: Ask) -> None:
    done = until_done(ask("say(progress=['look', 0.5]); say(answer=asked['number'] + 1)", number=41))
    assert (done.answer, done.error, done.stage, done.progress) == (42, None, "look", 0.5)


def test_an_answer_larger_than_any_pipe_arrives_whole(ask: Ask) -> None:
    assert until_done(ask("say(answer=list(range(700_000)))")).answer == list(range(700_000))


def test_an_error_of_the_library_comes_as_it_is(ask: Ask) -> None:
    told = InputError("is no image", file="a.dcm").to_dict()
    done = until_done(ask(f"say(error={told!r})"))
    assert isinstance(done.error, InputError)
    assert str(done.error) == "a.dcm: is no image"


def test_a_child_that_ends_without_an_answer_has_crashed(ask: Ask) -> None:
    done = until_done(ask("os.kill(os.getpid(), signal.SIGKILL)"))
    assert isinstance(done.error, WorkerCrashed)
    assert "status -9" in str(done.error)


def test_a_child_that_will_not_stop_is_killed_within_two_seconds(ask: Ask) -> None:
    inquiry = ask("signal.signal(signal.SIGTERM, signal.SIG_IGN); say(progress=[str(os.getpid()), 0]); time.sleep(60)")
    while inquiry.stage == "start":
        inquiry.poll()
        time.sleep(0.01)
    began = time.monotonic()
    inquiry.cancel()
    until_done(inquiry)
    assert time.monotonic() - began < 2
    assert isinstance(inquiry.error, JobCancelled)
    with pytest.raises(ProcessLookupError):
        os.kill(int(inquiry.stage), 0)


def test_closing_kills_it_at_once(ask: Ask) -> None:
    inquiry = ask("time.sleep(60)")
    inquiry.close()
    assert inquiry.done


def test_polling_never_waits(ask: Ask) -> None:
    inquiry = ask("time.sleep(0.5); say(answer=1)")
    slowest = 0.0
    while not inquiry.done:
        began = time.perf_counter()
        inquiry.poll()
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.005)
    assert slowest < 0.05


def test_its_temporary_folder_goes_with_it(ask: Ask) -> None:
    inquiry = ask("import tempfile; say(answer=tempfile.mkdtemp())")
    until_done(inquiry)
    assert not Path(inquiry.answer).parent.exists()


def test_a_child_that_cannot_be_started_is_told(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "python", lambda: str(tmp_path / "no-python"))
    with pytest.raises(WorkerCrashed, match="cannot be started"):
        ask("")
