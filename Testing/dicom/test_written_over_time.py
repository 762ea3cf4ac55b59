"""The generator of series over time says what it promises: volumes by voxels, and times by each kind's attributes."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from Testing.fixtures.beating import BLOOD, MUSCLE, Beat, beating_heart
from Testing.fixtures.grids import covering, rotated
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.timed_writer import write_enhanced_over_time, write_nifti_over_time, write_over_time

GRID = covering("PIL", spacing=(6.0, 3.0, 2.0), extent=(140.0, 140.0, 140.0))
BEAT = Beat(frames=4)
HEADERS = {"MR": "TriggerTime", "PT": "FrameReferenceTime", "CT": "AcquisitionTime"}


@pytest.mark.parametrize("turn", [(0, 0, 0), (25, -15, 40)])
def test_the_cavity_has_its_volume_in_each_frame_and_the_wall_keeps_its_own(turn: tuple[float, float, float]) -> None:
    grid = rotated(GRID, turn)
    beat = Beat(frames=12)
    for volume, wanted in zip(beating_heart(grid, beat), beat.volumes, strict=True):
        voxel = grid.voxel_volume / 1000
        blood = float((volume.array > (BLOOD + MUSCLE) / 2).sum()) * voxel
        heart = float((volume.array > MUSCLE / 2).sum()) * voxel
        assert blood == pytest.approx(wanted, rel=0.02)
        assert heart - blood == pytest.approx(beat.wall, rel=0.03)


def test_the_beat_empties_and_fills_and_says_its_fraction() -> None:
    beat = Beat(frames=20, end_diastolic=150.0, end_systolic=60.0)
    assert np.argmax(beat.volumes) == 0
    assert np.argmin(beat.volumes) == 7
    assert beat.ejection_fraction == pytest.approx(0.6, abs=1e-9)
    assert max(Beat(part=0.3).times) < 0.3 * Beat().interval


@pytest.mark.parametrize("modality", HEADERS)
def test_each_modality_says_the_time_by_its_own_attribute(tmp_path: Path, modality: str) -> None:
    spec = SeriesSpec(modality=modality, slope=0.5, seed="time")
    times = [0.0, 30.0, 90.0, 150.0]
    frames = write_over_time(beating_heart(GRID, BEAT, modality=modality), times, tmp_path, spec=spec)
    headers = [[dcmread(path, stop_before_pixels=True) for path in files] for files in frames]
    said = [{float(getattr(header, HEADERS[modality])) for header in frame} for frame in headers]
    first = min(said[0])
    scale = 1000 if modality == "CT" else 1
    assert [round((next(iter(values)) - first) * scale, 3) for values in said] == times
    uids = {header.SOPInstanceUID for frame in headers for header in frame}
    assert len(uids) == 4 * GRID.shape[0]


def test_cine_is_numbered_slice_by_slice_and_an_enhanced_object_holds_all_frames(tmp_path: Path) -> None:
    volumes = beating_heart(GRID, BEAT)
    frames = write_over_time(volumes, BEAT.times, tmp_path / "cine", interval=BEAT.interval, by_slice=True)
    assert [int(dcmread(files[0]).InstanceNumber) for files in frames] == [1, 2, 3, 4]
    path = write_enhanced_over_time(volumes, BEAT.times, tmp_path / "enhanced" / "IM.dcm", interval=BEAT.interval)
    dataset = dcmread(path)
    assert dataset.NumberOfFrames == 4 * GRID.shape[0] == len(dataset.PerFrameFunctionalGroupsSequence)
    last = dataset.PerFrameFunctionalGroupsSequence[-1]
    assert last.FrameContentSequence[0].TemporalPositionIndex == 4
    assert last.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime == BEAT.times[3]
    middle = GRID.shape[0] // 2
    stored = dataset.pixel_array[GRID.shape[0] + middle] * 0.5
    assert np.abs(stored - volumes[1].array[middle]).max() <= 0.25


def test_a_nifti_file_over_time_says_its_step_and_unit(tmp_path: Path) -> None:
    path = write_nifti_over_time(beating_heart(GRID, BEAT), tmp_path / "beat.nii.gz", step=70.0, unit="msec")
    image = nibabel.load(path)
    assert image.shape == (*GRID.shape[::-1], 4)
    assert image.header.get_xyzt_units() == ("mm", "msec")
    assert image.header.get_zooms()[3] == 70.0
