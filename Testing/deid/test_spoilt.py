"""Names, numbers and dates as systems spoil them: joined, cut, encoded, inflected, padded, and by emperors' years."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from slicermedai.deid.escapes import unescaped
from slicermedai.deid.free_forms import mask_forms
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.surnames import surname_tokens
from slicermedai.deid.tokens import Kind
from slicermedai.deid.verify import find
from slicermedai.deid.verify_spoilt import SpoiltNames
from slicermedai.deid.vocabulary import Scope, Vocabulary, date_tokens, identifier_tokens, name_tokens, place_tokens
from Testing.deid.samples import KEY, an_image

DESCRIPTORS = Profile(frozenset({Option.CLEAN_DESCRIPTORS}))


def who(name: str) -> Vocabulary:
    return Vocabulary.of(name_tokens(name) | surname_tokens(name))


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("O'Dea^Fintan", "ODEA T1", "XXXX T1"),
        ("O'Dea^Fintan", "ODEA^FINTAN", "XXXX^XXXX"),
        ("O'Neil^Grania", "knee ONEIL_G", "knee XXXX_G"),
        ("D'Arcy^Lise", "Mrs Darcy", "Mrs XXXX"),
        ("Le Roy^Armelle", "Leroy knee", "XXXX knee"),
        ("De Wit^Wouter", "DEWIT", "XXXX"),
        ("van der Berg^Piet", "vdBerg, VDBERG", "XXXX, XXXX"),
        ("LONG MAY", "May Long", "XXXX"),
        ("LONG, MAY", "LONG^MAY", "XXXX"),
        ("HAND PETER", "Peter Hand", "XXXX"),
        ("Kowalewska^Jolanta", "u Kowalewskiej", "u XXXXiej"),
        ("Dvořáková^Zdeňka", "Dvořákové", "XXXX"),
        ("Kopecký^Jan", "KOPECKEHO", "XXXXEHO"),
    ],
)
def test_names_are_found_joined_without_a_caret_and_inflected(name: str, text: str, left: str) -> None:
    assert who(name).scrub(text) == left


@pytest.mark.parametrize("text", ["(Klinikum Quell) supine", "supine, 2", "see PACS / left", "Quell #7 head"])
def test_a_remark_where_a_name_should_be_is_not_turned_round(text: str) -> None:
    tokens = name_tokens(text)
    assert not [
        token
        for token in tokens
        if "".join(filter(str.isalnum, token.text)) in ("supine", "left", "head") and not token.text.isalnum()
    ]


@pytest.mark.parametrize("name", ["O'Dea^Fintan", "LONG MAY", "De Wit^Wouter", "Kowalewska^Jolanta"])
def test_words_beside_them_stay(name: str) -> None:
    text = "long axis, may repeat; with contrast, dead space, codeade, Kowa lens"
    assert who(name).scrub(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("WOLFERSB knee", "XXXX knee"),
        ("wolfersbergman knee", "XXXX knee"),
        ("Wolfersbergm knee", "XXXX knee"),
        ("for Wolfe. H, knee", "for XXXX. H, knee"),
        ("for WOLFER.H", "for XXXX.H"),
        ("WOLFER.^H knee", "XXXX.^H knee"),
        ("for H. wolfers. knee", "for H. XXXX. knee"),
        ("for H Wolfer. knee", "for H XXXX. knee"),
        ("for H.Wolfer. knee", "for H.XXXX. knee"),
        ("for H .Wolfer. knee", "for H .XXXX. knee"),
        ("for Wolfer.., H knee", "for XXXX.., H knee"),
    ],
)
def test_a_name_that_a_field_or_a_stop_beside_an_initial_cut_is_masked_and_the_verifier_sees_it(
    text: str, left: str
) -> None:
    vocabulary = who("Wolfersbergmann^Hans")
    assert vocabulary.scrub(text) == left
    assert SpoiltNames(vocabulary.tokens, lambda _: False).stand_in(text)
    assert not SpoiltNames(vocabulary.tokens, lambda _: False).stand_in(left)


def test_a_term_and_a_whole_name_that_is_part_of_one_are_not_cut_names() -> None:
    for name in ("Bennettova^Jana", "Bennett^Jo"):
        vocabulary = who(name)
        assert vocabulary.scrub("Bennett's fracture") == "Bennett's fracture"
        assert not SpoiltNames(vocabulary.tokens, lambda _: False).stand_in("Bennett's fracture")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("Wolfersbergmann^Contrastina^Abdominova^Reconti", one) for one in ("contr. W", "abdom. pain", "recon. W")),
        *(("Stabler^Nora", one) for one in ("Nodule stable. No change", "Thorax^stable.v2", "STABLE.NO CHANGE")),
        ("Stabler^Nora", "Nodule stable. 3 mm"),
        ("Burnside^Tom", "No burns. T2 normal"),
        ("Templeton^Bea", "Left temple. B-mode"),
        ("Globerman^Ada", "Globe. Age 40"),
        ("Bowell^Carl", "small bowel. C5 normal"),
        ("Plainfield^Xenia", "Abdomen plain. AXR"),
        ("Steiner^Karl", "Kein Stein. Keine Stauung"),
        ("Wolfersbergmann^Hans", "wolf. H"),
        ("Wolfersbergmann^Hans", "wolfer. W, wolfer. knee"),
    ],
)
def test_words_that_end_a_sentence_and_what_is_short_for_a_word_are_no_cut_names(name: str, text: str) -> None:
    vocabulary = who(name)
    assert vocabulary.scrub(text) == text
    assert not SpoiltNames(vocabulary.tokens, lambda _: False).stand_in(text)


@pytest.mark.parametrize("text", ["WOLFER knee", "Wolfersberger", "contrast medium"])
def test_shorter_and_other_words_are_no_cut_names(text: str) -> None:
    vocabulary = Vocabulary.of(name_tokens("Wolfersbergmann^Contrastina"))
    assert vocabulary.scrub(text) == text
    assert not SpoiltNames(vocabulary.tokens, lambda _: False).stand_in(text)


@pytest.mark.parametrize(
    "text",
    [
        *("M&uuml;ller", "M&#252;ller", "M&#xFC;LLER", "M&UUML;LLER", "M%C3%BCller", "M%fcller", "M=C3=BCller"),
        *("M\\'fcller", "M\\u00fcller", "J%C3%B6rg%20M%C3%BCller", "J&ouml;rg&nbsp;M&uuml;ller"),
    ],
)
def test_a_name_with_encoded_letters_is_masked_and_the_verifier_sees_it(tmp_path: Path, text: str) -> None:
    vocabulary = who("Müller^Jörg")
    assert vocabulary.scrub(f"of {text}, 50% & more") == "of XXXX, 50% & more"
    assert vocabulary.hits(text)
    path = an_image(tmp_path / "in", PatientName="Müller^Jörg", AcquisitionContextDescription=text)
    if text != "M&UUML;LLER":  # no browser knows that one
        assert "(0040,0556)" in {hit.attribute for hit in find(path, vocabulary.tokens)}
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=DESCRIPTORS, key=KEY))
    assert dcmread(tmp_path / "out" / "00001.dcm").AcquisitionContextDescription.strip() == "XXXX"


def test_half_of_something_escaped_that_is_a_word_of_the_identity_does_not_hide_the_whole(tmp_path: Path) -> None:
    spoilt = "J%C3%B6rgeneira"
    path = an_image(tmp_path / "in", PatientName="J\u00f6rgeneira^Ada", PerformedStationName="J=C3=B6rgeneira")
    with_text = dcmread(path)
    with_text.AcquisitionContextDescription = f"scan of {spoilt}, repeat"
    with_text.save_as(path)
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=DESCRIPTORS, key=KEY))
    kept = dcmread(tmp_path / "out" / "00001.dcm").AcquisitionContextDescription
    assert kept == "scan of XXXX, repeat"


def test_every_letter_knows_where_it_came_from() -> None:
    text = "a%20M%C3%BC &uuml;=FCx\\u00fc"
    plain, places = unescaped(text)[0]
    assert plain == "a Mü üüxü"
    assert [text[place] for place in places] == ["a", "%", "M", "%", " ", "&", "=", "x", "\\"]
    assert unescaped("R & D, 50 % = much") == []


@pytest.mark.parametrize(
    "text",
    [
        *("Ko%25776al", "K&amp;ouml;nig", "K%25C3%25B6nig", "=4B=C3=B6=6E=69=67", "Kön=\r\nig", "K\\\\u00f6nig"),
        *("id=K=C3=B6nig", "id=14 K&ouml;nig", "K\u200bö\u200bnig", "K\\xf6nig", "&amp;#75;&amp;#xf6;nig"),
    ],
)
def test_what_is_escaped_twice_broken_by_mail_or_without_width_is_masked(text: str) -> None:
    vocabulary = Vocabulary.of(name_tokens("König^Ann") | name_tokens("Kow6al^Ann"))
    assert "XXXX" in vocabulary.scrub(f"scan of {text}, repeat")
    assert "repeat" in vocabulary.scrub(f"scan of {text}, repeat")


@pytest.mark.parametrize(
    ("number", "text", "left"),
    [
        ("00123456", "pt 123456 recheck", "pt XXXX recheck"),
        ("00123456", "123456", "XXXX"),
        ("123456", "00123456", "XXXX"),
        ("123456", "acc 0123456.", "acc XXXX."),
        ("0012345", "MRN 12345", "MRN XXXX"),
        ("A-0001234", "id 1234", "id XXXX"),
        ("0012345", "TE 12345.5", "TE 12345.5"),
        ("A-0001234", "b 1234", "b 1234"),
        ("00123456", "1234567", "1234567"),
    ],
)
def test_a_number_is_found_with_other_zeros_before_it(number: str, text: str, left: str) -> None:
    assert Vocabulary.of(identifier_tokens(number)).scrub(text) == left


@pytest.mark.parametrize(
    "text",
    ["昭和26年4月12日", "昭26.4.12", "S26.04.12", "s26/4/12", "１９５１/０４/１２", "١٩٥١-٠٤-١٢", "民國40年4月12日"],
)
def test_a_birth_date_is_found_by_emperors_years_and_in_other_digits(text: str) -> None:
    assert Vocabulary.of(date_tokens("19510412")).scrub(f"of {text} on") == "of XXXX on"


def test_other_numbers_with_a_letter_are_no_dates_of_an_era() -> None:
    text = "T2.3.4 S1/2/3 M1.0.0 H26-4-13 昭和26年4月13日"
    assert Vocabulary.of(date_tokens("19510412")).scrub(text) == text


def test_sizes_after_a_letter_of_an_era_are_no_dates() -> None:
    text = "最大2.3-1.2cm 平3-4-5 明1.1.1"
    assert mask_forms(text) == text
    assert mask_forms("昭和26年4月12日生") == "XXXX生"


@pytest.mark.parametrize("codec", ["latin-1", "utf-8", "utf-16-le"])
def test_a_name_in_capitals_between_other_bytes_is_found_in_any_character_set(codec: str) -> None:
    raw = bytes(range(128, 140)) + "MÜLLER".encode(codec) + bytes(9)
    assert who("Müller^Jörg").hits_bytes(raw, Scope.BINARY)


@pytest.mark.parametrize(("name", "codec"), [("Достоевский^Ф", "iso8859_5"), ("Παπαδόπουλος^Γ", "iso8859_7")])
def test_a_name_in_another_script_between_other_bytes_is_found(name: str, codec: str) -> None:
    family = name.partition("^")[0]
    for text in (family, family.upper()):
        assert who(name).hits_bytes(bytes(9) + text.encode(codec, "ignore") + bytes(9), Scope.BINARY)


@pytest.mark.parametrize("place", ["Stroke Unit", "PORTABLE", "Gamma Camera", "Proton Therapy", "Mammography"])
def test_names_of_services_are_no_identity(place: str) -> None:
    vocabulary = Vocabulary.of(place_tokens(place) | identifier_tokens(place))
    text = "Portable chest, acute stroke, proton therapy, gamma camera, mammography"
    assert vocabulary.scrub(text) == text


def test_a_person_and_an_institution_of_such_a_name_are_found_all_the_same() -> None:
    assert who("Portable^Kim").scrub("seen with Portable") == "seen with XXXX"
    assert Vocabulary.of(place_tokens("Stroke Unit Quellheim")).scrub("stroke at Quellheim") == "stroke at XXXX"


@pytest.mark.parametrize(
    "place",
    [
        "King Proton Therapy Center",
        "Brown Trauma Center",
        "Young Rehabilitation Clinic",
        "Baker Radiotherapy",
        "Parker Dialysis",
        "Rose Maternity",
        "Grace Maternity Hospital",
        "Wolf Strahlentherapie",
    ],
)
def test_a_service_named_after_a_person_is_identity_though_the_name_is_a_word(place: str) -> None:
    vocabulary = Vocabulary.of(place_tokens(place))
    for text in (place, place.upper()):
        assert vocabulary.hits(f"from {text}")
        assert vocabulary.scrub(f"from {text} today") == "from XXXX today"


def test_a_station_named_after_a_person_is_identity_though_its_words_are_common() -> None:
    assert Vocabulary.of(identifier_tokens("KING_LINAC", Kind.DEVICE)).scrub("at KING_LINAC") == "at XXXX"


def test_small_pictures_in_sequences_and_addresses_of_servers_go(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", RetrieveURL="https://srv7.example/wado", FileAccessURI="file://srv7/a")
    dataset = dcmread(path)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.7"
    item.Rows, item.Columns = 8, 8
    item.add_new(0x7FE00010, "OB", bytes(64))
    dataset.SourceImageSequence = [item]
    unknown = Dataset()
    unknown.add_new(0x7FE00010, "OB", bytes(64))
    dataset.add_new(0x00189FF5, "SQ", [unknown])
    dataset.save_as(path)
    outcome = deidentify_all([path], tmp_path / "out", DeidSettings(profile=DESCRIPTORS, key=KEY))
    copy = dcmread(tmp_path / "out" / "00001.dcm")
    assert "RetrieveURL" not in copy
    assert "FileAccessURI" not in copy
    assert "PixelData" not in copy.SourceImageSequence[0]
    assert copy.SourceImageSequence[0].Rows == 8
    assert 0x7FE00010 not in copy[0x00189FF5].value[0]
    assert "PixelData" in copy
    changes = {change.attribute: change for change in outcome.record.changes}
    assert changes["RetrieveURL"].reason
