"""Several machines at one cohort: here several processes that call themselves so, of which some are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.batch import claims
from slicermedai.batch.cohort import Cohort, Standing, State
from Testing.batch.jobs_at_once import work_of
from Testing.batch.test_claims import case
from Testing.scene.samples import small_head

MACHINE = """
import random, sys
from pathlib import Path
from slicermedai.batch import claims, work
from slicermedai.batch.cohort import Cohort
from Testing.batch.jobs_at_once import work_of

folder, host, prepared, journal = sys.argv[1:]
claims._HOST, claims.LEASE, claims.BEAT, work._LOOK = host, 2.0, 0.2, 0.2
error = work_of(Cohort(folder), Path(prepared), seconds=random.uniform(0.02, 0.2), journal=Path(journal))
sys.exit(str(error) if error else 0)
"""
CASES = 36
REPOSITORY = Path(__file__).resolve().parents[2]


def machine(cohort: Cohort, host: str, prepared: Path, journal: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", MACHINE, str(cohort.folder), host, str(prepared), str(journal)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)


def many(cohort: Cohort) -> Cohort:
    """With copies of its first case, so that there is something to do for all."""
    first = cohort.case("0001")
    for number in range(4, CASES + 1):
        cohort.put(replace(first, name=f"{number:04d}", key=f"{number}"), Standing(state=State.WAITING))
    return cohort


def test_of_two_machines_with_two_workers_each_some_are_killed_and_every_case_has_one_result(
    cohort: Cohort, tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = small_head(spacing=8.0).result.save(tmp_path / "prepared")
    many(cohort)
    running = [machine(cohort, host, prepared, journal) for host in ("one", "two", "one", "two")]
    killed = 0
    deadline = time.monotonic() + 90
    while killed < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        if len(journal.read_text().splitlines()) > 6 * (killed + 1):
            running[killed].kill()
            running[killed].communicate()
            running.append(machine(cohort, "one" if killed == 1 else "three", prepared, journal))
            killed += 1
    for process in running[killed:]:
        assert process.communicate(timeout=90) == (None, "")
        assert process.returncode == 0
    assert cohort.counts() == {"done": CASES}
    assert len(list((cohort.folder / "results").iterdir())) == CASES
    begun = journal.read_text().split()
    assert set(begun) == set(cohort.names())
    assert len(begun) <= CASES + 2 * killed, "what was done is not begun again"
    monkeypatch.setattr(claims, "LEASE", -1.0)
    monkeypatch.setattr(claims, "_BEING_MADE", -1.0)
    assert work_of(cohort, prepared) is None
    assert {path.name for name in cohort.names() for path in cohort.place(name).iterdir()} == {
        "case.json",
        "state.json",
    }


def test_what_a_living_worker_of_another_machine_needs_is_never_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is touched once, and tells the other workers of that machine that it lives."""
    place = case(tmp_path)
    claim = claims.take(place)
    assert claim is not None
    lock, left = place / f".lock-{claim.owner.token}", place / f".lock-{claims._HOST}-0123456789ab"
    left.touch()
    old = time.time() - claims.LEASE - 60
    for path in (lock, left):
        os.utime(path, (old, old))
    with monkeypatch.context() as there:
        there.setattr(claims, "_HOST", "elsewhere")
        claims.sweep(place)
    assert lock.exists()
    assert not left.exists(), "nobody has a case by that"
    assert not claims.take_back(place)
    claim.release()
    assert [path.name for path in place.iterdir()] == []


def test_machines_whose_long_names_begin_alike_are_two(tmp_path: Path) -> None:
    names = [f"compute-node-of-the-hospital-{number}.example" for number in range(2)]
    one, two = map(claims._host, names)
    assert one != two
    assert max(map(len, (one, two))) <= 24
    assert claims._LEFT.match(f".lock-{one}-0123456789ab")
    assert claims._host("pc-7") == "pc_7"
