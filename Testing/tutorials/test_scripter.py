"""Every block of the scripter's tutorial runs, in the page's order, on generated data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from Testing.app.plans import a_liver_run
from Testing.batch.studies import write
from Testing.tutorials.steps import DOCS
from Testing.validate.test_commands import write_cohort

PAGE = (DOCS / "tutorial-scripter.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(python|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TASKS = ("Take a model in", "Run", "De-identify", "Review", "Export", "A cohort", "A plan", "Calibrate")
LONGEST = 6
"""Lines of a block: three that do it, and the imports."""


@pytest.fixture
def desk(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with what the page takes for granted."""
    monkeypatch.delenv("SLICERMEDAI_MODELS")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write(places / "STUDY", 1, patient="ZZ-1", study="one")
    write(places / "STUDIES" / "a", 1, patient="ZZ-2", study="two")
    a_liver_run(places / "LIVER")
    table = write_cohort(places / "cases", seed=81)
    for path in table.parent.iterdir():
        path.rename(places / path.name)
    return places


def blocks(kind: str) -> Iterator[str]:
    return (text for language, text in _BLOCK.findall(PAGE) if language == kind)


def test_every_block_runs_in_the_order_of_the_page(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rules,) = blocks("toml")
    (desk / "rules.toml").write_text(rules)
    known: dict[str, object] = {"__name__": "__main__"}
    said = list[str]()
    for number, block in enumerate(blocks("python"), start=1):
        exec(compile(block, f"tutorial-scripter.md, block {number}", "exec"), known)
        said.append(capsys.readouterr().out)
    assert all(said), "a block that says nothing is not followed by anybody"
    made, run, started, several, told, copies, reviewed, exported, cohort, plan, trust = said
    assert made == "brain_mr@1.0 True\n"
    assert "brain" in run and "not calibrated" in run
    assert started.startswith("done ")
    assert several == "['brain', 'brain']\n"
    assert "estimated for this machine" in told and re.search(r"\d [MGT]FLOP;", told)
    assert "report.html" in copies
    assert reviewed.strip().endswith("reviewed-1")
    assert "seg.dcm" in exported and "findings.csv" in exported
    assert "'done': 1" in cohort
    assert "planned-1" in plan and "plan.html" in plan
    assert ".trust.json" in trust


def test_each_task_has_a_short_block() -> None:
    heads = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert [task for task in TASKS if not any(head.startswith(task) for head in heads)] == []
    assert [block for block in blocks("python") if len(block.splitlines()) > LONGEST] == []
