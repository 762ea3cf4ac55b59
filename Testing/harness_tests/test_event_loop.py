"""The event loop: how long it stood still, and Python threads that stand still as in PythonQt."""

import threading
import time
from collections.abc import Iterator

import pytest

from Testing.Harness import Harness


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


def test_a_loop_with_short_slots_has_no_long_stall(harness: Harness) -> None:
    import qt

    timer = qt.QTimer()
    timer.connect("timeout()", lambda: None)
    timer.start(5)
    harness.process(20)
    harness.reset_stall()
    harness.process(200)
    timer.stop()
    assert harness.max_stall_ms < 100


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


def test_an_error_in_a_call_is_handed_on(harness: Harness) -> None:
    with pytest.raises(ZeroDivisionError):
        harness.call(lambda: 1 // 0)
