"""What a person decided goes into every object: who verified, what was edited, and what is left out."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.domain.codes import MILLIMETER, Code
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import ConfidenceState, Measurement, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review, Status
from slicermedai.domain.study import Identity
from slicermedai.errors import FormatError
from slicermedai.export import words
from slicermedai.export.formats import FORMATS
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_pictured, export_result
from slicermedai.export.seg_read import read as read_seg
from slicermedai.export.sr_read import read as read_sr
from Testing.export.cases import GRIDS, Case, a_ball, a_case
from Testing.export.validators import dciodvfy_errors, pixelmed_errors, tid1500reader

_AXIAL = GRIDS["axial"]
_WHEN = "2026-11-23T10:20:30+01:00"
_LONGEST = Code(value="81827009", scheme="SCT", meaning="Diameter")


def two_findings() -> Case:
    small = a_ball(_AXIAL, radius=(0.2, 0.2, 0.1))
    return a_case(masks=(a_ball(_AXIAL) & ~small, small))


def reviewed(case: Case, *decisions: Decision, person: str = "Jane van Roe") -> Case:
    """Each finding decided about, in order; an edited one becomes a small block at a corner."""
    block = np.zeros(case.geometry.shape, bool)
    block[:2, :4, :4] = True
    reviews = tuple(
        Review(
            tracking_uid=finding.tracking_uid,
            person=person,
            decision=decision,
            reason="leaks" if decision is not Decision.ACCEPTED else "",
            time=_WHEN,
            region=PackedMask.from_array(block, case.geometry) if decision is Decision.EDITED else None,
        )
        for finding, decision in zip(case.result.findings, decisions, strict=False)
    )
    return changed(case, reviews=reviews)


def changed(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def exported(case: Case, folder: Path, *formats: str) -> Path:
    folder.mkdir(exist_ok=True)
    export_result(case.result, headers=case.headers, folder=folder, formats=formats)
    export_pictured(case.result, headers=case.headers, folder=folder, formats=formats, pictures=())
    return folder


def test_a_report_that_a_person_accepted_is_verified_by_that_person(tmp_path: Path) -> None:
    exported(reviewed(two_findings(), Decision.ACCEPTED, Decision.ACCEPTED), tmp_path, "seg", "sr", "sr-plain", "text")
    for name in ("sr.dcm", "sr-plain.dcm", "text.dcm"):
        dataset = dcmread(tmp_path / name)
        assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("VERIFIED", "FINAL")
        (observer,) = dataset.VerifyingObserverSequence
        assert str(observer.VerifyingObserverName) == "Roe^Jane van"
        assert str(observer.VerificationDateTime) == "20261123102030.000000+0100"
        names = [str(item.PersonName) for item in dataset.ContentSequence if item.ValueType == "PNAME"]
        assert names == ["Roe^Jane van"]
        assert dciodvfy_errors(tmp_path / name) == []
    assert pixelmed_errors(tmp_path / "sr.dcm") == []
    assert len(tid1500reader(tmp_path / "sr.dcm", tmp_path)["Measurements"]) == 2
    described = dcmread(tmp_path / "seg.dcm")
    assert described.ContentDescription == "Made by an algorithm, verified, research use only"
    assert {segment.SegmentAlgorithmType for segment in described.SegmentSequence} == {"AUTOMATIC"}


def test_a_finding_that_waits_for_its_review_keeps_all_unverified(tmp_path: Path) -> None:
    exported(reviewed(two_findings(), Decision.ACCEPTED), tmp_path, "seg", "sr")
    dataset = dcmread(tmp_path / "sr.dcm")
    assert dataset.VerificationFlag == "UNVERIFIED" and "VerifyingObserverSequence" not in dataset


def observers_in(dataset: Dataset) -> list[str]:
    return [str(item.PersonName) for item in dataset.ContentSequence if item.ValueType == "PNAME"]


def test_who_edited_is_an_observer_though_others_wait_and_the_report_is_unverified(tmp_path: Path) -> None:
    exported(reviewed(two_findings(), Decision.EDITED), tmp_path, "seg", "sr", "fhir")
    dataset = dcmread(tmp_path / "sr.dcm")
    assert (observers_in(dataset), dataset.VerificationFlag) == (["Roe^Jane van"], "UNVERIFIED")
    assert dciodvfy_errors(tmp_path / "sr.dcm") == []
    bundle = json.loads((tmp_path / "fhir-r4.json").read_text(encoding="utf-8"))
    made = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert {(one["status"], one["performer"][0]["display"]) for one in made} == {("preliminary", "Jane van Roe")}
    waiting = exported(reviewed(two_findings(), Decision.ACCEPTED), tmp_path / "accepted", "seg", "sr") / "sr.dcm"
    assert observers_in(dcmread(waiting)) == [], "who accepted one of two has made none of the report"


def test_of_several_who_verified_the_last_is_the_observer_and_all_stand_as_verifying(tmp_path: Path) -> None:
    case = reviewed(two_findings(), Decision.EDITED, Decision.ACCEPTED)
    first, second = case.result.reviews
    case = changed(case, reviews=(first, dataclasses.replace(second, person="Doe^Max")))
    dataset = dcmread(exported(case, tmp_path, "seg", "sr") / "sr.dcm")
    assert observers_in(dataset) == ["Doe^Max"]
    assert [str(one.VerifyingObserverName) for one in dataset.VerifyingObserverSequence] == ["Roe^Jane van", "Doe^Max"]
    assert dciodvfy_errors(tmp_path / "sr.dcm") == []


def test_a_review_of_the_whole_verifies_even_no_finding_and_never_a_failure(tmp_path: Path) -> None:
    whole = (Review(tracking_uid="", person="Roe^Jane", decision=Decision.ACCEPTED, time=_WHEN),)
    flags = {Status.NO_FINDING: "VERIFIED", Status.FAILED: "UNVERIFIED"}
    for status, flag in flags.items():
        case = changed(a_case(masks=(), status=status), reviews=whole)
        dataset = dcmread(exported(case, tmp_path / status.name, "sr") / "sr.dcm")
        assert dataset.VerificationFlag == flag
        assert dciodvfy_errors(tmp_path / status.name / "sr.dcm") == []


def test_a_person_who_rejects_the_whole_verifies_nothing(tmp_path: Path) -> None:
    case = reviewed(two_findings(), Decision.ACCEPTED, Decision.ACCEPTED)
    whole = Review(tracking_uid="", person="Roe^Jane", decision=Decision.REJECTED, reason="wrong patient", time=_WHEN)
    for name, reviews in (("alone", (whole,)), ("last", (*case.result.reviews, whole))):
        exported(changed(case, reviews=reviews), tmp_path / name, *FORMATS)
        dataset = dcmread(tmp_path / name / "sr.dcm")
        assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
        assert "VerifyingObserverSequence" not in dataset
        assert "|F|" not in (tmp_path / name / "result.hl7").read_text(encoding="utf-8")
        assert '"final"' not in (tmp_path / name / "fhir-r4.json").read_text(encoding="utf-8")
        for file in ("sr.dcm", "fhir-r4.json", "result.hl7"):
            told = (tmp_path / name / file).read_bytes()
            assert b"The result as a whole was rejected by a person: wrong patient." in told, file
    accepted = dataclasses.replace(whole, decision=Decision.ACCEPTED)
    exported(changed(case, reviews=(whole, accepted)), tmp_path / "again", "seg", "sr")
    assert dcmread(tmp_path / "again" / "sr.dcm").VerificationFlag == "VERIFIED"


def test_a_rejected_finding_is_in_no_object_and_its_rejection_in_all(tmp_path: Path) -> None:
    case = reviewed(two_findings(), Decision.ACCEPTED, Decision.REJECTED)
    exported(case, tmp_path, *FORMATS)
    assert [segment.name for segment in read_seg(tmp_path / "seg.dcm").segments] == ["Brain"]
    assert len(read_sr(tmp_path / "sr.dcm").groups) == 1
    gone = case.result.findings[1].tracking_uid
    for path in tmp_path.iterdir():
        assert gone.encode() not in path.read_bytes(), path.name
    for name in ("sr.dcm", "fhir-r4.json", "result.hl7", "findings.csv", "segmentation.labels.json"):
        assert b"Lesion was rejected by a person, and is left out: leaks." in (tmp_path / name).read_bytes(), name


def test_a_result_of_which_all_was_rejected_says_so(tmp_path: Path) -> None:
    case = reviewed(two_findings(), Decision.REJECTED, Decision.REJECTED)
    exported(case, tmp_path, "seg", "sr", "hl7")
    assert {path.name for path in tmp_path.iterdir()} == {"sr.dcm", "result.hl7"}
    told = read_sr(tmp_path / "sr.dcm").outcome
    assert told is not None and told.value == "111242"
    message = (tmp_path / "result.hl7").read_text(encoding="utf-8")
    assert "111242^All algorithms succeeded" in message and "111241" not in message
    assert b"A person rejected all findings of the algorithm." in (tmp_path / "sr.dcm").read_bytes()
    assert words.outcome(decided(case.result)) == "A person rejected all findings of the algorithm."
    assert (dciodvfy_errors(tmp_path / "sr.dcm"), pixelmed_errors(tmp_path / "sr.dcm")) == ([], [])


def test_an_edited_finding_has_the_voxels_and_the_volume_of_the_person(tmp_path: Path) -> None:
    case = two_findings()
    wide = Measurement(name=_LONGEST, value=9.0, unit=MILLIMETER)
    findings = [dataclasses.replace(f, measurements=(f.measurements[0], wide)) for f in case.result.findings]
    case = reviewed(changed(case, findings=tuple(findings)), Decision.ACCEPTED, Decision.EDITED)
    exported(case, tmp_path, *FORMATS)
    first, second = read_seg(tmp_path / "seg.dcm").segments
    assert np.array_equal(first.mask.to_array(), case.masks[0])
    assert int(second.mask.to_array().sum()) == 32
    kinds = [segment.SegmentAlgorithmType for segment in dcmread(tmp_path / "seg.dcm").SegmentSequence]
    drawn = [roi.ROIGenerationAlgorithm for roi in dcmread(tmp_path / "rtstruct.dcm").StructureSetROISequence]
    assert kinds == drawn == ["AUTOMATIC", "SEMIAUTOMATIC"]
    volume, diameter = read_sr(tmp_path / "sr.dcm").groups[1].measurements
    assert volume.value == pytest.approx(32 * case.geometry.voxel_volume / 1000)
    assert diameter.missing and diameter.name == _LONGEST
    assert "not assessed (edited)" in (tmp_path / "fhir-r4.json").read_text(encoding="utf-8")
    objects = sorted(tmp_path.glob("*.dcm"))
    assert {path.name: dciodvfy_errors(path) for path in objects} == {path.name: [] for path in objects}


def test_messages_are_final_and_name_the_person_once_all_is_verified(tmp_path: Path) -> None:
    exported(reviewed(two_findings(), Decision.ACCEPTED, Decision.ACCEPTED), tmp_path, "seg", "sr", "fhir", "hl7")
    bundle = json.loads((tmp_path / "fhir-r4.json").read_text(encoding="utf-8"))
    resources = [entry["resource"] for entry in bundle["entry"]]
    stated = [one for one in resources if one["resourceType"] in ("DiagnosticReport", "Observation")]
    assert {one["status"] for one in stated} == {"final"}
    assert stated[-1]["resultsInterpreter"] == [{"type": "Practitioner", "display": "Jane van Roe"}]
    lines = (tmp_path / "result.hl7").read_bytes().decode().split("\r")
    seen = [line.split("|") for line in lines if line.startswith("OBX|")]
    assert {one[11] for one in seen} == {"F"} and {one[16] for one in seen} == {"^Roe^Jane van"}


def test_people_have_no_names_on_the_pseudonymous_route(tmp_path: Path) -> None:
    case = reviewed(two_findings(), Decision.ACCEPTED, Decision.REJECTED)
    for header in case.headers:
        header.PatientIdentityRemoved = "YES"
    case = changed(case, study=dataclasses.replace(case.result.study, identity=Identity.DEIDENTIFY))
    exported(case, tmp_path, *FORMATS)
    for path in tmp_path.iterdir():
        assert b"Roe" not in path.read_bytes() and b"leaks" not in path.read_bytes(), path.name
    assert str(dcmread(tmp_path / "sr.dcm").VerifyingObserverSequence[0].VerifyingObserverName) == "Reviewer^"


def test_the_last_decision_counts_and_nothing_changes_without_one() -> None:
    case = two_findings()
    assert decided(case.result) is case.result
    rejected, accepted = (reviewed(case, one).result.reviews for one in (Decision.REJECTED, Decision.ACCEPTED))
    both = dataclasses.replace(case.result, reviews=(*rejected, *accepted))
    assert decided(both).findings == case.result.findings


@pytest.mark.parametrize(
    "review",
    [
        Review(tracking_uid="2.25.1", person="Jane Roe", decision=Decision.ACCEPTED, time=_WHEN),
        Review(tracking_uid="2.25.777001", person="Jane Roe", decision=Decision.EDITED, time=_WHEN),
    ],
    ids=["of nothing", "without voxels"],
)
def test_a_review_that_cannot_be_followed_is_refused_by_name(review: Review, tmp_path: Path) -> None:
    case = changed(two_findings(), reviews=(review,))
    with pytest.raises(FormatError, match="reviews"):
        exported(case, tmp_path, "seg", "sr")


def test_a_review_makes_other_objects_and_the_same_one_the_same_bytes(tmp_path: Path) -> None:
    case = reviewed(two_findings(), Decision.ACCEPTED, Decision.EDITED)
    folders = [exported(case, tmp_path / name, "seg", "sr") for name in ("first", "second")]
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert first == second
    exported(two_findings(), tmp_path / "before", "seg", "sr")
    uids = [dcmread(folder / "sr.dcm").SOPInstanceUID for folder in (folders[0], tmp_path / "before")]
    assert uids[0] != uids[1]
    loaded = AnalysisResult.load(case.result.save(tmp_path / "result"))
    exported(dataclasses.replace(case, result=loaded), tmp_path / "third", "seg", "sr")
    assert {path.name: path.read_bytes() for path in (tmp_path / "third").iterdir()} == first


def test_a_number_measured_after_an_edit_says_so_and_what_the_model_found_does_not(tmp_path: Path) -> None:
    case = two_findings()
    wide = Measurement(name=_LONGEST, value=9.0, unit=MILLIMETER)
    findings = [dataclasses.replace(f, measurements=(f.measurements[0], wide)) for f in case.result.findings]
    case = reviewed(changed(case, findings=tuple(findings)), Decision.ACCEPTED, Decision.EDITED)
    accepted, edit = case.result.reviews
    again = dataclasses.replace(wide, value=5.5)
    edit = dataclasses.replace(edit, measurements=(findings[1].measurements[0], again))
    case = changed(case, reviews=(accepted, edit))
    exported(case, tmp_path, "seg", "sr", "sr-plain", "fhir", "fhir-r5", "csv")
    said = "region: drawn or edited by a person, measured after that"
    model, person = read_sr(tmp_path / "sr.dcm").groups
    assert (model.measurements[1].value, person.measurements[1].value) == (9.0, 5.5)
    assert (said in model.parameters, said in person.parameters) == (False, True)
    assert "calibration: none (not assessed (edited))" in person.parameters
    for name in ("fhir-r4.json", "fhir-r5.json"):
        numbers = [one["resource"] for one in json.loads((tmp_path / name).read_text(encoding="utf-8"))["entry"]]
        noted = {one["valueQuantity"]["value"]: one.get("note") for one in numbers if "valueQuantity" in one}
        assert (noted[9.0], noted[5.5]) == (None, [{"text": said}])
    with (tmp_path / "findings.csv").open(encoding="utf-8", newline="") as stream:
        rows = {float(one["value"]): one["measured_of"] for one in csv.DictReader(stream)}
    assert (rows[9.0], rows[5.5]) == ("", said)
    for name in ("sr.dcm", "sr-plain.dcm"):
        assert (dciodvfy_errors(tmp_path / name), pixelmed_errors(tmp_path / name)) == ([], [])
    (found,) = (one for one in read_result([tmp_path / name for name in ("seg.dcm", "sr.dcm")]).result.findings[1:])
    assert found.measurements[1].value == 5.5
    assert found.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED
