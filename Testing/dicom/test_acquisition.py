"""How an image was made, as classic and enhanced headers say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from slicermedai.dicom.acquisition import acquisition_of
from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.volumes import load_volume, save_volume
from slicermedai.domain.study import Study
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

TIMES = {"RepetitionTime": 2300.0, "EchoTime": 2.98, "InversionTime": 900.0, "FlipAngle": 9.0}


@pytest.mark.parametrize("enhanced", [False, True])
def test_classic_and_enhanced_headers_say_the_same(tmp_path: Path, enhanced: bool) -> None:
    head, _ = head_phantom(covering(spacing=(12.0, 12.0, 12.0)))
    write_series(head, tmp_path, spec=SeriesSpec(enhanced=enhanced))
    found = dict(open_source(tmp_path).volume.acquisition)
    assert {key: found[key] for key in TIMES} == TIMES
    assert found.get("AcquisitionContrast") == ("T1" if enhanced else None)
    assert found.get("ScanningSequence") == (None if enhanced else "GR\\IR")


def test_what_an_enhanced_object_says_of_a_frame_goes_before_what_it_says_of_all(tmp_path: Path) -> None:
    head, _ = head_phantom(covering(spacing=(12.0, 12.0, 12.0)))
    (file,) = write_series(head, tmp_path, spec=SeriesSpec(enhanced=True))
    header = dcmread(file, stop_before_pixels=True)
    echo = Dataset()
    echo.EffectiveEchoTime = 80.0
    header.PerFrameFunctionalGroupsSequence[1].MREchoSequence = [echo]
    assert dict(acquisition_of(header, frame=0))["EchoTime"] == 2.98
    assert dict(acquisition_of(header, frame=1))["EchoTime"] == 80.0


@pytest.mark.parametrize("value", ["0", "", None, "-1"])
def test_a_time_that_is_none_is_left_out(value: str | None) -> None:
    header = Dataset()
    header.EchoTime = value
    assert acquisition_of(header) == ()


def test_a_header_without_anything_says_nothing() -> None:
    assert acquisition_of(Dataset()) == ()


def test_it_goes_with_the_volume_to_another_process(tmp_path: Path) -> None:
    head, _ = head_phantom(covering(spacing=(12.0, 12.0, 12.0)))
    write_series(head, tmp_path / "series")
    volume = open_source(tmp_path / "series").volume
    save_volume(volume, Study(), tmp_path / "saved")
    assert load_volume(tmp_path / "saved")[0].acquisition == volume.acquisition != ()
