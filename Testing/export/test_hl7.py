"""An ORU^R01 that two public parsers read, with every number in its place and nobody named who must not be."""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from pydicom import DataElement, Dataset
from pydicom.tag import Tag

from slicermedai.domain.codes import MILLIMETER, ucum
from slicermedai.domain.finding import Box, Confidence, ConfidenceState, Measurement
from slicermedai.domain.result import Status
from slicermedai.domain.study import Identity
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, LESION, SPECS, Case, a_ball, a_case
from Testing.fixtures.series_writer import Identity as Person
from Testing.fixtures.series_writer import SeriesSpec

hl7 = pytest.importorskip("hl7", reason="absent: hl7 (PyPI)")
parser = pytest.importorskip("hl7apy.parser", reason="absent: hl7apy (PyPI)")


def exported(case: Case, folder: Path) -> str:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("hl7",))
    return path.read_bytes().decode("utf-8")


def read(text: str) -> Any:
    """The message as ``hl7`` reads it, after ``hl7apy`` found that it keeps to the tables of 2.5.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        strict = parser.parse_message(text, find_groups=True, validation_level=1)
        assert strict.validate()
    return hl7.parse(text)


def observed(message: Any) -> list[tuple[str, str, str, str]]:
    """(type, code, group, value) of each OBX, escapes undone."""
    return [(str(one[2]), str(one[3][0][0]), str(one[4]), str(message.unescape(str(one[5])))) for one in message["OBX"]]


def changed(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


@pytest.mark.parametrize("kind", SPECS)
def test_both_parsers_take_the_message_of_every_kind_of_source(kind: str, tmp_path: Path) -> None:
    message = read(exported(a_case(spec=SPECS[kind]), tmp_path))
    assert str(message["MSH"][0][9]) == "ORU^R01^ORU_R01"
    assert str(message["MSH"][0][12]) == "2.5.1"


def test_every_number_is_there_with_its_unit_method_and_finding(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]), a_ball(GRIDS["axial"], radius=(0.2, 0.2, 0.1))))
    message = read(exported(case, tmp_path))
    numbers = [one for one in message["OBX"] if str(one[2]) == "NM"]
    told = [(str(n), m) for n, f in enumerate(case.result.findings, 1) for m in f.measurements]
    for one, (group, measurement) in zip(numbers, told, strict=True):
        assert str(one[3][0][0]) == measurement.name.value
        assert float(str(one[5])) == measurement.value
        assert (str(one[6][0][0]), str(one[6][0][2])) == (measurement.unit.value, "UCUM")
        assert (str(one[4]), str(one[11])) == (group, "P")
        assert measurement.method is None or str(one[17][0][0]) == measurement.method.value
    assert str(message["OBR"][0][25]) == "P"


def test_patient_accession_and_order_are_those_of_the_source(tmp_path: Path) -> None:
    request = Dataset()
    request.PlacerOrderNumberImagingServiceRequest = "P^77"
    person = Person(patient_name="Doe^Jane^Q^Dr^III")
    case = a_case(spec=SeriesSpec(identity=person, private=False))
    for header in case.headers:
        header.AccessionNumber, header.RequestAttributesSequence = "A|55", [request]
    text = exported(case, tmp_path)
    message = read(text)
    assert str(message["PID"][0][5]) == "Doe^Jane^Q^III^Dr"
    assert str(message["PID"][0][3][0][0]) == case.headers[0].PatientID
    assert (str(message["OBR"][0][2]), str(message["OBR"][0][18])) == ("P\\S\\77", "A\\F\\55")


def test_letters_of_any_script_and_delimiters_in_a_name_stay_what_they_are(tmp_path: Path) -> None:
    person = Person(patient_name="Люкceмбypг^Анна")
    case = a_case(spec=SeriesSpec(character_set=("ISO_IR 144",), identity=person, private=False))
    (finding,) = case.result.findings
    odd = dataclasses.replace(finding.label, name="a|b^c&d~e\\f\rεγ")
    case = changed(case, findings=(dataclasses.replace(finding, label=odd),))
    text = exported(case, tmp_path)
    assert "Люкceмбypг^Анна" in text
    (found,) = [one for one in read(text)["OBX"] if str(one[2]) == "CWE"]
    assert str(found[5]).endswith("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f εγ")
    assert hl7.parse(text).unescape("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f") == "a|b^c&d~e\\f"


def test_the_pseudonymous_route_has_no_name_and_no_date_of_birth(tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        header.PatientIdentityRemoved = "YES"
    case = changed(case, study=dataclasses.replace(case.result.study, identity=Identity.DEIDENTIFY))
    text = exported(case, tmp_path)
    read(text)
    header = case.headers[0]
    assert str(header.PatientName).split("^")[0] not in text
    assert str(header.PatientBirthDate) not in text
    assert "^^^^ANON|" in text


@pytest.mark.parametrize(("status", "code"), [(Status.NO_FINDING, "111241"), (Status.FAILED, "111245")])
def test_no_finding_and_failure_are_said(status: Status, code: str, tmp_path: Path) -> None:
    case = changed(a_case(masks=(), status=status), message="out of memory" if status is Status.FAILED else "")
    seen = observed(read(exported(case, tmp_path)))
    assert any(kind == "CWE" and name == "111017" and value.startswith(code) for kind, name, _, value in seen)
    assert any("failed: out of memory" in value for *_, value in seen) == (status is Status.FAILED)


def test_only_a_calibrated_number_is_a_probability(tmp_path: Path) -> None:
    case = a_case()
    text = exported(case, tmp_path)
    assert "|not calibrated|" in text and "122157" not in text and "0.98" not in text
    (finding,) = case.result.findings
    sure = Confidence(state=ConfidenceState.CALIBRATED, raw_score=0.98765432, probability=0.61, calibration="site A")
    text = exported(changed(case, findings=(dataclasses.replace(finding, confidence=sure),)), tmp_path)
    assert ("NM", "122157", "1", "0.61") in observed(read(text))
    assert "0.98" not in text and "site A" in text


def test_a_missing_number_is_not_obtained_and_a_small_one_has_no_exponent(tmp_path: Path) -> None:
    case = a_case(labels=(LESION,))
    (finding,) = case.result.findings
    name = finding.measurements[0].name
    gone = Measurement(name=name, value=math.nan, unit=MILLIMETER, missing="touches the edge")
    small = Measurement(name=name, value=1.5e-7, unit=ucum("mm2"))
    case = changed(case, findings=(dataclasses.replace(finding, measurements=(gone, small)),))
    missing, tiny = [one for one in read(exported(case, tmp_path))["OBX"] if str(one[2]) == "NM"]
    assert (str(missing[5]), str(missing[11])) == ("", "X")
    assert float(str(tiny[5])) == 1.5e-7 and "e" not in str(tiny[5])


def test_a_probability_that_is_small_has_no_exponent_either(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    sure = Confidence(state=ConfidenceState.CALIBRATED, raw_score=0.1, probability=2e-5, calibration="site A")
    seen = observed(read(exported(changed(case, findings=(dataclasses.replace(finding, confidence=sure),)), tmp_path)))
    assert ("NM", "122157", "1", "0.00002") in seen


def test_the_reason_of_a_missing_number_is_a_note_below_it(tmp_path: Path) -> None:
    case = a_case(labels=(LESION,))
    (finding,) = case.result.findings
    name = finding.measurements[0].name
    gone = Measurement(name=name, value=math.nan, unit=MILLIMETER, missing="touches | the edge")
    odd = Measurement(name=name, value=math.inf, unit=MILLIMETER)
    text = exported(changed(case, findings=(dataclasses.replace(finding, measurements=(gone, odd)),)), tmp_path)
    assert [str(one[3]) for one in read(text)["NTE"]] == ["touches \\F\\ the edge", "not a number"]
    lines = text.split("\r")
    above = [lines[number - 1] for number, line in enumerate(lines) if line.startswith("NTE|")]
    assert all("|NM|" in line and "|X|" in line for line in above)


def test_a_date_that_is_none_does_not_break_the_message(tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        header._dict[Tag("StudyDate")] = DataElement("StudyDate", "LO", "2026|01\rX")
        header._dict[Tag("StudyTime")] = DataElement("StudyTime", "LO", "0^3&4")
    text = exported(case, tmp_path)
    (order,) = [line.split("|") for line in text.split("\r") if line.startswith("OBR|")]
    assert order[7] == "2026\\F\\01 X0\\S\\3\\T\\4"
    assert order[25] == "P"


def test_long_text_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    case = a_case()
    long = "read this | first " * 40
    case = changed(case, provenance=dataclasses.replace(case.result.provenance, warnings=(long,)))
    message = read(exported(case, tmp_path))
    texts = [str(one[5]) for one in message["OBX"] if str(one[2]) == "TX"]
    assert all(len(text) <= 199 for text in texts)
    whole = " ".join(message.unescape(text) for text in texts)
    assert " ".join(long.split()) in whole and "Not for primary diagnosis" in whole


def test_the_same_result_is_the_same_message(tmp_path: Path) -> None:
    case = a_case()
    (tmp_path / "second").mkdir()
    first, second = exported(case, tmp_path), exported(case, tmp_path / "second")
    assert first == second
    other = changed(case, provenance=dataclasses.replace(case.result.provenance, seed=8))
    assert str(hl7.parse(exported(other, tmp_path))["MSH"][0][10]) != str(hl7.parse(first)["MSH"][0][10])
    assert len(str(hl7.parse(first)["MSH"][0][10])) == 20


def test_a_detection_without_voxels_is_sent_too(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    box = Box(low=(0.0, 0.0, 0.0), high=(1.0, 2.0, 3.0))
    case = changed(case, findings=(dataclasses.replace(finding, region=box, measurements=()),))
    assert ("ST", "112040", "1", finding.tracking_uid) in observed(read(exported(case, tmp_path)))
