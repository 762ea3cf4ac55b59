"""Bundles read back say what was written; of what others wrote, what is not understood is listed by its element."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from slicermedai.domain.codes import MILLIMETER, ucum
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Interval, Measurement
from slicermedai.domain.result import AnalysisResult, Decision, Review, Status
from slicermedai.errors import FormatError, MixedPatientsError, NoImagesError, UnreadableFileError
from slicermedai.export import fhir_read
from slicermedai.export.codes import PROBABILITY
from slicermedai.export.read_back import ReadBack, read_result
from slicermedai.export.run import export_result
from Testing.export.cases import BRAIN_LABEL, GRIDS, LEFT_KIDNEY, LESION, Case, a_ball, a_case

_AXIAL = GRIDS["axial"]
_FORMATS = ("seg", "sr", "fhir", "fhir-r5")
_FILES = ("fhir-r4.json", "fhir-r5.json")
_SIDED = dataclasses.replace(LESION, name="Lésion 左", modifier=LEFT_KIDNEY.modifier)
_WIDE = Measurement(
    name=a_case().result.findings[0].measurements[0].name,
    value=1 / 3,
    unit=ucum("mm2"),
    interval=Interval(low=0.1, high=math.inf, level=0.975),
)
_GONE = Measurement(name=PROBABILITY, value=math.nan, unit=MILLIMETER, missing="touches the edge")
_SURE = Confidence(
    state=ConfidenceState.CALIBRATED,
    probability=0.61,
    calibration="Platt scaling, site A: 31 patients",
    interval=Interval(low=0.5, high=0.7, level=0.9),
)


def full_case(**fields: Any) -> Case:
    """Three kinds of label, numbers of all kinds, calibrated and not, with warnings."""
    masks = (a_ball(_AXIAL), a_ball(_AXIAL, radius=(0.2, 0.2, 0.1)), a_ball(_AXIAL, middle=(0.7, 0.7, 0.7)))
    case = a_case(masks=masks, labels=(BRAIN_LABEL, _SIDED, LEFT_KIDNEY))
    gone = dataclasses.replace(_GONE, name=MILLI_NAME)
    findings = tuple(
        dataclasses.replace(one, measurements=(*one.measurements, _WIDE, gone), confidence=sure)
        for one, sure in zip(case.result.findings, (_SURE, one_unsure(), Confidence()), strict=True)
    )
    made = dataclasses.replace(case.result.provenance, warnings=("It reaches the edge.", "Two\nlines of it."))
    result = dataclasses.replace(case.result, findings=findings, provenance=made, **fields)
    return dataclasses.replace(case, result=result)


MILLI_NAME = _WIDE.name


def one_unsure() -> Confidence:
    return Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.98765432)


def written(case: Case, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    export_result(case.result, headers=case.headers, folder=folder, formats=_FORMATS)
    return folder


def told(finding: Finding) -> tuple[object, ...]:
    """All that a bundle holds of a finding, numbers to the last bit."""
    numbers = [
        (
            one.title,
            one.name,
            one.missing or one.value,
            one.missing or one.unit,
            one.method,
            one.derivation,
            one.interval,
        )
        for one in finding.measurements
    ]
    label, sure = finding.label, finding.confidence
    codes = (label.name, label.category, label.type, label.modifier)
    return (
        finding.tracking_uid,
        codes,
        numbers,
        (sure.state, sure.probability, sure.calibration if sure.probability else "", sure.interval),
    )


def same(before: AnalysisResult, after: AnalysisResult) -> None:
    assert [told(one) for one in after.findings] == [told(one) for one in before.findings]
    made, read = before.provenance, after.provenance
    for name in ("bundle", "bundle_version", "weights_sha256", "device", "precision", "seed", "warnings"):
        assert getattr(read, name) == getattr(made, name), name
    assert (after.status, after.message) == (before.status, before.message)
    assert after.study.study_uid == before.study.study_uid
    assert after.sources[0].series_uid == before.sources[0].series_uid


def of_bundle(case: Case, folder: Path, file: str) -> ReadBack:
    return read_result([written(case, folder) / file])


@pytest.mark.parametrize("file", _FILES)
def test_a_bundle_comes_back_with_every_number_and_what_it_cannot_hold_is_listed(file: str, tmp_path: Path) -> None:
    case = full_case()
    read = of_bundle(case, tmp_path, file)
    same(case.result, read.result)
    assert [one.region for one in read.result.findings] == [None] * 3
    assert read.lost == (
        "FHIR bundles hold neither places nor colours of findings.",
        "None of the objects names the grid of the image that was analysed.",
    )
    (source,) = read.result.sources
    assert [one.sop_instance_uid for one in source.instances] == [str(one.SOPInstanceUID) for one in case.headers]
    assert read.result.provenance.finished == "2026-11-22T01:02:03+00:00"
    assert read.result.study.patient_id == str(case.headers[0].PatientID)


def test_all_objects_together_are_one_result_with_voxels_and_numbers_to_the_last_bit(tmp_path: Path) -> None:
    case = full_case()
    read = read_result(sorted(written(case, tmp_path).iterdir()))
    same(case.result, read.result)
    for one, other in zip(case.result.findings, read.result.findings, strict=True):
        assert (one.region.to_array() == other.region.to_array()).all()  # type: ignore[union-attr]
    assert read.lost == ()


@pytest.mark.parametrize("file", _FILES)
@pytest.mark.parametrize("status", [Status.NO_FINDING, Status.FAILED])
def test_no_finding_and_failure_come_back_as_such_with_their_reason(file: str, status: Status, tmp_path: Path) -> None:
    case = a_case(masks=(), status=status)
    message = "out of memory: 3. Try less" if status is Status.FAILED else ""
    result = dataclasses.replace(case.result, message=message)
    read = of_bundle(dataclasses.replace(case, result=result), tmp_path, file)
    assert (read.result.status, read.result.findings, read.result.message) == (status, (), message)
    both = read_result(sorted(tmp_path.iterdir()))
    assert (both.result.status, both.result.message) == (status, message)


@pytest.mark.parametrize("file", _FILES)
def test_who_verified_and_when_comes_back(file: str, tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    when = "2026-11-23T10:20:30+01:00"
    review = Review(tracking_uid=finding.tracking_uid, person="Roe^Jane", decision=Decision.ACCEPTED, time=when)
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, reviews=(review,)))
    (found,) = of_bundle(case, tmp_path, file).result.reviews
    assert (found.tracking_uid, found.person, found.decision, found.time) == ("", "Jane Roe", "accepted", when)
    (once,) = read_result(sorted(tmp_path.iterdir())).result.reviews
    assert (once.person, once.time) == ("Roe^Jane", when), "told twice, it is one review, with the fuller name"


def test_an_edited_finding_stays_one_that_was_edited(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    review = Review(
        tracking_uid=finding.tracking_uid,
        person="Roe",
        decision=Decision.EDITED,
        region=finding.region,
        time="2026-11-23",
    )
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, reviews=(review,)))
    for file in _FILES:
        (found,) = of_bundle(case, tmp_path / file, file).result.findings
        assert found.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED


# --- what others wrote -----------------------------------------------------------------------------------------------


_SCT, _UCUM = "http://snomed.info/sct", "http://unitsofmeasure.org"


def coded(value: str, name: str, system: str = _SCT) -> dict[str, Any]:
    return {"coding": [{"system": "urn:local", "code": "x"}, {"system": system, "code": value, "display": name}]}


def an_observation(name: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": coded("118565006", "Volume"),
        "subject": {"reference": "Patient/p"},
        "valueQuantity": {"value": 12.5, "unit": "ml", "system": _UCUM, "code": "mL"},
    }
    return {key: value for key, value in {**made, **fields}.items() if value is not None}


def a_report(*results: str, **fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "result": [{"reference": f"Observation/{one}"} for one in results],
        "resultsInterpreter": [{"display": "Dr Roe"}],
        **fields,
    }


_PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [
        {"value": "local"},
        {
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
            "value": "P-1",
        },
    ],
}


def a_bundle(path: Path, *resources: dict[str, Any]) -> Path:
    entries = [{"fullUrl": f"https://h/fhir/{one['resourceType']}/{one['id']}", "resource": one} for one in resources]
    content = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_number_that_stands_alone_is_a_finding_of_its_site(tmp_path: Path) -> None:
    liver = coded("10200004", "Liver")
    path = a_bundle(tmp_path / "b.json", a_report("v"), an_observation("v", bodySite=liver), _PATIENT)
    read = read_result([path])
    (finding,) = read.result.findings
    assert (finding.label.name, finding.label.type.value, finding.label.category.value) == (
        "Liver",
        "10200004",
        "123037004",
    )
    assert [(one.value, one.unit.value) for one in finding.measurements] == [(12.5, "mL")]
    assert finding.confidence.reason == "the report names no calibration"
    assert (read.result.study.patient_id, read.result.reviews[0].person) == ("P-1", "Dr Roe")
    assert "b.json: 1 resources Patient were not read." in read.lost


def test_members_within_members_are_read_once_and_a_ring_of_them_ends(tmp_path: Path) -> None:
    lesion = coded("108369006", "Neoplasm")
    ring = [{"reference": "Observation/inner"}, {"reference": "Observation/outer"}, {"reference": "Observation/v"}]
    outer = an_observation("outer", valueQuantity=None, hasMember=ring)
    inner = an_observation("inner", valueQuantity=None, valueCodeableConcept=lesion, hasMember=[*ring[1:]])
    found = read_result([a_bundle(tmp_path / "b.json", a_report("outer"), outer, inner, an_observation("v"))])
    assert sum(len(one.measurements) for one in found.result.findings) >= 1
    assert {one.label.type.value for one in found.result.findings} >= {"108369006"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"valueQuantity": {"value": 5, "comparator": "<", "system": _UCUM, "code": "mm"}}, "no number with a code"),
        ({"valueQuantity": {"value": 5, "unit": "inches"}}, "no number with a code"),
        ({"valueQuantity": None, "valueString": "large, of Jane Roe"}, "no number with a code"),
        ({"code": {"text": "size of Jane Roe"}}, "no number with a code"),
        ({"status": "entered-in-error"}, "no number with a code"),
        ({"component": [{"code": coded("1", "Other"), "valueString": "Jane Roe"}]}, "1 components are not understood"),
        (
            {
                "component": [
                    {"code": coded("371885007", "Lower"), "valueQuantity": {"value": 1, "system": _UCUM, "code": "1"}}
                ]
            },
            "does not say its level",
        ),
    ],
)
def test_a_member_that_is_not_understood_is_named_and_never_quoted(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    group = an_observation(
        "g",
        valueQuantity=None,
        valueCodeableConcept=coded("108369006", "Neoplasm"),
        hasMember=[{"reference": "Observation/a"}, {"reference": "Observation/b"}],
    )
    path = a_bundle(tmp_path / "b.json", a_report("g"), group, an_observation("a", **fields), an_observation("b"))
    read = read_result([path])
    (finding,) = read.result.findings
    assert finding.measurements[-1].value == 12.5
    assert [one for one in read.lost if said in one and one.startswith("b.json: Observation 2")]
    assert "Roe" not in " ".join(read.lost)


def test_what_is_not_in_the_file_or_in_no_report_is_counted(tmp_path: Path) -> None:
    path = a_bundle(tmp_path / "b.json", a_report("v", "gone"), an_observation("v"), an_observation("stray"))
    lost = " ".join(read_result([path]).lost)
    assert "result names 1 resources that are not in the file" in lost
    assert "1 Observations belong to no report" in lost


def test_a_single_resource_with_what_it_contains_is_read(tmp_path: Path) -> None:
    report = a_report(contained=[an_observation("v")]) | {"result": [{"reference": "#v"}]}
    path = tmp_path / "r.json"
    path.write_text("\ufeff" + json.dumps(report), encoding="utf-8")
    assert [one.measurements[0].value for one in read_result([path]).result.findings] == [12.5]
    alone = tmp_path / "o.json"
    alone.write_text(json.dumps(an_observation("v")), encoding="utf-8")
    assert len(read_result([alone]).result.findings) == 1


def test_several_patients_in_one_bundle_are_refused(tmp_path: Path) -> None:
    other = an_observation("v", subject={"identifier": {"value": "P-2"}})
    with pytest.raises(MixedPatientsError, match="subject"):
        read_result([a_bundle(tmp_path / "b.json", a_report("v"), other, _PATIENT)])


def test_that_several_devices_are_read_as_one_is_said(tmp_path: Path) -> None:
    devices = [{"resourceType": "Device", "id": name, "deviceName": [{"name": name}]} for name in ("a", "b")]
    made = [an_observation(n, device={"reference": f"Device/{d}"}) for n, d in (("v", "a"), ("w", "b"), ("x", "a"))]
    read = read_result([a_bundle(tmp_path / "b.json", a_report("v", "w", "x"), *made, *devices)])
    assert read.result.provenance.bundle == "a"
    assert "b.json: 2 Devices made the Observations: all are read as of the first." in read.lost
    alone = read_result([a_bundle(tmp_path / "c.json", a_report("v", "x"), made[0], made[2], devices[0])])
    assert not any("Devices" in text for text in alone.lost)


@pytest.mark.parametrize("giver", [{"system": "urn:ward-b"}, {"assigner": {"display": "Ward B"}}])
def test_one_number_of_two_givers_is_two_patients(giver: dict[str, Any], tmp_path: Path) -> None:
    mine = {"value": "P-1", "system": "urn:ward-a", "assigner": {"display": "Ward A"}}
    report = a_report("v", subject={"identifier": mine})
    one = an_observation("v", subject={"identifier": mine})
    assert read_result([a_bundle(tmp_path / "a.json", report, one)]).result.study.patient_id == "P-1"
    other = an_observation("v", subject={"identifier": mine | giver})
    with pytest.raises(MixedPatientsError, match="subject"):
        read_result([a_bundle(tmp_path / "b.json", report, other)])


def test_an_organization_is_no_person_who_verified(tmp_path: Path) -> None:
    for number, who in enumerate(({"reference": "Organization/x"}, {"type": "Organization"})):
        report = a_report("v", resultsInterpreter=[{"display": "Department", **who}])
        assert read_result([a_bundle(tmp_path / f"{number}.json", report, an_observation("v"))]).result.reviews == ()


def test_a_bundle_of_another_patient_or_study_than_the_objects_is_refused(tmp_path: Path) -> None:
    case = a_case()
    folder = written(case, tmp_path / "out")
    text = (folder / _FILES[0]).read_text(encoding="utf-8")
    (folder / _FILES[0]).write_text(text.replace(str(case.headers[0].PatientID), "P-2"), encoding="utf-8")
    with pytest.raises(MixedPatientsError, match="PatientID"):
        read_result(sorted(folder.iterdir()))
    (folder / _FILES[0]).write_text(text.replace(str(case.headers[0].StudyInstanceUID), "1.2.3"), encoding="utf-8")
    with pytest.raises(MixedPatientsError, match="StudyInstanceUID"):
        read_result(sorted(folder.iterdir()))


@pytest.mark.parametrize("text", ['{"resourceType": "Bundle", "entry": [', "{" * 100_000, '{"a": NaN}'])
def test_what_is_no_json_is_refused_by_the_name_of_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"b\.json"):
        fhir_read.read(path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"resourceType": "Patient"},
        {"resourceType": "Bundle", "entry": [3]},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation", "component": 3}}]},
    ],
)
def test_what_is_no_report_is_listed(content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FormatError):
        fhir_read.read(path)
    with pytest.raises(NoImagesError):
        read_result([path])
    case = a_case()
    folder = written(case, tmp_path / "out")
    assert any(one.startswith("b.json: not understood") for one in read_result([folder / "seg.dcm", path]).lost)
