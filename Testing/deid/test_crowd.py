"""One patient's name or number in another one's file: found by what is distinctive, as whole words."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest
from pydicom import Dataset, Sequence, dcmread

from slicermedai.deid.crowd import Crowd
from slicermedai.deid.names import name_tokens
from slicermedai.deid.verify import find
from slicermedai.deid.vocabulary import Vocabulary
from Testing.deid.samples import an_image, without_identity


def crowd_of(*names: str, numbers: tuple[str, ...] = ()) -> Vocabulary:
    crowd = Crowd()
    for name in names:
        crowd.add_name(name)
    for number in numbers:
        crowd.add_number(number)
    return Vocabulary.of(name_tokens("Hallgrimsson^Bjartur"), crowd=crowd)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        *(("Quintavalle^Ottorino", "first: Quintavalle was in", "first: XXXX was in"),),
        *(("Quintavalle^Ottorino", "quintavalle,ottorino and QUINTAVALLE", "XXXX,XXXX and XXXX"),),
        *(("Müßgemann^Jörg", "for MUESSGEMANN", "for XXXX"), ("Достоевский^Алексей", "of Dostoevsky", "of XXXX")),
        *(("Yamada^Tarou=山田^太郎", "患者山田太郎様", "患者XXXX様"),),
        *(("Gross^Karl", "gross total resection", "gross total resection"),),
        *(("Crohn^Ann", "Crohn disease", "Crohn disease"), ("Smith^John", "Smith fracture", "Smith fracture")),
        *(("Thorax^Ann", "CT THORAX", "CT THORAX"), ("Lund^Ottorino", "Ottorino", "Ottorino")),
    ],
)
def test_other_patients_names_are_masked_where_they_are_distinctive(name: str, text: str, wanted: str) -> None:
    vocabulary = crowd_of(name)
    scrubbed = vocabulary.scrub(text)
    assert scrubbed.replace("XXXXXXXX", "XXXX").replace("XXX様", "XXXX様").replace("XXXXX様", "XXXX様") == wanted
    assert vocabulary.hits(text) is (text != wanted)
    assert not vocabulary.hits(scrubbed)


@pytest.mark.parametrize(
    ("number", "found"), [("QX-88213/7", True), ("70312500", True), ("1500", False), ("3T", False)]
)
def test_other_patients_numbers_are_masked_where_they_are_long(number: str, found: bool) -> None:
    assert (crowd_of(numbers=(number,)).scrub(f"prior of {number}.") == "prior of XXXX.") is found


def test_thousands_of_patients_cost_hardly_more_than_one() -> None:
    many = crowd_of(*(f"Quintavalle{n:05d}x^Otto".translate({48 + d: 97 + d for d in range(10)}) for n in range(5000)))
    text = "Left lung: nodule of 12 mm, unchanged. " * 20
    start = time.process_time()
    for _ in range(50):
        assert many.scrub(text) == text
    assert (time.process_time() - start) / 50 < 0.02


def test_what_is_known_of_the_others_goes_to_another_process() -> None:
    one = crowd_of("Quintavalle^Ottorino")
    other = pickle.loads(pickle.dumps(one))  # noqa: S301  # our own bytes
    assert other.scrub("Quintavalle") == "XXXX"


def test_a_run_leaves_no_patient_in_another_ones_file_and_the_verifier_sees_it(tmp_path: Path) -> None:
    first = an_image(tmp_path / "a", PatientName="Quintavalle^Ottorino", PatientID="QX-88213/7")
    second = an_image(
        tmp_path / "b",
        PatientName="Hallgrimsson^Bjartur",
        PatientID="ZZ-4410",
        SeriesDescription="Quintavalle lung",
        StudyInstanceUID="1.2.3.4.5",
        ManufacturerModelName="was Quintavalle, QX-88213/7",
    )
    done = without_identity([first, second], tmp_path / "out")
    assert done is not None
    data = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert b"uintavalle" not in data
    assert b"88213" not in data
    crowd = Crowd()
    crowd.add_name(str(dcmread(first).PatientName))
    assert next(hit.attribute for hit in find(second, frozenset(), crowd=crowd)) == "(0008,103E)"


TERMS = (
    "Bennett fracture; Evans index 0.31; Jones fracture; Morton neuroma; foramen of Monro; Paget disease; "
    "Boston stent; Graves orbitopathy; Galen vein; Broca area; Stanford B; Florence plan; Kaiser score 7; Dandy-Walker"
)


def test_terms_that_begin_with_a_name_of_others_stay_and_the_names_themselves_do_not() -> None:
    families = "Bennett Evans Jones Morton Monro Paget Boston Graves Galen Broca Stanford Florence Kaiser Walker"
    vocabulary = crowd_of(*(f"{family}^Quentin" for family in families.split()))
    assert vocabulary.scrub(TERMS) == TERMS
    assert not vocabulary.hits(TERMS)
    for text in ("seen Mr Bennett", "Evans Quentin", "PAGET^QUENTIN", "Quentin Graves"):
        assert "XXXX" in vocabulary.scrub(text)
        assert vocabulary.hits(text)


def a_code(scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", scheme, meaning
    return item


def test_meanings_of_published_codes_are_searched_for_the_patient_alone(tmp_path: Path) -> None:
    first = an_image(tmp_path / "a", PatientName="Quintavalle^Ottorino", PatientID="QX-88213/7")
    meanings = (("SCT", "Quintavalle projection"), ("99LOCAL", "Quintavalle projection"), ("SCT", "Hallgrimsson sign"))
    second = an_image(
        tmp_path / "b",
        **{"PatientName": "Hallgrimsson^Bjartur", "PatientID": "ZZ-4410", "StudyInstanceUID": "1.2.3.4.5"},
        ViewCodeSequence=Sequence([a_code(*one) for one in meanings]),
    )
    without_identity([first, second], tmp_path / "out")
    copy = next(d for d in map(dcmread, (tmp_path / "out").iterdir()) if "ViewCodeSequence" in d)
    assert [item.CodeMeaning for item in copy.ViewCodeSequence] == [
        *("Quintavalle projection", "XXXX projection", "XXXX sign"),
    ]
