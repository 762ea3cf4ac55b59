"""Bulk retrieval: each study whole or not at all, nothing missing unsaid, nobody who opted out."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from slicermedai.errors import InputError, PeerUnreachableError
from slicermedai.pacs.folder import CONFIGURATION, FolderStore
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.opt_out import OptOutList
from slicermedai.pacs.peers import Peer, open_store, save_peers
from slicermedai.pacs.retrieve import TABLE, Fate, Terms, Wanted, read_list, retrieve_list
from slicermedai.pacs.store import Level, Pace, Record, SendItem
from Testing.pacs.objects import make_objects, uid_of
from Testing.pacs.orthanc import Orthanc

STUDIES = {"1.2.1": ("P1", "A1"), "1.2.2": ("P1", "A2"), "1.2.3": ("P2", "A3")}


def fill(store: object, folder: Path) -> dict[str, list[Path]]:
    """Three studies of two patients, three instances each."""
    made = {
        study: make_objects(folder / study, 3, study=study, patient=patient, accession=accession)
        for study, (patient, accession) in STUDIES.items()
    }
    items = [SendItem(file=path, ref=read_object(path)) for paths in made.values() for path in paths]
    assert len(list(store.send(items))) == 9  # type: ignore[attr-defined]  # any store
    return made


@pytest.fixture
def a_shelf(tmp_path: Path) -> FolderStore:
    (tmp_path / "shelf").mkdir()
    made = FolderStore(tmp_path / "shelf")
    fill(made, tmp_path / "made")
    return made


def wanted(**keys: str) -> list[Wanted]:
    return [Wanted(row=2, keys=keys)]


def terms(**more: object) -> Terms:
    return dataclasses.replace(Terms(pace=Pace(), tries=2, wait=0.0), **more)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("kind", ["dimse", "move", "web"])
def test_an_archive_gives_whole_studies(an_archive: Orthanc, tmp_path: Path, kind: str) -> None:
    peer = an_archive.web() if kind == "web" else an_archive.dimse(retrieve="move" if kind == "move" else "get")
    store = open_store(peer)
    made = fill(store, tmp_path / "made")
    rows = [
        Wanted(row=2, keys={"PatientID": "P1"}),
        Wanted(row=3, keys={"AccessionNumber": "A3"}),
        Wanted(row=4, keys={"StudyInstanceUID": "1.2.9"}),
    ]
    lines = retrieve_list(rows, store, tmp_path / "out", terms=terms())
    assert sorted((line.row, line.study, str(line.fate), line.expected, line.received) for line in lines) == [
        (2, "1.2.1", "done", 3, 3),
        (2, "1.2.2", "done", 3, 3),
        (3, "1.2.3", "done", 3, 3),
        (4, "", "missing", 0, 0),
    ]
    for study, paths in made.items():
        assert {path.stem for path in (tmp_path / "out" / study).iterdir()} == {uid_of(path) for path in paths}
    with (tmp_path / "out" / TABLE).open() as stream:
        assert [row["fate"] for row in csv.DictReader(stream)] == ["done", "done", "done", "missing"]


def test_what_is_there_is_not_fetched_again(a_shelf: FolderStore, tmp_path: Path) -> None:
    class Counting(FolderStore):
        fetched = 0

        def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
            Counting.fetched += 1
            super().retrieve(study_uid, folder, pace=pace)

    for _ in range(2):
        lines = retrieve_list(wanted(PatientID="P1"), Counting(tmp_path / "shelf"), tmp_path / "out", terms=terms())
        assert [line.fate for line in lines] == [Fate.DONE] * 2
    assert Counting.fetched == 2


def test_a_study_that_grew_is_listed_and_left_alone(a_shelf: FolderStore, tmp_path: Path) -> None:
    retrieve_list(wanted(AccessionNumber="A3"), a_shelf, tmp_path / "out", terms=terms())
    more = make_objects(tmp_path / "more", 4, study="1.2.3", patient="P2", accession="A3")[3]
    list(a_shelf.send([SendItem(file=more, ref=read_object(more))]))
    (line,) = retrieve_list(wanted(AccessionNumber="A3"), a_shelf, tmp_path / "out", terms=terms())
    assert (line.fate, line.expected, line.received) == (Fate.INCOMPLETE, 4, 3)
    assert "has grown" in line.reason


class Short(FolderStore):
    """Forgets one instance of each study for the first ``times`` fetches."""

    times = 99

    def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
        super().retrieve(study_uid, folder, pace=pace)
        if self.times > 0:
            sorted(folder.glob("*.dcm"))[0].unlink()
        self.times -= 1


def test_a_study_that_does_not_come_whole_is_listed_and_leaves_nothing(a_shelf: FolderStore, tmp_path: Path) -> None:
    store = Short(tmp_path / "shelf")
    (line,) = retrieve_list(wanted(AccessionNumber="A1"), store, tmp_path / "out", terms=terms())
    assert (line.fate, line.expected, line.received) == (Fate.INCOMPLETE, 3, 2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [TABLE]
    store.times = 1
    (line,) = retrieve_list(wanted(AccessionNumber="A1"), store, tmp_path / "out", terms=terms())
    assert line.fate is Fate.DONE


def test_an_object_of_another_study_is_not_kept(a_shelf: FolderStore, tmp_path: Path) -> None:
    class Mixing(FolderStore):
        def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
            super().retrieve(study_uid, folder, pace=pace)
            super().retrieve("1.2.3", folder, pace=pace)

    store = Mixing(tmp_path / "shelf")
    (line,) = retrieve_list(wanted(AccessionNumber="A1"), store, tmp_path / "out", terms=terms())
    assert (line.fate, line.reason) == (Fate.FAILED, "the archive sent an object of another study")
    assert not (tmp_path / "out" / "1.2.1").exists()


@pytest.mark.parametrize("entry", ["P1", " p1 ", "1.2.1\nA2"])
def test_who_opted_out_is_not_fetched(a_shelf: FolderStore, tmp_path: Path, entry: str) -> None:
    (tmp_path / "no").write_text(f"# said no\n{entry}\n")
    out = OptOutList.load(tmp_path / "no")
    rows = [Wanted(row=2, keys={"PatientID": "P1"}), Wanted(row=3, keys={"PatientID": "P2"})]
    lines = retrieve_list(rows, a_shelf, tmp_path / "out", terms=terms(opted_out=out))
    assert [line.fate for line in lines] == [Fate.OPTED_OUT, Fate.OPTED_OUT, Fate.DONE]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.2.3", TABLE]


def test_an_archive_that_hides_whose_study_it_is_cannot_pass_the_opt_out_list(
    a_shelf: FolderStore, tmp_path: Path
) -> None:
    class Hiding(FolderStore):
        def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
            return [record | {"PatientID": ""} for record in super().find(level, keys)]

    store, out = Hiding(tmp_path / "shelf"), OptOutList(["P1"])
    (line,) = retrieve_list(wanted(AccessionNumber="A1"), store, tmp_path / "out", terms=terms(opted_out=out))
    assert line.fate is Fate.REFUSED


def test_the_files_themselves_are_held_against_the_opt_out_list(a_shelf: FolderStore, tmp_path: Path) -> None:
    class Lying(FolderStore):
        def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
            return [record | {"PatientID": "P9"} for record in super().find(level, keys)]

    store, out = Lying(tmp_path / "shelf"), OptOutList(["P1"])
    (line,) = retrieve_list(wanted(AccessionNumber="A1"), store, tmp_path / "out", terms=terms(opted_out=out))
    assert line.fate is Fate.OPTED_OUT
    assert not (tmp_path / "out" / "1.2.1").exists()


@pytest.mark.parametrize("value", ["*", "P?", "P1\\P2", ""])
def test_wildcards_and_emptiness_ask_for_nobody(a_shelf: FolderStore, tmp_path: Path, value: str) -> None:
    keys = {"PatientID": value} if value else {}
    (line,) = retrieve_list([Wanted(row=2, keys=keys)], a_shelf, tmp_path / "out", terms=terms())
    assert line.fate is Fate.REFUSED


def test_an_archive_that_goes_away_ends_it_and_the_table_says_how_far_it_went(
    a_shelf: FolderStore, tmp_path: Path
) -> None:
    class Leaving(FolderStore):
        def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
            if study_uid == "1.2.3":
                shutil.rmtree(tmp_path / "shelf", ignore_errors=True)
            super().retrieve(study_uid, folder, pace=pace)

    rows = [Wanted(row=2, keys={"AccessionNumber": "A1"}), Wanted(row=3, keys={"AccessionNumber": "A3"})]
    with pytest.raises(PeerUnreachableError):
        retrieve_list(rows, Leaving(tmp_path / "shelf"), tmp_path / "out", terms=terms())
    assert (tmp_path / "out" / TABLE).read_text().count("\n") == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.2.1", TABLE]


def test_a_refusing_archive_is_listed(a_shelf: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "shelf" / CONFIGURATION).write_text("refuse_association = true")
    (line,) = retrieve_list(wanted(AccessionNumber="A1"), a_shelf, tmp_path / "out", terms=terms())
    assert (line.fate, line.reason) == (Fate.FAILED, "the association was refused")


def test_the_rate_is_kept(a_shelf: FolderStore, tmp_path: Path) -> None:
    start = time.monotonic()
    retrieve_list(wanted(AccessionNumber="A1"), a_shelf, tmp_path / "out", terms=terms(pace=Pace(per_second=10)))
    assert time.monotonic() - start >= 0.2


def test_a_list_names_its_columns_in_its_own_way(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeffAccession_Number,Patient ID,remark\nA1,,x\n,P1,\nA2,P1,\n".encode())
    assert [(one.row, one.keys) for one in read_list(path)] == [
        (2, {"AccessionNumber": "A1"}),
        (3, {"PatientID": "P1"}),
        (4, {"AccessionNumber": "A2", "PatientID": "P1"}),
    ]


@pytest.mark.parametrize("text", ["", "name\nA1\n", "accession\n", "accession\n\xff\xfe"])
def test_a_list_that_asks_for_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"list\.csv"):
        read_list(tmp_path / "list.csv")


def test_an_empty_opt_out_list_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("# nobody yet\n\n")
    with pytest.raises(InputError, match="names nobody"):
        OptOutList.load(tmp_path / "no")


def test_the_command_fetches_a_killed_list_to_its_end(a_shelf: FolderStore, tmp_path: Path) -> None:
    """Killed in the midst of a study, it leaves whole studies alone; called again, it fetches the rest."""
    save_peers([Peer(name="shelf", kind="folder", path=str(tmp_path / "shelf"))])
    (tmp_path / "list.csv").write_text("patient\nP1\nP2\n")
    words = [sys.executable, "-m", "slicermedai", "retrieve", str(tmp_path / "list.csv"), "--from", "shelf"]
    words += ["--output", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "SlicerMedAI")}
    settings = tmp_path / "shelf" / CONFIGURATION
    settings.write_text("seconds_per_object = 0.3")
    process = subprocess.Popen(words, env=environment)
    deadline = time.monotonic() + 20
    while not (tmp_path / "out" / "1.2.1").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.4)
    process.kill()
    process.wait()
    assert not (tmp_path / "out" / "1.2.2").exists()
    settings.unlink()
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"{tmp_path / 'out' / TABLE}: 3 done"), done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*STUDIES, TABLE]
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
