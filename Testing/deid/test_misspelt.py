"""Names as they were heard or turned round, and days that are counted; no word of medicine is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.tokens import common_words
from slicermedai.deid.verify import find
from slicermedai.deid.vocabulary import Vocabulary, date_tokens, name_tokens
from Testing.deid.samples import an_image

BORN = Vocabulary.of(date_tokens("19530814"))
DAYS = [
    "XIV VIII 1953",
    "XIV.VIII.1953",
    "14.VIII.1953",
    "14 VIII 1953",
    "1953.226",
    "1953-226",
    "1953/226",
    "xiv-viii-1953",
]


@pytest.mark.parametrize("text", DAYS)
def test_a_birth_date_in_roman_numbers_or_by_the_day_of_the_year_is_masked_and_verified(
    tmp_path: Path, text: str
) -> None:
    assert BORN.scrub(f"born {text}, male") == "born XXXX, male"
    assert BORN.hits(text)
    path = an_image(tmp_path, AcquisitionContextDescription=f"born {text}, male")
    assert [hit.kind for hit in find(path, BORN.tokens)] == ["date"]


@pytest.mark.parametrize(
    "text",
    ["XIV VIII 1954", "XV VIII 1953", "1953.225", "1953-2265", "11953.226", "IX X 1953", "1953 226", "C7 VIII 1953"],
)
def test_other_days_and_numbers_are_none(tmp_path: Path, text: str) -> None:
    assert BORN.scrub(text) == text
    assert not list(find(an_image(tmp_path, AcquisitionContextDescription=text), BORN.tokens))


def test_days_of_leap_years_are_counted_to_their_end() -> None:
    assert Vocabulary.of(date_tokens("19521231")).scrub("1952-366 1952-365") == "XXXX 1952-365"
    assert Vocabulary.of(date_tokens("19530101")).scrub("1952-367 1953-001 1953-000") == "1952-367 XXXX 1953-000"


@pytest.mark.parametrize("text", ["KYZCLAWOK", "kyzclawok", "naj kyzclawok"])
def test_a_name_from_its_last_letter_to_its_first_is_masked_and_verified(tmp_path: Path, text: str) -> None:
    name = Vocabulary.of(name_tokens("Kowalczyk^Jan"))
    assert "kyzcl" not in name.scrub(f"id {text}").lower()
    assert list(find(an_image(tmp_path, AcquisitionContextDescription=text), name.tokens))


def test_short_names_and_names_that_read_as_words_are_not_turned_round() -> None:
    porter = Vocabulary.of(name_tokens("Porter^Jo"))
    assert porter.scrub("retroperitoneum, Retroperitoneal") == "retroperitoneum, Retroperitoneal"
    for name, text in (
        ("Revil^Jo", "liver"),
        ("Lasan^Jo", "nasal"),
        ("Retsulc^Jo", "cluster"),
        ("Lanaran^Jo", "naranal"),
    ):
        turned = Vocabulary.of(name_tokens(name)).scrub(text)
        assert turned == (text if text != "naranal" else "XXXX")


@pytest.mark.parametrize(
    "text",
    [
        "Maja Kowalczik",
        "KOWALZCYK^MAJA",
        "Kowalcyk, Maja",
        "maja kowalczzyk",
        "Kowalczyc Maja",
        "Kowalxczyk",
        "Kowalczik",
    ],
)
def test_a_name_with_one_wrong_letter_is_masked(text: str) -> None:
    vocabulary = Vocabulary.of(name_tokens("Kowalczyk^Maja"))
    assert vocabulary.hits(text)
    masked = vocabulary.scrub(f"scan of {text}, repeat")
    assert "owal" not in masked.lower()
    assert masked.startswith("scan of XXXX")
    assert masked.endswith(", repeat")


def test_a_shorter_one_is_masked_beside_another_word_of_the_name_alone() -> None:
    name = Vocabulary.of(name_tokens("Forster^Ingrid"))
    assert name.scrub("Ingrid Foster; FOSTER^I; Foster child") == "XXXX XXXX; FOSTER^I; Foster child"
    assert name.scrub("Fortser, Ingrid") == "XXXX, XXXX"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Lesionn^Ingrid", "Ingrid: lesion of the liver"),
        ("Fractures^Ingrid", "Ingrid, fracture"),
        ("Cervicale^Ingrid", "cervical spine"),
        ("Fracturel^Ingrid", "fractured and fractures"),
        ("Kowalczyk^Ingrid", "Howalczyk"),
        ("Kowalczyk^Ingrid", "Kowalkzik"),
        ("Morisson^Ingrid", "Morrison pouch"),
        ("Contrasty^Ingrid", "CONTRASTS"),
    ],
)
def test_words_of_medicine_and_names_with_two_wrong_letters_stay(name: str, text: str) -> None:
    assert Vocabulary.of(name_tokens(name)).scrub(text).replace("XXXX", "Ingrid") == text


def test_no_clinical_word_is_taken_for_a_misspelt_name() -> None:
    words = sorted(word for word in common_words() if word.isalpha() and word.isascii() and len(word) > 7)
    for word in words[::7]:
        for wrong in (word[:-1] + "e" + word[-1], word[:3] + word[4:], word + "i"):
            if wrong not in common_words() and not is_clinical(wrong):
                assert Vocabulary.of(name_tokens(f"{wrong}^Ingrid")).scrub(f"{word} seen") == f"{word} seen"
