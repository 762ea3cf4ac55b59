"""What the module MedAI Batch asks children: preview, run, look, retry, tables. What they tell is in memory alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.app.batch_state import CaseShown, CohortShown, SeriesShown, StudyShown
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry

CHILD = "slicermedai.app.batch_child"
RULES = "rules.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a cohort would be made of: a folder or a list of files, the rules as text, and its settings."""

    source: str | Sequence[str]
    rules: str
    settings: dict[str, Any]


class Question(Inquiry):
    """An inquiry whose child tells rows before it answers, and how far a run is: the time left is reckoned here."""

    def __init__(self, request: dict[str, Any], folder: JobFolder) -> None:
        self.told: list[dict[str, Any]] = []
        self._began: float | None = None
        self._ends: float | None = None
        super().__init__(CHILD, request, folder)

    def taken(self) -> list[dict[str, Any]]:
        """What was told since the last time."""
        found, self.told = self.told, []
        return found

    def poll(self) -> None:
        """Take in what was told, and count down."""
        super().poll()
        self.seconds_left = None if self._ends is None else max(self._ends - time.monotonic(), 0.0)

    def _take(self, event: dict[str, Any]) -> None:
        super()._take(event)
        if "told" in event:
            self.told.append(event["told"])
        elif "progress" in event:
            self._reckon()

    def _reckon(self) -> None:
        """When a run ends, by the cases that have ended so far."""
        now, rest = time.monotonic(), None
        if self.stage == "run":
            self._began = self._began or now
            rest = left(now - self._began, self.progress)
        self._ends = None if rest is None else now + rest


def left(elapsed: float, fraction: float) -> float | None:
    """Seconds that are left where ``fraction`` took ``elapsed``; None where nothing is done yet."""
    return elapsed * (1 - fraction) / fraction if fraction > 0 else None


def ask(what: str, *, plan: Plan | None = None, **request: Any) -> Question:
    """Start a child that does ``what`` ("preview", "run", "look", "retry", "tables", "gather").

    Rules and names of files lie in the child's temporary folder; everything else comes and goes through pipes.

    Raises
    ------
    OutputError, WorkerCrashed
        The temporary folder or the child cannot be used.
    """
    folder = JobFolder.create("batch")
    try:
        return Question({"do": what, "plan": _written(plan, folder) if plan else None, **request}, folder)
    except BaseException:
        folder.remove()
        raise


def _written(plan: Plan, folder: JobFolder) -> dict[str, Any]:
    folder.inputs.mkdir(parents=True)
    rules = folder.inputs / RULES
    rules.write_text(plan.rules, encoding="utf-8")
    source, is_list = plan.source, not isinstance(plan.source, str)
    if is_list:
        from slicermedai.dicom.file_list import save_file_list

        source = str(save_file_list(plan.source, folder.inputs / "files"))
    return {"source": source, "is_list": is_list, "rules": str(rules), "settings": plan.settings}


def study_from(plain: dict[str, Any]) -> StudyShown:
    """What the child told of a study, as a value again."""
    series = tuple(SeriesShown(**one) for one in plain["series"])
    return StudyShown(**{**plain, "series": series, "notes": tuple(plain["notes"])})


def case_from(plain: dict[str, Any]) -> CaseShown:
    """What the child told of a case."""
    return CaseShown(**plain)


def cohort_from(plain: dict[str, Any]) -> tuple[CohortShown, str]:
    """What the child told of a cohort, with the text of its rules."""
    return CohortShown(folder=plain["folder"], settings=plain["settings"]), plain["rules"]


def is_cohort(folder: str) -> bool:
    """Whether there is one in ``folder``."""
    from slicermedai.console.cohorts import FILE

    return bool(folder) and (Path(folder).expanduser() / FILE).is_file()
