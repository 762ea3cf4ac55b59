"""What a worker stands on: the right Python, its environment, locks that die with their holder, a home."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import slicermedai
from slicermedai.domain import locks
from slicermedai.errors import WorkerCrashed
from slicermedai.jobs import interpreter, tree
from slicermedai.jobs.home import home
from slicermedai.jobs.tail import Tail


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_outside_slicer_it_is_the_running_python() -> None:
    assert interpreter.python() == sys.executable


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX programs")
@pytest.mark.parametrize(("real", "wanted"), [("bin/SlicerApp-real", "bin"), ("lib/x/Slicer", "search")])
def test_inside_slicer_it_is_pythonslicer_and_never_a_second_slicer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str, wanted: str
) -> None:
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / real)))
    monkeypatch.setenv("PATH", str(tmp_path / "search"))
    expected = program(tmp_path / wanted / "PythonSlicer")
    assert interpreter.python() == str(expected)


def test_without_a_python_it_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerCrashed, match="PythonSlicer"):
        interpreter.python()


def test_the_worker_finds_this_package_first_and_keeps_the_rest_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "libraries")
    values = interpreter.environment(tmp_path)
    assert values["PYTHONPATH"].split(os.pathsep) == [str(Path(slicermedai.__file__).parent.parent), "elsewhere"]
    assert values["LD_LIBRARY_PATH"] == "libraries"
    assert {values[name] for name in ("TMPDIR", "TEMP", "TMP")} == {str(tmp_path)}


def test_where_the_package_is_installed_nothing_is_put_before_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "_PACKAGES", Path(sysconfig.get_path("purelib")).resolve())
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert interpreter.environment(tmp_path)["PYTHONPATH"] == "elsewhere"
    monkeypatch.delenv("PYTHONPATH")
    assert "PYTHONPATH" not in interpreter.environment(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX programs")
def test_on_windows_one_taskkill_runs_at_a_time_and_none_is_left_unawaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``taskkill`` is a program of the test's own, which runs until it is let go."""
    killer = program(tmp_path / "taskkill")
    killer.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/calls\nread line < {tmp_path}/go\n")
    os.mkfifo(tmp_path / "go")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(tree.sys, "platform", "win32")
    for _ in range(3):
        tree.kill(4321)
    (started,) = tree._killers.values()
    tree.reap()
    assert started.returncode is None
    (tmp_path / "go").write_text("go\n")
    tree.reap(wait=5)
    assert (started.returncode, tree._killers) == (0, {})
    assert (tmp_path / "calls").read_text() == "/T /F /PID 4321\n"


def test_a_file_in_the_working_folder_is_never_taken_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slicermedai.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "slicermedai", "--version"],
        env=interpreter.environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"slicermedai {slicermedai.__version__}\n"


def test_a_lock_has_one_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = "import sys; from pathlib import Path; from slicermedai.domain import locks\n"
    code += "locks.take(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    environment = {**os.environ, "PYTHONPATH": str(Path(slicermedai.__file__).parent.parent)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment, text=True, **pipes) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), locks.locked(path, wait=0.05):
            pass
        holder.kill()
    with locks.locked(path, wait=1.0), pytest.raises(BlockingIOError):
        locks.take(path)


def test_a_growing_file_is_read_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"
    tail = Tail(path)
    assert tail.lines() == []
    with path.open("ab", buffering=0) as stream:
        stream.write(b"one\ntw")
        assert tail.lines() == ["one"]
        stream.write("o\nthr\u00e9".encode()[:-1])
        assert tail.lines() == ["two"]
        stream.write("\u00e9".encode()[-1:] + b"e\n")
        assert tail.lines() == ["thr\u00e9e"]
        assert tail.lines() == []
        assert tail.at_end


def test_a_line_without_end_is_noise_and_what_follows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before\n" + b"x" * 3_000_000 + b"\nafter\n")
    tail, found = Tail(path), []
    while not tail.at_end:
        found += tail.lines()
    assert found == ["before", "after"]


def test_the_home_is_the_chosen_one_or_the_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("SLICERMEDAI_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, parent in (("linux", "data"), ("win32", "local")):
        monkeypatch.setattr(sys, "platform", platform)
        assert home() == tmp_path / parent / "SlicerMedAI"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert home().parts[-3:] == ("Library", "Application Support", "SlicerMedAI")
