"""A report says what was measured, on which segment, by which algorithm, and that nobody has verified it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from slicermedai.domain.codes import HOUNSFIELD, MILLILITER, MILLIMETER, VOLUME, Code, ucum
from slicermedai.domain.finding import Box, Confidence, ConfidenceState, Finding, Measurement
from slicermedai.domain.result import Status
from slicermedai.domain.volume import SuvScale, Volume
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.formats import FORMATS
from slicermedai.export.run import export_result
from slicermedai.export.sr_read import read
from slicermedai.measure.methods import METHODS, measure_all
from Testing.export.cases import GRIDS, SPECS, Case, a_ball, a_case
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, pixelmed_errors, tid1500reader

_AXIAL = GRIDS["axial"]


def exported(case: Case, folder: Path) -> tuple[Path, Path]:
    seg, sr = export_result(case.result, headers=case.headers, folder=folder, formats=("sr", "seg"))
    return seg, sr


def three_findings() -> Case:
    return a_case(
        masks=(a_ball(_AXIAL), a_ball(_AXIAL, radius=(0.2, 0.2, 0.1)), a_ball(_AXIAL, middle=(0.7, 0.7, 0.7)))
    )


def items(dataset: Dataset, value: str) -> list[Dataset]:
    """All content items whose concept has code ``value``."""

    def walk(parent: Dataset) -> Iterator[Dataset]:
        for child in parent.get("ContentSequence", ()):
            yield child
            yield from walk(child)

    return [item for item in walk(dataset) if item.ConceptNameCodeSequence[0].get("CodeValue") == value]


@pytest.mark.parametrize("kind", SPECS)
def test_a_report_on_every_kind_of_source_is_valid(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    seg, sr = exported(case, tmp_path)
    assert dciodvfy_errors(sr) == []
    sources = [tmp_path / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, path in zip(case.headers, sources, strict=True):
        header.save_as(path)
    assert dcentvfy_errors([seg, sr, *sources]) == []


@pytest.mark.parametrize("name", ["oblique and anisotropic", "flipped slices", "one slice"])
def test_a_volume_in_the_report_is_that_of_its_segment(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    seg, sr = exported(case, tmp_path)
    written = FORMATS["seg"].read(seg)  # type: ignore[misc]  # this format has a reader
    (group,) = read(sr).groups
    (segment,) = written.segments
    voxels = np.count_nonzero(segment.mask.to_array())
    volume = group.measurements[0]
    assert (volume.name, volume.unit) == (VOLUME, MILLILITER)
    assert volume.method == case.result.findings[0].measurements[0].method
    assert volume.value == pytest.approx(voxels * written.geometry.voxel_volume / 1000, rel=1e-9)


def test_groups_follow_the_segments_and_share_their_tracking(tmp_path: Path) -> None:
    seg, sr = exported(three_findings(), tmp_path)
    segments = dcmread(seg).SegmentSequence
    groups = read(sr).groups
    assert [g.segment_number for g in groups] == [s.SegmentNumber for s in segments] == [1, 2, 3]
    assert [g.tracking_uid for g in groups] == [s.TrackingUID for s in segments]
    assert [g.tracking_id for g in groups] == [s.TrackingID for s in segments]
    assert {g.segmentation_uid for g in groups} == {dcmread(seg).SOPInstanceUID}
    assert [g.finding.meaning if g.finding else "" for g in groups] == ["Brain", "Neoplasm", "Kidney"]


def test_pixelmed_finds_no_error_and_nothing_to_warn_of(tmp_path: Path) -> None:
    assert pixelmed_errors(exported(three_findings(), tmp_path)[1]) == []


def test_dcmqi_reads_the_numbers_and_the_segments(tmp_path: Path) -> None:
    case = three_findings()
    found = tid1500reader(exported(case, tmp_path)[1], tmp_path)["Measurements"]
    assert [group["ReferencedSegment"] for group in found] == [1, 2, 3]
    for group, finding in zip(found, case.result.findings, strict=True):
        listed = group["measurementItems"]
        assert [float(item["value"]) for item in listed] == pytest.approx([m.value for m in finding.measurements], 1e-9)
        assert [item["units"]["CodeValue"] for item in listed] == [m.unit.value for m in finding.measurements]
        assert {item["measurementAlgorithmIdentification"]["AlgorithmVersion"] for item in listed} == {"1.2.0"}
        assert group["TrackingUniqueIdentifier"] == finding.tracking_uid


IMAGES: dict[str, dict[str, Any]] = {
    "CT": {"modality": "CT", "unit": HOUNSFIELD},
    "MR": {"modality": "MR"},
    "PET": {"modality": "PT", "suv": SuvScale(factor=0.0003)},
    "PET without SUV": {"modality": "PT", "unit": ucum("Bq/ml", "Becquerels/milliliter")},
}


def measured(case: Case, **image: Any) -> Case:
    """``case`` with every measurement that there is, of an ``image`` of a modality and a unit."""
    shape = case.geometry.shape
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape) - 1000
    volume = Volume(array=array, geometry=case.geometry, **image)
    numbers = measure_all([f.region for f in case.result.findings], volume=volume, wanted=tuple(METHODS))
    findings = [
        dataclasses.replace(found, measurements=each) for found, each in zip(case.result.findings, numbers, strict=True)
    ]
    return with_findings(case, *findings)


def with_findings(case: Case, *findings: Finding) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings))


@pytest.mark.parametrize("kind", IMAGES)
def test_every_measurement_there_is_comes_back_with_unit_method_and_derivation(kind: str, tmp_path: Path) -> None:
    case = measured(three_findings(), **IMAGES[kind])
    sr = exported(case, tmp_path)[1]
    assert (dciodvfy_errors(sr), pixelmed_errors(sr)) == ([], [])
    for group, finding in zip(read(sr).groups, case.result.findings, strict=True):
        assert len(group.measurements) == len(METHODS)
        for back, told in zip(group.measurements, finding.measurements, strict=True):
            assert (back.name, back.unit, back.method) == (told.name, told.unit, told.method)
            assert back.derivation == told.derivation
            assert back.value == pytest.approx(told.value, rel=1e-9)
    listed = tid1500reader(sr, tmp_path)["Measurements"][0]["measurementItems"]
    means = [item["derivationModifier"]["CodeMeaning"] for item in listed if "derivationModifier" in item]
    assert means[:2] == ["Mean", "Standard Deviation"]


def test_a_number_that_could_not_be_had_keeps_its_place_and_says_why(tmp_path: Path) -> None:
    """PS3.3 C.18.1: no item of Measured Value Sequence, and a qualifier. PixelMed alone knows no absent values."""
    case = three_findings()
    first, second, third = case.result.findings
    absent = dataclasses.replace(second.measurements[1], value=math.nan, points=(), missing="the region has no voxels")
    numbers = (second.measurements[0], absent, *second.measurements[2:])
    case = with_findings(case, first, dataclasses.replace(second, measurements=numbers), third)
    sr = exported(case, tmp_path)[1]
    assert dciodvfy_errors(sr) == []
    assert [line for line in pixelmed_errors(sr) if "Missing value" not in line] == []
    back = read(sr).groups[1].measurements
    assert [one.name for one in back] == [one.name for one in first.measurements]
    assert math.isnan(back[1].value)
    assert back[1].missing == "Value indeterminate"
    listed = [group["measurementItems"] for group in tid1500reader(sr, tmp_path)["Measurements"]]
    assert [len(items_of) for items_of in listed] == [len(first.measurements)] * 3
    assert listed[1][1]["value"] == ""


def test_highdicom_reads_the_groups(tmp_path: Path) -> None:
    report = highdicom.sr.srread(exported(three_findings(), tmp_path)[1]).content
    groups = report.get_volumetric_roi_measurement_groups()
    assert len(groups) == 3
    assert [str(site.value.meaning) for site in groups[2].finding_sites] == ["Kidney"]
    assert groups[2].finding_sites[0].laterality.meaning == "Left"
    assert groups[1].finding_sites == []


def test_both_numbers_of_a_measurement_are_one_number(tmp_path: Path) -> None:
    case = a_case()
    odd = dataclasses.replace(case.result.findings[0].measurements[0], value=1.0 / 3 + 1e-14, method=None)
    finding = dataclasses.replace(case.result.findings[0], measurements=(odd,))
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, findings=(finding,)))
    (item,) = items(dcmread(exported(case, tmp_path)[1]), VOLUME.value)
    measured = item.MeasuredValueSequence[0]
    assert float(measured.NumericValue) == measured.FloatingPointValue == pytest.approx(odd.value, rel=1e-12)


def test_a_calibrated_probability_is_a_number_where_all_findings_have_one(tmp_path: Path) -> None:
    case = three_findings()
    sure = Confidence(state=ConfidenceState.CALIBRATED, raw_score=0.98765432, probability=0.61, calibration="site A")
    first, *rest = case.result.findings
    some = exported(with_findings(case, dataclasses.replace(first, confidence=sure), *rest), tmp_path)[1]
    assert items(dcmread(some), "122157") == []
    (tmp_path / "all").mkdir()
    findings = [dataclasses.replace(one, confidence=sure) for one in case.result.findings]
    sr = exported(with_findings(case, *findings), tmp_path / "all")[1]
    told = [group.measurements[-1] for group in read(sr).groups]
    assert [(one.name.value, one.name.scheme, one.value) for one in told] == [("122157", "DCM", 0.61)] * 3
    assert b"98765" not in sr.read_bytes() and b"calibration: site A" in sr.read_bytes()
    assert (dciodvfy_errors(sr), pixelmed_errors(sr)) == ([], [])


def test_a_raw_score_reaches_no_file_and_the_missing_calibration_is_said(tmp_path: Path) -> None:
    seg, sr = exported(a_case(), tmp_path)
    assert b"98765" not in seg.read_bytes() + sr.read_bytes()
    dataset = dcmread(sr)
    assert items(dataset, "111012") == items(dataset, "122157") == []
    said = [item.TextValue for item in items(dataset, "111002")]
    assert "calibration: none (not calibrated)" in said


def test_a_calibrated_finding_names_its_calibration(tmp_path: Path) -> None:
    case = a_case()
    calibrated = Confidence(
        state=ConfidenceState.CALIBRATED, raw_score=0.98765432, probability=0.8, calibration="isotonic 3"
    )
    finding = dataclasses.replace(case.result.findings[0], confidence=calibrated)
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, findings=(finding,)))
    said = [item.TextValue for item in items(dcmread(exported(case, tmp_path)[1]), "111002")]
    assert "calibration: isotonic 3" in said


def test_the_observer_is_a_device_with_a_constant_uid(tmp_path: Path) -> None:
    uids = []
    for name in ("axial", "oblique"):
        folder = tmp_path / name
        folder.mkdir()
        (item,) = items(dcmread(exported(a_case(GRIDS[name]), folder)[1]), "121012")
        uids.append(item.UID)
    assert uids[0] == uids[1]


def test_all_evidence_is_listed(tmp_path: Path) -> None:
    case = a_case()
    seg, sr = exported(case, tmp_path)
    dataset = dcmread(sr)
    (study,) = dataset.CurrentRequestedProcedureEvidenceSequence
    listed = {
        reference.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert listed == {header.SOPInstanceUID for header in case.headers} | {dcmread(seg).SOPInstanceUID}
    assert study.StudyInstanceUID == case.headers[0].StudyInstanceUID
    assert len(items(dataset, "260753009")) == len(case.headers)


def test_a_report_is_unverified_until_a_person_verifies_it(tmp_path: Path) -> None:
    found = read(exported(a_case(), tmp_path)[1])
    assert (found.completion, found.verification) == ("COMPLETE", "UNVERIFIED")


@pytest.mark.parametrize(
    ("status", "code", "completion"),
    [(Status.NO_FINDING, "111241", "COMPLETE"), (Status.FAILED, "111245", "PARTIAL")],
)
def test_no_finding_and_failed_are_reports_of_their_own(
    status: Status, code: str, completion: str, tmp_path: Path
) -> None:
    case = a_case(masks=(), status=status)
    result = dataclasses.replace(case.result, message="The network ran out of memory." if code == "111245" else "")
    (sr,) = export_result(result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))
    found = read(sr)
    assert found.outcome is not None
    assert (found.outcome.value, found.completion, found.groups) == (code, completion, ())
    assert dciodvfy_errors(sr) == []
    assert pixelmed_errors(sr) == []


@pytest.mark.parametrize("found", [True, False])
def test_warnings_stand_in_both_objects_which_stay_valid(found: bool, tmp_path: Path) -> None:
    case = a_case() if found else a_case(masks=(), status=Status.NO_FINDING)
    warnings = ("this image does not look T1-weighted", "it looks like noise: größer")
    warned = dataclasses.replace(case.result, provenance=dataclasses.replace(case.result.provenance, warnings=warnings))
    files = export_result(warned, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))
    comments = [item.TextValue for item in items(dcmread(files[-1]), "121106")]
    assert comments == [f"Warning: {text}" for text in warnings]
    if found:
        assert dcmread(files[0]).ImageComments.splitlines() == comments
        (group,) = tid1500reader(files[-1], tmp_path)["Measurements"]
        assert len(group["measurementItems"]) == len(case.result.findings[0].measurements)
    assert [dciodvfy_errors(file) for file in files] == [[]] * len(files)
    assert pixelmed_errors(files[-1]) == []


def test_a_result_without_warnings_has_no_comment(tmp_path: Path) -> None:
    seg, sr = exported(a_case(), tmp_path)
    assert items(dcmread(sr), "121106") == []
    assert "ImageComments" not in dcmread(seg)


def test_findings_with_different_measurements_are_refused(tmp_path: Path) -> None:
    case = three_findings()
    diameter = Measurement(name=Code(value="81827009", scheme="SCT", meaning="Diameter"), value=3.0, unit=MILLIMETER)
    first, *rest = case.result.findings
    odd = dataclasses.replace(first, measurements=(diameter, *first.measurements))
    result = dataclasses.replace(case.result, findings=(odd, *rest))
    with pytest.raises(FormatError, match="measurements"):
        export_result(result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))


def test_a_measurement_that_is_no_number_is_refused(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    broken = dataclasses.replace(finding.measurements[0], value=float("nan"))
    result = dataclasses.replace(case.result, findings=(dataclasses.replace(finding, measurements=(broken,)),))
    with pytest.raises(FormatError, match="measurements"):
        export_result(result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))


def test_a_finding_without_voxels_is_refused(tmp_path: Path) -> None:
    case = a_case()
    box = dataclasses.replace(case.result.findings[0], region=Box(low=(0, 0, 0), high=(1, 1, 1)))
    result = dataclasses.replace(case.result, findings=(box,))
    with pytest.raises(FormatError, match="region"):
        export_result(result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))


@pytest.mark.parametrize("uid", ["", "not a uid", "1.02.3", "2.25." + "9" * 61])
def test_a_tracking_uid_that_is_none_is_refused(uid: str, tmp_path: Path) -> None:
    case = a_case()
    odd = dataclasses.replace(case.result.findings[0], tracking_uid=uid)
    result = dataclasses.replace(case.result, findings=(odd,))
    with pytest.raises(FormatError, match="tracking_uid"):
        export_result(result, headers=case.headers, folder=tmp_path, formats=("seg",))


def test_two_findings_with_one_tracking_uid_are_refused(tmp_path: Path) -> None:
    case = three_findings()
    result = dataclasses.replace(case.result, findings=(case.result.findings[0],) * 2)
    with pytest.raises(FormatError, match="tracking_uid"):
        export_result(result, headers=case.headers, folder=tmp_path, formats=("seg",))


def test_what_is_no_report_is_refused_by_the_reader(tmp_path: Path) -> None:
    seg, _ = exported(a_case(), tmp_path)
    with pytest.raises(FormatError, match="ContentTemplateSequence"):
        read(seg)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(seg.read_bytes()[:90])
    with pytest.raises(UnreadableFileError):
        read(broken)
