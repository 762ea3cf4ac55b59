"""What is said of an image as a whole, in a report that validators take and that cites that image."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import highdicom
import pytest
from pydicom import dcmread

from slicermedai.dicom.headers import series_ref
from slicermedai.domain.codes import Code, Label
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import FormatError
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from Testing.export.cases import LEFT_KIDNEY, LESION, SPECS, Case, a_case
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, pixelmed_errors
from Testing.fixtures.flat_writer import FlatSpec, chest, write_flat

_SURE = Confidence(state=ConfidenceState.CALIBRATED, probability=0.61, calibration="site A")
_UNSURE = Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.98765432)
_FRACTURE = Label(
    name="Fracture",
    category=LESION.category,
    type=Code(value="72704001", scheme="SCT", meaning="Fracture"),
    modifier=LEFT_KIDNEY.modifier,
)


def said_of(case: Case, *labels: Label, confidence: Confidence = _UNSURE) -> Case:
    findings = tuple(
        Finding(tracking_uid=f"2.25.6660{n}", label=label, confidence=confidence) for n, label in enumerate(labels, 1)
    )
    return dataclasses.replace(case, result=dataclasses.replace(case.result, findings=findings))


def a_picture(folder: Path, modality: str) -> Case:
    """A result on one projection or photograph."""
    spec = FlatSpec(modality=modality, side="L", view="MLO" if modality == "MG" else None)
    header = dcmread(write_flat(chest(), folder / "study", spec=spec), stop_before_pixels=True)
    base = a_case()
    study = dataclasses.replace(base.result.study, study_uid=str(header.StudyInstanceUID))
    result = dataclasses.replace(base.result, study=study, findings=(), sources=(series_ref((header,)),))
    return Case(result=result, headers=(header,), masks=())


def exported(case: Case, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return export_result(case.result, headers=case.headers, folder=folder, formats=("sr-image",))


@pytest.mark.parametrize("modality", ["DX", "CR", "MG", "OP"])
@pytest.mark.parametrize("confidence", [_SURE, _UNSURE])
def test_a_report_on_a_picture_is_valid_and_cites_it(modality: str, confidence: Confidence, tmp_path: Path) -> None:
    case = said_of(a_picture(tmp_path, modality), LESION, _FRACTURE, confidence=confidence)
    (path,) = exported(case, tmp_path / "out")
    source = tmp_path / "source.dcm"
    case.headers[0].save_as(source)
    assert (dciodvfy_errors(path), dcentvfy_errors([path, source]), pixelmed_errors(path)) == ([], [], [])
    groups = highdicom.sr.srread(path).content.get_image_measurement_groups()
    assert [group.tracking_uid for group in groups] == [one.tracking_uid for one in case.result.findings]
    for group in groups:
        numbers = [one.value for one in group.get_measurements()]
        assert numbers == ([0.61] if confidence is _SURE else []), "only a calibrated value is a number"
        (image,) = [one for one in group[0].ContentSequence if one.ValueType == "IMAGE"]
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == case.headers[0].SOPInstanceUID
    assert b"98765" not in path.read_bytes()


def test_it_comes_back_as_findings_without_a_region(tmp_path: Path) -> None:
    for name, sure in (("sure", _SURE), ("unsure", _UNSURE)):
        case = said_of(a_picture(tmp_path / name, "DX"), LESION, _FRACTURE, confidence=sure)
        read = read_result(exported(case, tmp_path / f"{name} out"))
        found = read.result.findings
        assert [one.region for one in found] == [None, None]
        assert [one.label.type for one in found] == [LESION.type, _FRACTURE.type]
        assert {one.confidence.state for one in found} == {sure.state}
        assert read.result.provenance.bundle == case.result.provenance.bundle
        assert read.result.provenance.weights_sha256 == case.result.provenance.weights_sha256


def test_nothing_found_is_said_and_findings_with_regions_are_left_to_other_reports(tmp_path: Path) -> None:
    nothing = a_picture(tmp_path, "DX")
    nothing = dataclasses.replace(nothing, result=dataclasses.replace(nothing.result, status=Status.NO_FINDING))
    (path,) = exported(nothing, tmp_path / "out")
    assert (dciodvfy_errors(path), pixelmed_errors(path)) == ([], [])
    assert read_result([path]).result.status is Status.NO_FINDING
    assert exported(a_case(), tmp_path / "none") == []


def test_a_volume_can_be_classified_too(tmp_path: Path) -> None:
    case = said_of(a_case(spec=SPECS["CT"]), LESION)
    (path,) = exported(case, tmp_path / "out")
    assert (dciodvfy_errors(path), pixelmed_errors(path)) == ([], [])


def test_a_bad_uid_is_refused_and_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    case = said_of(a_picture(tmp_path, "DX"), LESION)
    one, other = exported(case, tmp_path / "a")[0], exported(case, tmp_path / "b")[0]
    assert one.read_bytes() == other.read_bytes()
    bad = dataclasses.replace(case.result.findings[0], tracking_uid="no uid")
    result: AnalysisResult = dataclasses.replace(case.result, findings=(bad,))
    with pytest.raises(FormatError, match="tracking_uid"):
        exported(dataclasses.replace(case, result=result), tmp_path / "c")
