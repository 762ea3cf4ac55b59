"""Forms of identity in text that stays: nobody in a header has to have that name, number or day."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from slicermedai.deid.dates import DateRule
from slicermedai.deid.free_forms import mask_forms
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all, not_done
from slicermedai.deid.text_rule import TextRule
from Testing.deid.samples import KEY, an_image

DESCRIPTORS = frozenset({Option.CLEAN_DESCRIPTORS, Option.CLEAN_GRAPHICS, Option.CLEAN_STRUCTURED_CONTENT})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("asked by Dr. Kowalski, knee", "asked by Dr. XXXX, knee"),
        ("Prof. A. von Stetten wants T2", "Prof. XXXX wants T2"),
        ("mother Berta Vogelsang, tel 555-1234567", "mother XXXX, tel XXXX"),
        ("Mother: BERTA VOGELSANG", "Mother: XXXX"),
        ("Patient: Zwickel, Rosalind; left knee", "Patient: XXXX; left knee"),
        ("KOWALSKI^JAN chest", "XXXX chest"),
        ("Tel. +49 (40) 123 45-67", "Tel. XXXX"),
        ("call 040/1234567 first", "call XXXX first"),
        ("(212) 555-0187", "XXXX"),
        ("write to j.kowalski@example.org", "write to XXXX"),
        ("see https://pacs.example/p?id=7", "see XXXX"),
        ("MRN: 0047712", "MRN: XXXX"),
        ("Acc. No 88-1234 done", "Acc. No XXXX done"),
        ("SSN 123-45-6789", "SSN XXXX"),
        ("dob 08.07.51", "dob XXXX"),
        ("BSN 123456782, T2", "BSN XXXX, T2"),
        ("AHV-Nr. 756.9217.0769.85", "AHV-Nr. XXXX"),
        ("PESEL: 44051401359", "PESEL: XXXX"),
        ("Medicare no 2123 45670 1", "Medicare no XXXX"),
        ("seen on 3/14/24, knee", "seen on XXXX, knee"),
        ("MRT vom 14.3.24", "MRT vom XXXX"),
        ("scanner du 14/03/24", "scanner du XXXX"),
        ("fell on 3 March 1961", "fell on XXXX"),
        ("prior 2019-06-14 and 20190615", "prior XXXX and XXXX"),
        ("vom 14. März 2019", "vom XXXX"),
        ("od 17/IX/1943, 3 lutego 1950", "od XXXX, XXXX"),
        ("Mr Smith, Ms Brown and Hr. King", "Mr XXXX, Ms XXXX and Hr. XXXX"),
    ],
)
def test_forms_of_identity_are_masked_whoevers_they_are(text: str, wanted: str) -> None:
    assert mask_forms(text) == wanted
    assert mask_forms(wanted) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "t1_mprage_sag_p2_iso_1.0",
        "MR HAND left",
        "DR CHEST pa",
        "Patient: supine, HEAD first",
        "Name: Axial T2",
        "b 0 50 1000",
        "FOV 256x256 3.0/3.0/3.0",
        "TE 3 12 2000",
        "syngo MR E11 4.1.2.20161001",
        "CALL it 3 T",
        "tel aviv score 3",
        "lesion 12 mm, 3.5 cm, id 2",
        "Dr. Spine protocol",
        "1.2.840.10008.5.1",
        "0008-0012-1234",
        "on 3/14",
        "bsn und knie 12",
    ],
)
def test_text_of_radiology_stays(text: str) -> None:
    assert mask_forms(text, dates=False) == text


@pytest.mark.parametrize(
    "text", ["ratio 3/4/24", "on 33/14/24 steps", "am 3.14.2 mm", "L3/4/5", "version 4.1.24", "on 1/2/3"]
)
def test_three_short_numbers_are_no_day_where_no_word_says_so(text: str) -> None:
    assert mask_forms(text) == text


def test_days_stay_where_dates_do_but_for_a_birth_date() -> None:
    assert mask_forms("2019-06-14, born 03/03/1961", dates=False) == "2019-06-14, born XXXX"


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_masked_to_what_is_not_masked_further(text: str) -> None:
    assert mask_forms(mask_forms(text)) == mask_forms(text)


def test_people_whom_no_header_names_are_masked_in_descriptors_drawings_and_reports(tmp_path: Path) -> None:
    told, item = "asked by Dr. Kowalski, tel 555-1234567 on 2017-02-03", Dataset()
    item.TextValue = item.UnformattedTextValue = told
    path = an_image(tmp_path / "in", StudyDescription=told, DocumentTitle=told, ContentSequence=[item])
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=Profile(DESCRIPTORS), key=KEY))
    copy = dcmread(tmp_path / "out" / "00001.dcm")
    wanted = "asked by Dr. XXXX, tel XXXX on XXXX"
    assert (copy.StudyDescription, copy.DocumentTitle) == (wanted, wanted)
    assert (copy.ContentSequence[0].TextValue, copy.ContentSequence[0].UnformattedTextValue) == (wanted, wanted)


def test_full_dates_in_descriptors_stay_where_dates_are_retained(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", StudyDescription="prior 2017-02-03")
    profile = Profile(frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_FULL_DATES}))
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=profile, dates=DateRule.KEEP, key=KEY))
    assert dcmread(tmp_path / "out" / "00001.dcm").StudyDescription == "prior 2017-02-03"


def test_the_record_says_plainly_what_no_form_can_find() -> None:
    assert any("appear in no header may still stand in it" in line for line in not_done())
    assert not any("may still stand" in line for line in not_done(text=TextRule.REMOVE))


@pytest.mark.parametrize(
    "piece", ["A", "1-", "a.b-", "Dr. ", "van ", "tel ", "+1", "A^", "www.", "name: van ", "* ", "(1"]
)
def test_a_long_text_costs_no_more_than_its_length(piece: str) -> None:
    began = time.process_time()
    mask_forms(piece * (50_000 // len(piece)))
    assert time.process_time() - began < 1.5
