"""Segmentations whose frames others compressed are read voxel for voxel; what nothing decodes is named."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.frame_read import DEFLATED_FRAMES
from slicermedai.export.rle import decode_frame, encode_frame
from slicermedai.export.run import export_result
from slicermedai.export.seg_read import read
from Testing.export.cases import Case, a_ball, a_case
from Testing.fixtures.grids import AXIAL, grid

_GRID = grid(AXIAL, shape=(4, 37, 41), spacing=(2.0, 1.0, 1.0))
"""Frames of 1517 voxels: no whole number of bytes."""
Encode = Callable[[NDArray[np.uint8]], bytes]


def packed(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.packbits(frame.reshape(-1), bitorder="little")


def deflated(content: bytes) -> bytes:
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(content) + made.flush()


_CODES: dict[str, tuple[str, Encode]] = {
    "RLE, a voxel a byte": (RLELossless, encode_frame),
    "RLE, eight voxels a byte": (RLELossless, lambda frame: encode_frame(packed(frame)[None])),
    "deflated frames": (DEFLATED_FRAMES, lambda frame: deflated(packed(frame).tobytes())),
    "JPEG 2000": (
        JPEG2000Lossless,
        lambda frame: encode_array(frame.astype(bool), bits_stored=1, photometric_interpretation=2, use_mct=False),
    ),
}


def two(geometry: Geometry = _GRID) -> Case:
    return a_case(geometry, masks=(a_ball(geometry), a_ball(geometry, radius=(0.5, 0.1, 0.2))))


def binary(case: Case, folder: Path) -> Path:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("seg",))
    return path


def compressed(case: Case, folder: Path, syntax: str, encode: Encode) -> Path:
    """The BINARY segmentation of ``case`` with each frame encoded by itself."""
    path = binary(case, folder)
    dataset = dcmread(path)
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    shape = (int(dataset.NumberOfFrames), int(dataset.Rows), int(dataset.Columns))
    frames = bits[: int(np.prod(shape))].reshape(shape)
    dataset.PixelData = encapsulate([encode(frame) for frame in frames])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.save_as(path)
    path.write_bytes(renamed(path.read_bytes(), syntax))
    return path


def renamed(content: bytes, syntax: str) -> bytes:
    """``content`` of a file under another transfer syntax, which pydicom may not know."""
    head = content.index(b"\x02\x00\x10\x00UI")
    length = struct.unpack("<H", content[head + 6 : head + 8])[0]
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    made = content[: head + 6] + struct.pack("<H", len(value)) + value + content[head + 8 + length :]
    group = struct.unpack("<L", made[140:144])[0]
    return made[:140] + struct.pack("<L", group + len(value) - length) + made[144:]


@pytest.mark.parametrize("name", _CODES)
def test_compressed_frames_are_read_voxel_for_voxel(name: str, tmp_path: Path) -> None:
    case = two()
    found = read(compressed(case, tmp_path, *_CODES[name]))
    assert dcmread(tmp_path / "seg.dcm").file_meta.TransferSyntaxUID == _CODES[name][0]
    for segment, mask in zip(found.segments, case.masks, strict=True):
        assert np.array_equal(segment.mask.to_array(), mask)


def test_a_data_set_that_was_deflated_as_a_whole_is_read(tmp_path: Path) -> None:
    case = two()
    path = binary(case, tmp_path)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    for segment, mask in zip(read(path).segments, case.masks, strict=True):
        assert np.array_equal(segment.mask.to_array(), mask)


def test_deflated_frames_of_a_label_map_are_read(tmp_path: Path) -> None:
    inside = a_ball(_GRID, radius=(0.5, 0.1, 0.2))
    case = a_case(_GRID, masks=(a_ball(_GRID) & ~inside, inside))
    export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg-labelmap-plain",))
    path = tmp_path / "seg-labelmap-plain.dcm"
    dataset = dcmread(path)
    frames = dataset.pixel_array
    dataset.PixelData = encapsulate([deflated(frame.tobytes()) for frame in frames])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.save_as(path)
    path.write_bytes(renamed(path.read_bytes(), DEFLATED_FRAMES))
    for segment, mask in zip(read(path).segments, case.masks, strict=True):
        assert np.array_equal(segment.mask.to_array(), mask)


@pytest.mark.parametrize(("syntax", "words"), [(JPEGLSLossless, "JPEG-LS"), ("1.2.3.4.5", "1.2.3.4.5")])
def test_what_nothing_decodes_is_refused_by_its_transfer_syntax(syntax: str, words: str, tmp_path: Path) -> None:
    path = compressed(two(), tmp_path, syntax, lambda frame: b"\xff\xd8nothing that decodes")
    with pytest.raises(FormatError, match=words) as caught:
        read(path)
    assert (caught.value.attribute, caught.value.file) == ("PixelData", str(path))


@pytest.mark.parametrize("name", _CODES)
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 3], lambda content: b"\0" * 4])
def test_damaged_frames_are_refused(name: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    syntax, encode = _CODES[name]
    path = compressed(two(), tmp_path, syntax, lambda frame: damage(encode(frame)))
    with pytest.raises((FormatError, UnreadableFileError)):
        read(path)


def test_a_frame_that_says_it_is_endless_takes_no_more_memory_than_it_may() -> None:
    bomb = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x01" * 100_000
    assert len(decode_frame(bomb, most=1517)) == 1517


@pytest.mark.parametrize("size", [1, 2, 127, 128, 129, 300])
def test_what_is_encoded_is_decoded(size: int) -> None:
    frame = np.random.default_rng(size).integers(0, 3, (5, size)).astype(np.uint8)
    assert decode_frame(encode_frame(frame), most=frame.size) == frame.tobytes()
