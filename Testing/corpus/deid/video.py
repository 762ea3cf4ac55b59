"""Videos with remarks in their streams: user data, messages of encoders, boxes beside the samples, and what follows.

The streams have the structure of their standards (ISO/IEC 13818-1 and -2, ITU-T H.264 and H.265, ISO/IEC 14496-12), and
noise for coded samples. They are no part of the corpora of the benchmark, since nothing here can decode them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

MPEG2, H264, HEVC = "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.107"
FRAGMENTED = {MPEG2: "1.2.840.10008.1.2.4.100.1", H264: "1.2.840.10008.1.2.4.102.1"}
_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
_CODE = b"\0\0\1"


@dataclass(frozen=True)
class Stream:
    """A stream, the coded samples in it that must stay, and its transfer syntax."""

    name: str
    syntax: str
    raw: bytes
    coded: tuple[bytes, ...]


def streams(remark: bytes, seed: int) -> list[Stream]:
    """One of every kind, with the remark in every place of it that has room for one."""
    return [make(remark, random.Random(f"video {seed} {make.__name__}")) for make in MAKERS]


def write_video(path: Path, stream: Stream, *, fragments: int = 1, **attributes: str) -> Path:
    """A DICOM file of that stream, as one frame item or in ``fragments``."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(_SOP_CLASS), UID("2.25.4711")
    meta.TransferSyntaxUID = UID(FRAGMENTED.get(stream.syntax, stream.syntax) if fragments > 1 else stream.syntax)
    data = FileDataset("", {}, preamble=bytes(128), file_meta=meta)
    data.SOPClassUID, data.SOPInstanceUID = _SOP_CLASS, "2.25.4711"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "2.25.1", "2.25.2", "ES"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 480, 640, 3, "YBR_PARTIAL_420"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.NumberOfFrames, data.PlanarConfiguration = "2", 0
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    data.PixelData = encapsulate([stream.raw], fragments_per_frame=fragments, has_bot=False)
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def _noise(rng: random.Random, size: int) -> bytes:
    """Without what could be taken for a start code."""
    return bytes(rng.randrange(4, 256) for _ in range(size))


def _mpeg2(remark: bytes, rng: random.Random) -> Stream:
    slices = tuple(_CODE + bytes([n]) + _noise(rng, 700) for n in (1, 2, 3))
    head = _CODE + b"\xb3" + bytes([40, 1, 224, 0x33, 255, 255, 0xE0, 0x18])
    said = _CODE + b"\xb2" + remark
    picture = _CODE + b"\0" + bytes([0, 0x0F, 255, 0xF8])
    body = head + said + _CODE + b"\xb8" + bytes([0, 8, 0, 64]) + said + picture + said + b"".join(slices)
    return Stream("MPEG-2", MPEG2, body + _CODE + b"\xb7" + remark, slices)


def _escaped(payload: bytes) -> bytes:
    """With emulation prevention (H.264 7.4.1)."""
    made, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            made.append(3)
            zeros = 0
        made.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(made)


def _message(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    return bytes([kind]) + b"\xff" * (size // 255) + bytes([size % 255]) + payload


def _messages(remark: bytes) -> bytes:
    """Timing that decoders want, and remarks of both kinds, one with zeros in it and one of more than 255 bytes."""
    long = bytes(range(16)) + remark + bytes(5) + remark * 12
    body = _message(1, b"\x12\x34\x56") + _message(5, long) + _message(4, b"\xb5\x00\x31" + remark) + b"\x80"
    return _escaped(body)


def _h264_units(remark: bytes, rng: random.Random) -> tuple[list[bytes], tuple[bytes, ...]]:
    slices = (b"\x65" + _noise(rng, 900), b"\x41" + _noise(rng, 500))
    units = [b"\x67\x64\x00\x28\xac\x72\x04", b"\x68\xee\x3c\x80", b"\x06" + _messages(remark), slices[0]]
    units += [b"\x06" + _messages(remark), slices[1], b"\x0c" + remark + b"\x80", b"\x18" + remark]
    return units, (slices[0], slices[1], units[0], units[1], b"\x01\x03\x12\x34\x56")


def _h264(remark: bytes, rng: random.Random) -> Stream:
    units, coded = _h264_units(remark, rng)
    return Stream("H.264", H264, b"\0" + b"".join(_CODE + unit for unit in [*units, b"\x0b" + remark]), coded)


def _hevc(remark: bytes, rng: random.Random) -> Stream:
    slices = (b"\x26\x01" + _noise(rng, 800), b"\x02\x01" + _noise(rng, 400))
    units = [b"\x40\x01\x0c\x01\xff", b"\x42\x01\x01\x01\x60", b"\x44\x01\xc1\x72", b"\x4e\x01" + _messages(remark)]
    units += [slices[0], b"\x50\x01" + _messages(remark), slices[1], b"\x4c\x01" + remark, b"\x60\x01" + remark]
    return Stream("HEVC", HEVC, b"\0" + b"".join(_CODE + unit for unit in units), (*slices, units[0], units[1]))


def _transport(remark: bytes, rng: random.Random) -> Stream:
    """MPEG-2 in packets of 188 bytes, so that remarks and slices go over their ends, and a table with a remark."""
    inner = _mpeg2(remark * 9, rng)
    packets = [_packet(0x1FFF, 0, remark, first=False)]
    body = _CODE + b"\xe0\0\0\x80\0\0" + inner.raw
    for n in range(0, len(body), 184):
        packets.append(_packet(0x100, n // 184, body[n : n + 184], first=n == 0))
    return Stream("MPEG-2 transport stream", MPEG2, b"".join(packets), ())


def described_stream(remark: bytes, seed: int) -> Stream:
    """The same with the tables of its programme (ISO/IEC 13818-1 2.4.4), which describe it in words: of the programme,
    of its pictures, and behind the end of the table. What decoders need of them counts as coded."""
    inner = _transport(remark, random.Random(f"described {seed}"))
    kinds = bytes.fromhex("0504484d4c56"), bytes.fromhex("0a04656e6700"), bytes.fromhex("02031a485f")
    said = bytes([0x5F, len(remark)]) + remark, b"\x0d" + bytes([len(remark) + 4]) + b"HMLV" + remark
    told, shown = kinds[0] + said[0], kinds[1] + kinds[2] + said[1] + said[0]
    tables = [_section(0, b"\0\1\xe1\0"), _section(2, b"\xe2\0" + _counted(told) + b"\2\xe2\0" + _counted(shown))]
    packets = [
        _packet(pid, 0, (b"\0" + table + remark).ljust(184, b"\xff"), first=True)
        for pid, table in zip((0, 0x100), tables, strict=True)
    ]
    raw = b"".join(packets) + _moved(inner.raw)
    return Stream("MPEG-2 transport stream with tables", MPEG2, raw, (*kinds, tables[0][:12]))


def _section(kind: int, body: bytes) -> bytes:
    """A table of one section with its checksum."""
    head = bytes([kind]) + (0xB000 | len(body) + 9).to_bytes(2, "big") + b"\0\1\xc1\0\0"
    return head + body + checksum(head + body).to_bytes(4, "big")


def _counted(descriptors: bytes) -> bytes:
    return (0xF000 | len(descriptors)).to_bytes(2, "big") + descriptors


def checksum(raw: bytes) -> int:
    """CRC-32 as tables have it (ISO/IEC 13818-1 Annex A)."""
    found = 0xFFFFFFFF
    for byte in raw:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1 ^ (0x04C11DB7 if found >> 31 else 0)) & 0xFFFFFFFF
    return found


def _moved(raw: bytes) -> bytes:
    """The pictures on packets of another number, as the table has them."""
    return raw.replace(b"\x47\x41\0", b"\x47\x42\0").replace(b"\x47\x01\0", b"\x47\x02\0")


def _packet(pid: int, count: int, payload: bytes, *, first: bool) -> bytes:
    head = bytes([0x47, pid >> 8 | (0x40 if first else 0), pid & 255])
    room = 184 - len(payload)
    if not room:
        return head + bytes([0x10 | count % 16]) + payload
    stuffing = bytes([room - 1]) + (b"\0" + b"\xff" * (room - 2) if room > 1 else b"")
    return head + bytes([0x30 | count % 16]) + stuffing + payload


def _box(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def _mp4(remark: bytes, rng: random.Random) -> Stream:
    units, coded = _h264_units(remark, rng)
    samples = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    day = (3_700_000_000).to_bytes(4, "big")
    avcc = b"\x01\x64\x00\x28\xff\xe1\x00\x07" + units[0] + b"\x01\x00\x04" + units[1]
    entry = (
        bytes(6)
        + b"\0\1"
        + bytes(16)
        + b"\2\x80\1\xe0"
        + bytes(14)
        + bytes([len(remark) % 32])
        + remark[:31].ljust(31, b"\0")
    )
    stsd = _box(b"stsd", bytes(7) + b"\1" + _box(b"avc1", entry + b"\0\x18\xff\xff" + _box(b"avcC", avcc)))
    minf = _box(b"minf", _box(b"stbl", stsd))
    hdlr = _box(b"hdlr", bytes(8) + b"vide" + bytes(12) + remark + b"\0")
    mdia = _box(b"mdia", _box(b"mdhd", bytes(4) + day + day + bytes(12)) + hdlr + minf)
    trak = _box(b"trak", _box(b"tkhd", bytes(4) + day + day + bytes(72)) + mdia)
    udta = _box(b"udta", _box(b"meta", bytes(4) + _box(b"ilst", _box(b"\xa9nam", remark))))
    moov = _box(b"moov", _box(b"mvhd", bytes(4) + day + day + bytes(88)) + trak + udta)
    raw = _box(b"ftyp", b"isom\0\0\2\0avc1") + _box(b"free", remark) + moov + _box(b"mdat", samples)
    return Stream("MP4", H264, raw + _box(b"uuid", bytes(16) + remark), coded)


def _riff(remark: bytes, rng: random.Random) -> Stream:
    return Stream("AVI", MPEG2, b"RIFF" + bytes(4) + b"AVI LIST" + remark + _noise(rng, 300), ())


MAKERS: tuple[Callable[[bytes, random.Random], Stream], ...] = (_mpeg2, _h264, _hevc, _transport, _mp4, _riff)
