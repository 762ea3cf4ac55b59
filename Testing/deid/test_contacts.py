"""Telephone numbers and addresses are found as people write them, whichever way the header does."""

from __future__ import annotations

import re

import pytest

from slicermedai.deid.charsets import charset_of
from slicermedai.deid.contacts import telephone_tokens
from slicermedai.deid.dictionary import tag_of
from slicermedai.deid.harvest import Harvest
from slicermedai.deid.names import place_tokens
from slicermedai.deid.table import load_table
from slicermedai.deid.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("+49 6851 555 0173", "0049 6851 5550173"),
        ("+49 6851 555 0173", "(06851) 555-0173"),
        ("+49 6851 555 0173", "06851-555 01 73"),
        ("+49 (0)6851 555 0173", "06851/5550173"),
        ("0049 6851 5550173", "06851 555 0173"),
        ("+33 6 12 34 56 78", "06 12 34 56 78"),
        ("+33 6 12 34 56 78", "06.12.34.56.78"),
        ("+33612345678", "06-12-34-56-78"),
        ("+352 621 123 456", "621-123-456"),
        ("0151/23456789", "+49 (0)151 234 567 89"),
        ("020 7946 0958", "+44 20 7946 0958"),
        ("020 7946 0958", "7946 0958"),
        ("212-555-0187", "555-0187"),
        ("1-212-555-0187", "(212) 555 0187"),
        ("home 212-555-0187; work 303-555-0142", "303 5550142"),
    ],
)
def test_a_number_is_found_with_and_without_country_and_area(header: str, text: str) -> None:
    scrubbed = Vocabulary.of(telephone_tokens(header)).scrub(f"call {text} tonight")
    assert re.fullmatch(r"call [+(0-9) ]{0,7}XXXX tonight", scrubbed)


@pytest.mark.parametrize("text", ["b 1000 TR 2000 TE 30", "512 x 512 x 200", "0.612345", "slice 78 of 123"])
def test_what_was_measured_is_no_telephone_number(text: str) -> None:
    assert Vocabulary.of(telephone_tokens("+33 6 12 34 56 78")).scrub(text) == text


@pytest.mark.parametrize("header", ["", "none", "ext. 12", "+", "00", "+4", "()"])
def test_a_field_without_a_number_says_none(header: str) -> None:
    assert Vocabulary.of(telephone_tokens(header)).scrub("T1 512 12 00 KVP 120") == "T1 512 12 00 KVP 120"


@pytest.mark.parametrize(
    ("header", "text", "wanted"),
    [
        ("Kastanienstraße 12, 55218 Ingelheim", "wohnt Kastanienstr. 12", "wohnt XXXX. 12"),
        ("Kastanienstrasse 12", "KASTANIEN-STR.12", "XXXX.12"),
        ("Kastanienstraße 12", "Kastanien Str. 12", "XXXX. 12"),
        ("Kastanienstr. 12", "Kastanienstraße 12", "XXXXaße 12"),
        ("Mirabellenweg 12", "Mirabellenw. 12", "XXXX 12"),
        ("Kastanienplatz 1", "Kastanienpl. 1", "XXXX 1"),
        ("Kastanjestraat 9", "Kastanjestr. 9", "XXXX. 9"),
        ("Kastanjegatan 9", "Kastanjeg. 9", "XXXX 9"),
        ("ul. Truskawkowa 15", "na Truskawkowej 15", "na XXXXej 15"),
        ("12 Bramblewood Street, Harrogate HG1 2AB", "HG12AB", "XXXX"),
        ("12 Bramblewood Street, Harrogate HG12AB", "hg1-2ab", "XXXX"),
        ("24 Maple Dr, Ottawa ON K1A 0B1", "k1a0b1", "XXXX"),
        ("Tulpenlaan 3, 1234 AB Delft", "1234AB", "XXXX"),
        ("Truskawkowa 15, 31-234 Kraków", "31-234, 31234", "XXXX, XXXX"),
        ("1-2-3 Ginza, 104-0061", "1040061", "XXXX"),
    ],
)
def test_an_address_is_found_as_it_is_abbreviated(header: str, text: str, wanted: str) -> None:
    assert Vocabulary.of(place_tokens(header)).scrub(text) == wanted


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Kastanienstraße 12", "str. right, strong lateral stress"),
        ("Mirabellenweg 12", "T1w and T2w. 12 slices"),
        ("Suite 100, 12 Main Street", "TE 100 12 echoes, 10012 ms"),
        ("Room 3T1 4MR", "3T 1.5 mm"),
    ],
)
def test_parts_of_an_address_are_no_words_of_protocols(header: str, text: str) -> None:
    assert Vocabulary.of(place_tokens(header)).scrub(text) == text


def test_the_telephone_number_of_a_header_is_found_in_every_form() -> None:
    harvest = Harvest(load_table())
    harvest.add(tag_of("PatientTelephoneNumbers"), "SH", b"+33 6 12 34 56 78", charset_of(""), ())
    assert harvest.vocabulary().scrub("06 12 34 56 78") == "XXXX"
