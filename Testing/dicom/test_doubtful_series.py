"""What does not add up in a series is refused by name, or stands as a warning before every number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.dicom.inputs import open_source
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import AmbiguousInputError, GeometryError, NoImagesError, UnsupportedImageError
from Testing.fixtures import faults

Write = Callable[..., list[Path]]


def test_files_with_one_sop_instance_uid_are_refused_by_name(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files, "SOPInstanceUID", dcmread(files[0]).SOPInstanceUID)
    with pytest.raises(GeometryError) as caught:
        open_source(files[0].parent)
    assert caught.value.attribute == "SOPInstanceUID"
    assert caught.value.file in {str(path) for path in files}


def test_the_frames_of_one_file_share_its_uid(a_head: Volume, write: Write) -> None:
    assert open_source(write(a_head, enhanced=True)[0]).warnings == ()


def test_fewer_images_than_the_acquisition_had_are_warned_of(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.set_value(files, "ImagesInAcquisition", len(files))
    assert open_source(files[0].parent).warnings == ()
    faults.drop_slices(files, len(files) - 1)
    (said,) = open_source(files[0].parent).warnings
    assert f"ImagesInAcquisition says {len(files)} images, and {len(files) - 1} are here" in said


def test_fewer_slices_than_a_pet_series_had_are_warned_of(a_head: Volume, write: Write) -> None:
    files = write(replace(a_head, array=a_head.array.astype(np.float32)), modality="PT")
    faults.set_value(files, "NumberOfSlices", len(files))
    assert open_source(files[0].parent).warnings == ()
    faults.drop_slices(files, 0, 1)
    (said,) = open_source(files[0].parent).warnings
    assert f"NumberOfSlices says {len(files)} images, and {len(files) - 2} are here" in said


def test_all_stacks_of_a_series_count_as_its_images(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    both = [*files, *faults.add_second_echo(files)]
    faults.set_value(both, "ImagesInAcquisition", len(both))
    uid = dcmread(files[0]).SeriesInstanceUID
    assert open_source(files[0].parent, series=f"{uid}#1").warnings == ()


def test_an_empty_slice_between_others_is_warned_of_and_empty_ends_are_not(a_head: Volume, write: Write) -> None:
    array = np.array(a_head.array)
    array[0] = array[-1] = 0
    files = write(replace(a_head, array=array), folder="ends")
    assert open_source(files[0].parent).warnings == ()
    array[7] = 0
    files = write(replace(a_head, array=array), folder="hole")
    (said,) = open_source(files[0].parent).warnings
    assert "slice 8 of 20" in said


def test_a_speck_beyond_the_body_makes_no_empty_slice_doubtful(a_head: Volume, write: Write) -> None:
    array = np.array(a_head.array)
    array[-3:] = 0
    array[-2, 4, 4] = 20
    said = " ".join(open_source(write(replace(a_head, array=array), folder="specks")[0].parent).warnings)
    assert "single value" not in said


def test_a_negative_slope_is_refused_by_name(a_head: Volume, write: Write) -> None:
    files = write(a_head, slope=-1.0, intercept=100.0)
    with pytest.raises(UnsupportedImageError) as caught:
        open_source(files[0].parent)
    assert caught.value.attribute == "RescaleSlope"


@pytest.mark.parametrize("vr", ["SS", "US"])
def test_a_padding_value_counts_in_the_sign_of_the_pixels_whatever_its_type(
    a_ct_head: Volume, write: Write, vr: str
) -> None:
    array = np.array(a_ct_head.array)
    array[:, :3] = -2000
    files = write(replace(a_ct_head, array=array), padding=-2000)
    for path in files if vr == "US" else ():
        dataset = dcmread(path)
        del dataset["PixelPaddingValue"]
        dataset.add_new("PixelPaddingValue", "US", 0x10000 - 2000)
        dataset.save_as(path)
    source = open_source(files[0].parent)
    assert (source.volume.array[:, :3] == -1000).all()
    assert any("padding" in note for note in source.notes)


@pytest.mark.parametrize(
    ("keyword", "value"), [("StudyInstanceUID", "1.2.3.4"), ("PatientName", ""), ("PatientID", "")]
)
def test_one_series_in_two_studies_or_of_a_blank_patient_lists_two_addresses_and_says_why(
    a_head: Volume, write: Write, keyword: str, value: str
) -> None:
    files = write(a_head)
    faults.set_value(files[len(files) // 2 :], keyword, value)
    uid = dcmread(files[0]).SeriesInstanceUID
    with pytest.raises(AmbiguousInputError) as caught:
        open_source(files[0].parent)
    said = str(caught.value)
    assert f"{uid}#1" in said
    assert f"{uid}#2" in said
    assert f"another {keyword}" in said
    assert len(open_source(files[0].parent, series=f"{uid}#2").files) == len(files) // 2


def test_the_output_of_a_run_is_no_study_and_says_so(tmp_path: Path, a_result: AnalysisResult) -> None:
    a_result.save(tmp_path / "out" / "result")
    for folder in (tmp_path / "out", tmp_path / "out" / "result"):
        with pytest.raises(NoImagesError, match="output of an earlier run"):
            open_source(folder)
    (tmp_path / "out" / "dicom" / "source").mkdir(parents=True)
    with pytest.raises(NoImagesError, match="de-identified copies in"):
        open_source(tmp_path / "out")


@pytest.fixture
def a_result(a_head: Volume) -> AnalysisResult:
    from slicermedai.domain.provenance import Provenance
    from slicermedai.domain.result import Status
    from slicermedai.domain.study import Study

    return AnalysisResult(
        status=Status.NO_FINDING,
        study=Study(),
        volume_geometry=a_head.geometry,
        provenance=Provenance(bundle="b", bundle_version="1", weights_sha256="00"),
    )
