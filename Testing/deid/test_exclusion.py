"""Lists of patients who opted out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.valuerep import PersonName

from slicermedai.deid.exclusion import ExclusionList
from slicermedai.errors import InputError, UnreadableFileError

UID = "1.2.826.0.1.3680043.8.498.12345"
TABLE = f"""PatientID;Issuer;Name;Date of birth;Accession;Study UID;Comment
4711;;;;;;called on Monday
0815;Clinic A;;;;;
;;Müller, Jürgen;12.08.1964;;;
;;;;ACC-77;;
;;;;;{UID};
"""


def a_list(folder: Path, text: str, encoding: str = "utf-8") -> ExclusionList:
    path = folder / "opted_out.csv"
    path.write_bytes(text.encode(encoding))
    return ExclusionList.from_file(path)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PatientID": "4711"}, "line 2, by PatientID"),
        ({"PatientID": " 0004711 "}, "line 2, by PatientID"),
        ({"PatientID": "47-11", "IssuerOfPatientID": "any"}, "line 2, by PatientID"),
        ({"PatientID": "0815", "IssuerOfPatientID": "CLINIC A"}, "line 3, by PatientID"),
        ({"PatientID": "0815"}, "line 3, by PatientID"),
        ({"PatientID": "1", "OtherPatientIDs": ["2", "4711"]}, "line 2, by PatientID"),
        ({"PatientID": "1", "OtherPatientIDs": "2\\4711"}, "line 2, by PatientID"),
        ({"PatientName": "MUELLER^JUERGEN", "PatientBirthDate": "19640812"}, "line 4, by PatientName"),
        ({"PatientName": "Muller^Jurgen^Karl^Dr", "PatientBirthDate": "19640812"}, "line 4, by PatientName"),
        ({"PatientName": PersonName("Jürgen Müller"), "PatientBirthDate": "1964.08.12"}, "line 4, by PatientName"),
        ({"PatientName": "X^Y=Mu\u0308ller^Ju\u0308rgen", "PatientBirthDate": "19640812"}, "line 4, by PatientName"),
        ({"PatientName": "Müller^Jürgen"}, "line 4, by PatientName"),
        ({"PatientName": "Müller^Jürgen", "PatientBirthDate": None}, "line 4, by PatientName"),
        ({"AccessionNumber": "acc77"}, "line 5, by AccessionNumber"),
        ({"StudyInstanceUID": UID + "\0"}, "line 6, by StudyInstanceUID"),
    ],
)
def test_who_opted_out_is_found_however_it_is_written(tmp_path: Path, attributes: dict[str, Any], reason: str) -> None:
    found = a_list(tmp_path, TABLE).matches(attributes)
    assert found is not None
    assert found.startswith(f"on the exclusion list ({reason}")


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PatientID": ""},
        {"PatientID": "47110"},
        {"PatientID": "471"},
        {"PatientID": "0815", "IssuerOfPatientID": "Clinic B"},
        {"PatientName": "Müller^Jürgen", "PatientBirthDate": "19640813"},
        {"PatientName": "Müller", "PatientBirthDate": "19640812"},
        {"PatientName": "Müller^Jana", "PatientBirthDate": "19640812"},
        {"AccessionNumber": "77"},
        {"AccessionNumber": "4711"},
        {"StudyInstanceUID": UID + "6"},
        {"StudyInstanceUID": UID[:-1]},
    ],
)
def test_others_are_not_excluded(tmp_path: Path, attributes: dict[str, Any]) -> None:
    assert a_list(tmp_path, TABLE).matches(attributes) is None


def test_a_reason_and_a_list_echo_no_identity(tmp_path: Path) -> None:
    found = a_list(tmp_path, TABLE)
    attributes = {"PatientName": "MUELLER^JUERGEN", "PatientBirthDate": "19640812"}
    shown = f"{found.matches(attributes)} {found!r} {found.matches({'PatientID': '4711'})}"
    assert len(found) == 5
    assert not [word for word in ("4711", "ller", "1964", "ACC", UID) if word in shown]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_save_in_many_ways(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = (("Nachname", "Vorname", "Geburtsdatum"), ("Größer", "Zoë", "2/3/1970"))
    found = a_list(tmp_path, "\r\n".join(delimiter.join(row) for row in rows), encoding)
    for day in ("19700203", "19700302"):
        assert found.matches({"PatientName": "GROESSER^ZOE", "PatientBirthDate": day})
    assert not found.matches({"PatientName": "GROESSER^ZOE", "PatientBirthDate": "19700204"})


def test_text_has_an_id_or_a_study_uid_a_line(tmp_path: Path) -> None:
    found = a_list(tmp_path, f"# opted out in May\n\n4711\nÄB 12\n{UID}\n")
    assert len(found) == 3
    assert found.matches({"PatientID": "4711"}) == "on the exclusion list (line 3, by PatientID)"
    assert found.matches({"PatientID": "ab12"}) == "on the exclusion list (line 4, by PatientID)"
    assert found.matches({"StudyInstanceUID": UID}) == "on the exclusion list (line 5, by StudyInstanceUID)"
    assert found.matches({"PatientID": "# opted out in May"}) is None


def test_a_list_with_names_of_columns_alone_excludes_nobody(tmp_path: Path) -> None:
    found = a_list(tmp_path, "PatientID\n")
    assert len(found) == 0
    assert found.matches({"PatientID": "PatientID"}) is None


def test_a_single_name_needs_to_be_the_whole_name(tmp_path: Path) -> None:
    found = a_list(tmp_path, "name,dob\nSukarno,19010606\n")
    assert found.matches({"PatientName": "SUKARNO", "PatientBirthDate": "19010606"})
    assert not found.matches({"PatientName": "SUKARNO^Ali", "PatientBirthDate": "19010606"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4711,Mustermann\n", "line 1 has several columns, and no line says what they are"),
        ("PatientName,Comment\nMustermann,x\n", "line 1 names no column that tells patients apart"),
        ("PatientID,MRN\n4711,\n", "line 1 names two columns alike"),
        ("PatientID,Comment\n,Mustermann\n", "line 2 tells no patient"),
        ("PatientID,Name\n,Mustermann\n", "line 2 tells no patient"),
        ("Name,DOB\nMustermann,8.7.51\n", "line 2 has a birth date that cannot be read"),
        ("Name,DOB\nMustermann,31.02.1951\n", "line 2 has a birth date that cannot be read"),
        ("PatientID\n1.2E+10\n", "line 2 holds a number that a spreadsheet has shortened"),
        ("4711\n" + "4" * 65 + "\n", "line 2 holds no identifier"),
        ("StudyUID\n1.2.x\n", "line 2 has a Study Instance UID that is none"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"opted_out\.csv, exclusion list: {message}") as caught:
        a_list(tmp_path, text)
    assert "Mustermann" not in str(caught.value)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\n \n", b"# nobody\n", b"PK\x03\x04rest", b"%PDF-1.7", b"\0" * 128 + b"DICM"]
)
def test_what_is_no_list_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "opted_out.xlsx"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"opted_out\.xlsx, exclusion list"):
        ExclusionList.from_file(path)


def test_a_missing_list_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(UnreadableFileError, match="cannot be read"):
            ExclusionList.from_file(path)
