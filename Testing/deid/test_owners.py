"""Whose a file is: one study is one patient's, one Patient ID of two issuers is two's, and an opted-out ID is found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset, Sequence, dcmread

from slicermedai.deid import run as engine
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.keystore import ReidentificationTable
from slicermedai.deid.patients import Patients
from slicermedai.deid.persons import are_one, are_several
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import deidentify_all
from slicermedai.deid.settings import DeidOutcome, DeidSettings
from slicermedai.deid.window import Origin
from slicermedai.deid.work import Done, Task
from slicermedai.errors import IdentityError, UnreadableFileError
from Testing.deid.samples import KEY, a_series, an_image, found_tokens
from Testing.fixtures.identity import Identity

TEXTS = frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_MODIFIED_DATES, Option.CLEAN_STRUCTURED_CONTENT})
SETTINGS = DeidSettings(profile=Profile(TEXTS), key=KEY)
WHO = Identity()
FAMILY = WHO.patient_name.partition("^")[0]


def a_capture(path: Path, source: Path, **attributes: object) -> Path:
    """A further file of the study of ``source`` that names the patient in text alone."""
    dataset = dcmread(source)
    for element in [e for e in dataset if e.tag.group == 0x0010]:
        del dataset[element.tag]
    dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.9"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyDescription = f"{FAMILY} {WHO.patient_id} follow-up"
    dataset.SequenceName = WHO.patient_id
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def written(files: list[Path], folder: Path, settings: DeidSettings = SETTINGS) -> DeidOutcome:
    return deidentify_all(files, folder, settings)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_without_id_is_its_studys_patients_and_names_nobody_either(tmp_path: Path, processes: int) -> None:
    whole = a_series(tmp_path / "in")
    files = [a_capture(tmp_path / "first.dcm", whole[0]), *whole]
    outcome = written(files, tmp_path / "out", replace(SETTINGS, processes=processes))
    assert [row.refused for row in outcome.files] == ["", "", ""]
    assert len({row.patient for row in outcome.files}) == 1
    assert found_tokens(tmp_path / "out") == set()


def test_of_two_patients_in_one_study_neither_is_named_in_the_others_files(tmp_path: Path) -> None:
    one = a_series(tmp_path / "in")[0]
    other = a_capture(tmp_path / "other.dcm", one, PatientID="ZW-5501923", PatientName="Zwickelmann^Rosalind")
    dataset = dcmread(one)
    dataset.SeriesDescription = "after Zwickelmann ZW-5501923"
    dataset.save_as(one)
    outcome = written([one, other], tmp_path / "out")
    assert len({row.patient for row in outcome.files}) == 2
    assert found_tokens(tmp_path / "out") == set()
    assert (
        found_tokens(tmp_path / "out", Identity(patient_name="Zwickelmann^Rosalind", patient_id="ZW-5501923")) == set()
    )


def test_the_verifier_knows_everybody_of_a_study_and_nobody_of_another(tmp_path: Path) -> None:
    one = a_series(tmp_path / "in")[0]
    other = a_capture(tmp_path / "other.dcm", one, PatientID="ZW-5501923", PatientName="Zwickelmann^Rosalind")
    apart = a_capture(tmp_path / "apart.dcm", one, PatientID="KL-8801923", StudyInstanceUID="1.2.3.4.5")
    patients = Patients.gather([other, apart, one], profile=Profile(), key=KEY)
    for file, ids in ((one, "ZW-5501923"), (other, WHO.patient_id)):
        owner = patients.instances[Origin(file)].owner
        assert any(token.text == ids.lower() for token in patients.vocabularies[owner].tokens)
    assert not any(token.text == "zw-5501923" for token in patients.vocabulary(apart).tokens)
    assert patients.vocabulary(apart).hits("see ZW-5501923")  # as a number of somebody in the same run


def test_one_id_of_two_issuers_is_two_patients_and_of_one_issuer_one(tmp_path: Path) -> None:
    table = ReidentificationTable(tmp_path / "secret" / "people", "correct horse battery staple")
    names = {"A": ("Alpha^Anna", "19500101"), "B": ("Beta^Bob", "19800202")}
    files = [
        an_image(
            tmp_path / f"{issuer}{n}",
            **{"PatientID": "10010001", "IssuerOfPatientID": f"HOSP-{issuer}", "PatientName": name},
            **{"PatientBirthDate": birth, "StudyInstanceUID": f"1.2.3.{issuer == 'A':d}.{n}"},
        )
        for issuer, (name, birth) in names.items()
        for n in range(2)
    ]
    outcome = written(files, tmp_path / "out", replace(SETTINGS, table=table))
    patients = [row.patient for row in outcome.files]
    assert patients[0] == patients[1] != patients[2] == patients[3]
    people = {record.names: record.patient_ids for record in table.records}
    assert people == {("Alpha^Anna",): ("10010001",), ("Beta^Bob",): ("10010001",)}
    assert not any("several people" in line for line in outcome.record.not_done)
    alone = written(files[:2], tmp_path / "alone")
    assert {row.patient for row in alone.files} == {patients[0]}  # whoever else is in the run


def test_one_patient_stays_one_whatever_sites_write_for_the_issuer(tmp_path: Path) -> None:
    """Or the course over time would be lost: each issuer had a shift of dates of its own."""
    said = (("St. Anna Hospital", "Alpha^Anna", "19500101"), ("ST ANNA", "ALPHA^ANNA^MARIA", ""), ("", "", "19500101"))
    files = [
        an_image(
            tmp_path / str(number),
            **{"PatientID": "10010001", "IssuerOfPatientID": issuer, "PatientName": name, "PatientBirthDate": birth},
            **{"StudyInstanceUID": f"1.2.3.{number}", "StudyDate": f"2020010{number + 1}"},
        )
        for number, (issuer, name, birth) in enumerate(said)
    ]
    outcome = written(files, tmp_path / "out")
    assert len({row.patient for row in outcome.files}) == 1
    days = sorted(int(dcmread(tmp_path / "out" / row.output).StudyDate) for row in outcome.files)
    moments = [datetime.strptime(str(day), "%Y%m%d").replace(tzinfo=UTC) for day in days]
    assert [(one - moments[0]).days for one in moments] == [0, 1, 2]


@pytest.mark.parametrize(
    ("some", "others", "one"),
    [
        ({("Alpha^Anna", "19500101")}, {("Beta^Bob", "19500101")}, False),
        ({("Kowalczyk^Andrzej", "19000101")}, {("Fernandez^Lucia", "19000101")}, False),
        ({("Alpha^Anna", "19000101")}, {("ALPHA^ANNA", "19500101")}, True),
        ({("Maier^Maria", "")}, {("Rossi^Maria", "")}, False),
        ({("Maier^Maria", "")}, {("Maier^Josef", "")}, False),
        ({("Müller^Jürgen", "19500101")}, {("JUERGEN^MUELLER", "19500101")}, True),
        ({("", "19500101")}, {("Alpha^Anna", "19500101")}, True),
        ({("", "19000101")}, {("Alpha^Anna", "19000101")}, False),
        ({("Alpha^Anna", "19500101")}, {("Alpha^Anna", "19800202")}, False),
        ({("Alpha^Anna", "19500101")}, {("ALPHA^A", "")}, True),
        ({("Alpha^Anna", "19500101")}, {("Beta^Bob", "")}, False),
        ({("", "")}, {("", "")}, False),
    ],
)
def test_issuers_are_of_one_person_only_where_something_says_so(
    some: set[tuple[str, str]], others: set[tuple[str, str]], one: bool
) -> None:
    assert are_one(some, others) is are_one(others, some) is one


def test_two_people_under_one_id_stay_two_where_one_has_no_birth_date(tmp_path: Path) -> None:
    """To join them would file both under one pseudonym, in silence."""
    said = (("HOSP-A", "Alpha^Anna", "19500101"), ("HOSP-B", "Beta^Bob", ""), ("ANNAS", "ALPHA^ANNA", ""))
    files = [
        an_image(
            tmp_path / str(number),
            **{"PatientID": "10010001", "IssuerOfPatientID": issuer, "PatientName": name, "PatientBirthDate": birth},
            **{"StudyInstanceUID": f"1.2.3.{number}"},
        )
        for number, (issuer, name, birth) in enumerate(said)
    ]
    first, second, third = (row.patient for row in written(files, tmp_path / "out").files)
    assert first == third != second


def test_whose_pseudonym_it_is_does_not_depend_on_what_else_is_in_the_run(tmp_path: Path) -> None:
    said = (("A", "Orlov^Petr", "19500101"), ("B", "Lindqvist^Anna", "19620101"))
    files = [
        an_image(
            tmp_path / issuer,
            **{"PatientID": "40044004", "IssuerOfPatientID": issuer, "PatientName": name, "PatientBirthDate": birth},
            **{"StudyInstanceUID": f"1.2.3.{issuer == 'A':d}"},
        )
        for issuer, name, birth in said
    ]
    together = [row.patient for row in written(files, tmp_path / "both").files]
    apart = [written([file], tmp_path / file.parent.name.lower()).files[0].patient for file in files]
    assert apart == together
    assert len(set(apart)) == 2


def test_what_contradicts_itself_is_told_by_pseudonym(tmp_path: Path) -> None:
    """One name with two birth dates is split, one date written like another issuer is joined; both are said."""
    said = (("2002", "A", "Haberland^Ute", "19600405"), ("2002", "B", "Haberland^Ute", "19600504"))
    said += (("3003", "A", "Weller^Ida", "19710203"), ("3003", "B", "WELLER^IDA", "19710203"))
    files = [
        an_image(
            tmp_path / str(number),
            **{"PatientID": ids, "IssuerOfPatientID": issuer, "PatientName": name, "PatientBirthDate": birth},
            **{"StudyInstanceUID": f"1.2.3.{number}"},
        )
        for number, (ids, issuer, name, birth) in enumerate(said)
    ]
    outcome = written(files, tmp_path / "out")
    one, two, three, four = (row.patient for row in outcome.files)
    assert one != two
    assert three == four
    (split,) = [line for line in outcome.record.not_done if "may be one person" in line]
    (joined,) = [line for line in outcome.record.not_done if "different issuers, or with and without" in line]
    assert one in split
    assert two in split
    assert three in joined
    assert one not in joined


def in_a_table(folder: Path, files: list[Path], number: int) -> list[tuple[str, str]]:
    """(pseudonym, why it was left out) of each file of the run of that number, all with one table."""
    table = ReidentificationTable(folder / "secret" / "people", "correct horse battery staple")
    outcome = written(files, folder / f"out{number}", replace(SETTINGS, table=table))
    return [(row.patient, row.refused) for row in outcome.files]


def test_a_table_keeps_one_patient_one_over_runs_and_two_two(tmp_path: Path) -> None:
    def image(name: str, issuer: str, who: str, birth: str) -> Path:
        told = {"PatientID": "40044004", "IssuerOfPatientID": issuer, "PatientName": who, "PatientBirthDate": birth}
        return an_image(tmp_path / name, **told, StudyInstanceUID=f"1.2.3.{len(name)}")

    first = image("1", "A", "Orlov^Petr", "19500101")
    ((orlov, _),) = in_a_table(tmp_path, [first], 1)
    ((again, _),) = in_a_table(tmp_path, [image("22", "", "ORLOV^P", "19500101")], 2)  # no issuer: known by name
    assert again == orlov
    fine = an_image(tmp_path / "fine", PatientID="FINE-1234567", StudyInstanceUID="1.2.5")
    refused, (_, taken) = in_a_table(tmp_path, [image("333", "A", "Lindqvist^Anna", "19620101"), fine], 3)
    assert refused == ("", "has the Patient ID of somebody else in the re-identification table (PatientID)")
    assert taken == ""
    ((other, _),) = in_a_table(tmp_path, [image("4444", "B", "Lindqvist^Anna", "19620101")], 4)
    assert other != orlov


def test_an_id_with_two_names_and_birth_dates_is_doubted_by_its_pseudonym(tmp_path: Path) -> None:
    one = an_image(tmp_path / "1", PatientID="10010001", PatientName="Alpha^Anna", PatientBirthDate="19500101")
    two = an_image(tmp_path / "2", PatientID="10010001", PatientName="Beta^Bob", PatientBirthDate="19800202")
    outcome = written([one, two], tmp_path / "out")
    (said,) = [line for line in outcome.record.not_done if "several people" in line]
    assert outcome.files[0].patient in said
    assert "10010001" not in said


@pytest.mark.parametrize(
    ("people", "several"),
    [
        ([("Alpha^Anna", "19500101"), ("Beta^Bob", "19800202")], True),
        ([("Alpha^Anna", "19500101"), ("Gamma^Anna", "19500101")], False),
        ([("Alpha^Anna", "19500101"), ("Gamma^Anna", "19500102")], False),
        ([("Alpha^Anna", "19500101"), ("Beta^Bob", "19500101")], False),
        ([("Alpha^Anna", "19500101"), ("", "19800202"), ("Beta^Bob", "")], False),
        ([("Alpha^Anna", "19000101"), ("Beta^Bob", "19000101")], True),
    ],
)
def test_several_people_differ_in_name_and_birth_date(people: list[tuple[str, str]], several: bool) -> None:
    assert are_several(people) is several


@pytest.mark.parametrize("second", [False, True])
def test_an_opted_out_id_among_a_patients_other_ids_leaves_the_file_out(tmp_path: Path, second: bool) -> None:
    other = Dataset()
    other.PatientID, other.TypeOfPatientID = "OPT-777", "TEXT"
    files = [an_image(tmp_path / str(n), OtherPatientIDsSequence=Sequence([other])) for n in range(1 + second)]
    (tmp_path / "list.txt").write_text("OPT-777\n")
    settings = replace(SETTINGS, exclusion=ExclusionList.from_file(tmp_path / "list.txt"))
    with pytest.raises(UnreadableFileError, match="none of the files"):
        written(files, tmp_path / "out", settings)


@pytest.mark.parametrize("first", ["named", "bare"])
def test_a_file_without_id_in_the_study_of_a_patient_who_opted_out_is_left_out(tmp_path: Path, first: str) -> None:
    bare = {"PatientID": "", "PatientName": "", "PatientBirthDate": ""}
    named = an_image(tmp_path / "named", PatientID="OPT-777")
    other = an_image(tmp_path / "other", PatientID="FINE-1234567", StudyInstanceUID="1.2.3.4.5")
    files = [named, an_image(tmp_path / "bare", SOPInstanceUID="1.2.9", **bare), other]
    (tmp_path / "list.txt").write_text("OPT-777\n")
    settings = replace(SETTINGS, exclusion=ExclusionList.from_file(tmp_path / "list.txt"))
    outcome = written(files if first == "named" else [*reversed(files)], tmp_path / "out", settings)
    refused = sorted(row.refused.partition(",")[0] for row in outcome.files)
    assert refused == ["", "on the exclusion list (line 1", "on the exclusion list (line 1"]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("PatientID\nOPT-777\n", {"PatientID": "", "StudyInstanceUID": "1.2.3.7"}),  # known by name and birth date
        ("PatientID\nOPT-777\n", {"PatientID": "", "StudyInstanceUID": "1.2.3.7", "PatientName": "QUILL ALICE^^"}),
        ("PatientID,IssuerOfPatientID\nOPT-777,ANNAS\n", {"IssuerOfPatientID": "St. Anna", "SeriesNumber": 3}),
        ("AccessionNumber\nACC-31\n", {"AccessionNumber": ""}),
    ],
)
def test_whoever_opted_out_is_left_out_in_every_file_of_theirs(
    tmp_path: Path, listed: str, told: dict[str, object]
) -> None:
    said = {"PatientID": "OPT-777", "IssuerOfPatientID": "Annas", "AccessionNumber": "ACC-31"}
    said["PatientName"] = "Quill^Alice"
    files = [an_image(tmp_path / "1", **said), an_image(tmp_path / "2", **{**said, **told})]
    files.append(an_image(tmp_path / "3", PatientID="FINE-1234567", PatientName="Fine^Ulf", StudyInstanceUID="1.2.5"))
    (tmp_path / "list.csv").write_text(listed)
    settings = replace(SETTINGS, exclusion=ExclusionList.from_file(tmp_path / "list.csv"))
    outcome = written(files, tmp_path / "out", settings)
    assert [bool(row.refused) for row in outcome.files] == [True, True, False]


def test_an_id_in_another_sequence_is_no_other_id_of_the_patient(tmp_path: Path) -> None:
    other = Dataset()
    other.PatientID = "OPT-777"
    (tmp_path / "list.txt").write_text("OPT-777\n")
    settings = replace(SETTINGS, exclusion=ExclusionList.from_file(tmp_path / "list.txt"))
    file = an_image(tmp_path / "in", ReferencedPatientSequence=Sequence([other]))
    assert written([file], tmp_path / "out", settings).files[0].refused == ""


def test_a_claim_of_a_file_that_was_kept_back_is_no_claim_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two files has its text cleaned and is then kept back: the run did not clean text."""
    option = Option.CLEAN_PIXEL_DATA
    claims, kept = Counter[str](), engine.verify

    def write(patients: object, task: Task) -> Done:
        claims["files"] += 1
        return replace(real(patients, task), claimed=frozenset({option} if claims["files"] == 1 else ()))

    def verify(patients: object, task: Task) -> Done:
        return Done(error=IdentityError("found").to_dict()) if task.claimed else kept(patients, task)

    real = engine.write
    monkeypatch.setattr(engine, "write", write)
    monkeypatch.setattr(engine, "verify", verify)
    settings = DeidSettings(profile=Profile(frozenset({option})), key=KEY)
    outcome = written(a_series(tmp_path / "in"), tmp_path / "out", settings)
    assert [row.quarantined for row in outcome.files] == [True, False]
    assert option.code not in outcome.record.codes
    assert any("(113101) was asked for and not done" in line for line in outcome.record.not_done)
