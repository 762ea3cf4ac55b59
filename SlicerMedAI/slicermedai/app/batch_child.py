"""The child of :mod:`slicermedai.app.batch_ask`: one request on stdin, rows and an answer as JSON lines on stdout."""

from __future__ import annotations

import dataclasses
import itertools
import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.app.answering import Tell, answer_telling
from slicermedai.console import cohorts
from slicermedai.domain.observer import Progress

if TYPE_CHECKING:
    from slicermedai.batch.cohort import Cohort, Standing
    from slicermedai.batch.planning import Planned

_AT_ONCE = 5
"""Cases of others that are looked at in each turn of a run."""
_SERIES = re.compile(r"\bseries [0-9]+\b")
"""A series in a reason, by its number in the study."""


def main() -> int:
    """Answer one request; ends with whoever asked."""
    return answer_telling(_answer)


def _answer(asked: dict[str, Any], progress: Progress, tell: Tell) -> Any:
    do = {"preview": _preview, "run": _run, "look": _look, "retry": _retry, "tables": _tables, "gather": _gather}
    return do[asked["do"]](asked, progress, tell)


def _preview(asked: dict[str, Any], progress: Progress, tell: Tell) -> dict[str, int]:
    plan = asked["plan"]
    found = cohorts.preview(_source(plan), plan["rules"], progress=progress, **plan["settings"])
    for number, one in enumerate(found.planned, 1):
        tell({"study": _study(number, one)})
    return {"others": found.others}


def _run(asked: dict[str, Any], progress: Progress, tell: Tell) -> dict[str, Any]:
    """Make the cohort or add to it where a plan is given, run what waits, and write the tables."""
    from slicermedai.batch.work import PAUSE, Worker
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    cohort = _made(asked, progress, tell)
    secrets = {PASSPHRASE_VARIABLE: asked["passphrase"]} if asked["passphrase"] else {}
    watch = _Watch(cohort, tell)
    with Worker(cohort, processes=asked["processes"], secrets=secrets) as worker:
        while not worker.done:
            for change in worker.poll():
                watch.note(change.case, change.standing, is_ours=change.case in worker.running)
            watch.look(worker.running)
            watch.say(progress)
            time.sleep(PAUSE)
    if worker.error is not None:
        raise worker.error
    return _tables(asked, progress, tell)


def _made(asked: dict[str, Any], progress: Progress, tell: Tell) -> Cohort:
    """The cohort in the folder, with what is planned. A key that does not open leaves no cohort that is bound to it."""
    from slicermedai.batch.cohort import Cohort
    from slicermedai.batch.settings import Settings

    folder, plan = asked["folder"], asked["plan"]
    is_there = (Path(folder) / cohorts.FILE).is_file()
    if is_there and asked["exclude"]:
        cohorts.exclude(folder, asked["exclude"])
    if plan:
        settings = {} if is_there else plan["settings"]
        Settings.of(settings).check_key(asked["passphrase"] or None)
        cohort = cohorts.make(folder, _source(plan), plan["rules"], progress=progress, **settings)
    else:
        cohort = Cohort(folder)
    tell({"cohort": _cohort(cohort)})
    return cohort


def _look(asked: dict[str, Any], progress: Progress, tell: Tell) -> dict[str, Any]:
    from slicermedai.batch.cohort import Cohort

    cohort = Cohort(asked["folder"])
    tell({"cohort": _cohort(cohort)})
    for name in cohort.names():
        tell({"case": _case(cohort, name, cohort.standing(name))})
    return {}


def _retry(asked: dict[str, Any], progress: Progress, tell: Tell) -> dict[str, Any]:
    from slicermedai.batch.cohort import Cohort

    cohort = Cohort(asked["folder"])
    again = cohort.retry(asked["cases"])
    for name in again:
        tell({"case": _case(cohort, name, cohort.standing(name))})
    return {"again": len(again)}


def _tables(asked: dict[str, Any], progress: Progress, tell: Tell) -> dict[str, Any]:
    progress("tables", 0.0)
    made = cohorts.write_tables(asked["folder"])
    return {"table": str(made.table), "sheet": str(made.sheet), "absent": list(made.absent)}


def _gather(asked: dict[str, Any], progress: Progress, tell: Tell) -> dict[str, Any]:
    """Tell which results have DICOM objects that may go into a database, and why others may not."""
    from slicermedai.batch.cohort import Cohort
    from slicermedai.batch.objects import done_cases, objects_of

    cohort = Cohort(asked["folder"])
    exclusions = cohort.settings.exclusions()
    names = done_cases(cohort, asked["cases"])
    for number, name in enumerate(names):
        progress("gather", number / len(names))
        found = objects_of(cohort, name, exclusions)
        tell({"objects": {"case": name, **{key: str(value) for key, value in dataclasses.asdict(found).items()}}})
    return {}


class _Watch:
    """Tells each change of a case once, also of those that others run, and how much of the run is done."""

    def __init__(self, cohort: Cohort, tell: Tell) -> None:
        self._cohort, self._tell = cohort, tell
        self._told: dict[str, dict[str, Any]] = {}
        self._who: dict[str, dict[str, str]] = {}
        for name in cohort.names():
            self.note(name, cohort.standing(name))
        self._open = [name for name in self._told if self._is_open(name)]
        self._all, self._said = max(len(self._open), 1), -1.0
        self._turn = itertools.cycle(self._open)

    def note(self, name: str, standing: Standing, *, is_ours: bool = False) -> None:
        """Tell where a case stands, where that is new."""
        if name not in self._who:
            self._who[name] = _whose(self._cohort, name)
        row = {"name": name, **self._who[name], **_stands(standing, is_ours=is_ours)}
        if self._told.get(name) != row:
            self._told[name] = row
            self._tell({"case": row})

    def look(self, ours: Collection[str]) -> None:
        """Look at a few of the cases that are not ours."""
        for name in itertools.islice(self._turn, min(_AT_ONCE, len(self._open))):
            if name not in ours and self._is_open(name):
                self.note(name, self._cohort.standing(name))

    def say(self, progress: Progress) -> None:
        """Tell the fraction of the cases that were open at the beginning and are not any more."""
        done = 1 - sum(self._is_open(name) for name in self._open) / self._all
        if done != self._said:
            self._said = done
            progress("run", done)

    def _is_open(self, name: str) -> bool:
        return self._told[name]["state"] in ("waiting", "running")


def _source(plan: dict[str, Any]) -> Any:
    if not plan["is_list"]:
        return plan["source"]
    from slicermedai.dicom.file_list import load_file_list

    return [load_file_list(Path(plan["source"]))]


def _cohort(cohort: Cohort) -> dict[str, Any]:
    rules = cohort.folder / "rules.toml"
    text = rules.read_text(encoding="utf-8") if rules.is_file() else ""
    return {"folder": str(cohort.folder), "settings": dataclasses.asdict(cohort.settings), "rules": text}


def _case(cohort: Cohort, name: str, now: Standing) -> dict[str, Any]:
    return {"name": name, **_whose(cohort, name), **_stands(now)}


def _whose(cohort: Cohort, name: str) -> dict[str, str]:
    case = cohort.case(name)
    return {"patient": str(case.who.get("PatientID", "")), "date": case.study_time[:8]}


def _stands(now: Standing, *, is_ours: bool = False) -> dict[str, Any]:
    return {
        "state": str(now.state),
        "reason": ": ".join(filter(None, (now.error, now.reason))),
        "seconds": now.seconds,
        "is_ours": is_ours,
    }


def _study(number: int, one: Planned) -> dict[str, Any]:
    return {
        "number": number,
        "patient": str(one.choice.who.get("PatientID", "")),
        "date": one.choice.study_time[:8],
        "state": str(one.fate),
        "reason": _in_words(one),
        "bundle": one.bundle.rpartition("/")[2],
        "notes": list(one.notes),
        "series": [_series(judged) for judged in one.choice.judged],
    }


def _in_words(one: Planned) -> str:
    """Why a study is not run; what its series are called is told beside their numbers."""
    called = {f"series {judged.number}": judged.words for judged in one.choice.judged if judged.words}
    return _SERIES.sub(lambda told: f"{told[0]} ({called[told[0]]})" if told[0] in called else told[0], one.reason)


def _series(judged: Any) -> dict[str, Any]:
    taken = judged.taken_as is not None
    return {**dataclasses.asdict(judged), "taken_as": (judged.taken_as or "image") if taken else ""}


if __name__ == "__main__":
    raise SystemExit(main())
