"""Identity that is encoded in text, or compressed within a value: found there, and by the verifier alone too."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.verify import find
from slicermedai.deid.vocabulary import Scope, Vocabulary, date_tokens, identifier_tokens, name_tokens
from Testing.deid.samples import KEY, an_image

WHO = {"PatientName": "Kowalczyk^Jan", "PatientID": "88441177", "PatientBirthDate": "19520317"}
VOCABULARY = Vocabulary.of(
    name_tokens("Kowalczyk^Jan") | identifier_tokens("88441177") | date_tokens("19520317") | name_tokens("Li^An")
)
OTHERS = Vocabulary.of(name_tokens("Thornbury^Leopold"))
TEXTS = Profile(frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_DEVICE_IDENTITY}))
PLATE = 0x00143080
"""Bad Pixel Image, which the table does not list."""


def coded(raw: bytes) -> str:
    """In base64."""
    return base64.b64encode(raw).decode("ascii")


def squeezed(raw: bytes) -> bytes:
    """By gzip, without the time of day."""
    return gzip.compress(raw, mtime=0)


def deflated(raw: bytes) -> bytes:
    """Without a header."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(raw) + packer.flush()


def zipped(raw: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), raw, compress_type=method)
    return made.getvalue()


ENCODED = [
    coded(b"Kowalczyk"),
    coded(b"KOWALCZYK^JAN").rstrip("="),
    base64.urlsafe_b64encode("Kowalczyk ÿ>?".encode()).decode(),
    f"=?UTF-8?B?{coded(b'Jan Kowalczyk')}?=",
    f"data:text/plain;base64,{coded(b'MRN 88441177')}",
    f"https://host.example/a/bc/{coded(b'Kowalczyk, Jan')}",
    coded("Kowalczyk".encode("utf-16-le")),
    coded("MRN: 88441177".encode("utf-16-be")),
    coded("Kowalczyk, Ärztin".encode("latin-1")),
    coded(b"born 17.03.1952 in town"),
    coded(coded(b"seen: Kowalczyk").encode()),
    coded(squeezed(b"seen: Kowalczyk")),
    coded(deflated(b"seen: Kowalczyk, seen: Kowalczyk")),
    coded(b"P 88441177"),
    coded(b"Li An"),
    coded(b"Report of Jan Kowalczyk\r\nof 1952"),
    coded(b"\xff\xd8\xff\xe0" + bytes(40)),
    b"Kowalczyk".hex(),
    "0x" + b"KOWALCZYK".hex().upper(),
    b"88441177".hex(),
    b"Kowalczyk".hex(" "),
]


@pytest.mark.parametrize("text", ENCODED)
@pytest.mark.parametrize("frame", ["{}", "exported as {} of today"])
def test_what_is_encoded_in_text_is_masked_and_what_stands_around_it_stays(text: str, frame: str) -> None:
    whole = frame.format(text)
    masked = VOCABULARY.scrub(whole)
    assert "XXXX" in masked
    assert text not in masked
    assert VOCABULARY.hits(whole)
    assert not VOCABULARY.hits(masked)
    assert (" of today" in masked) is (" of today" in whole)


@pytest.mark.parametrize("text", [text for text in ENCODED if text != coded(b"Li An")])
def test_the_verifier_sees_what_is_encoded_in_text(tmp_path: Path, text: str) -> None:
    path = an_image(tmp_path, AcquisitionContextDescription=f"exported as {text} of today")
    assert "(0040,0556)" in {hit.attribute for hit in find(path, VOCABULARY.tokens)}


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_ideographs_of_two_bytes_are_found_in_a_code_that_is_filled_up(codec: str) -> None:
    name = Vocabulary.of(name_tokens("Kosakabe^Yoshinobu=小坂部^義信"))
    assert name.scrub(f"id={coded('小坂部義信'.encode(codec))};") == "id=XXXX;"
    assert name.scrub("id=Y29sb3Vycw==;") == "id=Y29sb3Vycw==;"


_NAME = b"Kowalczyk, Jan *1952"
_PAIRS = [f"{byte:02x}" for byte in _NAME]
_LINES = [_NAME.hex()[n : n + 8] for n in range(0, 2 * len(_NAME), 8)]


_CODES = [
    *("\n".join(_LINES), "\r\n".join(_LINES), "\n\t  ".join(_LINES), " \n".join(_LINES)),
    *(separator.join(_PAIRS) for separator in ("\t", ",", ", ", "-", "  ", "\n", "\n    ")),
    ", ".join(f"0x{pair}" for pair in _PAIRS),
    " ".join(f"{pair}h" for pair in _PAIRS),
    "\n".join(_NAME.hex()[n : n + 7] for n in range(0, 2 * len(_NAME), 7)),
    *(base64.b32encode(_NAME).decode(), base64.b32encode(_NAME).decode().lower().rstrip("=")),
    base64.b32hexencode(_NAME).decode(),
    f"begin 644 a.txt\n{binascii.b2a_uu(_NAME).decode()}`\nend",
    base64.a85encode(_NAME, adobe=True).decode(),
]


@pytest.mark.parametrize("text", _CODES)
@pytest.mark.parametrize("frame", ["{}", "as exported: {} (raw)"])
def test_digits_apart_or_over_lines_and_other_codes_are_read_whole(text: str, frame: str) -> None:
    plain = frame.format(text)
    assert VOCABULARY.scrub(plain) == frame.format("XXXX")
    assert VOCABULARY.hits(plain)
    assert OTHERS.scrub(plain) == plain


@pytest.mark.parametrize("text", _CODES)
@pytest.mark.parametrize("frame", ["{}", "as exported: {} (raw)", "a bed 12: {} face"])
def test_the_verifier_reads_those_codes_by_itself(tmp_path: Path, text: str, frame: str) -> None:
    path = an_image(tmp_path, AcquisitionContextDescription=frame.format(text))
    assert "(0040,0556)" in {hit.attribute for hit in find(path, VOCABULARY.tokens)}
    assert "(0040,0556)" not in {hit.attribute for hit in find(path, OTHERS.tokens)}


def test_long_codes_are_read_to_their_end(tmp_path: Path) -> None:
    filling = np.random.default_rng(8).bytes(9000)
    for code in (base64.b32encode, lambda raw: base64.a85encode(raw, adobe=True), binascii.hexlify):
        text = code(filling + b" Kowalczyk, Jan *1952 " + filling[:40]).decode()
        path = an_image(tmp_path, TextValue=text)
        assert "(0040,A160)" in {hit.attribute for hit in find(path, VOCABULARY.tokens)}


def test_lists_of_numbers_long_words_and_codes_of_others_stay() -> None:
    words = "lymphadenopathy CARDIOMEDIASTINAL a bad face added, 12, 13, 14, 25, 36 and 2024-01-05 10-11"
    for text in (
        words,
        base64.b32encode(b"filtered by kernel 3").decode(),
        "<~no code at all~>",
        "begin 644 x\n~\nend",
    ):
        assert VOCABULARY.scrub(text) == text


def test_lines_of_mail_are_read_as_one() -> None:
    whole = coded(b"Report on Jan Kowalczyk of the second ward, first page")
    lines = "\r\n".join(whole[n : n + 16] for n in range(0, len(whole), 16))
    assert "XXXX" in VOCABULARY.scrub(lines)
    assert "Kowalczyk" not in base64.b64decode(VOCABULARY.scrub(lines).replace("XXXX", "") + "==").decode("latin-1")


@pytest.mark.parametrize("indent", ["    ", "\t", " \t "])
def test_indented_lines_as_in_xml_are_read_as_one_too(tmp_path: Path, indent: str) -> None:
    whole = coded(b"ward two: Kowalczyk")
    lines = f"<data>\r\n{indent}" + f"\r\n{indent}".join(whole[n : n + 8] for n in range(0, len(whole), 8))
    masked = VOCABULARY.scrub(f"{lines}\r\n</data>")
    assert masked == f"<data>\r\n{indent}XXXX\r\n</data>"
    assert VOCABULARY.hits(lines)
    path = an_image(tmp_path, AcquisitionContextDescription=lines)
    assert "(0040,0556)" in {hit.attribute for hit in find(path, VOCABULARY.tokens)}


@pytest.mark.parametrize(
    "text",
    [
        "Diagnostic CONTRAST_ENHANCED BrightSpeed AbdomenPelvisWithContrast",
        f"hash {'0123456789abcdef' * 4} of the model",
        coded(np.random.default_rng(3).bytes(600)),
        coded(b"a comment that names nobody at all"),
        "1.2.826.0.1.3680043.8.498.12345678901234567890123456789012",
    ],
)
def test_words_numbers_and_what_else_is_encoded_stay(text: str) -> None:
    assert VOCABULARY.scrub(text) == text


LETTER = b"Report on Jan Kowalczyk, born 17.03.1952 (88441177). " * 3
PACKED = {
    "gzip": squeezed(LETTER),
    "gzip between others": bytes(range(128, 150)) + squeezed(LETTER) + bytes(range(90, 120)),
    "zlib": zlib.compress(LETTER),
    "zlib with a small window": (lambda packer: packer.compress(LETTER) + packer.flush())(zlib.compressobj(9, 8, 9)),
    "deflate": deflated(LETTER),
    "zip": zipped(LETTER),
    "zip within gzip": squeezed(zipped(LETTER)),
    "bzip2": bz2.compress(LETTER),
    "zip with bzip2": zipped(LETTER, zipfile.ZIP_BZIP2),
    "base64": bytes(range(200, 220)) + base64.b64encode(LETTER) + bytes(3),
    "base64 of gzip": base64.b64encode(squeezed(LETTER)),
    "cut off": squeezed(np.random.default_rng(2).bytes(3000) + LETTER * 9)[:-8],
    "a document": b"%PDF-1.4 << /Filter /FlateDecode >> stream\n" + zlib.compress(LETTER) + b" endstream",
    "too much": squeezed(bytes(1 << 23)),
    "in one another": squeezed(squeezed(squeezed(squeezed(squeezed(squeezed(LETTER)))))),
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_a_value_with_identity_in_something_compressed_goes_and_the_verifier_sees_it(
    tmp_path: Path, name: str, vr: str
) -> None:
    path = an_image(tmp_path / "in", **WHO)
    dataset = dcmread(path)
    dataset.add_new(PLATE, vr, PACKED[name] + bytes(len(PACKED[name]) % 2))
    dataset.save_as(path)
    assert "(0014,3080)" in {hit.attribute for hit in find(path, VOCABULARY.tokens)}
    outcome = deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert outcome.files[0].refused == ""
    assert PLATE not in dcmread(tmp_path / "out" / "00001.dcm")


@pytest.mark.parametrize(
    "value",
    [
        squeezed(b"a table of numbers that names nobody, " * 20),
        zlib.compress(np.random.default_rng(4).bytes(5000)),
        np.random.default_rng(5).bytes(400_000),
        bytes(4096),
        zipped(b"calibration of the detector"),
    ],
    ids=["gzip", "zlib", "noise", "zeros", "zip"],
)
def test_what_is_compressed_and_names_nobody_stays(tmp_path: Path, value: bytes) -> None:
    path = an_image(tmp_path / "in", **WHO)
    dataset = dcmread(path)
    dataset.add_new(PLATE, "OB", value + bytes(len(value) % 2))
    dataset.save_as(path)
    outcome = deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert outcome.files[0].refused == ""
    assert dcmread(tmp_path / "out" / "00001.dcm")[PLATE].value.startswith(value)


@pytest.mark.parametrize("packed", [True, False])
def test_a_large_value_goes_where_something_compressed_begins_in_it(tmp_path: Path, *, packed: bool) -> None:
    path = an_image(tmp_path / "in", **WHO)
    dataset = dcmread(path)
    noise = np.random.default_rng(6).bytes(3 << 20)
    value = noise[: 1 << 20] + (squeezed(LETTER * 50 + noise[:4000]) if packed else b"") + noise[1 << 20 :]
    dataset.add_new(PLATE, "OB", value + bytes(len(value) % 2))
    dataset.save_as(path)
    outcome = deidentify_all([path], tmp_path / "out", DeidSettings(profile=TEXTS, key=KEY))
    assert outcome.files[0].refused == ""
    assert (PLATE in dcmread(tmp_path / "out" / "00001.dcm")) is not packed


def test_something_that_holds_itself_comes_to_an_end() -> None:
    raw = b"seen today"
    for _ in range(60):
        raw = squeezed(raw)
    assert VOCABULARY.hides(raw)
    assert VOCABULARY.hits_bytes(LETTER, Scope.BINARY)
