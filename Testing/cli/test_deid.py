"""``slicermedai deid``: a folder in, copies and their report out, or nothing; and after a kill on where it was."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

import slicermedai
from slicermedai.app.deid_result import DECISIONS, read_result
from slicermedai.app.deid_words import summary
from slicermedai.audit.log import log_path, verify
from slicermedai.cli.deidentify import LEFT_OUT, deidentify_files
from slicermedai.cli.execute import execute
from slicermedai.cli.main import main
from slicermedai.deid.keystore import ReidentificationTable, save_key
from slicermedai.deid.pixels.ocr import is_available
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.sealed import PASSPHRASE_VARIABLE
from slicermedai.domain.observer import silent
from slicermedai.errors import FolderBusyError, IdentityError, InputError, JobCancelled, OutputError, ResultExistsError
from slicermedai.jobs.places import unfinished
from slicermedai.jobs.specs import DeidJob
from Testing.deid.pixels.pictures import SC, Text, a_file, written_on
from Testing.deid.samples import KEY, a_series
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.series_spec import SeriesSpec

LIBRARY = Path(slicermedai.__file__).parent.parent
pytestmark = pytest.mark.filterwarnings("ignore::slicermedai.deid.keystore.PlainKeyWarning")
PASSPHRASE = "correct horse battery staple"
OTHER = Identity(patient_name="Zwickelmann^Rosalind", patient_id="ZW-5501923", accession="AC7716532")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    (tmp_path / "tmp").mkdir()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two patients with two slices each."""
    a_series(tmp_path / "in" / "a")
    a_series(tmp_path / "in" / "b", spec=SeriesSpec(identity=OTHER, seed="other"))
    return tmp_path / "in"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return KEY.save(tmp_path / "plain.key")


def job_of(source: Path, output: Path, **values: object) -> DeidJob:
    return DeidJob(source=str(source), output=str(output), **values)


def run(job: DeidJob, progress: object = silent) -> Path:
    return deidentify_files(job, job_id="j", progress=progress)


def copies(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in sorted((output / "dicom").rglob("*.dcm"))}


def report(output: Path) -> dict:
    return json.loads((output / "report.json").read_text())


def all_of(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def tokens_in(text: str) -> set[str]:
    wanted = {*identity_tokens(Identity()), *identity_tokens(OTHER)}
    return {token for token in wanted if token.lower() in text.lower()}


def run_command(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slicermedai", "deid", *map(str, words)]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=variables, stdin=subprocess.DEVNULL)


# --- the whole road -------------------------------------------------------------------------------------------------


def test_a_folder_becomes_copies_and_a_report_and_nobody_is_named_anywhere(source: Path, tmp_path: Path) -> None:
    done = run_command(source, tmp_path / "out", "--preset", "research", "--no-ocr", "--no-deface")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out'}\n"), done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dicom", "report.html", "report.json"]
    assert len(copies(tmp_path / "out")) == 4
    assert report(tmp_path / "out")["counts"]["patients"] == 2
    assert {dcmread(path).PatientIdentityRemoved for path in (tmp_path / "out" / "dicom").iterdir()} == {"YES"}
    assert tokens_in(all_of(tmp_path / "out")) == set()
    assert tokens_in(done.stderr + done.stdout) == set()
    assert tokens_in(log_path().read_text()) == set()
    assert verify().ok
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_without_a_folder_for_review_it_is_said_how_files_are_numbered(source: Path, tmp_path: Path) -> None:
    (source / "notes.txt").write_text("no image")
    done = run_command(source, tmp_path / "out")
    assert done.returncode == 4
    assert "numbered in the order of their paths; with --review FOLDER, left-out.csv" in done.stderr


def test_a_file_that_cannot_be_read_is_named_by_its_number_and_the_code_is_4(source: Path, tmp_path: Path) -> None:
    (source / "Quillfeather Ambrosia.txt").write_text("no image")
    torn = source / "b" / "IM0002.dcm"
    torn.write_bytes(torn.read_bytes()[:-200])
    done = run_command(source, tmp_path / "out", "--review", tmp_path / "review")
    assert done.returncode == 4
    assert "left out: file 1 (*.txt): is no DICOM file" in done.stderr
    assert "left out: file 5 (*.dcm): is truncated" in done.stderr
    assert f"which files these are says left-out.csv in {tmp_path / 'review'}" in done.stderr
    assert tokens_in(done.stderr) == set()
    assert len(copies(tmp_path / "out")) == 3
    assert tokens_in((tmp_path / "out" / "report.html").read_text()) == set()
    assert "Quillfeather Ambrosia.txt" in (tmp_path / "review" / LEFT_OUT).read_text()


def test_a_step_that_was_asked_for_and_not_done_is_named_and_the_code_is_3(source: Path, tmp_path: Path) -> None:
    done = run_command(source, tmp_path / "out", "--deface")
    assert (done.returncode, done.stdout) == (3, f"{tmp_path / 'out'}\n"), done.stderr
    sentence = "(113102) was asked for and not done in 4 of 4 files: faces cannot be taken off without a model"
    assert f"not done: Clean Recognizable Visual Features Option {sentence}" in done.stderr
    told = report(tmp_path / "out")
    assert told["choices"]["Faces of head CT and MR"] == "asked for, not done in 4 of 4 files"
    assert [one["code"] for one in told["missed"]] == ["113102"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'class="status warned"' in page
    assert sentence in page
    shown = read_result(tmp_path / "out", tmp_path / "review")
    assert summary(shown).splitlines()[:2] == ["Not all that was asked for was done.", told["missed"][0]["sentence"]]


def test_where_nothing_can_be_written_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.dcm").write_bytes(b"no")
    done = run_command(tmp_path / "in", tmp_path / "out")
    assert done.returncode == 1
    assert "none of the files can be de-identified" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="absent: pipes that tell that nobody reads")
def test_a_preview_of_which_the_first_lines_are_read_ends_in_silence(source: Path) -> None:
    command = [sys.executable, "-m", "slicermedai", "deid", str(source), "--preview", "--show-values"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) as looking:
        assert looking.stdout is not None
        assert looking.stderr is not None
        looking.stdout.readline()
        looking.stdout.close()
        assert "Traceback" not in looking.stderr.read()
    assert looking.returncode in (0, 141)


def test_an_output_is_needed_unless_it_is_a_preview(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["deid", str(source)])
    assert left.value.code == 2
    assert "required: output" in capsys.readouterr().err
    assert main(["deid", str(source), "--preview"]) == 0


def test_the_help_lists_presets_options_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["deid", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for word in ("hipaa-safe-harbor HIPAA Safe Harbor:", "113112 Retain Institution", "4 some were left out"):
        assert word in text


# --- where files come from and go to --------------------------------------------------------------------------------


def test_one_file_and_a_zip_file_are_sources_too(source: Path, tmp_path: Path, key: Path) -> None:
    whole = run(job_of(source / "a", tmp_path / "out", key=str(key)))
    one = run(job_of(source / "a" / "IM0001.dcm", tmp_path / "one", key=str(key)))
    assert len(copies(one)) == 1
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted((source / "a").iterdir()):
            archive.write(path, path.name)
    zipped = run(job_of(tmp_path / "a.zip", tmp_path / "zipped", key=str(key)))
    assert copies(zipped) == copies(whole)


@pytest.mark.skipif(os.name == "nt", reason="absent: symbolic links for everybody")
def test_a_loop_of_links_ends(source: Path, tmp_path: Path) -> None:
    (source / "a" / "again").symlink_to(source, target_is_directory=True)
    assert len(copies(run(job_of(source, tmp_path / "out")))) == 4


@pytest.mark.skipif(os.name == "nt", reason="absent: pipes and sockets in folders")
def test_pipes_sockets_devices_and_dangling_links_are_refused_by_name_and_never_opened(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    os.mkfifo("1 pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("2 socket")
    for number, target in enumerate(("/dev/zero", "nowhere", "5 loop", "1 pipe"), 3):
        Path(f"{number} {'loop' if number == 5 else 'link'}").symlink_to(target)
    done = run_command(source, tmp_path / "out", "--no-ocr", "--no-deface", "--review", tmp_path / "review")
    assert done.returncode == 4, done.stderr
    told = {row["number"]: row["reason"] for row in report(tmp_path / "out")["left_out"]}
    assert told == {
        1: "is a named pipe, which is not opened",
        2: "is a socket, which is not opened",
        3: "is a device, which is not opened",
        4: "is a link to a file that is not there",
        5: "is a link to a file that is not there",
        6: "is a named pipe, which is not opened",
    }
    rows = list(csv.DictReader((tmp_path / "review" / LEFT_OUT).read_text(encoding="utf-8").splitlines()))
    assert [Path(row["file"]).name[0] for row in rows] == list("123456")
    assert len(copies(tmp_path / "out")) == 4
    looked = run_command(source, "--preview")
    assert (looked.returncode, looked.stdout.count("not opened")) == (0, 4)


@pytest.mark.skipif(os.name == "nt", reason="absent: pipes in folders")
def test_a_pipe_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run_command(tmp_path / "pipe", tmp_path / "out")
    assert done.returncode == 1
    assert "is a named pipe" in done.stderr


@pytest.mark.parametrize("place", ["in/out", "in", "in/a/x"])
def test_an_output_in_its_input_is_refused(source: Path, tmp_path: Path, place: str) -> None:
    before = sorted(source.rglob("*"))
    with pytest.raises((OutputError, ResultExistsError)):
        run(job_of(source, tmp_path / place))
    done = run_command(source, tmp_path / place)
    assert done.returncode == 1
    assert sorted(source.rglob("*")) == before


def test_what_is_there_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(ResultExistsError):
        run(job_of(source, tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_names_can_be_a_tree_of_pseudonyms(source: Path, tmp_path: Path, key: Path) -> None:
    output = run(job_of(source, tmp_path / "out", key=str(key), names="tree"))
    for path in (output / "dicom").rglob("*.dcm"):
        dataset = dcmread(path)
        uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, f"{dataset.SOPInstanceUID}.dcm")
        assert path.relative_to(output / "dicom").parts == (dataset.PatientID, *uids)


# --- keys, tables, exclusion ----------------------------------------------------------------------------------------


def test_a_sealed_key_and_a_table_are_opened_by_a_passphrase_that_no_file_holds(source: Path, tmp_path: Path) -> None:
    sealed, table = tmp_path / "keys" / "sealed.key", tmp_path / "keys" / "people.table"
    sealed.parent.mkdir()
    save_key(sealed, KEY, PASSPHRASE)
    words = (source, tmp_path / "out", "--key", sealed, "--table", table)
    refused = run_command(*words)
    assert refused.returncode == 1
    assert "passphrase" in refused.stderr
    done = run_command(*words, **{PASSPHRASE_VARIABLE: PASSPHRASE})
    assert done.returncode == 0, done.stderr
    assert report(tmp_path / "out")["key_fingerprint"] == KEY.fingerprint
    people = ReidentificationTable(table, PASSPHRASE).records
    assert {name for person in people for name in person.names} == {Identity().patient_name, OTHER.patient_name}
    held = [path for path in tmp_path.rglob("*") if path.is_file() and PASSPHRASE.encode() in path.read_bytes()]
    assert held == []


def test_the_worker_hands_the_passphrase_to_nobody(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    sealed = save_key(tmp_path / "sealed.key", KEY, PASSPHRASE)
    run(job_of(source, tmp_path / "out", key=str(sealed)))
    assert PASSPHRASE_VARIABLE not in os.environ


@pytest.mark.parametrize("what", ["key", "table", "review"])
def test_secrets_do_not_lie_with_the_images(source: Path, tmp_path: Path, what: str, monkeypatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    KEY.save(source / "secret")
    with pytest.raises(IdentityError, match="folder of images"):
        run(job_of(source, tmp_path / "out", **{what: str(source / "secret")}))
    assert not (tmp_path / "out").exists()


def test_patients_on_the_exclusion_list_are_left_out_and_that_is_no_failure(source: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{OTHER.patient_id}\n")
    done = run_command(source, tmp_path / "out", "--exclude", tmp_path / "list.txt")
    assert done.returncode == 0, done.stderr
    counts = report(tmp_path / "out")["counts"]
    assert (counts["written"], counts["excluded_files"], counts["excluded_entries"]) == (2, 2, 1)
    assert OTHER.patient_id not in (tmp_path / "out" / "report.json").read_text()


def test_a_wrong_list_preset_or_option_shows_before_any_work(source: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    wrong = ({"exclude": str(tmp_path / "list.csv")}, {"preset": "nice"}, {"options": ("113199",)})
    for values in (*wrong, {"options": ("113106", "113107")}, {"preset": "research", "options": ("113106",)}):
        seen: list[str] = []
        with pytest.raises((IdentityError, InputError)):
            run(job_of(source, tmp_path / "out", **values), lambda stage, part: seen.append(stage))  # noqa: B023
        assert seen == []


# --- after a kill ---------------------------------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from slicermedai.cli.deidentify import deidentify_files
from slicermedai.jobs.specs import DeidJob

source, output, key, stage, count = sys.argv[1:]
seen = 0

def progress(now, part):
    global seen
    seen += now == stage
    if seen == int(count):
        os.kill(os.getpid(), 9)

job = DeidJob(source=source, output=output, key=key, preset="research", ocr=False, deface=False)
deidentify_files(job, job_id="j", progress=progress)
"""


@pytest.mark.skipif(os.name == "nt", reason="absent: SIGKILL")
@pytest.mark.parametrize(
    ("stage", "count", "kept"),
    [("collect identity", 2, 0), ("de-identify", 1, 0), ("de-identify", 3, 2), ("verify", 3, 4), ("report", 2, 4)],
)
def test_a_killed_job_goes_on_where_it_was_and_ends_as_if_nothing_had_been(
    source: Path, tmp_path: Path, key: Path, stage: str, count: int, kept: int
) -> None:
    whole = copies(
        run(replace(job_of(source, tmp_path / "whole", key=str(key)), preset="research", ocr=False, deface=False))
    )
    output = tmp_path / "out"
    words = [str(source), str(output), str(key), stage, str(count)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists(), "the old or the new, and the old is nothing"
    (left,) = unfinished(output)
    (left / "dicom" / ".00009.dcm.partial-elsewhere-1-0123abcd").write_bytes(b"half a file")
    assert tokens_in(all_of(left)) == set()
    before = {path.name: path.stat().st_mtime_ns for path in (left / "dicom").glob("*.dcm")}
    assert len(before) == kept
    done = run(replace(job_of(source, output, key=str(key)), preset="research", ocr=False, deface=False))
    assert copies(done) == whole
    assert sorted(path.name for path in (done / "dicom").iterdir()) == [f"{number:05d}.dcm" for number in range(1, 5)]
    after = {path.name: path.stat().st_mtime_ns for path in (done / "dicom").iterdir()}
    assert {name: after[name] for name in before} == before, "what was done was not done again"
    assert unfinished(output) == []
    assert report(done)["treated"] == report(tmp_path / "whole")["treated"]


def interrupted(job: DeidJob) -> None:
    """Do a part of the job, as a person who stops it in the midst."""

    def stop(stage: str, part: float) -> None:
        if stage == "verify":
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        run(job, stop)


@pytest.mark.parametrize("with_key", [True, False])
@pytest.mark.parametrize("error", [JobCancelled("stopped"), OutputError("broken")])
def test_a_job_that_ends_late_leaves_no_folder_for_review(
    source: Path, tmp_path: Path, key: Path, with_key: bool, error: Exception
) -> None:
    (source / "notes.txt").write_text("no image")
    job = job_of(source, tmp_path / "out", key=str(key) if with_key else "", review=str(tmp_path / "review"))

    def stop(stage: str, part: float) -> None:
        if (stage, part) == ("report", 1.0):
            raise error

    with pytest.raises((JobCancelled, OutputError)):
        run(job, stop)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir() if "review" in path.name] == []
    run(job)
    assert (tmp_path / "review" / LEFT_OUT).is_file()
    assert os.name == "nt" or (tmp_path / "review").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name == "nt", reason="absent: SIGKILL")
def test_a_job_that_is_killed_late_leaves_no_folder_for_review(source: Path, tmp_path: Path, key: Path) -> None:
    words = [str(source), str(tmp_path / "out"), str(key), "report", "2"]
    script = KILLED.replace("deface=False)", f"deface=False, review={str(tmp_path / 'review')!r})")
    killed = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "review").exists()
    again = job_of(source, tmp_path / "out", key=str(key), review=str(tmp_path / "review"))
    run(replace(again, preset="research", ocr=False, deface=False))
    assert [path.name for path in tmp_path.iterdir() if "review" in path.name] == ["review"]


def test_a_folder_for_review_that_is_used_is_refused_before_any_work(source: Path, tmp_path: Path) -> None:
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "mine").write_text("precious")
    seen: list[str] = []
    with pytest.raises(ResultExistsError):
        run(job_of(source, tmp_path / "out", review=str(tmp_path / "review")), lambda stage, part: seen.append(stage))
    assert (seen, (tmp_path / "out").exists()) == ([], False)


def test_a_file_that_changed_meanwhile_is_done_anew(source: Path, tmp_path: Path, key: Path) -> None:
    job = job_of(source, tmp_path / "out", key=str(key))
    interrupted(job)
    (old,) = unfinished(tmp_path / "out")
    dataset = dcmread(source / "a" / "IM0001.dcm")
    dataset.EchoTime = 99
    dataset.save_as(source / "a" / "IM0001.dcm")
    output = run(job)
    assert {dcmread(path).EchoTime for path in (output / "dicom").iterdir()} == {2.98, 99}
    assert not old.exists()


@pytest.mark.parametrize("change", [{"preset": "research", "ocr": False}, {"names": "tree"}, {"options": ("113108",)}])
def test_what_other_settings_left_is_not_gone_on_with(source: Path, tmp_path: Path, key: Path, change: dict) -> None:
    job = job_of(source, tmp_path / "out", key=str(key))
    interrupted(job)
    (old,) = unfinished(tmp_path / "out")
    output = run(replace(job, **change))
    assert not old.exists()
    assert copies(output) == copies(run(replace(job, output=str(tmp_path / "fresh"), **change)))


def test_a_copy_that_was_cut_after_the_kill_is_made_anew(source: Path, tmp_path: Path, key: Path) -> None:
    job = job_of(source, tmp_path / "out", key=str(key))
    interrupted(job)
    (left,) = unfinished(tmp_path / "out")
    cut = left / "dicom" / "00001.dcm"
    cut.write_bytes(cut.read_bytes()[:100])
    assert copies(run(job)) == copies(run(replace(job, output=str(tmp_path / "fresh"))))


def test_without_a_key_file_nothing_is_left_to_go_on_with(source: Path, tmp_path: Path) -> None:
    interrupted(job_of(source, tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "tmp"]


def test_two_at_once_do_not_write_the_same_folder(source: Path, tmp_path: Path, key: Path) -> None:
    job = job_of(source, tmp_path / "out", key=str(key))

    def another(stage: str, part: float) -> None:
        if stage == "report":
            with pytest.raises(FolderBusyError):
                run(job)

    assert len(copies(run(job, another))) == 4


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_interrupt_ends_it_within_two_seconds_and_says_that_it_can_go_on(
    tmp_path: Path, key: Path, processes: str
) -> None:
    first = a_series(tmp_path / "one")[0]
    (tmp_path / "many").mkdir()
    for number in range(300):
        shutil.copyfile(first, tmp_path / "many" / f"{number}.dcm")
    words = ["deid", str(tmp_path / "many"), str(tmp_path / "out"), "--key", str(key), "--processes", processes]
    command = [sys.executable, "-m", "slicermedai", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "de-identify" not in (line := process.stderr.readline()):
            assert line, "it ended before it began"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - began < 2.0
        assert "goes on where it was" in process.stderr.read()
    assert not (tmp_path / "out").exists()
    assert len(unfinished(tmp_path / "out")) == 1
    assert main(words) == 0
    assert len(copies(tmp_path / "out")) == 300


# --- the log and the preview ----------------------------------------------------------------------------------------


def test_the_log_says_how_many_files_and_names_none_of_the_copies(source: Path, tmp_path: Path) -> None:
    execute(job_of(source, tmp_path / "out"), job_id="j")
    entries = [json.loads(line) for line in log_path().read_text().splitlines()]
    assert [entry["action"] for entry in entries] == [
        *("deid started", "de-identified", "file written", "file written", "deid finished"),
    ]
    assert entries[1]["details"]["files"] == 4
    assert {entry["details"]["file"] for entry in entries[2:4]} == {"report.html", "report.json"}


def test_a_preview_writes_nothing_and_shows_values_only_where_asked(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert main(["deid", str(source), "--preview", "--preset", "research", "--no-ocr"]) == 0
    told = capsys.readouterr()
    assert sorted(tmp_path.rglob("*")) == before
    assert "PatientName" in told.out
    assert "Table E.1-1: Z" in told.out
    assert tokens_in(told.out + told.err) == set()
    assert main(["deid", str(source), "--preview", "--show-values", "--preset", "research", "--no-ocr"]) == 0
    told = capsys.readouterr()
    assert f"'{Identity().patient_name}'  ->  'MEDAI-" in told.out
    assert tokens_in(told.err) == set()
    assert sorted(tmp_path.rglob("*")) == before


# --- keys by command ------------------------------------------------------------------------------------------------


def test_a_key_is_sealed_and_its_fingerprint_can_be_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "project.key"
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal to ask on
    assert main(["deid-key", str(path)]) == 1
    assert "passphrase" in capsys.readouterr().err
    assert not path.exists()
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    assert main(["deid-key", str(path)]) == 0
    made = capsys.readouterr().out
    assert main(["deid-key", "--show", str(path)]) == 0
    assert capsys.readouterr().out == made
    assert main(["deid-key", str(path)]) == 1
    with pytest.raises(IdentityError):
        ProjectKey.from_file(path)


# --- decisions on doubtful text -------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """A capture with a name that the header has, and two words that nobody knows."""
    if not is_available():
        pytest.skip("absent: rapidocr-onnxruntime (optional extra ocr)")
    lines = [Text(12, 12, "QUILLFEATHER"), Text(12, 60, "Zwirbelknauf"), Text(12, 108, "Wobblethorpe")]
    picture = written_on(np.zeros((160, 260), np.uint8), lines)
    (tmp_path / "words").mkdir()
    who = {"PatientName": "Quillfeather^Ambrosia", "PatientID": "QF-7391586", "StudyInstanceUID": "1.2.3"}
    a_file(tmp_path / "words" / "1.dcm", picture, SOPClassUID=SC, SOPInstanceUID="1.2.3.1", **who)
    return tmp_path / "words"


def ink(output: Path) -> list[bool]:
    """Whether something stands on each of the three lines."""
    (path,) = (output / "dicom").iterdir()
    pixels = dcmread(path).pixel_array
    return [bool(np.ptp(pixels[row : row + 34]) > 100) for row in (8, 56, 104)]


@pytest.mark.parametrize("words", [("keep", "remove"), ("harmless", "identity")])
def test_what_a_person_decided_is_applied_to_the_pixels_and_not_asked_again(
    doubtful: Path, tmp_path: Path, words: tuple[str, str]
) -> None:
    first = run(job_of(doubtful, tmp_path / "first", ocr=True, review=str(tmp_path / "review")))
    pictures = sorted(path.name for path in (tmp_path / "review").glob("*.png"))
    assert (ink(first), len(pictures)) == ([False] * 3, 2)
    decided = tmp_path / "review" / DECISIONS
    decided.write_text(json.dumps(dict(zip(pictures, words, strict=True))))
    second = run(job_of(doubtful, tmp_path / "second", ocr=True, decisions=str(decided), review=str(tmp_path / "r2")))
    assert ink(second) == [False, True, False]
    assert report(second)["review"] == []
    assert "113101" in report(second)["files"][0]["claimed"]
    assert list((tmp_path / "r2").glob("*.png")) == []


def test_a_decision_about_another_image_is_not_applied(doubtful: Path, tmp_path: Path) -> None:
    run(job_of(doubtful, tmp_path / "first", ocr=True, review=str(tmp_path / "review")))
    decided = tmp_path / "review" / DECISIONS
    decided.write_text(json.dumps({path.name: "keep" for path in (tmp_path / "review").glob("*.png")}))
    other = dcmread(doubtful / "1.dcm")
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.3.99"
    other.save_as(doubtful / "1.dcm")
    second = run(job_of(doubtful, tmp_path / "second", ocr=True, decisions=str(decided)))
    assert ink(second) == [False] * 3
    assert len(report(second)["review"]) == 1


def test_decisions_that_are_none_are_refused_before_any_work(source: Path, tmp_path: Path) -> None:
    (tmp_path / "pieces.json").write_text("{}")
    for text, values in (("{", {"ocr": True}), ('{"1.png": "perhaps"}', {"ocr": True}), ("{}", {"ocr": False})):
        (tmp_path / "decisions.json").write_text(text)
        with pytest.raises(IdentityError, match="decisions"):
            run(job_of(source, tmp_path / "out", decisions=str(tmp_path / "decisions.json"), **values))
