"""A series over time becomes frames in order with their times; what does not fit is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.over_time import OverTime, open_over_time
from slicermedai.domain.observer import silent
from slicermedai.domain.volume import Volume
from slicermedai.errors import AmbiguousInputError, GeometryError, InputError, UnsupportedImageError
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.faults import set_value
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated
from Testing.fixtures.series_headers import ds
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.timed_writer import (
    HEART,
    write_enhanced_over_time,
    write_nifti_over_time,
    write_over_time,
)

BEAT = Beat(frames=5)
GRID = grid("PIL", shape=(5, 12, 10), spacing=(9.0, 8.0, 7.0))
TIMES = [0.0, 40.0, 90.0, 130.0, 170.0]


def frames_of(series: OverTime) -> list[Volume]:
    return [series.open(index, silent).volume for index in range(len(series.moments))]


def seconds_of(series: OverTime) -> list[float | None]:
    return [moment.seconds for moment in series.moments]


def same_images(found: list[Volume], written: list[Volume], tolerance: float = 0.26) -> bool:
    """The same voxels at the same places, though slices may run the other way."""
    for one, other in zip(found, written, strict=True):
        array = one.array if np.allclose(one.geometry.affine, other.geometry.affine, atol=1e-3) else one.array[::-1]
        if np.abs(array - other.array).max() > tolerance or not one.geometry.same_box(other.geometry):
            return False
    return True


@pytest.mark.parametrize("codes", ORIENTATIONS[::5])
@pytest.mark.parametrize("by_slice", [True, False], ids=["slice by slice", "frame by frame"])
def test_cine_comes_in_order_in_any_orientation(tmp_path: Path, codes: str, by_slice: bool) -> None:
    place = rotated(grid(codes, shape=(4, 10, 8), spacing=(9.0, 8.0, 7.0)), (12, -20, 7))
    written = beating_heart(place, BEAT)
    write_over_time(written, TIMES, tmp_path, interval=840.0, by_slice=by_slice)
    series = open_over_time(tmp_path)
    assert [moment.number for moment in series.moments] == [1, 2, 3, 4, 5]
    assert {moment.clock for moment in series.moments} == {"TriggerTime"}
    assert seconds_of(series) == pytest.approx([time / 1000 for time in TIMES])
    assert series.interval == pytest.approx(0.84)
    assert series.told == ()
    assert same_images(frames_of(series), written)


@pytest.mark.parametrize(
    ("modality", "left_out", "clock"),
    [
        ("MR", (), "TriggerTime"),
        ("MR", ("TemporalPositionIdentifier",), "TriggerTime"),
        ("PT", (), "FrameReferenceTime"),
        ("PT", ("FrameReferenceTime",), "AcquisitionTime"),
        ("CT", (), "AcquisitionTime"),
    ],
)
def test_the_time_is_from_the_attribute_that_says_it(
    tmp_path: Path, modality: str, left_out: tuple[str, ...], clock: str
) -> None:
    written = beating_heart(GRID, BEAT, modality=modality)
    write_over_time(written, TIMES, tmp_path, spec=SeriesSpec(modality=modality, slope=0.5), leave_out=left_out)
    series = open_over_time(tmp_path)
    assert {moment.clock for moment in series.moments} == {clock}
    assert seconds_of(series) == pytest.approx([time / 1000 for time in TIMES])
    assert same_images(frames_of(series), written)


def test_where_nothing_says_the_time_the_order_alone_is_known_and_that_is_told(tmp_path: Path) -> None:
    write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path, leave_out=("TriggerTime",))
    series = open_over_time(tmp_path)
    assert seconds_of(series) == [None] * 5
    assert {moment.clock for moment in series.moments} == {"TemporalPositionIdentifier"}
    assert "their order alone is known" in series.told[0]


def test_an_enhanced_object_is_split_by_its_temporal_positions_and_each_frame_cites_its_own(tmp_path: Path) -> None:
    written = beating_heart(GRID, BEAT)
    write_enhanced_over_time(written, TIMES, tmp_path / "IM.dcm", interval=840.0)
    series = open_over_time(tmp_path)
    assert {moment.clock for moment in series.moments} == {"NominalCardiacTriggerDelayTime"}
    assert seconds_of(series) == pytest.approx([time / 1000 for time in TIMES])
    assert series.interval == pytest.approx(0.84)
    assert same_images(frames_of(series), written)
    slices = [number for index in range(5) for _, number in sorted(series.open(index, silent).slices)]
    assert slices == list(range(1, 26))


def test_slices_of_one_frame_may_have_other_heartbeats_which_is_told(tmp_path: Path) -> None:
    written = beating_heart(GRID, BEAT)
    times = [0.0, 200.0, 400.0, 600.0, 800.0]
    leave = ("TemporalPositionIdentifier",)
    write_over_time(written, times, tmp_path, leave_out=leave, late=lambda index: 1.0 + 0.1 * index)
    series = open_over_time(tmp_path)
    assert same_images(frames_of(series), written)
    assert seconds_of(series)[-1] == pytest.approx(0.8 * 1.2)
    assert "320 ms apart in the cycle" in series.told[0]


def test_slices_that_were_taken_one_after_the_other_make_one_frame(tmp_path: Path) -> None:
    written = beating_heart(GRID, BEAT, modality="CT")
    frames = write_over_time(written, TIMES, tmp_path, spec=SeriesSpec(modality="CT", slope=0.5))
    for files, time in zip(frames, TIMES, strict=True):
        for index, path in enumerate(files):
            set_value([path], "AcquisitionTime", f"0935{17 + time / 1000 + index * 0.006:09.6f}")
    series = open_over_time(tmp_path)
    assert seconds_of(series) == pytest.approx([time / 1000 for time in TIMES], abs=1e-5)
    assert same_images(frames_of(series), written)


def test_a_run_over_midnight_goes_on_the_day_after(tmp_path: Path) -> None:
    from dataclasses import replace

    spec = SeriesSpec(modality="CT", slope=0.5)
    spec = replace(spec, identity=replace(spec.identity, study_time="235950"))
    write_over_time(beating_heart(GRID, Beat(frames=3)), [0, 8000, 16000], tmp_path, spec=spec)
    assert seconds_of(open_over_time(tmp_path)) == [0.0, 8.0, 16.0]


@pytest.mark.parametrize("numbered", [True, False])
def test_times_of_day_without_a_date_tell_nothing_over_midnight(tmp_path: Path, numbered: bool) -> None:
    from dataclasses import replace

    spec = SeriesSpec(modality="CT", slope=0.5)
    spec = replace(spec, identity=replace(spec.identity, study_time="235950"))
    written = beating_heart(GRID, Beat(frames=3), modality="CT")
    leave = ("AcquisitionDate",) if numbered else ("AcquisitionDate", "AcquisitionNumber")
    write_over_time(written, [0, 8000, 16000], tmp_path, spec=spec, leave_out=leave)
    if numbered:
        series = open_over_time(tmp_path)
        assert seconds_of(series) == [None] * 3
        assert same_images(frames_of(series), written)
    else:
        with pytest.raises(GeometryError, match="no attribute tells when each was taken"):
            open_over_time(tmp_path)


@pytest.mark.parametrize(("unit", "step", "wanted"), [("sec", 2.5, 2.5), ("msec", 70.0, 0.07), ("unknown", 70.0, None)])
def test_a_nifti_file_over_time_says_its_frames_and_their_distance(
    tmp_path: Path, unit: str, step: float, wanted: float | None
) -> None:
    written = beating_heart(GRID, BEAT)
    series = open_over_time(write_nifti_over_time(written, tmp_path / "beat.nii.gz", step=step, unit=unit))
    known = [None] * 5 if wanted is None else pytest.approx([wanted * index for index in range(5)])
    assert seconds_of(series) == known
    assert bool(series.told) is (wanted is None)
    assert same_images(frames_of(series), written, tolerance=1e-3)


@pytest.mark.parametrize("name", ["dwi.bval", "dwi.bvec", "dwi.bvals"])
def test_a_nifti_file_of_diffusion_is_not_over_time(name: str, tmp_path: Path) -> None:
    """Its volumes are of one body at one time, and an organ whose signal fades with b did not shrink."""
    path = write_nifti_over_time(beating_heart(GRID, BEAT), tmp_path / "dwi.nii.gz", step=2.5, unit="sec")
    open_over_time(path)
    (tmp_path / name).write_text("0 500 1000 1000 1000\n", encoding="utf-8")
    with pytest.raises(UnsupportedImageError, match=rf"{name} lies beside it: its volumes differ in diffusion"):
        open_over_time(path)


@pytest.mark.parametrize("unit", ["hz", "ppm", "rads"])
def test_a_nifti_file_whose_fourth_dimension_is_a_spectrum_is_not_over_time(unit: str, tmp_path: Path) -> None:
    path = write_nifti_over_time(beating_heart(GRID, BEAT), tmp_path / "cest.nii.gz", step=2.5, unit=unit)
    with pytest.raises(UnsupportedImageError, match="its fourth dimension is in"):
        open_over_time(path)


def test_one_volume_is_not_over_time(tmp_path: Path) -> None:
    write_over_time(beating_heart(GRID, BEAT)[:1], [0.0], tmp_path / "one")
    with pytest.raises(UnsupportedImageError, match="shows one time alone"):
        open_over_time(tmp_path / "one")
    assert open_source(tmp_path / "one").volume.geometry.shape == GRID.shape


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", ["8.5", "7"]),
        ("ImageOrientationPatient", ["0", "1", "0", "0", "0", "1"]),
    ],
)
def test_frames_of_unequal_geometry_are_refused_by_file_and_attribute(
    tmp_path: Path, keyword: str, value: list[str]
) -> None:
    frames = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path)
    set_value(frames[2], keyword, value)
    with pytest.raises(GeometryError, match=rf"{keyword}: .*unequal geometry"):
        open_over_time(tmp_path)


def test_a_frame_that_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    frames = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path)
    for path in frames[3]:
        position = np.array(dcmread(path).ImagePositionPatient, dtype=float) + GRID.directions[:, 1] * 3
        set_value([path], "ImagePositionPatient", ds(position))
    with pytest.raises(GeometryError, match="frame 4 lies elsewhere than the first"):
        open_over_time(tmp_path)


def test_a_slice_that_one_frame_lacks_is_refused_and_named(tmp_path: Path) -> None:
    frames = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path)
    frames[1][2].unlink()
    with pytest.raises(GeometryError, match="a slice is missing in TemporalPositionIdentifier 2"):
        open_over_time(tmp_path)


@pytest.mark.parametrize("left_out", [(), ("TemporalPositionIdentifier",)], ids=["numbered", "by trigger time"])
def test_slices_that_two_frames_lack_at_two_places_do_not_slip_into_one_another(
    tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    beat = Beat(frames=9)
    frames = write_over_time(beating_heart(GRID, beat), beat.times, tmp_path, leave_out=left_out)
    for place in range(GRID.shape[0]):
        frames[2 if place < 3 else 6][place].unlink()
    with pytest.raises(GeometryError, match="does not fit the other slices of frame"):
        open_over_time(tmp_path)


UNTIMED = ("AcquisitionDate", "AcquisitionTime")


def test_slices_that_acquisitions_lack_do_not_slip_into_one_another(tmp_path: Path) -> None:
    spec = SeriesSpec(modality="CT", slope=0.5)
    written = beating_heart(GRID, Beat(frames=9), modality="CT")
    frames = write_over_time(written, Beat(frames=9).times, tmp_path, spec=spec, leave_out=UNTIMED)
    for place in range(GRID.shape[0]):
        frames[(2, 4, 2, 4, 4)[place]][place].unlink()
    with pytest.raises(GeometryError, match="AcquisitionNumber: does not fit the other slices of frame"):
        open_over_time(tmp_path)


def test_acquisitions_may_be_numbered_on_from_place_to_place(tmp_path: Path) -> None:
    spec = SeriesSpec(modality="CT", slope=0.5)
    written = beating_heart(GRID, BEAT, modality="CT")
    frames = write_over_time(written, TIMES, tmp_path, spec=spec, leave_out=UNTIMED)
    for number, files in enumerate(frames, 1):
        for place, path in enumerate(files):
            set_value([path], "AcquisitionNumber", 5 * place + number)
    assert same_images(frames_of(open_over_time(tmp_path)), written)


def test_two_images_at_each_place_that_are_not_of_the_same_times_are_refused(tmp_path: Path) -> None:
    beat = Beat(frames=3)
    frames = write_over_time(beating_heart(GRID, beat), beat.times, tmp_path, leave_out=("TemporalPositionIdentifier",))
    for place in range(GRID.shape[0]):
        frames[place % 3][place].unlink()
    with pytest.raises(GeometryError, match="TriggerTime: does not fit the other slices of frame"):
        open_over_time(tmp_path)


def test_two_frames_whose_slices_lie_close_in_time_are_two_frames(tmp_path: Path) -> None:
    written = beating_heart(GRID, Beat(frames=2))
    leave = ("TemporalPositionIdentifier",)
    write_over_time(written, [40.0, 400.0], tmp_path, leave_out=leave, late=lambda index: 1.0 + 0.1 * index)
    assert same_images(frames_of(open_over_time(tmp_path)), written)


def test_a_slice_missing_in_all_frames_is_refused(tmp_path: Path) -> None:
    frames = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path)
    for files in frames:
        files[2].unlink()
    with pytest.raises(GeometryError, match="missing"):
        open_over_time(tmp_path)


@pytest.mark.parametrize("left_out", [(), ("TemporalPositionIdentifier",)], ids=["numbered", "not numbered"])
def test_doubled_times_are_refused_by_name(tmp_path: Path, left_out: tuple[str, ...]) -> None:
    times = [0.0, 40.0, 40.0, 130.0, 170.0]
    write_over_time(beating_heart(GRID, BEAT), times, tmp_path, leave_out=left_out)
    with pytest.raises(GeometryError, match="TriggerTime"):
        open_over_time(tmp_path)


def gated(folder: Path, triggers: list[float], *said: str) -> list[Volume]:
    """One image of each place in each heartbeat, a second apart; ``said`` is what tells so beside the trigger times."""
    written = beating_heart(GRID, Beat(frames=len(triggers)))
    frames = write_over_time(written, triggers, folder, leave_out=("TemporalPositionIdentifier",))
    for number, files in enumerate(frames, 1):
        for keyword in said:
            set_value(files, keyword, number if keyword == "AcquisitionNumber" else f"10000{number}")
    return written


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "AcquisitionNumber"])
def test_trigger_times_that_contradict_the_acquisition_are_refused_by_both_names(tmp_path: Path, keyword: str) -> None:
    gated(tmp_path, [502.5, 497.5, 505.0, 500.0], keyword)
    with pytest.raises(GeometryError, match=f"TriggerTime, {keyword}: put the images of one place in different orders"):
        open_over_time(tmp_path)


def test_a_time_with_doubles_leaves_the_word_to_one_without(tmp_path: Path) -> None:
    written = gated(tmp_path, [500.0, 505.0, 500.0, 510.0], "AcquisitionTime")
    series = open_over_time(tmp_path)
    assert {moment.clock for moment in series.moments} == {"AcquisitionTime"}
    assert seconds_of(series) == [0.0, 1.0, 2.0, 3.0]
    assert same_images(frames_of(series), written)


def test_times_that_go_back_are_refused_by_name(tmp_path: Path) -> None:
    write_over_time(beating_heart(GRID, BEAT), [0.0, 90.0, 40.0, 130.0, 170.0], tmp_path)
    with pytest.raises(GeometryError, match="TriggerTime: does not rise from frame 2 to frame 3"):
        open_over_time(tmp_path)


def test_frames_that_the_headers_promise_and_that_are_not_here_are_told(tmp_path: Path) -> None:
    frames = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path)
    for path in frames[2]:
        path.unlink()
    told = " ".join(open_over_time(tmp_path).told)
    assert "The headers say 5 frames, and 4 are here" in told
    assert "TemporalPositionIdentifier 3 is missing" in told


def test_two_sets_of_one_time_are_refused_until_one_is_named(tmp_path: Path) -> None:
    from dataclasses import replace

    written = beating_heart(GRID, BEAT)
    write_over_time(written, TIMES, tmp_path / "m")
    frames = write_over_time(
        [replace(one, array=one.array / 2) for one in written],
        TIMES,
        tmp_path / "p",
        spec=replace(HEART, echo_number=2),
    )
    uid = str(dcmread(frames[0][0]).SeriesInstanceUID)
    for files in frames:
        for path in files:
            set_value([path], "SOPInstanceUID", f"{dcmread(path).SOPInstanceUID}.2"[:64])
            set_value([path], "ImageType", ["ORIGINAL", "PRIMARY", "P"])
    with pytest.raises(AmbiguousInputError, match="2 sets of images that differ in ImageType, EchoNumbers"):
        open_over_time(tmp_path)
    first = open_over_time(tmp_path, series=f"{uid}#1")
    second = open_over_time(tmp_path, series=f"{uid}#2")
    assert len(first.moments) == 5
    assert len(second.moments) == 5


def test_several_series_must_be_named_and_other_frames_are_not_told_as_left_out(tmp_path: Path) -> None:
    from dataclasses import replace

    write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path / "a")
    other = replace(HEART, series_number=9, description="other")
    files = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path / "b", spec=other)
    with pytest.raises(AmbiguousInputError, match="several series"):
        open_over_time(tmp_path)
    series = open_over_time(tmp_path, series=str(dcmread(files[0][0]).SeriesInstanceUID))
    notes = series.open(2, silent).notes
    assert len(notes) == 1
    assert "Not used: " in notes[0]
    assert "other" not in notes[0]


def test_no_error_names_a_patient(tmp_path: Path) -> None:
    frames = write_over_time(beating_heart(GRID, BEAT), TIMES, tmp_path)
    frames[1][2].unlink()
    who = HEART.identity
    with pytest.raises(InputError) as raised:
        open_over_time(tmp_path)
    assert not any(word in str(raised.value) for word in (who.patient_id, who.birth_date, *who.patient_name.split("^")))
