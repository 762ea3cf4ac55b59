"""Text that is hard to read: turned, mirrored, faint, in bitmaps, and in scripts that the reader does not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.deid.pixels.clean import clean
from slicermedai.deid.pixels.decisions import with_decisions
from slicermedai.deid.pixels.inspect import inspect
from slicermedai.deid.pixels.kinds import Search, TextClass
from slicermedai.deid.pixels.ocr import Line, Ocr
from slicermedai.deid.pixels.review import write_review
from Testing.deid.pixels.pictures import VOCABULARY, Text, a_file, speckle, strange_script, tissue, written_on

NAME_ONLY = [Text(12, 12, "QUILLFEATHER"), Text(12, 40, "7391586")]


def turned(ways: str) -> np.ndarray:
    picture = written_on(tissue((90, 260)), NAME_ONLY, size=18)
    return np.ascontiguousarray({"upside down": np.rot90(picture, 2), "mirrored": picture[:, ::-1]}[ways])


@pytest.mark.parametrize("ways", ["upside down", "mirrored"])
def test_a_name_that_stands_upside_down_or_mirrored_is_taken_out(ways: str, ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", turned(ways))
    verdict = inspect(source, VOCABULARY, ocr)
    assert {box.kind for box in verdict.removed} == {TextClass.IDENTITY}
    assert verdict.searched
    assert clean(source, verdict, VOCABULARY, ocr) is not None


def test_a_name_in_greys_that_hardly_differ_is_taken_out(ocr: Ocr, tmp_path: Path) -> None:
    faint = written_on(np.full((90, 260), 100, np.uint8), NAME_ONLY, size=18, ink=104)
    verdict = inspect(a_file(tmp_path / "image.dcm", faint), VOCABULARY, ocr)
    assert {box.kind for box in verdict.removed} == {TextClass.IDENTITY}


def a_bitmap(path: Path, picture: np.ndarray, **attributes: object) -> Path:
    dataset = dcmread(a_file(path, picture, **attributes))
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = np.packbits(picture > 128, bitorder="little").tobytes()
    dataset.save_as(path)
    return path


def test_a_name_in_a_bitmap_is_taken_out_and_the_rest_of_its_bits_stay(ocr: Ocr, tmp_path: Path) -> None:
    page = written_on(np.zeros((120, 264), np.uint8), NAME_ONLY, size=18)
    page[90:, ::3] = 255
    source = a_bitmap(tmp_path / "image.dcm", page, SOPClassUID="1.2.840.10008.5.1.4.1.1.7.1")
    verdict = inspect(source, VOCABULARY, ocr)
    pixels = clean(source, verdict, VOCABULARY, ocr)
    assert pixels is not None
    left = np.unpackbits(np.frombuffer(b"".join(pixels.chunks()), np.uint8), bitorder="little").reshape(page.shape)
    assert not left[:60].any()
    assert np.array_equal(left[90:], page[90:] > 128)


def test_the_masks_of_a_segmentation_are_not_taken_for_letters(ocr: Ocr, tmp_path: Path) -> None:
    page = written_on(np.zeros((120, 264), np.uint8), NAME_ONLY, size=18)
    source = a_bitmap(tmp_path / "image.dcm", page, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4")
    verdict = inspect(source, VOCABULARY, ocr)
    assert (verdict.search, verdict.boxes, verdict.searched) == (Search.SCREENED, (), False)


def test_rows_of_signs_that_cannot_be_read_are_for_a_person_and_the_file_claims_nothing(
    ocr: Ocr, tmp_path: Path
) -> None:
    source = a_file(tmp_path / "image.dcm", strange_script((100, 220)))
    verdict = inspect(source, VOCABULARY, ocr)
    assert {box.kind for box in verdict.review} == {TextClass.UNREADABLE}
    assert (verdict.removed, verdict.searched) == ((), False)
    items = write_review(source, verdict, tmp_path / "review", output=tmp_path / "output", number=1)
    assert len(items) == len(verdict.review)
    instance = str(dcmread(source).SOPInstanceUID)
    for keeps, kind in ((True, TextClass.ANNOTATION), (False, TextClass.IDENTITY)):
        decided = with_decisions(verdict, instance, {item.piece: keeps for item in items})
        assert {box.kind for box in decided.boxes} == {kind}
        assert decided.searched


class _ReadsTheEdgeOfABody:
    """A reader that is sure of letters in noise along an edge, as the real one was of a round body."""

    def read(self, picture: np.ndarray) -> list[Line]:
        ends = {
            "rrrrrrrrrrrr:": (109.0, 49.0, 113.0, 87.0),
            "'rrr": (37.0, 14.0, 41.0, 24.0),
            "EEGGELE": (68.0, 4.0, 73.0, 41.0),
            "LEEEEEEEEEEESSSLGEEEEEEEI": (36.0, 3.0, 41.0, 125.0),
        }
        return [
            Line(text=text, confidence=0.96, x0=x0, y0=y0, x1=x1, y1=y1, columns=(), elongation=(y1 - y0) / (x1 - x0))
            for text, (x0, y0, x1, y1) in ends.items()
        ]


def test_one_letter_over_and_over_is_no_text_to_be_taken_out(tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", strange_script((128, 128)))
    verdict = inspect(source, VOCABULARY, _ReadsTheEdgeOfABody())
    assert verdict.removed == ()
    assert {box.kind for box in verdict.review} == {TextClass.UNREADABLE}, "a person looks at the long ones"
    assert not verdict.searched


class _ReadsAName:
    """A reader that is sure of a name that no header has, beside signs in the place of another."""

    def read(self, picture: np.ndarray) -> list[Line]:
        columns = tuple(float(10 + 4 * n) for n in range(16))
        return [Line(text="XXXXXXXX MUELLER", confidence=0.96, x0=8, y0=10, x1=74, y1=22, columns=columns)]


def test_a_name_beside_one_letter_over_and_over_is_taken_out(tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", strange_script((128, 128)))
    assert inspect(source, VOCABULARY, _ReadsAName()).removed


def test_images_without_text_have_nothing_that_cannot_be_read(ocr: Ocr, tmp_path: Path) -> None:
    bright = np.repeat(np.random.default_rng(0).integers(0, 2, (1, 80)) * 255, 240, axis=0).repeat(4, axis=1)
    for number, picture in enumerate((speckle((240, 320), seed=5), tissue((240, 320), noise=3), bright)):
        verdict = inspect(a_file(tmp_path / f"{number}.dcm", picture.astype(np.uint8)), VOCABULARY, ocr)
        assert (verdict.boxes, verdict.searched) == ((), True)
