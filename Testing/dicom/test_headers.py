"""Source headers are kept without pixels and without loss, and read in any character set."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import DataElement, dcmread
from pydicom.errors import InvalidDicomError

from slicermedai.dicom.headers import load_headers, save_headers, series_ref, study_of
from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.series import scan
from slicermedai.domain.study import Identity as Route
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError, UnreadableFileError
from Testing.fixtures import faults
from Testing.fixtures.identity import Identity

Write = Callable[..., list[Path]]

_NAMES = {
    "Latin 1": (("ISO_IR 100",), "Müller^Gérard"),
    "UTF-8": (("ISO_IR 192",), "Ωμέγα^Łukasz^山"),
    "Cyrillic": (("ISO_IR 144",), "Люкceмбypг"),
    "Greek": (("ISO_IR 126",), "Διονυσιος"),
    "Arabic": (("ISO_IR 127",), "قباني^لنزار"),
    "Japanese, ISO 2022": (("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Japanese, half width": (("ISO 2022 IR 13", "ISO 2022 IR 87"), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
    "Korean, ISO 2022": (("", "ISO 2022 IR 149"), "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese": (("GB18030",), "Wang^XiaoDong=王^小东"),
}


@pytest.mark.parametrize("name", _NAMES)
def test_names_are_decoded_in_any_character_set_and_survive_the_saved_headers(
    name: str, a_head: Volume, write: Write, tmp_path: Path
) -> None:
    character_set, patient = _NAMES[name]
    identity = Identity(patient_name=patient, physician="A^B", institution="C")
    files = write(a_head, identity=identity, character_set=character_set)
    source = open_source(files[0].parent)
    assert source.study.patient_name == patient
    again = load_headers(save_headers(source.headers, tmp_path / "kept"))
    assert study_of(again[0]).patient_name == patient
    assert study_of(again[0]).description == source.study.description


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_saved_headers_hold_every_element_but_the_pixels(
    syntax: str, a_head: Volume, write: Write, tmp_path: Path
) -> None:
    files = write(a_head, transfer_syntax=syntax)
    source = open_source(files[0].parent)
    kept = load_headers(save_headers(source.headers, tmp_path / "kept"))
    assert len(kept) == len(files)
    for header, file in zip(kept, files, strict=True):
        original = dcmread(file)
        del original["PixelData"]
        assert header == original
        assert header.file_meta.MediaStorageSOPInstanceUID == original.SOPInstanceUID


def test_compressed_and_multi_frame_headers_are_kept_as_well(a_head: Volume, write: Write, tmp_path: Path) -> None:
    for folder, options in (("rle", {"transfer_syntax": "1.2.840.10008.1.2.5"}), ("multi", {"enhanced": True})):
        source = open_source(write(a_head, folder=folder, **options)[0].parent)
        assert load_headers(save_headers(source.headers, tmp_path / f"kept {folder}")) == source.headers


def test_a_picture_of_the_image_in_the_header_is_not_kept(a_head: Volume, write: Write) -> None:
    files = write(a_head)

    def add_icon(dataset: object) -> None:
        icon = faults.Dataset()
        icon.Rows = icon.Columns = icon.BitsAllocated = 8
        icon.PixelData = b"\1" * 64
        dataset.IconImageSequence = [icon]  # type: ignore[attr-defined]  # Dataset

    faults.edit(files[0], add_icon)
    assert "IconImageSequence" not in open_source(files[0].parent).headers[0]


def test_headers_that_are_not_there_are_none(tmp_path: Path) -> None:
    assert load_headers(tmp_path / "absent") == ()


def test_the_study_and_its_series_hold_what_the_headers_say(a_head: Volume, write: Write) -> None:
    files = write(a_head, order="reverse")
    source, first = open_source(files[0].parent), dcmread(files[0])
    study = source.study
    assert (study.study_uid, study.patient_id) == (first.StudyInstanceUID, Identity().patient_id)
    assert (study.birth_date, study.date, study.time) == ("19510823", "20190614", "093517")
    assert (study.accession, study.sex, study.body_part) == (Identity().accession, "F", "HEAD")
    (series,) = study.series
    assert (series.series_uid, series.modality, series.number) == (first.SeriesInstanceUID, "MR", 3)
    assert series.frame_of_reference_uid == first.FrameOfReferenceUID
    assert [item.sop_instance_uid for item in series.instances] == [dcmread(path).SOPInstanceUID for path in files]
    assert {item.sop_class_uid for item in series.instances} == {"1.2.840.10008.5.1.4.1.1.4"}


def test_a_multi_frame_instance_knows_its_frames(a_head: Volume, write: Write) -> None:
    (series,) = open_source(write(a_head, enhanced=True)[0]).study.series
    assert [item.frames for item in series.instances] == [20]


def test_a_header_that_calls_itself_deidentified_is_not_believed(a_head: Volume, write: Write) -> None:
    header = dcmread(write(a_head)[0])
    header.PatientIdentityRemoved = "YES"
    assert study_of(header).identity is Route.KEEP


def test_headers_of_two_series_are_not_mixed(a_head: Volume, write: Write) -> None:
    headers = [dcmread(write(a_head, folder=f"s{n}", series_number=n)[0]) for n in (3, 4)]
    with pytest.raises(MedAIError):
        series_ref(headers)


def test_saved_headers_are_no_dicom_file_to_anybody(a_head: Volume, write: Write, tmp_path: Path) -> None:
    source = open_source(write(a_head)[0].parent)
    kept = save_headers(source.headers, tmp_path / "kept")
    (file,) = kept.rglob("*")
    assert file.suffix == ".bin"
    with pytest.raises(InvalidDicomError):
        dcmread(file)
    found = scan(kept)
    assert found.series == ()
    assert [item.broken for item in found.skipped] == [False]


def test_headers_saved_as_dicom_files_by_earlier_versions_are_read(
    a_head: Volume, write: Write, tmp_path: Path
) -> None:
    source = open_source(write(a_head)[0].parent)
    (tmp_path / "older").mkdir()
    for number, header in enumerate(source.headers, start=1):
        header.save_as(tmp_path / "older" / f"{number:06d}.dcm")
    assert load_headers(tmp_path / "older") == source.headers


@pytest.mark.parametrize("keep", [0.001, 0.4, 0.999])
def test_damaged_headers_are_named(a_head: Volume, write: Write, tmp_path: Path, keep: float) -> None:
    kept = save_headers(open_source(write(a_head)[0].parent).headers, tmp_path / "kept")
    faults.truncate(kept / "headers.bin", keep=keep)
    with pytest.raises(UnreadableFileError, match=r"headers\.bin"):
        load_headers(kept)


def test_an_infinite_number_in_a_header_is_named(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    dataset = dcmread(files[0])
    dataset[0x00200013] = DataElement(0x00200013, "FD", math.inf)
    dataset.save_as(files[0])
    with pytest.raises(MedAIError, match="OverflowError"):
        open_source(files[0].parent)
