"""Sets of files: several processes, zip files, names of outputs, quarantine, and files of any size."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import zipfile
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.deid import rewrite
from slicermedai.deid.documents import placeholder
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.journal import FileJournal
from slicermedai.deid.keystore import Cost, ReidentificationTable
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.rules import BASIC_RULES, ScrubText
from slicermedai.deid.run import DeidSettings, deidentify_all, deidentify_into
from slicermedai.deid.settings import Naming
from slicermedai.deid.sources import find_files
from slicermedai.deid.window import Origin
from slicermedai.deid.work import Workers
from slicermedai.errors import InputError, JobCancelled, OutputError, WorkerCrashed
from Testing.deid.samples import KEY, a_series, an_image, copies, found_tokens, without_identity

SETTINGS = DeidSettings(key=KEY)


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_processes_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    files = [*a_series(tmp_path / "a"), *a_series(tmp_path / "b"), an_image(tmp_path / "c", PatientID="OTHER-1")]
    rows = [deidentify_all(files, tmp_path / str(n), DeidSettings(key=KEY, processes=n)).files for n in (1, 2)]
    assert bytes_in(tmp_path / "1") == bytes_in(tmp_path / "2")
    assert rows[0] == rows[1]
    assert [row.number for row in rows[0]] == [1, 2, 3, 4, 5]


def test_processes_stop_where_somebody_cancels(tmp_path: Path) -> None:
    def stop(stage: str, _: float) -> None:
        if stage == "de-identify":
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        deidentify_all(a_series(tmp_path / "in"), tmp_path / "out", DeidSettings(processes=2), progress=stop)
    assert not (tmp_path / "out").exists()


def test_a_second_run_into_what_a_killed_one_left_gives_the_same_bytes(tmp_path: Path) -> None:
    files = a_series(tmp_path / "in")
    deidentify_all(files, tmp_path / "whole", SETTINGS)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "00001.dcm").write_bytes(b"half of it")
    deidentify_into(files, tmp_path / "half", SETTINGS)
    assert bytes_in(tmp_path / "half") == bytes_in(tmp_path / "whole")


def test_a_checked_copy_that_changed_since_is_written_again_and_the_others_are_not(tmp_path: Path) -> None:
    files, folder = a_series(tmp_path / "in"), tmp_path / "half"
    folder.mkdir()
    with FileJournal(tmp_path / "journal", folder, KEY) as journal:
        deidentify_into(files, folder, SETTINGS, journal=journal)
    whole, changed = bytes_in(folder), folder / "00001.dcm"
    changed.write_bytes(whole["00001.dcm"][:-4] + b"Anna")  # of the same size
    before = (folder / "00002.dcm").stat().st_mtime_ns
    with FileJournal(tmp_path / "journal", folder, KEY) as journal:
        deidentify_into(files, folder, SETTINGS, journal=journal)
    assert bytes_in(folder) == whole
    assert (folder / "00002.dcm").stat().st_mtime_ns == before


def test_members_of_zip_files_are_read_where_they_lie(tmp_path: Path) -> None:
    files = a_series(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, f"Quillfeather/{path.name}")
        archive.writestr("readme.txt", "Ambrosia")
    outcome = deidentify_all([tmp_path / "study.zip"], tmp_path / "out", SETTINGS)
    without_identity(files, tmp_path / "plain")
    assert bytes_in(tmp_path / "out") == bytes_in(tmp_path / "plain")
    assert [(row.source, row.refused) for row in outcome.files if row.refused] == [
        ("readme.txt", "is no DICOM file (PS3.10) (preamble)")
    ]


def test_a_damaged_zip_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 and nothing more")
    outcome = deidentify_all([*a_series(tmp_path / "in"), tmp_path / "broken.zip"], tmp_path / "out", SETTINGS)
    assert outcome.files[-1].source == "broken.zip"
    assert outcome.files[-1].refused.startswith("is no DICOM file")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_member_whose_bytes_are_damaged_is_refused_and_the_others_are_written(tmp_path: Path, method: int) -> None:
    whole, broken = a_series(tmp_path / "in")[:2]
    with zipfile.ZipFile(tmp_path / "study.zip", "w", method) as archive:
        archive.write(broken, "broken.dcm")
        start = archive.infolist()[0].header_offset
    content = bytearray((tmp_path / "study.zip").read_bytes())
    content[start + 60 : start + 120] = b"\xff" * 60
    (tmp_path / "study.zip").write_bytes(content)
    outcome = deidentify_all([whole, tmp_path / "study.zip"], tmp_path / "out", SETTINGS)
    assert [bool(row.refused) for row in outcome.files] == [False, True]


def test_a_tree_of_outputs_is_named_by_pseudonyms_alone(tmp_path: Path) -> None:
    files = a_series(tmp_path / "Quillfeather")
    outcome = deidentify_all(files, tmp_path / "out", DeidSettings(key=KEY, names=Naming.TREE))
    for row in outcome.files:
        new = dcmread(tmp_path / "out" / row.output)
        uids = (new.StudyInstanceUID, new.SeriesInstanceUID, f"{new.SOPInstanceUID}.dcm")
        assert row.output == "/".join((new.PatientID, *uids))


def test_files_of_one_name_in_the_tree_are_both_there(tmp_path: Path) -> None:
    files = [an_image(tmp_path / "a"), an_image(tmp_path / "b", SequenceName="other")]
    outcome = deidentify_all(files, tmp_path / "out", DeidSettings(key=KEY, names=Naming.TREE))
    names = [row.output for row in outcome.files]
    assert names[1] == names[0].replace(".dcm", "-2.dcm")
    assert len(bytes_in(tmp_path / "out")) == 2


def test_a_copy_in_which_the_verifier_finds_identity_is_removed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = tuple(rule for rule in BASIC_RULES if not isinstance(rule, ScrubText))
    monkeypatch.setattr(rewrite, "BASIC_RULES", forgetful)
    files = a_series(tmp_path / "in")
    dataset = dcmread(files[0])
    dataset.SequenceName = "of Quillfeather"
    dataset.save_as(files[0])
    outcome = deidentify_all(files, tmp_path / "out", SETTINGS)
    (row,) = outcome.quarantined
    assert (row.number, row.output) == (1, "")
    assert "still in the value" in row.refused
    assert "(0018,0024)" in row.refused
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00002.dcm"]
    assert outcome.record.files == 1


def test_patients_on_the_exclusion_list_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("QF-7391586\n")
    settings = DeidSettings(key=KEY, exclusion=ExclusionList.from_file(tmp_path / "list.txt"))
    outcome = deidentify_all(
        [*a_series(tmp_path / "in"), an_image(tmp_path / "b", PatientID="STAYS-1")], tmp_path / "out", settings
    )
    assert ["exclusion list" in row.refused for row in outcome.files] == [True, True, False]
    assert len(bytes_in(tmp_path / "out")) == 1


def test_the_table_leads_back_to_the_patient(tmp_path: Path) -> None:
    table = ReidentificationTable(tmp_path / "table", "a long passphrase", cost=Cost(n=2**10))
    options = frozenset({Option.RETAIN_MODIFIED_DATES})
    settings = DeidSettings(profile=Profile(options), key=KEY, table=table)
    deidentify_all(a_series(tmp_path / "in"), tmp_path / "out", settings)
    new, old = copies(tmp_path / "out")[0], dcmread(tmp_path / "in" / "IM0001.dcm")
    again = ReidentificationTable(tmp_path / "table", "a long passphrase")
    record = again.find(new.PatientID)
    assert record is not None
    assert record.patient_ids == (old.PatientID,)
    assert record.shift_days == KEY.shift_days(old.PatientID)
    assert again.original_uid(new.SOPInstanceUID) == old.SOPInstanceUID


def test_folders_are_walked_without_loops_and_files_taken_once(tmp_path: Path) -> None:
    files = a_series(tmp_path / "in")
    try:
        (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
        (tmp_path / "in" / "again.dcm").symlink_to(files[0])
    except OSError:
        pytest.skip("this system makes no symbolic links")
    assert {path.resolve() for path in find_files([tmp_path / "in", files[1]])} == {p.resolve() for p in files}
    assert len(find_files([tmp_path / "in", files[1]])) == len(files)


@pytest.mark.parametrize("output", ["in/out", "in", "."])
def test_an_output_in_or_around_the_input_is_refused(tmp_path: Path, output: str) -> None:
    a_series(tmp_path / "in")
    with pytest.raises(OutputError, match="within the"):
        find_files([tmp_path / "in"], output=tmp_path / output)
    with pytest.raises(InputError, match="does not exist"):
        find_files([tmp_path / "absent"])


@pytest.mark.parametrize("number", range(1, 6))
def test_encapsulated_documents_become_empty_ones_of_their_kind(tmp_path: Path, number: int) -> None:
    sop_class = f"1.2.840.10008.5.1.4.1.1.104.{number}"
    path = an_image(tmp_path / "in", SOPClassUID=sop_class, BurnedInAnnotation="YES")
    dataset = dcmread(path)
    del dataset.PixelData
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.EncapsulatedDocument, dataset.EncapsulatedDocumentLength = b"Report on Ambrosia Q. " * 20, 440
    dataset.save_as(path)
    without_identity([path], tmp_path / "out")
    (new,) = copies(tmp_path / "out")
    assert new.EncapsulatedDocument == placeholder(sop_class)
    assert new.EncapsulatedDocumentLength == len(new.EncapsulatedDocument)
    assert new.BurnedInAnnotation == "NO"
    assert found_tokens(tmp_path / "out") == set()


_MEASURE = """
import os, struct, sys, zlib
from pathlib import Path
from slicermedai.deid.encode import LITTLE, element, file_meta, head
from slicermedai.deid.run import deidentify
kind, folder, size = sys.argv[1], Path(sys.argv[2]), 300 << 20
syntax = {"deflated": "1.2.840.10008.1.2.1.99", "fragments": "1.2.840.10008.1.2.4.90"}.get(kind, "1.2.840.10008.1.2.1")
values = ((0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"), (0x00080018, "UI", b"1.2.3.4"),
          (0x00100020, "LO", b"QF-7391586"), (0x0020000D, "UI", b"1.2.3"))
body = b"".join(element(*value, LITTLE) for value in values)
with (folder / "in.dcm").open("wb") as out:
    out.write(file_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", syntax, ("1.2.3", "X")))
    if kind == "deflated":
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        out.write(deflate.compress(body + head(0x7FE00010, "OW", size, LITTLE)))
        for _ in range(300):
            out.write(deflate.compress(bytes(1 << 20)))
        out.write(deflate.flush())
    elif kind == "fragments":
        out.write(body + head(0x7FE00010, "OB", 0xFFFFFFFF, LITTLE) + head(0xFFFEE000, "", 0, LITTLE))
        for _ in range(3):
            out.write(head(0xFFFEE000, "", size // 3, LITTLE))
            out.seek(size // 3, 1)
        out.write(head(0xFFFEE0DD, "", 0, LITTLE))
    else:
        tag = {"pixels": 0x7FE00010, "other": 0x00282000}[kind]
        out.write(body + head(tag, "OW" if kind == "pixels" else "OB", size, LITTLE))
        out.seek(size, 1)
        out.write(element(0x7FE10000 if kind == "pixels" else 0x7FE00010, "OW", b"", LITTLE))
assert deidentify([folder / "in.dcm"], folder / "out").files == 1
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1 << 20)
status = Path("/proc/self/status")  # the other number counts what the process held that this one was forked from
told = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else ""
print(int(told) // 1024 if told else peak)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell the peak of memory in this way")
@pytest.mark.parametrize("kind", ["pixels", "other", "fragments", "deflated"])
def test_memory_stays_below_100_mb_for_a_file_of_300_mb(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", _MEASURE, kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for path in tmp_path.rglob("*.dcm"):
        path.unlink()
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100


@pytest.mark.parametrize(
    ("part", "heavy"), [("run", ("pydicom", "torch", "scipy")), ("rewrite", ("pydicom", "torch", "scipy", "numpy"))]
)
def test_the_engine_starts_without_pydicom_and_the_rewriter_without_numpy(part: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, slicermedai.deid.{part}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_process_that_is_gone_ends_the_job_by_name(tmp_path: Path) -> None:
    def kill(stage: str, _: float) -> None:
        if stage == "de-identify":
            for child in multiprocessing.active_children():
                child.kill()

    files = [an_image(tmp_path / str(number)) for number in range(20)]
    with pytest.raises(WorkerCrashed, match="ended before its work was done"):
        deidentify_all(files, tmp_path / "out", DeidSettings(processes=2), progress=kill)
    assert not (tmp_path / "out").exists()


def test_a_process_gone_before_the_work_is_handed_out_ends_the_job_alike(tmp_path: Path) -> None:
    origins = [Origin(an_image(tmp_path / str(number))) for number in range(2)]
    with ProcessPoolExecutor(1) as pool:
        assert isinstance(pool.submit(os._exit, 1).exception(), BrokenExecutor)
        with pytest.raises(WorkerCrashed, match="ended before its work was done"):
            list(Workers(pool).headers(origins))
