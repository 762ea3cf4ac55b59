"""A structure keeps its tracking UID at a second time point, wherever a result names it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from slicermedai.cli.execute import execute
from slicermedai.dicom.headers import save_headers
from slicermedai.domain.codes import Code, Label
from slicermedai.domain.finding import Box, PackedMask, Point, numbered, numbers
from slicermedai.domain.result import AnalysisResult, Decision, Quality, Review
from slicermedai.domain.reviewed import save_reviewed
from slicermedai.domain.study import Identity, Study
from slicermedai.domain.tracking import followed
from slicermedai.errors import IdentityError, InputError
from slicermedai.export.own import read_own
from slicermedai.export.subject import tracking_id
from slicermedai.jobs.specs import ExportJob
from Testing.export.cases import BRAIN_LABEL, GRIDS, LEFT_KIDNEY, LESION, Case, a_ball, a_case
from Testing.export.test_pmap import a_map, with_maps

_RIGHT_KIDNEY = dataclasses.replace(LEFT_KIDNEY, modifier=None)


def at(time: str, *labels: object) -> Case:
    """A study of one patient with findings of ``labels``, tracked by names of that time."""
    ball = a_ball(GRIDS["axial"])
    case = a_case(masks=(ball,) * len(labels), labels=labels)  # type: ignore[arg-type]
    findings = tuple(
        dataclasses.replace(one, tracking_uid=f"2.25.{time}{number}")
        for number, one in enumerate(case.result.findings, 1)
    )
    study = dataclasses.replace(case.result.study, patient_id=str(case.headers[0].PatientID))
    return dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings, study=study))


def uids(result: AnalysisResult) -> list[str]:
    return [one.tracking_uid for one in result.findings]


def test_what_is_there_once_keeps_its_uid_and_what_is_there_twice_its_own() -> None:
    earlier = at("1", LEFT_KIDNEY, LESION, BRAIN_LABEL).result
    later = at("2", BRAIN_LABEL, LESION, LESION, LEFT_KIDNEY).result
    assert uids(followed(later, earlier).result) == ["2.25.13", "2.25.22", "2.25.23", "2.25.11"]


def test_what_cannot_have_the_earlier_uid_since_another_finding_has_it_is_not_matched() -> None:
    earlier = at("1", LEFT_KIDNEY, BRAIN_LABEL).result
    later = at("2", LEFT_KIDNEY, BRAIN_LABEL, LESION).result
    taken = dataclasses.replace(later.findings[2], tracking_uid="2.25.11")
    found = followed(dataclasses.replace(later, findings=(*later.findings[:2], taken)), earlier)
    assert uids(found.result) == ["2.25.21", "2.25.12", "2.25.11"]
    links = {one.finding: one for one in found.links if one.finding}
    assert (links["2.25.21"].earlier, links["2.25.22"].earlier) == ("", "2.25.12")
    assert links["2.25.21"].how == "not matched: another finding has its tracking UID"
    assert [(one.earlier, one.how) for one in found.links if not one.finding] == [
        ("2.25.11", "not matched: another finding has its tracking UID")
    ]


def test_where_all_that_is_known_has_its_uid_taken_nothing_is_known() -> None:
    earlier, later = at("1", BRAIN_LABEL).result, at("2", BRAIN_LABEL, LESION).result
    taken = dataclasses.replace(later.findings[1], tracking_uid="2.25.11")
    with pytest.raises(InputError, match="no finding of the earlier result is known"):
        followed(dataclasses.replace(later, findings=(later.findings[0], taken)), earlier)


def test_one_lesion_beside_one_is_not_known_to_be_the_same() -> None:
    earlier, later = at("1", LESION, BRAIN_LABEL).result, at("2", LESION, BRAIN_LABEL).result
    elsewhere = dataclasses.replace(later.volume_geometry, frame_of_reference_uid="2.25.9")
    later = dataclasses.replace(later, volume_geometry=elsewhere)
    assert uids(followed(later, earlier).result) == ["2.25.21", "2.25.12"]


NODE = Label(
    name="node",
    category=BRAIN_LABEL.category,
    type=Code(value="59441001", scheme="SCT", meaning="Lymph node"),
)


def test_one_lymph_node_beside_one_is_the_same_at_one_place_alone() -> None:
    earlier, later = at("1", NODE, BRAIN_LABEL).result, at("2", NODE, BRAIN_LABEL).result
    assert uids(followed(later, earlier).result) == ["2.25.11", "2.25.12"]
    elsewhere = dataclasses.replace(later.volume_geometry, frame_of_reference_uid="2.25.9")
    found = followed(dataclasses.replace(later, volume_geometry=elsewhere), earlier)
    assert uids(found.result) == ["2.25.21", "2.25.12"]
    assert "places say nothing" in next(one.how for one in found.links if one.finding == "2.25.21")


def test_one_structure_that_lies_apart_in_one_frame_of_reference_is_two() -> None:
    earlier, later = at("1", LEFT_KIDNEY, BRAIN_LABEL).result, at("2", LEFT_KIDNEY, BRAIN_LABEL).result
    grid_of, kidney = later.volume_geometry, later.findings[0]
    assert kidney.region is not None and not isinstance(kidney.region, Point | Box)
    moved = np.zeros(grid_of.shape, dtype=bool)
    moved[0, 0, :3] = True
    assert not (moved & kidney.region.to_array()).any()
    other = dataclasses.replace(kidney, region=PackedMask.from_array(moved, grid_of))
    later = dataclasses.replace(later, findings=(other, later.findings[1]))
    found = followed(later, earlier)
    assert uids(found.result) == ["2.25.21", "2.25.12"]
    assert {one.how for one in found.links if "2.25.21" in one.finding or "2.25.11" in one.earlier} == {
        "not matched: they lie apart in one frame of reference"
    }


def test_findings_of_which_only_some_have_numbers_never_meet_in_one() -> None:
    said = [2, 0, 0, 7, 0]
    findings = [dataclasses.replace(at("1", LESION).result.findings[0], number=number) for number in said]
    assert numbers(findings) == (2, 8, 3, 7, 5)
    assert tuple(one.number for one in numbered(findings)) == (2, 8, 3, 7, 5)
    assert numbers(()) == ()
    case = at("1", *[LESION] * 5).result
    given = zip(case.findings, said, strict=True)
    result = dataclasses.replace(case, findings=tuple(dataclasses.replace(one, number=n) for one, n in given))
    assert [tracking_id(result, place)[-2:] for place in range(1, 6)] == [" 2", " 8", " 3", " 7", " 5"]


def test_a_name_without_its_side_is_another_structure() -> None:
    earlier, later = at("1", _RIGHT_KIDNEY, BRAIN_LABEL).result, at("2", LEFT_KIDNEY, BRAIN_LABEL).result
    assert uids(followed(later, earlier).result) == ["2.25.21", "2.25.12"]
    with pytest.raises(InputError, match="earlier"):
        followed(at("2", LEFT_KIDNEY).result, at("1", _RIGHT_KIDNEY).result)


def test_all_that_names_a_finding_follows_it() -> None:
    case = at("2", BRAIN_LABEL)
    (uid,) = uids(case.result)
    case = with_maps(case, dataclasses.replace(a_map(case), explains=(uid,)))
    later = dataclasses.replace(
        case.result,
        quality=(Quality(tracking_uid=uid, expected_dice=0.9, state="calibrated"),),
        reviews=(
            Review(tracking_uid=uid, person="Roe", decision=Decision.ACCEPTED),
            Review(tracking_uid="", person="Roe", decision=Decision.ACCEPTED),
        ),
    )
    after = followed(later, at("1", BRAIN_LABEL).result).result
    assert (uids(after), after.maps[0].explains) == (["2.25.11"], ("2.25.11",))
    assert [one.tracking_uid for one in (*after.quality, *after.reviews)] == ["2.25.11", "2.25.11", ""]
    assert uid not in repr(dataclasses.asdict(dataclasses.replace(after, findings=(), maps=(), volume_geometry=None)))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"patient_id": "P-2"}, "PatientID"),
        ({"patient_id": ""}, "PatientID"),
        ({"identity": Identity.DEIDENTIFY}, "identity"),
        ({"birth_date": "19510203"}, "PatientBirthDate"),
        ({"patient_name": "Roe^Richard"}, "PatientName"),
        ({"issuer": "Hospital B"}, "IssuerOfPatientID"),
    ],
)
def test_another_patient_or_route_is_refused(fields: dict[str, object], named: str) -> None:
    later, earlier = at("2", BRAIN_LABEL).result, at("1", BRAIN_LABEL).result
    known = {"birth_date": "19500102", "patient_name": "Doe^Jane", "issuer": "Hospital A"}
    later = dataclasses.replace(later, study=dataclasses.replace(later.study, **known))
    study: Study = dataclasses.replace(earlier.study, **{**known, **fields})  # type: ignore[arg-type]
    with pytest.raises(IdentityError, match=named) as caught:
        followed(later, dataclasses.replace(earlier, study=study))
    assert not any(str(value) in str(caught.value) for value in (*known.values(), "Roe"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"birth_date": "", "patient_name": "", "issuer": ""},
        {"patient_name": "DOE^JANE^M"},
        {"patient_name": "Doe Jane"},
        {"patient_name": "Doe^Jane=山田^太郎"},
    ],
)
def test_what_one_result_says_more_of_the_patient_contradicts_nothing(fields: dict[str, str]) -> None:
    later, earlier = at("2", BRAIN_LABEL).result, at("1", BRAIN_LABEL).result
    known = {"birth_date": "19500102", "patient_name": "Doe^Jane", "issuer": "Hospital A"}
    later = dataclasses.replace(later, study=dataclasses.replace(later.study, **known))
    study = dataclasses.replace(earlier.study, **{**known, **fields})
    for one, other in (
        (later, dataclasses.replace(earlier, study=study)),
        (dataclasses.replace(earlier, study=study), later),
    ):
        assert followed(one, other).links[0].earlier == other.findings[0].tracking_uid


def saved(case: Case, folder: Path) -> Path:
    """The output of a run, as far as an export looks at it."""
    case.result.save(folder / "result")
    save_headers(case.headers, folder / "result" / "source")
    return folder


def exported(later: Path, earlier: Path, *, name: str = "out", matches: Path | None = None) -> Path:
    job = ExportJob(
        source=str(later),
        earlier=str(earlier),
        output=str(later.parent / name),
        formats=("seg", "sr", "fhir", "csv"),
        matches=str(matches or ""),
    )
    return execute(job, job_id="j")


def test_an_export_tracks_by_an_earlier_result_in_every_object(tmp_path: Path) -> None:
    out = exported(saved(at("2", BRAIN_LABEL), tmp_path / "later"), saved(at("1", BRAIN_LABEL), tmp_path / "earlier"))
    assert dcmread(out / "seg.dcm").SegmentSequence[0].TrackingUID == "2.25.11"
    for path in [one for one in out.iterdir() if one.name != "tracking.csv"]:
        content = path.read_bytes()
        assert b"2.25.11" in content and b"2.25.21" not in content, path.name
    assert uids(AnalysisResult.load(tmp_path / "later")) == ["2.25.21"], "the saved result stays as it is"


def test_an_export_tells_what_was_matched_and_takes_back_what_a_person_made_of_it(tmp_path: Path) -> None:
    later = saved(at("2", BRAIN_LABEL, LESION, LESION), tmp_path / "later")
    earlier = saved(at("1", LESION, BRAIN_LABEL), tmp_path / "earlier")
    told = (exported(later, earlier) / "tracking.csv").read_text(encoding="utf-8")
    rows = [line.split(",")[:2] for line in told.splitlines()[1:]]
    assert rows == [["2.25.21", "2.25.12"], ["2.25.22", ""], ["2.25.23", ""], ["", "2.25.11"]]
    assert told.count("not matched") == 3
    table = tmp_path / "mine.csv"
    table.write_text(told.replace("2.25.23,,", "2.25.23,2.25.11,"), encoding="utf-8")
    out = exported(later, earlier, name="again", matches=table)
    segments = dcmread(out / "seg.dcm").SegmentSequence
    assert [one.TrackingUID for one in segments] == ["2.25.12", "2.25.22", "2.25.11"]
    assert "2.25.23,2.25.11,Lesion,by the table" in (out / "tracking.csv").read_text(encoding="utf-8")


def test_a_table_without_an_earlier_result_is_refused(tmp_path: Path) -> None:
    job = ExportJob(
        source=str(saved(at("2", BRAIN_LABEL), tmp_path / "later")),
        output=str(tmp_path / "out"),
        formats=("csv",),
        matches=str(tmp_path / "mine.csv"),
    )
    with pytest.raises(InputError, match="matches"):
        execute(job, job_id="j")
    assert not (tmp_path / "out").exists()


def test_an_export_of_a_run_has_what_people_decided_since_and_one_of_its_first_result_has_not(tmp_path: Path) -> None:
    run = saved(at("2", BRAIN_LABEL, LEFT_KIDNEY), tmp_path / "run")
    rejected = Review(tracking_uid="2.25.22", person="Jane Roe", decision=Decision.REJECTED, time="2026-11-22T10:00:00")
    accepted = dataclasses.replace(rejected, tracking_uid="2.25.21", decision=Decision.ACCEPTED)
    save_reviewed(run, (rejected, accepted))
    for source, count, flag in ((run, 1, "VERIFIED"), (run / "result", 2, "UNVERIFIED")):
        out = tmp_path / f"out {count}"
        execute(ExportJob(source=str(source), output=str(out), formats=("seg", "sr")), job_id="j")
        assert len(dcmread(out / "seg.dcm").SegmentSequence) == count
        assert dcmread(out / "sr.dcm").VerificationFlag == flag


@pytest.mark.parametrize("decision", [None, Decision.ACCEPTED, Decision.REJECTED])
def test_pictures_of_what_a_person_changed_since_are_in_no_capture(decision: Decision | None, tmp_path: Path) -> None:
    run = saved(at("2", BRAIN_LABEL, LEFT_KIDNEY), tmp_path / "run")
    (run / "pictures").mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(run / "pictures" / "axial.png")
    if decision is not None:
        save_reviewed(run, [Review(tracking_uid="2.25.22", person="Jane Roe", decision=decision)])
    out = execute(ExportJob(source=str(run), output=str(tmp_path / "out"), formats=("capture",)), job_id="j")
    pictured = [path for path in out.iterdir() if "Axial" in str(dcmread(path).ImageComments)]
    assert bool(pictured) == (decision is not Decision.REJECTED)


def test_what_people_read_beside_the_uid_stays_and_what_is_new_has_a_number_of_its_own(tmp_path: Path) -> None:
    earlier = saved(at("1", LEFT_KIDNEY, BRAIN_LABEL, LESION), tmp_path / "earlier")
    later = saved(at("2", LESION, LESION, BRAIN_LABEL, LEFT_KIDNEY), tmp_path / "later")
    segments = dcmread(exported(later, earlier) / "seg.dcm").SegmentSequence
    assert [(one.TrackingUID, one.TrackingID) for one in segments] == [
        ("2.25.21", "brain Lesion 4"),
        ("2.25.22", "brain Lesion 5"),
        ("2.25.12", "brain Brain 2"),
        ("2.25.11", "brain Left kidney 1"),
    ]


def test_a_rejected_finding_leaves_its_number_to_no_other(tmp_path: Path) -> None:
    run = saved(at("2", BRAIN_LABEL, LESION, LEFT_KIDNEY), tmp_path / "run")
    save_reviewed(run, [Review(tracking_uid="2.25.21", person="Jane Roe", decision=Decision.REJECTED)])
    out = execute(ExportJob(source=str(run), output=str(tmp_path / "out"), formats=("seg", "sr")), job_id="j")
    said = [one.TrackingID for one in dcmread(out / "seg.dcm").SegmentSequence]
    assert said == ["brain Lesion 2", "brain Left kidney 3"]
    for paths in ([out / "seg.dcm", out / "sr.dcm"], [out / "seg.dcm"]):
        assert [one.number for one in read_own(paths).result.findings] == [2, 3], "as it does when it is read back"
    assert all(one.encode() in (out / "sr.dcm").read_bytes() for one in said)
