"""Every object is filed under its patient and study, says who made it and when, and crosses no identity route."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from slicermedai.domain.study import Identity
from slicermedai.errors import FormatError, IdentityError, MissingContextError
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, Case, a_case
from Testing.export.validators import dciodvfy_errors, pixelmed_errors, segimage2itkimage, tid1500reader
from Testing.fixtures.series_writer import Identity as Person
from Testing.fixtures.series_writer import SeriesSpec

NAMES = {
    "latin": (("ISO_IR 100",), "Müßigbrodt^Zoë", "ISO_IR 100"),
    "greek": (("ISO_IR 126",), "Διονυσιος", "ISO_IR 126"),
    "cyrillic": (("ISO_IR 144",), "Люкceмбypг", "ISO_IR 144"),
    "utf-8": (("ISO_IR 192",), "Wang^XiaoDong=王^小东", "ISO_IR 192"),
    "japanese": (("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 192"),
    "chinese": (("GB18030",), "Wang^XiaoDong=王^小东", "ISO_IR 192"),
    "korean": (("", "ISO 2022 IR 149"), "Hong^Gildong=洪^吉洞=홍^길동", "ISO_IR 192"),
    "ascii": (("ISO_IR 100",), "Plain^Jane", "ISO_IR 100"),
}


def exported(case: Case, folder: Path) -> tuple[Dataset, Dataset]:
    paths = export_result(case.result, headers=case.headers, folder=folder, formats=("seg", "sr"))
    return dcmread(paths[0]), dcmread(paths[1])


def named(charset: tuple[str, ...], name: str) -> Case:
    person = Person(patient_name=name)
    return a_case(spec=SeriesSpec(character_set=charset, identity=person, private=False))


@pytest.mark.parametrize("language", NAMES)
def test_a_name_in_any_script_stays_the_same_name(language: str, tmp_path: Path) -> None:
    charset, name, expected = NAMES[language]
    for dataset in exported(named(charset, name), tmp_path):
        assert str(dataset.PatientName) == name
        assert dataset.SpecificCharacterSet == expected
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []
    assert dciodvfy_errors(tmp_path / "sr.dcm") == []


@pytest.mark.parametrize("language", ["japanese"])
def test_other_readers_take_names_in_other_scripts(language: str, tmp_path: Path) -> None:
    charset, name, _ = NAMES[language]
    exported(named(charset, name), tmp_path)
    assert pixelmed_errors(tmp_path / "sr.dcm") == []
    assert segimage2itkimage(tmp_path / "seg.dcm", tmp_path)
    assert tid1500reader(tmp_path / "sr.dcm", tmp_path)["Measurements"]


def test_a_label_that_the_source_cannot_spell_makes_the_object_utf_8(tmp_path: Path) -> None:
    case = named(("ISO_IR 100",), "Müßigbrodt^Zoë")
    finding = case.result.findings[0]
    greek = dataclasses.replace(finding, label=dataclasses.replace(finding.label, name="εγκέφαλος"))
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, findings=(greek,)))
    seg, _ = exported(case, tmp_path)
    assert seg.SpecificCharacterSet == "ISO_IR 192"
    assert str(seg.PatientName) == "Müßigbrodt^Zoë"
    assert seg.SegmentSequence[0].SegmentLabel == "εγκέφαλος"


def test_a_label_with_a_backslash_or_a_line_break_stays_one_value(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    odd = dataclasses.replace(finding.label, name="left\\right\nbrain " + "x" * 80)
    result = dataclasses.replace(case.result, findings=(dataclasses.replace(finding, label=odd),))
    seg, _ = exported(dataclasses.replace(case, result=result), tmp_path)
    assert seg.SegmentSequence[0].SegmentLabel == ("left/right brain " + "x" * 80)[:64]
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []
    assert dciodvfy_errors(tmp_path / "sr.dcm") == []


def test_a_name_without_carets_is_copied_as_it_is(tmp_path: Path) -> None:
    for dataset in exported(named(("ISO_IR 100",), "Bono"), tmp_path):
        assert str(dataset.PatientName) == "Bono"


def test_patient_and_study_are_those_of_the_source(tmp_path: Path) -> None:
    case = a_case()
    header = case.headers[0]
    for dataset in exported(case, tmp_path):
        for keyword in ("PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDescription"):
            assert dataset[keyword].value == header[keyword].value, keyword
        for keyword in ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "ReferringPhysicianName"):
            assert dataset[keyword].value == header[keyword].value, keyword
        assert dataset.SeriesInstanceUID != header.SeriesInstanceUID


def test_body_part_and_space_are_those_of_the_source(tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        header.BodyPartExamined, header.Laterality = "KNEE", "R"
    seg, _ = exported(case, tmp_path)
    assert seg.BodyPartExamined == "KNEE"
    assert seg.FrameOfReferenceUID == case.headers[0].FrameOfReferenceUID
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []


def test_who_made_it_is_said(tmp_path: Path) -> None:
    seg, sr = exported(a_case(), tmp_path)
    for dataset in (seg, sr):
        assert (dataset.Manufacturer, dataset.ManufacturerModelName) == ("SlicerMedAI", "MedAI")
        assert dataset.SeriesDescription == "MedAI brain"
        assert dataset.DeviceSerialNumber
        assert "brain 1.2.0" in dataset.SoftwareVersions
        assert "highdicom" not in str(dataset.file_meta)
    assert (seg.SeriesNumber, sr.SeriesNumber) == (301, 302)
    assert str(seg.ContentCreatorName) == "SlicerMedAI^brain"


def test_objects_of_a_demonstration_say_so_where_series_are_listed(tmp_path: Path) -> None:
    case = a_case()
    made = dataclasses.replace(case.result.provenance, demonstration=True)
    result = dataclasses.replace(case.result, provenance=made)
    seg, sr = exported(dataclasses.replace(case, result=result), tmp_path)
    for dataset in (seg, sr):
        assert dataset.SeriesDescription == "MedAI demonstration only: brain"
    assert seg.ContentDescription == "Made by an algorithm, not verified, for demonstration only"
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []


@pytest.mark.parametrize(
    ("offset", "date", "time"),
    [
        (None, "20261122", "010203.456789"),
        ("+0000", "20261122", "010203.456789"),
        ("-0530", "20261121", "193203.456789"),
        ("+1400", "20261122", "150203.456789"),
    ],
)
def test_times_are_those_of_the_analysis_in_the_zone_of_the_source(
    offset: str | None, date: str, time: str, tmp_path: Path
) -> None:
    case = a_case()
    if offset:
        case.headers[0].TimezoneOffsetFromUTC = offset
    for dataset in exported(case, tmp_path):
        assert (dataset.ContentDate, dataset.ContentTime) == (date, time)
        assert (dataset.InstanceCreationDate, dataset.InstanceCreationTime) == (date, time)
        assert dataset.get("TimezoneOffsetFromUTC") == offset
        (equipment,) = dataset.ContributingEquipmentSequence
        assert str(equipment.ContributionDateTime) == f"{date}{time}{offset or '+0000'}"


def test_a_result_without_a_time_is_refused(tmp_path: Path) -> None:
    case = a_case()
    result = dataclasses.replace(case.result, provenance=dataclasses.replace(case.result.provenance, finished=""))
    with pytest.raises(FormatError, match=r"provenance\.finished"):
        export_result(result, headers=case.headers, folder=tmp_path, formats=("seg",))


def test_what_the_source_does_not_know_is_left_empty(tmp_path: Path) -> None:
    case = a_case()
    header = case.headers[0]
    for keyword in ("PatientBirthDate", "StudyID", "ReferringPhysicianName", "AccessionNumber"):
        del header[keyword]
    header.PatientSex = "U"
    for dataset in exported(case, tmp_path):
        assert (dataset.PatientBirthDate, dataset.PatientSex, dataset.StudyID) == ("", "", "")
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []


@pytest.mark.parametrize(
    "keyword",
    [
        "FrameOfReferenceUID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SOPInstanceUID",
        "Rows",
    ],
)
def test_what_must_be_said_and_is_not_known_is_refused_by_name(keyword: str, tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        del header[keyword]
    with pytest.raises(FormatError, match=keyword):
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))


def test_a_source_without_a_patient_is_asked_for_one_by_name(tmp_path: Path) -> None:
    case = a_case()
    with pytest.raises(MissingContextError, match=r"PatientID.*StudyInstanceUID"):
        export_result(case.result, headers=(), folder=tmp_path, formats=("seg",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_headers_of_somebody_else_are_refused(keyword: str, tmp_path: Path) -> None:
    case = a_case()
    case.headers[-1][keyword].value = "2.25.1"
    with pytest.raises(IdentityError, match=keyword):
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg",))


def deidentified() -> Case:
    case = a_case(GRIDS["axial"])
    study = dataclasses.replace(case.result.study, identity=Identity.DEIDENTIFY)
    return dataclasses.replace(case, result=dataclasses.replace(case.result, study=study))


def test_a_deidentified_result_is_not_filed_under_an_identified_patient(tmp_path: Path) -> None:
    case = deidentified()
    with pytest.raises(IdentityError, match="PatientIdentityRemoved") as caught:
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg",))
    assert str(case.headers[0].PatientName) not in str(caught.value)


def test_a_deidentified_result_says_how_its_identity_was_removed(tmp_path: Path) -> None:
    case = deidentified()
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113100", "DCM"
    code.CodeMeaning = "Basic Application Confidentiality Profile"
    for header in case.headers:
        header.PatientIdentityRemoved = "YES"
        header.DeidentificationMethod = "MedAI basic profile"
        header.DeidentificationMethodCodeSequence = [code]
    for dataset in exported(case, tmp_path):
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.DeidentificationMethod == "MedAI basic profile"
        assert dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert dciodvfy_errors(tmp_path / "sr.dcm") == []
