"""A child that answers one request after another: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.errors import WorkerCrashed
from slicermedai.jobs.standing import Standing

CHILD = "Testing.jobs.standing_child"


@pytest.fixture
def child() -> Iterator[Standing]:
    made = Standing(CHILD, "60")
    yield made
    made.close()


def until(done: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What ``done`` says as soon as it says anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(0.01)
    raise AssertionError("nothing came in time")


def said(child: Standing, number: int) -> dict[str, Any]:
    """The answer or the error of the request ``number``."""

    def look() -> dict[str, Any] | None:
        events = [one for one in child.events() if one["id"] == number and "progress" not in one]
        return events[0] if events else None

    found: dict[str, Any] = until(look)
    return found


def test_one_process_answers_one_request_after_another(child: Standing) -> None:
    assert child.pid is None and child.ended() is None
    answers = []
    for number in (1, 2, 3):
        child.send({"id": number, "what": "talk"})
        answers.append(said(child, number)["answer"])
    assert {one["pid"] for one in answers} == {child.pid}
    assert child.starts == 1 and child.ended() is None


def test_errors_are_told_and_the_process_goes_on(child: Standing) -> None:
    child.send({"id": 1, "what": "refuse"})
    assert said(child, 1)["error"]["type"] == "InputError"
    child.send({"id": 2, "what": "talk"})
    assert said(child, 2)["answer"]["what"] == "talk" and child.starts == 1


def test_a_request_ends_where_another_comes(child: Standing) -> None:
    child.send({"id": 1, "what": "work", "steps": 5000})
    until(lambda: [one for one in child.events() if "progress" in one])
    child.send({"id": 2, "what": "talk"})
    assert said(child, 2)["answer"]["what"] == "talk"


def test_what_nobody_foresaw_is_told_without_its_message_and_ends_the_process(child: Standing) -> None:
    child.send({"id": 1, "what": "stumble"})
    told = said(child, 1)["error"]
    assert told["type"] == "WorkerCrashed" and "ZeroDivisionError" in told["message"] and "Jane" not in str(told)
    until(child.ended)
    child.send({"id": 2, "what": "talk"})
    assert said(child, 2)["answer"] and child.starts == 2


def test_a_death_is_told_once_with_its_cause_and_the_next_request_starts_another(child: Standing) -> None:
    child.send({"id": 1, "what": "die"})
    gone = until(child.ended)
    assert isinstance(gone, WorkerCrashed) and "SIGABRT" in str(gone)
    assert child.ended() is None and child.pid is None
    child.send({"id": 2, "what": "talk"})
    assert said(child, 2)["answer"] and child.starts == 2


def test_a_request_to_a_process_that_died_unseen_starts_another(child: Standing) -> None:
    child.send({"id": 1, "what": "talk"})
    said(child, 1)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    time.sleep(0.2)
    child.send({"id": 2, "what": "talk"})
    assert said(child, 2)["answer"] and child.starts == 2


def test_it_ends_when_nobody_asks_for_a_while() -> None:
    child = Standing(CHILD, "0.3")
    child.send({"id": 1, "what": "talk"})
    said(child, 1)
    gone = until(child.ended)
    assert "exit code 0" in str(gone)
    child.send({"id": 2, "what": "talk"})
    assert said(child, 2)["answer"] and child.starts == 2
    child.close()


def test_it_ends_with_the_process_that_asks() -> None:
    program = (
        "import sys, time\nfrom slicermedai.jobs.standing import Standing\n"
        f"child = Standing({CHILD!r}, '60')\nchild.send({{'id': 1, 'what': 'work', 'steps': 9000}})\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(1.0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_alive(pid))


def is_alive(pid: int) -> bool:
    """True while a process of that number runs."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
