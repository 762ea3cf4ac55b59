"""What is collected as identity, and what is masked because of it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicermedai.deid.surnames import surname_tokens
from slicermedai.deid.tokens import Kind, Scope, Token, fold, fold_with_positions
from slicermedai.deid.verify import find
from slicermedai.deid.vocabulary import (
    Vocabulary,
    date_tokens,
    identifier_tokens,
    name_tokens,
    place_tokens,
    uid_tokens,
)
from Testing.deid.samples import an_image


def vocabulary_of(*groups: set[Token], equipment: frozenset[str] = frozenset()) -> Vocabulary:
    return Vocabulary.of(set().union(*groups), equipment=equipment)


@pytest.mark.parametrize(
    "text",
    [
        "Seen: QUILLFEATHER today",
        "ambrosia was here",
        "Quillfeather,Ambrosia",
        "T1_Ambrosia_Quillfeather_2",
        "xQuillfeatherx",
    ],
)
def test_names_are_masked_in_any_case_and_order(text: str) -> None:
    scrubbed = vocabulary_of(name_tokens("Quillfeather^Ambrosia^Tansy^Dr")).scrub(text)
    assert "quillfeather" not in scrubbed.lower()
    assert "ambrosia" not in scrubbed.lower()
    assert "XXXX" in scrubbed


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("Garcia-Lopez^Maria", "GarciaLopez MR brain", "XXXX MR brain"),
        ("Garcia-Lopez^Maria", "lopezgarcia", "XXXX"),
        ("Garcia Lopez^Maria", "GARCIALOPEZ_T2", "XXXX_T2"),
        ("Garcia Lopez^Maria", "Lopez knee", "XXXX knee"),
        ("Garcia-Lopez^Maria Jose", "MARIAJOSE", "XXXX"),
        ("Schmidt^Anna Lena", "SchmidtAnnalena T1", "XXXX T1"),
        ("Becker^Thomas Jan", "BeckerJan JanBecker", "XXXX XXXX"),
        ("Meyer^Hans", "HansMeyer MeyerH hmeyer", "XXXX XXXX XXXX"),
        ("Nguyen^Van Lee", "LeeVanNguyen", "XXXX"),
    ],
)
def test_joined_names_leave_no_half(name: str, text: str, wanted: str) -> None:
    vocabulary = vocabulary_of(name_tokens(name))
    assert re.sub("X{4,}", "XXXX", vocabulary.scrub(text)) == wanted
    assert not vocabulary.hits(vocabulary.scrub(text))


@pytest.mark.parametrize(("text", "wanted"), [("QuillfeatherLee", "XXXXXXX"), ("leeQuillfeather", "XXXXXXX")])
def test_a_short_word_that_touches_what_was_masked_goes_on_either_side(text: str, wanted: str) -> None:
    vocabulary = vocabulary_of(name_tokens("Quillfeather"), name_tokens("Lee"))
    assert vocabulary.scrub(text) == wanted
    assert vocabulary.scrub("Leeward Quillfeatherish") == "Leeward XXXXish"


@pytest.mark.parametrize("written", ["Jürgen MÜLLER", "jurgen muller", "Juergen Mueller", "JU\u0308RGEN Mu\u0308ller"])
def test_diacritics_are_folded_and_written_out(written: str) -> None:
    assert vocabulary_of(name_tokens("Müller^Jürgen")).scrub(f"of {written} on") == "of XXXX on"


def test_a_name_harvested_without_diacritics_is_found_with_them() -> None:
    assert vocabulary_of(name_tokens("Muller^Jurgen")).scrub("à Müller, Jürgen!") == "à XXXX!"


def test_a_name_as_long_as_a_damaged_file_makes_it_is_read_through_once() -> None:
    assert Token("a" * 400_000, Kind.NAME) in name_tokens("a" * 400_000)  # hours, where each letter begins anew


def test_ideographs_are_masked_without_word_boundaries() -> None:
    scrubbed = vocabulary_of(name_tokens("Yamada^Tarou=山田^太郎=やまだ^たろう")).scrub("患者山田太郎様")
    assert "山田" not in scrubbed
    assert scrubbed.startswith("患者")


@pytest.mark.parametrize(
    "text",
    [
        "1951-08-23",
        "19510823",
        "23.08.1951",
        "8/23/1951",
        "23 Aug 1951",
        "August 23, 1951",
        "IM19510823093517",
        "23081951",
    ],
)
def test_dates_are_masked_as_people_write_them(text: str) -> None:
    assert "1951" not in vocabulary_of(date_tokens("19510823")).scrub(text)


@pytest.mark.parametrize("text", ["1951", "123.08.19512", "23", "19510824"])
def test_other_numbers_are_no_dates(text: str) -> None:
    assert vocabulary_of(date_tokens("19510823")).scrub(text) == text


@pytest.mark.parametrize("value", ["", "1951", "19511340", "19000101", "19000101000000"])
def test_partial_invalid_and_dummy_dates_are_not_searched(value: str) -> None:
    assert date_tokens(value) == set()


@pytest.mark.parametrize("text", ["QF-7391586", "qf7391586", "7391586", "acc 7391586/2", "QF 7391586"])
def test_identifiers_are_masked_with_and_without_their_separators(text: str) -> None:
    assert "7391586" not in vocabulary_of(identifier_tokens("QF-7391586")).scrub(text)


def test_addresses_are_masked_whole_and_by_their_distinctive_words() -> None:
    scrub = vocabulary_of(place_tokens("47 Bramblethwaite Lane, Nethercombe")).scrub
    assert scrub("at Nethercombe, bramblethwaite") == "at XXXX, XXXX"
    assert scrub("Lane change") == "Lane change"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Head^Mary", "HEAD"),
        ("Axial^Jo", "AXIAL T2"),
        ("Prisma^Jo", "MAGNETOM Prisma"),
        ("Li^Wu", "Lipid Liver"),
        ("Lee^Wu", "asleep"),
        ("White^Jo", "white matter"),
    ],
)
def test_short_and_common_words_are_left_alone(name: str, text: str) -> None:
    assert vocabulary_of(name_tokens(name)).scrub(text) == text


def test_a_common_word_is_still_masked_where_the_whole_name_stands() -> None:
    vocabulary = vocabulary_of(name_tokens("Head^Mary"))
    assert vocabulary.scrub("Head, Mary: head") == "XXXX: head"
    assert vocabulary.left_out >= 1


def test_a_short_name_is_masked_as_a_word() -> None:
    assert vocabulary_of(name_tokens("Lee^Wu")).scrub("for LEE.") == "for XXX."


def test_numbers_of_fewer_than_four_digits_and_years_are_left_alone() -> None:
    vocabulary = vocabulary_of(identifier_tokens("123"), identifier_tokens("2024"))
    assert vocabulary.scrub("123 in 2024") == "123 in 2024"


def test_a_short_number_is_masked_in_text_but_not_looked_for_in_numbers() -> None:
    vocabulary = vocabulary_of(identifier_tokens("51204"))
    assert vocabulary.scrub("no. 51204") == "no. XXXX"
    assert vocabulary.scrub("151204") == "151204"
    assert vocabulary.scrub("51204", Scope.NUMBER) == "51204"


def test_a_stations_name_that_repeats_the_model_is_no_identity() -> None:
    station = identifier_tokens("ELLIPSOID", Kind.DEVICE)
    assert vocabulary_of(station, equipment=frozenset({"ellipsoid"})).scrub("Ellipsoid") == "Ellipsoid"
    assert vocabulary_of(station).scrub("Ellipsoid") == "XXXX"


def test_uids_are_masked_whole_and_not_as_a_part_of_others() -> None:
    vocabulary = vocabulary_of(uid_tokens("1.2.3.77"))
    assert vocabulary.scrub("study 1.2.3.77.") == "study XXXX."
    assert vocabulary.scrub("1.2.3.77.5 and 1.2.3.771") == "1.2.3.77.5 and 1.2.3.771"
    assert uid_tokens("1.2.840.10008.5.1.4.1.1.4") == set()


@settings(max_examples=60, deadline=None)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_long_token_survives_whatever_stands_around_it(before: str, after: str) -> None:
    vocabulary = vocabulary_of(name_tokens("Quillfeather^Ambrosia"))
    scrubbed = vocabulary.scrub(f"{before}Quillfeather{after}")
    assert "quillfeather" not in fold(scrubbed)
    assert not vocabulary.hits(scrubbed)
    assert vocabulary.scrub(scrubbed) == scrubbed


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30))
def test_folding_knows_where_every_character_came_from(text: str) -> None:
    folded, positions = fold_with_positions(text)
    assert folded == fold(text)
    assert len(positions) == len(folded)
    assert positions == sorted(positions)


def test_an_empty_vocabulary_changes_nothing() -> None:
    assert Vocabulary().scrub("Anything") == "Anything"
    assert vocabulary_of(set()).scrub("Anything") == "Anything"
    assert not Vocabulary().hits("Anything")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Long^Mary", "Long axis, 4 chamber"),
        ("Hand^May", "HAND right, may 2"),
        ("May^June", "Delayed phase in May"),
        ("Bright^Jo", "GE BrightSpeed 16"),
        ("Strong^Al", "strong uptake"),
        ("Right^Anna", "RIGHT knee, sag"),
        ("Philips^Anna", "PHILIPS Achieva"),
    ],
)
def test_names_that_are_words_of_radiology_leave_its_words_alone(name: str, text: str) -> None:
    assert vocabulary_of(name_tokens(name)).scrub(text) == text


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("Hand^May", "Pat. Hand, May: hand", "XXXX: hand"),
        ("Long^Mary", "Long^Mary, long axis", "XXXX, long axis"),
        ("Hand^May", "seen by Mr. Hand today", "seen by XXXX today"),
        ("Hand^May", "Patient: Hand, left hand", "XXXX, left hand"),
        ("Long^Mary", "M. Long, long axis", "XXXX, long axis"),
        ("Hand^May", "MR HAND left", "MR HAND left"),
    ],
)
def test_they_still_go_where_they_stand_as_names(name: str, text: str, wanted: str) -> None:
    assert vocabulary_of(name_tokens(name)).scrub(text) == wanted


@pytest.mark.parametrize("text", ["Müller", "MUELLER", "Muller", "müller,jürgen", "Juergen"])
@pytest.mark.parametrize("name", ["Müller^Jürgen", "Mueller^Juergen", "Muller^Jurgen"])
def test_umlauts_are_found_however_either_side_writes_them(name: str, text: str) -> None:
    written_out = "ue" in text.lower() and "Muller" in name
    assert ("XXX" in vocabulary_of(name_tokens(name)).scrub(text)) is not written_out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Иванова^Людмила", "patient Ivanova"),
        ("Παπαδοπουλου^Ελενη", "Papadopoyloy"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ヤマダ"),
        ("Yamada^Tarou=山田^太郎=ヤマダ^タロウ", "やまだ ﾔﾏﾀﾞ"),
        ("Quillfeather^A", "Ｑｕｉｌｌｆｅａｔｈｅｒ"),
    ],
)
def test_names_are_found_in_another_script(name: str, text: str) -> None:
    scrubbed = vocabulary_of(name_tokens(name)).scrub(text)
    assert scrubbed != text
    assert not set(scrubbed.removeprefix("patient ")) - set("X ")


@pytest.mark.parametrize(
    "text",
    [
        *("0555-0184927", "0555 0184927", "(0555) 018-4927", "+49 555 0184927", "0049 555 018 49 27", "05550184927"),
        *("0555/0184927", "tel:+49-555-018-4927"),
    ],
)
def test_telephone_numbers_are_found_however_their_digits_are_grouped(text: str) -> None:
    scrubbed = vocabulary_of(identifier_tokens("0555-0184927")).scrub(f"call {text} now")
    assert "4927" not in scrubbed.replace(" ", "").replace("-", "")


def test_numbers_that_stand_side_by_side_are_no_telephone_number() -> None:
    scrub = vocabulary_of(identifier_tokens("0555-0184927")).scrub
    for text in ("512 512 16 1.5", "0556 0184928", "b 0 555 1000"):
        assert scrub(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("23rd of August 1951", "Aug. 23rd, 1951", "23. August 1951", "23 août 1951", "23 de agosto de 1951"),
        *("1951年8月23日", "23.08.51", "8/23/51", "51-08-23", "23-AUG-51", "1951/8/23", "23_08_1951", "1951 Aug 23"),
    ],
)
def test_dates_are_found_in_words_of_several_languages_and_with_short_years(text: str) -> None:
    scrubbed = vocabulary_of(date_tokens("19510823")).scrub(f"born {text}, well")
    assert scrubbed == "born XXXX, well"


@pytest.mark.parametrize("text", ["23.08.52", "1.5.10", "24 Aug 1951", "August 1951", "v23.8.1", "1951.08.230"])
def test_other_dates_and_versions_stay(text: str) -> None:
    assert vocabulary_of(date_tokens("19510823")).scrub(text) == text


def test_a_vocabulary_travels_to_another_process_and_finds_the_same() -> None:
    one = vocabulary_of(name_tokens("Quillfeather^Ambrosia"), date_tokens("19510823"))
    other = pickle.loads(pickle.dumps(one))  # noqa: S301  # our own bytes
    assert other.scrub("Ambrosia, 23.8.1951") == one.scrub("Ambrosia, 23.8.1951") == "XXXX, XXXX"


def of_patient(name: str, *groups: set[Token]) -> Vocabulary:
    return vocabulary_of(name_tokens(name), surname_tokens(name), *groups)


@pytest.mark.parametrize("name", ["Smith^John", "Brown^Rose", "King^Linda", "Young^Amanda"])
@pytest.mark.parametrize(
    "text",
    [
        *("{F} CHEST", "Mr {f}", "Mr. {f}", "Ms {f}", "Mrs {f}", "Patient {f}", "{F} {g}", "{f}, {g}", "{g} {f}"),
        *("{f} {g}.", "{f}'s CT", "Dr. {f}", "pt {f}", "Hr. {f}", "{f} 81y M", "T1_{F}_2", "seen ({f})", "patient {l}"),
    ],
)
def test_a_patients_common_surname_is_masked_wherever_it_is_written_as_a_name(name: str, text: str) -> None:
    family, given = name.split("^")
    written = text.format(f=family, F=family.upper(), g=given[0], l=family.lower())
    vocabulary = of_patient(name)
    scrubbed = vocabulary.scrub(written)
    assert family.lower() not in scrubbed.lower()
    assert vocabulary.hits(written)
    assert not vocabulary.hits(scrubbed)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("Brown^Rose", "brown fat, brown nevus"), ("Brown^Rose", "Brown fat"), ("White^Jo", "WHITE MATTER lesion")),
        *(
            ("Young^Amanda", "young adult"),
            ("Hill^Rose", "Hill-Sachs lesion; Rose Bengal"),
            ("Green^Art", "Art. carotis"),
            ("Li^Wei", "LI-RADS 3, lithium"),
            ("He^An", "He has an effusion"),
        ),
        *(("Head^Mary", "HEAD, Head and neck"), ("Prisma^Jo", "MAGNETOM Prisma"), ("Hand^May", "MR HAND left")),
        *(("De La Cruz^Ana", "La pelvis. De la aorta"), ("Bright^Jo", "GE BrightSpeed 16")),
    ],
)
def test_terms_and_lower_case_words_that_are_surnames_too_stay(name: str, text: str) -> None:
    assert of_patient(name).scrub(text) == text


def test_in_capitals_a_colour_before_a_tissue_is_taken_for_the_patient_of_that_name() -> None:
    assert of_patient("Brown^Rose").scrub("BROWN FAT") == "XXXX FAT"


@pytest.mark.parametrize(
    "text", ["Mr Li", "patient Li complained", "W. Li", "Li was seen", "Li Wei", "LI, WEI", "wei li"]
)
def test_names_of_two_letters_are_masked_as_names(text: str) -> None:
    assert "li" not in of_patient("Li^Wei").scrub(text).lower()


def test_a_technical_word_is_a_name_after_a_form_of_address() -> None:
    assert of_patient("Hand^May").scrub("Mr Hand: hand") == "XXXX: hand"


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [
        ("Novotnaya^Ida", "Klinikum rechts der Isar, Bettenhaus links", "Knie rechts pd_tse, links"),
        ("Izquierdo^Droit", "", "Tobillo izquierdo axial; genou droit"),
        ("Colon^Femur", "", "Colon structure; CT Colon; femur"),
        ("Novotnik^Ida", "Institut du Thorax et du Coeur", "angio Thorax coeur"),
        ("Fat^Sat", "", "T1 fat sat"),
        ("Tse^Haste", "", "haste cor tse; HASTE TSE"),
        ("Cor^Tra", "", "T2 FLAIR COR TRA"),
        ("Crohn^Ann", "", "Crohn disease; Crohn's disease, crohn"),
        ("Hodgkin^Ann", "", "Hodgkin lymphoma"),
    ],
)
def test_anatomy_lateralities_protocols_and_diseases_stay_in_any_language(name: str, place: str, text: str) -> None:
    assert of_patient(name, place_tokens(place)).scrub(text) == text


@pytest.mark.parametrize(
    ("name", "text"), [("Fat^Sat", "Fat, Sat"), ("Crohn^Ann", "Crohn, seen today"), ("Hand^May", "Hand May")]
)
def test_the_same_words_go_where_they_are_a_name(name: str, text: str) -> None:
    assert of_patient(name).scrub(text).startswith("XXXX")


@pytest.mark.parametrize("identifier", ["1000", "1500", "0050", "50000"])
def test_an_identifier_of_few_digits_is_masked_after_a_label_alone(identifier: str) -> None:
    vocabulary = vocabulary_of(identifier_tokens(identifier))
    for text in (
        f"DWI b{identifier}",
        f"TE {identifier}",
        f"ep_b{identifier}t",
        f"{identifier} ml",
        f"0 500 {identifier}",
    ):
        assert vocabulary.scrub(text) == text
        assert not vocabulary.hits(text)
    for label in ("ID", "Nr.", "MRN:", "Patient", "acc #", "PID="):
        assert vocabulary.scrub(f"{label} {identifier}, left") == f"{label} XXXX, left"


def test_a_number_of_five_digits_is_masked_where_it_is_the_whole_value() -> None:
    assert vocabulary_of(identifier_tokens("51204")).scrub("51204 ") == "XXXX "


def test_numbers_are_compared_whole() -> None:
    vocabulary = vocabulary_of(identifier_tokens("70312500"))
    assert vocabulary.holds_number(b"1\\70312500 ")
    assert not vocabulary.holds_number(b"0.70312500\\0.70312500")
    assert not vocabulary.holds_number(b"170312500")


@pytest.mark.parametrize(
    "text",
    [
        *("3.II.1950", "3/II/1950", "3 lutego 1950", "500203", "3. února 1950", "3 şubat 1950", "3 февраля 1950"),
        *("3 februari 1950", "3 februarie 1950", "3 Φεβρουαρίου 1950", "1950年2月3日"),
    ],
)
def test_dates_are_found_in_roman_months_more_languages_and_six_digits(text: str) -> None:
    assert vocabulary_of(date_tokens("19500203")).scrub(f"b. {text}, well") == "b. XXXX, well"


@pytest.mark.parametrize("text", ["500204", "1500203", "0.500203", "T1 II 1951", "4.II.1950"])
def test_six_digits_and_roman_numbers_are_dates_only_where_they_are_the_patients(text: str) -> None:
    assert vocabulary_of(date_tokens("19500203")).scrub(text) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("Quintavalle^Bo", "Quinta-valle"), ("Quintavalle^Bo", "Quin tavalle"), ("Tveitaskog^Bo", "tveita-\nskog")),
        *(("Tveitaskog^Bo", "T V E I T A S K O G"), ("Hong^Gildong", "Gil-dong"), ("Hong^Gildong", "GIL DONG")),
        *(
            ("mcDonaldson^ian", "MacDonaldson"),
            ("McDonaldson^Ian", "Mc Donaldson"),
            ("McDonaldson^Ian", "Donaldson"),
            ("MacDonaldson^Ian", "McDonaldson"),
        ),
        *(("O'Shaughnessy^Sio", "OShaughnessy"), ("عبدالرحمن^ل", "عبد الرحمن")),
    ],
)
def test_names_are_found_broken_and_with_other_prefixes(name: str, text: str) -> None:
    vocabulary = vocabulary_of(name_tokens(name))
    assert vocabulary.scrub(f"for {text}, CT") == "for XXXX, CT"
    assert vocabulary.hits(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Armand^Bo", "arm and leg"),
        ("Handler^Bo", "hand lerx"),
        ("Anderson^Bo", "and erson"),
        ("Goodman^Bo", "good man"),
    ],
)
def test_words_side_by_side_are_no_broken_name(name: str, text: str) -> None:
    assert vocabulary_of(name_tokens(name)).scrub(text) == text


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("Gross^Hans", "Gross Tumor Volume, gross total resection", None),
        ("Gross^Hans", "GROSS CHEST of Gross", "XXXX CHEST of XXXX"),
        ("Jones^Al", "Jones fracture", None),
        ("Bennett^Jo", "Bennett's fracture; BENNETT FRACTURE", None),
        ("Bennett^Jo", "bennett chest, Bennett", "XXXX chest, XXXX"),
        ("Evans^Al", "Evans index 0.31", None),
        ("Gleason^Ed", "Gleason 3+4, Gleason score 7", None),
        ("Bosniak^Jo", "Bosniak IIF", None),
        ("Cobb^Ty", "Cobb angle 32", None),
        ("Hunter^Jo", "canal of Hunter", None),
        ("Monro^Al", "foramen of Monro, scan of Monro", "foramen of Monro, scan of XXXX"),
    ],
)
def test_terms_that_begin_with_the_patients_own_name_stay(name: str, text: str, wanted: str | None) -> None:
    vocabulary = Vocabulary.of(name_tokens(name) | surname_tokens(name))
    assert re.sub("X+", "XXXX", vocabulary.scrub(text)) == (wanted or text)
    assert vocabulary.hits(text) is bool(wanted)


def test_a_name_that_was_typed_into_a_field_of_numbers_spoils_no_term_either() -> None:
    vocabulary = Vocabulary.of(name_tokens("Morton^Alvar") | identifier_tokens("MORTON A"))
    assert vocabulary.scrub("Morton neuroma of Morton") == "Morton neuroma of XXXX"


@pytest.mark.parametrize(
    ("number", "text", "left"),
    [
        ("10000", "b-value 0.00010000 and 0.010000", "b-value 0.00010000 and 0.010000"),
        ("10000", "b-value 1.00010000", "b-value 1.XXXX"),
        ("0012345", "3.0012345 MRN, 12.0012345", "3.XXXX MRN, 12.XXXX"),
        ("10000", "slope 0.00010000.", "slope 0.00010000."),
        ("10000", "00010000", "XXXX"),
        ("10000", "MRN 00010000, seen", "MRN XXXX, seen"),
        ("0301234567", "call 030.1234567", "call XXXX"),
        ("88441177", "0.88441177", "0.XXXX"),
    ],
)
def test_a_number_filled_up_with_zeros_is_none_behind_a_decimal_point(number: str, text: str, left: str) -> None:
    assert Vocabulary.of(identifier_tokens(number)).scrub(text) == left


@pytest.mark.parametrize("text", ["2.05071960 born", "0.05071960 born", "12.07051960"])
def test_a_birth_date_behind_a_point_is_no_part_of_a_number(tmp_path: Path, text: str) -> None:
    vocabulary = Vocabulary.of(date_tokens("19600705"))
    assert vocabulary.hits(text)
    assert "1960" not in vocabulary.scrub(text)
    path = an_image(tmp_path, AcquisitionContextDescription=text)
    assert "(0040,0556)" in {hit.attribute for hit in find(path, vocabulary.tokens)}


@pytest.mark.parametrize("text", ["3.0012345 MRN", "12.0012345"])
def test_the_verifier_sees_a_record_number_with_zeros_behind_a_point_too(tmp_path: Path, text: str) -> None:
    path = an_image(tmp_path, AcquisitionContextDescription=text)
    assert "(0040,0556)" in {hit.attribute for hit in find(path, frozenset(identifier_tokens("0012345")))}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Fractureau^Ann", "FRACTURE of the rib"),
        ("Lesionsky^Ann", "no lesion, lesions"),
        ("Stucki^Ann", "tube stuck in the nose"),
        ("Calcificati^Ann", "calcification"),
        ("Thrombosini^Ann", "THROMBOSIS of a vein"),
        ("Hepati^Ann", "hepatitis, Hepatic"),
    ],
)
def test_clinical_words_with_which_a_name_begins_stay(name: str, text: str) -> None:
    assert Vocabulary.of(name_tokens(name)).scrub(text) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Fractureau^Ann", "scan of FRACTUREA KNEE"),
        ("Stucki^Ann", "pt Stucki"),
        ("Thrombosini^Ann", "Thrombosini"),
        ("วงศ์สกุล^มาลี", "ของ วงศ์สกุล"),
    ],
)
def test_and_the_names_do_not(name: str, text: str) -> None:
    assert "XXXX" in Vocabulary.of(name_tokens(name)).scrub(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("seen at May Dialysis", "seen at XXXX"),
        ("MAY DIALYSIS 2", "XXXX 2"),
        ("may dialysis be resumed?", "may dialysis be resumed?"),
        ("Dialysis in May", "Dialysis in May"),
    ],
)
def test_a_department_called_after_a_month_is_masked_where_it_is_written_as_a_name(text: str, left: str) -> None:
    assert Vocabulary.of(place_tokens("May Dialysis")).scrub(text) == left
    assert "XXXX" in Vocabulary.of(place_tokens("Lane Trauma Center")).scrub("to Lane Trauma Center")


THAI = Vocabulary.of(date_tokens("19520317"))


@pytest.mark.parametrize(
    "text",
    [
        *("17/03/2495", "17-3-2495", "24950317", "2495-03-17", "17 Mar 2495", "17/03/95", "๑๗/๐๓/๒๔๙๕"),
        *(
            "17 มีนาคม 2495",
            "17 มีนาคม พ.ศ. 2495",
            "๑๗ มีนาคม พ.ศ. ๒๔๙๕",
            "17 มี.ค. 95",
            "17 March B.E. 2495",
            "17 มีนาคม 1952",
        ),
    ],
)
def test_dates_are_found_by_the_buddhist_calendar(text: str) -> None:
    assert THAI.scrub(f"seen {text}, again") == "seen XXXX, again"
    assert Vocabulary.of(date_tokens("24950317")).scrub(f"seen {text}, again") == "seen XXXX, again"


def test_a_leap_day_of_the_buddhist_calendar_is_one() -> None:
    assert Vocabulary.of(date_tokens("24950229")).scrub("born 29.02.1952, 29/2/2495") == "born XXXX, XXXX"
