"""Series rules: what they take, what they say of each other series, and what they refuse rather than guess."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slicermedai.batch.planning import Preview, plan
from slicermedai.batch.rules import load_rules, parse_rules
from slicermedai.batch.settings import Settings
from slicermedai.console import cohorts
from slicermedai.dicom.sorting import damaged_names
from slicermedai.errors import IdentityError, InputError, NoImagesError
from Testing.batch.studies import FAULTS, OPTED_OUT, RULES, THICK, uid_of, write, write_day, write_study
from Testing.fixtures import faults
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import identity_tokens
from Testing.fixtures.timed_writer import write_over_time

SETTINGS = Settings(bundle="tiny")


def planned(source: object, rules: str = RULES, settings: Settings = SETTINGS) -> Preview:
    return plan(source, parse_rules(rules), settings)  # type: ignore[arg-type]


def reasons(preview: Preview) -> dict[str, str]:
    return {row["description"]: row["taken_as"] or row["reason"] for row in preview.to_rows()}


def test_one_series_is_taken_and_every_other_one_has_its_reason(tmp_path: Path) -> None:
    files = write_study(tmp_path, patient="ZZ-1", study="one")
    preview = planned(tmp_path)
    (one,) = preview.planned
    assert (str(one.fate), set(one.choice.images[0].files)) == ("waiting", set(files["wanted"]))
    told = {row["series"]: (row["taken_as"], row["reason"]) for row in preview.to_rows()}
    assert told == {
        uid_of(files["localizer"][0]): ("", "localizer"),
        uid_of(files["thick"][0]): ("", "thin T1: thickness 20 is not within 8 to 12"),
        uid_of(files["wanted"][0]): ("image", "thin T1"),
        uid_of(files["derived"][0]): ("", "thin T1: is derived"),
    }


@pytest.mark.parametrize(
    ("setting", "fits", "reason"),
    [
        ('description = "T1"', True, ""),
        ('description = "T2.*"', False, "description does not fit 'T2.*'"),
        ('kernel = "B30.*"', False, "kernel 'H30' does not fit 'B30.*'"),
        ('kernel = "h[0-9]+"', True, ""),
        ("slices = [100, 200]", False, "slices 12 is not within 100 to 200"),
        ('contrast = "with"', True, ""),
        ('contrast = "without"', False, "is with contrast agent"),
        ('phase = ["venous", "portal"]', True, ""),
        ('phase = ["arterial"]', False, "none of the words arterial is there"),
        ('without_words = ["portal"]', False, "the word 'portal' is there"),
        ('without_words = ["port"]', True, ""),
        ('origin = "derived"', False, "is original"),
        ('body_part = "HEAD"', True, ""),
        ('modality = "CT"', False, "modality 'MR' does not fit 'CT'"),
    ],
)
def test_a_rule_looks_at_what_it_names(tmp_path: Path, setting: str, fits: bool, reason: str) -> None:
    files = write(tmp_path, 3, patient="ZZ-1", study="one")
    faults.set_value(files, "ConvolutionKernel", "H30")
    faults.set_value(files, "ContrastBolusAgent", "Gadobutrol")
    faults.set_value(files, "ProtocolName", "liver portal_venous 70s")
    preview = planned(tmp_path, f'[[rule]]\nname = "r"\n{setting}\n')
    (row,) = preview.to_rows()
    assert (row["taken_as"] == "image", row["reason"]) == (fits, "r" if fits else f"r: {reason}")
    assert row["state"] == ("waiting" if fits else "refused")


@pytest.mark.parametrize("tie", ["refuse", "most slices", "first", "thinnest"])
def test_a_series_over_time_is_refused_by_name_and_no_frame_of_it_is_taken_for_the_case(
    tmp_path: Path, tie: str
) -> None:
    """Of two frames one lacks the last slice, so that a tie would have taken the other one in silence."""
    still = beating_heart(covering(spacing=(9.0, 9.0, 9.0)), Beat(frames=2))
    short = write_over_time(still, (0.0, 400.0), tmp_path)[1]
    short[-1].unlink()
    preview = planned(tmp_path, f'[[rule]]\nname = "r"\nmodality = "MR"\ntie = "{tie}"\n')
    assert preview.counts == {"refused": 1}
    assert preview.planned[0].reason == "series 1 and 1 more are one series over time, and a case is one image"
    assert {row["reason"] for row in preview.to_rows()} == {"r: fits, as one image of a series over time"}


@pytest.mark.parametrize("text", ["", "NONE", "no contrast", "w/o", "0"])
def test_an_agent_that_says_there_was_none_is_none(tmp_path: Path, text: str) -> None:
    faults.set_value(write(tmp_path, 3, patient="ZZ-1", study="one"), "ContrastBolusAgent", text)
    assert planned(tmp_path, '[[rule]]\ncontrast = "without"\n').counts == {"waiting": 1}


@pytest.mark.parametrize(
    ("tie", "taken"), [("most slices", 3), ("thinnest", 3), ("first", 2), ("last", 4), ("refuse", None)]
)
def test_a_tie_is_decided_by_a_stated_rule_or_refused_with_the_names(
    tmp_path: Path, tie: str, taken: int | None
) -> None:
    about = {"patient": "ZZ-1", "study": "one"}
    made = {number: write(tmp_path / str(number), number, geometry=THICK, **about) for number in (2, 4)}  # type: ignore[arg-type]
    made[3] = write(tmp_path / "3", 3, **about)  # type: ignore[arg-type]
    preview = planned(tmp_path, f'[[rule]]\nname = "r"\ntie = "{tie}"\n')
    (one,) = preview.planned
    if taken is None:
        assert "several series fit 'r' alike" in one.reason
        assert one.reason.endswith("series 1, series 2, series 3")
        told = {row["number"]: row["series"] for row in preview.to_rows()}
        assert told == {number: uid_of(made[number + 1][0]) for number in (1, 2, 3)}
    else:
        assert set(one.choice.images[0].files) == set(made[taken])


def test_a_tie_that_its_rule_does_not_decide_is_refused(tmp_path: Path) -> None:
    for number in (2, 4):
        write(tmp_path / str(number), number, patient="ZZ-1", study="one")
    (one,) = planned(tmp_path, '[[rule]]\ntie = "thinnest"\n').planned
    assert "alike (tie 'thinnest')" in one.reason


def test_the_first_rule_that_fits_is_preferred_and_may_name_the_model(tmp_path: Path) -> None:
    files = write_study(tmp_path, patient="ZZ-1", study="one")
    text = f'[[rule]]\nname = "thick"\nthickness_mm = [15, 20]\nbundle = "thick-model"\n{RULES}'
    (one,) = planned(tmp_path, text).planned
    assert (one.bundle, set(one.choice.images[0].files)) == ("thick-model", set(files["thick"]))


def test_a_study_that_no_rule_fits_needs_no_model_and_stops_no_plan(tmp_path: Path) -> None:
    write_study(tmp_path / "a", patient="ZZ-1", study="one")
    FAULTS["none fits"](write_study(tmp_path / "b", patient="ZZ-2", study="two"), tmp_path / "b")
    preview = planned(tmp_path, RULES + 'bundle = "mine"\n', Settings())
    assert preview.counts == {"waiting": 1, "refused": 1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("corrupt", "a file of the series is damaged"),
        ("tilted", "the gantry was tilted by 12.0 degrees"),
        ("none fits", "no series fits"),
        ("tie", "several series fit"),
        ("mixed frames", "mixed frames of reference"),
    ],
)
def test_a_doubt_refuses_the_study_and_no_other_series_takes_its_place(tmp_path: Path, fault: str, reason: str) -> None:
    files = write_study(tmp_path, patient="ZZ-1", study="one")
    FAULTS[fault](files, tmp_path)
    (one,) = planned(tmp_path).planned
    assert (str(one.fate), one.choice.images) == ("refused", ())
    assert reason in one.reason


@pytest.mark.parametrize("tie", ["most slices", "thinnest", "first", "last"])
def test_no_tie_goes_to_a_series_where_a_damaged_one_fits_too(tmp_path: Path, tie: str) -> None:
    about = {"patient": "ZZ-1", "study": "one"}
    damaged = write(tmp_path / "1", 1, **about)  # type: ignore[arg-type]
    write(tmp_path / "2", 2, geometry=THICK, **about)  # type: ignore[arg-type]
    for file in damaged[:8]:
        faults.truncate(file, keep=0.97)
    (one,) = planned(tmp_path, f'[[rule]]\nname = "r"\ntie = "{tie}"\n').planned
    assert (str(one.fate), one.choice.images) == ("refused", ())
    assert "a file of the series is damaged" in one.reason


@pytest.mark.parametrize("says_its_series", [True, False])
def test_a_series_of_which_every_file_is_damaged_refuses_the_study(tmp_path: Path, says_its_series: bool) -> None:
    about = {"patient": "ZZ-1", "study": "one"}
    damaged = write(tmp_path / "1", 1, **about)  # type: ignore[arg-type]
    write(tmp_path / "2", 2, geometry=THICK, **about)  # type: ignore[arg-type]
    for file in damaged:
        whole = file.read_bytes()
        cut = len(whole) - 40 if says_its_series else whole.index(b"\x20\x00\x0e\x00") + 28
        file.write_bytes(whole[:cut])
    assert {(bool(study), bool(series)) for study, _, series in map(damaged_names, damaged)} == {
        (True, says_its_series)
    }
    (one,) = planned(tmp_path, '[[rule]]\nname = "r"\ntie = "most slices"\n').planned
    assert one.reason == "all that is there of a series is damaged"


@pytest.mark.parametrize(
    ("setting", "left", "reason"),
    [
        ("slices = [8, 100]", 7, "a file of the series is damaged"),
        ("slices = [8, 100]", 1, "a file of the series is damaged"),
        ("slices = [13, 100]", 7, ""),
        ("thickness_mm = [9, 11]", 2, "a file of the series is damaged"),
    ],
)
def test_a_damaged_series_does_not_slip_through_a_range_that_it_would_be_in(
    tmp_path: Path, setting: str, left: int, reason: str
) -> None:
    """It has 12 slices 10 mm apart; where no thickness is stated, it is the distance of those that are left."""
    about = {"patient": "ZZ-1", "study": "one"}
    damaged = write(tmp_path / "1", 1, **about)  # type: ignore[arg-type]
    faults.remove_value(damaged, "SliceThickness")
    write(tmp_path / "2", 2, geometry=THICK, description="thick", **about)  # type: ignore[arg-type]
    middle = damaged[1:-1] if setting.startswith("thickness") else damaged[: 12 - left]
    for file in middle:
        faults.truncate(file, keep=0.97)
    text = f'[[rule]]\nname = "r"\n{setting}\n[[rule]]\nname = "any"\ndescription = "thick"\n'
    (one,) = planned(tmp_path, text).planned
    assert str(one.fate) == ("refused" if reason else "waiting")
    assert reason in one.reason


def test_a_tilted_series_is_run_where_tilt_is_to_be_resampled(tmp_path: Path) -> None:
    faults.tilt_gantry(write_study(tmp_path, patient="ZZ-1", study="one")["wanted"], 12.0)
    assert planned(tmp_path, settings=Settings(bundle="tiny", tilt="resample")).counts == {"waiting": 1}


def test_damage_in_a_series_that_is_not_wanted_harms_nothing(tmp_path: Path) -> None:
    files = write_study(tmp_path, patient="ZZ-1", study="one")
    faults.truncate(files["thick"][3], keep=0.97)
    faults.truncate(files["thick"][4], keep=0.6)
    assert planned(tmp_path).counts == {"waiting": 1}


def test_a_file_that_says_nothing_refuses_what_lies_beside_it(tmp_path: Path) -> None:
    files = write_study(tmp_path, patient="ZZ-1", study="one")
    (files["wanted"][0].parent / "IM9999.dcm").write_bytes(b"\0" * 200)
    (one,) = planned(tmp_path).planned
    assert "may belong to it" in one.reason


def test_a_damaged_file_of_no_study_is_a_case_of_its_own(tmp_path: Path) -> None:
    write_study(tmp_path / "a", patient="ZZ-1", study="one")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "IM1.dcm").write_bytes(b"\0" * 200)
    assert planned(tmp_path).counts == {"refused": 1, "waiting": 1}


def test_a_single_image_is_taken_by_a_rule_that_wants_one_alone(tmp_path: Path) -> None:
    faults.drop_slices(files := write(tmp_path, 3, patient="ZZ-1", study="one"), *range(1, 12))
    (row,) = planned(tmp_path, '[[rule]]\nname = "r"\nmodality = "MR"\n').to_rows()
    assert row["reason"] == "r: single image"
    (row,) = planned(tmp_path, '[[rule]]\nname = "r"\nslices = [1, 1]\n').to_rows()
    assert row["taken_as"] == "image"
    faults.make_localizer(files[:1])
    (row,) = planned(tmp_path, '[[rule]]\nname = "r"\nslices = [1, 1]\n').to_rows()
    assert (row["taken_as"], row["reason"]) == ("", "localizer")


def test_the_same_series_in_two_folders_is_one_case(tmp_path: Path) -> None:
    files = write_study(tmp_path / "a", patient="ZZ-1", study="one")
    shutil.copytree(files["wanted"][0].parent, tmp_path / "b")
    (one,) = planned(tmp_path).planned
    assert str(one.fate) == "waiting"
    assert len(one.choice.images[0].files) == len(files["wanted"])
    assert one.notes == (f"{len(files['wanted'])} files are copies of others and were left out",)


def test_one_uid_with_other_bytes_is_refused_by_name(tmp_path: Path) -> None:
    files = write_study(tmp_path / "a", patient="ZZ-1", study="one")
    shutil.copytree(files["wanted"][0].parent, tmp_path / "b")
    faults.set_value([tmp_path / "b" / files["wanted"][2].name], "SeriesDescription", "edited")
    (one,) = planned(tmp_path).planned
    assert "two files have one SOPInstanceUID and other bytes" in one.reason


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        ("keep", {"waiting": 2}),
        ("first", {"waiting": 1, "superseded": 1}),
        ("last", {"superseded": 1, "waiting": 1}),
        ("refuse", {"refused": 2}),
    ],
)
def test_the_same_patient_twice_is_told_or_decided_by_rule(tmp_path: Path, policy: str, counts: dict[str, int]) -> None:
    for number in range(2):
        files = write_study(tmp_path / str(number), patient="ZZ-1", study=f"s{number}")
        faults.set_value([file for some in files.values() for file in some], "StudyDate", f"2019010{number + 1}")
    preview = planned(tmp_path, f'same_patient = "{policy}"\n{RULES}')
    assert preview.counts == counts
    assert all(
        "2 studies of one patient" in " ".join((one.reason, *one.notes)) or policy in ("first", "last")
        for one in preview.planned
    )
    if policy == "last":
        (taken,) = [one for one in preview.planned if str(one.fate) == "waiting"]
        assert taken.choice.study_time.startswith("20190102")


@pytest.mark.parametrize("keyword", ["PatientBirthDate", "IssuerOfPatientID"])
@pytest.mark.parametrize("policy", ["keep", "first", "last", "refuse"])
def test_one_number_of_two_people_is_never_taken_for_one_patient(
    tmp_path: Path, tiny: Path, policy: str, keyword: str
) -> None:
    """Sites count from 1, and some call everybody ANON."""
    for number, value in enumerate(("19500101", "19600202"), 1):
        files = write(tmp_path / "in" / str(number), 3, patient="ANON", study=f"s{number}")
        faults.set_value(files, "StudyDate", f"2019010{number}")
        faults.set_value(files, keyword, value)
    (tmp_path / "rules.toml").write_text(f'same_patient = "{policy}"\n{RULES}')
    made = cohorts.make(tmp_path / "cohort", tmp_path / "in", tmp_path / "rules.toml", bundle=str(tiny))
    assert made.counts() == ({"waiting": 2} if policy == "keep" else {"refused": 2})
    assert [case.patient for case in made.cases()] == ["P0001", "P0002"]
    told = f"one of 2 studies of one PatientID that differ in {keyword}, and may be of several people"
    assert all(told in " ".join((*case.notes, made.standing(case.name).reason)) for case in made.cases())


def test_several_inputs_are_chosen_by_name_and_must_lie_together(tmp_path: Path) -> None:
    about = {"patient": "ZZ-1", "study": "one"}
    one = write(tmp_path / "1", 1, description="FLAIR", **about)  # type: ignore[arg-type]
    two = write(tmp_path / "2", 2, description="T1", **about)  # type: ignore[arg-type]
    text = "".join(f'[[rule]]\nname = "{name}"\ninput = "{name}"\ndescription = "{name}"\n' for name in ("T1", "FLAIR"))
    (found,) = planned(tmp_path, text).planned
    assert {image.name: set(image.files) for image in found.choice.images} == {"T1": set(two), "FLAIR": set(one)}
    faults.set_value(one, "FrameOfReferenceUID", "1.2.3.4")
    (found,) = planned(tmp_path, text).planned
    assert "the inputs lie in several" in found.reason
    assert planned(tmp_path, f'frames_of_reference = "any"\n{text}').counts == {"waiting": 1}
    shutil.rmtree(tmp_path / "1")
    (found,) = planned(tmp_path, text).planned
    assert found.reason == "no series fits for the input FLAIR"


def test_people_who_opted_out_are_left_out_and_so_is_who_cannot_be_told(tmp_path: Path) -> None:
    day = write_day(tmp_path, studies=3, odd=["opted out"])
    files = write_study(day.folder / "nobody", patient="ZZ-9", study="nobody")
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "OtherPatientIDsSequence"):
        faults.remove_value([file for some in files.values() for file in some], keyword)
    preview = planned(day.folder, settings=Settings(bundle="tiny", exclude=str(day.exclude)))
    assert preview.counts == {"excluded": 2, "waiting": 2}
    words = {one.reason for one in preview.planned if str(one.fate) == "excluded"}
    assert words == {"on the exclusion list (line 1, by PatientID)", "nothing says whose it is, and people opted out"}
    assert OPTED_OUT not in " ".join(words)


def test_studies_may_come_as_lists_of_files_or_in_a_table(tmp_path: Path) -> None:
    studies = [write_study(tmp_path / f"s{n}", patient=f"ZZ-{n}", study=f"s{n}") for n in range(2)]
    lists = [[str(file) for files in study.values() for file in files] for study in studies]
    assert planned(lists).counts == {"waiting": 2}
    (tmp_path / "cohort.csv").write_text("path,patient\ns1,\n")
    assert planned(tmp_path / "cohort.csv").counts == {"waiting": 1}


def test_a_nifti_file_in_a_table_is_a_case_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"not looked into")
    (tmp_path / "cohort.csv").write_text("path,patient\na.nii.gz,7\n")
    (one,) = planned(tmp_path / "cohort.csv").planned
    assert (str(one.fate), one.choice.who) == ("waiting", {"PatientID": "7"})
    listed = tmp_path / "out.txt"
    listed.write_text("7\n")
    (one,) = planned(tmp_path / "cohort.csv", settings=Settings(bundle="tiny", exclude=str(listed))).planned
    assert str(one.fate) == "excluded"


def test_no_image_and_no_model_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoImagesError):
        planned(tmp_path / "empty")
    write_study(tmp_path / "a", patient="ZZ-1", study="one")
    with pytest.raises(InputError, match="no model"):
        planned(tmp_path / "a", settings=Settings())
    with pytest.raises(IdentityError, match="one project key"):
        Settings(bundle="tiny", identity="deidentify")


def test_reasons_name_no_patient(tmp_path: Path) -> None:
    day = write_day(tmp_path, studies=7)
    preview = planned(day.folder)
    said = " ".join(f"{one.reason} {' '.join(one.notes)}" for one in preview.planned)
    from Testing.fixtures.identity import Identity

    assert not [token for token in identity_tokens(Identity()) if token in said]


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("", "rule"),
        ("[[rule]]\nmodlity = 'CT'", "rule 1 modlity"),
        ("[[rule]]\nname = 'a'\nkernel = '('", "rule a kernel"),
        ("[[rule]]\nthickness_mm = [3, 1]", "rule 1 thickness_mm"),
        ("[[rule]]\nthickness_mm = 3", "rule 1 thickness_mm"),
        ("[[rule]]\nphase = 'portal'", "rule 1 phase"),
        ("[[rule]]\ntie = 'any'", "rule 1 tie"),
        ("same_patient = 'x'\n[[rule]]\nname = 'a'", "same_patient"),
        ("[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'", "name"),
        ("what = 1\n[[rule]]\nname = 'a'", "what"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, attribute: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_rules(path)
    assert (caught.value.attribute, caught.value.file) == (attribute, str(path))


def test_the_example_in_the_docstring_is_right() -> None:
    import textwrap

    from slicermedai.batch import rules

    block = (rules.__doc__ or "").partition("toml\n")[2].partition("\n\nRules with")[0]
    (rule,) = parse_rules(textwrap.dedent(block)).rules
    assert (rule.thickness_mm, rule.phase, rule.tie) == ((0.5, 2.5), ("portal", "venous", "pv"), "refuse")


def test_any_series_of_a_study_says_whose_it_is(tmp_path: Path) -> None:
    files = write_study(tmp_path / "a", patient=OPTED_OUT, study="one")
    faults.set_value(files["localizer"], "PatientID", "")
    listed = tmp_path / "out.txt"
    listed.write_text(f"{OPTED_OUT}\n")
    (one,) = planned(tmp_path / "a", settings=Settings(bundle="tiny", exclude=str(listed))).planned
    assert (str(one.fate), one.reason) == ("excluded", "on the exclusion list (line 1, by PatientID)")
    assert one.choice.who["PatientID"] == OPTED_OUT


def test_a_study_of_several_patients_is_excluded_for_each_of_them_and_is_nobodys(tmp_path: Path) -> None:
    files = write_study(tmp_path / "a", patient="ZZ-1", study="one")
    faults.set_value(files["derived"], "PatientID", OPTED_OUT)
    (one,) = planned(tmp_path / "a").planned
    assert (str(one.fate), one.choice.who) == ("refused", {"PatientID": ""})
    listed = tmp_path / "out.txt"
    listed.write_text(f"{OPTED_OUT}\n")
    (one,) = planned(tmp_path / "a", settings=Settings(bundle="tiny", exclude=str(listed))).planned
    assert str(one.fate) == "excluded"


def test_a_file_with_other_voxels_is_another_case(tmp_path: Path) -> None:
    image = tmp_path / "a.nii"
    image.write_bytes(b"\0" * 1000)
    first, again = (planned(tmp_path).planned[0].key for _ in range(2))
    image.write_bytes(b"\1" * 1000)
    assert (first == again, first == planned(tmp_path).planned[0].key) == (True, False)


def test_a_header_with_other_voxels_beside_it_is_another_case(tmp_path: Path) -> None:
    (tmp_path / "a.mhd").write_text("ObjectType = Image\nElementDataFile = a.raw\n")
    (tmp_path / "a.raw").write_bytes(b"\0" * 1000)
    (tmp_path / "other.txt").write_text("1")
    first = planned([[tmp_path / "a.mhd"]]).planned[0].key
    (tmp_path / "other.txt").write_text("2")
    assert planned([[tmp_path / "a.mhd"]]).planned[0].key == first
    (tmp_path / "a.raw").write_bytes(b"\1" * 1000)
    assert planned([[tmp_path / "a.mhd"]]).planned[0].key != first


@pytest.mark.parametrize(
    ("dates", "times", "reason"),
    [
        (("20190101", ""), ("10", "11"), "StudyDate is missing in 1 of them"),
        (("", ""), ("", ""), "StudyDate is missing in 2 of them"),
        (("20190101", "20190101"), ("", "11"), "StudyDate and StudyTime of two do not differ"),
        (("20190101", "20190101"), ("1015", "101500"), "StudyDate and StudyTime of two do not differ"),
        (("20190101", "20190101"), ("10", "11"), ""),
    ],
)
@pytest.mark.parametrize("policy", ["first", "last"])
def test_the_first_of_studies_whose_times_do_not_tell_is_refused(
    tmp_path: Path, policy: str, dates: tuple[str, str], times: tuple[str, str], reason: str
) -> None:
    for number, (date, time) in enumerate(zip(dates, times, strict=True)):
        files = write(tmp_path / str(number), 3, patient="ZZ-1", study=f"s{number}")
        faults.set_value(files, "StudyDate", date)
        faults.set_value(files, "StudyTime", time)
    preview = planned(tmp_path, f'same_patient = "{policy}"\n{RULES}')
    assert preview.counts == ({"refused": 2} if reason else {"waiting": 1, "superseded": 1})
    assert all(reason in one.reason for one in preview.planned)


TWO_INPUTS = "".join(
    f'[[rule]]\nname = "{name}"\ninput = "{name}"\ndescription = "{name}"\n' for name in ("T1", "FLAIR")
)


@pytest.mark.parametrize("missing", [("T1", "FLAIR"), ("FLAIR",)])
def test_inputs_that_do_not_say_their_frame_are_refused_unless_any_will_do(
    tmp_path: Path, missing: tuple[str, ...]
) -> None:
    for number, name in enumerate(("T1", "FLAIR"), 1):
        files = write(tmp_path / name, number, description=name, patient="ZZ-1", study="one")
        if name in missing:
            faults.set_value(files, "FrameOfReferenceUID", "")
    (one,) = planned(tmp_path, TWO_INPUTS).planned
    assert (str(one.fate), one.reason.partition(":")[0]) == ("refused", "FrameOfReferenceUID is missing")
    assert planned(tmp_path, f'frames_of_reference = "any"\n{TWO_INPUTS}').counts == {"waiting": 1}
    only = f"{TWO_INPUTS.partition('[[rule]]')[2].partition('[[rule]]')[0]}"
    assert planned(tmp_path, f"[[rule]]{only}").counts == {"waiting": 1}
