"""A case belongs to one worker: whatever is killed, however many ask at once, and on whichever machine they run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slicermedai.batch import claims

ASKER = """
import sys, time
from pathlib import Path
from slicermedai.batch import claims
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
won = [place.name for place in sorted(Path(sys.argv[1]).glob("0*")) if claims.take(place)]
print(" ".join(won), flush=True)
time.sleep(30)
"""
OWNER = """
import sys, time
from pathlib import Path
from slicermedai.batch import claims
claim = claims.take(Path(sys.argv[1]))
print("has it", flush=True)
time.sleep(60)
"""


def case(folder: Path, name: str = "0001") -> Path:
    place = folder / "queue" / name
    place.mkdir(parents=True)
    return place


def holding(place: Path) -> subprocess.Popen[str]:
    """A process that has the case and lives."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "has it\n"
    return process


def change_owner(place: Path, **values: object) -> None:
    path = place / claims.CLAIM / "owner.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_of_several_that_ask_at_once_each_case_has_one_owner(tmp_path: Path) -> None:
    for number in range(40):
        case(tmp_path, f"{number:04d}")
    command = [sys.executable, "-c", ASKER, str(tmp_path / "queue"), str(tmp_path / "go")]
    askers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    time.sleep(0.5)
    (tmp_path / "go").touch()
    won = [name for asker in askers if asker.stdout for name in asker.stdout.readline().split()]
    for asker in askers:
        asker.kill()
        asker.communicate()
    assert sorted(won) == [f"{number:04d}" for number in range(40)]


def test_a_living_owner_keeps_its_case_and_a_dead_one_loses_it_at_once(tmp_path: Path) -> None:
    place = case(tmp_path)
    owner = holding(place)
    assert claims.take(place) is None
    assert not claims.take_back(place)
    owner.kill()
    owner.communicate()
    assert claims.take_back(place)
    claim = claims.take(place)
    assert claim is not None
    claim.release()
    assert [path.name for path in place.iterdir()] == []


def test_nobody_begins_while_the_dead_owners_job_still_ends(tmp_path: Path) -> None:
    place = case(tmp_path)
    owner = holding(place)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as job:
        change_owner(place, child=job.pid)
        owner.kill()
        owner.communicate()
        assert not claims.take_back(place)
        job.kill()
    assert claims.take_back(place)


def test_another_machines_claim_is_taken_back_after_the_lease_alone(tmp_path: Path) -> None:
    place = case(tmp_path)
    claim = claims.take(place)
    assert claim is not None
    change_owner(place, host="elsewhere")
    assert not claims.take_back(place)
    old = time.time() - claims.LEASE - 5
    os.utime(place / claims.CLAIM / "owner.json", (old, old))
    assert claims.take_back(place)


@pytest.mark.parametrize("left", [None, "", "{}"])
def test_a_claim_whose_owner_cannot_be_read_is_taken_back_after_the_lease_alone(
    tmp_path: Path, left: str | None
) -> None:
    """As a loss of power leaves it; who holds it and lives gives it up."""
    place = case(tmp_path)
    claim = claims.take(place)
    assert claim is not None
    owner = claim.folder / "owner.json"
    owner.unlink() if left is None else owner.write_text(left)
    with pytest.raises(claims.ClaimLost):
        claim.check()
    assert not claims.take_back(place)
    old = time.time() - claims.LEASE - 5
    os.utime(claim.folder if left is None else owner, (old, old))
    assert claims.take_back(place)
    again = claims.take(place)
    assert again is not None
    claim.release()
    assert claims.holder(place) == again.owner
    again.release()


def test_who_lost_a_claim_finishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = case(tmp_path)
    slow = claims.take(place)
    assert slow is not None
    slow.attempt.mkdir()
    change_owner(place, host="elsewhere")
    monkeypatch.setattr(claims, "LEASE", -1.0)
    assert claims.take_back(place)
    new = claims.take(place)
    assert new is not None
    with pytest.raises(claims.ClaimLost):
        slow.commit(tmp_path / "result")
    with pytest.raises(claims.ClaimLost):
        slow.check()
    slow.release()
    assert claims.holder(place) == new.owner
    new.attempt.mkdir()
    new.commit(tmp_path / "result")
    assert (tmp_path / "result").is_dir()


def test_a_beat_keeps_a_claim_young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = case(tmp_path)
    claim = claims.take(place)
    assert claim is not None
    old = time.time() - claims.LEASE - 5
    os.utime(claim.folder / "owner.json", (old, old))
    change_owner(place, host="elsewhere")
    os.utime(claim.folder / "owner.json", (old, old))
    monkeypatch.setattr(claims, "BEAT", 0.0)
    claim.beat()
    assert not claims.take_back(place)
    claim.release()
