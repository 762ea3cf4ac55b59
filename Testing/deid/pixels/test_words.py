"""What a word is: look-alike letters, labels, dates, and the annotations that stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slicermedai.deid.pixels.fuzzy import canonical, find_nearly, within
from slicermedai.deid.pixels.kinds import TextClass
from slicermedai.deid.pixels.lexicon import is_annotation, known_characters
from slicermedai.deid.pixels.match import Matcher
from slicermedai.deid.pixels.ocr import Line
from slicermedai.deid.pixels.words import Word
from slicermedai.deid.vocabulary import Vocabulary, name_tokens
from Testing.deid.pixels.pictures import VOCABULARY

LETTER = 8.0


def a_line(text: str, *, x: float = 10.0, y: float = 20.0) -> tuple[Line, list[Word]]:
    """A line of ``text`` as a reader hands it out, without its spaces; the words lie where the spaces were."""
    words, columns, at = [], [], 0
    for match in text.split(" "):
        start = x + LETTER * (at + len(words))
        columns += [start + LETTER * (n + 0.5) for n in range(len(match))]
        words.append(Word(start=at, stop=at + len(match), x0=start, x1=start + LETTER * len(match)))
        at += len(match)
    line = Line(
        text=text.replace(" ", ""),
        confidence=0.9,
        x0=x,
        y0=y,
        x1=x + LETTER * len(text),
        y1=y + 14,
        columns=tuple(columns),
    )
    return line, words


def understood(*texts: str, vocabulary: Vocabulary = VOCABULARY) -> list[tuple[str, TextClass]]:
    """(what was read, what it is) for lines below one another."""
    lines = [a_line(text, y=20 + 20 * number) for number, text in enumerate(texts)]
    pieces = Matcher(vocabulary).pieces(lines)
    return [(piece.line.text[piece.start : piece.stop], piece.kind) for piece in pieces]


def identity_in(*texts: str, vocabulary: Vocabulary = VOCABULARY) -> str:
    """All that counts as identity, joined."""
    return " ".join(said for said, kind in understood(*texts, vocabulary=vocabulary) if kind is TextClass.IDENTITY)


def test_characters_that_look_alike_are_one() -> None:
    assert canonical("D0B 1I|l 5S 8B") == canonical("DOB lll1 SS BB")


def test_a_misread_letter_is_forgiven_and_a_different_word_is_not() -> None:
    assert find_nearly("quillfeather", "xxqui1feotherxx".replace("1", "l"), 2)
    assert not find_nearly("quillfeather", "wheelbarrowed", 2)
    assert within("portable", "portabie", 1)
    assert not within("portable", "potatoes", 1)


@pytest.mark.parametrize(
    "text",
    [
        "QUILLFEATHER",
        "Quil1feather",
        "Qulllfeathor",
        "AMBROSIATQUILLFEATHER",
        "QF-739l586",
        "7391S86",
        "AC9064417",
        "Th0rnbury",
    ],
)
def test_the_patients_words_are_found_however_they_are_read(text: str) -> None:
    assert text in identity_in(text)


@pytest.mark.parametrize(
    "date",
    ["23.08.1951", "1951-08-23", "8/23/1951", "23 Aug 1951", "19510823", "Jun 14, 2019", "03.04.77", "9:35:17 am"],
)
def test_dates_and_times_of_day_are_identity_whoevers_they_are(date: str) -> None:
    assert identity_in(date, vocabulary=Vocabulary.of([])).replace(" ", "") == date.replace(" ", "")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Name: Zoltan Vrbrkov", "Zoltan Vrbrkov"),
        ("Patient Name Vrbrkov", "Vrbrkov"),
        ("Geb. 1.2.03", "1.2.03"),
        ("D0B: 4711", "4711"),
        ("1D: XJ12", "XJ12"),
        ("MRN 8812", "8812"),
        ("Dr. Vrbrkov", "Vrbrkov"),
        ("Nachname: Vrbrkov", "Vrbrkov"),
        ("Sex: F Age: 067Y", "F 067Y"),
        ("Operator: JK", "JK"),
        ("Tel 0555 0184927", "0555 0184927"),
    ],
)
def test_what_stands_after_a_label_is_identity_without_any_vocabulary(line: str, value: str) -> None:
    found = identity_in(line, vocabulary=Vocabulary.of([]))
    assert found.replace(" ", "") == value.replace(" ", "")


def test_a_label_at_the_end_of_its_line_names_what_stands_below() -> None:
    assert identity_in("Patient Name:", "Liverpool", vocabulary=Vocabulary.of([])) == "Liverpool"


def test_a_label_that_lost_its_value_does_not_name_the_measurement_below() -> None:
    assert identity_in("ID:", "120kVp250mA", vocabulary=Vocabulary.of([])) == ""
    assert identity_in("ID:", "XJ12", vocabulary=Vocabulary.of([])) == "XJ12"


def test_an_unknown_number_or_name_in_pieces_is_not_taken_for_small_numbers_and_marks() -> None:
    whole = Vocabulary.of([])
    line, words = a_line("12 34 56 78 Ab du rk")
    near = [replace(word, gap=0.3) if number not in (0, 4) else word for number, word in enumerate(words)]
    assert {piece.kind for piece in Matcher(whole).pieces([(line, near)])} == {TextClass.UNCLASSIFIED}


def test_a_known_word_in_pieces_is_known() -> None:
    line, words = a_line("SU PI NE")
    near = [replace(word, gap=0.3) if number else word for number, word in enumerate(words)]
    assert {piece.kind for piece in Matcher(VOCABULARY).pieces([(line, near)])} == {TextClass.ANNOTATION}


def test_a_label_ends_at_an_annotation_with_its_unit() -> None:
    assert identity_in("Name: Vrbrkov 120kVp", vocabulary=Vocabulary.of([])) == "Vrbrkov"


def test_the_name_of_an_institution_is_identity() -> None:
    assert identity_in("Vrbrkov Klinikum", vocabulary=Vocabulary.of([])).replace(" ", "") == "VrbrkovKlinikum"


@pytest.mark.parametrize(
    "text",
    [
        "L",
        "R",
        "120 kVp",
        "250 mA",
        "MI 0.8",
        "TIS 0.4",
        "16 cm",
        "38 fps",
        "W 400 L 40",
        "Im: 12/45",
        "Vmax 1.2 m/s",
        "Depth 16 cm",
        "PORTABLE SUPINE",
        "P0RTABLE",
        "RightCarotidArtery",
        "Liver",
        "SIEMENS",
        "TR 2000",
        "FOV 240 mm",
        "LVEF 55 %",
        "AP",
        "LIVER SAG",
        "T2 TRA",
        "COR",
    ],
)
def test_known_annotations_stay(text: str) -> None:
    assert {kind for _, kind in understood(text)} == {TextClass.ANNOTATION}


@pytest.mark.parametrize("text", ["Vrbrkov", "handler", "12345678", "1951", "山田太郎", "Zxq"])
def test_what_nobody_knows_is_neither(text: str) -> None:
    assert not is_annotation(text)
    assert {kind for _, kind in understood(text, vocabulary=Vocabulary.of([]))} == {TextClass.UNCLASSIFIED}


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("portable", "ap", "supine"), True),
        (("pa", "upright"), True),
        (("portable", "jo", "supine"), False),
        (("pa", "quillfeather"), False),
        (("portable", "ap", "quillfeather"), False),
    ],
)
def test_a_projection_between_gaps_is_known_among_known_words_alone(words: tuple[str, ...], known: bool) -> None:
    starts = [sum(map(len, words[:n])) for n in range(len(words))]
    found = known_characters("".join(words), starts)
    short = next(n for n, word in enumerate(words) if len(word) == 2)
    assert found[starts[short] : starts[short] + 2] == [known, known]


@pytest.mark.parametrize(("text", "known"), [("SUPINEAP", True), ("CHESTPA", True), ("JONESAP", False)])
def test_a_projection_that_lost_its_space_is_known_after_a_known_word(text: str, known: bool) -> None:
    assert is_annotation(text) is known


def test_a_word_of_anatomy_is_no_misread_name() -> None:
    from slicermedai.deid.vocabulary import name_tokens

    vocabulary = Vocabulary.of(name_tokens("Oliver^Hand"))
    assert understood("Liver segment", vocabulary=vocabulary)[0][1] is TextClass.ANNOTATION
    assert identity_in("OLIVER", vocabulary=vocabulary) == "OLIVER"


def test_label_and_value_in_one_word_are_parted() -> None:
    assert ("ID:", TextClass.ANNOTATION) in understood("ID:QF-7391586")
    assert identity_in("ID:QF-7391586") == "QF-7391586"


def test_a_unit_and_a_word_whose_space_was_lost_are_annotations_after_a_number() -> None:
    assert is_annotation("28HzGain54")
    assert is_annotation("28HzZ2.0")
    assert not is_annotation("HzGain")
    assert not is_annotation("28Quillfeather")
    assert not is_annotation("28HzQuillfeather")


def test_a_name_of_common_words_is_identity_as_a_whole() -> None:
    vocabulary = Vocabulary.of(name_tokens("Long^Axis"))
    assert identity_in("Axis Long", vocabulary=vocabulary) == "Axis Long"
    assert identity_in("Long", vocabulary=vocabulary) == ""
    assert identity_in("Long Supine", vocabulary=vocabulary) == ""
