"""Boxes and points of a detector, in a report that validators take, with every corner where it was found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.domain.finding import Box, Confidence, ConfidenceState, Finding, Point
from slicermedai.errors import FormatError
from slicermedai.export.run import export_result
from Testing.export.cases import LESION, SPECS, Case, a_case
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, pixelmed_errors

BOX = Box(low=(-4.5, -20.25, 40.0), high=(1.5, -12.0, 46.5))
POINT = Point(position=(1.25, -15.0, 44.0))


def detected(case: Case, *regions: Box | Point, probability: float | None = None) -> Case:
    sure = Confidence(raw_score=0.98765432)
    if probability is not None:
        sure = Confidence(state=ConfidenceState.CALIBRATED, probability=probability, calibration="site A")
    findings = tuple(
        Finding(tracking_uid=f"2.25.5550{n}", label=LESION, region=region, confidence=sure)
        for n, region in enumerate(regions, 1)
    )
    return dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings))


def exported(case: Case, folder: Path) -> list[Path]:
    return export_result(case.result, headers=case.headers, folder=folder, formats=("sr-regions",))


@pytest.mark.parametrize("kind", ["MR", "CT", "PET", "enhanced MR"])
def test_a_report_of_boxes_on_every_kind_of_source_is_valid(kind: str, tmp_path: Path) -> None:
    case = detected(a_case(spec=SPECS[kind]), BOX, POINT)
    (path,) = exported(case, tmp_path)
    sources = [tmp_path / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, file in zip(case.headers, sources, strict=True):
        header.save_as(file)
    assert (dciodvfy_errors(path), dcentvfy_errors([path, *sources])) == ([], [])


@pytest.mark.parametrize("probability", [None, 0.61])
def test_pixelmed_and_highdicom_read_every_box_where_it_was_found(probability: float | None, tmp_path: Path) -> None:
    case = detected(a_case(), BOX, BOX, probability=probability)
    (path,) = exported(case, tmp_path)
    assert pixelmed_errors(path) == []
    groups = highdicom.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_uid for group in groups] == [one.tracking_uid for one in case.result.findings]
    for group in groups:
        surfaces = [item for item in group.roi if item.ValueType == "SCOORD3D"]
        faces = np.concatenate([item.value for item in surfaces])
        assert faces.min(axis=0).tolist() == list(BOX.low) and faces.max(axis=0).tolist() == list(BOX.high)
        assert {item.frame_of_reference_uid for item in surfaces} == {case.headers[0].FrameOfReferenceUID}
        assert [one.value for one in group.get_measurements()] == ([] if probability is None else [0.61])
        (image,) = [item for item in group.roi if item.ValueType == "IMAGE"]
        places = {str(header.SOPInstanceUID): float(header.ImagePositionPatient[2]) for header in case.headers}
        middle = (BOX.low[2] + BOX.high[2]) / 2
        assert abs(places[image.referenced_sop_instance_uid] - middle) == min(abs(z - middle) for z in places.values())
    assert b"98765" not in path.read_bytes()


def test_a_result_without_boxes_gives_no_file_and_a_bad_uid_is_refused(tmp_path: Path) -> None:
    assert exported(a_case(), tmp_path) == []
    case = detected(a_case(), BOX)
    findings = (dataclasses.replace(case.result.findings[0], tracking_uid="none"),)
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings))
    with pytest.raises(FormatError, match="tracking_uid"):
        exported(case, tmp_path)


def test_the_same_boxes_give_the_same_bytes(tmp_path: Path) -> None:
    case = detected(a_case(), BOX, POINT)
    (tmp_path / "again").mkdir()
    first, second = exported(case, tmp_path)[0], exported(case, tmp_path / "again")[0]
    assert first.read_bytes() == second.read_bytes()
    assert dcmread(first).VerificationFlag == "UNVERIFIED"
