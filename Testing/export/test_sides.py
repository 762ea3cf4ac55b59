"""Left stays left on every road, for structures and for lesions, and nobody's translation of a code becomes a side."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from slicermedai.domain.codes import Code, Label
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, LEFT_KIDNEY, LESION, Case, a_ball, a_case
from Testing.export.test_explanations import named, walk
from Testing.export.test_fhir_read import a_bundle, a_report, an_observation, coded
from Testing.export.test_sr_image import said_of
from Testing.export.test_sr_regions import BOX, detected
from Testing.export.validators import dciodvfy_errors, pixelmed_errors

_LEFT, _RIGHT = LEFT_KIDNEY.modifier, Code(value="24028007", scheme="SCT", meaning="Right")
_LEFT_LESION = dataclasses.replace(LESION, modifier=_LEFT)
_ALL = ("seg", "sr", "fhir", "fhir-r5", "hl7", "csv", "nifti", "nrrd")


def of_label(label: Label, *formats: str, folder: Path) -> Path:
    case = a_case(masks=(a_ball(GRIDS["axial"]),), labels=(label,))
    export_result(case.result, headers=case.headers, folder=folder, formats=formats or _ALL)
    return folder


@pytest.mark.parametrize("label", [LEFT_KIDNEY, _LEFT_LESION], ids=["structure", "lesion"])
def test_the_side_is_in_every_format_that_names_the_finding(label: Label, tmp_path: Path) -> None:
    of_label(label, folder=tmp_path)
    message = (tmp_path / "result.hl7").read_text(encoding="utf-8").split("\r")
    assert any("|CWE|272741003^Laterality^SCT|1|7771000^Left^SCT|" in line for line in message)
    with (tmp_path / "findings.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["modifier_code"] for row in csv.DictReader(stream)} == {"SCT:7771000"}
    table = json.loads((tmp_path / "segmentation.labels.json").read_text(encoding="utf-8"))
    assert table["labels"]["1"]["modifier"] == "SCT:7771000 Left"
    assert "SCT^7771000^Left" in (tmp_path / "segmentation.seg.nrrd").read_bytes().decode("latin-1")
    (side,) = [item for item in walk(dcmread(tmp_path / "sr.dcm")) if named(item, "272741003")]
    assert side.ConceptCodeSequence[0].CodeValue == "7771000"
    assert (dciodvfy_errors(tmp_path / "sr.dcm"), pixelmed_errors(tmp_path / "sr.dcm")) == ([], [])


@pytest.mark.parametrize("label", [LEFT_KIDNEY, _LEFT_LESION], ids=["structure", "lesion"])
@pytest.mark.parametrize("file", ["fhir-r4.json", "fhir-r5.json"])
def test_a_site_of_fhir_has_codings_of_one_meaning_and_the_side_beside_them(
    label: Label, file: str, tmp_path: Path
) -> None:
    of_label(label, "seg", "sr", "fhir", "fhir-r5", folder=tmp_path)
    content = json.loads((tmp_path / file).read_text(encoding="utf-8"))
    observations = [one["resource"] for one in content["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert len(observations) > 2
    for one in observations:
        assert len(one.get("bodySite", {}).get("coding", [0])) == 1
        sides = [part for part in one["component"] if part["code"]["coding"][0]["code"] == "272741003"]
        assert [part["valueCodeableConcept"]["coding"][0]["display"] for part in sides] == ["Left"]
    (finding,) = read_result([tmp_path / file]).result.findings
    assert finding.label.modifier == _LEFT


def whole(case: Case) -> tuple[Case, str]:
    return said_of(case, _LEFT_LESION), "sr-image"


def boxed(case: Case) -> tuple[Case, str]:
    found = detected(case, BOX)
    findings = tuple(dataclasses.replace(one, label=_LEFT_LESION) for one in found.result.findings)
    return dataclasses.replace(found, result=dataclasses.replace(found.result, findings=findings)), "sr-regions"


@pytest.mark.parametrize("made", [whole, boxed])
def test_the_side_of_a_lesion_without_voxels_comes_back_from_its_report(made: Any, tmp_path: Path) -> None:
    case, name = made(a_case())
    (path,) = export_result(case.result, headers=case.headers, folder=tmp_path, formats=(name,))
    assert (dciodvfy_errors(path), pixelmed_errors(path)) == ([], [])
    read = read_result([path])
    (finding,) = read.result.findings
    assert (finding.label.modifier, finding.label.category) == (_LEFT, LESION.category)
    assert not any("Finding Site" in text for text in read.lost)


def translated(value: str, name: str) -> dict[str, Any]:
    site = coded("10200004", "Liver")
    site["coding"].append({"system": "http://radlex.org", "code": value, "display": name})
    return site


def test_a_translation_of_a_site_is_no_side(tmp_path: Path) -> None:
    path = a_bundle(tmp_path / "b.json", a_report("v"), an_observation("v", bodySite=translated("RID58", "liver")))
    (finding,) = read_result([path]).result.findings
    assert (finding.label.type.value, finding.label.modifier) == ("10200004", None)


def a_side(value: str, name: str) -> dict[str, Any]:
    return {"code": coded("272741003", "Laterality"), "valueCodeableConcept": coded(value, name)}


def test_two_sides_of_one_finding_are_none_and_that_is_said(tmp_path: Path) -> None:
    one = an_observation("v", component=[a_side("7771000", "Left"), a_side("24028007", "Right")])
    read = read_result([a_bundle(tmp_path / "b.json", a_report("v"), one)])
    assert read.result.findings[0].label.modifier in (None,), "neither of them"
    assert any("several sides" in text for text in read.lost)
    alone = an_observation("v", component=[a_side("24028007", "Right")])
    (finding,) = read_result([a_bundle(tmp_path / "c.json", a_report("v"), alone)]).result.findings
    assert finding.label.modifier == _RIGHT
