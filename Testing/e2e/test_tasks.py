"""Detectors and classifiers as whole jobs: from a series to its result, objects, scene and report."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.cli.execute import execute
from slicermedai.domain.finding import Box, ConfidenceState
from slicermedai.domain.result import AnalysisResult
from slicermedai.jobs.specs import RunJob
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.test_fused import balls, write_folded_detector
from Testing.inference.test_single import PLACES, detecting, middle, nodules
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import write_zoo_bundle

GRID = covering(spacing=(2.5, 1.5, 1.5), extent=(80.0, 80.0, 80.0))


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
def test_a_detector_runs_from_a_series_to_its_report(
    tmp_path: Path, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    bundle = tmp_path / "finder@0.1"
    write_zoo_bundle(bundle, "plain", detecting)
    change_json(bundle / "medai.json", task="detection")
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    agree(Title(name="finder", version="0.1"), "the test", bundle)
    write_series(nodules(GRID), tmp_path / "series", spec=SeriesSpec(slope=1e-4))
    job = RunJob(
        source=str(tmp_path / "series"),
        bundle=str(bundle),
        output=str(tmp_path / "out"),
        device="cpu",
        identity=identity,
    )
    folder = execute(job, job_id="j")
    result = AnalysisResult.load(folder)
    boxes = [one.region for one in result.findings]
    assert len(boxes) == len(PLACES) and all(isinstance(box, Box) for box in boxes)
    for place in PLACES:
        assert any(np.abs(middle(box) - place).max() < 3.0 for box in boxes)
    assert {one.confidence.state for one in result.findings} == {ConfidenceState.NOT_CALIBRATED}
    (report,) = [dcmread(path) for path in sorted((folder / "dicom").glob("*.dcm"))]
    assert (report.Modality, report.PatientID) == ("SR", result.study.patient_id)
    assert "box from" in (folder / "report.html").read_text("utf-8")
    with zipfile.ZipFile(folder / "scene.mrb") as scene:
        assert sum(name.endswith(".mrk.json") for name in scene.namelist()) >= len(PLACES)
    if identity == "deidentify":
        assert not leaks([path for path in folder.rglob("*") if path.is_file()], identity_tokens(Identity()))


def test_findings_of_a_job_say_how_many_folds_found_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")
    bundle = write_folded_detector(tmp_path / "finder@0.1")
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    agree(Title(name="finder", version="0.1"), "the test", bundle)
    write_series(balls(), tmp_path / "series", spec=SeriesSpec(slope=1e-4))
    paths = {"source": str(tmp_path / "series"), "bundle": str(bundle), "output": str(tmp_path / "out")}
    folder = execute(RunJob(**paths, device="cpu", identity="keep", folds="all"), job_id="j")
    result = AnalysisResult.load(folder)
    said = [one.confidence.reason.partition(".")[0] for one in result.findings]
    assert said == ["Found by 2 of 3 folds (0, 1)", "Found by 1 of 3 folds (0)"]
    assert all("no calibration record" in one.confidence.reason for one in result.findings)
    assert len(result.provenance.weights) == 3
    assert "Found by 1 of 3 folds (0)." in (folder / "report.html").read_text("utf-8")
