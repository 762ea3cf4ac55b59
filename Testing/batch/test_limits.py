"""No space is left, a place may not be written, or there are many cases: it is named, and nothing is lost or grows."""

from __future__ import annotations

import errno
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from slicermedai.batch import cohort as lib
from slicermedai.batch.cohort import Cohort, Standing, State
from slicermedai.batch.making import make
from slicermedai.batch.planning import plan
from slicermedai.batch.rules import load_rules
from slicermedai.batch.settings import Settings
from slicermedai.batch.work import Worker
from slicermedai.console import cohorts
from slicermedai.errors import DiskFullError, MedAIError, OutputError
from slicermedai.jobs import supervisor
from Testing.batch.conftest import MakeWorker, drive
from Testing.batch.studies import write_study
from Testing.scene.samples import small_head

MOST = 60
WRITES = ("mkdir", "open", "utime", "rename", "replace")


class Disk:
    """Counts what is written below ``folder`` by this process, and from the ``room``-th time on refuses it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.asked = MOST * 1000, 0
        self._folder = str(folder)
        for name in WRITES:
            monkeypatch.setattr(os, name, self._refusing(getattr(os, name), is_open=name == "open"))
        monkeypatch.setattr(io, "open", self._refusing(io.open, is_open=True))

    def _refusing(self, act: Callable[..., Any], *, is_open: bool) -> Callable[..., Any]:
        def refusing(path: Any, *rest: Any, **named: Any) -> Any:
            if self._is_here(path) and not (is_open and _only_reads(*rest, **named)):
                self.asked += 1
                if self.asked > self.room:
                    raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return act(path, *rest, **named)

        return refusing

    def _is_here(self, path: Any) -> bool:
        return isinstance(path, (str, Path)) and str(path).startswith(self._folder)

    @contextmanager
    def full_after(self, room: int) -> Iterator[None]:
        """From now on there is room for so many writes more."""
        self.asked, self.room = 0, room
        try:
            yield
        finally:
            self.room = MOST * 1000


def _only_reads(mode: Any = "r", *rest: Any, **named: Any) -> bool:
    mode = named.get("mode", mode)
    if isinstance(mode, int):
        return not mode & os.O_CREAT
    return not any(letter in mode for letter in "wax+")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path, monkeypatch)


@functools.cache
def _ended() -> int:
    """The number of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


class AtOnce:
    """A job that has made its result before anybody looks: only the process is not real."""

    alive: ClassVar[list[AtOnce]] = []
    job_id = "at-once"

    def __init__(self, prepared: Path, output: Path) -> None:
        self.pid = _ended()
        self.prepared, self.output = prepared, output
        self.polled = self.closed = False
        self.error: MedAIError | None = None
        self.state = supervisor.State.DONE
        AtOnce.alive.append(self)

    def poll(self) -> None:
        if not self.polled:
            self.polled = True
            try:
                shutil.copytree(self.prepared, self.output / "result")
            except OSError:
                self.error, self.state = DiskFullError("no space left on the device"), supervisor.State.FAILED

    def cancel(self) -> None:
        self.poll()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def at_once(tmp_path: Path) -> Callable[[Cohort], Worker]:
    prepared = small_head(spacing=8.0).result.save(tmp_path.parent / f"{tmp_path.name}-prepared")
    AtOnce.alive.clear()

    def started(job: Any, *, folder: Any, secrets: Any) -> AtOnce:
        folder.remove()
        return AtOnce(prepared, Path(job.output))

    return lambda cohort: Worker(cohort, start=started)  # type: ignore[arg-type]  # as much of it as is used


def test_wherever_a_run_finds_no_room_it_says_so_and_another_one_loses_and_doubles_nothing(
    tmp_path: Path, rules: Path, tiny: Path, disk: Disk, at_once: Callable[[Cohort], Worker]
) -> None:
    write_study(tmp_path / "in", patient="ZZ-1", study="one")
    ended = 0
    for room in range(MOST):
        made = cohorts.make(tmp_path / f"c{room}", tmp_path / "in", rules, bundle=str(tiny))
        with disk.full_after(room):
            error = _what_stops(lambda made=made: at_once(made))
        assert all(one.closed or one.polled for one in AtOnce.alive), f"a job is left to itself with room for {room}"
        if error is None:
            ended += 1
            assert made.counts() == {"done": 1}
            break
        assert isinstance(error, OutputError), (room, error)
        worker = at_once(Cohort(made.folder))
        drive(worker)
        assert (worker.error, made.counts()) == (None, {"done": 1}), room
        left = {path.name for path in made.place("0001").iterdir()}
        assert left == {"case.json", "state.json"}, room
    assert ended == 1
    assert room > 8


def _what_stops(begin: Callable[[], Worker]) -> MedAIError | None:
    """Raises what is no error of this library."""
    try:
        worker = begin()
        drive(worker)
        worker.close()
    except MedAIError as error:
        return error
    return worker.error


MOUNTED = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """The words before a program that let it see a file system of 4 MB at ``tmp_path / "disk"``."""
    (tmp_path / "disk").mkdir()
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNTED, str(tmp_path / "disk")]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")
    return words


def test_on_a_disk_that_is_full_a_run_says_so_and_the_next_one_loses_and_doubles_nothing(
    cohort: Cohort, tmp_path: Path, small_disk: list[str]
) -> None:
    prepared = small_head(spacing=8.0).result.save(tmp_path / "prepared")
    program = [sys.executable, "-m", "Testing.batch.full_disk", str(tmp_path / "disk")]
    words = [*small_disk, *program, str(cohort.folder), str(prepared)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    assert (done.returncode, done.stderr) == (0, "")
    *full, enough = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(full) > 12
    assert {one["first"].split()[0] for one in full} == {"DiskFullError"}
    assert enough["first"] == ""
    for one in (*full, enough):
        assert (one["second"], one["counts"]) == ("", {"done": 3}), one
        assert one["left"] == ["case.json", "state.json"], one


def test_wherever_a_making_finds_no_room_it_says_so_and_goes_on_when_there_is_some(
    tmp_path: Path, rules: Path, tiny: Path, disk: Disk
) -> None:
    write_study(tmp_path / "in", patient="ZZ-1", study="one")
    settings = Settings(bundle=str(tiny))
    found = plan(tmp_path / "in", load_rules(rules), settings)
    for room in range(MOST):
        place = tmp_path / f"c{room}"
        try:
            with disk.full_after(room):
                make(place, found, settings, rules_text="x")
            break
        except (DiskFullError, OutputError) as error:
            assert "space" in str(error)
        made = cohorts.make(place, tmp_path / "in", rules, bundle=str(tiny))
        assert made.counts() == {"waiting": 1}, room
        assert not (place / "planning").exists()
    assert 5 < room < MOST - 1


def test_results_that_may_not_be_written_stop_the_run_and_no_model_runs_again_and_again(
    cohort: Cohort, quick: MakeWorker, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def denied(self: Path, target: Path) -> Path:
        if Path(target).parent.name == "results":
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        return rename(self, target)

    worker = quick(cohort)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", denied)
        drive(worker)
    assert isinstance(worker.error, OutputError)
    assert "Permission denied" in worker.error.message
    assert len(journal.read_text().splitlines()) == 1
    assert cohort.standing("0001").tries == 0
    drive(quick(cohort))
    assert cohort.counts() == {"done": 3}


def test_memory_does_not_grow_with_the_cases_and_files_of_a_cohort(
    cohort: Cohort, at_once: Callable[[Cohort], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lib, "_KEPT", 2)
    first, files = cohort.case("0001"), tuple(Path(f"/data/in/series/{number:06d}.dcm") for number in range(2000))
    image = replace(first.images[0], files=files)
    for number in range(4, 15):
        case = replace(first, name=f"{number:04d}", key=f"{number}", images=(image,))
        cohort.put(case, Standing(state=State.WAITING))
    worker, sizes = at_once(Cohort(cohort.folder)), list[int]()
    tracemalloc.start()
    try:
        while not worker.done:
            for change in worker.poll():
                if change.standing.state is State.DONE:
                    AtOnce.alive.clear()
                    sizes.append(tracemalloc.get_traced_memory()[0])
        rows = len(cohorts.to_rows(cohort.folder))
        sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert (worker.error, len(sizes), rows >= 14) == (None, 15, True)
    assert sizes[-1] - sizes[6] < 2_000_000, "of the files of 8 more cases nothing is kept"


def test_a_table_that_may_not_be_written_is_named(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, *rest: object, **named: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched, pytest.raises(OutputError, match="Permission denied"):
        patched.setattr(Path, "write_text", denied)
        cohorts.write_tables(cohort.folder)
