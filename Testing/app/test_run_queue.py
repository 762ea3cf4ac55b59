"""Runs that wait for their turn: one at a time, each with what was chosen for it; one that fails stops itself alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.kept import remember
from slicermedai.app.run_queue import CANCELLED, DONE, FAILED, RUNNING, WAITING, Order
from slicermedai.app.run_words import queue_columns, queue_rows, result_text
from slicermedai.app.state import Phase
from slicermedai.errors import NoImagesError
from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.specs import RunJob
from Testing.app.test_guided_run import PlannedJob, a_bundle, a_result, without_place

GOES_WELL = object()
PLAIN: dict[str, object] = {"identity": "keep", "device": "auto"}


class Desk:
    """Takes jobs in order; each ends as it was planned."""

    def __init__(self, plans: Iterable[object]) -> None:
        self.plans = list(plans)
        self.asked: list[tuple[object, str, dict[str, object]]] = []
        self.jobs: list[PlannedJob] = []

    def submit(self, source: object, bundle: str, **options: object) -> PlannedJob:
        self.asked.append((source, bundle, options))
        plan = self.plans.pop(0)
        if isinstance(plan, Exception):
            raise plan
        outcome = plan if isinstance(plan, tuple) else a_result()
        self.jobs.append(PlannedJob([("read", 0.1)], outcome[0] if isinstance(outcome, tuple) else outcome))
        return self.jobs[-1]


def a_queue(*plans: object) -> tuple[GuidedRun, Desk, list[Order]]:
    """A run of three images: the first goes on, the others were added."""
    desk, ended = Desk(plans), list[Order]()
    run = GuidedRun(submit=desk.submit, bundles=lambda: [a_bundle(), a_bundle("spleen")])
    run.finished.connect(ended.append)
    run.refresh_bundles()
    run.choose_source("one", "First")
    run.start()
    for source, name in (("two", "Second"), ("three", "Third")):
        run.choose_source(source, name)
        run.add()
    return run, desk, ended


def states(run: GuidedRun) -> list[str]:
    return [row.state for row in run.state.queue]


def until_idle(run: GuidedRun) -> None:
    for _ in range(20):
        run.poll()
    assert not run.busy


def test_one_runs_at_a_time_and_each_starts_when_the_one_before_has_ended() -> None:
    run, desk, ended = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    assert states(run) == [RUNNING, WAITING, WAITING]
    assert len(desk.asked) == 1
    run.poll()
    run.poll()
    assert states(run) == [DONE, RUNNING, WAITING]
    assert len(desk.asked) == 2
    until_idle(run)
    assert states(run) == [DONE, DONE, DONE]
    assert [source for source, _, _ in desk.asked] == ["one", "two", "three"]
    assert [order.source for order in ended] == ["one", "two", "three"]
    assert run.state.phase is Phase.DONE


def test_what_was_chosen_when_it_was_added_is_what_runs() -> None:
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL, GOES_WELL)
    run.choose_bundle("spleen@1")
    run.choose_identity("deidentify")
    run.choose_options(samples="flips")
    run.add()
    run.choose_bundle("brain@1")
    run.choose_identity("keep")
    until_idle(run)
    assert [title for _, title, _ in desk.asked] == ["brain@1"] * 3 + ["spleen@1"]
    assert without_place(desk.asked[3][2]) == PLAIN | {
        "identity": "deidentify",
        "project_key": "",
        "uncertainty": "flips",
    }
    assert without_place(desk.asked[1][2]) == PLAIN


def test_a_setting_that_changes_while_a_run_waits_is_not_that_runs(tmp_path: Path) -> None:
    """Choosing a device in the panel changes the setting, and so may the page of settings the key."""
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL, GOES_WELL, GOES_WELL)
    keys = [str(tmp_path / name) for name in ("first.key", "second.key")]
    remember("device", "cpu")
    remember("project_key", keys[0])
    run.choose_options(device="cpu")
    run.choose_identity("deidentify")
    run.add()
    remember("device", "cuda:0")
    remember("project_key", keys[1])
    run.choose_options(device="cuda:0")
    run.add()
    remember("device", "auto")
    remember("project_key", "")
    until_idle(run)
    jobs = [with_settings(RunJob, {"source": "s", "bundle": "b", **options}) for _, _, options in desk.asked]
    assert [job["device"] for job in jobs] == ["auto"] * 3 + ["cpu", "cuda:0"]
    assert [job.get("project_key") for job in jobs] == [None] * 3 + keys


def test_a_place_of_results_that_is_set_while_a_run_waits_is_not_that_runs(tmp_path: Path) -> None:
    remember("results", str(tmp_path / "first"))
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    remember("results", str(tmp_path / "second"))
    until_idle(run)
    places = [with_settings(RunJob, options)["output"] for _, _, options in desk.asked]
    assert [Path(str(place)).parent for place in places] == [tmp_path / "first"] * 3
    assert len(set(places)) == 3


def test_a_key_that_is_set_while_a_run_waits_is_not_that_runs() -> None:
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL, GOES_WELL)
    run.choose_identity("deidentify")
    run.add()
    remember("project_key", "later.key")
    until_idle(run)
    assert with_settings(RunJob, desk.asked[3][2])["project_key"] == ""


def test_one_that_fails_stops_that_one_only() -> None:
    run, _, ended = a_queue(GOES_WELL, (NoImagesError("no images", file="f"),), GOES_WELL)
    until_idle(run)
    assert states(run) == [DONE, FAILED, DONE]
    assert run.state.queue[1].why == "f: no images"
    assert [order.image for order in ended] == ["First", "Third"]
    assert run.state.phase is Phase.DONE
    assert run.state.message.startswith("Third: Brain")


def test_one_that_cannot_even_be_started_stops_that_one_only() -> None:
    run, _, _ = a_queue(GOES_WELL, NoImagesError("empty", file="f"), GOES_WELL)
    until_idle(run)
    assert states(run) == [DONE, FAILED, DONE]
    assert run.state.queue[1].seconds is not None


def test_a_run_that_no_error_of_ours_kept_from_starting_has_failed_and_takes_no_other_runs_result() -> None:
    run, desk, ended = a_queue(MemoryError("no room"), GOES_WELL, GOES_WELL)
    assert states(run)[0] == FAILED
    assert run.state.queue[0].why == "MemoryError: no room"
    desk.plans = [GOES_WELL, GOES_WELL]
    run.choose_source("two", "Second")
    run.start()
    until_idle(run)
    assert [(order.image, order.source) for order in ended] == [("Second", "two")]
    assert [row.image for row in run.state.queue] == ["Second"]
    assert run.analysed == "two"


def test_one_that_no_error_of_ours_kept_from_starting_stops_that_one_only() -> None:
    run, _, ended = a_queue(GOES_WELL, MemoryError(), GOES_WELL)
    until_idle(run)
    assert states(run) == [DONE, FAILED, DONE]
    assert run.state.queue[1].why == "MemoryError"
    assert [order.source for order in ended] == ["one", "three"]


def test_a_result_that_cannot_be_read_again_for_whatever_reason_stops_that_one_only() -> None:
    run, _, ended = a_queue(GOES_WELL, (OSError("gone"),), GOES_WELL)
    until_idle(run)
    assert states(run) == [DONE, FAILED, DONE]
    assert run.state.queue[1].why == "OSError: gone"
    assert [order.image for order in ended] == ["First", "Third"]


def test_what_goes_wrong_while_a_result_is_shown_keeps_no_other_run_from_its_turn() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)

    def refuse(order: Order) -> None:
        raise RuntimeError(order.image)

    run.finished.connect(refuse)
    told = []
    for _ in range(20):
        try:
            run.poll()
        except RuntimeError as error:
            told.append(str(error))
    assert told == ["First", "Second", "Third"]
    assert states(run) == [DONE, DONE, DONE]
    assert not run.busy


def test_cancelling_stops_the_one_that_goes_on_and_the_next_one_runs() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    run.cancel()
    assert run.state.phase is Phase.STOPPING
    run.poll()
    assert states(run) == [CANCELLED, RUNNING, WAITING]
    assert run.state.phase is Phase.RUNNING
    until_idle(run)
    assert states(run) == [CANCELLED, DONE, DONE]


def test_stopping_all_leaves_nothing_that_would_start() -> None:
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    run.stop_runs()
    until_idle(run)
    assert states(run) == [CANCELLED]
    assert len(desk.asked) == 1
    assert run.state.phase is Phase.CANCELLED


def test_what_waits_can_be_taken_off_the_list_and_what_runs_cannot() -> None:
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    first, second, third = (row.number for row in run.state.queue)
    run.remove([first, second, 99])
    assert [row.number for row in run.state.queue] == [first, third]
    until_idle(run)
    assert [source for source, _, _ in desk.asked] == ["one", "three"]


def test_the_first_result_stays_in_front_until_a_person_looks_at_another() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, (NoImagesError("no", file="f"),))
    first, second, third = (row.number for row in run.state.queue)
    until_idle(run)
    assert (run.state.shown, run.analysed) == (first, "one")
    run.look_at(second)
    assert (run.state.shown, run.analysed) == (second, "two")
    assert run.state.message.startswith("Second: ")
    run.look_at(third)
    assert run.state.shown == second, "a run without a result cannot be looked at"


def test_when_the_images_go_nothing_of_their_results_stays() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    until_idle(run)
    run.choose_source(None, "")
    run.forget()
    assert (run.state.result, run.state.folder, run.analysed, run.state.queue) == (None, None, None, ())
    assert (run.state.phase, run.state.message) == (Phase.IDLE, "Choose an image.")


def test_when_the_images_go_what_runs_is_stopped_and_what_waits_never_runs() -> None:
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    run.poll()
    run.poll()
    assert states(run) == [DONE, RUNNING, WAITING]
    run.forget()
    assert (states(run), run.state.result) == ([RUNNING], None)
    until_idle(run)
    assert (states(run), len(desk.asked)) == ([CANCELLED], 2)


def test_a_run_that_ends_well_although_it_was_stopped_for_its_image_had_gone_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PlannedJob, "cancel", lambda job: None)
    run, _, ended = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    run.forget()
    until_idle(run)
    assert (run.state.result, run.state.queue, ended) == (None, (), [])
    assert (run.state.phase, run.state.message) == (Phase.IDLE, "Ready.")


def test_a_result_is_named_by_its_image_whatever_is_chosen_when_it_comes() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    run.remove([row.number for row in run.state.queue[1:]])
    until_idle(run)
    assert run.state.source_name == "Third"
    assert run.state.message.startswith("First: Brain: ")
    assert run.shown is not None and result_text(run.shown.image, run.shown.title) == "Of First, by brain@1:"


def test_the_result_of_a_run_that_was_taken_off_the_list_is_looked_at_no_more() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    first, second, _ = (row.number for row in run.state.queue)
    until_idle(run)
    run.remove([second])
    assert run.state.result is not None
    run.remove([first])
    assert (run.state.result, run.state.folder, run.state.shown) == (None, None, 0)


def test_what_is_told_of_a_run_stays_in_its_row() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    run.finished.connect(lambda order: run.tell(order, f"no room for {order.image}"))
    until_idle(run)
    assert [row.why for row in run.state.queue] == ["no room for First", "no room for Second", "no room for Third"]
    assert run.state.message == "Third: no room for Third"


def test_of_a_run_without_a_result_nothing_of_its_image_is_kept() -> None:
    run, _, _ = a_queue((NoImagesError("no", file="f"),), GOES_WELL, GOES_WELL)
    until_idle(run)
    first = run._queue[run.state.queue[0].number]
    assert (first.source, first.options) == (None, {})


def test_pressing_run_again_begins_a_new_list() -> None:
    run, desk, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    until_idle(run)
    desk.plans = [GOES_WELL]
    run.start()
    assert states(run) == [RUNNING]
    assert run.state.result is None
    until_idle(run)
    assert run.state.message.startswith("Third: Brain: "), "another image may be chosen by now"


def test_nothing_is_added_while_nothing_runs() -> None:
    run, _, _ = a_queue(GOES_WELL, GOES_WELL, GOES_WELL)
    until_idle(run)
    run.add()
    assert len(run.state.queue) == 3


def test_the_list_says_what_cohorts_say() -> None:
    run, _, _ = a_queue(GOES_WELL, (NoImagesError("no images", file="f"),), GOES_WELL)
    rows = queue_rows(run.state.queue)
    assert [row[2] for row in rows] == ["running", "waiting", "waiting"]
    assert len(rows[0]) == len(queue_columns())
    until_idle(run)
    assert queue_rows(run.state.queue)[1] == ("Second", "brain@1", "failed", "0", "f: no images")
