"""Files and folders are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slicermedai.domain import locks, storage
from slicermedai.domain.storage import atomic_file, atomic_folder, process_alive, sweep_partials, write_text
from slicermedai.errors import DiskFullError, FolderBusyError, OutputError, ResultExistsError

WRITER = """
import sys, time
from pathlib import Path
from slicermedai.domain.storage import atomic_folder
with atomic_folder(Path(sys.argv[1])) as partial:
    (partial / "half.txt").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def a_writer(folder: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing ``folder``."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def end(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.communicate(timeout=10)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a" / "out") as partial:
        (partial / "x").write_text("1")
        assert not (tmp_path / "a" / "out").exists()
    assert (tmp_path / "a" / "out" / "x").read_text() == "1"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as partial:
        (partial / "x").write_text("1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_filled_and_a_full_one_not(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as partial:
        (partial / "x").write_text("1")
    with pytest.raises(ResultExistsError, match="out"), atomic_folder(tmp_path / "out"):
        pass


def test_two_runs_into_one_folder_are_refused(tmp_path: Path) -> None:
    process = a_writer(tmp_path / "out")
    try:
        with pytest.raises(FolderBusyError, match="another run"), atomic_folder(tmp_path / "out"):
            pass
    finally:
        end(process, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_run_leaves_nothing_after_the_next_start(tmp_path: Path) -> None:
    end(a_writer(tmp_path / "out"), signal.SIGKILL)
    assert not (tmp_path / "out").exists()
    assert len(sweep_partials(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupted_run_leaves_nothing_at_once(tmp_path: Path) -> None:
    end(a_writer(tmp_path / "out"), signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_a_living_run_is_not_swept(tmp_path: Path) -> None:
    process = a_writer(tmp_path / "out")
    try:
        assert sweep_partials(tmp_path) == []
    finally:
        end(process, signal.SIGKILL)


def test_a_file_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    target = write_text(tmp_path / "f.txt", "old")
    with pytest.raises(RuntimeError), atomic_file(target) as partial:
        partial.write_text("new, but ha")
        raise RuntimeError
    assert target.read_text() == "old"
    write_text(target, "new")
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["f.txt"]


def test_a_place_under_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"), atomic_folder(tmp_path / "file" / "out"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match=r"out.*No|no space"), atomic_folder(tmp_path / "out") as partial:
        (partial / "x").symlink_to("/dev/full")
        with (partial / "x").open("wb", buffering=0) as stream:
            stream.write(b"x" * 10)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    place = Path("/proc") if Path("/proc").is_dir() else tmp_path  # where not even root may write, if there is such
    mode = tmp_path.stat().st_mode
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"medai-out.*may write"), atomic_folder(place / "medai-out"):
            pass
    finally:
        tmp_path.chmod(mode)


def test_time_between_claim_and_rename_does_not_lose_a_foreign_result(tmp_path: Path) -> None:
    with pytest.raises(ResultExistsError), atomic_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_text("kept")
        time.sleep(0)
    assert (tmp_path / "out" / "theirs").read_text() == "kept"


def a_partial(parent: Path, *, pid: int) -> Path:
    """What process ``pid`` was writing as ``out``, with the lock file of a process that is gone."""
    name = storage._partial_name("out").replace(f"-{os.getpid()}-", f"-{pid}-")
    partial = parent / name
    partial.mkdir()
    (partial / "half.txt").write_text("half")
    return partial


@pytest.mark.parametrize("locked", [True, False], ids=["with a lock file", "without"])
@pytest.mark.parametrize("pid", [1, os.getpid()], ids=["process 1", "this process"])
def test_what_a_dead_process_left_is_swept_though_its_number_is_used_again(
    tmp_path: Path, pid: int, locked: bool
) -> None:
    partial = a_partial(tmp_path, pid=pid)
    if locked:
        partial.with_name(f"{partial.name}.lock").touch()
    assert process_alive(pid)
    with atomic_folder(tmp_path / "out") as new:
        (new / "x").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_lock_file_alone_is_swept(tmp_path: Path) -> None:
    partial = a_partial(tmp_path, pid=1)
    partial.rename(tmp_path / "out")
    partial.with_name(f"{partial.name}.lock").touch()
    assert sweep_partials(tmp_path) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.mark.skipif(os.name == "nt", reason="absent: fcntl")
def test_where_there_are_no_locks_the_process_number_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(locks, "_lock", refuse)
    monkeypatch.setattr(locks, "_look", refuse)
    with atomic_folder(tmp_path / "out") as partial:
        assert sweep_partials(tmp_path) == []
        assert partial.exists()
        with pytest.raises(FolderBusyError), atomic_folder(tmp_path / "out"):
            pass
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    dead = a_partial(tmp_path, pid=2**22 + 5)
    dead.with_name(f"{dead.name}.lock").touch()
    assert sweep_partials(tmp_path) == [dead]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_sweep_that_meets_a_lock_file_before_it_is_held_costs_the_writer_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between making and holding it: another process sweeps just then."""
    hold, swept = locks.hold, []

    def sweep_first(descriptor: int) -> None:
        if not swept:
            swept.extend(tmp_path.glob(".*.lock"))
            sweep_partials(tmp_path)
        hold(descriptor)

    monkeypatch.setattr(locks, "hold", sweep_first)
    with atomic_folder(tmp_path / "out") as partial:
        assert len(swept) == 1
        assert sweep_partials(tmp_path) == []
        assert partial.exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_process_that_stops_hard_removes_what_it_is_writing(tmp_path: Path) -> None:
    with pytest.raises(OutputError), atomic_folder(tmp_path / "out") as partial:
        assert sweep_partials(tmp_path, own=True) == [partial]
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("refusals", [3, 10**6], ids=["a moment", "for good"])
def test_a_rename_that_a_virus_scanner_refuses_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refusals: int
) -> None:
    """As on Windows, where a file that another program looks into cannot be renamed."""
    left = [refusals]
    rename, replace = Path.rename, Path.replace

    def refuse(act: Callable[[Path, Path], Path], path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(errno.EACCES, "in use")
        return act(path, target)

    monkeypatch.setattr(Path, "rename", lambda path, target: refuse(rename, path, target))
    monkeypatch.setattr(Path, "replace", lambda path, target: refuse(replace, path, target))
    monkeypatch.setattr(storage, "_PATIENCE", 0.3)

    def write() -> None:
        if kind == "file":
            write_text(tmp_path / "out", "text")
            return
        with atomic_folder(tmp_path / "out") as partial:
            (partial / "x").write_text("1")

    if refusals > 3:
        with pytest.raises(OutputError, match=r"out.*in use"):
            write()
        assert list(tmp_path.iterdir()) == []
    else:
        write()
        assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_what_another_machine_left_is_swept_by_its_age_alone(tmp_path: Path) -> None:
    old, young = (tmp_path / f".out{n}.partial-elsewhere-1-0123456{n}" for n in (1, 2))
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert sweep_partials(tmp_path) == [old]
    with pytest.raises(FolderBusyError, match="partial-elsewhere"), atomic_folder(tmp_path / "out2"):
        pass
