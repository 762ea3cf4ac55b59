"""The verifier reads for itself, finds what is planted, and blocks."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from slicermedai.deid import rewrite
from slicermedai.deid.contacts import telephone_tokens
from slicermedai.deid.rules import BASIC_RULES, ScrubText
from slicermedai.deid.surnames import surname_tokens
from slicermedai.deid.tokens import Token
from slicermedai.deid.verify import check_file, elements, find
from slicermedai.deid.vocabulary import Vocabulary, date_tokens, identifier_tokens, name_tokens, uid_tokens
from slicermedai.errors import IdentityError, UnreadableFileError
from Testing.deid.samples import a_series, an_image, without_identity
from Testing.fixtures.series_spec import SeriesSpec

NAME = Vocabulary.of(name_tokens("Quillfeather^Ambrosia")).tokens


def a_clean_file(folder: Path, **spec: object) -> Path:
    without_identity(a_series(folder / "in", spec=SeriesSpec(**spec)), folder / "out")  # type: ignore[arg-type]
    return folder / "out" / "00001.dcm"


def planted(path: Path, keyword: str, value: object) -> Path:
    dataset = dcmread(path)
    setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def tokens_of(*groups: set[Token]) -> frozenset[Token]:
    return Vocabulary.of(set().union(*groups)).tokens


def test_a_clean_file_passes(tmp_path: Path) -> None:
    check_file(a_clean_file(tmp_path), NAME)


def test_a_planted_leak_is_named_by_file_attribute_and_offset_but_not_by_value(tmp_path: Path) -> None:
    path = planted(a_clean_file(tmp_path), "SequenceName", "for Quillfeather")
    with pytest.raises(IdentityError, match=r"00001\.dcm, \(0018,0024\): a name .* at byte \d+") as leak:
        check_file(path, NAME)
    assert "uillfeather" not in str(leak.value)
    (hit,) = find(path, NAME)
    assert path.read_bytes()[hit.offset :].startswith(b"Quillfeather")


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless]
)
def test_leaks_are_found_in_every_encoding_of_files(tmp_path: Path, syntax: str) -> None:
    path = planted(a_clean_file(tmp_path, transfer_syntax=syntax), "SequenceName", "AMBROSIA")
    assert [hit.attribute for hit in find(path, NAME)] == ["(0018,0024)"]


@pytest.mark.parametrize("codec", ["ascii", "utf-8", "utf-16-le", "utf-16-be"])
def test_leaks_are_found_in_every_encoding_of_text(tmp_path: Path, codec: str) -> None:
    raw = "xQuillfeather".encode(codec)
    path = a_clean_file(tmp_path)
    dataset = dcmread(path)
    dataset.add_new(0x00282000, "OB", raw + b"\0" * (len(raw) % 2))
    dataset.save_as(path)
    assert [hit.attribute for hit in find(path, NAME)] == ["(0028,2000)"]


@pytest.mark.parametrize(("codec", "charset"), [("latin-1", "ISO_IR 100"), ("utf-8", "ISO_IR 192")])
@pytest.mark.parametrize("written", ["Müllerová", "MÜLLEROVÁ", "Mullerová"])
def test_diacritics_do_not_hide_a_leak(tmp_path: Path, codec: str, charset: str, written: str) -> None:
    path = a_clean_file(tmp_path)
    dataset = dcmread(path)
    dataset.SpecificCharacterSet = charset
    dataset.SequenceName = written
    dataset.save_as(path)
    assert written.encode(codec) in path.read_bytes()
    assert [hit.kind for hit in find(path, tokens_of(name_tokens("Müllerová^Zoë")))] == ["name"]


def test_leaks_are_found_in_preamble_and_file_meta(tmp_path: Path) -> None:
    path = a_clean_file(tmp_path)
    dataset = dcmread(path)
    dataset.preamble = b"Quillfeather".ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = "AMBROSIA"
    dataset.save_as(path)
    assert [hit.attribute for hit in find(path, NAME)] == ["(0000,0000)", "(0002,0016)"]


def test_leaks_are_found_in_nested_items_of_defined_and_undefined_length(tmp_path: Path) -> None:
    for undefined in (False, True):
        path = a_clean_file(tmp_path / str(undefined))
        dataset, outer, inner = dcmread(path), Dataset(), Dataset()
        inner.SequenceName = "Ambrosia"
        outer.MREchoSequence = [inner]
        dataset.SharedFunctionalGroupsSequence = [outer]
        dataset["SharedFunctionalGroupsSequence"].is_undefined_length = undefined
        outer["MREchoSequence"].is_undefined_length = undefined
        inner.is_undefined_length_sequence_item = undefined
        dataset.save_as(path)
        assert [hit.attribute for hit in find(path, NAME)] == ["(0018,0024)"]


def test_leaks_are_found_in_and_behind_unknown_elements_of_undefined_length(tmp_path: Path) -> None:
    def implicit(group: int, number: int, value: bytes, length: int | None = None) -> bytes:
        return struct.pack("<HHI", group, number, len(value) if length is None else length) + value

    end_of_sequence = implicit(0xFFFE, 0xE0DD, b"")
    inner = implicit(0xFFFE, 0xE000, implicit(0x0018, 0x0024, b"Quillfeather"))
    nested = implicit(0x0018, 0x9006, inner + end_of_sequence, 0xFFFFFFFF)
    item = implicit(0xFFFE, 0xE000, nested + implicit(0xFFFE, 0xE00D, b""), 0xFFFFFFFF)
    unknown = b"\x18\0\xf0\x0fUN\0\0\xff\xff\xff\xff" + item + end_of_sequence
    path = planted(a_clean_file(tmp_path), "ProtocolName", "Ambrosia")
    data = path.read_bytes()
    place = data.index(b"\x18\0\x30\x10LO")
    path.write_bytes(data[:place] + unknown + data[place:])
    assert [hit.attribute for hit in find(path, NAME)] == ["(0018,0024)", "(0018,1030)"]


def test_long_names_are_found_in_native_pixels_and_in_compressed_fragments(tmp_path: Path) -> None:
    native = a_clean_file(tmp_path / "n")
    dataset = dcmread(native)
    dataset.PixelData = b"\1" * 101 + b"Quillfeather" + dataset.PixelData[113:]
    dataset.save_as(native)
    assert [hit.attribute for hit in find(native, NAME)] == ["(7FE0,0010)"]
    packed = a_clean_file(tmp_path / "p", transfer_syntax=RLELossless)
    dataset = dcmread(packed)
    dataset.PixelData = encapsulate([b"\xff\xfecomment by tansy-ambrosia  " + b"\0" * 9000])
    dataset.save_as(packed)
    assert [hit.attribute for hit in find(packed, NAME)] == ["(7FE0,0010)"]


@pytest.mark.parametrize("place", [0, 1, 4095, 65536, 99_987, 99_988])
def test_a_long_value_is_searched_from_its_first_to_its_last_byte(tmp_path: Path, place: int) -> None:
    path = a_clean_file(tmp_path)
    dataset = dcmread(path)
    value = bytearray(np.random.default_rng(1).integers(128, 256, 100_000, dtype=np.uint8).tobytes())
    value[place : place + 12] = b"QUILLFEATHER"
    dataset.add_new(0x00282000, "OB", bytes(value))
    dataset.save_as(path)
    assert [hit.attribute for hit in find(path, NAME)] == ["(0028,2000)"]


def test_noise_is_no_leak(tmp_path: Path) -> None:
    path = a_clean_file(tmp_path)
    dataset = dcmread(path)
    noise = np.random.default_rng(2).integers(48, 123, 600_000, dtype=np.uint8).tobytes()
    dataset.PixelData, dataset.Rows, dataset.Columns = noise, 600, 500
    dataset.save_as(path)
    short = tokens_of(
        name_tokens("Lee^Kim"), identifier_tokens("4711"), date_tokens("19510823"), name_tokens("Q^Amber")
    )
    assert list(find(path, short)) == []


def test_two_ideographs_in_noise_are_no_leak_in_a_compressed_frame_and_are_one_in_other_bytes(tmp_path: Path) -> None:
    names = tokens_of(name_tokens("Kosakabe^Kiyotaka=小坂部^清隆"))
    packed = a_clean_file(tmp_path / "p", transfer_syntax=RLELossless)
    dataset = dcmread(packed)
    dataset.PixelData = encapsulate([bytes(100) + "小氏".encode("shift_jis") + bytes(9000)])
    dataset.save_as(packed)
    assert list(find(packed, names)) == []
    dataset.PixelData = encapsulate([bytes(100) + "小坂部".encode("shift_jis") + bytes(9000)])
    dataset.save_as(packed)
    assert [hit.attribute for hit in find(packed, names)] == ["(7FE0,0010)"]
    dataset.add_new(0x00282000, "OB", bytes(30) + "小氏".encode("shift_jis") + bytes(30))
    dataset.save_as(packed)
    assert "(0028,2000)" in {hit.attribute for hit in find(packed, names)}


def test_bytes_that_are_no_leak_in_a_short_frame_are_one_elsewhere_in_the_next_file(
    tmp_path: Path,
) -> None:
    names = tokens_of(name_tokens("Kosakabe^Kiyotaka=小坂部^清隆"))
    raw = bytes(30) + "小氏".encode("shift_jis") + bytes(30)
    packed = a_clean_file(tmp_path / "p", transfer_syntax=RLELossless)
    dataset = dcmread(packed)
    dataset.PixelData = encapsulate([raw])
    dataset.save_as(packed)
    assert list(find(packed, names)) == []
    other = dcmread(a_clean_file(tmp_path / "n"))
    other.add_new(0x00282000, "OB", raw)
    other.save_as(tmp_path / "other.dcm")
    assert "(0028,2000)" in {hit.attribute for hit in find(tmp_path / "other.dcm", names)}


def test_short_numbers_count_in_text_and_not_in_numbers_or_uids(tmp_path: Path) -> None:
    tokens = tokens_of(identifier_tokens("4711"), uid_tokens("1.2.3.4711"))
    path = planted(a_clean_file(tmp_path), "TriggerTime", "4711")
    planted(path, "ContextUID", "1.2.3.4711.1")
    assert list(find(path, tokens)) == []
    planted(path, "SequenceName", "no 4711")
    planted(path, "ContextUID", "1.2.3.4711")
    assert [hit.attribute for hit in find(path, tokens)] == ["(0008,0117)", "(0018,0024)"]


def test_dates_are_found_as_people_write_them(tmp_path: Path) -> None:
    path = planted(a_clean_file(tmp_path), "SequenceName", "b. 23.8.1951")
    assert [hit.kind for hit in find(path, tokens_of(date_tokens("19510823")))] == ["date"]


def test_an_export_with_a_leak_is_blocked_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful = tuple(rule for rule in BASIC_RULES if not isinstance(rule, ScrubText))
    monkeypatch.setattr(rewrite, "BASIC_RULES", forgetful)
    path = an_image(tmp_path / "in", SequenceName="of Quillfeather")
    with pytest.raises(IdentityError, match=r"IM0001\.dcm, \(0018,0024\)"):
        without_identity([path], tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("cut", [1, 2, 7, 50, 300, 600])
def test_a_truncated_file_is_an_error(tmp_path: Path, cut: int) -> None:
    path = a_clean_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(UnreadableFileError, match="truncated"):
        list(elements(path))


_FOREIGN = ["CT_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "image_dfl.dcm", "JPEG2000.dcm", "test-SR.dcm"]


@pytest.mark.parametrize("name", _FOREIGN)
def test_it_reads_the_same_elements_as_pydicom(name: str) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    ours = sorted({element.tag for element in elements(path)} - {0})
    dataset = dcmread(path)
    theirs = {int(e.tag) for e in [*dataset.file_meta, *dataset.iterall()] if e.VR != "SQ"}
    assert set(ours) == theirs


@pytest.mark.parametrize("half", ["XXXXLopez", "LopezXXXX", "T1 XXXXlopez_2"])
def test_the_half_of_a_name_that_touches_a_mask_is_a_leak(tmp_path: Path, half: str) -> None:
    tokens = tokens_of(name_tokens("Garcia-Lopez^Maria"))
    path = planted(a_clean_file(tmp_path), "ImageComments", half)
    assert [hit.kind for hit in find(path, tokens)] == ["name"]
    assert list(find(planted(path, "ImageComments", "XXXX Loperamide"), tokens)) == []


def test_a_common_surname_is_found_in_capitals_and_not_as_a_word(tmp_path: Path) -> None:
    tokens = frozenset(surname_tokens("Brown^Rose"))
    named = an_image(tmp_path / "named", ImageComments="for BROWN, chest")
    worded = an_image(tmp_path / "worded", ImageComments="brown fat")
    assert [hit.kind for hit in find(named, tokens)] == ["family name"]
    assert not list(find(worded, tokens))


def test_measurements_that_hold_the_digits_of_an_identifier_are_no_leak_and_stay(tmp_path: Path) -> None:
    source = an_image(
        tmp_path / "in",
        PatientID="70312500",
        PixelSpacing=["0.70312500", "0.70312500"],
        ImagePositionPatient=["-180", "70312500", "0.5"],
        SequenceName="b1000",
    )
    without_identity([source], tmp_path / "out")
    copy = dcmread(tmp_path / "out" / "00001.dcm")
    assert [str(value) for value in copy.PixelSpacing] == ["0.70312500"] * 2
    assert copy.ImagePositionPatient[1] == 70312500
    planted(tmp_path / "out" / "00001.dcm", "AcquisitionNumber", "70312500")
    tokens = tokens_of(identifier_tokens("70312500"))
    assert [hit.attribute for hit in find(tmp_path / "out" / "00001.dcm", tokens)] == ["(0020,0012)"]


def test_a_short_identifier_is_found_after_a_label(tmp_path: Path) -> None:
    tokens = tokens_of(identifier_tokens("1500"))
    plain = an_image(tmp_path / "plain", ImageComments="TE 1500")
    labelled = an_image(tmp_path / "labelled", ImageComments="MRN: 1500")
    assert not list(find(plain, tokens))
    assert [hit.attribute for hit in find(labelled, tokens)] == ["(0020,4000)"]


def test_a_name_that_is_not_in_the_files_character_set_neither_leaks_nor_stops_a_run(tmp_path: Path) -> None:
    source = an_image(tmp_path / "in", SpecificCharacterSet="ISO_IR 100", PatientName="Mußgemann^Jörg")
    planted(source, "ManufacturerModelName", "of Mußgemann")
    source.write_bytes(source.read_bytes().replace(b"ISO_IR 100", b"ISO_IR 192"))
    without_identity([source], tmp_path / "out")
    assert b"gemann" not in (tmp_path / "out" / "00001.dcm").read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        *("call 06851 55 50 17 3", "(0 68 51) 5.550.173", "0049-6851-555-01-73", "06 85 15 55 01 73"),
        "+49 6851/555\r\n0173",
        *("1570=\r\n0062", "15.70-00 62", "AX 700-12 34 tonight", "ax/7001/234"),
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_digits_in_other_groups_than_the_headers_are_a_leak(tmp_path: Path, text: str, *, wide: bool) -> None:
    tokens = tokens_of(
        telephone_tokens("+49 6851 555 0173"), identifier_tokens("15700062"), identifier_tokens("AX7001234")
    )
    dataset = dcmread(a_clean_file(tmp_path))
    if wide and text.isprintable():
        dataset.add_new(0x00282000, "OB", text.encode("utf-16-le"))
    else:
        dataset.ImageComments = text
    dataset.save_as(tmp_path / "a.dcm")
    assert [hit.kind for hit in find(tmp_path / "a.dcm", tokens)] == ["identifier"]


@pytest.mark.parametrize(
    "text",
    [
        *("1 06851 555 0173 22 9", "0685 1 and 555 0173", "15 70 of 00 62", "0.00 15 70 00 63"),
        *("115700 062", "15700 0622", "TE 15 TR 700 062"),
    ],
)
def test_digits_of_other_numbers_are_none(tmp_path: Path, text: str) -> None:
    tokens = tokens_of(identifier_tokens("068515550174"), identifier_tokens("15700062"))
    assert not list(find(planted(a_clean_file(tmp_path), "ImageComments", text), tokens))
