"""Boxes filled in pictures of every colour space: the space and the compression stay, and so do all other samples."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from slicermedai.deid.pixels.edited import edited
from slicermedai.deid.pixels.fill import fill, fill_all
from slicermedai.deid.pixels.frames import FileFrames, pictures
from slicermedai.deid.pixels.jpeg_boxes import filled_in_jpeg
from slicermedai.deid.pixels.kinds import PixelReplacement, TextBox, TextClass
from slicermedai.errors import UnsupportedImageError
from Testing.deid.pixels.pictures import US_CLIP, Text, a_file, speckle, written_on

SHAPE = (75, 150)
NAME = Text(11, 13, "QUILLFEATHER")


def a_box(x0: int, y0: int, x1: int, y1: int) -> TextBox:
    return TextBox(x0=x0, y0=y0, x1=x1, y1=y1, text="", kind=TextClass.IDENTITY, why="vocabulary")


BOXES = (a_box(7, 11, 115, 31), a_box(120, 66, 150, 75))
INSIDE = np.zeros(SHAPE, dtype=bool)
for _box in BOXES:
    INSIDE[_box.area] = True


def in_colour(seed: int = 0, shape: tuple[int, int] = SHAPE) -> NDArray[np.uint8]:
    """Colours that change over the picture, speckle, and a name in yellow."""
    down, across = np.indices(shape) * 255 // max(shape)
    return written_on(
        np.stack([across, down, speckle(shape, seed=seed)], -1).astype(np.uint8), [NAME], ink=(250, 235, 90)
    )


def around(boxes: Sequence[TextBox], unit: tuple[int, int], *, more: int = 2) -> NDArray[np.bool_]:
    """The pixels of the blocks that the boxes lie in."""
    mask = np.zeros(SHAPE, dtype=bool)
    for box in boxes:
        top, left = box.y0 // unit[0] * unit[0], box.x0 // unit[1] * unit[1]
        bottom, right = -(-box.y1 // unit[0]) * unit[0], -(-box.x1 // unit[1]) * unit[1]
        mask[max(top - more, 0) : bottom + more, max(left - more, 0) : right + more] = True
    return mask


def as_jpeg(picture: NDArray[np.uint8], **options: Any) -> bytes:
    made = BytesIO()
    Image.fromarray(picture).save(made, "JPEG", **options)
    return made.getvalue()


def a_jpeg_file(path: Path, pictures: Sequence[NDArray[np.uint8]], *, space: str = "", **options: Any) -> Path:
    """A clip of those pictures, one JPEG codestream each."""
    a_file(path, np.stack(pictures), syntax=JPEGBaseline8Bit, SOPClassUID=US_CLIP)
    dataset = dcmread(path)
    dataset.PixelData = encapsulate([as_jpeg(picture, **options) for picture in pictures])
    dataset.PhotometricInterpretation = space or dataset.PhotometricInterpretation
    dataset.save_as(path)
    return path


def shown(codestream: bytes) -> NDArray[np.int16]:
    with Image.open(BytesIO(codestream)) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int16)


def codestreams(pixels: PixelReplacement, count: int) -> list[bytes]:
    return list(generate_frames(b"".join(pixels.chunks()), number_of_frames=count))


GREY = {"picture": in_colour()[..., 2].copy(), "unit": (8, 8)}
JPEGS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": "4:4:4", "unit": (8, 8)},
    "4:2:2": {"subsampling": "4:2:2", "unit": (8, 16)},
    "4:2:0": {"subsampling": "4:2:0", "unit": (16, 16)},
    "RGB": {"keep_rgb": True, "space": "RGB", "unit": (8, 8)},
    "grey": GREY,
    "restarts within rows": {"subsampling": "4:2:2", "restart_marker_blocks": 3, "unit": (8, 16)},
    "restarts of rows": {"subsampling": "4:2:0", "restart_marker_rows": 1, "unit": (16, 16)},
    "tables of its own": {"subsampling": "4:2:2", "optimize": True, "unit": (8, 16)},
}


@pytest.mark.parametrize("kind", JPEGS)
def test_a_box_in_lossy_jpeg_is_filled_and_every_block_beside_it_stays_as_it_was_coded(
    kind: str, tmp_path: Path
) -> None:
    options = {"quality": 85, **JPEGS[kind]}
    unit, picture = options.pop("unit"), options.pop("picture", in_colour())
    path = a_jpeg_file(tmp_path / "clip.dcm", [picture, picture[:, ::-1].copy()], **options)
    pixels = filled_in_jpeg(FileFrames.open(path), BOXES)
    assert pixels is not None
    assert (pixels.transfer_syntax_uid, pixels.length) == (JPEGBaseline8Bit, None)
    assert "PhotometricInterpretation" not in pixels.attributes
    befores = list(generate_frames(dcmread(path).PixelData, number_of_frames=2))
    for before, after in zip(befores, codestreams(pixels, 2), strict=True):
        one, two = shown(before), shown(after)
        np.testing.assert_array_equal(one[~around(BOXES, unit)], two[~around(BOXES, unit)])
        plain = one.copy()
        fill(plain, BOXES)
        assert np.abs(two - plain)[INSIDE].mean() < 6
        spread = [max(float(picture[box.area].std(axis=(0, 1)).max()) for box in BOXES) for picture in (one, two)]
        assert spread[1] < 12 < spread[0]


def test_what_is_filled_in_jpeg_does_not_depend_on_what_stood_there(tmp_path: Path) -> None:
    box = (a_box(16, 16, 112, 32),)
    made = []
    for letters in ("QUILLFEATHER", "THORNBURY"):
        picture = written_on(in_colour(), [Text(18, 17, letters)], ink=(9, 9, 9))
        picture[:, :16] = picture[:, 112:] = picture[:16] = picture[32:] = 60
        pixels = filled_in_jpeg(FileFrames.open(a_jpeg_file(tmp_path / "clip.dcm", [picture], quality=80)), box)
        assert pixels is not None
        made.append(b"".join(pixels.chunks()))
    assert made[0] == made[1]


def test_remarks_in_jpeg_frames_that_are_filled_are_blanked(tmp_path: Path) -> None:
    path = a_jpeg_file(tmp_path / "clip.dcm", [in_colour()], comment=b"QUILLFEATHER")
    pixels = filled_in_jpeg(FileFrames.open(path), BOXES)
    assert pixels is not None
    assert b"QUILL" in path.read_bytes()
    assert b"QUILL" not in b"".join(pixels.chunks())


@pytest.mark.parametrize("damage", ["progressive", "another size", "cut", "a frame too few"])
def test_jpeg_that_cannot_be_followed_is_written_in_another_way(damage: str, tmp_path: Path) -> None:
    path = a_jpeg_file(tmp_path / "clip.dcm", [in_colour()], progressive=damage == "progressive")
    dataset = dcmread(path)
    if damage == "another size":
        dataset.Rows -= 1
    elif damage == "cut":
        coded = next(generate_frames(dataset.PixelData, number_of_frames=1)).rstrip(b"\0")
        dataset.PixelData = encapsulate([coded[: len(coded) // 2] + b"\xff\xd9"])
    elif damage == "a frame too few":
        dataset.NumberOfFrames = 2
    dataset.save_as(path)
    assert filled_in_jpeg(FileFrames.open(path), BOXES) is None


def in_pairs(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, columns / 2, 4): Y, Y, CB, CR, as PS3.3 C.7.6.3.1.2 has them."""
    pairs = picture.reshape(picture.shape[0], -1, 2, 3)
    return np.concatenate([pairs[..., 0], pairs[:, :, 0, 1:]], axis=-1)


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=lambda uid: uid.name
)
def test_colours_that_two_pixels_share_are_filled_for_both_and_nothing_else_changes(
    syntax: UID, tmp_path: Path
) -> None:
    stored = in_pairs(in_colour())
    path = native(tmp_path / "image.dcm", stored.tobytes(), "YBR_FULL_422", syntax)
    pixels = edited(FileFrames.open(path), fill_all(BOXES))
    assert pixels.attributes == {}
    after = np.frombuffer(swapped_words(b"".join(pixels.chunks()), syntax), np.uint8).reshape(stored.shape)
    in_box = INSIDE.reshape(SHAPE[0], -1, 2)
    np.testing.assert_array_equal(after[~in_box.any(axis=-1)], stored[~in_box.any(axis=-1)])
    for box in BOXES:
        whole = (slice(box.y0, box.y1), slice(box.x0 // 2, -(-box.x1 // 2)))
        assert np.unique(after[whole][..., 2:].reshape(-1, 2), axis=0).shape == (1, 2)
        assert len(np.unique(after[..., :2].reshape(SHAPE)[box.area])) == 1


def native(path: Path, raw: bytes, space: str, syntax: UID = ExplicitVRLittleEndian) -> Path:
    a_file(path, in_colour(), PhotometricInterpretation=space, syntax=syntax)
    dataset = dcmread(path)
    dataset.PixelData = swapped_words(raw + b"\0" * (len(raw) % 2), syntax)
    dataset["PixelData"].VR = "OW" if syntax == ExplicitVRBigEndian else "OB"
    dataset.save_as(path)
    return path


def swapped_words(raw: bytes, syntax: UID) -> bytes:
    return np.frombuffer(raw, "<u2").byteswap().tobytes() if syntax == ExplicitVRBigEndian else raw


def test_pixels_that_do_not_share_their_colours_though_the_header_says_so_are_refused(tmp_path: Path) -> None:
    path = native(tmp_path / "image.dcm", in_colour().tobytes(), "YBR_FULL_422")
    with pytest.raises(UnsupportedImageError, match="PhotometricInterpretation"):
        edited(FileFrames.open(path), fill_all(BOXES))


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name
)
def test_ybr_full_stays_ybr_full_in_its_syntax_with_its_very_samples(syntax: UID, tmp_path: Path) -> None:
    samples = in_colour()
    path = native(tmp_path / "image.dcm", samples.tobytes(), "YBR_FULL")
    if syntax.is_encapsulated:
        dataset = dcmread(path)
        options = {"rows": SHAPE[0], "columns": SHAPE[1], "samples_per_pixel": 3, "planar_configuration": 0}
        options |= {"number_of_frames": 1, "bits_allocated": 8, "bits_stored": 8, "pixel_representation": 0}
        coded = get_encoder(syntax).encode(samples, photometric_interpretation="YBR_FULL", **options)
        dataset.PixelData = encapsulate([coded])
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    source = FileFrames.open(path)
    pixels = edited(source, fill_all(BOXES))
    assert pixels.transfer_syntax_uid == syntax
    assert "PhotometricInterpretation" not in pixels.attributes
    dataset = dcmread(path)
    dataset.PixelData = b"".join(pixels.chunks())
    dataset.save_as(path)
    after = next(FileFrames.open(path).decoded(raw=True))
    np.testing.assert_array_equal(after[~INSIDE], samples[~INSIDE])
    assert len(np.unique(after[BOXES[0].area].reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("step", [1, 16, 257])
def test_text_is_seen_though_a_palette_or_colours_use_the_low_bits_alone(step: int, tmp_path: Path) -> None:
    letters = written_on(np.full(SHAPE, 10, np.uint8), [NAME], ink=60)
    path = a_file(tmp_path / "image.dcm", letters, syntax=ExplicitVRLittleEndian, SOPClassUID=US_CLIP)
    dataset = dcmread(path)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in range(3):
        dataset.add_new(0x00281101 + colour, "US", [256, 0, 16])
        dataset.add_new(0x00281201 + colour, "OW", (np.arange(256) * step).astype("<u2").tobytes())
    dataset.save_as(path)
    frame = next(FileFrames.open(path).frames())
    deep = np.stack([letters.astype(np.uint16) * step] * 3, -1)
    for colours in (frame, deep):
        (picture,) = pictures(colours, dataset)
        assert picture[letters == 60].min() > 200
        assert picture[letters == 10].max() < 60
