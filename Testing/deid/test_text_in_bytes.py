"""Short names, dates and numbers in binary values and in numbers: found there too, and not by chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.verify import find
from slicermedai.deid.vocabulary import Scope, Vocabulary, date_tokens, identifier_tokens, name_tokens
from Testing.deid.samples import KEY, an_image

WHO = {"PatientName": "Kowal^Jan", "PatientID": "884411", "PatientBirthDate": "19520317"}
VOCABULARY = Vocabulary.of(name_tokens("Kowal^Jan") | identifier_tokens("884411") | date_tokens("19520317"))
TEXTS = Profile(frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_DEVICE_IDENTITY}))


@pytest.mark.parametrize(
    "text",
    [
        *("desc Kowal  ", "geb 1952-03-17", "17.03.1952", "MRN 884411", "Kowal", "KOWAL_J 2", "scan of Kowal, Jan"),
        "17.III.1952",
    ],
)
@pytest.mark.parametrize("codec", ["ascii", "utf-16-le", "utf-16-be"])
def test_text_between_other_bytes_is_found_in_whatever_form(text: str, codec: str) -> None:
    raw = bytes(range(128, 148)) + b"\0\0" + text.encode(codec) + b"\0" * 20
    assert VOCABULARY.hits_bytes(raw, Scope.BINARY)


def test_nothing_of_another_script_is_found_in_noise_of_its_codes() -> None:
    vocabulary = Vocabulary.of(name_tokens("Иванов^Пётр"))
    noise = np.random.default_rng(5).integers(0x400, 0x460, 200_000, dtype=np.uint16).tobytes()
    assert not vocabulary.hits_bytes(noise, Scope.BINARY)


def test_nothing_is_found_in_noise() -> None:
    noise = np.random.default_rng(5).integers(0, 256, 4_000_000, dtype=np.uint8).tobytes()
    assert not VOCABULARY.hits_bytes(noise, Scope.BINARY)


@pytest.mark.parametrize(
    ("family", "codec"),
    [
        *itertools.product(("Иванов", "Παπαδόπουλος", "Müller"), ("utf-8", "utf-16-le", "utf-16-be")),
        *(
            ("Иванов", "cp1251"),
            ("Иванов", "koi8_r"),
            ("Їжакевич", "koi8_u"),
            ("Иванов", "cp866"),
            ("Иванов", "mac_cyrillic"),
        ),
        *(("Dvořáková", "cp1250"), ("Dvořáková", "cp852"), ("Müllerová", "cp850"), ("วงศ์สกุล", "tis_620")),
    ],
)
@pytest.mark.parametrize("case", [str.title, str.upper, str.lower])
def test_a_name_of_any_script_alone_in_bytes_is_found_and_the_verifier_sees_it(
    tmp_path: Path, family: str, case: Callable[[str], str], codec: str
) -> None:
    raw = case(family).encode(codec)
    vocabulary = Vocabulary.of(name_tokens(f"{family}^Ann"))
    assert vocabulary.hits_bytes(bytes(9) + raw + bytes(9), Scope.BINARY)
    path = an_image(tmp_path)
    dataset = dcmread(path)
    dataset.add_new(0x00282000, "OB", bytes(10) + raw + bytes(10))
    dataset.save_as(path)
    assert "(0028,2000)" in {hit.attribute for hit in find(path, vocabulary.tokens)}


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize("text", [b"desc Kowal \0\0", b" 1952-03-17 ", b"of 17.03.1952 "])
def test_a_binary_value_with_text_of_the_patient_goes_and_the_verifier_sees_it(
    tmp_path: Path, vr: str, text: bytes
) -> None:
    path = an_image(tmp_path / "in", **WHO)
    dataset = dcmread(path)
    dataset.add_new(0x00282000, vr, bytes(30) + text + bytes(30))
    dataset.save_as(path)
    assert "(0028,2000)" in {hit.attribute for hit in find(path, VOCABULARY.tokens)}
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert 0x00282000 not in dcmread(tmp_path / "out" / "00001.dcm")


@pytest.mark.parametrize("size", [10, 1100])
def test_what_nobody_knows_the_kind_of_goes(tmp_path: Path, size: int) -> None:
    path = an_image(tmp_path / "in", **WHO)
    dataset = dcmread(path)
    dataset.add_new(0x00189998, "UN", b"x" * size)
    dataset.save_as(path)
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert 0x00189998 not in dcmread(tmp_path / "out" / "00001.dcm")


@pytest.mark.parametrize(
    ("keyword", "value", "left"),
    [
        ("ExposureIndex", "884411", False),
        ("ExposureIndex", "884411.0", False),
        ("RelativeXRayExposure", 884411, False),
        ("ExposureIndex", "884412", True),
        ("DetectorActiveDimensions", ["884411", "1"], True),  # what was measured, in a list
    ],
)
def test_a_number_that_is_the_patients_goes_from_six_digits_on(
    tmp_path: Path, keyword: str, value: object, left: bool
) -> None:
    path = an_image(tmp_path / "in", **WHO, **{keyword: value})
    outcome = deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert outcome.files[0].refused == ""
    assert (dcmread(tmp_path / "out" / "00001.dcm").get(keyword) is not None) is left


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Müller^Jürgen", "MÃ¼ller"),
        ("Müller^Jürgen", "JÃ¼rgen"),
        ("Müller^Jürgen", "M?LLER"),
        ("Müller^Jürgen", "of J_rgen,"),
        ("Østergård^Åse", "?sterg?rd"),
        ("Wang^Xiaoming=王^小明", "王先生"),
        ("Kim^Minjun=김^민준", "김님"),
        ("Kowal^Jan", "170352"),
        ("Kowal^Jan", "031752"),
        ("Kowal^Jan", "17.III.52"),
    ],
)
def test_names_and_dates_are_found_as_systems_and_people_spoil_them(name: str, text: str) -> None:
    vocabulary = Vocabulary.of(name_tokens(name) | date_tokens("19520317"))
    scrubbed = vocabulary.scrub(f"for {text} done")
    assert "XX" in scrubbed
    assert text.strip("of ,") not in scrubbed
    assert vocabulary.scrub("slice 170353 of 310352, what?ever m_sc") == "slice 170353 of 310352, what?ever m_sc"


@pytest.mark.parametrize(("birth", "record", "left"), [("19311012", "7", "121031"), ("19311013", "121031", "XXXX")])
def test_a_code_of_six_digits_is_no_day_but_may_be_the_patients_number(
    tmp_path: Path, birth: str, record: str, left: str
) -> None:
    path = an_image(tmp_path / "in", PatientBirthDate=birth, PatientID=record)
    dataset = dcmread(path)
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "121031", "DCM", "Subject Birth Date"
    dataset.ViewCodeSequence = Sequence([item])
    dataset.save_as(path)
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert dcmread(tmp_path / "out" / "00001.dcm").ViewCodeSequence[0].CodeValue == left
