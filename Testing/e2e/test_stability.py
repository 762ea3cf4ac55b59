"""A run that changes its image within scanner noise: the numbers in result, report and warnings, on both routes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai import pipeline
from slicermedai.cli.execute import execute
from slicermedai.domain.decisions import decided
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.jobs.kinds import stages_of
from slicermedai.jobs.specs import RunJob
from Testing.fixtures.grids import grid
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.tiny_bundle import change_json, write_tiny_bundle

SHAPE = (16, 48, 48)
UNSURE = 0.5
"""The tiny network says yes from one half on."""


def ball(level: float) -> Volume:
    """A ball of ``level`` on a dark body of 0.1, with noise of 0.02 in all of it, 2 mm voxels."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    inside = (2 * (z - 8)) ** 2 + (y - 24) ** 2 + (x - 24) ** 2 < 12**2
    array = np.where(inside, level, 0.1) + np.random.default_rng(2).normal(0, 0.02, SHAPE)
    return Volume(
        array=array.clip(0).astype(np.float32), geometry=grid(shape=SHAPE, spacing=(4.0, 2.0, 2.0)), modality="MR"
    )


def bundle_in(folder: Path) -> Path:
    """The tiny bundle without resampling and clean-up: its answer is that of each voxel by itself."""
    made = write_tiny_bundle(folder / "tiny@0.1")
    steps = [
        {"_target_": "LoadImaged", "keys": "@image_key"},
        {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
    ]
    change_json(made / "configs" / "inference.json", preprocessing={"_target_": "Compose", "transforms": steps})
    return made


def ran(folder: Path, volume: Volume, **fields: object) -> tuple[Path, AnalysisResult]:
    series, bundle = folder / "series", folder / "tiny@0.1"
    if not bundle.exists():
        bundle_in(folder)
    if not series.exists():
        write_series(volume, series, spec=SeriesSpec(slope=1e-4))
    name = f"out-{len(list(folder.iterdir()))}"
    job = RunJob(source=str(series), bundle=str(bundle), output=str(folder / name), device="cpu", **fields)
    out = execute(job, job_id="j")
    return out, AnalysisResult.load(out)


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
def test_a_sure_answer_is_stable_and_the_mask_is_that_of_a_run_without(tmp_path: Path, identity: str) -> None:
    fields = {"identity": identity, "report": False, "ocr": False, "deface": False}
    _, plain = ran(tmp_path, ball(0.9), **fields)
    _, result = ran(tmp_path, ball(0.9), stability=3, **fields)
    assert plain.stability is None
    assert "Stability: not assessed, since no check was asked for." in plain.provenance.refusals
    assert not any(line.startswith("Stability") for line in result.provenance.refusals)
    assert np.array_equal(*(one.findings[0].region.to_array() for one in (plain, result)))

    found = result.stability
    assert found is not None and len(found.perturbations) == 3
    noise = found.perturbations[0].removeprefix("added noise of standard deviation ")
    assert float(noise) == pytest.approx(0.02, rel=0.05)
    assert found.perturbations[1:] == ("a shift of +0.25 x +0.25 x +0.25 voxels", "all values times 1.05")
    moved = found.of(result.findings[0].tracking_uid)
    assert moved is not None and moved.is_stable and 0.93 < moved.lowest_dice < 1
    assert not any("not stable" in line for line in result.provenance.warnings)
    assert any(step.name == "stability" for step in result.provenance.steps)


def test_an_answer_that_hangs_on_noise_is_warned_of_and_shown(tmp_path: Path) -> None:
    folder, result = ran(tmp_path, ball(UNSURE + 0.004), stability=1)
    (body,) = result.findings
    moved = result.stability.of(body.tracking_uid)
    assert not moved.is_stable and moved.reason.startswith("not stable: Dice 0.")
    assert result.quality[0].light != "green" and moved.reason in result.quality[0].reasons
    assert f"Body: {moved.reason}" in result.provenance.warnings and result.needs_a_look
    page = (folder / "report.html").read_text("utf-8")
    assert page.count(moved.reason.replace("'", "&#x27;")) >= 3  # the table, the light and the warnings
    assert "Stable answers may be wrong" in page and "Dice 0.9 with the result itself, and 10 % of its volume" in page

    edit = Review(tracking_uid=body.tracking_uid, person="P", decision=Decision.EDITED, region=body.region)
    edited = decided(replace(result, reviews=(edit,)))
    assert edited.stability is not None and edited.stability.structures == ()


def test_a_level_of_noise_may_be_given(tmp_path: Path) -> None:
    """Ten times the noise of the image moves what its own noise does not."""
    _, own = ran(tmp_path, ball(0.65), stability=1, report=False)
    _, given = ran(tmp_path, ball(0.65), stability=1, stability_noise="0.3", report=False)
    assert own.stability.structures[0].is_stable and not given.stability.structures[0].is_stable
    assert given.stability.perturbations == ("added noise of standard deviation 0.3",)


def test_a_check_that_cannot_begin_is_not_assessed_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that is there for the run and gone for the first changed image."""

    def fails(*given: object) -> None:
        raise InputError("memory ran out", attribute="memory")

    monkeypatch.setattr(pipeline, "_asked_again", fails)
    _, result = ran(tmp_path, ball(0.9), stability=2, report=False)
    assert result.findings and result.stability is not None and result.stability.structures == ()
    (line,) = (line for line in result.provenance.refusals if line.startswith("Stability: not assessed"))
    assert "ended before added noise" in line and "memory ran out" in line


def test_what_cannot_be_done_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path)
    with pytest.raises(InputError, match="stability_noise"):
        job = RunJob(source="none", bundle=str(bundle), output=str(tmp_path / "o"), stability=2, stability_noise="-1")
        execute(job, job_id="j")
    change_json(bundle / "medai.json", task="classification")
    with pytest.raises(InputError, match="of segmentations alone") as caught:
        execute(RunJob(source="none", bundle=str(bundle), output=str(tmp_path / "o"), stability=2), job_id="j")
    assert caught.value.attribute == "stability"


def test_the_time_of_the_check_is_weighed_with_its_number() -> None:
    plain, checked = (stages_of(RunJob(source="a", stability=count)) for count in (0, 4))
    assert "stability" not in plain
    assert checked["stability"] == 4 * checked["segment"]
    assert list(checked)[list(checked).index("segment") + 1] == "stability"
