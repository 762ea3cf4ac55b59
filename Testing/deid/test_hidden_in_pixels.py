"""What lies in pixel data beside the pixels: text in bits that no value uses, and remarks in compressed frames."""

from __future__ import annotations

import random
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragments
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from slicermedai.deid.codestreams import Blanker, blanked, precision_of, without_remarks
from slicermedai.deid.profile import Profile
from slicermedai.deid.reasons import reason
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.unused_bits import UnusedBits
from slicermedai.deid.verify import check_file, find
from slicermedai.errors import IdentityError
from Testing.deid.pixels.pictures import CT, SC, Text, a_file, tissue, written_on
from Testing.deid.samples import KEY, an_image

SHAPE = (48, 200)
PLAIN = DeidSettings(profile=Profile(), key=KEY)


def with_a_hidden_name(values: np.ndarray, bit: int) -> np.ndarray:
    name = written_on(np.zeros(SHAPE, np.uint8), [Text(4, 12, "QUILLFEATHER")]) > 128
    return values | (name.astype(values.dtype) << np.array(bit, values.dtype))


def values(*, signed: bool = False) -> np.ndarray:
    found = np.random.default_rng(3).integers(-2000 if signed else 0, 2000, SHAPE)
    return found.astype(np.int16).view(np.uint16) if signed else found.astype(np.uint16)


def copy_of(path: Path, folder: Path) -> Dataset:
    outcome = deidentify_all([path], folder, PLAIN)
    assert [row.refused for row in outcome.files] == [""]
    return dcmread(folder / "00001.dcm")


def cells(dataset: Dataset) -> np.ndarray:
    order = ">" if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    return np.frombuffer(dataset.PixelData, dtype=f"{order}u2").reshape(SHAPE).astype(np.uint16)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("signed", [False, True])
def test_text_in_bits_that_no_value_uses_is_gone_and_no_value_changes(
    tmp_path: Path, syntax: str, signed: bool
) -> None:
    clean = values(signed=signed) & 0x0FFF
    hidden = with_a_hidden_name(clean, 12)
    bits = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": int(signed), "SOPClassUID": CT}
    path = a_file(tmp_path / "a.dcm", hidden, syntax=syntax, **bits)
    copy = copy_of(path, tmp_path / "out")
    left = cells(copy)
    assert np.array_equal(left & 0x0FFF, clean)
    sign = (clean & 0x0800).astype(bool) & signed
    assert np.array_equal(left >> 12, np.where(sign, 15, 0))


def test_text_below_values_that_lie_at_the_top_of_their_cells_is_gone(tmp_path: Path) -> None:
    clean = (values() & 0x0FFF) << 4
    path = a_file(tmp_path / "a.dcm", with_a_hidden_name(clean, 0), BitsStored=12, HighBit=15, SOPClassUID=CT)
    assert np.array_equal(cells(copy_of(path, tmp_path / "out")), clean)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_text_in_unused_bits_of_compressed_cells_is_gone(tmp_path: Path, syntax: str) -> None:
    clean = values()
    path = a_file(tmp_path / "a.dcm", with_a_hidden_name(clean, 13), syntax=syntax, SOPClassUID=CT)
    dataset = dcmread(path)
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.save_as(path)
    copy = copy_of(path, tmp_path / "out")
    assert copy.file_meta.TransferSyntaxUID == syntax
    copy.BitsStored, copy.HighBit = 16, 15
    assert np.array_equal(np.asarray(copy.pixel_array), clean)


def test_compressed_cells_without_anything_hidden_stay_byte_for_byte(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.dcm", values(), syntax=RLELossless, BitsStored=12, HighBit=11, SOPClassUID=CT)
    assert copy_of(path, tmp_path / "out").PixelData == dcmread(path).PixelData


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_verifier_finds_set_bits_by_itself(tmp_path: Path, syntax: str) -> None:
    bits = {"BitsStored": 12, "HighBit": 11, "syntax": syntax}
    check_file(a_file(tmp_path / "clean.dcm", values(), **bits), frozenset())
    path = a_file(tmp_path / "a.dcm", with_a_hidden_name(values(), 12), **bits)
    with pytest.raises(IdentityError, match="bits that are no part"):
        check_file(path, frozenset())


@pytest.mark.parametrize("behind", [b"seen by Dr Hals", b"12" * 400])
def test_what_follows_the_pixels_is_gone_and_every_pixel_stays(tmp_path: Path, behind: bytes) -> None:
    path = a_file(tmp_path / "a.dcm", values(), SOPClassUID=CT)
    dataset = dcmread(path)
    voxels = dataset.PixelData
    dataset.PixelData = voxels + behind + b"\0" * (len(behind) % 2)
    dataset.save_as(path)
    left = copy_of(path, tmp_path / "out").PixelData
    assert left[: len(voxels)] == voxels
    assert not any(left[len(voxels) :])


def test_frames_that_nobody_counted_stay(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.dcm", np.stack([values(), values()]), SOPClassUID=SC)
    dataset = dcmread(path)
    del dataset.NumberOfFrames
    dataset.save_as(path)
    assert copy_of(path, tmp_path / "out").PixelData == dataset.PixelData


def jpeg(frame: np.ndarray, comment: bytes = b"seen by Dr Hals, ward 12-34") -> bytes:
    exif = Image.Exif()
    exif[0x10E] = "of Eva B."
    buffer = BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=90, comment=comment, exif=exif)
    return buffer.getvalue()


def j2k(frame: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG2000", comment="Dr Hals, ward 12-34", irreversible=False, no_jp2=True)
    return buffer.getvalue()


def a_clip(path: Path, *, extended: bool, syntax: str) -> Path:
    frames = np.stack([tissue(SHAPE, seed=n) for n in range(3)])
    coded = [(jpeg if syntax == JPEGBaseline8Bit else j2k)(frame) for frame in frames]
    dataset = dcmread(a_file(path, frames, SOPClassUID=SC))
    dataset.file_meta.TransferSyntaxUID = syntax
    if extended:
        parts = encapsulate_extended(coded)
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = parts
    else:
        dataset.PixelData = encapsulate(coded)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless])
@pytest.mark.parametrize("extended", [False, True])
def test_remarks_in_compressed_frames_are_gone_and_every_pixel_stays(
    tmp_path: Path, syntax: str, extended: bool
) -> None:
    path = a_clip(tmp_path / "a.dcm", extended=extended, syntax=syntax)
    copy = copy_of(path, tmp_path / "out")
    assert b"Hals" in path.read_bytes()
    raw = (tmp_path / "out" / "00001.dcm").read_bytes()
    assert not [word for word in (b"Hals", b"Eva", b"12-34", b"Exif") if word in raw]
    assert np.array_equal(copy.pixel_array, dcmread(path).pixel_array)
    assert copy.get("ExtendedOffsetTable") == dcmread(path).get("ExtendedOffsetTable")
    assert list(find(tmp_path / "out" / "00001.dcm", frozenset())) == []


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless])
def test_the_verifier_finds_remarks_by_itself(tmp_path: Path, syntax: str) -> None:
    with pytest.raises(IdentityError, match="remark"):
        check_file(a_clip(tmp_path / "a.dcm", extended=False, syntax=syntax), frozenset())


@pytest.mark.parametrize("code", [jpeg, j2k])
def test_frames_come_out_alike_in_whatever_pieces_they_go_in(code: object) -> None:
    frame = code(tissue(SHAPE)) + b"left behind"  # type: ignore[operator]  # one of two functions
    whole, pieces, place, chance = without_remarks(frame), b"", 0, random.Random(4)
    blanker = Blanker()
    while place < len(frame):
        size = chance.choice((1, 2, 7, 400))
        pieces += b"".join(blanker.feed(frame[place : place + size]))
        place += size
    pieces += b"".join(blanker.boundary())
    assert pieces == whole
    assert len(whole) == len(frame)
    assert not [word for word in (b"Hals", b"left behind") if word in whole]


def test_a_frame_in_several_fragments_loses_its_remark_and_keeps_its_fragments(tmp_path: Path) -> None:
    path = a_clip(tmp_path / "a.dcm", extended=False, syntax=JPEGBaseline8Bit)
    dataset = dcmread(path)
    frame = jpeg(tissue(SHAPE))
    dataset.NumberOfFrames = 1
    place = frame.index(b"Hals") // 2 * 2
    dataset.PixelData = encapsulate([frame], fragments_per_frame=len(frame) // place)
    dataset.save_as(path)
    copy = copy_of(path, tmp_path / "out")
    old, new = (list(generate_fragments(one.PixelData)) for one in (dcmread(path), copy))
    assert [len(one) for one in old] == [len(one) for one in new]
    assert len(old) > 1
    assert b"".join(new[1:]).rstrip(b"\0") == without_remarks(frame).rstrip(b"\0")


def test_what_is_no_codestream_that_is_known_stays_as_it_is() -> None:
    film = b"\0\0\x01\xb3" + bytes(range(256))
    assert without_remarks(film) == film


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("allocated", "high"), [(8, 0), (8, 6), (16, 8), (16, 11), (16, 14)])
def test_cells_are_looked_through_without_numpy_as_with_it(allocated: int, high: int, order: str, signed: bool) -> None:
    unused = UnusedBits.of(allocated, high + 1, high, signed=signed)
    assert unused is not None
    some = np.random.default_rng(high).integers(0, 1 << allocated, 300).astype(f"{order}u{allocated // 8}")
    for number in range(len(some)):
        cells = some[number : number + 2]
        clear = bool(np.array_equal(unused.cleared(cells), cells))
        assert unused.are_clear(cells) is clear
        assert unused._are_clear_bytes(cells.tobytes(), order) is clear
    whole = unused.cleared(some)
    assert unused.are_clear(whole)
    assert unused._are_clear_bytes(memoryview(whole.tobytes()), order)


@pytest.mark.parametrize(("stored", "high"), [(8, 11), (6, 5)])
def test_cells_that_cannot_be_looked_through_by_their_upper_bytes_are_left_to_numpy(stored: int, high: int) -> None:
    unused = UnusedBits.of(16, stored, high, signed=False)
    assert unused is not None
    assert not unused._are_clear_bytes(bytes(8), "<")
    assert unused.cleared_bytes(bytes(8), "<") == bytes(8)


def boxed(*, endless: bool) -> bytes:
    """A frame in the boxes of JPEG XL (ISO/IEC 18181-2), the last one of no said length."""
    boxes = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"Exif", bytes(4) + b"Dr Hals, ward 12-34")]
    boxes += [(b"xml ", b"<p>Eva</p>"), (b"jxlc", bytes(range(256)))]
    last = len(boxes) - 1
    return b"".join(
        (0 if endless and n == last else 8 + len(said)).to_bytes(4, "big") + kind + said
        for n, (kind, said) in enumerate(boxes)
    )


@pytest.mark.parametrize("endless", [False, True])
def test_remarks_in_the_boxes_of_jpeg_xl_are_gone_in_every_frame_and_the_codestream_stays(endless: bool) -> None:
    frame, blanker = boxed(endless=endless), Blanker()
    out = [b"".join((*blanker.feed(frame), *blanker.boundary())) for _ in range(3)]
    assert out[0] == out[1] == out[2]
    assert len(out[0]) == len(frame)
    assert not [word for word in (b"Hals", b"Eva", b"12-34") if word in out[0]]
    assert out[0].endswith(b"jxlc" + bytes(range(256)))


CODED = bytes(range(1, 256)) * 4


def boxes_of(*boxes: tuple[bytes, bytes]) -> bytes:
    said = ((b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), *boxes)
    return b"".join((8 + len(value)).to_bytes(4, "big") + kind + value for kind, value in said)


def in_items(*items: bytes) -> list[bytes]:
    """The items as they come out, one after the other."""
    heads = [b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") for item in items]
    given = [(b"table", iter(())), *((head, iter([item])) for head, item in zip(heads, items, strict=True))]
    out = b"".join(blanked(iter(given))).removeprefix(b"table")
    found = []
    for head, item in zip(heads, items, strict=True):
        assert out.startswith(head)
        found.append(out[8 : 8 + len(item)])
        out = out[8 + len(item) :]
    assert not out
    return found


@pytest.mark.parametrize("size", [1000, 1001])
@pytest.mark.parametrize("remark", [False, True])
def test_every_frame_of_jpeg_xl_stays_behind_one_of_odd_length(size: int, remark: bool) -> None:
    coded = (b"jxlc", b"\xff\x0a" + CODED[:size])
    frame = boxes_of(*[(b"xml ", b"<p>Eva</p>")] * remark, coded)
    frame += b"\0" * (len(frame) % 2)
    kept = frame.replace(b"<p>Eva</p>", bytes(10))
    assert in_items(frame, frame, frame) == [kept] * 3


@pytest.mark.parametrize("cut", range(32, 62, 2))
def test_boxes_that_a_fragment_cuts_anywhere_are_followed(cut: int) -> None:
    frame = boxes_of((b"jxlp", CODED[:8]), (b"xml ", b"<p>Eva</p>"), (b"jxlp", CODED))
    kept = frame.replace(b"<p>Eva</p>", bytes(10))
    assert in_items(frame[:cut], frame[cut:], frame) == [kept[:cut], kept[cut:], kept]


def test_what_can_be_no_box_is_blanked_and_the_next_frame_is_followed() -> None:
    odd = boxes_of((b"jxlc", CODED))
    rest = b"\0\0\0\0" + CODED[150:250]
    frame = boxes_of((b"xml ", b"<p>Eva</p>"), (b"jxlc", CODED))
    bare = b"\xff\x0a" + CODED
    assert in_items(odd + rest, frame, bare, bare) == [
        odd + bytes(len(rest)),
        frame.replace(b"<p>Eva</p>", bytes(10)),
        bare,
        bare,
    ]


@pytest.mark.parametrize(
    "hidden", [boxes_of((b"xml ", b"<p>Eva</p>")), boxes_of((b"jxlc", CODED)) + b"\0\0\0\x02Eva was here"]
)
def test_the_verifier_sees_remarks_in_boxes_and_behind_them(tmp_path: Path, hidden: bytes) -> None:
    path = an_image(tmp_path / "in")
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.50")
    dataset.PixelData = encapsulate([hidden], has_bot=False)
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.save_as(path)
    assert "(7FE0,0010)" in {hit.attribute for hit in find(path, frozenset())}
    deidentify_all([path], tmp_path / "out", DeidSettings(profile=Profile()))
    copy = tmp_path / "out" / "00001.dcm"
    assert list(find(copy, frozenset())) == []
    assert b"Eva" not in copy.read_bytes()


@pytest.mark.parametrize("pieces", [2, 3])
@pytest.mark.parametrize("said", [0, 9000])
def test_a_remark_up_to_the_end_is_gone_in_all_its_fragments_and_no_frame_behind_it(pieces: int, said: int) -> None:
    remark = b"DR HALS " * 40
    head = boxes_of((b"jxlc", CODED))
    frame = head + said.to_bytes(4, "big") + b"Exif" + remark
    cuts = [0, len(head) + 50, *[len(head) + 190] * (pieces - 2), len(frame)]
    parts = [frame[begin:end] for begin, end in pairwise(cuts)]
    bare = b"\xff\x0a" + CODED
    out = in_items(*parts, *parts, bare, bare)
    left = frame.replace(remark, bytes(len(remark)))
    assert b"".join(out) == left + left + bare + bare


@pytest.mark.parametrize("is_long", [False, True])
def test_what_would_rebuild_a_jpeg_file_is_gone_and_no_reader_takes_it_for_that(is_long: bool) -> None:
    held = b"DR HALS " * 40
    rebuilt = b"\0\0\0\1jbrd" + (16 + len(held)).to_bytes(8, "big") if is_long else b"\0\0\1\x48jbrd"
    begin = boxes_of()
    coded = boxes_of((b"jxlc", CODED)).removeprefix(begin)
    assert in_items(begin + rebuilt + held + coded) == [
        begin + rebuilt.replace(b"jbrd", b"free") + bytes(len(held)) + coded
    ]


@pytest.mark.parametrize(("code", "bits"), [(jpeg, 8), (j2k, 8)])
def test_a_codestream_says_how_many_bits_its_samples_have(code: object, bits: int) -> None:
    assert precision_of(code(tissue(SHAPE))) == bits  # type: ignore[operator]  # one of two functions


REMARK = b"KOWAL J. *17.03.1952 MRN 884411 "


def a_frame(path: Path, **bits: object) -> Dataset:
    return dcmread(a_file(path, values(), syntax=RLELossless, SOPClassUID=CT, **bits))


def as_items(*items: bytes) -> bytes:
    return b"".join(b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item for item in items)


def saved(dataset: Dataset, path: Path) -> Path:
    for element in (dataset["PixelData"], *(dataset[k] for k in ("ExtendedOffsetTable",) if k in dataset)):
        element.VR = "OB" if element.keyword == "PixelData" else "OV"
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("where", ["offset table", "extended table", "lengths", "behind segments", "between header"])
def test_a_remark_around_a_compressed_frame_is_gone_and_every_pixel_stays(tmp_path: Path, where: str) -> None:
    dataset = a_frame(tmp_path / "a.dcm")
    before = dataset.pixel_array.copy()
    _, frame = generate_fragments(dataset.PixelData)
    items = {"offset table": (REMARK, frame), "behind segments": (b"", frame + REMARK)}
    if where == "between header":
        items[where] = (b"", frame[:32] + REMARK + frame[64:])
    dataset.PixelData = as_items(*items.get(where, (b"", frame)))
    if where in ("extended table", "lengths"):
        dataset.add_new(0x7FE00001 if where == "extended table" else 0x7FE00002, "OV", REMARK)
    path = saved(dataset, tmp_path / "b.dcm")
    assert [hit.why for hit in find(path, frozenset())], "the verifier finds it by itself"
    copy = copy_of(path, tmp_path / "out")
    assert b"KOWAL" not in (tmp_path / "out" / "00001.dcm").read_bytes()
    assert np.array_equal(copy.pixel_array, before)


def test_more_fragments_than_frames_are_refused_where_each_frame_is_one(tmp_path: Path) -> None:
    dataset = a_frame(tmp_path / "a.dcm")
    _, frame = generate_fragments(dataset.PixelData)
    dataset.PixelData = as_items(b"", frame, REMARK)
    path, other = saved(dataset, tmp_path / "b.dcm"), a_file(tmp_path / "c.dcm", values(), SOPClassUID=CT)
    outcome = deidentify_all([path, other], tmp_path / "out", PLAIN)
    assert "PixelData" in outcome.files[0].refused
    assert outcome.files[1].refused == ""


def test_a_fragment_of_no_frame_is_blanked(tmp_path: Path) -> None:
    path = a_clip(tmp_path / "a.dcm", extended=False, syntax=JPEGBaseline8Bit)
    dataset = dcmread(path)
    frames = list(generate_fragments(dataset.PixelData))[1:]
    dataset.PixelData = as_items(b"", *frames, REMARK)
    copy = copy_of(saved(dataset, path), tmp_path / "out")
    _, *left, last = generate_fragments(copy.PixelData)
    assert left == [without_remarks(frame) for frame in frames]
    assert last == bytes(len(REMARK))


def test_what_follows_the_pixels_is_gone_however_long_it_is(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.dcm", values(), SOPClassUID=CT)
    dataset = dcmread(path)
    voxels = dataset.PixelData
    dataset.PixelData = voxels + REMARK * (len(voxels) // 16 + 1)
    dataset.save_as(path)
    assert [hit.why for hit in find(path, frozenset())] == ["something stands behind the pixels"]
    left = copy_of(path, tmp_path / "out").PixelData
    assert left[: len(voxels)] == voxels
    assert not any(left[len(voxels) :])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_what_follows_the_samples_of_a_waveform_is_gone(tmp_path: Path, syntax: str) -> None:
    path = a_file(tmp_path / "a.dcm", values(), syntax=syntax, SOPClassUID=CT)
    dataset, wave = dcmread(path), Dataset()
    wave.NumberOfWaveformChannels, wave.NumberOfWaveformSamples, wave.WaveformBitsAllocated = 1, 16, 16
    wave.add_new(0x54001010, "OW", b"\1\0" * 16 + REMARK)
    dataset.WaveformSequence = [wave]
    dataset.save_as(path)
    assert [hit.why for hit in find(path, frozenset())] == ["something stands behind the samples of a waveform"]
    copy = copy_of(path, tmp_path / "out")
    assert bytes(copy.WaveformSequence[0].WaveformData) == b"\1\0" * 16
    assert np.array_equal(cells(copy), cells(dataset))


def test_an_attribute_of_the_pixels_group_that_is_none_is_gone(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.dcm", values(), SOPClassUID=CT)
    dataset = dcmread(path)
    dataset.add_new(0x7FE00020, "OW", REMARK)
    dataset.save_as(path)
    assert 0x7FE00020 not in copy_of(path, tmp_path / "out")


def test_bits_that_were_cleared_are_counted_and_none_is_where_none_was_set(tmp_path: Path) -> None:
    bits = {"BitsStored": 12, "HighBit": 11, "SOPClassUID": CT}
    padded = np.where(values() < 100, 63536, values()).astype(np.uint16)
    files = [a_file(tmp_path / "a.dcm", padded, **bits), a_file(tmp_path / "b.dcm", values(), **bits)]
    first, second = (row.done["PixelData", "C"] for row in deidentify_all(files, tmp_path / "out", PLAIN).files)
    assert (first, second) == (1, 0)
    assert "were cleared" in reason("PixelData", "C", Profile())


@pytest.mark.parametrize("where", ["offset table", "extended table"])
def test_frames_are_decoded_though_their_offset_table_is_none(tmp_path: Path, where: str) -> None:
    """Or a file whose pixels must be looked at (unused bits, burned-in text) would be left out for it."""
    path = tmp_path / "b.dcm"
    dataset = dcmread(a_file(tmp_path / "a.dcm", values(), syntax=JPEG2000Lossless, SOPClassUID=CT))
    before = dataset.pixel_array.copy()
    dataset.BitsStored, dataset.HighBit = 12, 11
    _, frame = generate_fragments(dataset.PixelData)
    dataset.PixelData = as_items(REMARK if where == "offset table" else b"", frame)
    if where == "extended table":
        dataset.add_new(0x7FE00001, "OV", REMARK)
        dataset.add_new(0x7FE00002, "OV", REMARK)
    copy = copy_of(saved(dataset, path), tmp_path / "out")
    copy.BitsStored, copy.HighBit = 16, 15
    assert np.array_equal(copy.pixel_array, before)
