"""Events survive the wire, and nothing else is taken for one."""

from __future__ import annotations

import io
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.errors import JobCancelled, NoImagesError, ProtocolError, from_dict
from slicermedai.jobs.kinds import STAGES, stages_of
from slicermedai.jobs.protocol import Done, Event, Failed, Note, Progress, decode, encode, is_event
from slicermedai.jobs.reporter import Reporter
from slicermedai.jobs.specs import ExportJob, RunJob
from slicermedai.jobs.time_left import ENOUGH_DONE, ENOUGH_SECONDS, TimeLeft

fractions = st.floats(0, 1)
events = st.one_of(
    st.builds(
        Progress,
        stage=st.text(),
        fraction=fractions,
        stage_fraction=fractions,
        seconds_left=st.none() | st.floats(0, 1e9),
    ),
    st.builds(Note, text=st.text()),
    st.builds(Done, folder=st.text()),
    st.builds(Failed, error=st.dictionaries(st.text(), st.none() | st.text())),
)


@given(events)
def test_an_event_survives_the_wire_as_one_line_of_ascii(event: Event) -> None:
    line = encode(event)
    assert line.isascii()
    assert "\n" not in line
    assert is_event(line)
    assert decode(line) == event


def test_an_error_survives_the_wire_with_its_type_and_place() -> None:
    error = NoImagesError("no images", file="folder", attribute="PixelData", advice="Choose another.")
    event = decode(encode(Failed(error=error.to_dict())))
    assert isinstance(event, Failed)
    back = from_dict(event.error)
    assert type(back) is NoImagesError
    assert str(back) == str(error)


@pytest.mark.parametrize(
    "line", ["", "hello", "{}", '{"event": "done"}', "[1]", "null", '{"medai": 2, "event": "done"}']
)
def test_noise_is_no_event(line: str) -> None:
    assert not is_event(line)


@pytest.mark.parametrize(
    ("line", "attribute"),
    [
        ('{"medai": 1, "event": "do', "event"),
        ('{"medai": 1, "event": "dance"}', "event"),
        ('{"medai": 1, "event": "done"}', "event"),
        ('{"medai": 1, "event": "note", "text": "a", "more": 1}', "event"),
        ('{"medai": 1, "event": "note", "text": 5}', "text"),
        ('{"medai": 1, "event": "progress", "stage": "a", "fraction": 1.5, "stage_fraction": 0}', "fraction"),
        ('{"medai": 1, "event": "progress", "stage": "a", "fraction": NaN, "stage_fraction": 0}', "fraction"),
        ('{"medai": 1, "event": "progress", "stage": "a", "fraction": true, "stage_fraction": 0}', "fraction"),
        ('{"medai": 2, "event": "note", "text": "a"}', "medai"),
    ],
)
def test_a_damaged_event_is_an_error_that_names_the_field_and_quotes_nothing(line: str, attribute: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(line)
    assert caught.value.attribute == attribute
    assert line not in str(caught.value)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reported(stream: io.StringIO) -> list[Progress]:
    found = [decode(line) for line in stream.getvalue().splitlines()]
    assert all(isinstance(event, Progress) for event in found)
    return [event for event in found if isinstance(event, Progress)]


def test_stages_become_one_fraction_that_never_falls_and_ends_at_one() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = Reporter(stream, clock=clock)
    for stage in STAGES:
        for part in (0.0, 0.5, 0.2, 1.0):
            clock.now += 1
            reporter(stage, part)
    fractions = [event.fraction for event in reported(stream)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) == 4 * len(STAGES)


def test_calls_in_quick_succession_are_throttled_and_the_last_of_a_stage_is_told() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = Reporter(stream, clock=clock)
    for step in range(1001):
        clock.now += 0.001
        reporter("segment", step / 1000)
    told = reported(stream)
    assert 8 <= len(told) <= 13
    assert told[-1].stage_fraction == 1.0


def test_the_time_left_is_unknown_first_and_then_right_for_steady_work() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = Reporter(stream, clock=clock)
    reporter("read", 0.0)
    for stage, weight in STAGES.items():
        for part in (0.25, 0.5, 0.75, 1.0):
            clock.now += weight / 4
            reporter(stage, part)
    told = reported(stream)
    assert told[0].seconds_left is None
    for event in told:
        if event.fraction < ENOUGH_DONE:
            assert event.seconds_left is None
        else:
            assert event.seconds_left == pytest.approx(sum(STAGES.values()) * (1 - event.fraction), abs=0.1)


def watched(pace: list[tuple[float, float]]) -> list[float]:
    """The times told to a person who looks ten times a second, for a job of (seconds, fraction) pieces."""
    clock = Clock()
    left, told, done = TimeLeft(clock), [], 0.0
    for seconds, fraction in pace:
        steps = max(round(seconds * 10), 1)
        for _ in range(steps):
            clock.now += seconds / steps
            done += fraction / steps
            now = left.at(min(done, 1.0))
            told += [] if now is None else [now]
    return told


def test_the_time_left_is_not_told_before_there_is_evidence() -> None:
    assert watched([(ENOUGH_SECONDS - 0.1, 0.9)]) == []
    assert watched([(60.0, ENOUGH_DONE - 0.01)]) == []
    assert watched([(60.0, ENOUGH_DONE + 0.01)]) != []


@given(st.lists(st.tuples(st.floats(0.1, 30), st.floats(0.01, 1)), min_size=2, max_size=8))
def test_the_time_left_never_jumps_up_and_ends_at_nothing(pieces: list[tuple[float, float]]) -> None:
    whole = sum(fraction for _, fraction in pieces)
    told = watched([(seconds, fraction / whole) for seconds, fraction in pieces] + [(0.1, 0.1)])
    rises = [after - before for before, after in itertools.pairwise(told)]
    longest = max(told, default=0.0)
    assert all(rise <= 0.1 + 0.01 * max(longest, 100 * sum(s for s, _ in pieces)) for rise in rises)
    assert told[-1:] in ([], [0.0])


def test_a_stage_that_stands_still_holds_the_countdown_and_a_fast_one_shortens_it() -> None:
    slow = watched([(10.0, 0.5), (10.0, 0.01)])
    assert max(after - before for before, after in itertools.pairwise(slow)) <= 0.1
    fast = watched([(10.0, 0.25), (1.0, 0.65), (2.0, 0.1)])
    assert fast[-10] < 3.0, "one second after the fast stage, one second before the end"


def test_a_stage_that_nobody_planned_moves_nothing() -> None:
    stream = io.StringIO()
    reporter = Reporter(stream)
    reporter("segment", 1.0)
    reporter("tea", 0.5)
    first, second = reported(stream)
    assert second.fraction == first.fraction
    assert second.stage == "tea"


def test_a_step_with_a_name_of_its_own_counts_as_part_of_its_stage() -> None:
    stream = io.StringIO()
    reporter = Reporter(stream)
    steps = ["scan", "read", "collect identity", "de-identify", "verify"]
    for step in steps:
        reporter(step, 1.0)
    fractions = [event.fraction for event in reported(stream)]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == pytest.approx(
        (STAGES["start"] + STAGES["read"] + STAGES["deidentify"]) / sum(STAGES.values())
    )


def test_a_stopped_job_learns_it_at_the_next_progress_call() -> None:
    def check() -> None:
        raise JobCancelled("stop")

    with pytest.raises(JobCancelled):
        Reporter(io.StringIO(), check=check)("read", 0.0)


def test_only_the_stages_that_a_job_goes_through_are_weighed() -> None:
    plain = RunJob(source="a", identity="keep", report=False)
    assert "deidentify" not in stages_of(plain)
    assert not {"scene", "pictures", "report"} & set(stages_of(plain))
    assert list(stages_of(RunJob(source="a", identity="deidentify"))) == list(STAGES)
    assert list(stages_of(ExportJob(source="a"))) == ["start", "read", "export"]


def test_a_line_is_json_for_anybody() -> None:
    assert json.loads(encode(Note(text="höher"))) == {"medai": 1, "event": "note", "text": "höher"}
