"""A ventricle that leaning slices cut is known as cut, though the image that was made straight goes on beyond them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.cli.execute import execute
from slicermedai.domain.counting import edge_warning, is_cut, leaves_field, reaches_edge
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import LabelMap
from Testing.fixtures import faults
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import covering, grid
from Testing.fixtures.timed_writer import write_over_time
from Testing.over_time.conftest import job

BEAT = Beat(frames=10)
NARROW = covering("SPL", spacing=(8.0, 3.0, 3.0), extent=(120.0, 60.0, 130.0))
"""Slices that end within the cavity, in front of it."""
DEGREES = 25.0


@pytest.fixture
def leaning(tmp_path: Path) -> Path:
    frames = write_over_time(beating_heart(NARROW, BEAT), BEAT.times, tmp_path / "series", interval=BEAT.interval)
    for files in frames:
        faults.tilt_gantry(files, DEGREES)
    return tmp_path / "series"


def test_where_leaning_slices_cut_the_ventricle_there_is_no_ejection_fraction(
    heart_bundle: Path, leaning: Path, tmp_path: Path
) -> None:
    folder = execute(job(leaning, heart_bundle, tmp_path / "out", tilt="resample"), job_id="j")
    result = AnalysisResult.load(folder)
    assert result.course is not None
    assert not any(reaches_edge(one.region) for one in result.findings), "only the slanted edge cuts it"
    cavity = next(one for one in result.findings if "ventricle" in one.label.name.casefold())
    assert edge_warning(cavity.label.name) in result.provenance.warnings
    assert is_cut(cavity, result.provenance.warnings)
    (ejection,) = result.course.ejections
    assert ejection.fraction is None
    assert "reaches the edge of the image" in ejection.refused


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("voxel", "leaves"), [((5, 5, 5), False), ((5, 3, 5), True), ((0, 5, 5), True), ((5, 4, 5), False)]
)
def test_a_voxel_on_the_outermost_row_of_its_slice_leaves_the_field(
    voxel: tuple[int, int, int], leaves: bool, packed: bool
) -> None:
    straight = grid("SPL", shape=(10, 12, 11), spacing=(5.0, 2.0, 2.0))
    field = straight.cropped((0, 3, 0), (10, 12, 11))
    array = np.zeros(straight.shape, dtype=np.uint8)
    array[voxel] = 1
    mask = Mask(label_map=LabelMap(array=array, geometry=straight), value=1)
    region = PackedMask.from_array(mask.to_array(), straight) if packed else mask
    assert leaves_field(region, replace(field, frame_of_reference_uid="1.2.3")) is leaves
