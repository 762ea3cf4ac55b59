"""Each tutorial for people at the screen, followed step by step as its page says; its pictures come of that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slicermedai.domain.volume import Volume
from Testing.tutorials.conftest import PASSPHRASE
from Testing.tutorials.steps import DOCS, steps_of

pytest.importorskip("PySide6", reason="absent: PySide6")
pytest.importorskip("slicer", reason="absent: slicer-core")
RESEARCHER = [
    *("Take in", "Try it", "New ...", "Preview", "Run", "Open quality sheet", "Open table"),
    *("Review the case", "Accept", "Save", "Go on to MedAI Report", "Write"),
]
PLANNER = ["Run", "Add safety margin", "Cut by plane", "Use size", "Save plan", "Print page", "Open page"]


def follow(hand: Any, page: str, keep: Callable[..., None], folder: Path) -> None:
    """Do all that the page says, and hold its pictures to what is on the screen then."""
    for step in steps_of((DOCS / page).read_text(encoding="utf-8")):
        hand.follow(step)
        for title, name in step.pictures:
            keep(hand.picture(title, folder / name), name)


def test_a_researcher_gets_a_table_a_sheet_and_reviewed_files_without_a_name(
    person: Callable[..., Any], places: Path, keep_screenshot: Callable[..., None]
) -> None:
    hand = person("MedAIModels", "MedAIDeidentify", "MedAIBatch", "MedAIReview", "MedAIReport")
    follow(hand, "tutorial-researcher.md", keep_screenshot, places / "pictures")
    assert hand.pressed == RESEARCHER, "a step is missing, or there is one more"
    written = sorted(
        path.name for path in Path(hand.modules["MedAIReport"].widget.logic.report.state.written.folder).iterdir()
    )
    assert {"seg.dcm", "sr.dcm"} <= set(written)
    rows = (places / "cohort" / "table.csv").read_text(encoding="utf-8")
    assert "brain" in rows
    assert "ZZ-" not in rows, "the table names patients by pseudonym"
    assert PASSPHRASE not in rows


def test_a_planner_gets_a_page_with_the_remnant(
    person: Callable[..., Any], places: Path, ct_liver: Volume, keep_screenshot: Callable[..., None]
) -> None:
    import slicer

    from slicermedai.scene.volumes import volume_to_node

    hand = person("MedAI", "MedAIPlan", **{"your model": "liver@0.1"})
    volume_to_node(ct_liver, slicer.mrmlScene)
    follow(hand, "tutorial-planner.md", keep_screenshot, places / "pictures")
    assert hand.pressed == PLANNER, "a step is missing, or there is one more"
    page = Path(hand.opened[-1]).read_text(encoding="utf-8")
    assert "Jane van Roe" in page
    assert "remnant" in page


PAGE = """# A page
## First
1. Press **1. Run ...** and wait. It takes time. `a.html` opens.
   ![4. Preview](../Screenshots/one.png)
2. You see `x`.

After it.
"""


def test_steps_are_read_as_they_stand() -> None:
    first, second = steps_of(PAGE)
    assert first.sentences == ("Press **1. Run ...** and wait.", "It takes time.", "`a.html` opens.")
    assert first.pictures == (("4. Preview", "one.png"),)
    assert second.sentences == ("You see `x`.",)


def test_a_step_that_is_missing_or_renamed_fails(person: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="step 3 comes after step 1"):
        steps_of(PAGE.replace("2. You", "3. You"))
    hand = person("MedAIReview")
    hand.patience = 100
    for sentence, why in {
        "Open the module **MedAI Revue**.": "no module of that title",
        "Press **Accept everything**.": "0 buttons",
        "Set **Nickname** to `Jo`.": "0 fields",
        "Press **Accept**.": "acceptButton is disabled",
        "You see `a green light`.": "not to be seen",
        "Wave at **Accept**.": "nobody knows how",
    }.items():
        with pytest.raises(AssertionError, match=why):
            (step,) = steps_of(f"# A\n1. Open the module **MedAI Review**. {sentence}\n")
            hand.follow(step)


@pytest.mark.parametrize("page", ["tutorial-researcher.md", "tutorial-planner.md"])
def test_a_tutorial_is_short_and_has_pictures(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert sum(len(step.pictures) for step in steps_of(text)) >= 2
    assert "Research use only" in text
