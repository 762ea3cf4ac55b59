"""A structure keeps its tracking UID at a second time point, wherever a result names it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.cli.execute import execute
from slicermedai.dicom.headers import save_headers
from slicermedai.domain.result import AnalysisResult, Decision, Quality, Review
from slicermedai.domain.study import Identity, Study
from slicermedai.domain.tracking import followed
from slicermedai.errors import IdentityError, InputError
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
    assert uids(followed(later, earlier)) == ["2.25.13", "2.25.22", "2.25.23", "2.25.11"]


def test_one_lesion_beside_one_is_not_known_to_be_the_same() -> None:
    earlier, later = at("1", LESION, BRAIN_LABEL).result, at("2", LESION, BRAIN_LABEL).result
    assert uids(followed(later, earlier)) == ["2.25.21", "2.25.12"]


def test_a_name_without_its_side_is_another_structure() -> None:
    earlier, later = at("1", _RIGHT_KIDNEY, BRAIN_LABEL).result, at("2", LEFT_KIDNEY, BRAIN_LABEL).result
    assert uids(followed(later, earlier)) == ["2.25.21", "2.25.12"]
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
    after = followed(later, at("1", BRAIN_LABEL).result)
    assert (uids(after), after.maps[0].explains) == (["2.25.11"], ("2.25.11",))
    assert [one.tracking_uid for one in (*after.quality, *after.reviews)] == ["2.25.11", "2.25.11", ""]
    assert uid not in repr(dataclasses.asdict(dataclasses.replace(after, findings=(), maps=(), volume_geometry=None)))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"patient_id": "P-2"}, "PatientID"),
        ({"patient_id": ""}, "PatientID"),
        ({"identity": Identity.DEIDENTIFY}, "identity"),
    ],
)
def test_another_patient_or_route_is_refused(fields: dict[str, object], named: str) -> None:
    later, earlier = at("2", BRAIN_LABEL).result, at("1", BRAIN_LABEL).result
    study: Study = dataclasses.replace(earlier.study, **fields)  # type: ignore[arg-type]
    with pytest.raises(IdentityError, match=named):
        followed(later, dataclasses.replace(earlier, study=study))


def test_an_export_tracks_by_an_earlier_result_in_every_object(tmp_path: Path) -> None:
    earlier, later = at("1", BRAIN_LABEL), at("2", BRAIN_LABEL)
    for name, case in (("earlier", earlier), ("later", later)):
        case.result.save(tmp_path / name / "result")
        save_headers(case.headers, tmp_path / name / "result" / "source")
    job = ExportJob(
        source=str(tmp_path / "later"),
        earlier=str(tmp_path / "earlier"),
        output=str(tmp_path / "out"),
        formats=("seg", "sr", "fhir", "csv"),
    )
    out = execute(job, job_id="j")
    assert dcmread(out / "seg.dcm").SegmentSequence[0].TrackingUID == "2.25.11"
    for path in out.iterdir():
        content = path.read_bytes()
        assert b"2.25.11" in content and b"2.25.21" not in content, path.name
    assert uids(AnalysisResult.load(tmp_path / "later")) == ["2.25.21"], "the saved result stays as it is"
