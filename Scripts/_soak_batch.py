"""A day of a researcher in full: studies with faults among them, fetched from a real archive, chosen, run, killed."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from slicermedai.batch.cohort import Cohort, State
from slicermedai.console import cohorts
from Testing.batch.day import Figures, figures, leftovers, run_with_kills, through_archive
from Testing.batch.studies import RULES, Day, write_day
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.pacs.orthanc import Orthanc, running


def main(arguments: list[str]) -> int:
    """Print the figures; 0 where every case was accounted for exactly once and no wrong series was run."""
    parser = argparse.ArgumentParser(prog="Scripts/soak batch", description=__doc__)
    parser.add_argument("--studies", type=int, default=60, help="how many (default: 60)")
    parser.add_argument("--kills", type=int, default=2, help="how often all workers are killed (default: 2)")
    parser.add_argument("--folder", action="store_true", help="read the studies from a folder, without an archive")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        root = Path(folder)
        os.environ["SLICERMEDAI_HOME"] = str(root / "home")
        day = write_day(root, studies=given.studies)
        if given.folder:
            found = _work(root, day, day.folder, kills=given.kills)
        else:
            with running(root / "orthanc") as archive:
                found = _work(root, day, _fetched(root, day, archive), kills=given.kills)
    print(found)
    return 0 if found.is_right else 1


def _fetched(root: Path, day: Day, archive: Orthanc) -> Path:
    began = time.monotonic()
    fetched, taken, others = through_archive(root, day, archive)
    told = f"{taken} objects into the archive and out of it, {others} it did not take"
    print(f"{told} ({time.monotonic() - began:.0f} s)", flush=True)
    return fetched


def _work(root: Path, day: Day, source: Path, *, kills: int) -> Figures:
    began = time.monotonic()
    (root / "rules.toml").write_text(RULES)
    bundle = write_tiny_bundle(root / "models" / "tiny@0.1")
    settings = {"bundle": str(bundle), "device": "cpu", "exclude": str(day.exclude)}
    cohort = cohorts.make(root / "cohort", source, root / "rules.toml", **settings)
    print(f"plan: {cohort.counts()} in {time.monotonic() - began:.0f} s", flush=True)
    killed = run_with_kills(cohort, workers=2, kills=(max(1, len(day.run) // (kills + 1)),) * kills)
    found = figures(cohort, day, kills=killed, seconds=time.monotonic() - began)
    for case in cohort.cases():
        now = cohort.standing(case.name)
        if (case.study_uid in day.run) != (now.state is State.DONE):
            print(f"case {case.name}: {now.state} {now.error} {now.reason}")
    left = leftovers(Cohort(cohort.folder))
    if left:
        print(f"left over: {len(left)}")
    return found
