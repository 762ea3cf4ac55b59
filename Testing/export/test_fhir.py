"""FHIR bundles that the public models take, that say what the result says, and that carry nobody's name."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from slicermedai.domain.codes import MILLIMETER, ucum
from slicermedai.domain.finding import Confidence, ConfidenceState, Interval, Measurement
from slicermedai.domain.geometry import Geometry, Space
from slicermedai.domain.result import Status
from slicermedai.domain.study import Identity
from slicermedai.errors import FormatError
from slicermedai.export.formats import FORMATS, cites_of
from slicermedai.export.run import export_result
from Testing.export.cases import BRAIN_LABEL, GRIDS, LEFT_KIDNEY, LESION, SPECS, Case, a_ball, a_case
from Testing.export.test_sr_image import a_picture, said_of
from Testing.export.test_sr_regions import BOX, POINT, detected
from Testing.fixtures.series_writer import Identity as Person
from Testing.fixtures.series_writer import SeriesSpec

_AXIAL = GRIDS["axial"]
_CITED = ("seg", "sr", "fhir", "fhir-r5")


def three_findings(**options: Any) -> Case:
    masks = (a_ball(_AXIAL), a_ball(_AXIAL, radius=(0.2, 0.2, 0.1)), a_ball(_AXIAL, middle=(0.7, 0.7, 0.7)))
    return a_case(masks=masks, labels=(BRAIN_LABEL, LESION, LEFT_KIDNEY), **options)


def exported(case: Case, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    export_result(case.result, headers=case.headers, folder=folder, formats=_CITED)
    r4, r5 = (json.loads((folder / f"fhir-{name}.json").read_text(encoding="utf-8")) for name in ("r4", "r5"))
    return r4, r5


def of_kind(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def changed(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def with_measurements(case: Case, *measurements: Measurement) -> Case:
    findings = tuple(dataclasses.replace(one, measurements=measurements) for one in case.result.findings)
    return changed(case, findings=findings)


def check_models(r4: dict[str, Any], r5: dict[str, Any]) -> None:
    """The public models of both releases take the bundles, and every reference in them is answered."""
    models4 = pytest.importorskip("fhir.resources.R4B.bundle", reason="absent: fhir.resources")
    models5 = pytest.importorskip("fhir.resources.bundle", reason="absent: fhir.resources")
    models4.Bundle.model_validate(r4)
    models5.Bundle.model_validate(r5)
    for bundle in (r4, r5):
        known = {entry["fullUrl"] for entry in bundle["entry"]}
        cited = set(references(bundle))
        assert cited <= known and len(known) == len(bundle["entry"])


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [found for one in part for found in references(one)]
    if not isinstance(part, dict):
        return []
    own = [part["reference"]] if "reference" in part else []
    return own + [found for one in part.values() for found in references(one)]


@pytest.mark.parametrize("kind", SPECS)
def test_bundles_of_every_kind_of_source_are_taken_by_the_public_models(kind: str, tmp_path: Path) -> None:
    check_models(*exported(three_findings(spec=SPECS[kind]), tmp_path))


@pytest.mark.parametrize("status", [Status.NO_FINDING, Status.FAILED])
def test_no_finding_and_failure_are_reports_of_their_own(status: Status, tmp_path: Path) -> None:
    case = changed(a_case(masks=(), status=status), message="out of memory" if status is Status.FAILED else "")
    r4, r5 = exported(case, tmp_path)
    check_models(r4, r5)
    for bundle in (r4, r5):
        (report,) = of_kind(bundle, "DiagnosticReport")
        assert ("failed: out of memory" if status is Status.FAILED else "found nothing") in report["conclusion"]
        assert report["status"] == "preliminary" and "result" not in report
        assert of_kind(bundle, "Observation") == []


def test_each_number_is_an_observation_with_its_code_unit_and_method(tmp_path: Path) -> None:
    case = three_findings()
    for bundle in exported(case, tmp_path):
        by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
        (report,) = of_kind(bundle, "DiagnosticReport")
        groups = [by_url[one["reference"]] for one in report["result"]]
        for group, finding in zip(groups, case.result.findings, strict=True):
            assert group["identifier"][0]["value"] == f"urn:oid:{finding.tracking_uid}"
            assert group["valueCodeableConcept"]["coding"][0]["code"] == finding.label.type.value
            members = [by_url[one["reference"]] for one in group["hasMember"]]
            assert [member["valueQuantity"]["value"] for member in members] == [m.value for m in finding.measurements]
            for member, told in zip(members, finding.measurements, strict=True):
                assert member["valueQuantity"]["code"] == told.unit.value
                assert member["valueQuantity"]["system"] == "http://unitsofmeasure.org"
                assert member["code"]["coding"][0]["code"] == told.name.value
                assert told.method is None or member["method"]["coding"][0]["code"] == told.method.value
                assert member["status"] == "preliminary"
                (device,) = of_kind(bundle, "Device")
                assert member["device"]["reference"] == f"urn:uuid:{device['id']}"


def test_the_device_names_algorithm_version_and_weights(tmp_path: Path) -> None:
    for bundle in exported(a_case(), tmp_path):
        (device,) = of_kind(bundle, "Device")
        assert device["version"] == [{"value": "1.2.0"}]
        assert "brain" in json.dumps(device["name"] if "name" in device else device["deviceName"])
        assert "5e" * 32 in json.dumps(device["property"])


def test_the_device_is_that_of_the_algorithm_and_the_rest_that_of_the_result(tmp_path: Path) -> None:
    case = a_case()
    later = dataclasses.replace(case.result.provenance, finished="2026-11-22T05:02:03+00:00")
    cases = {"first": case, "later": changed(case, provenance=later)}
    bundles = []
    for name, one in cases.items():
        (tmp_path / name).mkdir()
        bundles.append(exported(one, tmp_path / name)[0])
    first, second = ({e["resource"]["resourceType"]: e["resource"]["id"] for e in one["entry"]} for one in bundles)
    assert first.pop("Device") == second.pop("Device")
    assert set(first.values()).isdisjoint(second.values())


def test_what_is_not_calibrated_is_absent_and_no_number(tmp_path: Path) -> None:
    for bundle in exported(a_case(), tmp_path):
        _, part = of_kind(bundle, "Observation")[0]["component"]
        assert part["dataAbsentReason"]["text"] == "not calibrated" and "valueQuantity" not in part
        assert "0.98" not in json.dumps(bundle)


def test_a_calibrated_probability_is_said_with_its_calibration(tmp_path: Path) -> None:
    case = a_case()
    sure = Confidence(state=ConfidenceState.CALIBRATED, raw_score=0.98765432, probability=0.61, calibration="site A")
    (finding,) = case.result.findings
    case = changed(case, findings=(dataclasses.replace(finding, confidence=sure),))
    for bundle in exported(case, tmp_path):
        _, part = of_kind(bundle, "Observation")[0]["component"]
        assert part["valueQuantity"]["value"] == 0.61 and "site A" in part["code"]["text"]
        assert "0.98" not in json.dumps(bundle)


def test_a_missing_number_says_why_and_an_interval_its_ends(tmp_path: Path) -> None:
    gone = Measurement(name=a_name(), value=math.nan, unit=MILLIMETER, missing="touches the edge")
    wide = Measurement(name=a_name(), value=3.0, unit=ucum("mm2"), interval=Interval(low=1.0, high=math.inf, level=0.8))
    r4, r5 = exported(with_measurements(a_case(), gone, wide), tmp_path)
    check_models(r4, r5)
    for bundle in (r4, r5):
        _, missing, between = of_kind(bundle, "Observation")
        assert missing["dataAbsentReason"]["text"] == "touches the edge" and "valueQuantity" not in missing
        assert [one["valueQuantity"]["value"] for one in between["component"]] == [1.0]
        assert "80%" in between["component"][0]["code"]["text"]


def a_name() -> Any:
    return a_case().result.findings[0].measurements[0].name


def test_the_study_lists_the_images_and_the_objects_that_came_of_them(tmp_path: Path) -> None:
    case = a_case()
    r4, _ = exported(case, tmp_path)
    (study,) = of_kind(r4, "ImagingStudy")
    uids = [instance["uid"] for series in study["series"] for instance in series["instance"]]
    written = [str(dcmread(tmp_path / name).SOPInstanceUID) for name in ("seg.dcm", "sr.dcm")]
    assert uids == [*[str(header.SOPInstanceUID) for header in case.headers], *written]
    entry = r4["entry"][0]
    assert entry["request"]["ifNoneExist"].endswith(f"urn:oid:{case.headers[0].StudyInstanceUID}")
    assert {e["request"]["method"] for e in r4["entry"][1:]} == {"PUT"}


def test_accession_and_order_are_carried(tmp_path: Path) -> None:
    case = a_case()
    request = Dataset()
    request.PlacerOrderNumberImagingServiceRequest = "P-77"
    for header in case.headers:
        header.AccessionNumber, header.RequestAttributesSequence = "A-55", [request]
    for bundle in exported(case, tmp_path):
        for kind in ("DiagnosticReport", "Observation", "ImagingStudy"):
            told = [one["identifier"]["value"] for one in of_kind(bundle, kind)[0]["basedOn"]]
            assert told == ["A-55", "P-77"]


def test_r5_says_which_segment_and_which_tracked_structure(tmp_path: Path) -> None:
    case = three_findings()
    _, r5 = exported(case, tmp_path)
    segments = dcmread(tmp_path / "seg.dcm").SegmentSequence
    selections, structures = of_kind(r5, "ImagingSelection"), of_kind(r5, "BodyStructure")
    for segment, selection, structure in zip(segments, selections, structures, strict=True):
        assert selection["instance"][0]["uid"] == str(dcmread(tmp_path / "seg.dcm").SOPInstanceUID)
        assert selection["instance"][0]["subset"] == [str(segment.SegmentNumber)]
        told = [one["value"] for one in structure["identifier"]]
        assert told == [segment.TrackingID, f"urn:oid:{segment.TrackingUID}"]
    assert structures[2]["includedStructure"][0]["laterality"]["text"] == "Left"
    assert structures[1]["morphology"]["text"] == "Lesion", "a lesion is no structure of the body"
    assert structures[1]["includedStructure"][0]["structure"]["coding"][0]["code"] == "91723000"
    assert "morphology" not in structures[0]


def test_no_name_and_no_date_of_birth_is_sent_on_any_route(tmp_path: Path) -> None:
    person = Person(patient_name="Люкceмбypг^Anna")
    case = a_case(spec=SeriesSpec(character_set=("ISO_IR 144",), identity=person, private=False))
    exported(case, tmp_path)
    for path in tmp_path.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "Люкceмбypг" not in text and str(case.headers[0].PatientBirthDate) not in text
        assert str(case.headers[0].PatientID) in text
        assert '"Patient/' not in text


def test_the_pseudonymous_route_names_a_pseudonym_as_such(tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        header.PatientIdentityRemoved = "YES"
    case = changed(case, study=dataclasses.replace(case.result.study, identity=Identity.DEIDENTIFY))
    for bundle in exported(case, tmp_path):
        kind = of_kind(bundle, "DiagnosticReport")[0]["subject"]["identifier"]["type"]["coding"][0]["code"]
        assert kind == "ANON"


def test_the_same_result_has_the_same_ids_and_bytes(tmp_path: Path) -> None:
    case = a_case()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        exported(case, tmp_path / name)
    for name in ("fhir-r4.json", "fhir-r5.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_bundle_is_not_written_without_the_objects_that_it_cites(tmp_path: Path) -> None:
    case = a_case()
    with pytest.raises(FormatError, match="seg,sr,fhir"):
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "fhir"))
    assert FORMATS["fhir"].cites == ("seg", "sr")


def bundles_of(case: Case, folder: Path, *formats: str) -> tuple[dict[str, Any], dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    export_result(case.result, headers=case.headers, folder=folder, formats=(*formats, "fhir", "fhir-r5"))
    r4, r5 = (json.loads((folder / f"fhir-{name}.json").read_text(encoding="utf-8")) for name in ("r4", "r5"))
    check_models(r4, r5)
    return r4, r5


def series_in(bundle: dict[str, Any]) -> list[str]:
    (study,) = of_kind(bundle, "ImagingStudy")
    return [instance["uid"] for series in study["series"][1:] for instance in series["instance"]]


@pytest.mark.parametrize("kind", ["sr-image", "sr-regions"])
def test_findings_without_voxels_go_into_a_bundle_that_cites_their_report(kind: str, tmp_path: Path) -> None:
    case = said_of(a_case(), LESION, LEFT_KIDNEY) if kind == "sr-image" else detected(a_case(), BOX, POINT)
    for bundle in bundles_of(case, tmp_path, kind):
        report = str(dcmread(tmp_path / f"{kind}.dcm").SOPInstanceUID)
        assert series_in(bundle) == [report]
        assert of_kind(bundle, "DiagnosticReport")[0]["identifier"][0]["value"] == f"urn:oid:{report}"
        assert of_kind(bundle, "ImagingSelection") == [], "there is no segment to select"
        found = [one["identifier"][0]["value"] for one in of_kind(bundle, "Observation")]
        assert found == [f"urn:oid:{one.tracking_uid}" for one in case.result.findings]
    assert cites_of(FORMATS["fhir"], case.result) == (kind,)
    with pytest.raises(FormatError, match=f"cites {kind}"):
        export_result(case.result, headers=case.headers, folder=tmp_path, formats=("fhir",))


def test_what_is_said_of_a_projection_goes_into_a_bundle(tmp_path: Path) -> None:
    case = said_of(a_picture(tmp_path, "DX"), LESION)
    bundles_of(case, tmp_path / "found", "sr-image")
    nothing = changed(case, findings=(), status=Status.NO_FINDING, volume_geometry=a_plane())
    r4, _ = bundles_of(nothing, tmp_path / "nothing", "sr-image")
    assert series_in(r4) == [str(dcmread(tmp_path / "nothing" / "sr-image.dcm").SOPInstanceUID)]


def a_plane() -> Geometry:
    return dataclasses.replace(_AXIAL, shape=(1, 64, 48), space=Space.PLANE)


def test_segments_beside_boxes_are_refused(tmp_path: Path) -> None:
    case = a_case()
    findings = (*case.result.findings, *detected(case, BOX).result.findings)
    with pytest.raises(FormatError, match="region"):
        export_result(
            changed(case, findings=findings).result,
            headers=case.headers,
            folder=tmp_path,
            formats=("sr-regions", "fhir", "seg", "sr"),
        )
