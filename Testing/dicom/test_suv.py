"""SUV by body weight is computed only where every condition for it holds, and every one that does not is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.suv import suv_scale
from slicermedai.dicom.volumes import load_volume, save_volume
from slicermedai.domain.codes import HOUNSFIELD, NO_UNITS
from slicermedai.domain.study import Study
from slicermedai.domain.volume import SuvScale, Volume
from slicermedai.errors import UnsupportedImageError
from Testing.fixtures.grids import covering
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

DOSE, WEIGHT, HALF_LIFE = 350e6, 75.0, 6586.2
PASSED = 3600.0  # seconds between injection and scan


def a_slice(number: int = 0) -> Dataset:
    """The header of one slice of an 18F series, acquired bed after bed."""
    header = Dataset()
    header.Modality = "PT"
    header.Units = "BQML"
    header.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM"]
    header.DecayCorrection = "START"
    header.SeriesDate = header.AcquisitionDate = "20260301"
    header.SeriesTime = "120000.00"
    header.AcquisitionTime = f"12{number:02d}00"
    header.PatientWeight = str(WEIGHT)
    agent = Dataset()
    agent.RadiopharmaceuticalStartTime = "110000.00"
    agent.RadionuclideTotalDose = str(DOSE)
    agent.RadionuclideHalfLife = str(HALF_LIFE)
    header.RadiopharmaceuticalInformationSequence = [agent]
    return header


def a_series(change: Callable[[Dataset], None] | None = None) -> list[Dataset]:
    headers = [a_slice(number) for number in range(3)]
    for header in headers:
        if change is not None:
            change(header)
    return headers


def scale_of(change: Callable[[Dataset], None] | None = None) -> SuvScale:
    found = suv_scale(a_series(change))
    assert found is not None
    return found


def with_value(keyword: str, value: object) -> Callable[[Dataset], None]:
    """The change that sets ``keyword``, in the header or in its radiopharmaceutical; None takes it out."""

    def change(header: Dataset) -> None:
        agent = header.RadiopharmaceuticalInformationSequence[0]
        holder = agent if keyword.startswith("Radio") and keyword in agent else header
        if value is None:
            delattr(holder, keyword)
        else:
            setattr(holder, keyword, value)

    return change


def test_the_dose_is_decayed_to_the_start_of_the_scan() -> None:
    left = DOSE * 2 ** (-PASSED / HALF_LIFE)
    assert scale_of().factor == pytest.approx(WEIGHT * 1000 / left, rel=1e-12)


def test_values_that_were_corrected_to_the_injection_need_no_times() -> None:
    def change(header: Dataset) -> None:
        header.DecayCorrection = "ADMIN"
        del header.SeriesTime
        del header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime

    assert scale_of(change).factor == pytest.approx(WEIGHT * 1000 / DOSE, rel=1e-12)


def test_an_injection_before_midnight_was_the_day_before() -> None:
    def change(header: Dataset) -> None:
        header.SeriesTime, header.AcquisitionTime = "003000", "003100"
        header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime = "233000"

    assert scale_of(change).factor == pytest.approx(scale_of().factor, rel=1e-12)


def test_a_date_and_time_of_injection_go_before_the_time_alone() -> None:
    def change(header: Dataset) -> None:
        agent = header.RadiopharmaceuticalInformationSequence[0]
        agent.RadiopharmaceuticalStartDateTime, agent.RadiopharmaceuticalStartTime = "20260301110000.00", "090000"

    assert scale_of(change).factor == pytest.approx(scale_of().factor, rel=1e-12)


@pytest.mark.parametrize(
    ("injected", "zone"),
    [
        ("20260301110000.00+0100", "+0100"),
        ("20260301100000.00+0000", "+0100"),
        ("20260301010000.00-0800", "+0200"),
        ("20260301110000.00", "+0100"),
    ],
)
def test_an_injection_in_another_zone_is_converted_to_that_of_the_series(injected: str, zone: str) -> None:
    def change(header: Dataset) -> None:
        header.TimezoneOffsetFromUTC = zone
        header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = injected

    assert scale_of(change).factor == pytest.approx(scale_of().factor, rel=1e-12)


@pytest.mark.parametrize(("zone", "said"), [(None, "is missing"), ("CET", "cannot be read")])
def test_an_offset_is_of_no_use_where_the_series_has_none(zone: str | None, said: str) -> None:
    def change(header: Dataset) -> None:
        header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20260301100000.00+0000"
        if zone:
            header.TimezoneOffsetFromUTC = zone

    found = scale_of(change)
    assert found.factor is None
    assert f"TimezoneOffsetFromUTC {said}" in found.reason


def test_a_series_processed_later_counts_by_ges_private_scan_time_alone() -> None:
    def later(header: Dataset) -> None:
        header.SeriesTime = "180000"

    def with_private(header: Dataset) -> None:
        later(header)
        header.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20260301120000.00")

    refused = scale_of(later)
    assert refused.factor is None
    assert "SeriesTime is after AcquisitionTime" in refused.reason
    assert scale_of(with_private).factor == pytest.approx(scale_of().factor, rel=1e-12)


def test_the_first_of_all_acquisition_times_counts() -> None:
    headers = a_series()
    headers[2].AcquisitionTime = "115900"
    found = suv_scale(headers)
    assert found is not None
    assert "SeriesTime is after AcquisitionTime" in found.reason


def test_values_in_grams_per_millilitre_are_suv_already_unless_of_another_kind() -> None:
    assert scale_of(with_value("Units", "GML")).factor == 1.0

    def lean(header: Dataset) -> None:
        header.Units, header.SUVType = "GML", "LBM"

    assert "SUVType" in scale_of(lean).reason


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("Units", "CNTS", "Units"),
        ("Units", None, "Units is missing"),
        ("CorrectedImage", ["DECY", "SCAT"], "CorrectedImage does not say ATTN"),
        ("CorrectedImage", "ATTN", "CorrectedImage does not say DECY"),
        ("CorrectedImage", None, "CorrectedImage does not say ATTN; CorrectedImage does not say DECY"),
        ("DecayCorrection", "NONE", "DecayCorrection is neither START nor ADMIN"),
        ("DecayCorrection", None, "DecayCorrection is missing"),
        ("PatientWeight", None, "PatientWeight is missing"),
        ("PatientWeight", "0", "PatientWeight is no positive number"),
        ("PatientWeight", "75000", "PatientWeight is not plausible"),
        ("RadionuclideTotalDose", None, "RadionuclideTotalDose is missing"),
        ("RadionuclideTotalDose", "350", "RadionuclideTotalDose is not plausible"),
        ("RadionuclideHalfLife", None, "RadionuclideHalfLife is missing"),
        ("RadionuclideHalfLife", "-1", "RadionuclideHalfLife is no positive number"),
        ("RadionuclideHalfLife", "60", "the time of injection does not fit"),
        ("RadiopharmaceuticalStartTime", None, "RadiopharmaceuticalStartTime is missing"),
        ("RadiopharmaceuticalInformationSequence", [], "RadiopharmaceuticalInformationSequence does not name one"),
        ("RadiopharmaceuticalInformationSequence", [Dataset(), Dataset()], "does not name one"),
        ("SeriesTime", None, "SeriesTime is missing"),
        ("SeriesDate", None, "SeriesDate is missing"),
        ("AcquisitionTime", None, "AcquisitionTime is missing"),
    ],
)
def test_each_condition_that_does_not_hold_is_named(keyword: str, value: object, said: str) -> None:
    found = scale_of(with_value(keyword, value))
    assert found.factor is None
    assert found.reason.startswith("SUV not computed because ")
    assert said in found.reason


def test_all_conditions_are_named_at_once_and_no_value_is() -> None:
    def change(header: Dataset) -> None:
        header.Units, header.DecayCorrection, header.PatientWeight = "PROPCNTS", "NONE", "99999"

    reason = scale_of(change).reason
    assert all(name in reason for name in ("Units", "DecayCorrection", "PatientWeight"))
    assert "99999" not in reason


def test_slices_that_differ_in_unit_have_no_scale() -> None:
    headers = a_series()
    headers[1].Units = "CNTS"
    found = suv_scale(headers)
    assert found is not None
    assert "Units" in found.reason


@pytest.mark.parametrize("modality", ["CT", "MR", "NM", ""])
def test_only_pet_has_a_scale(modality: str) -> None:
    assert suv_scale(a_series(with_value("Modality", modality))) is None


def test_a_scale_has_a_factor_or_a_reason() -> None:
    with pytest.raises(UnsupportedImageError):
        SuvScale()
    with pytest.raises(UnsupportedImageError):
        SuvScale(factor=2.0, reason="because")


def written(folder: Path, modality: str, change: Callable[[Dataset], None]) -> Volume:
    geometry = covering(spacing=(40.0, 40.0, 40.0))
    image = Volume(array=np.ones(geometry.shape, np.int16), geometry=geometry, modality=modality)
    for file in write_series(image, folder, spec=SeriesSpec(modality=modality)):
        header = dcmread(file)
        change(header)
        header.save_as(file)
    return open_source(folder).volume


def test_a_series_read_from_files_carries_its_scale_and_keeps_it(tmp_path: Path) -> None:
    def change(header: Dataset) -> None:
        number = int(header.InstanceNumber) % 50
        for element in a_slice(number):
            header[element.tag] = element

    volume = written(tmp_path / "pet", "PT", change)
    assert volume.suv == scale_of()
    again, _ = load_volume(save_volume(volume, Study(), tmp_path / "saved"))
    assert again.suv == volume.suv


def test_a_series_without_dose_says_so(tmp_path: Path) -> None:
    volume = written(tmp_path, "PT", lambda header: None)
    assert volume.suv is not None
    assert "RadiopharmaceuticalInformationSequence" in volume.suv.reason


@pytest.mark.parametrize(("kind", "unit"), [("HU", HOUNSFIELD), ("", HOUNSFIELD), ("US", NO_UNITS), ("MGML", NO_UNITS)])
def test_ct_is_in_hounsfield_units_unless_its_rescale_type_says_otherwise(
    kind: str, unit: object, tmp_path: Path
) -> None:
    def change(header: Dataset) -> None:
        header.RescaleType = kind

    assert written(tmp_path, "CT", change).unit == unit
