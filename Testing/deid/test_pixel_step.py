"""Text and faces in sets of files: in several processes, in zip files, and in what each file claims."""

from __future__ import annotations

import dataclasses
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import BasicTextSRStorage

from slicermedai.deid import run
from slicermedai.deid.pixels.ocr import Ocr, is_available, load_ocr
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.work import Done
from slicermedai.domain import scratch
from slicermedai.errors import IdentityError
from Testing.deid.pixels.pictures import SC, US_CLIP, Text, a_file, strange_script, tissue, written_on
from Testing.deid.samples import KEY, a_series

TEXT = frozenset({Option.CLEAN_PIXEL_DATA})
SHAPE = (120, 260)


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    if not is_available():
        pytest.skip("absent: rapidocr-onnxruntime (optional extra ocr)")
    return load_ocr()


def files_with_text(folder: Path) -> list[Path]:
    """A capture with a name on it, one with a word that nobody knows, one without text, and a clip with a name."""
    folder.mkdir(parents=True)
    who = {"PatientName": "Quillfeather^Ambrosia", "PatientID": "QF-7391586", "StudyInstanceUID": "1.2.3"}
    name = written_on(tissue(SHAPE), [Text(12, 12, "QUILLFEATHER")])
    word = written_on(tissue(SHAPE), [Text(12, 12, "Zwirbelknauf")])
    pictures = [(name, SC), (word, SC), (np.zeros(SHAPE, np.uint8), SC), (np.stack([name, name]), US_CLIP)]
    return [
        a_file(folder / f"{n}.dcm", frames, SOPClassUID=kind, SOPInstanceUID=f"1.2.3.{n}", **who)
        for n, (frames, kind) in enumerate(pictures)
    ]


def settings(ocr: Ocr, processes: int = 1) -> DeidSettings:
    return DeidSettings(profile=Profile(TEXT), key=KEY, ocr=ocr, processes=processes)


def bytes_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def corner(dataset: Dataset) -> np.ndarray:
    return np.asarray(dataset.pixel_array)[..., :40, :200]


def test_text_is_taken_out_by_two_processes_as_by_one_and_out_of_zip_files(tmp_path: Path, ocr: Ocr) -> None:
    files = files_with_text(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in files:
            archive.write(path, path.name)
    one = deidentify_all(files, tmp_path / "1", settings(ocr))
    two = deidentify_all(files, tmp_path / "2", settings(ocr, processes=2))
    zipped = deidentify_all([tmp_path / "in.zip"], tmp_path / "zipped", settings(ocr))
    assert bytes_in(tmp_path / "1") == bytes_in(tmp_path / "2") == bytes_in(tmp_path / "zipped")
    assert one.files == two.files == zipped.files
    assert [(item.output, item.member) for item in one.review] == [("00002.dcm", "")]
    assert [(item.output, item.member) for item in two.review] == [("00002.dcm", "")]
    assert [(item.output, item.member) for item in zipped.review] == [("00002.dcm", "1.dcm")]
    assert [("113101" in row.claimed) for row in one.files] == [True] * 4
    for number in (0, 1, 3):
        old, new = dcmread(files[number]), dcmread(tmp_path / "1" / f"{number + 1:05d}.dcm")
        assert np.ptp(corner(old)) > 150 > np.ptp(corner(new))


def test_what_is_to_be_looked_at_has_the_number_of_its_row_and_its_copy(tmp_path: Path, ocr: Ocr) -> None:
    (tmp_path / "0.txt").write_text("no image")
    files = files_with_text(tmp_path / "in")
    outcome = deidentify_all([tmp_path / "0.txt", *files], tmp_path / "out", settings(ocr))
    assert [(item.number, item.output) for item in outcome.review] == [(3, "00003.dcm")]
    assert [row.output for row in outcome.files] == ["", *(f"{n:05d}.dcm" for n in range(2, 6))]
    assert outcome.files[2].source == "1.dcm"
    assert outcome.files[2].number == 3


def test_nothing_of_a_zip_file_stays_in_the_temporary_folder(
    tmp_path: Path, ocr: Ocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    path = files_with_text(tmp_path / "in")[0]
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(path, "a.dcm")
    deidentify_all([tmp_path / "in.zip"], tmp_path / "out", settings(ocr))
    assert list(scratch.temp_root().iterdir()) == []


def test_a_damaged_member_is_refused_by_name_and_the_others_are_cleaned(tmp_path: Path, ocr: Ocr) -> None:
    files = files_with_text(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(files[0], "a.dcm")
        archive.writestr("b.dcm", files[2].read_bytes()[:-40])
    outcome = deidentify_all([tmp_path / "in.zip"], tmp_path / "out", settings(ocr))
    assert [(row.source, bool(row.refused)) for row in outcome.files] == [("a.dcm", False), ("b.dcm", True)]
    assert len(bytes_in(tmp_path / "out")) == 1


def test_a_reader_goes_to_another_process_as_what_it_is() -> None:
    import pickle

    if not is_available():
        pytest.skip("absent: rapidocr-onnxruntime (optional extra ocr)")
    assert len(pickle.dumps(load_ocr(threads=2))) < 200


FACES = frozenset({Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES})


@pytest.mark.parametrize("fails", [0, 1])
def test_what_a_run_claims_is_counted_from_the_copies_that_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    real = {"write": run.write, "verify": run.verify}

    def write(patients: object, task: object) -> Done:
        first = task.target.name == "00001.dcm"
        return dataclasses.replace(real["write"](patients, task), claimed=TEXT if first else frozenset())

    def verify(patients: object, task: object) -> Done:
        if task.target.name != f"{fails + 1:05d}.dcm":
            return real["verify"](patients, task)
        task.target.unlink()
        return Done(error=IdentityError("a name is still in it").to_dict())

    monkeypatch.setattr(run, "write", write)
    monkeypatch.setattr(run, "verify", verify)
    settings = DeidSettings(profile=Profile(TEXT), key=KEY)
    outcome = deidentify_all(a_series(tmp_path / "in"), tmp_path / "out", settings)
    kept = outcome.files[1 - fails]
    assert (outcome.files[fails].quarantined, outcome.files[fails].claimed) == (True, ())
    assert ("113101" in kept.claimed) is (fails == 1)
    assert [code.value for code in outcome.record.codes] == list(kept.claimed)
    removed = sum(count for (_, action), count in kept.done.items() if action == "X")
    assert (outcome.record.files, outcome.record.elements_removed) == (1, removed)


def test_a_step_that_was_asked_for_and_not_done_is_named_with_its_reason(tmp_path: Path) -> None:
    settings = DeidSettings(profile=Profile(TEXT | FACES), key=KEY, deface=True)
    outcome = deidentify_all(a_series(tmp_path / "in"), tmp_path / "out", settings)
    assert [(one.code, one.files, one.of) for one in outcome.missed] == [("113101", 2, 2), ("113102", 2, 2)]
    assert outcome.missed[1].why == ("faces cannot be taken off without a model that finds the brain",)
    assert [line for line in outcome.record.not_done if "asked for" in line] == [m.sentence for m in outcome.missed]
    assert not any("were not removed: a head" in line for line in outcome.record.not_done), "said once"


def test_an_ultrasound_is_not_said_to_be_an_irregular_volume_where_its_face_is_asked_for(tmp_path: Path) -> None:
    files = a_series(tmp_path / "in")[:1]
    dataset = dcmread(files[0])
    dataset.Modality = "US"
    del dataset.ImagePositionPatient
    dataset.save_as(files[0])
    asked = DeidSettings(profile=Profile(FACES), key=KEY, deface=True, brain_mask=lambda image: np.zeros(1, bool))
    (missed,) = deidentify_all(files, tmp_path / "out", asked).missed
    assert missed.why == ("faces are taken off CT and MR alone",)


def test_a_step_that_nobody_asked_for_or_that_has_nothing_to_do_is_not_missed(tmp_path: Path) -> None:
    files = a_series(tmp_path / "in")
    assert deidentify_all(files, tmp_path / "basic", DeidSettings(key=KEY)).missed == ()
    dataset = dcmread(files[0])
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    dataset.Modality = "SR"
    dataset.save_as(files[0])
    asked = DeidSettings(profile=Profile(FACES), key=KEY, deface=True)
    assert deidentify_all(files[:1], tmp_path / "none", asked).missed == ()


def test_text_that_was_read_in_some_files_is_not_said_to_be_unsearched(tmp_path: Path, ocr: Ocr) -> None:
    files = [files_with_text(tmp_path / "in")[0], *a_series(tmp_path / "mr")]
    outcome = deidentify_all(files, tmp_path / "out", settings(ocr))
    told = " ".join(outcome.record.not_done)
    assert outcome.missed == ()
    assert "not searched for." not in told
    assert "was read in 1 of 3 files" in told


def test_a_file_with_text_that_cannot_be_read_claims_nothing_and_the_record_says_so(tmp_path: Path, ocr: Ocr) -> None:
    page = strange_script((100, 220))
    plain = np.zeros((100, 220), np.uint8)
    files = [a_file(tmp_path / f"{n}.dcm", picture, SOPClassUID=SC) for n, picture in enumerate((page, plain))]
    for n, path in enumerate(files):
        dataset = dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n}"
        dataset.save_as(path)
    outcome = deidentify_all(files, tmp_path / "out", settings(ocr))
    assert [("113101" in row.claimed) for row in outcome.files] == [False, True]
    assert [item.output for item in outcome.review] == ["00001.dcm"]
    assert any("In 1 files stands what looks like text" in sentence for sentence in outcome.record.not_done)
    assert "BurnedInAnnotation" not in dcmread(tmp_path / "out" / "00001.dcm")
    assert dcmread(tmp_path / "out" / "00002.dcm").BurnedInAnnotation == "NO"
