"""Text and faces in sets of files: in several processes, in zip files, and in what each file claims."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from slicermedai.deid.pixels.ocr import Ocr, is_available, load_ocr
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.domain import scratch
from Testing.deid.pixels.pictures import SC, US_CLIP, Text, a_file, tissue, written_on
from Testing.deid.samples import KEY

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
