"""A run that asks its network about mirror images: result, map, report and scene, and the same mask as without."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.cli.execute import execute
from slicermedai.domain.decisions import decided
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.export.pmap_read import read
from slicermedai.export.read_back import read_result
from slicermedai.inference.resample import resample
from slicermedai.jobs.specs import RunJob
from Testing.export.test_explanations import links_in
from Testing.export.validators import dciodvfy_errors
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.test_again import ball, leaning
from Testing.inference.test_dropout import forgetful
from Testing.inference.tiny_bundle import change_json, write_folded_bundle, write_tiny_bundle


def ran(folder: Path, series: Path, bundle: Path, **fields: object) -> tuple[Path, AnalysisResult]:
    out = execute(
        RunJob(source=str(series), bundle=str(bundle), output=str(folder), device="cpu", **fields), job_id="j"
    )
    return out, AnalysisResult.load(out)


def test_samples_go_from_a_run_into_its_map_report_and_scene(tmp_path: Path) -> None:
    bundle = leaning(write_tiny_bundle(tmp_path / "tiny@0.1"), roi=32)
    write_series(ball(), tmp_path / "series", spec=SeriesSpec(slope=1e-3))
    _, plain = ran(tmp_path / "plain", tmp_path / "series", bundle, report=False)
    folder, result = ran(tmp_path / "flips", tmp_path / "series", bundle, uncertainty="flips", saliency="gradient")

    masks = [one.findings[0].region.to_array() for one in (plain, result)]
    assert np.array_equal(*masks)
    assert plain.uncertainty is None and any("no samples were asked for" in line for line in plain.provenance.refusals)

    found = result.uncertainty
    assert found is not None and found.samples == 8 and 1 < found.cost < 8
    (spread,) = found.structures
    assert 0.5 < spread.pairwise_dice < 1 and spread.band_ml > 0
    assert spread.volume_low <= spread.volume_mean <= spread.volume_high
    inner, outer = spread.inner.to_array(), spread.outer.to_array()
    assert inner.sum() < masks[0].sum() < outer.sum()
    assert not (inner & ~masks[0]).any() and not (masks[0] & ~outer).any()

    uncertain, salient = result.maps
    assert uncertain.array.dtype == np.float32 and uncertain.geometry.same_grid(result.volume_geometry)
    assert 0 < uncertain.array.max() <= 0.5
    assert (
        uncertain.array[~outer].max() < 0.2 and uncertain.array[inner].mean() < uncertain.array[outer & ~inner].mean()
    )

    assert salient.quantity.value == "130404" and salient.geometry.same_grid(result.volume_geometry)
    assert dict(salient.about)["checks"].startswith("saliency not validated")
    assert salient.array[outer].mean() > 5 * salient.array[~outer].mean()
    assert not any(line.startswith("Saliency") for line in result.provenance.refusals)
    assert any(line.startswith("Saliency: not assessed") for line in plain.provenance.refusals)

    back = read(folder / "dicom" / "pmap-1.dcm").map
    assert np.allclose(resample(back.array, back.geometry, uncertain.geometry), uncertain.array, atol=1e-6)
    assert read(folder / "dicom" / "pmap-2.dcm").map.quantity.value == "130404"
    report = folder / "dicom" / "sr.dcm"
    why = dcmread(folder / "dicom" / "pmap-2.dcm").SOPInstanceUID
    assert links_in(report) == [(spread.tracking_uid, str(why))], "the finding names the map that explains it (130401)"
    assert dciodvfy_errors(report) == []
    again = read_result(sorted((folder / "dicom").glob("*.dcm"))).result
    assert [one.explains for one in again.maps] == [(), (spread.tracking_uid,)]
    texts = [str(one.value) for one in dcmread(folder / "dicom" / "pmap-1.dcm").iterall() if one.keyword == "TextValue"]
    assert any("flip test-time augmentation, 8 samples" in text for text in texts)

    page = (folder / "report.html").read_text("utf-8")
    assert "Input gradients of Body" in page and "saliency not validated" in page
    assert re.search("Pairwise Dice", page) and "8, the result itself among them" in page
    assert (folder / "scene.mrb").is_file()

    edit = Review(
        tracking_uid=spread.tracking_uid, person="P", decision=Decision.EDITED, region=result.findings[0].region
    )
    edited = decided(replace(result, reviews=(edit,)))
    assert edited.uncertainty is not None and edited.uncertainty.structures == ()


def test_contours_are_drawn_at_the_level_that_was_chosen(tmp_path: Path) -> None:
    bundle = leaning(write_tiny_bundle(tmp_path / "tiny@0.1"), roi=32, sides=3)
    write_series(ball(), tmp_path / "series", spec=SeriesSpec(slope=1e-3))
    asked = {"uncertainty": "flips", "report": False, "formats": ("nifti",)}
    drawn = []
    for level in (0.9, 0.6):
        _, result = ran(tmp_path / f"{level}", tmp_path / "series", bundle, contour_level=level, **asked)
        assert result.uncertainty is not None and result.uncertainty.level == level
        (spread,) = result.uncertainty.structures
        drawn.append((spread.inner.to_array(), spread.outer.to_array()))
    (inner, outer), (wider, narrower) = drawn
    assert inner.sum() < wider.sum() and not (inner & ~wider).any(), "fewer samples must agree within"
    assert narrower.sum() < outer.sum() and not (narrower & ~outer).any()

    for level in (0.5, 1.0, float("nan")):
        with pytest.raises(InputError, match="contour_level"):
            ran(tmp_path / "never", tmp_path / "series", bundle, contour_level=level, **asked)


def test_folds_are_samples_of_a_run_whose_answer_is_their_mean(tmp_path: Path) -> None:
    bundle = write_folded_bundle(tmp_path / "tiny@0.1", (0.5, 0.45, 0.6))
    write_series(blurred(), tmp_path / "series", spec=SeriesSpec(slope=1e-3))
    folder, result = ran(tmp_path / "folds", tmp_path / "series", bundle, uncertainty="folds", folds="all")
    found = result.uncertainty
    assert found is not None
    assert (found.method, found.samples, found.includes_result) == ("ensemble of 3 folds (0, 1, 2)", 3, False)
    assert 1 < found.cost < 2, "three passes of a third each, over the windows that touch the answer"
    (spread,) = found.structures
    assert 0.5 < spread.pairwise_dice < 0.95 and spread.volume_low < spread.volume_mean < spread.volume_high
    assert "3, the result itself not among them" in (folder / "report.html").read_text("utf-8")


def consented(bundle: Path) -> Path:
    agree(Title(name="tiny", version="0.1"), "the test", bundle)
    return bundle


def test_what_was_checked_of_dropout_stands_in_result_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    write_series(ball(), tmp_path / "series", spec=SeriesSpec(slope=1e-3))
    few = consented(forgetful(tmp_path / "a@0.1", p=0.1))
    folder, result = ran(tmp_path / "few", tmp_path / "series", few, uncertainty="dropout", seed=3)
    found = result.uncertainty
    assert found is not None
    assert (found.samples, found.seeds, found.includes_result) == (8, tuple(range(4, 12)), False)
    (check,) = found.checks
    assert "agrees with the run's answer by a Dice of" in check
    page = (folder / "report.html").read_text("utf-8")
    assert "Check" in page and "Monte Carlo dropout" in page and "4, 5, 6, 7, 8, 9, 10, 11" in page
    many = consented(forgetful(tmp_path / "b@0.1", p=0.7))
    _, other = ran(tmp_path / "many", tmp_path / "series", many, uncertainty="dropout", report=False)
    assert other.uncertainty is None and other.findings
    (line,) = (line for line in other.provenance.refusals if line.startswith("Uncertainty"))
    assert line.startswith("Uncertainty: not assessed, since with dropout") and "0.9 is asked for" in line


@pytest.mark.parametrize(
    ("asked", "words"), [("folds", "one network and no folds"), ("dropout", "no samples by dropout")]
)
def test_samples_that_a_model_cannot_give_are_refused_by_name(tmp_path: Path, asked: str, words: str) -> None:
    bundle = write_tiny_bundle(tmp_path / "tiny@0.1")
    write_series(ball(), tmp_path / "series", spec=SeriesSpec(slope=1e-3))
    with pytest.raises(InputError, match=words):
        ran(tmp_path / "out", tmp_path / "series", bundle, uncertainty=asked)
    assert not (tmp_path / "out").exists()


def blurred() -> Volume:
    """A ball without a sharp border, so that a lower bound finds more."""
    z, y, x = np.ogrid[:40, :64, :64]
    distance = np.sqrt((z - 14.0) ** 2 + (y - 16.0) ** 2 + (x - 18.0) ** 2)
    return replace(ball(), array=np.clip(1.2 - distance / 12, 0, 1).astype(np.float32))


@pytest.mark.parametrize(
    ("task", "asked"),
    [("detection", {"uncertainty": "flips"}), ("classification", {"uncertainty": "dropout"}),
     ("classification", {"uncertainty": "flips", "stability": 2})],
)  # fmt: skip
def test_detectors_are_not_asked_for_samples_and_classifiers_for_mirror_images_alone(
    task: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    bundle = write_tiny_bundle(tmp_path / "tiny@0.1")
    change_json(bundle / "medai.json", task=task)
    with pytest.raises(InputError, match="of segmentations alone"):
        job = RunJob(source=str(tmp_path), bundle=str(bundle), output=str(tmp_path / "out"), **asked)
        execute(job, job_id="j")
