"""Every fault of a real series is refused by name, or split; none gives a volume in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.dicom.inputs import open_source
from slicermedai.domain.volume import Volume
from slicermedai.errors import AmbiguousInputError, GeometryError, InputError, UnsupportedImageError
from Testing.fixtures import faults
from Testing.fixtures.identity import Identity, identity_tokens

Write = Callable[..., list[Path]]


def _refused(folder: Path, kind: type[InputError], attribute: str, **options: str) -> InputError:
    """The error of opening ``folder``: it names a file below it and ``attribute``, and no patient data."""
    with pytest.raises(kind) as caught:
        open_source(folder, **options)
    error = caught.value
    assert type(error) is kind
    assert error.attribute == attribute
    assert error.file is not None and error.file.startswith(str(folder))
    assert not [token for token in identity_tokens(Identity()) if token in str(error)]
    return error


@pytest.mark.parametrize("degrees", [0.2, 2.0, 15.0, -25.0])
def test_a_tilted_gantry_is_refused_by_its_angle(degrees: float, a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.tilt_gantry(files, degrees)
    error = _refused(files[0].parent, GeometryError, "ImagePositionPatient")
    assert f"tilted by {abs(degrees):.1f} degrees" in str(error)
    assert "resample" in str(error)


def test_a_tilted_gantry_is_resampled_where_that_is_asked_for(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.tilt_gantry(files, 15.0)
    source = open_source(files[0].parent, tilt="resample")
    assert source.resampled
    assert source.volume.geometry.is_orthogonal
    assert source.volume.geometry.spacing[0] == pytest.approx(12.0)  # the distance along the normal stays


@pytest.mark.parametrize(("dropped", "count"), [((7,), 1), ((3, 4), 2), ((2, 9, 10, 15), 4)])
def test_missing_slices_are_counted_and_their_neighbours_named(
    dropped: tuple[int, ...], count: int, a_head: Volume, write: Write
) -> None:
    files = write(a_head)
    faults.drop_slices(files, *dropped)
    error = _refused(files[0].parent, GeometryError, "ImagePositionPatient")
    assert f"{count} slice{'s' if count > 1 else ''} missing" in str(error)
    assert files[dropped[0] - 1].name in str(error)


def test_a_slice_missing_at_the_end_leaves_a_shorter_volume_at_its_right_place(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.drop_slices(files, 0)
    source = open_source(files[0].parent)
    assert source.volume.geometry.same_grid(a_head.geometry.cropped((1, 0, 0), a_head.geometry.shape))


def test_a_duplicate_slice_is_refused_with_both_names(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    copied = faults.duplicate_slice(files[5])
    error = _refused(files[0].parent, GeometryError, "ImagePositionPatient")
    assert "1 slice at the place of another" in str(error)
    assert copied.name in str(error) and files[5].name in str(error)


@pytest.mark.parametrize("millimetres", [0.5, 3.0, -5.0])
def test_irregular_spacing_is_refused(millimetres: float, a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.move_slice(files[8], millimetres)
    assert "not evenly spaced" in str(_refused(files[0].parent, GeometryError, "ImagePositionPatient"))


@pytest.mark.parametrize("jitter", [0.04, -0.05])
def test_positions_rounded_by_the_scanner_pass_with_a_note(jitter: float, a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.move_slice(files[8], jitter)
    source = open_source(files[0].parent)
    assert source.volume.geometry.same_grid(a_head.geometry, tolerance=0.02)
    assert any("off an even spacing" in note for note in source.notes)


def test_a_slice_moved_sideways_is_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    row = np.array(dcmread(files[8]).ImageOrientationPatient[:3], dtype=float)
    position = np.array(dcmread(files[8]).ImagePositionPatient, dtype=float)
    faults.set_value([files[8]], "ImagePositionPatient", faults.ds(position + 4 * row))
    error = _refused(files[0].parent, GeometryError, "ImagePositionPatient")
    assert "aside" in str(error)


def test_two_echoes_in_one_series_are_split(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.add_second_echo(files)
    uid = str(dcmread(files[0]).SeriesInstanceUID)
    error = _refused(files[0].parent, AmbiguousInputError, "SeriesInstanceUID")
    assert f"{uid}#1" in str(error) and f"{uid}#2" in str(error)
    first = open_source(files[0].parent, series=f"{uid}#1")
    second = open_source(files[0].parent, series=f"{uid}#2")
    assert np.array_equal(first.volume.array, a_head.array)
    assert np.array_equal(second.volume.array, 1000 - a_head.array)
    assert {header.EchoNumbers for header in second.headers} == {2}


def test_two_stacks_in_one_series_are_split_by_orientation(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.add_second_stack(files)
    uid = str(dcmread(files[0]).SeriesInstanceUID)
    _refused(files[0].parent, AmbiguousInputError, "SeriesInstanceUID")
    stacks = [open_source(files[0].parent, series=f"{uid}#{n}").volume.geometry for n in (1, 2)]
    assert stacks[0].same_grid(a_head.geometry)
    assert not stacks[1].same_grid(a_head.geometry)
    assert stacks[0].spacing == pytest.approx(stacks[1].spacing)


def test_two_acquisitions_at_one_place_are_split_by_their_number_alone(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.add_second_acquisition(files)
    uid = str(dcmread(files[0]).SeriesInstanceUID)
    _refused(files[0].parent, AmbiguousInputError, "SeriesInstanceUID")
    assert {h.AcquisitionNumber for h in open_source(files[0].parent, series=f"{uid}#2").headers} == {2}


def test_two_echoes_in_one_enhanced_object_are_split(a_head: Volume, write: Write) -> None:
    file = write(a_head, enhanced=True)[0]

    def alternate(dataset: object) -> None:
        for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):  # type: ignore[attr-defined]  # Dataset
            echo = faults.Dataset()
            echo.EffectiveEchoTime = 10.0 if index < 10 else 80.0
            group.MREchoSequence = [echo]

    faults.edit(file, alternate)
    uid = str(dcmread(file).SeriesInstanceUID)
    _refused(file.parent, AmbiguousInputError, "SeriesInstanceUID")
    late = open_source(file, series=f"{uid}#2")
    assert np.array_equal(late.volume.array, a_head.array[10:])
    assert [frame for _, frame in late.slices] == list(range(11, 21))


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_series_that_does_not_say_where_it_lies_is_refused(keyword: str, a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.remove_value(files, keyword)
    _refused(files[0].parent, GeometryError, keyword)


def test_one_slice_without_a_position_is_not_left_out_in_silence(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.remove_positions(files[-1:])
    with pytest.raises(InputError):
        open_source(files[0].parent)


def test_a_multi_frame_object_with_one_position_for_all_frames_is_refused(a_head: Volume, write: Write) -> None:
    file = write(a_head, enhanced=True)[0]
    faults.edit(file, lambda dataset: dataset.pop("PerFrameFunctionalGroupsSequence") and None)
    faults.set_value([file], "ImagePositionPatient", ["0", "0", "0"])
    faults.set_value([file], "ImageOrientationPatient", ["1", "0", "0", "0", "1", "0"])
    assert "is missing" in str(_refused(file.parent, GeometryError, "ImagePositionPatient"))


def test_orientation_vectors_that_are_not_at_right_angles_are_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files, "ImageOrientationPatient", ["1", "0", "0", "0.5", "0.8", "0.33"])
    _refused(files[0].parent, GeometryError, "ImageOrientationPatient")


def test_a_localizer_is_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.make_localizer(files)
    _refused(files[0].parent, UnsupportedImageError, "ImageType")


def test_a_localizer_beside_the_series_is_left_out_with_a_note(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    scout = write(a_head, folder="series/scout", series_number=1, description="Scout")
    faults.make_localizer(scout)
    source = open_source(files[0].parent)
    assert np.array_equal(source.volume.array, a_head.array)
    assert any("Not used: Scout" in note for note in source.notes)


def test_a_single_slice_is_no_volume(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.drop_slices(files, *range(1, len(files)))
    _refused(files[0].parent, UnsupportedImageError, "NumberOfFrames")
    with pytest.raises(UnsupportedImageError, match="two-dimensional"):
        open_source(files[0])


def test_a_colour_series_is_refused(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.make_colour(files)
    _refused(files[0].parent, UnsupportedImageError, "SamplesPerPixel")


def test_slices_of_another_matrix_size_are_another_stack(a_head: Volume, write: Write) -> None:
    files = write(a_head)

    def halve(dataset: object) -> None:
        dataset.PixelData = dataset.pixel_array[::2].tobytes()  # type: ignore[attr-defined]  # Dataset
        dataset.Rows //= 2  # type: ignore[attr-defined]

    faults.edit(files[-1], halve)
    _refused(files[0].parent, AmbiguousInputError, "SeriesInstanceUID")


def test_a_word_for_tilt_that_is_none_is_refused(a_head: Volume, write: Write) -> None:
    with pytest.raises(InputError, match="refuse, resample"):
        open_source(write(a_head)[0].parent, tilt="ignore")


@pytest.mark.parametrize(("modality", "enhanced"), [("CT", False), ("MR", False), ("PT", False), ("MR", True)])
def test_a_volume_in_which_low_values_are_white_is_refused(
    modality: str, enhanced: bool, a_head: Volume, write: Write
) -> None:
    files = write(a_head, modality=modality, enhanced=enhanced)
    for file in files:
        faults.edit(file, lambda dataset: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    error = _refused(files[0].parent, UnsupportedImageError, "PhotometricInterpretation")
    assert "MONOCHROME2" in str(error.advice)


def test_one_slice_in_which_low_values_are_white_is_refused_and_named(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.edit(files[7], lambda dataset: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    assert _refused(files[0].parent, UnsupportedImageError, "PhotometricInterpretation").file == str(files[7])
