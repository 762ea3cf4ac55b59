"""A job in a child: progress, crash, cancel, and nothing left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slicermedai.domain import scratch
from slicermedai.domain.storage import process_alive
from slicermedai.errors import FolderBusyError, OutputError, ProtocolError, WorkerCrashed
from slicermedai.jobs.folder import JobFolder, sweep
from slicermedai.jobs.protocol import Done, Failed, Note, Progress
from slicermedai.jobs.specs import RunJob
from slicermedai.jobs.supervisor import Running, State, start
from Testing.jobs.conftest import SLEEPER, Worker, job_folders, wait_for

pytestmark = pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")

WRITES = """
with atomic_folder(Path(job.output)) as out:
    (out / "file").write_text("whole")
    progress("segment", 0.5)
return Path(job.output)
"""
HANGS_WHILE_WRITING = """
with atomic_folder(Path(job.output)) as out:
    (out / "file").write_text("half")
    progress("segment", 0.1)
    {how}
"""


def finish(job: RunJob, command: list[str]) -> tuple[State, list, object]:
    events: list[object] = []
    with start(job, command=command) as running:
        running.wait(20, on_event=events.append)
    return running.state, events, running


def has_reached(stage: str, running: Running) -> bool:
    return any(isinstance(event, Progress) and event.stage == stage for event in running.poll())


def partials(job: RunJob) -> list[Path]:
    """All that lies beside the output; a lock file only where what it is for is gone."""
    parent = Path(job.output).parent
    found = set(parent.iterdir()) if parent.exists() else set()
    return sorted(path for path in found if path.suffix != ".lock" or path.with_suffix("") not in found)


def test_a_job_reports_progress_and_leaves_its_folder_and_nothing_else(job: RunJob, worker: Worker, temp: Path) -> None:
    state, events, running = finish(job, worker(WRITES))
    assert state is State.DONE
    assert isinstance(events[0], Progress)
    assert events[-1] == Done(folder=job.output)
    assert running.folder == Path(job.output)
    assert running.error is None
    assert (Path(job.output) / "file").read_text() == "whole"
    assert job_folders(temp) == []


def test_looking_at_a_job_never_waits(job: RunJob, worker: Worker) -> None:
    began = time.perf_counter()
    with start(job, command=worker("time.sleep(30)")) as running:
        started = time.perf_counter() - began
        longest = 0.0
        for _ in range(20):
            before = time.perf_counter()
            running.poll()
            longest = max(longest, time.perf_counter() - before)
            time.sleep(0.01)
        assert running.state is State.RUNNING
    assert started < 0.5
    assert longest < 0.1


def test_the_temp_folder_is_private_and_names_nobody(job: RunJob, worker: Worker, temp: Path) -> None:
    job = RunJob(source="/data/Doe^Jane", output=job.output)
    with start(job, command=worker("time.sleep(30)")):
        (folder,) = job_folders(temp)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert "Doe" not in str(folder)
        assert (folder / "job.json").exists()


def test_what_libraries_put_into_a_temp_folder_goes_with_the_job(job: RunJob, worker: Worker, temp: Path) -> None:
    body = """
    import tempfile
    path = Path(tempfile.mkdtemp()) / "voxels"
    path.write_text("patient")
    path.parent.chmod(0o500)
    return path
    """
    state, _, running = finish(job, worker(body))
    assert state is State.DONE
    assert temp in running.folder.parents
    assert not running.folder.exists()
    assert job_folders(temp) == []


def test_a_foreseen_error_comes_back_as_itself(job: RunJob, worker: Worker, temp: Path) -> None:
    body = 'raise OutputError("cannot be written", file="there", attribute="x", advice="Do this.")'
    state, events, running = finish(job, worker(body))
    assert state is State.FAILED
    assert isinstance(events[-1], Failed)
    assert type(running.error) is OutputError
    expected = OutputError("cannot be written", file="there", attribute="x", advice="Do this.")
    assert str(running.error) == str(expected)
    assert job_folders(temp) == []


def test_an_unforeseen_error_names_its_class_and_place_and_not_its_message(job: RunJob, worker: Worker) -> None:
    body = """
    progress("read", 0.5)
    Path("/").joinpath("Doe^Jane").read_text()
    """
    _, _, running = finish(job, worker(body))
    assert type(running.error) is WorkerCrashed
    assert "FileNotFoundError" in str(running.error)
    assert "pathlib.py:" in str(running.error) or "/" in str(running.error)
    assert "Doe" not in str(running.error)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("os._exit(7)", "exit code 7"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV, a fault in native code"),
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), 9)", "memory ran out"),
        ("os._exit(137)", "memory ran out"),
        ("raise MemoryError", "MemoryError"),
        ("sys.exit(0)", "SystemExit"),
        ("os._exit(0)", "without a result"),
    ],
)
def test_a_crash_is_an_error_with_its_cause(job: RunJob, worker: Worker, temp: Path, body: str, cause: str) -> None:
    command = worker(HANGS_WHILE_WRITING.format(how=body))
    state, _, running = finish(job, command)
    assert state is State.FAILED
    assert type(running.error) is WorkerCrashed
    assert cause in str(running.error)
    assert running.error.advice
    assert job_folders(temp) == []
    assert partials(job) == []


def test_a_crash_after_the_start_quotes_where_and_not_what_was_printed(job: RunJob, worker: Worker) -> None:
    body = """
    print("Jane Doe", file=sys.stderr)
    {how}
    """
    _, _, running = finish(job, worker(body.format(how="os._exit(3)")))
    assert "exit code 3" in str(running.error)
    assert "Jane" not in str(running.error)
    _, _, running = finish(job, worker(body.format(how="import ctypes; ctypes.string_at(0)")))
    assert "Jane" not in str(running.error)
    assert "worker.py" in str(running.error)


def test_a_worker_that_cannot_even_begin_says_why(job: RunJob, bare_worker: Worker) -> None:
    _, _, running = finish(job, bare_worker("import a_library_that_is_absent"))
    assert "No module named 'a_library_that_is_absent'" in str(running.error)


def test_a_python_that_is_absent_is_an_error_in_words(job: RunJob, temp: Path) -> None:
    with pytest.raises(WorkerCrashed, match="cannot be started"):
        start(job, python=str(temp / "no-python"))
    assert job_folders(temp) == []


HANGS = {
    "asking for progress": "while True: progress('segment', 0.5); time.sleep(0.01)",
    "sleeping": "time.sleep(60)",
    "deaf": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15, 2]); [time.sleep(1) for _ in range(60)]",
    "in native code that holds the interpreter": "sum(range(10**12))",
    "swallowing": "exec('while True:\\n try: progress(\"segment\", 0.5)\\n except Exception: pass')",
}


@pytest.mark.parametrize("how", HANGS.values(), ids=HANGS)
def test_cancel_ends_a_worker_within_two_seconds_and_leaves_nothing(
    job: RunJob, worker: Worker, temp: Path, how: str
) -> None:
    with start(job, command=worker(HANGS_WHILE_WRITING.format(how=how))) as running:
        wait_for(lambda: has_reached("segment", running))
        assert len(partials(job)) == 1
        began = time.monotonic()
        running.cancel()
        assert time.monotonic() - began < 0.1
        running.wait(5)
    assert time.monotonic() - began < 2.0
    assert running.state is State.CANCELLED
    assert type(running.error).__name__ == "JobCancelled"
    assert partials(job) == []
    assert job_folders(temp) == []


@pytest.mark.parametrize("escape", ["", ", start_new_session=True"], ids=["in the group", "in a session of its own"])
@pytest.mark.parametrize("how", ["time.sleep(60)", "while True: progress('segment', 0.5); time.sleep(0.01)"])
def test_cancel_kills_what_the_worker_started(
    job: RunJob, worker: Worker, pid_file: Path, escape: str, how: str
) -> None:
    if escape and sys.platform != "linux":
        pytest.skip("absent: /proc")
    body = f"""
    import subprocess
    child = subprocess.Popen({SLEEPER}{escape})
    Path({str(pid_file)!r}).write_text(str(child.pid))
    progress("segment", 0.1)
    {how}
    """
    with start(job, command=worker(body)) as running:
        wait_for(lambda: has_reached("segment", running))
        grandchild = int(pid_file.read_text())
        assert process_alive(grandchild)
        running.cancel()
        running.wait(5)
    wait_for(lambda: not process_alive(grandchild), 0.5)


@pytest.mark.parametrize("escape", ["", ", process_group=0"], ids=["in the group", "in a group of its own"])
def test_a_crash_takes_along_what_the_worker_started(job: RunJob, worker: Worker, pid_file: Path, escape: str) -> None:
    if escape and sys.platform != "linux":
        pytest.skip("absent: /proc")
    body = f"""
    import subprocess
    Path({str(pid_file)!r}).write_text(str(subprocess.Popen({SLEEPER}{escape}).pid))
    os._exit(3)
    """
    finish(job, worker(body))
    wait_for(lambda: not process_alive(int(pid_file.read_text())), 0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="absent: /proc")
def test_cancel_finds_what_left_the_session_of_a_worker_that_dies_at_once(
    job: RunJob, bare_worker: Worker, pid_file: Path
) -> None:
    command = bare_worker(f"""
        import subprocess, time
        child = subprocess.Popen({SLEEPER}, start_new_session=True)
        open({str(pid_file)!r}, "w").write(str(child.pid))
        print('{{"medai": 1, "event": "note", "text": "started"}}', flush=True)
        time.sleep(60)
    """)
    with start(job, command=command) as running:
        wait_for(lambda: running.poll())
        running.cancel()
        assert running.wait(5) is State.CANCELLED
    wait_for(lambda: not process_alive(int(pid_file.read_text())), 0.5)


def test_cancel_right_after_the_start_is_a_cancelled_job(job: RunJob, worker: Worker, temp: Path) -> None:
    with start(job, command=worker(WRITES)) as running:
        running.cancel()
        running.cancel()
        assert running.wait(5) is State.CANCELLED
    assert partials(job) == []
    assert job_folders(temp) == []


def test_cancel_after_the_end_changes_nothing(job: RunJob, worker: Worker) -> None:
    _, _, running = finish(job, worker(WRITES))
    running.cancel()
    assert running.poll() == []
    assert running.state is State.DONE


def test_a_worker_that_says_done_and_then_hangs_is_done(job: RunJob, bare_worker: Worker) -> None:
    command = bare_worker("""
        import sys, time
        print('{"medai": 1, "event": "done", "folder": "there"}', flush=True)
        time.sleep(60)
    """)
    began = time.monotonic()
    state, events, _ = finish(job, command)
    assert state is State.DONE
    assert events == [Done(folder="there")]
    assert time.monotonic() - began < 5


def test_noise_on_stdout_is_kept_off_the_protocol(job: RunJob, worker: Worker) -> None:
    body = """
    import subprocess
    print("a library talks")
    os.write(1, b"native code talks\\n")
    subprocess.run(["echo", '{"medai": 1, "event": "note", "text": "a program lies"}'])
    progress("segment", 0.5)
    return Path("done")
    """
    state, events, _ = finish(job, worker(body))
    assert state is State.DONE
    assert [type(event) for event in events] == [Progress, Progress, Done]


def test_foreign_lines_are_skipped_and_a_damaged_event_is_an_error(job: RunJob, bare_worker: Worker) -> None:
    noise = 'print("x" * 3_000_000 + "\\nhello\\n" + \'{"medai": 1, "event": "note", "text": "ü"}\')'
    _, events, _ = finish(job, bare_worker(noise))
    assert events[0] == Note(text="ü")
    _, _, running = finish(job, bare_worker('print(\'{"medai": 1, "event": "do\')'))
    assert type(running.error) is ProtocolError


def test_paths_and_notes_of_any_script_survive(job: RunJob, worker: Worker, tmp_path: Path) -> None:
    output = tmp_path / "Größe 大きさ" / "результат"
    state, _, running = finish(RunJob(source="s", output=str(output)), worker(WRITES))
    assert state is State.DONE
    assert running.folder == output


def test_a_flood_of_output_neither_blocks_nor_is_lost(job: RunJob, bare_worker: Worker) -> None:
    command = bare_worker("""
        import sys
        line = '{"medai": 1, "event": "note", "text": "' + "n" * 200 + '"}'
        for number in range(20000):
            print(line)
        sys.stderr.write("e" * 5_000_000)
        print('{"medai": 1, "event": "done", "folder": "x"}')
    """)
    state, events, _ = finish(job, command)
    assert state is State.DONE
    assert len(events) == 20001


def test_of_two_runs_into_one_folder_one_is_refused_by_name(job: RunJob, worker: Worker) -> None:
    command = worker(WRITES.replace('progress("segment", 0.5)', 'progress("segment", 0.5); time.sleep(1)'))
    with start(job, command=command) as first:
        wait_for(lambda: partials(job))
        with start(job, command=command) as second:
            second.wait(10)
        first.wait(10)
    assert type(second.error) is FolderBusyError
    assert first.state is State.DONE
    assert (Path(job.output) / "file").read_text() == "whole"


PARENT = """
import sys, tempfile, time
from slicermedai.jobs.specs import RunJob
from slicermedai.jobs.supervisor import start
running = start(RunJob(source="s", output=sys.argv[1]), command=sys.argv[2:])
print(running._process.pid, flush=True)
{then}
"""


def parent_of(job: RunJob, command: list[str], then: str) -> tuple[subprocess.Popen, int]:
    library = str(Path(__file__).resolve().parents[2] / "SlicerMedAI")
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then), job.output, *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": library},
    )
    assert process.stdout is not None
    with process.stdout:
        return process, int(process.stdout.readline())


@pytest.mark.parametrize("how", ["time.sleep(60)", "while True: progress('segment', 0.5); time.sleep(0.01)"])
def test_when_the_parent_is_killed_the_worker_ends_and_leaves_nothing(
    job: RunJob, worker: Worker, temp: Path, how: str
) -> None:
    parent, child = parent_of(job, worker(HANGS_WHILE_WRITING.format(how=how)), "time.sleep(60)")
    wait_for(lambda: partials(job))
    parent.kill()
    parent.wait()
    wait_for(lambda: not process_alive(child), 2.5)
    assert not Path(job.output).parent.exists()
    assert job_folders(temp) == []


def test_when_both_are_killed_the_next_start_removes_what_they_left(job: RunJob, worker: Worker, temp: Path) -> None:
    parent, child = parent_of(job, worker(HANGS_WHILE_WRITING.format(how="time.sleep(60)")), "time.sleep(60)")
    wait_for(lambda: partials(job))
    parent.kill()
    os.kill(child, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not process_alive(child))
    assert len(job_folders(temp)) == 1
    assert len(partials(job)) == 1
    state, _, _ = finish(job, worker(WRITES))
    assert state is State.DONE
    assert job_folders(temp) == []
    assert partials(job) == [Path(job.output)]


def test_when_both_are_killed_a_next_start_with_another_output_removes_what_they_left(
    job: RunJob, worker: Worker, temp: Path, tmp_path: Path
) -> None:
    parent, child = parent_of(job, worker(HANGS_WHILE_WRITING.format(how="time.sleep(60)")), "time.sleep(60)")
    wait_for(lambda: partials(job))
    parent.kill()
    os.kill(child, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not process_alive(child))
    assert len(list(Path(job.output).parent.iterdir())) == 2
    other = RunJob(source="study", output=str(tmp_path / "elsewhere" / "result"))
    state, _, _ = finish(other, worker(WRITES))
    assert state is State.DONE
    assert list(Path(job.output).parent.iterdir()) == []
    assert job_folders(temp) == []


def test_what_a_living_worker_writes_is_not_swept_with_the_folder_of_a_dead_job(
    job: RunJob, worker: Worker, temp: Path
) -> None:
    with start(job, command=worker(HANGS_WHILE_WRITING.format(how="time.sleep(60)"))) as running:
        wait_for(lambda: partials(job))
        (theirs,) = job_folders(temp)
        dead = theirs.with_name(f"{theirs.name.rsplit('-', 2)[0]}-{2**22 + 5}-00000000")
        dead.mkdir()
        (dead / "job.json").write_bytes((theirs / "job.json").read_bytes())
        assert sweep() == [dead]
        assert len(partials(job)) == 1
        running.cancel()
        running.wait(5)


@pytest.mark.parametrize("text", ["", "{}", '{"medai_job": 1, "kind": "run", "spec": {"source": "a", "output": 5}}'])
def test_the_folder_of_a_dead_job_goes_also_where_its_job_file_is_damaged(temp: Path, text: str) -> None:
    with JobFolder.create() as mine:
        dead = mine.path.with_name(f"{mine.path.name.rsplit('-', 2)[0]}-{2**22 + 5}-00000000")
        dead.mkdir()
        (dead / "job.json").write_text(text)
        assert sweep() == [dead]


@pytest.mark.parametrize("then", ["", "raise SystemExit(3)", "1 / 0"], ids=["end", "exit", "exception"])
def test_when_the_parent_ends_its_job_ends_with_it(job: RunJob, worker: Worker, temp: Path, then: str) -> None:
    parent, child = parent_of(job, worker("time.sleep(60)"), f"sys.stderr = None; {then}")
    parent.wait(5)
    assert not process_alive(child)
    assert job_folders(temp) == []


def test_a_living_job_is_never_swept_and_a_used_process_number_protects_nobody(temp: Path) -> None:
    with JobFolder.create() as mine:
        assert sweep() == []
        pretender = mine.path.with_name(mine.path.name[:-8] + "0" * 8)
        pretender.mkdir()
        assert sweep() == []
        other_pid = mine.path.with_name(f"{mine.path.name.rsplit('-', 2)[0]}-{2**22 + 5}-00000000")
        other_pid.mkdir()
        (other_pid / "image").touch()
        assert sweep() == [other_pid]
        assert mine.path.exists()
    assert not mine.path.exists()


def test_the_folder_of_another_living_process_is_never_swept_and_a_left_one_is_though_its_number_lives(
    job: RunJob, worker: Worker, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_BEING_MADE", 0.0)
    parent, child = parent_of(job, worker("time.sleep(60)"), "time.sleep(60)")
    (theirs,) = job_folders(temp)
    left = theirs.with_name(theirs.name[:-8] + "0" * 8)
    left.mkdir()
    assert sweep() == [left]
    assert theirs.exists()
    parent.kill()
    parent.wait()
    wait_for(lambda: not process_alive(child), 2.5)
    assert job_folders(temp) == []


def test_a_temp_root_that_is_a_link_is_refused(temp: Path) -> None:
    (temp / f"slicermedai-{os.getuid()}").symlink_to(temp)
    with pytest.raises(OutputError):
        JobFolder.create()


def test_a_job_whose_temporary_folder_cannot_be_reached_is_refused_by_name(
    job: RunJob, worker: Worker, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temp / "taken").write_text("a file")
    monkeypatch.setenv("SLICERMEDAI_SCRATCH", str(temp / "taken" / "unmounted"))
    with pytest.raises(OutputError, match="the setting scratch"):
        start(job, command=worker(WRITES))


def test_a_finished_folder_of_inputs_goes_with_the_job(job: RunJob, worker: Worker) -> None:
    folder = JobFolder.create()
    folder.inputs.mkdir()
    with start(job, command=worker(WRITES), folder=folder) as running:
        running.wait(10)
    assert not folder.path.exists()


def test_a_job_file_that_is_none_is_an_error_in_words(job: RunJob, tmp_path: Path, bare_worker: Worker) -> None:
    command = bare_worker("""
        import sys
        from pathlib import Path
        from slicermedai.jobs.child import serve
        Path(sys.argv[1]).write_text("{}")
        sys.exit(serve(Path(sys.argv[1]), None))
    """)
    _, _, running = finish(job, command)
    assert type(running.error) is ProtocolError
    assert running.error.attribute == "medai_job"
