"""Objects read back are the result that was written; of what others wrote, what is not understood is listed."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.domain.finding import Confidence, ConfidenceState, Finding
from slicermedai.domain.result import AnalysisResult, Decision, Review, Status
from slicermedai.errors import MixedPatientsError, NoImagesError, UnreadableFileError
from slicermedai.export.read_back import ReadBack, is_ours, read_result
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, SPECS, Case, a_ball, a_case
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.test_sr_regions import BOX, POINT, detected

_SURE = Confidence(state=ConfidenceState.CALIBRATED, probability=0.61, calibration="Platt scaling, site A, 31 patients")


def objects_of(case: Case, folder: Path, *formats: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return export_result(case.result, headers=case.headers, folder=folder, formats=formats or ("seg", "sr"))


def there_and_back(case: Case, folder: Path, *formats: str) -> ReadBack:
    return read_result(objects_of(case, folder, *formats))


def with_findings(case: Case, **fields: object) -> Case:
    findings = tuple(dataclasses.replace(one, **fields) for one in case.result.findings)
    return with_result(case, findings=findings)


def with_result(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def told(finding: Finding) -> tuple[object, ...]:
    """All of a finding but its voxels and colour; numbers as a Decimal String of 16 characters can say them."""
    label, sure = finding.label, finding.confidence
    numbers = [
        (
            one.name,
            one.name.meaning,
            float(f"{one.value:.10g}"),
            one.unit,
            one.method,
            one.derivation,
            bool(one.missing),
        )
        for one in finding.measurements
    ]
    codes = (label.name, label.category, label.type, label.modifier)
    return finding.tracking_uid, codes, numbers, sure.state, sure.probability, sure.calibration


def same(before: AnalysisResult, after: AnalysisResult) -> None:
    assert [told(one) for one in after.findings] == [told(one) for one in before.findings]
    for one, other in zip(before.findings, after.findings, strict=True):
        assert np.array_equal(one.region.to_array(), other.region.to_array())  # type: ignore[union-attr]
        assert np.abs(np.subtract(one.label.color, other.label.color)).max() <= 1, "CIELab rounds"
    assert after.volume_geometry.same_grid(before.volume_geometry)
    assert after.volume_geometry.frame_of_reference_uid == before.volume_geometry.frame_of_reference_uid
    made, read = before.provenance, after.provenance
    for name in ("bundle", "bundle_version", "weights_sha256", "device", "precision", "seed", "warnings"):
        assert getattr(read, name) == getattr(made, name), name
    assert after.status is before.status
    assert after.study.study_uid == before.study.study_uid


@pytest.mark.parametrize("grid", list(GRIDS))
def test_every_orientation_comes_back_equal(grid: str, tmp_path: Path) -> None:
    ball = a_ball(GRIDS[grid])
    case = a_case(GRIDS[grid], masks=(ball, ball))
    read = there_and_back(case, tmp_path)
    same(case.result, read.result)
    assert read.lost == ()


@pytest.mark.parametrize("spec", list(SPECS))
def test_every_kind_of_source_comes_back_equal(spec: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[spec])
    read = there_and_back(case, tmp_path)
    same(case.result, read.result)
    (series,) = read.result.sources
    assert series.series_uid == str(case.headers[0].SeriesInstanceUID)
    assert {one.sop_instance_uid for one in series.instances} <= {str(one.SOPInstanceUID) for one in case.headers}


def test_calibration_comes_back_with_its_name_and_a_raw_score_never(tmp_path: Path) -> None:
    case = with_findings(a_case(masks=(a_ball(GRIDS["axial"]),) * 2), confidence=_SURE)
    same(case.result, there_and_back(case, tmp_path).result)
    unsure = a_case()
    (finding,) = there_and_back(unsure, tmp_path / "unsure").result.findings
    assert finding.confidence == Confidence(state=ConfidenceState.NOT_CALIBRATED)


def test_warnings_come_back_so_that_nothing_is_shown_as_clean(tmp_path: Path) -> None:
    case = a_case()
    made = dataclasses.replace(case.result.provenance, warnings=("It reaches the edge.", "The contrast is unknown."))
    read = there_and_back(with_result(case, provenance=made), tmp_path)
    assert read.result.needs_a_look and read.result.provenance.warnings == made.warnings


@pytest.mark.parametrize("status", [Status.NO_FINDING, Status.FAILED])
def test_nothing_found_and_failed_come_back_as_such(status: Status, tmp_path: Path) -> None:
    case = a_case(masks=(), status=status)
    read = there_and_back(case, tmp_path)
    assert (read.result.status, read.result.findings) == (status, ())
    assert read.result.provenance.bundle == case.result.provenance.bundle
    assert "grid" in " ".join(read.lost)


def test_boxes_and_points_come_back_where_they_were(tmp_path: Path) -> None:
    case = detected(a_case(), BOX, POINT, probability=0.61)
    read = there_and_back(case, tmp_path, "sr-regions")
    assert [one.region for one in read.result.findings] == [BOX, POINT]
    assert [one.confidence.probability for one in read.result.findings] == [0.61, 0.61]
    assert [one.tracking_uid for one in read.result.findings] == [one.tracking_uid for one in case.result.findings]
    assert "None of the objects names the grid" in " ".join(read.lost)


def test_boxes_without_numbers_name_their_algorithm_and_that_it_was_not_calibrated(tmp_path: Path) -> None:
    case = with_findings(detected(a_case(), BOX), confidence=Confidence(state=ConfidenceState.NOT_CALIBRATED))
    read = there_and_back(case, tmp_path, "sr-regions").result
    made = case.result.provenance
    assert (read.provenance.bundle, read.provenance.weights_sha256) == (made.bundle, made.weights_sha256)
    assert read.findings[0].confidence.state is ConfidenceState.NOT_CALIBRATED


def test_a_warning_that_stands_twice_comes_back_twice_and_in_its_place(tmp_path: Path) -> None:
    case = a_case()
    made = dataclasses.replace(case.result.provenance, warnings=("One.", "Other.", "One."))
    read = there_and_back(with_result(case, provenance=made), tmp_path, "seg", "sr", "sr-plain", "fhir")
    assert read.result.provenance.warnings == made.warnings


def test_maps_come_back_beside_the_findings(tmp_path: Path) -> None:
    case = with_maps(a_case(), a_map(a_case()), a_map(a_case(), name="Second"))
    read = there_and_back(case, tmp_path, "seg", "sr", "pmap")
    same(case.result, read.result)
    assert [one.name for one in read.result.maps] == [one.name for one in case.result.maps]
    for one, other in zip(case.result.maps, read.result.maps, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_a_label_map_and_its_twin_are_one_segmentation(tmp_path: Path) -> None:
    case = a_case()
    read = there_and_back(case, tmp_path, "seg", "seg-labelmap", "sr")
    same(case.result, read.result)


def test_who_verified_comes_back_and_edits_are_not_called_automatic(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    when = "2026-11-23T10:20:30+01:00"
    accepted = Review(tracking_uid=finding.tracking_uid, person="Roe^Jane", decision=Decision.ACCEPTED, time=when)
    read = there_and_back(with_result(case, reviews=(accepted,)), tmp_path)
    (review,) = read.result.reviews
    assert (review.tracking_uid, review.person, review.decision, review.time) == ("", "Roe^Jane", "accepted", when)
    edited = dataclasses.replace(accepted, decision=Decision.EDITED, region=finding.region)
    (changed,) = there_and_back(with_result(case, reviews=(edited,)), tmp_path / "edited").result.findings
    assert changed.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED


def test_nothing_that_is_read_counts_as_pseudonymous(tmp_path: Path) -> None:
    paths = objects_of(a_case(), tmp_path)
    for path in paths:
        change(path, PatientIdentityRemoved="YES", DeidentificationMethod="said so")
    assert read_result(paths).result.study.identity == "keep"


# --- what others wrote, and what is amiss --------------------------------------------------------------------------


def change(path: Path, **values: object) -> Dataset:
    dataset = dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return dataset


def test_a_drawn_segment_without_tracking_or_algorithm_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    seg, _ = objects_of(a_case(), tmp_path)
    dataset = dcmread(seg)
    (segment,) = dataset.SegmentSequence
    for keyword in ("TrackingUID", "TrackingID", "SegmentationAlgorithmIdentificationSequence", "SegmentAlgorithmName"):
        del segment[keyword]
    del segment["RecommendedDisplayCIELabValue"]
    segment.SegmentAlgorithmType, dataset.Manufacturer, dataset.ManufacturerModelName = "MANUAL", "Other", "Drawer"
    dataset.save_as(seg)
    assert not is_ours(dataset)
    read = read_result([seg])
    (finding,) = read.result.findings
    assert finding.measurements == () and finding.confidence.state is ConfidenceState.NOT_ASSESSED
    assert read.result.provenance.bundle == "Drawer"
    assert "1 segments were drawn by a person" in " ".join(read.lost)


def test_a_probability_without_a_calibration_is_none(tmp_path: Path) -> None:
    paths = objects_of(with_findings(a_case(), confidence=_SURE), tmp_path)
    report = dcmread(paths[1])
    for item in walk(report):
        if item.get("ValueType") == "TEXT" and str(item.TextValue).startswith("calibration: "):
            item.TextValue = "threshold: 0.5"
    report.save_as(paths[1])
    (finding,) = read_result(paths).result.findings
    assert finding.confidence.state is ConfidenceState.NOT_ASSESSED
    assert "names no calibration" in finding.confidence.reason


def walk(item: Dataset) -> list[Dataset]:
    children = list(item.get("ContentSequence") or ())
    return [*children, *(one for child in children for one in walk(child))]


def test_objects_of_two_studies_are_refused(tmp_path: Path) -> None:
    one, other = objects_of(a_case(), tmp_path / "a"), objects_of(a_case(), tmp_path / "b")
    change(other[0], StudyInstanceUID="1.2.3")
    with pytest.raises(MixedPatientsError, match="StudyInstanceUID"):
        read_result([*one, other[0]])


def test_what_is_no_result_or_not_understood_is_named(tmp_path: Path) -> None:
    paths = objects_of(a_case(), tmp_path)
    image = tmp_path / "image.dcm"
    a_case().headers[0].save_as(image)
    broken = tmp_path / "broken.dcm"
    dataset = dcmread(paths[0])
    del dataset.SharedFunctionalGroupsSequence
    dataset.save_as(broken)
    read = read_result([*paths, image, broken])
    assert len(read.result.findings) == 1
    assert [line.partition(":")[0] for line in read.lost] == ["broken.dcm", "image.dcm"]
    with pytest.raises(NoImagesError, match="holds no result"):
        read_result([image])
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(UnreadableFileError, match=r"text\.dcm"):
        read_result([tmp_path / "text.dcm"])


def test_two_groups_about_one_finding_are_read_together_and_nothing_is_called_lost(tmp_path: Path) -> None:
    seg, sr = objects_of(a_case(), tmp_path)
    report = dcmread(sr)
    container = next(item for item in walk(report) if item.get("ValueType") == "CONTAINER" and groups_in(item))
    (group,) = groups_in(container)
    second = copy.deepcopy(group)
    number = next(item for item in second.ContentSequence if item.ValueType == "NUM")
    number.MeasuredValueSequence[0].NumericValue, number.MeasuredValueSequence[0].FloatingPointValue = "7.5", 7.5
    second.ContentSequence = [item for item in second.ContentSequence if item.ValueType != "NUM" or item is number]
    container.ContentSequence.append(second)
    report.save_as(sr)
    before = len(a_case().result.findings[0].measurements)
    read = read_result([seg, sr])
    (finding,) = read.result.findings
    assert (len(finding.measurements), finding.measurements[-1].value, read.lost) == (before + 1, 7.5, ())


def groups_in(item: Dataset) -> list[Dataset]:
    names = [(one, one.get("ConceptNameCodeSequence")) for one in item.get("ContentSequence") or ()]
    return [one for one, name in names if name and name[0].get("CodeValue") == "125007"]


def test_a_report_that_tracks_nothing_belongs_to_the_segments_that_it_cites(tmp_path: Path) -> None:
    seg, sr = objects_of(a_case(), tmp_path)
    report, segmentation = dcmread(sr), dcmread(seg)
    for item in [report, *walk(report)]:
        kept = [one for one in item.get("ContentSequence") or () if one.get("ValueType") != "UIDREF"]
        if kept:
            item.ContentSequence = kept
    report.save_as(sr)
    del segmentation.SegmentSequence[0].TrackingUID
    segmentation.save_as(seg)
    read = read_result([seg, sr])
    assert len(read.result.findings[0].measurements) == len(a_case().result.findings[0].measurements)
    assert read.lost == ()
    assert "1 measurement groups are about segments that none" in " ".join(read_result([sr]).lost)
