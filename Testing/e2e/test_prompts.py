"""Marks as a whole job: from a series to SEG and SR that say a person had a hand in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.cli.execute import execute
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import InputError
from slicermedai.jobs.specs import RunJob
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import body_on, points_of
from Testing.inference.prompt_bundle import write_prompt_bundle

GRID = covering(spacing=(3.0, 2.5, 2.5), extent=(100.0, 126.0, 116.0))
PLACE = (11.0, -18.0, 9.0)


@pytest.mark.parametrize("identity", ["keep", "deidentify"])
def test_what_was_marked_goes_into_every_object(tmp_path: Path, identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    bundle = write_prompt_bundle(tmp_path / "marked@0.1", "at_places")
    agree(Title(name="marked", version="0.1"), "the test", bundle)
    write_series(body_on(GRID)[0], tmp_path / "series", spec=SeriesSpec(slope=1e-4))
    job = RunJob(
        source=str(tmp_path / "series"),
        bundle=str(bundle),
        output=str(tmp_path / "out"),
        device="cpu",
        identity=identity,
        prompts=("Body=11 -18 9", "Body!=20.5 -18 9"),
    )
    folder = execute(job, job_id="j")
    result = AnalysisResult.load(folder)
    assert [one.in_words for one in result.provenance.prompts] == [
        "Body: inside at 11.0 -18.0 9.0",
        "Body: outside at 20.5 -18.0 9.0",
    ]
    assert (
        np.abs(points_of(result.volume_geometry)[result.findings[0].region.to_array()].mean(axis=0) - PLACE).max() < 4
    )
    objects = {dcmread(path).Modality: dcmread(path) for path in sorted((folder / "dicom").glob("*.dcm"))}
    assert set(objects) == {"SEG", "SR"}
    assert [one.SegmentAlgorithmType for one in objects["SEG"].SegmentSequence] == ["SEMIAUTOMATIC"]
    assert "inside at 11.0 -18.0 9.0" in (folder / "report.html").read_text("utf-8")
    if identity == "deidentify":
        assert not leaks([path for path in folder.rglob("*") if path.is_file()], identity_tokens(Identity()))


def test_a_mark_that_cannot_be_read_stops_the_job_before_anything_is_read(tmp_path: Path) -> None:
    bundle = write_prompt_bundle(tmp_path / "marked@0.1", "at_places")
    job = RunJob(source=str(tmp_path / "nowhere"), bundle=str(bundle), output=str(tmp_path / "out"), prompts=("Body",))
    with pytest.raises(InputError, match="is neither a point nor a box"):
        execute(job, job_id="j")
