"""How MedAI Review and MedAI Plan bring a result into a scene that refuses it, fails, or is closed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app.plan_run import PlanRun
from slicermedai.app.result_choice import LOOK
from slicermedai.app.result_showing import IMAGE, OPEN, PREPARE
from slicermedai.app.review_run import ReviewRun
from slicermedai.app.state import Phase
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, JobCancelled, OutputError
from Testing.app.plans import COARSE, PaperPlan, a_liver_run
from Testing.app.reviews import PaperScene, a_head, a_run
from Testing.app.runs import until, until_idle
from Testing.fixtures import liver


@dataclass
class Case:
    """A presenter that has opened a result, and its scene of paper."""

    presenter: Any
    scene: Any
    run: Path
    image: Volume
    change: Callable[[], object]
    """Decides or plans something that is in no file yet."""

    def show(self) -> None:
        self.presenter.look()
        until_idle(self.presenter)


@pytest.fixture(params=["review", "plan"])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))
    if request.param == "review":
        head = a_head()
        made = Case(ReviewRun(PaperScene()), None, a_run(tmp_path / "run", head), head.volume, lambda: None)
        made.change = made.presenter.accept
    else:
        volume = liver.phase("venous", COARSE)
        made = Case(PlanRun(PaperPlan()), None, a_liver_run(tmp_path / "run"), volume, lambda: None)
        made.change = made.presenter.cut_plane
    made.scene = made.presenter._scene
    yield made
    made.presenter.close()


@pytest.fixture
def opened(case: Case) -> Case:
    case.presenter.choose_folder(str(case.run))
    until_idle(case.presenter)
    case.presenter.choose_person("Jane van Roe")
    case.change()
    until_idle(case.presenter)
    assert case.presenter.state.in_scene and case.presenter.state.pending
    return case


def refusing(case: Case, monkeypatch: pytest.MonkeyPatch, error: Exception, *, always: bool = False) -> None:
    """The scene raises ``error`` where it gets an image, or always."""
    plain = case.scene.open

    def open_(result: Any, image: Any = None, *, prepared: Any = None) -> Any:
        if image is not None or always:
            raise error
        return plain(result, image, prepared=prepared)

    monkeypatch.setattr(case.scene, "open", open_)


@pytest.mark.parametrize("error", [InputError("the image is not the one"), RuntimeError("the image is not the one")])
def test_a_result_is_shown_without_an_image_that_the_scene_refuses_and_that_is_said(
    opened: Case, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    refusing(opened, monkeypatch, error)
    opened.presenter._prepare(opened.image)
    until_idle(opened.presenter)
    assert opened.scene.is_there and opened.scene.image is None and opened.presenter.state.in_scene
    assert "the image is not the one" in opened.presenter.state.remark


@pytest.mark.parametrize("error", [OutputError("no room"), ValueError("no room")])
def test_a_scene_that_cannot_show_it_is_told_and_what_fails_later_is_told_as_itself(
    opened: Case, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with monkeypatch.context() as patch:
        refusing(opened, patch, error, always=True)
        opened.presenter._prepare(opened.image)
        until_idle(opened.presenter)
    state = opened.presenter.state
    assert state.phase is Phase.FAILED and "no room" in state.message
    assert not state.in_scene and state.pending
    opened.show()
    assert opened.presenter.state.in_scene
    (opened.run / "result").rename(opened.run / "elsewhere")  # nothing can be saved beside it
    opened.presenter.save()
    until_idle(opened.presenter)
    state = opened.presenter.state
    assert state.phase is Phase.FAILED, state.message
    assert "result" in state.message and "no room" not in state.message
    assert state.pending and not state.remark.endswith(state.message)


def test_an_image_that_cannot_be_read_is_left_away_and_that_is_said(
    opened: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened.scene, "holds_image", False)
    monkeypatch.setattr(opened.presenter, "_files", lambda result: [str(opened.run / "gone.dcm")])
    opened.show()
    state = opened.presenter.state
    assert state.in_scene and not state.has_image and opened.scene.image is None
    assert "gone.dcm" in state.remark


def test_what_is_being_prepared_does_not_come_into_a_scene_that_was_closed(
    opened: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def preparing(*args: Any, **more: Any) -> Iterator[None]:
        while True:
            time.sleep(0.03)
            yield

    with monkeypatch.context() as patch:
        patch.setattr(opened.scene, "preparing", preparing)
        opened.presenter.look()
        assert until(lambda: opened.presenter.state.activity == PREPARE, opened.presenter)
        opened.presenter.scene_closed()
        until_idle(opened.presenter)
    stays_empty_and_comes_back(opened)


def test_an_image_that_is_being_read_does_not_come_into_a_scene_that_was_closed(
    opened: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(opened.scene, "holds_image", False)
        patch.setattr(opened.presenter, "_files", lambda result: [str(opened.run / "gone.dcm")])
        opened.presenter.look()
        assert until(lambda: opened.presenter.state.activity == IMAGE, opened.presenter)
        opened.presenter.scene_closed()
        until_idle(opened.presenter)
    stays_empty_and_comes_back(opened)


def stays_empty_and_comes_back(opened: Case) -> None:
    state = opened.presenter.state
    assert not (opened.scene.is_there or state.in_scene) and state.phase is Phase.CANCELLED
    assert "still here" in state.message and state.pending
    opened.show()
    assert opened.presenter.state.in_scene and opened.presenter.state.pending


def test_a_scene_that_is_closed_while_a_result_is_opened_stays_empty(case: Case) -> None:
    case.presenter.choose_folder(str(case.run))
    assert case.presenter.busy and case.presenter.state.activity in (LOOK, OPEN)
    case.presenter.scene_closed()
    until_idle(case.presenter)
    assert not (case.scene.is_there or case.presenter.state.in_scene)
    told = "The scene was closed before the result was in it. Show it again to go on."
    assert (case.presenter.state.phase, case.presenter.state.message) == (Phase.CANCELLED, told)
    case.show()
    assert case.presenter.state.in_scene


def test_a_child_that_has_answered_when_the_scene_is_closed_brings_nothing_into_it(case: Case) -> None:
    case.presenter.choose_folder(str(case.run))
    working = case.presenter._working
    while not working.done:
        working.poll()
    assert working.error is None
    case.presenter.scene_closed()
    until_idle(case.presenter)
    assert not (case.scene.is_there or case.presenter.state.in_scene)
    assert "scene was closed" in case.presenter.state.message


def test_a_scene_that_is_closed_while_somebody_stops_the_opening_stays_empty_and_that_is_said(case: Case) -> None:
    case.presenter.choose_folder(str(case.run))
    case.presenter.cancel()
    case.presenter.scene_closed()
    until_idle(case.presenter)
    assert "scene was closed" in case.presenter.state.message and not case.scene.is_there
    case.show()
    assert case.presenter.state.in_scene


def test_what_is_stopped_by_hand_says_so_after_a_scene_was_closed(opened: Case) -> None:
    opened.presenter.look()
    opened.presenter.scene_closed()
    until_idle(opened.presenter)
    opened.presenter._fail(JobCancelled("it was cancelled"))
    assert opened.presenter.state.message == "Stopped. Nothing was written."
