"""Remarks in videos: none stays, no coded sample changes, and what cannot be followed is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.verify import find
from slicermedai.deid.video import VideoBlanker, codec_of
from slicermedai.deid.video_units import Codec, Units, without_user_data
from slicermedai.errors import UnreadableFileError
from Testing.corpus.deid.encoding import items_of
from Testing.corpus.deid.video import FRAGMENTED, Stream, checksum, described_stream, streams, write_video
from Testing.deid.samples import KEY

REMARK = b"Kow J *17.03.1952 4411"
WHO = {"PatientName": "Kow^Jan", "PatientID": "4411", "PatientBirthDate": "19520317"}
TABLED = "MPEG-2 transport stream with tables"
STREAMS = {stream.name: stream for stream in (*streams(REMARK, 7), described_stream(REMARK, 7))}
FOLLOWED = [name for name in STREAMS if name != "AVI"]


def blanked(stream: Stream, size: int) -> bytes:
    """Given in pieces of that size."""
    codec = codec_of(stream.syntax)
    assert codec is not None
    blanker = VideoBlanker(codec)
    pieces = [stream.raw[n : n + size] for n in range(0, len(stream.raw), size)]
    made = [out for piece in pieces for out in blanker.feed(piece)]
    return b"".join([*made, *blanker.end()])


@pytest.mark.parametrize("name", FOLLOWED)
@pytest.mark.parametrize("size", [1, 7, 188, 999, 1 << 20])
def test_remarks_go_and_samples_stay_in_pieces_of_any_size(name: str, size: int) -> None:
    stream = STREAMS[name]
    made = blanked(stream, size)
    assert len(made) == len(stream.raw)
    assert REMARK not in made
    assert REMARK[:9] not in made
    assert all(coded in made for coded in stream.coded)
    assert blanked(Stream(name, stream.syntax, made, ()), size) == made


def _reserved() -> list[tuple[Codec, bytes]]:
    found = [(Codec.MPEG2, bytes([code])) for code in (0xB0, 0xB1, 0xB4, 0xB6)]
    found += [(Codec.H264, bytes([code])) for code in (0x80, 0x81, 0x85, 0xA7, 0xB8)]
    found += [(Codec.HEVC, bytes([code, 1])) for code in (0x80, 0xA6, 0xB8)]
    return found + [(Codec.HEVC, bytes([kind << 1, 1])) for kind in (*range(10, 16), *range(22, 32))]


@pytest.mark.parametrize(("codec", "head"), _reserved(), ids=str)
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_units_that_no_decoder_reads_are_overwritten(codec: Codec, head: bytes, size: int) -> None:
    start = {Codec.MPEG2: b"\xb3", Codec.H264: b"\x67", Codec.HEVC: b"\x42\x01"}[codec]
    kept = b"\0\0\1" + start + bytes(range(1, 60))
    stream, units = kept + b"\0\0\1" + head + REMARK * 3 + kept, Units(codec)
    pieces = [stream[n : n + size] for n in range(0, len(stream), size)]
    made = b"".join((*(out for piece in pieces for out in units.feed(piece)), *units.end()))
    assert made == kept + b"\0\0\1" + head + b"\xff" * len(REMARK * 3) + kept


def test_packets_keep_their_heads_and_the_pictures_in_them() -> None:
    stream = STREAMS["MPEG-2 transport stream"]
    made = blanked(stream, 1000)
    heads = [made[n : n + 4] for n in range(188, len(made), 188)]
    assert heads == [stream.raw[n : n + 4] for n in range(188, len(made), 188)]

    def pictures(raw: bytes) -> bytes:
        bodies = [raw[n + 4 : n + 188] for n in range(188, len(raw) - 188, 188)]
        return b"".join(bodies)

    plain = STREAMS["MPEG-2"]
    noise = pictures(stream.raw)
    for place in (noise.index(b"\0\0\1" + bytes([n])) for n in (1, 2)):
        assert pictures(made)[place : place + 600] == noise[place : place + 600]
    assert plain.coded


@pytest.mark.parametrize("name", FOLLOWED)
@pytest.mark.parametrize("fragments", [1, 3])
def test_a_video_is_written_without_remarks_and_the_verifier_sees_them(
    tmp_path: Path, name: str, fragments: int
) -> None:
    stream = STREAMS[name]
    fragments = fragments if stream.syntax in FRAGMENTED else 1
    path = write_video(tmp_path / "in" / "1.dcm", stream, fragments=fragments, **WHO)
    assert "(7FE0,0010)" in {hit.attribute for hit in find(path, frozenset())} or name == "MPEG-2 transport stream"
    outcome = deidentify_all([path], tmp_path / "out", DeidSettings(key=KEY))
    assert outcome.files[0].refused == ""
    copy = dcmread(tmp_path / "out" / "00001.dcm")
    made = b"".join(items_of(copy.PixelData)[1:])
    assert made[: len(stream.raw)] == blanked(stream, 1 << 20)
    assert REMARK not in made
    assert list(find(tmp_path / "out" / "00001.dcm", frozenset())) == []


def test_what_cannot_be_followed_is_refused_by_name(tmp_path: Path) -> None:
    path = write_video(tmp_path / "in" / "1.dcm", STREAMS["AVI"], **WHO)
    with pytest.raises(UnreadableFileError, match="remarks cannot be looked for"):
        deidentify_all([path], tmp_path / "out", DeidSettings(key=KEY))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("MP4", b"vide", b"soun"),
        ("MP4", b"avc1\0", b"mp4a\0"),
        ("MP4", b"\x00\x00\x00\x07\x67", b"\x7f\x00\x00\x07\x67"),
        ("MPEG-2 transport stream", b"\x47\x41\x00\x10", b"\x46\x41\x00\x10"),
    ],
)
def test_streams_with_other_tracks_or_that_are_damaged_are_refused(name: str, old: bytes, new: bytes) -> None:
    stream = STREAMS[name]
    assert old in stream.raw
    with pytest.raises(UnreadableFileError, match="remarks cannot be looked for"):
        blanked(Stream(name, stream.syntax, stream.raw.replace(old, new), ()), 4000)


PACK = b"\0\0\1\xba" + bytes(10)
PRIVATE = b"\0\0\1\xbf\0\x16" + REMARK
PROGRAMS = {
    "a pack first": PACK + PRIVATE,
    "a pack behind a zero": b"\0" + PACK + PRIVATE,
    "a private stream behind a sequence": b"\0\0\1\xb3\x28\1\xe0\x33\xff\xff\xe0\x18" + PRIVATE,
    "the last code": b"\0\0\1\xb3\x28\1\xe0\x33\xff\xff\xe0\x18\0\0\1\xff" + REMARK,
}


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("codec", ["MPEG-2", "HEVC"])
def test_program_streams_are_refused_by_name_and_the_verifier_sees_them(tmp_path: Path, codec: str, kind: str) -> None:
    plain = STREAMS[codec]
    stream = Stream(kind, plain.syntax, PROGRAMS[kind] + b"".join(b"\0\0\1" + unit[-300:] for unit in plain.coded), ())
    for size in (1, 7, 999):
        with pytest.raises(UnreadableFileError, match="remarks cannot be looked for"):
            blanked(stream, size)
    path = write_video(tmp_path / "in" / "1.dcm", stream, **WHO)
    assert "(7FE0,0010)" in {hit.attribute for hit in find(path, frozenset())}
    with pytest.raises(UnreadableFileError, match="remarks cannot be looked for"):
        deidentify_all([path], tmp_path / "out", DeidSettings(key=KEY))
    assert not (tmp_path / "out").exists()


def test_messages_keep_their_lengths_and_what_is_none_is_overwritten() -> None:
    assert without_user_data(b"\x05\x04Kowa\x01\x02ab\x80") == b"\x05\x04\xff\xff\xff\xff\x01\x02ab\x80"
    assert without_user_data(b"\x05\x05K\0\0\3\0w\x80") == b"\x05\x05\xff\0\0\3\xff\xff\x80"
    assert b"Kowal" not in without_user_data(b"\x01\x7fKowal")
    assert without_user_data(b"\x80") == b"\x80"


def test_tables_keep_what_decoders_need_and_their_checksums(tmp_path: Path) -> None:
    made = blanked(STREAMS[TABLED], 1000)
    for start in (0, 188):
        size = int.from_bytes(made[start + 6 : start + 8], "big") & 0xFFF
        assert checksum(made[start + 5 : start + 8 + size]) == 0
        assert made[start + 8 + size : start + 188].strip(b"\xff") == b""
    assert made[188:196] == STREAMS[TABLED].raw[188:196]


def _with_tables(change: Callable[[bytearray], None]) -> Stream:
    stream = STREAMS[TABLED]
    raw = bytearray(stream.raw)
    change(raw)
    return Stream("changed", stream.syntax, bytes(raw), ())


def _too_long(raw: bytearray) -> None:
    raw[188 + 6 : 188 + 8] = b"\xb1\x40"


def _of_another_kind(raw: bytearray) -> None:
    raw[188 + 5] = 0x42


def _in_two_packets(raw: bytearray) -> None:
    raw[376:376] = b"\x47\x01\0\x11" + (REMARK * 9)[:184]


def _network(raw: bytearray) -> None:
    raw[376:376] = b"\x47\x40\x11\x10" + (b"\0" + REMARK * 9)[:184]


def _null(raw: bytearray) -> None:
    raw[376:376] = b"\x47\x1f\xff\x10" + (REMARK * 9)[:184]


@pytest.mark.parametrize("change", [_too_long, _of_another_kind, _in_two_packets, _network, _null])
@pytest.mark.parametrize("fragments", [1, 3])
def test_the_verifier_reads_tables_and_packets_by_itself(
    tmp_path: Path, change: Callable[[bytearray], None], fragments: int
) -> None:
    stream = _with_tables(change)
    path = write_video(tmp_path / "1.dcm", stream, fragments=fragments, **WHO)
    assert "(7FE0,0010)" in {hit.attribute for hit in find(path, frozenset())}
    try:
        made = blanked(stream, 1000)
    except UnreadableFileError:
        assert change is _too_long
        return
    assert REMARK not in made
    path = write_video(tmp_path / "2.dcm", Stream("made", stream.syntax, made, ()), fragments=fragments, **WHO)
    assert list(find(path, frozenset())) == []
