"""What a cohort and a model need is offered where it is missing, and named before anything is tried without it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slicermedai.app.batch_run import BatchRun
from slicermedai.app.models_run import ModelsRun
from slicermedai.app.needing import Needing
from slicermedai.app.state import Phase
from Testing.app.test_guided_run import a_bundle

LACKING = "Not installed: torch>=2.8, monai>=1.6.1. Install what is missing first."


class Looking:
    """A child that looks what installing would do: a process edge."""

    def __init__(self, missing: list[str]) -> None:
        self.done, self.error = True, None
        answer = {"missing": missing, "refused": [], "wheels": "", "needs_build": False, "graphics": []}
        self.answer: dict[str, Any] = {**answer, "torch": "auto", "busy": False}

    def poll(self) -> None: ...

    def cancel(self) -> None: ...


class Listing:
    """A child that lists no model: a process edge."""

    progress, stage, seconds_left, done, error = 1.0, "list", None, True, None
    answer: dict[str, Any] = {"verdicts": {}, "models": [], "known": ["brain@1"], "changes": []}

    def poll(self) -> None: ...


@pytest.fixture
def lacking() -> list[str]:
    """What is missing; a test empties it."""
    return ["torch>=2.8", "monai>=1.6.1"]


@pytest.fixture
def batch(lacking: list[str]) -> BatchRun:
    made = BatchRun(
        bundles=lambda: [a_bundle("brain")],
        files_of=lambda uid: [],
        add_to_database=lambda cases: pytest.fail("not here"),
        missing=lambda: lacking,
    )
    made.refresh()
    return made


@pytest.fixture
def models(lacking: list[str]) -> ModelsRun:
    made = ModelsRun(ask=lambda what, **more: Listing(), missing=lambda: lacking)  # type: ignore[arg-type, return-value]  # a process edge
    made.refresh()
    made.poll()
    return made


def agreed(
    presenter: Needing, monkeypatch: pytest.MonkeyPatch, *, yes: bool
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Press Install and answer; what was asked, and what was started."""
    asked, started = list[str](), list[tuple[str, ...]]()
    monkeypatch.setattr("slicermedai.app.presenter.start_look", lambda packages: Looking(list(packages)))

    def command(arguments: tuple[str, ...]) -> Any:
        started.append(arguments)
        return SimpleNamespace(poll=lambda: None, returncode=0, cancelled=False, last_line="")

    monkeypatch.setattr("slicermedai.app.installing.Command", command)

    def ask(text: str) -> bool:
        asked.append(text)
        return yes

    presenter.ask_and_install(ask)
    for _ in range(5):
        presenter.poll()
    return asked, started


def test_a_cohort_is_looked_at_but_not_run_without_packages(batch: BatchRun, lacking: list[str]) -> None:
    batch.choose_folder("studies")
    assert batch.state.message == LACKING
    assert (batch.can_preview, batch.can_run) == (True, False)
    lacking.clear()
    batch.refresh()
    assert (batch.state.message, batch.can_run, batch.missing) == ("Ready.", True, ())


def test_a_cohort_without_any_model_is_offered_one(batch: BatchRun, lacking: list[str]) -> None:
    batch._list = list
    batch.refresh()
    assert batch.missing == (*lacking, "the brain model")


def test_models_can_be_looked_at_without_packages_and_what_is_missing_is_said(models: ModelsRun) -> None:
    assert models.state.phase is Phase.IDLE
    assert models.state.message.endswith(LACKING)
    assert models.state.message.startswith("No model is here yet.")


@pytest.mark.parametrize("which", ["batch", "models"])
def test_installing_asks_first_and_then_brings_what_is_missing(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, lacking: list[str]
) -> None:
    presenter: Needing = request.getfixturevalue(which)
    asked, started = agreed(presenter, monkeypatch, yes=False)
    assert len(asked) == 1
    assert "torch>=2.8" in asked[0]
    assert started == []
    _, started = agreed(presenter, monkeypatch, yes=True)
    assert [one[2:4] for one in started] == [("packages", "install")]
    assert set(lacking) <= set(started[0])
    assert presenter.state.message.startswith("Installed: ")
    assert not presenter.busy


def test_an_installation_is_not_called_a_run_that_can_be_paused(
    batch: BatchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[str]()
    batch.changed.connect(lambda state: seen.append(state.activity))
    agreed(batch, monkeypatch, yes=True)
    assert "install" in seen
    assert "run" not in seen
