"""Forked children of the tests: each is what a new process would be, as far as whoever started it can see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from slicermedai.jobs import interpreter, tree
from slicermedai.pacs.peers import Peer, save_peers
from Testing.warm import LIBRARIES, NETWORKS, OWN, WarmChildren

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="absent: Linux")
LISTS = b'{"what": "list", "servers": []}\n'
ANSWERS = ("-m", "slicermedai.app.report_answer")


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmChildren]:
    made = WarmChildren(tmp_path_factory.mktemp("warm"))
    yield made
    made.close()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home of the test's own, with a destination that only this home knows."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path))
    save_peers([Peer(name="here", kind="folder", path=str(tmp_path))])
    (tmp_path / "tmp").mkdir()
    return interpreter.environment(tmp_path / "tmp")


def started(python: Any, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [str(python), *arguments]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **tree.own_group(), **more)


def said(process: subprocess.Popen[bytes], given: bytes) -> tuple[bytes, bytes]:
    """All that it says while its stdin stays open: it ends with whoever asked."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(given)
    process.stdin.flush()
    output, errors = process.stdout.read(), process.stderr.read()
    process.wait(60)
    process.communicate()
    return output, errors


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (ANSWERS, LISTS),
        (ANSWERS, b"no JSON\n"),
        (("-m", "slicermedai", "--version"), b""),
        (("-m", "slicermedai", "nonsense"), b""),
        (("-m", "slicermedai", "run", "--supervised", "nowhere/job.json"), b""),
        (("-c", "import sys; print(len(sys.argv)); sys.exit(7)"), b""),
    ],
)
def test_it_says_and_ends_as_a_new_process_does(
    warm: WarmChildren, environment: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], given: bytes
) -> None:
    told = []
    for python in (sys.executable, warm.python):
        process = started(python, *arguments, env=environment, cwd=tmp_path)
        output, errors = said(process, given)
        last = errors.decode().strip().splitlines()[-1:]
        told.append((process.returncode, output, last))
    assert told[0] == told[1]
    assert told[0][:2] != (0, b""), "nothing was compared"


def test_its_environment_is_that_of_whoever_started_it(warm: WarmChildren, environment: dict[str, str]) -> None:
    output, _ = said(started(warm.python, *ANSWERS, env=environment), LISTS)
    assert b'"here"' in output


def test_with_another_environment_of_pythons_it_is_a_new_process(
    warm: WarmChildren, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "slicermedai").mkdir()
    (tmp_path / "slicermedai" / "__init__.py").touch()
    (tmp_path / "slicermedai" / "__main__.py").write_text("print('another')", encoding="utf-8")
    path = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    process = started(warm.python, "-m", "slicermedai", env={**environment, "PYTHONPATH": path})
    assert process.communicate(timeout=60)[0] == b"another\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_signals_to_its_group_end_it(warm: WarmChildren, environment: dict[str, str], how: signal.Signals) -> None:
    process = started(warm.python, *ANSWERS, env=environment)
    assert waits(process)
    os.killpg(process.pid, how)
    assert process.wait(10) == -how
    assert process.stdout is not None and process.stdout.read() == b"", "the fork holds the stream until it ends"
    process.communicate()


def waits(process: subprocess.Popen[bytes]) -> bool:
    """Until the fork is there: whoever started it has handed on its streams, and hears of signals from now on."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught, 16) & (1 << (signal.SIGTERM - 1)):
            return True
        time.sleep(0.01)
    return False


def test_it_is_nobodys_child_and_ends_with_whoever_wanted_it(tmp_path: Path, environment: dict[str, str]) -> None:
    made = WarmChildren(tmp_path / "warm")
    process = started(made.python, *ANSWERS, env=environment)
    assert waits(process)
    assert {pid for pid, _ in tree.members(os.getpid())} & {made.pid} == set()
    made.close()
    process.wait(10)
    assert process.stdout is not None and process.stdout.read() == b""
    process.communicate()


@pytest.mark.parametrize("name", [*LIBRARIES, *OWN, *NETWORKS])
def test_what_it_loads_is_there(name: str) -> None:
    assert find_spec(name) is not None


def test_what_it_loads_starts_nothing() -> None:
    code = f"import importlib, os, threading; [importlib.import_module(n) for n in {(*LIBRARIES, *OWN)!r}]; print({{}})"
    code = code.format("threading.active_count(), len(os.listdir('/proc/self/task'))")
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ, **one})
    assert done.stdout == b"1 1\n"
