"""Text burned into pixels: found in images of every kind, taken out, and looked for again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from slicermedai.deid.pixels import ocr as ocr_module
from slicermedai.deid.pixels.clean import clean
from slicermedai.deid.pixels.edited import edited
from slicermedai.deid.pixels.fill import fill_all
from slicermedai.deid.pixels.frames import FileFrames
from slicermedai.deid.pixels.inspect import inspect
from slicermedai.deid.pixels.kinds import PixelReplacement, Search, TextBox, TextClass, Unclassified
from slicermedai.deid.pixels.ocr import Line, Ocr
from slicermedai.deid.pixels.review import write_review
from slicermedai.errors import IdentityError, InputError, UnreadableFileError, UnsupportedImageError
from Testing.deid.pixels.pictures import (
    CT,
    DX,
    IDENTITY,
    KEPT,
    SC,
    US,
    US_CLIP,
    VOCABULARY,
    Text,
    a_file,
    boxes_of,
    listing,
    speckle,
    tissue,
    written_on,
)

SMALL = (170, 300)
PAGE = listing(IDENTITY[0], IDENTITY[1], *KEPT[:3], step=28)
NAMES, REMARKS = PAGE[:2], PAGE[2:]
NAME_ONLY = [Text(12, 12, "QUILLFEATHER"), Text(12, 40, "7391586")]


def covered(box: tuple[int, int, int, int], found: Iterable[TextBox]) -> float:
    """The share of ``box`` that lies within the found ones."""
    x0, y0, x1, y1 = box
    inside = np.zeros((y1 - y0, x1 - x0), dtype=bool)
    for one in found:
        inside[max(one.y0 - y0, 0) : max(one.y1 - y0, 0), max(one.x0 - x0, 0) : max(one.x1 - x0, 0)] = True
    return float(inside.mean())


def all_covered(texts: Sequence[Text], found: Sequence[TextBox], *, size: int = 14) -> bool:
    """True where every text's ink is within the boxes; its label ("ID:") may stay."""
    return all(covered(box, found) > (0.7 if ":" in text.text else 0.95)
               for text, box in zip(texts, boxes_of(texts, size=size), strict=True))  # fmt: skip


def kept_share(texts: Sequence[Text], removed: Sequence[TextBox], *, size: int = 14) -> float:
    """The share of texts of which nothing was covered."""
    untouched = [covered(box, removed) < 0.05 for box in boxes_of(texts, size=size)]
    return sum(untouched) / len(untouched)


def rewritten(source: Path, target: Path, pixels: PixelReplacement) -> Path:
    """``source`` with the new pixel data, as the engine writes it."""
    dataset = dcmread(source)
    value = b"".join(pixels.chunks())
    assert pixels.length in (None, len(value))
    assert len(value) % 2 == 0
    for keyword, new in pixels.attributes.items():
        if new is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, new)
    dataset.PixelData = value
    dataset["PixelData"].VR = pixels.vr
    dataset["PixelData"].is_undefined_length = pixels.encapsulated
    dataset.file_meta.TransferSyntaxUID = UID(pixels.transfer_syntax_uid)
    dataset.save_as(target, enforce_file_format=True)
    return target


def in_jpeg_blocks(box: TextBox) -> TextBox:
    """With the blocks of 16 x 16 pixels that it lies in, and the pixels that their colours are blended into."""
    start, stop = (lambda at: max(at // 16 * 16 - 2, 0)), (lambda at: -(-at // 16) * 16 + 2)
    return replace(box, x0=start(box.x0), y0=start(box.y0), x1=stop(box.x1), y1=stop(box.y1))


def outside(shape: tuple[int, ...], boxes: Iterable[TextBox]) -> NDArray[np.bool_]:
    mask = np.ones(shape, dtype=bool)
    for box in boxes:
        mask[box.area] = False
    return mask


GROUND = written_on(speckle(SMALL), PAGE)
COLOUR = written_on(np.repeat(speckle(SMALL)[..., None], 3, axis=2), PAGE, ink=(250, 235, 90))
DEEP = GROUND.astype(np.uint16) * 16
TWELVE_BITS = {"BitsStored": 12, "HighBit": 11}
KINDS: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "grey": (GROUND, {}),
    "dark on bright": (written_on(tissue(SMALL, mean=190, noise=12), PAGE, ink=0), {}),
    "MONOCHROME1": (255 - GROUND, {"PhotometricInterpretation": "MONOCHROME1"}),
    "odd length": (np.ascontiguousarray(GROUND[:169, :299]), {}),
    "12 bits, big endian": (DEEP, {**TWELVE_BITS, "syntax": ExplicitVRBigEndian, "SOPClassUID": DX}),
    "12 bits, deflated": (DEEP, {**TWELVE_BITS, "syntax": DeflatedExplicitVRLittleEndian}),
    "RGB, implicit VR": (COLOUR, {"syntax": ImplicitVRLittleEndian}),
    "RLE": (COLOUR, {"syntax": RLELossless}),
    "JPEG-LS": (DEEP, {**TWELVE_BITS, "syntax": JPEGLSLossless}),
    "JPEG 2000": (COLOUR, {"syntax": JPEG2000Lossless}),
    "JPEG": (COLOUR, {"syntax": JPEGBaseline8Bit}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_identity_goes_and_everything_else_stays_in_images_of_every_kind(kind: str, ocr: Ocr, tmp_path: Path) -> None:
    frames, attributes = KINDS[kind]
    source = a_file(tmp_path / "image.dcm", frames, BurnedInAnnotation="NO", **attributes)
    verdict = inspect(source, VOCABULARY, ocr)
    pixels = clean(source, verdict, VOCABULARY, ocr)
    assert pixels is not None
    assert all_covered(NAMES, verdict.removed)
    assert kept_share(REMARKS, verdict.removed) == 1.0
    target = rewritten(source, tmp_path / "clean.dcm", pixels)
    assert not inspect(target, VOCABULARY, ocr).removed
    before, after = (next(FileFrames.open(path).decoded(raw=False)) for path in (source, target))
    blocks = tuple(in_jpeg_blocks(box) for box in pixels.boxes) if kind == "JPEG" else pixels.boxes
    mask = outside(before.shape[:2], blocks)
    np.testing.assert_array_equal(before[mask], after[mask])
    assert (before[~mask] != after[~mask]).any()


def test_compression_and_colours_are_kept_where_that_is_possible_and_named_truthfully_elsewhere(
    ocr: Ocr, tmp_path: Path
) -> None:
    found = {}
    for kind in ("RLE", "JPEG-LS", "JPEG 2000", "JPEG"):
        frames, attributes = KINDS[kind]
        source = a_file(tmp_path / "image.dcm", frames, **attributes)
        pixels = clean(source, inspect(source, VOCABULARY, ocr), VOCABULARY, ocr)
        assert pixels is not None
        found[kind] = (UID(pixels.transfer_syntax_uid), pixels.attributes)
    assert [syntax for syntax, _ in found.values()] == [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGBaseline8Bit]
    assert not any("PhotometricInterpretation" in attributes for _, attributes in found.values())
    assert found["JPEG"][1]["LossyImageCompression"] == "01"
    assert found["JPEG"][1]["LossyImageCompressionMethod"] == "ISO_10918_1"


def test_jpeg_that_is_coded_in_an_unknown_way_is_written_uncompressed_and_says_so(ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", COLOUR, syntax=JPEGBaseline8Bit)
    dataset, made = dcmread(source), BytesIO()
    Image.fromarray(COLOUR).save(made, "JPEG", quality=90, progressive=True)
    dataset.PixelData = encapsulate([made.getvalue()])
    dataset.save_as(source)
    pixels = clean(source, inspect(source, VOCABULARY, ocr), VOCABULARY, ocr)
    assert pixels is not None
    assert pixels.transfer_syntax_uid == ExplicitVRLittleEndian
    assert pixels.attributes["PhotometricInterpretation"] == "RGB"
    assert pixels.attributes["LossyImageCompressionMethod"] == "ISO_10918_1"
    target = rewritten(source, tmp_path / "clean.dcm", pixels)
    before, after = (next(FileFrames.open(path).decoded(raw=False)) for path in (source, target))
    mask = outside(before.shape[:2], pixels.boxes)
    np.testing.assert_array_equal(before[mask], after[mask])


def test_uncompressed_bytes_outside_the_boxes_are_the_sources_own(ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", COLOUR, PlanarConfiguration=1)
    dataset = dcmread(source)
    dataset.PixelData = np.ascontiguousarray(COLOUR.transpose(2, 0, 1)).tobytes()
    dataset.save_as(source)
    verdict = inspect(source, VOCABULARY, ocr)
    pixels = clean(source, verdict, VOCABULARY, ocr)
    assert pixels is not None
    after = np.frombuffer(b"".join(pixels.chunks()), np.uint8).reshape(3, *SMALL)
    mask = outside(SMALL, pixels.boxes)
    for plane, original in zip(after, COLOUR.transpose(2, 0, 1), strict=True):
        np.testing.assert_array_equal(plane[mask], original[mask])


def test_a_palette_keeps_its_indices(ocr: Ocr, tmp_path: Path) -> None:
    indices = written_on(np.full(SMALL, 3, np.uint8), PAGE, ink=9)
    indices = np.where(indices >= 6, 9, 3).astype(np.uint8)
    table = np.zeros((16, 3), np.uint16)
    table[3], table[9] = (0, 0, 40 << 8), (255 << 8, 255 << 8, 255 << 8)
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, name in enumerate(("Red", "Green", "Blue")):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [16, 0, 16]
        palette[f"{name}PaletteColorLookupTableData"] = table[:, number].tobytes()
    source = a_file(tmp_path / "image.dcm", indices, SOPClassUID=US, **palette)
    verdict = inspect(source, VOCABULARY, ocr)
    pixels = clean(source, verdict, VOCABULARY, ocr)
    assert pixels is not None
    after = np.frombuffer(b"".join(pixels.chunks()), np.uint8)
    assert all_covered(NAMES, verdict.removed)
    assert set(np.unique(after)) == {3, 9}


@pytest.mark.parametrize("size", [8, 10, 20, 28])
def test_small_and_large_letters_are_found(size: int, ocr: Ocr, tmp_path: Path) -> None:
    step = size + 14
    names = listing(*IDENTITY, step=step)
    remarks = listing(*KEPT, step=step, y=12 + step * len(names))
    shape = (step * 11, size * 16 + 80)
    source = a_file(tmp_path / "image.dcm", written_on(speckle(shape), [*names, *remarks], size=size), SOPClassUID=US)
    verdict = inspect(source, VOCABULARY, ocr)
    shares = [covered(box, verdict.removed) for box in boxes_of(names, size=size)]
    assert min(shares) > 0.6  # the labels "ID:" and "DOB:" may stay
    assert kept_share(remarks, verdict.removed, size=size) >= 0.9


def test_text_that_runs_up_or_down_is_found(ocr: Ocr, tmp_path: Path) -> None:
    for turns in (1, -1):
        picture = np.rot90(written_on(tissue((180, 240)), NAME_ONLY), turns).copy()
        ink = np.rot90(written_on(np.zeros((180, 240), np.uint8), NAME_ONLY), turns) > 128
        verdict = inspect(a_file(tmp_path / "image.dcm", picture), VOCABULARY, ocr)
        assert not (ink & outside(picture.shape, verdict.removed)).any()


def test_a_ct_slice_that_calls_itself_an_original_is_caught(ocr: Ocr, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 1, (180, 240))
    slice_ = (noise * 20 - 20).astype(np.int16)
    slice_[:, :10] = noise[:, :10] * 8 - 1000
    slice_[100:140, 190:230] = noise[100:140, 190:230] * 60 + 1200
    header = {"SOPClassUID": CT, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "BurnedInAnnotation": "NO"}
    header |= {"WindowCenter": 40, "WindowWidth": 400}
    plain = inspect(a_file(tmp_path / "plain.dcm", slice_, **header), VOCABULARY, ocr)
    assert (plain.search, plain.boxes) == (Search.SCREENED, ())
    assert not plain.searched
    for value in (1900, -1024):
        slice_[written_on(np.zeros(slice_.shape, np.uint8), NAME_ONLY) > 128] = value
        verdict = inspect(a_file(tmp_path / "written.dcm", slice_, **header), VOCABULARY, ocr)
        assert all_covered(NAME_ONLY, verdict.removed)


@pytest.mark.parametrize("where", ["all", "one", "bright"])
def test_text_of_a_clip_is_found_whether_it_stands_still_or_comes_and_goes(
    where: str, ocr: Ocr, tmp_path: Path
) -> None:
    shape = (120, 240)
    grounds = [
        tissue(shape, mean=150, noise=25, seed=n) if where == "bright" else speckle(shape, seed=n) for n in range(7)
    ]
    frames = np.stack([written_on(g, NAME_ONLY) if where != "one" or n == 4 else g for n, g in enumerate(grounds)])
    source = a_file(tmp_path / "clip.dcm", frames, SOPClassUID=US_CLIP)
    verdict = inspect(source, VOCABULARY, ocr)
    assert all_covered(NAME_ONLY, verdict.removed)
    assert {box.frames for box in verdict.boxes} == {(0, 7)}
    pixels = clean(source, verdict, VOCABULARY, ocr)
    assert pixels is not None
    after = np.frombuffer(b"".join(pixels.chunks()), np.uint8).reshape(frames.shape)
    mask = outside(shape, pixels.boxes)
    np.testing.assert_array_equal(after[:, mask], frames[:, mask])
    ink = written_on(np.zeros(shape, np.uint8), NAME_ONLY) > 128
    assert (after[:, ink] == 255).mean() < 0.02


def test_a_clip_is_rewritten_one_frame_at_a_time(ocr: Ocr, tmp_path: Path) -> None:
    frames = np.stack([written_on(speckle((120, 240), seed=n), NAME_ONLY) for n in range(5)])
    source = a_file(tmp_path / "clip.dcm", frames, SOPClassUID=US_CLIP)
    pixels = clean(source, inspect(source, VOCABULARY, ocr), VOCABULARY, ocr)
    assert pixels is not None
    assert [len(chunk) for chunk in pixels.chunks()] == [120 * 240] * 5


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    frames = np.zeros((150, 120, 240), np.uint8)
    source = FileFrames.open(a_file(tmp_path / "clip.dcm", frames, SOPClassUID=US_CLIP))
    box = TextBox(x0=4, y0=4, x1=20, y1=12, text="", kind=TextClass.IDENTITY, why="vocabulary")
    tracemalloc.start()
    try:
        written = sum(map(len, edited(source, fill_all((box,))).chunks()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written == frames.nbytes
    assert peak < 30 * frames[0].nbytes


FREE = {
    "speckle": speckle((300, 400), seed=3),
    "noise": tissue((300, 400), noise=35),
    "checks": ((np.indices((300, 400)) // 16).sum(axis=0) % 2 * 255).astype(np.uint8),
    "bars": np.repeat(np.random.default_rng(0).integers(0, 2, (1, 100)) * 255, 300, axis=0)
    .repeat(4, axis=1)
    .astype(np.uint8),
    "ramp": np.tile((np.arange(400) * 255 // 399).astype(np.uint8), (300, 1)),
    "one value": np.full((300, 400), 80, np.uint8),
}


@pytest.mark.parametrize("kind", FREE)
def test_images_without_text_get_no_boxes(kind: str, ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", FREE[kind])
    verdict = inspect(source, VOCABULARY, ocr)
    assert (verdict.search, verdict.removed) == (Search.READ, ())
    assert clean(source, verdict, VOCABULARY, ocr) is None


def test_a_real_head_without_text_gets_no_boxes(ocr: Ocr, colin27: Path, tmp_path: Path) -> None:
    from slicermedai.dicom.inputs import open_source

    volume = open_source(colin27 / "ch2.nii.gz").volume
    for index in (30, 70, 110, 150):
        source = a_file(tmp_path / "slice.dcm", np.asarray(volume.array[index]).astype(np.uint8), SOPClassUID=SC)
        assert not inspect(source, VOCABULARY, ocr).removed


def test_what_nobody_knows_goes_by_default_stays_where_asked_and_is_listed_with_its_picture(
    ocr: Ocr, tmp_path: Path
) -> None:
    stranger = [Text(12, 12, "Vrbrkov Zoltan")]
    source = a_file(tmp_path / "image.dcm", written_on(tissue((100, 240)), stranger))
    removing = inspect(source, VOCABULARY, ocr)
    keeping = inspect(source, VOCABULARY, ocr, unclassified=Unclassified.KEEP)
    assert {box.kind for box in removing.boxes} == {TextClass.UNCLASSIFIED}
    assert all_covered(stranger, removing.removed)
    assert keeping.removed == ()
    for verdict, removed in ((removing, True), (keeping, False)):
        folder = tmp_path / f"review{removed}"
        items = write_review(source, verdict, folder, output=tmp_path / "output", number=7)
        assert [item.removed for item in items] == [removed] * len(verdict.review)
        assert items[0].picture.name == f"00007-01-{items[0].piece[:12]}.png"
        from PIL import Image

        with Image.open(items[0].picture) as picture:
            assert np.asarray(picture).max() == 255


@pytest.mark.parametrize("where", [[3], [5], list(range(6))], ids=["one frame", "the last", "all"])
def test_the_picture_of_a_clip_shows_the_text_on_whichever_frame_it_stands(
    where: list[int], ocr: Ocr, tmp_path: Path
) -> None:
    from PIL import Image

    stranger, blank = [Text(12, 12, "Vrbrkov Zoltan")], np.zeros((100, 240), np.uint8)
    frames = np.stack([written_on(blank, stranger) if n in where else blank for n in range(6)])
    source = a_file(tmp_path / "clip.dcm", frames, SOPClassUID=US_CLIP)
    verdict = inspect(source, VOCABULARY, ocr)
    items = write_review(source, verdict, tmp_path / "review", output=tmp_path / "output", number=1)
    assert items
    for item in items:
        with Image.open(item.picture) as picture:
            assert (np.asarray(picture) > 128).sum() > 50


def test_pictures_for_review_never_lie_in_the_output(ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", written_on(tissue((60, 240)), [Text(12, 12, "Vrbrkov")]))
    verdict = inspect(source, VOCABULARY, ocr)
    with pytest.raises(IdentityError, match="review"):
        write_review(source, verdict, tmp_path / "output" / "review", output=tmp_path / "output", number=1)
    assert not (tmp_path / "output").exists()


def test_without_a_text_reader_the_file_says_so_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_file(tmp_path / "image.dcm", GROUND)
    verdict = inspect(source, VOCABULARY, None)
    assert (verdict.search, verdict.searched, verdict.boxes) == (Search.NOT_SEARCHED, False, ())
    assert "text reader" in verdict.reason
    monkeypatch.setattr(ocr_module, "_ENGINE", "no_such_reader")
    with pytest.raises(InputError, match="rapidocr-onnxruntime is not installed"):
        ocr_module.load_ocr()


class _SeesItEverywhere:
    """A reader that finds the patient's name in a new place each time: cleaning never ends well."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, picture: NDArray[np.uint8]) -> list[Line]:
        self.reads += 1
        y = float(self.reads * 2 % (picture.shape[0] - 12))
        columns = tuple(20.0 + 6 * n for n in range(12))
        return [Line(text="Quillfeather", confidence=0.9, x0=17, y0=y, x1=92, y1=y + 10, columns=columns)]


def test_a_file_whose_text_cannot_be_removed_is_kept_back_by_name(tmp_path: Path) -> None:
    source, reader = a_file(tmp_path / "image.dcm", GROUND), _SeesItEverywhere()
    verdict = inspect(source, VOCABULARY, reader)
    with pytest.raises(UnsupportedImageError, match="still legible") as caught:
        clean(source, verdict, VOCABULARY, reader)
    assert "Quill" not in str(caught.value)


def test_damaged_pixels_are_refused_by_name(ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", GROUND)
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(UnreadableFileError, match="PixelData"):
        inspect(source, VOCABULARY, ocr)


def test_a_file_without_pixels_has_nothing_to_search(ocr: Ocr, tmp_path: Path) -> None:
    source = a_file(tmp_path / "image.dcm", GROUND)
    dataset: Dataset = dcmread(source)
    del dataset.PixelData
    dataset.save_as(source)
    assert inspect(source, VOCABULARY, ocr).search is Search.NO_PIXELS


def test_what_was_read_is_in_no_printed_verdict(ocr: Ocr, tmp_path: Path) -> None:
    verdict = inspect(a_file(tmp_path / "image.dcm", GROUND), VOCABULARY, ocr)
    assert any("QUILL" in box.text for box in verdict.boxes)
    assert "QUILL" not in repr(verdict)
