"""What runs took is kept on this machine, without a word of a patient, and never in the way of a run."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.domain import storage
from slicermedai.domain.estimate import Took
from slicermedai.errors import OutputError
from slicermedai.jobs import speeds
from slicermedai.jobs.specs import RunJob

SHA = "ab" * 32


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data of the test's own."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def took(**fields: object) -> Took:
    plain = Took(
        machine=speeds.machine(), device="cpu", precision="float32", manner="keep", operations=2e12, voxels=4e6,
        image_voxels=1e6, millilitres=1500.0, network_seconds=10.0, rest_seconds=6.0,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_what_was_noted_is_known_by_the_weights_alone() -> None:
    speeds.note(SHA, took())
    speeds.note(SHA, took(network_seconds=11.0))
    assert [one.network_seconds for one in speeds.known(SHA)] == [10.0, 11.0]
    assert speeds.known("cd" * 32) == ()


def test_runs_of_another_computer_that_shares_the_folder_do_not_count() -> None:
    speeds.note(SHA, took(machine="elsewhere, 64 cores"))
    assert speeds.known(SHA) == ()
    speeds.note(SHA, took())
    assert len(speeds.known(SHA)) == 1


def test_the_file_holds_sizes_and_seconds_alone(home: Path) -> None:
    speeds.note(SHA, took())
    (path,) = (home / "speeds").iterdir()
    assert path.name == f"{SHA}.json"
    (entry,) = json.loads(path.read_text())["runs"]
    assert set(entry) == {field.name for field in dataclasses.fields(Took)}


def test_the_list_does_not_grow_for_ever() -> None:
    for number in range(45):
        speeds.note(SHA, took(network_seconds=float(number)))
    assert [one.network_seconds for one in speeds.known(SHA)] == [float(n) for n in range(5, 45)]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"medai_speeds": 2, "runs": []}', '{"medai_speeds": 1, "runs": [{}]}']
)
def test_a_damaged_file_is_no_earlier_run_and_is_written_anew(home: Path, text: str) -> None:
    path = home / "speeds" / f"{SHA}.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert speeds.known(SHA) == ()
    speeds.note(SHA, took())
    assert len(speeds.known(SHA)) == 1


@pytest.mark.parametrize("wrong", [{"voxels": "many"}, {"voxels": -1.0}, {"voxels": 1e300}, {"device": 3}])
def test_an_entry_that_is_none_is_left_out(home: Path, wrong: dict[str, object]) -> None:
    entries = [{**dataclasses.asdict(took()), **wrong}, dataclasses.asdict(took(network_seconds=3.0))]
    path = home / "speeds" / f"{SHA}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"medai_speeds": 1, "runs": entries}))
    assert [one.network_seconds for one in speeds.known(SHA)] == [3.0]


def test_a_folder_that_cannot_be_written_costs_the_entry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> Path:
        raise OutputError("cannot be written", file=path)

    monkeypatch.setattr(speeds, "write_text", refuse)
    speeds.note(SHA, took())
    assert speeds.known(SHA) == ()


def test_a_name_that_is_no_hash_writes_nothing(home: Path) -> None:
    speeds.note("../../etc/passwd", took())
    assert not home.exists()
    assert speeds.known("../x") == ()


def test_a_kill_in_the_middle_of_writing_leaves_the_old_list(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds.note(SHA, took())

    def die(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "_sync_file", die)
    with pytest.raises(KeyboardInterrupt):
        speeds.note(SHA, took(network_seconds=11.0))
    assert [one.network_seconds for one in speeds.known(SHA)] == [10.0]


def test_runs_that_do_more_are_told_apart() -> None:
    plain = RunJob(source="s", report=False)
    ways = [
        plain,
        replace(plain, report=True),
        replace(plain, thumbnail=True),
        replace(plain, identity="deidentify"),
        replace(plain, identity="deidentify", preset="research"),
        replace(plain, identity="deidentify", ocr=False),
        replace(plain, identity="deidentify", deface=False),
    ]
    assert len({speeds.manner(job) for job in ways}) == len(ways)
    assert speeds.manner(replace(plain, source="other", seed=3)) == speeds.manner(plain)


def test_of_a_preset_of_its_own_a_site_shows_no_folder() -> None:
    job = RunJob(source="s", identity="deidentify", preset="/home/quillfeather/presets/ours.json")
    assert "quillfeather" not in speeds.manner(job)
