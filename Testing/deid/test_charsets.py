"""Character sets: what is read, masked and written again is what pydicom reads, and the rest keeps its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, encode_string

from slicermedai.deid.charsets import charset_of
from slicermedai.errors import UnreadableFileError

_SETS = [
    ("ISO_IR 100", "Müller, Zoë: ümlaut"),
    ("ISO_IR 101", "Dvořák a Łukasz"),
    ("ISO_IR 144", "снимок Иванова"),
    ("ISO_IR 126", "Παπαδόπουλος"),
    ("ISO_IR 138", "שלום דוד"),
    ("ISO_IR 166", "สมชาย"),
    ("ISO_IR 192", "患者 山田太郎 Żaneta 😀"),
    ("GB18030", "病人 王小东 \\ xiaodong"),
    ("GBK", "病人 王小东"),
    ("\\ISO 2022 IR 87", "患者 山田太郎 さん Yamada"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ 山田 x"),
    ("\\ISO 2022 IR 149", "김 홍길동 gildong"),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", "é Иванова ö"),
]
NAMES = ("山田太郎", "홍길동", "Иванова", "王小东", "Müller", "Dvořák", "山田", "丂")


def with_pydicom(raw: bytes, value: str) -> str:
    return decode_bytes(raw, convert_encodings(value.split("\\")), set("\\"))


@pytest.mark.parametrize(("value", "text"), _SETS, ids=[value for value, _ in _SETS])
def test_text_is_read_as_pydicom_writes_it(value: str, text: str) -> None:
    assert charset_of(value).decode(encode_string(text, convert_encodings(value.split("\\")))) == text


@pytest.mark.parametrize(("value", "text"), _SETS, ids=[value for value, _ in _SETS])
def test_what_is_masked_is_gone_and_the_rest_is_read_by_pydicom_as_before(value: str, text: str) -> None:
    def mask(found: str) -> str:
        for name in NAMES:
            found = found.replace(name, "XXXX"[: len(name)])
        return found

    raw = encode_string(text, convert_encodings(value.split("\\")))
    assert with_pydicom(charset_of(value).edited(raw, mask), value) == mask(text)


@pytest.mark.parametrize("value", [value for value, _ in _SETS])
@settings(max_examples=40, deadline=None)
@given(raw=st.binary(max_size=40))
def test_bytes_that_nobody_edits_stay_even_where_they_are_invalid(value: str, raw: bytes) -> None:
    assert charset_of(value).edited(raw, lambda text: text) is raw


@pytest.mark.parametrize("value", ["ISO_IR 192", "ISO_IR 100", "GB18030", "\\ISO 2022 IR 149"])
@settings(max_examples=40, deadline=None)
@given(before=st.binary(max_size=12), after=st.binary(max_size=12))
def test_an_edit_in_the_middle_of_invalid_bytes_removes_what_it_should(value: str, before: bytes, after: bytes) -> None:
    raw = before + b" Quillfeather " + after
    edited = charset_of(value).edited(raw, lambda text: text.replace("Quillfeather", "XXXX"))
    assert b"Quillfeather" not in edited


def test_supplementary_kanji_are_read_and_masked() -> None:
    raw = b"x \x1b$(D0!0!\x1b(B y"  # pydicom writes none of these
    found = charset_of("\\ISO 2022 IR 159")
    assert found.decode(raw) == "x 丂丂 y"
    assert found.edited(raw, lambda text: text.replace("丂丂", "XX")) == b"x XX y"


@pytest.mark.parametrize("value", ["ISO-IR 192", "ISO_IR_192", "iso_ir 192", "ISO IR 192 "])
def test_common_misspellings_are_understood(value: str) -> None:
    assert charset_of(value) == charset_of("ISO_IR 192")


@pytest.mark.parametrize("value", ["ISO_IR 999", "KLINGON", "ISO_IR 100\\NONE"])
def test_an_unknown_character_set_is_refused_by_name(value: str) -> None:
    with pytest.raises(UnreadableFileError, match="not known") as refused:
        charset_of(value)
    assert refused.value.attribute == "SpecificCharacterSet"


def test_sets_of_two_bytes_end_before_a_delimiter() -> None:
    raw = encode_string("山田\\太郎 x", convert_encodings(["", "ISO 2022 IR 87"]))
    edited = charset_of("\\ISO 2022 IR 87").edited(raw, lambda text: text.replace("x", "X"))
    assert edited == raw.replace(b"x", b"X")


def test_latin_1_that_is_called_utf_8_is_read_as_what_it_is_and_stays_as_it_is() -> None:
    utf, raw = charset_of("ISO_IR 192"), "Höfer Bjørn, 山本".encode("latin-1", "ignore") + "山本".encode()
    assert utf.decode(raw) == "Höfer Bjørn, 山本"
    assert utf.edited(raw, lambda text: text) is raw
    assert utf.edited(raw, lambda text: text.replace("Bjørn", "X")).decode("utf-8") == "Höfer X, 山本"


@pytest.mark.parametrize(
    "value", ["ISO_IR 192", "ISO_IR 126", "GB18030", "\\ISO 2022 IR 87", "ISO_IR 13", "ISO_IR 166"]
)
def test_bytes_that_mean_nothing_become_text_that_can_be_written_in_any_encoding(value: str) -> None:
    text = charset_of(value).decode(bytes(range(128, 256)) + b"\x1b$B\xff\xfe")
    assert text.encode("utf-16-le")
