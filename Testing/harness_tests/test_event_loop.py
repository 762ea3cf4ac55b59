"""The event loop: how long it stood still, and Python threads that stand still as in PythonQt."""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from Testing.Harness import Harness
from Testing.Harness.stall import ready_without_processor


class Counter:
    """A Python thread that counts until it is stopped."""

    def __init__(self) -> None:
        self.count = 0
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while self.running:
            self.count += 1
            time.sleep(0.001)


has_scheduler = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux tells who had the processors")


@pytest.fixture
def a_counting_thread() -> Iterator[Counter]:
    counter = Counter()
    yield counter
    counter.running = False
    counter.thread.join()


def test_a_slot_that_blocks_is_measured(harness: Harness) -> None:
    harness.process(50)
    harness.reset_stall()
    harness.call(time.sleep, 0.15)
    assert 140 < harness.max_stall_ms < 600


def test_a_slot_that_computes_is_measured(harness: Harness) -> None:
    def compute() -> None:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.15:
            pass

    harness.process(50)
    harness.reset_stall()
    harness.call(compute)
    assert harness.max_stall_ms > 140


@has_scheduler
def test_time_in_which_others_have_the_processors_is_not_the_loops(harness: Harness) -> None:
    taken = 0.0

    def compute() -> None:
        nonlocal taken
        begun, ready = time.perf_counter(), ready_without_processor()
        while time.perf_counter() - begun < 0.4:
            pass
        taken = ready_without_processor() - ready

    spinning = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); all(True for _ in iter(int, 1))"
    here = os.sched_getaffinity(0)
    others = [subprocess.Popen([sys.executable, "-c", spinning]) for _ in range(3)]
    try:
        os.sched_setaffinity(0, {min(here)})
        harness.process(50)
        harness.reset_stall()
        harness.call(compute)
    finally:
        os.sched_setaffinity(0, here)
        for other in others:
            other.kill()
            other.wait()
    assert taken > 0.1
    assert harness.max_stall_ms < 400 - taken * 1000 + 60


def test_objects_of_other_tests_are_not_collected_in_a_slot(harness: Harness) -> None:
    assert gc.get_freeze_count() > 100_000


def test_a_loop_with_short_slots_has_no_long_stall(harness: Harness) -> None:
    import qt

    timer = qt.QTimer()
    timer.connect("timeout()", lambda: None)
    timer.start(5)
    harness.process(20)
    harness.reset_stall()
    harness.process(200)
    timer.stop()
    assert harness.max_stall_ms < 140


def test_threads_run_on_in_pysides_own_loop(harness: Harness, a_counting_thread: Counter) -> None:
    before = a_counting_thread.count
    harness.process(300)
    assert a_counting_thread.count - before > 50


def test_threads_stand_still_while_the_loop_holds_pythons_lock(harness: Harness, a_counting_thread: Counter) -> None:
    with harness.python_threads_frozen():
        before = a_counting_thread.count
        started = time.monotonic()
        harness.process(300)
        assert a_counting_thread.count - before <= 3
        assert time.monotonic() - started > 0.25


def test_threads_run_while_a_timer_slot_waits(harness: Harness, a_counting_thread: Counter) -> None:
    import qt

    with harness.python_threads_frozen():
        qt.QTimer.singleShot(50, lambda: time.sleep(0.2))
        before = a_counting_thread.count
        harness.process(300)
        assert a_counting_thread.count - before > 20


def test_process_events_handles_what_waits(harness: Harness) -> None:
    import qt
    import slicer

    got: list[str] = []
    qt.QTimer.singleShot(0, lambda: got.append("handled"))
    slicer.app.processEvents()
    assert got == ["handled"]


def test_an_error_in_a_single_shot_goes_to_the_strict_log(harness: Harness) -> None:
    import qt

    qt.QTimer.singleShot(0, lambda: 1 // 0)
    harness.process(20)
    assert "ZeroDivisionError" in harness.strict_log.pop()


def test_a_child_process_is_watched_by_a_timer_and_by_its_signals(harness: Harness) -> None:
    import qt

    got: list[int] = []
    process = qt.QProcess()
    assert process.connect("finished(int,QProcess::ExitStatus)", got.append)
    process.start("sh", ["-c", "echo done; exit 3"])
    assert harness.wait_until(lambda: bool(got), 5000)
    assert got == [3]
    assert bytes(process.readAllStandardOutput().data()) == b"done\n"


def test_an_error_in_a_call_is_handed_on(harness: Harness) -> None:
    with pytest.raises(ZeroDivisionError):
        harness.call(lambda: 1 // 0)
