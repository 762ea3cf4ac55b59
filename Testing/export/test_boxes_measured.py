"""Sizes from inside a detector's boxes go into every format with how they were found, or that there is none."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path

import hl7
import pytest
from pydicom import dcmread

from slicermedai.domain.codes import IN_BOX, LONG_AXIS, MILLILITER, MILLIMETER, SHORT_AXIS, VOLUME, Code
from slicermedai.domain.finding import Finding, Measurement
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from slicermedai.export.words import lines
from Testing.export.cases import SPECS, Case, a_case
from Testing.export.test_sr_regions import BOX, detected
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, pixelmed_errors

WHY = "no lesion that can be measured in the box: it runs into what lies beside the box"
NUMBERS = (
    Measurement(name=VOLUME, value=0.125, unit=MILLILITER, method=IN_BOX),
    Measurement(
        name=LONG_AXIS, value=6.5, unit=MILLIMETER, method=IN_BOX, points=((-4.0, -16.0, 43.0), (2.5, -16.0, 43.0))
    ),
    Measurement(name=SHORT_AXIS, value=5.25, unit=MILLIMETER, method=IN_BOX),
)
NONE = tuple(dataclasses.replace(one, value=math.nan, points=(), missing=WHY) for one in NUMBERS)


def a_detection(kind: str = "CT", probability: float | None = None) -> Case:
    """A box with numbers and one without."""
    case = detected(a_case(spec=SPECS[kind]), BOX, BOX, probability=probability)
    measured = zip(case.result.findings, (NUMBERS, NONE), strict=True)
    findings = tuple(dataclasses.replace(one, measurements=numbers) for one, numbers in measured)
    return dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings))


def exported(case: Case, folder: Path, *formats: str) -> list[Path]:
    return export_result(case.result, headers=case.headers, folder=folder, formats=formats)


@pytest.mark.parametrize("kind", ["CT", "MR", "PET"])
def test_a_report_of_measured_boxes_is_valid(kind: str, tmp_path: Path) -> None:
    case = a_detection(kind)
    (path,) = exported(case, tmp_path, "sr-regions")
    sources = [tmp_path / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, file in zip(case.headers, sources, strict=True):
        header.save_as(file)
    assert (dciodvfy_errors(path), dcentvfy_errors([path, *sources]), pixelmed_errors(path)) == ([], [], [])


def test_they_come_back_with_their_method_and_are_no_numbers_where_there_were_none(tmp_path: Path) -> None:
    case = a_detection()
    found, refused = read_result(exported(case, tmp_path, "sr-regions")).result.findings
    assert [one.tracking_uid for one in (found, refused)] == [one.tracking_uid for one in case.result.findings]
    assert [(one.name, one.value, one.unit, one.method) for one in found.measurements] == [
        (one.name, one.value, one.unit, IN_BOX) for one in NUMBERS
    ]
    assert found.measurements[0].title == "Volume [half of contrast in the box, not validated]"
    assert refused.measurements == () and refused.region == BOX


@pytest.mark.parametrize("probability", [None, 0.61])
def test_the_report_says_why_a_box_has_no_numbers(probability: float | None, tmp_path: Path) -> None:
    (path,) = exported(a_detection(probability=probability), tmp_path, "sr-regions")
    assert [str(part.value) for part in dcmread(path).iterall()].count(f"Not measured: {WHY}") == 1
    assert pixelmed_errors(path) == [] and dciodvfy_errors(path) == []
    findings = read_result([path]).result.findings
    assert [one.confidence.probability for one in findings] == [probability] * 2


def test_the_lines_of_their_axes_say_how_they_were_found(tmp_path: Path) -> None:
    case = a_detection()
    found, refused = case.result.findings
    place = [float(one) for one in case.headers[2].ImagePositionPatient]
    ends = tuple((place[0] + x, place[1] + 8.0, place[2]) for x in (4.0, 10.5))
    lines_of = tuple(dataclasses.replace(one, points=ends) for one in found.measurements if one.name == LONG_AXIS)
    findings = (dataclasses.replace(found, measurements=lines_of), refused)
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings))
    (path,) = exported(case, tmp_path, "sr-lengths")
    texts = [str(part.value) for part in dcmread(path).iterall()]
    assert sum(IN_BOX.meaning in text for text in texts) and sum("not validated]" in text for text in texts)
    assert dciodvfy_errors(path) == []


def test_words_hl7_fhir_and_the_table_say_how_or_why_not(tmp_path: Path) -> None:
    case = a_detection()
    said = "\n".join(lines(case.result))
    assert "Volume [half of contrast in the box, not validated]: 0.125 ml" in said
    assert said.count(f"Not measured: {WHY}") == 1
    exported(case, tmp_path, "sr-regions", "hl7", "csv", "fhir")
    with (tmp_path / "findings.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {one["method_code"] for one in rows if "99MEDAI" in one["method_code"]} == {"99MEDAI:MEDAI-IN-BOX"}
    assert sum("99MEDAI" in one["method_code"] for one in rows) == 6
    (bundle,) = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("fhir-r4.json")]
    text = json.dumps(bundle)
    assert text.count('"MEDAI-IN-BOX"') == 6 and "NaN" not in text
    message = hl7.parse((tmp_path / "result.hl7").read_text("utf-8").replace("\n", "\r"))
    numbers = [one for one in message["OBX"] if str(one[2]) == "NM"]
    assert len(numbers) == 6 and all("MEDAI-IN-BOX" in str(one[17]) for one in numbers)
    assert all(message.unescape(str(one[3][0][1])).endswith("not validated]") for one in numbers)


def test_no_title_is_cut_in_hl7(tmp_path: Path) -> None:
    long = Code(value="L0JK", scheme="IBSI", meaning="Maximum 3D Diameter of a Mesh")
    case = a_detection()
    one, other = case.result.findings
    most = dataclasses.replace(NUMBERS[1], name=long, points=())
    case = dataclasses.replace(
        case, result=dataclasses.replace(case.result, findings=(dataclasses.replace(one, measurements=(most,)), other))
    )
    exported(case, tmp_path, "hl7")
    message = hl7.parse((tmp_path / "result.hl7").read_text("utf-8").replace("\n", "\r"))
    (text,) = [message.unescape(str(one[3][0][1])) for one in message["OBX"] if "Diameter" in str(one[3])]
    assert text == "Maximum 3D Diameter of a Mesh [half of contrast in the box, not validated]"


def test_a_finding_whose_numbers_are_missing_for_several_reasons_says_each() -> None:
    one, other = NONE[0], dataclasses.replace(NONE[1], missing="too small")
    assert Finding(tracking_uid="1", label=a_detection().result.findings[0].label,
                   measurements=(one, other)).why_not_measured == ""  # fmt: skip
