"""What a run would take is asked of a child once, after a choice has stayed, and told again when a run has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app import estimates
from slicermedai.app.estimates import Estimates
from slicermedai.app.run_words import estimate_text
from slicermedai.app.state import Phase
from slicermedai.console.estimates import request_of
from slicermedai.domain.estimate import Estimate, Took, Workload
from slicermedai.errors import GeometryError, InputError, JobCancelled, MedAIError, WorkerCrashed
from slicermedai.jobs import speeds
from Testing.app.runs import until_idle
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import write_tiny_bundle

SHA = "cd" * 32
WORK = Workload(operations=2e12, voxels=4e6, image_voxels=1e6, millilitres=1500.0, memory=2.1e9)
ANSWER = {"title": "a@1", "weights": SHA, "inputs": ["image"], "workload": asdict(WORK), "device": "cpu", "free": 8e9}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data of the test's own, and no waiting."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(estimates, "PAUSE", 0.0)
    return tmp_path / "home"


class Child:
    """An inquiry whose answer is written down beforehand; ``turns`` polls pass before it comes."""

    stage, progress, seconds_left = "", 0.0, None

    def __init__(self, answer: Any, error: MedAIError | None = None, turns: int = 1) -> None:
        self.answer, self.error, self.turns = answer, error, turns
        self.done = self.cancelled = False

    def poll(self) -> None:
        self.turns -= 1
        if self.cancelled:
            self.error = JobCancelled("it was cancelled")
        self.done = self.cancelled or self.turns <= 0

    def cancel(self) -> None:
        self.cancelled = True


class Asked:
    """Starts children and remembers what they were asked."""

    def __init__(self, *children: Child) -> None:
        self.children, self.requests = list(children), list[Mapping[str, Any]]()

    def __call__(self, request: Mapping[str, Any]) -> Any:
        self.requests.append(request)
        return self.children[len(self.requests) - 1]


def a_request(**changed: Any) -> dict[str, Any]:
    return {**request_of("study", "a@1", {"report": False, "device": "cpu"}), **changed}


def finish(shown: Estimates) -> None:
    for _ in range(20):
        shown.poll()
    assert not shown.busy


def took(**fields: Any) -> Took:
    plain = Took(
        machine=speeds.machine(), device="cpu", precision="float32", manner="keep", operations=2e12, voxels=4e6,
        image_voxels=1e6, millilitres=1500.0, network_seconds=10.0, rest_seconds=6.0,
    )  # fmt: skip
    return replace(plain, **fields)


def test_before_any_run_there_are_numbers_of_the_engine_and_no_seconds() -> None:
    shown = Estimates(ask=Asked(Child(ANSWER)))
    shown.consider("a", a_request)
    assert shown.busy
    assert shown.state.message == "Estimating time and memory ..."
    finish(shown)
    told = estimate_text(shown.state.estimate)
    assert told.startswith("No run like this one of this model here yet: its time is not known.")
    assert "Peak memory about 2.1 GB of 8.0 GB that are free." in told
    assert told.endswith("2 TFLOP.")


def test_after_a_run_it_is_told_anew_without_asking_again() -> None:
    asked = Asked(Child(ANSWER))
    shown = Estimates(ask=asked)
    shown.consider("a", a_request)
    finish(shown)
    speeds.note(SHA, took())
    shown.renew()
    assert shown.state.estimate is not None
    assert shown.state.estimate.seconds == (16.0, 16.0)
    assert estimate_text(shown.state.estimate).startswith("Estimated for this machine: about 16 s, as 1 run here took.")
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    "other", [{"device": "cuda:0 NVIDIA H100"}, {"precision": "bfloat16"}, {"manner": "keep, report"}]
)
def test_runs_of_another_kind_do_not_count(other: dict[str, str]) -> None:
    speeds.note(SHA, took(**other))
    shown = Estimates(ask=Asked(Child(ANSWER)))
    shown.consider("a", a_request)
    finish(shown)
    assert shown.state.estimate is not None
    assert shown.state.estimate.seconds is None


def test_every_frame_of_a_series_over_time_takes_what_one_image_takes() -> None:
    speeds.note(SHA, took())
    shown = Estimates(ask=Asked(Child({**ANSWER, "frames": 20, "over_time": "20 frames over time (MR)"})))
    shown.consider("a", lambda: a_request(over_time=True))
    finish(shown)
    assert shown.state.estimate is not None
    assert shown.state.estimate.seconds == (320.0, 320.0)
    assert estimate_text(shown.state.estimate).startswith("Every frame of a series over time: 20 frames over time (MR)")
    assert shown.state.estimate.in_words.startswith("20 frames over time (MR), each of them as one image; ")


def test_no_time_is_told_of_a_series_over_time_that_would_be_refused() -> None:
    speeds.note(SHA, took())
    shown = Estimates(ask=Asked(Child({**ANSWER, "frames": 0, "over_time": "20 frames over time (MR)"})))
    shown.consider("a", a_request)
    finish(shown)
    estimate = shown.state.estimate
    assert estimate is not None
    assert estimate.seconds is None
    assert "would be refused unless every frame is asked for" in estimate.in_words
    assert estimate_text(estimate).endswith("or the run will be refused.")


def test_whether_every_frame_is_asked_for_is_another_question() -> None:
    asked = Asked(Child(ANSWER), Child(ANSWER))
    shown = Estimates(ask=asked)
    for choice, wanted in (("a", False), ("b", True)):
        shown.consider(choice, lambda wanted=wanted: a_request(over_time=wanted))  # type: ignore[misc]
        finish(shown)
    assert len(asked.requests) == 2


def test_what_a_run_is_asked_for_beside_counts_without_asking_again() -> None:
    speeds.note(SHA, took())
    asked = Asked(Child(ANSWER), Child(ANSWER))
    shown = Estimates(ask=asked)
    shown.consider("a", a_request)
    finish(shown)
    shown.consider("b", lambda: a_request(stability=2))
    assert shown.state.estimate is not None
    assert shown.state.estimate.seconds == (36.0, 48.0)
    assert len(asked.requests) == 1


def test_the_same_choice_asks_nothing_and_an_earlier_one_is_known() -> None:
    asked = Asked(Child(ANSWER), Child({**ANSWER, "title": "b@1"}))
    shown = Estimates(ask=asked)
    for choice in ("a", "a", "b", "a"):
        shown.consider(choice, lambda choice=choice: a_request(bundle=choice))  # type: ignore[misc]
        finish(shown)
    assert [request["bundle"] for request in asked.requests] == ["a", "b"]
    assert shown.state.estimate is not None
    assert shown.state.estimate.title == "a@1"


def test_a_choice_that_changes_meanwhile_ends_the_child_and_asks_another() -> None:
    slow = Child(ANSWER, turns=1000)
    asked = Asked(slow, Child({**ANSWER, "title": "b@1"}))
    shown = Estimates(ask=asked)
    shown.consider("a", lambda: a_request(bundle="a"))
    shown.poll()
    shown.consider("b", lambda: a_request(bundle="b"))
    assert slow.cancelled
    finish(shown)
    assert shown.state.estimate is not None
    assert shown.state.estimate.title == "b@1"


def test_choosing_nothing_tells_nothing_and_lets_the_child_end() -> None:
    slow = Child(ANSWER, turns=1000)
    shown = Estimates(ask=Asked(slow))
    shown.consider("a", a_request)
    shown.poll()
    shown.consider("none", None)
    assert slow.cancelled
    assert shown.busy, "somebody must see the child end"
    finish(shown)
    assert (shown.state.estimate, shown.state.message) == (None, "")


def test_cancelling_leaves_no_child_and_no_question() -> None:
    slow = Child(ANSWER, turns=1000)
    shown = Estimates(ask=Asked(slow))
    shown.consider("a", a_request)
    shown.cancel()
    assert not shown.busy, "none was started yet"
    shown.consider("b", a_request)
    shown.poll()
    shown.cancel()
    assert slow.cancelled
    finish(shown)


def test_a_choice_must_stay_before_anybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "PAUSE", 0.1)
    asked = Asked(Child(ANSWER))
    shown = Estimates(ask=asked)
    shown.consider("a", a_request)
    shown.poll()
    assert asked.requests == []
    time.sleep(0.12)
    shown.poll()
    assert len(asked.requests) == 1
    finish(shown)


def test_why_it_cannot_be_told_is_said() -> None:
    shown = Estimates(ask=Asked(Child(None, WorkerCrashed("ended before it was done", file="child"))))
    shown.consider("a", a_request)
    finish(shown)
    assert shown.state.phase is Phase.FAILED
    assert "ended before it was done" in shown.state.message
    assert shown.state.estimate is None


def test_a_child_that_cannot_be_started_is_said() -> None:
    def refuse(request: Mapping[str, Any]) -> Any:
        raise WorkerCrashed("cannot be started", file="child")

    shown = Estimates(ask=refuse)
    shown.consider("a", a_request)
    finish(shown)
    assert "cannot be started" in shown.state.message


def test_an_image_that_cannot_be_placed_is_left_to_the_run() -> None:
    def refuse() -> Mapping[str, Any]:
        raise GeometryError("the node stands under a non-linear transform")

    shown = Estimates(ask=Asked())
    shown.consider("a", refuse)
    assert not shown.busy
    assert shown.state.message == ""


def test_words_of_what_is_too_much_and_of_what_is_not_known() -> None:
    tight = Estimate(title="a@1", device="cpu", workload=WORK, free=1e9)
    assert estimate_text(tight).endswith("That is more than is free: the run would be refused.")
    unknown = Estimate(title="a@1", device="cpu", workload=Workload(image_voxels=1e6), runs=3, seconds=(20.0, 200.0))
    told = estimate_text(unknown)
    assert told == (
        "Estimated for this machine: 20 s to 3 min, as 3 runs here took. "
        "Memory cannot be foreseen for this kind of model."
    )
    bound = estimate_text(Estimate(title="a@1", device="cpu", workload=replace(WORK, at_most=True)))
    assert "Peak memory at most 2.1 GB." in bound
    assert bound.endswith("At most 2 TFLOP.")
    assert estimate_text(None) == ""


def test_the_child_answers_for_a_real_model_and_the_asking_process_stays_light(home: Path) -> None:
    write_tiny_bundle(home / "models" / "tiny@0.1")
    volume, _ = body_on(covering(spacing=(4.0, 4.0, 4.0), extent=(100.0, 126.0, 116.0)))
    shown = Estimates()
    shown.consider("a", lambda: request_of(volume, "tiny@0.1", {}))
    until_idle(shown)
    assert shown.state.estimate is not None, shown.state.message
    assert shown.state.estimate.workload.operations > 0
    assert shown.state.estimate.device == "cpu" or shown.state.estimate.device.startswith(("cuda", "mps"))


def test_a_model_that_is_not_there_is_refused_by_name(home: Path) -> None:
    shown = Estimates()
    shown.consider("a", lambda: request_of("study", "nothing@1", {}))
    until_idle(shown)
    assert "'nothing@1' is not installed" in shown.state.message


def test_asking_loads_nothing_heavy() -> None:
    code = (
        "import sys; from slicermedai.app.estimates import Estimates;"
        "from slicermedai.console.estimates import request_of;"
        "e = Estimates(); e.consider(1, lambda: request_of(['a.dcm'], 'b@1', {})); e.cancel();"
        "print([n for n in ('torch', 'monai', 'highdicom', 'SimpleITK', 'pydicom') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_request_names_what_is_wrong() -> None:
    with pytest.raises(InputError, match="no image"):
        request_of(object(), "a@1", {})
