"""What a series over time would take is told of all its frames, by its headers alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import slicermedai
from slicermedai.console.estimates import answer_to, request_of, told
from slicermedai.domain.estimate import Estimate
from slicermedai.errors import InputError
from Testing.fixtures.beating import beating_heart
from Testing.fixtures.timed_writer import write_nifti_over_time
from Testing.over_time.conftest import BEAT, GRID, Run

pytestmark = pytest.mark.xdist_group("beating heart")


def estimate(source: object, bundle: Path, **options: object) -> Estimate:
    request = request_of(source, str(bundle), {"device": "cpu", **options})
    return told(request, answer_to(request))


def test_all_frames_are_counted_and_each_is_one_image(beat_run: Run, heart_bundle: Path) -> None:
    files = [path for frame in beat_run.files for path in frame]
    found = estimate(files, heart_bundle, over_time=True)
    assert found.frames == 12
    assert found.over_time.startswith("12 frames over time (MR, by TriggerTime, ")
    one = estimate(beat_run.files[0], heart_bundle)
    assert (one.frames, one.over_time) == (1, "")
    assert found.workload == one.workload


def test_a_series_over_time_of_which_one_image_is_asked_is_recognised(beat_run: Run, heart_bundle: Path) -> None:
    found = slicermedai.estimate(beat_run.files[0][0].parent, str(heart_bundle), device="cpu")
    assert found.frames == 0
    assert "would be refused" in found.in_words


def test_so_is_a_nifti_file_of_four_dimensions(heart_bundle: Path, tmp_path: Path) -> None:
    path = write_nifti_over_time(beating_heart(GRID, BEAT)[:3], tmp_path / "cine.nii.gz", step=0.07)
    assert estimate(path, heart_bundle).frames == 0
    assert estimate(path, heart_bundle, over_time=True).over_time.startswith("3 frames over time (by pixdim[4], 140 ms")


def test_one_image_is_not_over_time(beat_run: Run, heart_bundle: Path) -> None:
    with pytest.raises(InputError, match="shows one time alone"):
        estimate(beat_run.files[0], heart_bundle, over_time=True)
