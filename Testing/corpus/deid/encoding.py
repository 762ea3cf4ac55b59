"""Pixels and data sets in twelve transfer syntaxes, one of them with an extended offset table (PS3.5 A.4)."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
PACKED = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1, JPEGLossless, JPEGLSNearLossless, JPEG2000)
ALL = (JPEGBaseline8Bit, *NATIVE, *PACKED)
ENCODER_OPTIONS: dict[str, dict[str, Any]] = {JPEGLSNearLossless: {"jls_error": 2}, JPEG2000: {"j2k_cr": [8]}}
OFFSETS, OFFSET_LENGTHS = 0x7FE00001, 0x7FE00002
"""Extended Offset Table, and Extended Offset Table Lengths."""
LOSSY: dict[str, str] = {JPEGBaseline8Bit: "ISO_10918_1", JPEGLSNearLossless: "ISO_14495_1", JPEG2000: "ISO_15444_1"}


@dataclass(frozen=True)
class Way:
    """A transfer syntax, and whether an extended offset table stands beside the fragments."""

    syntax: str
    extended: bool = False


def choose_way(turn: int, pixels: np.ndarray | None) -> Way:
    """The syntax of that turn, among those that can hold the pixels."""
    wheel = wheel_for(pixels)
    syntax = wheel[turn % len(wheel)]
    return Way(syntax, extended=syntax in (RLELossless, JPEG2000Lossless) and turn // len(wheel) % 2 == 0)


def wheel_for(pixels: np.ndarray | None) -> tuple[str, ...]:
    """The syntaxes that can hold the pixels: none, colour, 8-bit grey, 12-bit grey."""
    if pixels is None:
        return NATIVE
    if pixels.ndim == 4:
        return (JPEGBaseline8Bit, *NATIVE, RLELossless, JPEG2000Lossless, JPEGLSLossless)
    return ALL if pixels.dtype == np.uint8 else (*NATIVE, *PACKED)


def put_pixels(data: Dataset, pixels: np.ndarray, way: Way, remark: bytes = b"") -> None:
    """Write the pixels into the data set, compressed where the syntax asks for it, ``remark`` as a comment in frames
    that :func:`takes_remarks`."""
    if way.syntax in NATIVE:
        order = pixels.astype(pixels.dtype.newbyteorder(">")) if way.syntax == ExplicitVRBigEndian else pixels
        raw = order.tobytes()
        data.PixelData = raw + b"\0" * (len(raw) % 2)
        data["PixelData"].VR = "OB" if pixels.dtype == np.uint8 and way.syntax != ImplicitVRLittleEndian else "OW"
        return
    frames = [_frame(data, frame, way.syntax) for frame in pixels]
    if remark and takes_remarks(way):
        frames = [_with_remark(frame, remark) for frame in frames]
    if way.extended:
        data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        data.PixelData = encapsulate(frames)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    if way.syntax in LOSSY:
        data.LossyImageCompression, data.LossyImageCompressionRatio = "01", "4"
        data.LossyImageCompressionMethod = LOSSY[way.syntax]


def takes_remarks(way: Way) -> bool:
    """True for JPEG and JPEG 2000."""
    return way.syntax in (JPEGBaseline8Bit, JPEGLossless, JPEGLosslessSV1, JPEG2000, JPEG2000Lossless)


def _with_remark(frame: bytes, remark: bytes) -> bytes:
    """A comment behind the first marker of JPEG (ITU-T T.81 B.2.4.5), or behind SIZ of JPEG 2000 (T.800 A.9.2).

    In some JPEG frames instead behind what a segment says: the number of lines (DNL, T.81 B.2.5) before the end.
    """
    text = remark + b" " * (len(remark) % 2)
    if frame[:2] == b"\xff\xd8" and b"\xff\xc0" in frame and zlib.crc32(remark) % 3 == 0:
        end, lines = frame.rindex(b"\xff\xd9"), frame[frame.index(b"\xff\xc0") + 5 :][:2]
        return frame[:end] + _segment(0xDC, lines + text) + frame[end:]
    if frame[:2] == b"\xff\xd8":
        return frame[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + frame[2:]
    place = 4 + int.from_bytes(frame[4:6], "big")
    return frame[:place] + b"\xff\x64" + (len(text) + 4).to_bytes(2, "big") + b"\0\1" + text + frame[place:]


def _frame(data: Dataset, frame: np.ndarray, syntax: str) -> bytes:
    if syntax == JPEGBaseline8Bit:
        return _baseline(data, frame)
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        return lossless_jpeg(frame, int(data.BitsStored))
    return _by_pydicom(data, frame, syntax)


def _by_pydicom(data: Dataset, frame: np.ndarray, syntax: str) -> bytes:
    options = ENCODER_OPTIONS.get(syntax, {})
    colour = frame.ndim == 3
    said = get_encoder(UID(syntax)).encode(
        frame,
        rows=frame.shape[0],
        columns=frame.shape[1],
        number_of_frames=1,
        samples_per_pixel=3 if colour else 1,
        bits_allocated=int(data.BitsAllocated),
        bits_stored=int(data.BitsStored),
        pixel_representation=0,
        photometric_interpretation=data.PhotometricInterpretation if not colour else "RGB",
        planar_configuration=0,
        encoding_plugin="",
        **options,
    )
    return bytes(said)


def _baseline(data: Dataset, frame: np.ndarray) -> bytes:
    made = io.BytesIO()
    Image.fromarray(frame).save(made, "JPEG", quality=95, subsampling="4:2:2" if frame.ndim == 3 else -1)
    if frame.ndim == 3:
        data.PhotometricInterpretation = "YBR_FULL_422"
    return made.getvalue() + b"\0" * (len(made.getvalue()) % 2)


def lossless_jpeg(frame: np.ndarray, bits: int) -> bytes:
    """JPEG lossless, process 14, selection value 1, of one grey frame (ITU-T T.81 Annex H).

    The Huffman table gives each of the 17 categories a code of 5 bits: simple, and valid for every image.
    """
    rows, columns = frame.shape
    wide = frame.astype(np.int64)
    guess = np.empty_like(wide)
    guess[:, 1:] = wide[:, :-1]
    guess[1:, 0] = wide[:-1, 0]
    guess[0, 0] = 1 << (bits - 1)
    words = [_difference(int(value)) for value in (wide - guess).ravel()]
    stream = "".join(words)
    stream += "1" * (-len(stream) % 8)
    packed = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    table = bytes([0] * 4 + [17] + [0] * 11 + list(range(17)))
    made = b"\xff\xd8" + _segment(
        0xC3, bytes([bits]) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + b"\1\1\x11\0"
    )
    made += _segment(0xC4, b"\0" + table) + _segment(0xDA, b"\1\1\0\1\0\0") + packed + b"\xff\xd9"
    return made + b"\0" * (len(made) % 2)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _difference(value: int) -> str:
    """Category in 5 bits, then the value's own bits (T.81 H.1.2.2)."""
    size = abs(value).bit_length()
    own = value if value >= 0 else value + (1 << size) - 1
    return f"{size:05b}" + (f"{own:0{size}b}" if size else "")


def as_item(value: bytes) -> bytes:
    """An item of encapsulated pixel data (PS3.5 A.4)."""
    return b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little") + value


def items_of(raw: bytes) -> list[bytes]:
    """The items of encapsulated pixel data, the offset table first."""
    found, position = [], 0
    while raw[position : position + 4] == as_item(b"")[:4]:
        size = int.from_bytes(raw[position + 4 : position + 8], "little")
        found.append(raw[position + 8 : position + 8 + size])
        position += 8 + size
    return found
