"""Flat pictures as whole jobs: from a DX, MG or ophthalmic file to findings, formats and a report with the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.cli.execute import execute
from slicermedai.deid.pixels.ocr import is_available
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.geometry import Space
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import AmbiguousInputError, FormatError, InputError
from slicermedai.export.read_back import read_result
from slicermedai.jobs.specs import RunJob
from Testing.deid.pixels.pictures import Text, written_on
from Testing.fixtures.flat_writer import FlatSpec, chest, retina, write_flat
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.inference.flat_bundle import write_colour_bundle, write_flat_bundle


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A consented classifier of grey pictures."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    write_flat_bundle(tmp_path / "flat@0.1")
    agree(Title(name="flat", version="0.1"), "the test", tmp_path / "flat@0.1")
    return tmp_path / "flat@0.1"


def run(tmp_path: Path, bundle: Path, **fields: Any) -> Path:
    values = {"source": str(tmp_path / "study"), "output": str(tmp_path / "out"), "device": "cpu", **fields}
    return execute(RunJob(bundle=str(bundle), **values), job_id="j")


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
@pytest.mark.parametrize("white_is_low", [False, True])
def test_a_mammogram_runs_to_findings_of_its_side_and_a_report_with_its_picture(
    tmp_path: Path, bundle: Path, identity: str, white_is_low: bool
) -> None:
    spec = FlatSpec(modality="MG", side="L", view="MLO", towards=("A", "F"), white_is_low=white_is_low)
    write_flat(chest((200, 150)), tmp_path / "study", spec=spec)
    folder = run(tmp_path, bundle, identity=identity)
    result = AnalysisResult.load(folder)
    assert [one.region for one in result.findings] == [None, None]
    assert {one.confidence.state for one in result.findings} == {ConfidenceState.NOT_CALIBRATED}
    assert {one.label.modifier.meaning for one in result.findings} == {"Left"}
    assert result.volume_geometry.space is Space.PLANE
    assert any("in the plane of the detector" in note for note in result.notes)
    assert (folder / "dicom" / "findings.csv").is_file()
    report = dcmread(folder / "dicom" / "sr-image.dcm")
    assert (report.PatientID, report.StudyInstanceUID) == (result.study.patient_id, result.study.study_uid)
    assert [one.label.modifier.meaning for one in read_result([folder / "dicom" / "sr-image.dcm"]).result.findings] == [
        "Left",
        "Left",
    ]
    page = (folder / "report.html").read_text("utf-8")
    for said in ("has no place in the patient", "left MLO", "No DICOM SEG and SR", "There is no scene file", "Left"):
        assert said in page, said
    shown = np.asarray(Image.open(folder / "pictures" / "projection.png"))[..., 2]
    middle = shown[60:-60, 60:-60].astype(float)
    true = chest((200, 150)).astype(float)[40:160, 40:110]
    assert true[60].argmin() < 70 and middle.max() > 190 > middle.min() + 60
    if identity == "deidentify":
        assert not leaks([path for path in folder.rglob("*") if path.is_file()], identity_tokens(Identity()))


def test_a_mammogram_is_explained_by_a_map_of_the_finding_with_its_side(tmp_path: Path, bundle: Path) -> None:
    spec = FlatSpec(modality="MG", side="L", view="MLO", towards=("A", "F"))
    write_flat(chest((200, 150)), tmp_path / "study", spec=spec)
    folder = run(tmp_path, bundle, saliency="occlusion", saliency_target="body 2")
    result = AnalysisResult.load(folder)
    (made,) = result.maps
    chosen = [one.tracking_uid for one in result.findings if one.label.name == "Body 2"]
    assert made.name == "Saliency: Occlusion of Body 2, left" and made.explains == tuple(chosen) != ()
    assert made.array.shape == result.volume_geometry.shape == (1, 200, 150)
    assert made.array.max() > 0.9 > 0.5 > made.array.min(), "bright places speak for it, dark ones less"
    assert "Saliency: Occlusion of Body 2, left" in (folder / "report.html").read_text("utf-8")
    assert not list((folder / "dicom").glob("pmap*")), "which has no place in the patient"


def test_polarity_changes_neither_result_nor_picture(tmp_path: Path, bundle: Path) -> None:
    found = []
    for low in (False, True):
        write_flat(chest(), tmp_path / f"study{low}", spec=FlatSpec(white_is_low=low, window=(2600.0, 2200.0)))
        folder = run(tmp_path, bundle, source=str(tmp_path / f"study{low}"), output=str(tmp_path / f"out{low}"))
        result = AnalysisResult.load(folder)
        picture = np.asarray(Image.open(folder / "pictures" / "projection.png")).astype(int)
        found.append(([(f.label.name, round(f.confidence.raw_score, 5)) for f in result.findings], picture))
    assert found[0][0] == found[1][0] != []
    assert np.abs(found[0][1] - found[1][1]).max() <= 1


def test_a_retina_in_colour_runs_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    write_colour_bundle(tmp_path / "eye@0.1")
    agree(Title(name="eye", version="0.1"), "the test", tmp_path / "eye@0.1")
    write_flat(retina(), tmp_path / "study", spec=FlatSpec(modality="OP", side="R", window=None, towards=None))
    folder = run(tmp_path, tmp_path / "eye@0.1")
    result = AnalysisResult.load(folder)
    assert [one.label.modifier.meaning for one in result.findings] == ["Right", "Right"]
    assert "mm" not in result.volume_geometry.in_words
    picture = np.asarray(Image.open(folder / "pictures" / "projection.png")).astype(int)
    red, green, blue = picture[30:-30, 40:-40].mean(axis=(0, 1))
    assert red > green > blue


def test_a_name_burned_into_a_picture_is_read_and_removed_in_either_polarity(tmp_path: Path, bundle: Path) -> None:
    if not is_available():
        pytest.skip("absent: rapidocr-onnxruntime (optional extra ocr)")
    ground = (chest((360, 420)) // 16).astype(np.uint8)
    written = written_on(ground, [Text(20, 20, "QUILLFEATHER AMBROSIA")], size=24).astype(np.uint16) * 16
    write_flat(written, tmp_path / "study", spec=FlatSpec(side="L", white_is_low=True))
    folder = run(tmp_path, bundle, identity="deidentify", ocr=True, report=False)
    copy = open_source(folder / "dicom" / "source").volume.array[0]
    assert written[20:50, 20:380].max() > 4000 > 3700 > copy[20:50, 20:380].max()
    assert np.array_equal(copy[70:], written[70:]), "and nothing else is touched"
    assert len(AnalysisResult.load(folder).findings) == 2


def test_regions_are_refused_by_name_and_words_are_filed(tmp_path: Path, bundle: Path) -> None:
    write_flat(chest(), tmp_path / "study", spec=FlatSpec(side="R"))
    for name in ("seg", "sr", "rtstruct", "nifti", "sr-regions"):
        with pytest.raises(FormatError, match=f"format '{name}' cannot be written: a projection or photograph"):
            run(tmp_path, bundle, formats=(name,))
    folder = run(tmp_path, bundle, formats=("text", "csv"), report=False)
    text = dcmread(folder / "dicom" / "text.dcm")
    said = " ".join(str(item.get("TextValue", "")) for _, item in _items(text))
    assert "Right" in said and "not calibrated" in said
    assert text.StudyInstanceUID == AnalysisResult.load(folder).study.study_uid


def _items(dataset: Any) -> Any:
    for item in dataset.get("ContentSequence", ()):
        yield dataset, item
        yield from _items(item)


def test_a_study_of_several_views_must_name_one(tmp_path: Path, bundle: Path) -> None:
    for number, side in enumerate("LR", 1):
        spec = FlatSpec(modality="MG", side=side, view="CC", towards=("A", "R"), series_number=number)
        write_flat(chest(), tmp_path / "study", spec=spec)
    with pytest.raises(AmbiguousInputError, match="one picture, L CC") as error:
        run(tmp_path, bundle)
    right = str(error.value).split("one picture, R CC, ")[1].partition(")")[0]
    folder = run(tmp_path, bundle, series=right, identity="deidentify")
    assert {one.label.modifier.meaning for one in AnalysisResult.load(folder).findings} == {"Right"}


def test_a_job_says_which_values_where_the_model_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    write_flat_bundle(tmp_path / "flat@0.1", pixel_values="")
    agree(Title(name="flat", version="0.1"), "the test", tmp_path / "flat@0.1")
    write_flat(chest(), tmp_path / "study")
    with pytest.raises(InputError, match="pixel_values"):
        run(tmp_path, tmp_path / "flat@0.1")
    folder = run(tmp_path, tmp_path / "flat@0.1", pixel_values="display", report=False)
    steps = {step.name: step.detail for step in AnalysisResult.load(folder).provenance.steps}
    assert steps["adapt: pixel values"].startswith("as they are shown, 0 (black) to 255 (white)")
