"""Further answers are offered where the model can give them; what it cannot give is said, and never run."""

from __future__ import annotations

import pytest

from slicermedai.app import estimates
from slicermedai.app.estimates import Estimates
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.run_options import SAMPLES, SampleWays, as_job_options
from slicermedai.app.run_words import not_offered_text, samples_text
from slicermedai.app.state import RunOptions, RunState
from slicermedai.jobs.specs import RunJob
from Testing.app.test_estimates import ANSWER, Asked, Child, a_request, finish
from Testing.app.test_guided_run import PlannedJob, a_result, a_run

WAYS = (("flips", ""), ("folds", "brain@1 has one network and no folds"), ("dropout", ""))


def a_choice() -> tuple[GuidedRun, list[RunState]]:
    run, _, seen = a_run(PlannedJob([], a_result()))
    return run, seen


def test_before_a_model_was_looked_at_what_every_segmentation_can_is_offered() -> None:
    ways = SampleWays()
    assert ways.offered("brain@1") == ("none", "flips")
    assert ways.refusal("brain@1", "folds") == ""
    assert "known once time and memory are" in not_offered_text("brain@1", ways)
    assert not_offered_text("", ways) == ""


def test_what_a_model_can_be_asked_is_offered_and_the_rest_is_said_once() -> None:
    ways = SampleWays()
    assert ways.learn("brain@1", WAYS)
    assert not ways.learn("brain@1", WAYS), "it is no news"
    assert ways.offered("brain@1") == ("none", "flips", "dropout")
    assert ways.offered("spleen@1") == ("none", "flips")
    assert not_offered_text("brain@1", ways) == "Not offered: brain@1 has one network and no folds"
    ways.learn("boxes@1", [(way, "of segmentations alone") for way in SAMPLES[1:]])
    assert ways.offered("boxes@1") == ("none",)
    assert not_offered_text("boxes@1", ways) == "Not offered: of segmentations alone"


def test_a_way_that_the_model_does_not_have_keeps_the_run_from_starting_and_says_why() -> None:
    run, seen = a_choice()
    run.choose_options(samples="folds")
    assert run.can_run, "nobody has looked yet: the run itself would refuse"
    before = len(seen)
    run.learn_ways("brain@1", WAYS)
    assert len(seen) > before, "who shows it is told"
    assert not run.can_run
    assert run.state.message == "brain@1 has one network and no folds"
    run.choose_options(samples="dropout")
    assert run.can_run
    assert run.state.message == "Ready."
    run.choose_options(samples="folds")
    run.choose_bundle("spleen@1")
    assert run.can_run
    run.choose_bundle("brain@1")
    assert not run.can_run


@pytest.mark.parametrize("way", SAMPLES)
def test_each_way_has_words_and_is_a_jobs_own(way: str) -> None:
    assert samples_text(way)
    options = as_job_options(RunOptions(samples=way), "keep")
    assert options.get("uncertainty", "none") == way
    assert RunJob(source="x", uncertainty=way).uncertainty == way


def test_the_child_that_estimates_tells_the_ways_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "PAUSE", 0.0)
    shown = Estimates(ask=Asked(Child({**ANSWER, "samples": dict(WAYS)})))
    shown.consider("a", a_request)
    finish(shown)
    assert shown.state.samples == WAYS
