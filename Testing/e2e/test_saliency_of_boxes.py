"""A map of what spoke for one box goes from a run into the report, the objects and the review, with its finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.bundles.registry import resolve
from slicermedai.cli.execute import execute
from slicermedai.confidence.saliency_probe import SaliencyProbe
from slicermedai.domain.maps import is_saliency
from slicermedai.domain.result import AnalysisResult
from slicermedai.jobs.specs import RunJob
from slicermedai.validate.running import ModelRun
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.validate.lesion_cohort import a_detector, balls, image_of

pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return a_detector(tmp_path)


def test_the_second_box_is_explained_in_report_and_objects(bundle: Path, tmp_path: Path) -> None:
    write_series(image_of(balls(np.random.default_rng(3))), tmp_path / "series", spec=SeriesSpec(slope=1e-4))
    job = RunJob(
        source=str(tmp_path / "series"), bundle=str(bundle), output=str(tmp_path / "out"), device="cpu",
        saliency="gradient", saliency_target="Body 1#2",
    )  # fmt: skip
    folder = execute(job, job_id="j")
    result = AnalysisResult.load(folder)
    (made,) = [one for one in result.maps if is_saliency(one)]
    second = sorted(result.findings, key=lambda one: -(one.confidence.raw_score or 0))[1]
    assert made.explains == (second.tracking_uid,)
    assert made.name == "Saliency: Input gradients of Body 1, box 2 by score"
    page = (folder / "report.html").read_text("utf-8")
    for words in (made.name, "saliency not validated", "logit, before the sigmoid,", "those that hold the box"):
        assert words in page, words
    objects = [dcmread(path) for path in sorted((folder / "dicom").glob("*.dcm"))]
    (parametric,) = [one for one in objects if one.Modality == "OT"]
    (report,) = [one for one in objects if one.Modality == "SR"]
    assert cited(report, parametric.SOPInstanceUID) == [second.tracking_uid]


def cited(report: Dataset, uid: str) -> list[str]:
    """Tracking UIDs of the groups of a structured report that cite an object."""
    found: list[str] = []
    for group in report.get("ContentSequence", ()):
        inner = cited(group, uid)
        own = [str(part.UID) for part in group.get("ContentSequence", ()) if part.get("ValueType") == "UIDREF"]
        here = [
            one.ReferencedSOPInstanceUID
            for part in group.get("ContentSequence", ())
            for one in part.get("ReferencedSOPSequence", ())
        ]
        found += inner + (own[:1] if uid in here and own else [])
    return found


def test_a_detector_is_calibrated_with_checks_of_its_maps(bundle: Path) -> None:
    probe = SaliencyProbe("gradient")
    run = ModelRun(ref=resolve(str(bundle)), device="cpu", probe=probe.of)
    assert run(image_of(balls(np.random.default_rng(3))), subject="a").regions
    found = probe.quality()
    assert found.cases == 1 and found.gain is not None and found.rho is not None
    assert found.in_words.startswith("saliency not validated")
