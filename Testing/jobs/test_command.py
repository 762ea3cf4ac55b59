"""A program that is looked at without waiting, and gone with all that it started."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from slicermedai.domain.storage import process_alive
from slicermedai.errors import WorkerCrashed
from slicermedai.jobs import interpreter
from slicermedai.jobs.command import Command


def until_ended(command: Command, seconds: float = 20.0) -> Command:
    end = time.monotonic() + seconds
    while command.returncode is None:
        assert time.monotonic() < end, "it never ended"
        time.sleep(0.01)
        command.poll()
    return command


def test_it_is_known_by_its_status_and_its_last_line() -> None:
    command = until_ended(Command(("-c", "import sys; print('one'); print('two', file=sys.stderr); sys.exit(4)")))
    assert (command.returncode, command.last_line, command.cancelled) == (4, "two", False)


def test_looking_at_it_never_waits() -> None:
    command = Command(("-c", "import time; time.sleep(30)"))
    began = time.monotonic()
    for _ in range(100):
        command.poll()
    assert time.monotonic() - began < 1
    command.close()
    assert command.returncode not in (None, 0)


def test_it_can_import_the_library_and_asks_nobody() -> None:
    command = until_ended(Command(("-c", "import slicermedai, sys; print(repr(sys.stdin.read()))")))
    assert (command.returncode, command.last_line) == (0, "''")


def test_a_python_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "python", lambda: str(tmp_path / "nothing"))
    with pytest.raises(WorkerCrashed, match="nothing: the program cannot be started"):
        Command(("-c", ""))


def test_it_does_not_outlive_the_process_that_started_it() -> None:
    code = (
        "from slicermedai.jobs.command import Command; import time\n"
        "c = Command(('-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'))\n"
        "while not c.last_line: time.sleep(0.01); c.poll()\n"
        "print(c.last_line)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not process_alive(int(done.stdout))
