"""What a child has left between both processes is let go before it is removed, and what is missing is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app import plan_ask, review_ask
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.errors import UnreadableFileError
from Testing.app.plans import a_liver_run
from Testing.app.reviews import a_head, a_run


@pytest.fixture
def child() -> Iterator[plan_ask.Child]:
    made = plan_ask.Child()
    yield made
    made.close()


def reading(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[str]:
    """Notes whether the file is still open where its folder is removed; it is read without an end."""
    noted: list[str] = []
    remove = ScratchFolder.remove

    def loading(folder: Path, *rest: Any, **more: Any) -> Iterator[None]:
        try:
            noted.append("open")
            while True:
                yield
        finally:
            noted.append("let go")

    monkeypatch.setattr(module, "loading", loading)
    monkeypatch.setattr(ScratchFolder, "remove", lambda self: (noted.append("removed"), remove(self)))
    return noted


def until(errand: Any, condition: Callable[[], object]) -> None:
    while not (condition() or errand.done):
        errand.poll()
    assert errand.error is None


def test_plan_lets_go_of_what_is_read_before_it_is_removed(
    child: plan_ask.Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = reading(monkeypatch, plan_ask)
    run = a_liver_run(tmp_path / "run")
    for end in (lambda errand: errand.clean(), lambda errand: errand.drop()):
        noted.clear()
        errand = child.ask("open", folder=str(run), anew=False)
        until(errand, lambda: "open" in noted)
        end(errand)
        child.clean()
        assert noted == ["open", "let go", "removed"]


def test_review_lets_go_of_what_is_read_before_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = reading(monkeypatch, review_ask)
    errand = review_ask.start_opening(a_run(tmp_path / "run", a_head()))
    until(errand, lambda: "open" in noted)
    errand.clean()
    assert noted[-2:] == ["let go", "removed"]


def test_what_an_answer_lacks_is_named_with_its_file(child: plan_ask.Child, tmp_path: Path) -> None:
    errand = child.ask("open", folder=str(a_liver_run(tmp_path / "run")), anew=False)
    until(errand, lambda: False)
    assert errand.opened().findings
    with pytest.raises(UnreadableFileError, match="is not there") as caught:
        errand.image()
    assert str(caught.value.file).endswith("image")
    errand.clean()
