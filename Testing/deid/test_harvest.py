"""What the first pass takes from headers: by what an attribute is, whatever the file says of it."""

from __future__ import annotations

import pytest

from slicermedai.deid.charsets import DEFAULT, charset_of
from slicermedai.deid.dictionary import tag_of
from slicermedai.deid.harvest import Harvest
from slicermedai.deid.table import load_table
from slicermedai.deid.vocabulary import Vocabulary


def harvested(**values: tuple[str, str]) -> Vocabulary:
    """The vocabulary of (VR, value) by keyword."""
    harvest = Harvest(load_table())
    for keyword, (vr, value) in values.items():
        harvest.add(tag_of(keyword), vr, value.encode(), DEFAULT, ())
    return harvest.vocabulary()


@pytest.mark.parametrize("vr", ["PN", "LO", "UN", "SH", "CS", "OB"])
def test_a_name_is_a_name_whatever_vr_the_file_gives_it(vr: str) -> None:
    scrub = harvested(PatientName=(vr, "Wrongvalli^Teodora")).scrub
    assert scrub("called Wrongvalli Teodora, TEODORA") == "called XXXX, XXXX"


@pytest.mark.parametrize("vr", ["DA", "LO", "UN", "DT", "SH"])
def test_a_birth_date_is_a_date_whatever_vr_the_file_gives_it(vr: str) -> None:
    assert harvested(PatientBirthDate=(vr, "19500203")).scrub("born 3 Feb 1950") == "born XXXX"


def test_an_identifier_written_as_a_code_string_is_searched() -> None:
    assert harvested(PatientID=("CS", "WV7712")).scrub("id WV7712") == "id XXXX"


def test_a_common_surname_of_the_patient_is_searched_and_of_an_operator_is_not() -> None:
    assert harvested(PatientName=("PN", "Stone^Ann")).scrub("Stone was seen") == "XXXX was seen"
    assert harvested(OperatorsName=("PN", "Stone^Ann")).scrub("Stone protocol") == "Stone protocol"


@pytest.mark.parametrize(
    "keyword",
    [
        *("IssuerOfPatientID", "RequestingService", "ScheduledStudyLocation", "PerformedLocation", "Occupation"),
        *("ScheduledProcedureStepLocation", "RegionOfResidence", "ClinicalTrialSiteID", "ClinicalTrialSponsorName"),
    ],
)
def test_what_the_table_removes_is_searched_in_other_text(keyword: str) -> None:
    assert harvested(**{keyword: ("LO", "Brancaxor")}).scrub("from BRANCAXOR, chest") == "from XXXX, chest"


def test_usual_words_for_services_and_occupations_are_no_identity() -> None:
    vocabulary = harvested(RequestingService=("LO", "Radiology"), Occupation=("SH", "retired nurse"))
    assert vocabulary.scrub("Radiology: a nurse, retired") == "Radiology: a nurse, retired"


@pytest.mark.parametrize(
    ("name", "codec", "true", "text"),
    [
        ("Верещагинский^Аристарх", "iso8859-5", "ISO_IR 144", "осмотр: Верещагинский, seen: Vereshchaginskii"),
        ("Wójcikowska^Łucja", "utf-8", "ISO_IR 192", "seen: WÓJCIKOWSKA, Łucja"),
        ("山田^太郎", "utf-8", "ISO_IR 192", "山田太郎"),
    ],
)
def test_the_same_bytes_are_read_in_the_character_set_of_each_file(name: str, codec: str, true: str, text: str) -> None:
    found = []
    for order in (("ISO_IR 100", true), (true, "ISO_IR 100")):
        harvest = Harvest(load_table())
        for said in order:
            harvest.add(tag_of("PatientName"), "PN", name.encode(codec), charset_of(said), ())
        found.append(harvest.vocabulary().scrub(text))
    assert found[0] == found[1] != text


def test_a_name_in_another_character_set_than_the_file_says_is_searched() -> None:
    harvest = Harvest(load_table())
    name = "Mußgemann^Jörg".encode("latin-1")
    harvest.add(tag_of("PatientName"), "PN", name, charset_of("ISO_IR 192"), ())
    scrub = harvest.vocabulary().scrub
    assert scrub("of MUSSGEMANN, Jörg") == "of XXXX"
    assert scrub(charset_of("ISO_IR 192").decode("of Mußgemann, Jörg".encode("latin-1"))) == "of XXXX"
