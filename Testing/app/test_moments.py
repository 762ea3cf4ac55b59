"""Work in the window's process: in moments, ended by errors and by whoever wants no more of it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app import moments
from slicermedai.app.moments import Arrived, Left, Moments, Taken
from slicermedai.errors import InputError, JobCancelled, MedAIError


def counting(upto: int, seen: list[int], seconds: float = 0.0) -> Generator[None, None, int]:
    try:
        for number in range(upto):
            time.sleep(seconds)
            seen.append(number)
            yield
    finally:
        seen.append(-1)
    return upto


def to_the_end(work: Moments) -> int:
    """How often it was polled."""
    for polls in range(1, 10_000):
        work.poll()
        if work.done:
            return polls
    raise AssertionError("it never ends")


def test_short_work_is_done_in_one_moment_and_has_the_value_of_its_generator() -> None:
    seen: list[int] = []
    work = Moments(counting(5, seen), total=5)
    assert to_the_end(work) == 1
    assert (work.value, work.progress, seen) == (5, 1.0, [0, 1, 2, 3, 4, -1])


def test_long_work_takes_several_moments_and_tells_how_far_it_is() -> None:
    seen: list[int] = []
    work = Moments(counting(10, seen, seconds=0.01), total=10)
    work.poll()
    assert not work.done and 0 < work.progress < 1
    assert to_the_end(work) >= 2 and work.value == 10


def test_a_job_that_has_ended_stays_at_its_end_while_its_result_is_read() -> None:
    class Job:
        output = Path("run")

        def loading(self) -> Generator[None, None, int]:
            return counting(5, [], seconds=0.01)

    work = Arrived(Job())  # type: ignore[arg-type]  # as far as it is asked
    seen = [work.progress]
    while not work.done:
        work.poll()
        seen.append(work.progress)
    assert len(seen) > 2 and set(seen) == {1.0} and work.value == 5


def test_after_a_long_step_whoever_goes_on_has_a_moment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "_MOMENT", 0.1)

    def one() -> Iterator[None]:
        time.sleep(0.08)
        return
        yield

    work = Moments(one())
    work.poll()
    assert not work.done
    work.poll()
    assert work.done


def test_what_a_step_raises_goes_to_whoever_polls_or_is_told_as_the_error() -> None:
    def broken(error: Exception) -> Iterator[None]:
        yield
        raise error

    with pytest.raises(ZeroDivisionError):
        to_the_end(Moments(broken(ZeroDivisionError())))
    for raised in (InputError("no"), ZeroDivisionError("by nought")):
        work = Taken(broken(raised))
        to_the_end(work)
        assert isinstance(work.error, MedAIError) and str(raised) in str(work.error)


@pytest.mark.parametrize("kind", [Moments, Taken])
def test_what_nobody_wants_is_closed_and_ends_as_cancelled(kind: type[Moments]) -> None:
    seen: list[int] = []
    work = kind(counting(1000, seen, seconds=0.01))
    work.poll()
    work.cancel()
    assert work.done and isinstance(work.error, JobCancelled) and seen[-1] == -1
    taken = len(seen)
    work.poll()
    assert len(seen) == taken and isinstance(work.error, JobCancelled)


def test_what_a_child_left_is_read_once_that_has_ended_and_an_error_ends_it() -> None:
    seen: list[int] = []
    left = Left(lambda: counting(3, seen))
    assert not left.begun and left.value is None and left.cancel() is None
    assert left.poll() == (True, None) and left.begun and left.value == 3

    def broken() -> Iterator[Any]:
        raise InputError("the file ends early")
        yield

    done, error = Left(broken).poll()
    assert done and isinstance(error, InputError)


def test_what_a_child_left_can_be_given_up() -> None:
    seen: list[int] = []
    left = Left(lambda: counting(1000, seen, seconds=0.01))
    assert left.poll() == (False, None)
    assert isinstance(left.cancel(), JobCancelled) and seen[-1] == -1
