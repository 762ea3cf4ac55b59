"""Chains of work beside a module's own: one after the other, a moment at a time, and forgotten at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slicermedai.app import moments
from slicermedai.app.aside import Aside, Chain, aside_text
from slicermedai.app.moments import Moments
from slicermedai.app.state import Phase
from slicermedai.errors import InputError, JobCancelled


class Task:
    """Work that ends when a test says so."""

    stage, progress = "image", 0.5
    seconds_left: float | None = None

    def __init__(self) -> None:
        self.done = self.cancelled = False

    def poll(self) -> None:
        if self.cancelled:
            self.done = True

    def cancel(self) -> None:
        self.cancelled = True


def chain(task: Task, said: list[str], name: str) -> Chain:
    said.append(f"{name} begins")
    try:
        yield task
        said.append(f"{name} goes on")
    finally:
        said.append(f"{name} is over")


def test_chains_go_one_after_the_other_and_each_goes_on_when_its_work_has_ended() -> None:
    beside, first, second, said = Aside(), Task(), Task(), list[str]()
    beside.add("One ...", chain(first, said, "one"))
    beside.add("Two ...", chain(second, said, "two"))
    beside.poll()
    assert (beside.busy, beside.state.message, said) == (True, "One ...", ["one begins"])
    first.done = True
    beside.poll()
    assert (beside.state.message, said[-1]) == ("Two ...", "two begins")
    second.done = True
    beside.poll()
    assert said == ["one begins", "one goes on", "one is over", "two begins", "two goes on", "two is over"]
    assert (beside.busy, beside.state.phase, beside.state.message) == (False, Phase.IDLE, "")


def test_what_is_forgotten_is_stopped_and_cleaned_up_and_what_waited_is_never_begun() -> None:
    beside, first, second, said = Aside(), Task(), Task(), list[str]()
    beside.add("One ...", chain(first, said, "one"))
    beside.add("Two ...", chain(second, said, "two"))
    beside.forget()
    assert first.cancelled
    assert beside.state.phase is Phase.STOPPING
    beside.poll()
    assert said == ["one begins", "one is over"]
    assert not beside.busy


def test_what_is_added_while_something_is_being_stopped_comes_after_it() -> None:
    beside, first, second, said = Aside(), Task(), Task(), list[str]()
    beside.add("One ...", chain(first, said, "one"))
    beside.forget()
    beside.add("Two ...", chain(second, said, "two"))
    assert said == ["one begins"]
    beside.poll()
    assert (said, beside.state.message) == (["one begins", "one is over", "two begins"], "Two ...")
    assert beside.can_cancel


def test_a_chain_that_cannot_begin_keeps_nobody_waiting_and_is_told_until_something_else_is_done() -> None:
    def broken() -> Chain:
        raise InputError("no child")
        yield

    beside, task, said = Aside(), Task(), list[str]()
    beside.add("Broken ...", broken())
    assert (beside.busy, beside.state.phase, beside.state.message) == (False, Phase.FAILED, "no child")
    assert aside_text(beside.state) == "no child"
    beside.add("One ...", chain(task, said, "one"))
    assert (said, beside.state.message) == (["one begins"], "One ...")
    task.done = True
    beside.poll()
    assert (beside.state.phase, beside.state.message) == (Phase.IDLE, "")


def test_what_ended_a_chain_is_told_when_those_behind_it_are_over() -> None:
    first, task = Task(), Task()

    def broken() -> Chain:
        yield first
        raise InputError("no surface")

    beside = Aside()
    beside.add("Broken ...", broken())
    beside.add("One ...", chain(task, [], "one"))
    first.done = task.done = True
    beside.poll()
    beside.poll()
    assert (beside.busy, beside.state.message) == (False, "no surface")


@pytest.mark.parametrize("error", [InputError("a step failed"), ValueError("a step failed")])
def test_whatever_a_step_raises_its_chain_is_over_and_cleaned_up_and_the_next_one_begins(error: Exception) -> None:
    def steps() -> Iterator[None]:
        yield
        raise error

    def broken() -> Chain:
        try:
            yield Moments(steps(), total=2)
        finally:
            said.append("cleaned up")

    beside, said = Aside(), list[str]()
    beside.add("Broken ...", broken())
    beside.add("One ...", chain(Task(), said, "one"))
    beside.poll()
    assert said == ["cleaned up", "one begins"]
    assert beside.state.message == "One ..."


def test_moments_take_no_more_of_the_windows_time_than_they_may(monkeypatch: Any) -> None:
    now = iter(range(100))
    monkeypatch.setattr(moments.time, "monotonic", lambda: next(now) * 0.01)
    taken = list[int]()

    def steps() -> Iterator[None]:
        for number in range(7):
            taken.append(number)
            yield

    work = Moments(steps(), total=7)
    work.poll()
    assert 0 < len(taken) < 7
    assert work.progress == len(taken) / 7
    while not work.done:
        work.poll()
    assert taken == list(range(7))
    assert work.error is None


def test_moments_end_where_they_are_cancelled() -> None:
    other = Moments(iter([None]), total=1)
    other.cancel()
    assert other.done
    assert isinstance(other.error, JobCancelled)


def test_the_line_says_what_goes_on_how_far_it_is_and_how_long_it_takes_still() -> None:
    beside, task = Aside(), Task()
    assert aside_text(beside.state) == ""
    beside.add("Showing the result of CT ...", chain(task, [], "one"))
    beside.poll()
    assert aside_text(beside.state) == "Showing the result of CT ... – Reading the image – 50 %"


def test_the_time_that_is_left_is_told_after_two_seconds(monkeypatch: Any) -> None:
    now = [100.0]
    monkeypatch.setattr(moments.time, "monotonic", lambda: now[0])
    beside, task = Aside(), Task()
    beside.add("One ...", chain(task, [], "one"))
    beside.poll()
    assert beside.state.seconds_left is None
    now[0] += 6.0
    beside.poll()
    assert beside.state.seconds_left == 6.0
