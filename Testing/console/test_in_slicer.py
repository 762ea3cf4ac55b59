"""Inside Slicer: Python threads stand still while the loop idles, and a job goes on all the same."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

import slicermedai

pytest.importorskip("PySide6", reason="absent: PySide6")
pytest.importorskip("slicer", reason="absent: slicer-core")

from slicermedai.scene.ticker import every
from Testing.Harness import Harness


@pytest.fixture
def harness(slicer_stand_in: Harness) -> Harness:
    """Slicer's stand-in."""
    return slicer_stand_in


@pytest.mark.usefixtures("with_worker")
def test_a_job_ends_by_itself_with_all_threads_frozen_and_the_window_never_stalls(
    harness: Harness, tmp_path: Path
) -> None:
    results: list[object] = []
    with harness.python_threads_frozen():
        start = functools.partial(slicermedai.submit, output=tmp_path / "out", on_done=results.append)
        handle = harness.call(lambda: start(tmp_path / "study"))
        assert harness.wait_until(lambda: handle.done, 10000)
    assert handle.state == "done"
    assert results == [handle.result()]


@pytest.mark.usefixtures("with_worker")
def test_looking_at_a_job_stalls_the_window_for_less_than_a_tenth_of_a_second(harness: Harness, tmp_path: Path) -> None:
    handle = slicermedai.submit(tmp_path / "study", output=tmp_path / "out", series="endless")
    harness.process(50)
    harness.reset_stall()
    harness.process(700)
    assert handle.progress > 0
    assert harness.max_stall_ms < 100
    harness.call(handle.cancel)
    assert harness.wait_until(lambda: handle.done, 2000)
    assert handle.state == "cancelled"


def test_a_ticker_ticks_until_it_is_stopped(harness: Harness) -> None:
    ticks: list[int] = []
    stop = every(10, lambda: ticks.append(1))
    assert stop is not None
    assert harness.wait_until(lambda: len(ticks) >= 3)
    stop()
    before = len(ticks)
    harness.process(60)
    assert len(ticks) == before
