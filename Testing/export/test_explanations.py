"""A finding names the maps that explain it (130401), in reports that validators take, and they come back with it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, Case, a_ball, a_case
from Testing.export.test_fhir import check_models
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.test_sr_image import LESION, said_of
from Testing.export.test_sr_regions import BOX, detected
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, pixelmed_errors, tid1500reader

_ALL = ("seg", "sr", "sr-plain", "pmap", "fhir", "fhir-r5")


def explained(case: Case) -> Case:
    """Of two maps the second explains the last finding; the first explains none."""
    uid = case.result.findings[-1].tracking_uid
    return with_maps(case, a_map(case), dataclasses.replace(a_map(case, name="Why"), explains=(uid,)))


def two_findings() -> Case:
    grid = GRIDS["axial"]
    return a_case(masks=(a_ball(grid), a_ball(grid, radius=(0.2, 0.2, 0.1))))


def written(case: Case, folder: Path, *formats: str) -> Path:
    folder.mkdir(exist_ok=True)
    export_result(case.result, headers=case.headers, folder=folder, formats=formats or _ALL)
    return folder


def links_in(path: Path) -> list[tuple[str, str]]:
    """(tracking UID, SOP instance) of each link."""
    groups = [one for one in walk(dcmread(path)) if named(one, "125007")]
    return [
        (
            str(next(child for child in group.ContentSequence if named(child, "112040")).UID),
            str(link.ReferencedSOPSequence[0].ReferencedSOPInstanceUID),
        )
        for group in groups
        for link in group.ContentSequence
        if named(link, "130401")
    ]


def other_than_new(warnings: list[str]) -> list[str]:
    """PixelMed's templates are of 2022 and have no row for it; whatever else it says counts."""
    new = 'IMAGE (130401,DCM,"Visual explanation"): Content Item not in template'
    return [one for one in warnings if not one.endswith(new)]


def named(item: Dataset, code: str) -> bool:
    return bool(item.get("ConceptNameCodeSequence")) and item.ConceptNameCodeSequence[0].get("CodeValue") == code


def walk(item: Dataset) -> list[Dataset]:
    children = list(item.get("ContentSequence") or ())
    return [*children, *(one for child in children for one in walk(child))]


@pytest.mark.parametrize("name", ["sr.dcm", "sr-plain.dcm"])
def test_the_finding_and_no_other_cites_its_map_and_every_validator_takes_it(name: str, tmp_path: Path) -> None:
    case = explained(two_findings())
    path = written(case, tmp_path) / name
    uid = case.result.findings[1].tracking_uid
    assert links_in(path) == [(uid, str(dcmread(tmp_path / "pmap-2.dcm").SOPInstanceUID))]
    assert (dciodvfy_errors(path), other_than_new(pixelmed_errors(path))) == ([], [])
    for number, header in enumerate(case.headers):
        header.save_as(tmp_path / f"source{number}.dcm")
    assert dcentvfy_errors(sorted(tmp_path.glob("*.dcm"))) == []
    assert len(tid1500reader(path, tmp_path)["Measurements"]) == 2


def test_boxes_and_findings_of_a_whole_image_cite_their_maps_too(tmp_path: Path) -> None:
    boxes = explained(detected(a_case(), BOX))
    path = written(boxes, tmp_path / "boxes", "sr-regions", "pmap") / "sr-regions.dcm"
    assert len(links_in(path)) == 1
    assert (dciodvfy_errors(path), pixelmed_errors(path)) == ([], [])
    whole = said_of(a_case(), LESION)
    path = written(explained(whole), tmp_path / "whole", "sr-image", "pmap") / "sr-image.dcm"
    assert len(links_in(path)) == 1
    assert (dciodvfy_errors(path), pixelmed_errors(path)) == ([], [])


@pytest.mark.parametrize("report", ["sr.dcm", "fhir-r5.json"])
def test_the_link_comes_back(report: str, tmp_path: Path) -> None:
    case = explained(two_findings())
    folder = written(case, tmp_path)
    read = read_result([folder / "seg.dcm", folder / report, *folder.glob("pmap-*.dcm")])
    assert [one.explains for one in read.result.maps] == [one.explains for one in case.result.maps]
    assert read.lost == ()
    assert "1 maps that explain findings are not among these objects." in read_result([folder / report]).lost


def test_bundles_with_links_are_taken_by_the_public_models_and_name_the_images_alone_as_sources(tmp_path: Path) -> None:
    case = explained(two_findings())
    folder = written(case, tmp_path)
    r4, r5 = (json.loads((folder / f"fhir-{name}.json").read_text(encoding="utf-8")) for name in ("r4", "r5"))
    check_models(r4, r5)
    for name in ("fhir-r4.json", "fhir-r5.json"):
        (source,) = read_result([folder / name]).result.sources
        assert source.series_uid == str(case.headers[0].SeriesInstanceUID)


def test_without_the_map_beside_it_a_report_has_no_link_and_is_another_object(tmp_path: Path) -> None:
    case = explained(two_findings())
    alone = written(case, tmp_path / "alone", "seg", "sr", "fhir-r5")
    beside = written(case, tmp_path / "beside")
    assert links_in(alone / "sr.dcm") == []
    same = [dcmread(folder / "seg.dcm").SOPInstanceUID for folder in (alone, beside)]
    assert same[0] == same[1], "the segmentation says the same"
    other = [dcmread(folder / "sr.dcm").SOPInstanceUID for folder in (alone, beside)]
    assert other[0] != other[1]
    r5 = [json.loads((folder / "fhir-r5.json").read_text(encoding="utf-8"))["id"] for folder in (alone, beside)]
    assert r5[0] != r5[1]


def test_maps_that_explain_nothing_change_no_report(tmp_path: Path) -> None:
    case = with_maps(two_findings(), a_map(two_findings()))
    alone, beside = (
        written(case, tmp_path / "alone", "seg", "sr"),
        written(case, tmp_path / "beside", "seg", "sr", "pmap"),
    )
    assert (alone / "sr.dcm").read_bytes() == (beside / "sr.dcm").read_bytes()


def test_a_rejected_finding_is_not_explained(tmp_path: Path) -> None:
    case = explained(two_findings())
    uid = case.result.findings[1].tracking_uid
    review = Review(tracking_uid=uid, person="Roe", decision=Decision.REJECTED)
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, reviews=(review,)))
    assert links_in(written(case, tmp_path, "seg", "sr", "pmap") / "sr.dcm") == []


def test_what_a_person_drew_is_not_explained_by_what_the_network_looked_at(tmp_path: Path) -> None:
    case = explained(two_findings())
    finding = case.result.findings[1]
    edit = Review(
        tracking_uid=finding.tracking_uid,
        person="Roe",
        decision=Decision.EDITED,
        region=finding.region,
        time="2026-11-23",
    )
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, reviews=(edit,)))
    folder = written(case, tmp_path)
    assert links_in(folder / "sr.dcm") == []
    r5 = json.loads((folder / "fhir-r5.json").read_text(encoding="utf-8"))
    codes = [one["resource"]["code"] for one in r5["entry"] if one["resource"]["resourceType"] == "ImagingSelection"]
    assert {code["coding"][0]["code"] for code in codes} == {"121191"}


def test_a_saved_result_keeps_which_findings_a_map_explains(tmp_path: Path) -> None:
    result = explained(two_findings()).result
    loaded = AnalysisResult.load(result.save(tmp_path / "saved"))
    assert [one.explains for one in loaded.maps] == [one.explains for one in result.maps]
