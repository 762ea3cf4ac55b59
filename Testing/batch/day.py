"""A day of a researcher: studies, rules, a run that is killed again and again, and what must hold at its end."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slicermedai.batch.cohort import Cohort, State
from slicermedai.domain.result import AnalysisResult
from slicermedai.pacs.peers import save_peers
from Testing.batch.studies import Day
from Testing.pacs.orthanc import Orthanc

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "slicermedai")


@dataclass(frozen=True)
class Figures:
    """What came of it; all but the first four must be 0."""

    cases: int
    done: int
    kills: int
    seconds: float
    unaccounted: int
    twice: int
    wrong_series: int
    missing_from_sheet: int

    @property
    def is_right(self) -> bool:
        """Whether every case is accounted for exactly once and nothing wrong was run."""
        return not (self.unaccounted or self.twice or self.wrong_series or self.missing_from_sheet)

    def __str__(self) -> str:
        return (
            f"{self.cases} cases, {self.done} done, {self.kills} kills: {self.unaccounted} not accounted for, "
            f"{self.twice} twice, {self.wrong_series} of a wrong series, {self.missing_from_sheet} not on the sheet "
            f"({self.seconds:.0f} s)"
        )


def through_archive(root: Path, day: Day, archive: Orthanc) -> tuple[Path, int, int]:
    """All studies into the archive, and out of it by the command into a folder of ``root``; how many objects it took,
    and how many not.

    An archive takes no damaged file, and keeps one copy of each object: what it hands out lacks a slice instead.
    """
    taken = [_take(archive, path) for path in sorted(day.folder.rglob("*.dcm"))]
    peer = archive.web()
    save_peers([peer])
    (root / "list.csv").write_text("study\n" + "\n".join(sorted(day.studies)) + "\n")
    words = ["retrieve", str(root / "list.csv"), "--from", peer.name, "--output", str(root / "fetched")]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=_environment())
    assert done.returncode == 0, done.stderr
    return root / "fetched", sum(taken), len(taken) - sum(taken)


def _take(archive: Orthanc, path: Path) -> bool:
    request = urllib.request.Request(f"{archive.url}/instances", data=path.read_bytes(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
        return False


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'SlicerMedAI'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def run_with_kills(cohort: Cohort, *, workers: int, kills: tuple[int, ...]) -> int:
    """Work on a cohort by that many processes; each time when ``kills`` more cases are done all are killed.

    Returns how many processes were killed. At the end one process runs what is left.
    """
    killed = 0
    for more in kills:
        wanted = done(cohort) + more
        killed += _strike([_worker(cohort) for _ in range(workers)], lambda wanted=wanted: done(cohort) >= wanted)
    last = _worker(cohort, "--processes", str(workers))
    out, _ = last.communicate()
    assert last.returncode == 0, out
    return killed


def done(cohort: Cohort) -> int:
    """How many results are in their places."""
    return len(list((cohort.folder / "results").iterdir()))


def figures(cohort: Cohort, day: Day, *, kills: int, seconds: float) -> Figures:
    """Read what is there, without the code that wrote it where that can be."""
    results = {path.name: AnalysisResult.load(path) for path in sorted((cohort.folder / "results").iterdir())}
    read = Counter(source.series_uid for result in results.values() for source in result.sources)
    with (cohort.folder / "table.csv").open(newline="", encoding="utf-8") as stream:
        states = {row["case"]: row["state"] for row in csv.DictReader(stream)}
    sheet = Counter(re.findall(r'id="case-(\d+)"', (cohort.folder / "sheet.html").read_text(encoding="utf-8")))
    studies = Counter(case.study_uid for case in cohort.cases())
    finished = Counter(entry["action"] for entry in _log() if entry["action"] == "run finished")
    assert finished["run finished"] >= len(results)
    right = {case.name for case in cohort.cases() if (case.study_uid in day.run) == (states.get(case.name) == "done")}
    return Figures(
        cases=len(studies),
        done=len(results),
        kills=kills,
        seconds=seconds,
        unaccounted=len(day.studies ^ set(studies)) + len(set(states) - right) + len(set(states) ^ set(cohort.names())),
        twice=sum(count - 1 for count in (*read.values(), *studies.values(), *sheet.values())),
        wrong_series=len(set(read) ^ set(day.run.values())),
        missing_from_sheet=len(set(cohort.names()) ^ set(sheet)),
    )


def _log() -> list[dict[str, str]]:
    from slicermedai.audit.log import log_path

    return [json.loads(line) for line in log_path().read_text(encoding="utf-8").splitlines()]


def _worker(cohort: Cohort, *options: str) -> subprocess.Popen[str]:
    command = [*COMMAND, "batch", "run", str(cohort.folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment())


def _strike(workers: list[subprocess.Popen[str]], reached: Callable[[], bool]) -> int:
    """SIGKILL for all, in the midst of their cases."""
    deadline = time.monotonic() + 600
    while not reached() and any(worker.poll() is None for worker in workers):
        assert time.monotonic() < deadline, "no case comes to its end"
        time.sleep(0.02)
    alive = [worker for worker in workers if worker.poll() is None]
    for worker in alive:
        worker.send_signal(signal.SIGKILL)
    for worker in workers:
        worker.communicate()
    return len(alive)


def leftovers(cohort: Cohort) -> list[str]:
    """What kills have left in the queue and is not there to stay."""
    kept = {"case.json", "state.json"}
    states = [cohort.standing(name).state for name in cohort.names()]
    assert State.RUNNING not in states
    return [str(path) for name in cohort.names() for path in cohort.place(name).iterdir() if path.name not in kept]
