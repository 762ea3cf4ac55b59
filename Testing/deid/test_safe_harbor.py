"""The preset "hipaa-safe-harbor" carried out: none of the 18 identifiers is left in what is written."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, config, dcmread
from pydicom.datadict import DicomDictionary, dictionary_VR, tag_for_keyword

from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.free_rules import TERMS
from slicermedai.deid.presets import PRESETS, safe_harbor
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.table import load_table
from Testing.deid.samples import KEY, a_series

PRESET = PRESETS["hipaa-safe-harbor"]
SETTINGS = DeidSettings(profile=PRESET.profile, dates=PRESET.dates, ages=PRESET.ages, text=PRESET.text, key=KEY)
POSTAL, PLATE, MAIL = "K7X-20946", "QZ-XW 7719", "ambrosia@quillfeather.example"
VALUES = {
    **{"UI": "1.2.826.77.19.4711", "DA": "19310823", "TM": "071933", "DT": "19310823071933", "PN": "Brack^Wendeline"},
    **{"AE": "XKNODE7719", "CS": "XKCODE7719", "SH": "XK-7719-46", "LO": "Xk Quellgrund 7719", "LT": "Xk 7719 46 20"},
    **{"ST": "Xk Quellgrund 7719", "UT": "Xk Quellgrund 7719", "UC": "Xk Quellgrund 7719", "OB": b"Xk Quellgrund 7719"},
}


def planted(letter: str) -> Dataset:
    """One item with every attribute that the identifier may be in."""
    (identifier,) = (one for one in safe_harbor() if one.letter == letter)
    item = Dataset()
    for keyword in identifier.attributes:
        vr = dictionary_VR(keyword)
        inner = Dataset()
        inner.CodeMeaning = VALUES["LO"]
        item.add_new(tag_for_keyword(keyword), vr, [inner] if vr == "SQ" else VALUES[vr])
    return item


def written(tmp_path: Path, settings: DeidSettings, **attributes: Any) -> tuple[Dataset, bytes]:
    """The copy of an image with these attributes, and its bytes."""
    (tmp_path / "in").mkdir()
    dataset = dcmread(a_series(tmp_path / "series")[0])
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(tmp_path / "in" / "1.dcm")
    outcome = deidentify_all([tmp_path / "in" / "1.dcm"], tmp_path / "out", settings)
    assert [row.refused for row in outcome.files] == [""]
    path = tmp_path / "out" / "00001.dcm"
    return dcmread(path), path.read_bytes()


@pytest.mark.parametrize("letter", [one.letter for one in safe_harbor()])
def test_no_value_of_the_identifier_is_left_at_any_depth(tmp_path: Path, letter: str) -> None:
    text = f"{PLATE} {POSTAL} {MAIL}"
    item = planted(letter)
    item.TextComments, item.StudyDescription = text, text
    _, raw = written(tmp_path, SETTINGS, ReferencedImageEvidenceSequence=[item], ImageComments=text)
    for value in [*VALUES.values(), PLATE, POSTAL, MAIL, "Wendeline", "7719", "Quellgrund", "20946"]:
        token = value if isinstance(value, bytes) else value.encode()
        assert token not in raw


def test_of_dates_the_year_alone_stays_and_no_time_or_time_zone(tmp_path: Path) -> None:
    nested = Dataset()
    nested.StudyDate, nested.StudyTime, nested.AcquisitionDateTime = "20190614", "104233", "20190614104233.5+0200"
    new, _ = written(
        tmp_path,
        SETTINGS,
        PatientBirthDate="19310823",
        StudyDate="20190614",
        StudyTime="104233",
        TimezoneOffsetFromUTC="+0200",
        ReferencedImageEvidenceSequence=[nested],
    )
    found = [element for element in new.iterall() if element.VR in ("DA", "DT", "TM") and str(element.value)]
    assert {str(e.value) for e in found if e.VR == "DA"} <= {"20190101"}
    assert {str(e.value)[:4] for e in found if e.VR == "DT"} <= {"2019"}
    assert all(set(str(e.value)) <= {"0"} for e in found if e.VR == "TM")
    assert all(len(str(e.value)) == 4 for e in found if e.VR == "DT")
    assert new.StudyDate == "20190101"
    assert not new.PatientBirthDate
    assert "TimezoneOffsetFromUTC" not in new


def test_a_time_zone_stays_where_times_of_day_do(tmp_path: Path) -> None:
    settings = DeidSettings(profile=Profile(frozenset({Option.RETAIN_MODIFIED_DATES})), key=KEY)
    assert written(tmp_path, settings, TimezoneOffsetFromUTC="+0200")[0].TimezoneOffsetFromUTC == "+0200"


@pytest.mark.parametrize(
    ("age", "new"), [("089Y", "089Y"), ("090Y", "090Y"), ("093Y", "090Y"), ("104Y", "090Y"), ("007M", "007M")]
)
def test_ages_over_89_become_90_at_any_depth(tmp_path: Path, age: str, new: str) -> None:
    nested = Dataset()
    nested.PatientAge = age
    dataset, _ = written(tmp_path, SETTINGS, PatientAge=age, ReferencedImageEvidenceSequence=[nested])
    assert {element.value for element in dataset.iterall() if element.VR == "AS"} == {new}


def measured(number: str, unit: str, **more: Any) -> Dataset:
    """A numeric content item (PS3.3 C.18.1) below a container."""
    units, name, value, content = Dataset(), Dataset(), Dataset(), Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", "unit"
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "121033", "DCM", "Subject Age"
    value.MeasurementUnitsCodeSequence, value.NumericValue = [units], number
    for keyword, extra in more.items():
        setattr(value, keyword, extra)
    content.ValueType, content.RelationshipType = "NUM", "CONTAINS"
    content.ConceptNameCodeSequence, content.MeasuredValueSequence = [name], [value]
    return content


@pytest.mark.parametrize(
    ("number", "unit", "new"),
    [("93", "a", "90"), ("64", "a", "64"), ("1140", "mo", "1080"), ("1140", "mm", "1140"), ("34000", "d", "32871")],
)
def test_ages_in_reports_are_capped_by_their_unit(tmp_path: Path, number: str, unit: str, new: str) -> None:
    options = frozenset({Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_MODIFIED_DATES})
    settings = DeidSettings(profile=Profile(options), dates=DateRule.YEAR_ONLY, ages=AgeRule.CAP, key=KEY)
    more = {"FloatingPointValue": float(number)}
    dataset, raw = written(tmp_path, settings, ContentSequence=[measured(number, unit, **more)])
    value = dataset.ContentSequence[0].MeasuredValueSequence[0]
    assert (str(value.NumericValue), value.FloatingPointValue) == (new, float(new))
    assert (new == number) or struct.pack("<d", float(number)) not in raw


def test_a_fraction_does_not_tell_the_age_that_was_capped(tmp_path: Path) -> None:
    options = frozenset({Option.CLEAN_STRUCTURED_CONTENT})
    settings = DeidSettings(profile=Profile(options), ages=AgeRule.CAP, key=KEY)
    content = measured("93.5", "a", RationalNumeratorValue=187, RationalDenominatorValue=2)
    dataset, _ = written(tmp_path, settings, ContentSequence=[content])
    value = dataset.ContentSequence[0].MeasuredValueSequence[0]
    assert "RationalNumeratorValue" not in value
    assert value.NumericValue == 90


def test_ages_stay_where_nobody_asked_for_a_cap(tmp_path: Path) -> None:
    options = frozenset({Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_PATIENT_CHARACTERISTICS})
    settings = DeidSettings(profile=Profile(options), key=KEY)
    dataset, _ = written(tmp_path, settings, PatientAge="093Y", ContentSequence=[measured("93", "a")])
    assert dataset.PatientAge == "093Y"
    assert dataset.ContentSequence[0].MeasuredValueSequence[0].NumericValue == 93


TOLD = {"LO": "mother Bertha Vogelsang lives in Altona, Elbchaussee 9, she is well", "SH": "mother Bertha Vo"}
"""What nobody's header names: as long as the VR lets it be, but for LO, whose 64 characters it exceeds."""
FREE = ("LO", "LT", "SH", "ST", "UC", "UT")


def every_text() -> dict[int, str]:
    """Tag and VR of every attribute of a text VR, retired ones too, that is no part of messages or file meta."""
    rows = {tag: row[0] for tag, row in DicomDictionary.items() if row[0] in (*FREE, "CS", "DS", "IS")}
    return {tag: vr for tag, vr in rows.items() if tag >> 16 not in (0, 2) and tag != 0x00080005}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vr", [*FREE, "CS", "DS", "IS"])
def test_free_text_goes_whole_whatever_attribute_it_stands_in(
    tmp_path: Path, vr: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "replace_un_with_known_vr", False)
    wanted = [tag for tag, kind in every_text().items() if kind == vr]
    assert any(load_table().row(tag) is None for tag in wanted)
    item = Dataset()
    for tag in wanted:
        told = TOLD.get(vr, TOLD["LO"])
        item.add_new(tag, "UN", told.encode() + b" " * (len(told) % 2))
    names = {"StageName": TOLD["SH"], "DocumentTitle": TOLD["LO"], "Allergies": TOLD["LO"], "EthnicGroup": TOLD["SH"]}
    new, raw = written(tmp_path, SETTINGS, ReferencedImageEvidenceSequence=[item], **names)
    for word in (b"Vogelsang", b"Altona", b"Elbchaussee"):
        assert word not in raw
    left = {e.keyword for e in new.ReferencedImageEvidenceSequence[0] if "mother" in str(e.value)}
    assert left <= (TERMS if vr == "SH" else set())  # in 16 characters no program tells one from a name


def test_of_short_texts_only_those_of_techniques_and_codes_stay(tmp_path: Path) -> None:
    item = Dataset()
    for tag, vr in every_text().items():
        if vr in ("LO", "SH", "UC") and load_table().row(tag) is None:
            item.add_new(tag, vr, "Bertha Vo")
    new, _ = written(tmp_path, SETTINGS, ReferencedImageEvidenceSequence=[item])
    left = {e.keyword for e in new.ReferencedImageEvidenceSequence[0] if "Bertha" in str(e.value)}
    assert left == TERMS - {"CodingSchemeURL", "URNCodeValue"}


def test_codes_techniques_and_coded_strings_stay_as_they_are(tmp_path: Path) -> None:
    kept = {"Manufacturer": "Ellipsoid", "ConvolutionKernel": "B30f", "SequenceName": "*tfl3d1", "ScanOptions": "IR"}
    new, _ = written(tmp_path, SETTINGS, **kept, BodyPartExamined="HEAD", RescaleType="HU", EchoTime="2.98")
    assert {keyword: new[keyword].value for keyword in kept} == kept
    assert (new.BodyPartExamined, new.RescaleType, new.EchoTime) == ("HEAD", "HU", 2.98)


def test_a_name_after_a_label_in_the_name_of_a_technique_takes_it_whole(tmp_path: Path) -> None:
    assert written(tmp_path, SETTINGS, Manufacturer="for Dr. Kowalski")[0].Manufacturer == "REMOVED"


def test_free_text_stays_in_the_other_presets(tmp_path: Path) -> None:
    settings = DeidSettings(profile=Profile(frozenset({Option.CLEAN_DESCRIPTORS})), key=KEY)
    assert written(tmp_path, settings, DocumentTitle="knee, well")[0].DocumentTitle == "knee, well"


def test_an_identity_of_devices_that_was_asked_for_stays_beside_the_rule_for_text(tmp_path: Path) -> None:
    profile = Profile(PRESET.profile.options | {Option.RETAIN_DEVICE_IDENTITY})
    settings = DeidSettings(profile=profile, dates=PRESET.dates, text=PRESET.text, key=KEY)
    assert written(tmp_path, settings, DeviceSerialNumber="SN771")[0].DeviceSerialNumber == "SN771"
