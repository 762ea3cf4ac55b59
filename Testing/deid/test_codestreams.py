"""What stands in compressed frames where no decoder looks: segments and boxes of no meaning, ends of segments, gaps."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless

from slicermedai.deid.codestreams import Blanker
from slicermedai.deid.profile import Profile
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.verify import find
from slicermedai.errors import UnreadableFileError
from Testing.deid.pixels.pictures import SC, a_file
from Testing.deid.samples import KEY

SAID = b"DR FREMDLING WROTE THIS"
PICTURE = np.random.default_rng(5).integers(0, 255, (40, 56, 3)).astype(np.uint8)


def coded(kind: str, **options: object) -> bytes:
    made = BytesIO()
    Image.fromarray(PICTURE).save(made, kind, **options)
    return made.getvalue()


JPEG, J2K, JP2 = coded("JPEG"), coded("JPEG2000", no_jp2=True), coded("JPEG2000")
SCAN = JPEG.index(b"\xff\xda")


def shown(frame: bytes) -> np.ndarray:
    with Image.open(BytesIO(frame)) as picture:
        return np.asarray(picture)


def a_segment(marker: int, body: bytes = SAID) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def early(more: bytes, frame: bytes = JPEG) -> bytes:
    return frame[:2] + more + frame[2:]


def longer(marker: int, frame: bytes = JPEG) -> bytes:
    """The first segment of that marker goes on behind what it says."""
    place = frame.index(bytes([0xFF, marker]))
    size = int.from_bytes(frame[place + 2 : place + 4], "big")
    return (
        frame[: place + 2]
        + (size + len(SAID)).to_bytes(2, "big")
        + frame[place + 4 : place + 2 + size]
        + SAID
        + frame[place + 2 + size :]
    )


def blanked(frame: bytes, syntax: str = "", piece: int = 7) -> bytes:
    blanker = Blanker(syntax)
    made = [out for n in range(0, len(frame), piece) for out in blanker.feed(frame[n : n + piece])]
    return b"".join((*made, *blanker.end()))


def of_ls(*, table: bool) -> bytes:
    """JPEG-LS of a grey picture; with a table for its samples (ISO/IEC 14495-1 C.2.4.1.2) where it is wanted."""
    grey = np.ascontiguousarray(PICTURE[..., 0])
    frame = bytes(
        get_encoder(JPEGLSLossless).encode(
            grey,
            rows=grey.shape[0],
            columns=grey.shape[1],
            number_of_frames=1,
            samples_per_pixel=1,
            bits_allocated=8,
            bits_stored=8,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
        )
    )
    return early(a_segment(0xF8, b"\2\1\1" + bytes(range(256))), frame) if table else frame


PLAIN = {
    "progressive": (coded("JPEG", progressive=True), JPEGBaseline8Bit),
    "restarts": (coded("JPEG", restart_marker_blocks=2, optimize=True), JPEGBaseline8Bit),
    "JPEG-LS": (of_ls(table=False), JPEGLSLossless),
    "JPEG-LS with a table": (of_ls(table=True), JPEGLSLossless),
    "JPEG 2000": (J2K, JPEG2000Lossless),
    "JP2": (JP2, JPEG2000Lossless),
    "tiles": (coded("JPEG2000", no_jp2=True, tile_size=(16, 16), num_resolutions=2), JPEG2000Lossless),
}

HIDDEN_IN_JPEG = {
    **{f"reserved {marker:02x}": early(a_segment(marker)) for marker in (0x02, 0x4F, 0xBF, 0xF0, 0xF6, 0xFD)},
    **{f"behind {marker:02x}": longer(marker) for marker in (0xC0, 0xC4, 0xDA, 0xDB)},
    "behind dri": early(a_segment(0xDD, b"\0\0" + SAID)),
    "behind lines": JPEG[:-2] + a_segment(0xDC, b"\0\x28" + SAID) + JPEG[-2:],
    "behind exp": early(a_segment(0xDF, b"\0" + SAID)),
    "a table of no number": early(a_segment(0xDB, b"\7" + (SAID * 3)[:64])),
    "no marker": early(b"\0" + a_segment(0xFE)),
    "text for a marker": early(SAID),
    "a bare marker in the scan": JPEG[:-2] + b"\xff\x01" + SAID + a_segment(0xFE) + JPEG[-2:],
    "another start in the scan": JPEG[:-2] + b"\xff\xd8" + SAID + JPEG[-2:],
    "fill bytes before the start": b"\xff" + early(a_segment(0xFE)),
}


@pytest.mark.parametrize("hidden", HIDDEN_IN_JPEG)
@pytest.mark.parametrize("piece", [5, 1 << 16])
def test_text_where_no_decoder_looks_is_gone_from_jpeg(hidden: str, piece: int) -> None:
    frame = HIDDEN_IN_JPEG[hidden]
    after = blanked(frame, str(JPEGBaseline8Bit), piece)
    assert SAID[-9:] in frame
    assert len(after) == len(frame)
    assert SAID[3:12] not in after
    assert SAID[-9:] not in after


@pytest.mark.parametrize("hidden", ["behind lines", "a bare marker in the scan"])
def test_what_decoders_read_over_is_gone_and_they_show_the_same(hidden: str) -> None:
    frame = HIDDEN_IN_JPEG[hidden]
    np.testing.assert_array_equal(shown(blanked(frame)), shown(frame))


def test_frames_with_nothing_hidden_stay_as_they_are() -> None:
    others = [coded("JPEG", progressive=True), coded("JPEG", restart_marker_blocks=2, optimize=True)]
    for frame in (JPEG, *others):
        assert blanked(frame, str(JPEGBaseline8Bit)) == frame


@pytest.mark.parametrize("marker", [0x62, 0x65, 0x6F, 0x80, 0xFE])
def test_segments_that_jpeg_2000_does_not_know_are_blanked(marker: int) -> None:
    behind = 4 + int.from_bytes(J2K[4:6], "big")
    frame = J2K[:behind] + a_segment(marker) + J2K[behind:]
    after = blanked(frame, str(JPEG2000Lossless))
    assert (SAID in frame, SAID in after, len(after)) == (True, False, len(frame))
    assert after == blanked(frame.replace(SAID, bytes(len(SAID))))


@pytest.mark.parametrize("kind", [b"xml ", b"uuid", b"lbl "])
def test_boxes_in_the_header_of_jpeg_2000_are_looked_into(kind: bytes) -> None:
    place = JP2.index(b"jp2h") - 4
    size = int.from_bytes(JP2[place : place + 4], "big")
    more = (8 + len(SAID)).to_bytes(4, "big") + kind + SAID
    frame = JP2[:place] + (size + len(more)).to_bytes(4, "big") + JP2[place + 4 : place + size] + more
    frame += JP2[place + size :]
    after = blanked(frame, str(JPEG2000Lossless), 5)
    assert (SAID in frame, SAID in after, len(after)) == (True, False, len(frame))
    np.testing.assert_array_equal(shown(after), PICTURE)


def test_the_description_of_a_profile_in_boxes_is_blanked() -> None:
    place = JP2.index(b"colr") - 4
    profile = bytearray(132 + 12 + 64)
    profile[128:144] = (1).to_bytes(4, "big") + b"desc" + (144).to_bytes(4, "big") + (64).to_bytes(4, "big")
    profile[144 : 156 + len(SAID)] = b"desc\0\0\0\0" + len(SAID).to_bytes(4, "big") + SAID
    box = (11 + len(profile)).to_bytes(4, "big") + b"colr\2\0\0" + profile
    size = int.from_bytes(JP2[place : place + 4], "big")
    after = blanked(JP2[:place] + box + JP2[place + size :])
    assert SAID not in after
    assert after[place : place + 15 + 140] == box[:155]


@pytest.mark.parametrize("end", ["50", "57", "70", "80", "90", "91", "110", "112", "201", "203"])
def test_what_is_no_frame_under_a_syntax_of_pictures_is_refused_by_name(end: str) -> None:
    for frame in (SAID, b"\0" + JPEG, b"\0\0\0\0" + SAID):
        with pytest.raises(UnreadableFileError, match="PixelData"):
            blanked(frame, f"1.2.840.10008.1.2.4.{end}")
    assert blanked(SAID * 9, "1.2.840.10008.1.2.1.98") == SAID * 9


def test_a_file_whose_frame_is_none_is_left_out(tmp_path: Path) -> None:
    a_file(tmp_path / "good.dcm", PICTURE[..., 0], syntax=JPEGBaseline8Bit, SOPClassUID=SC)
    dataset = dcmread(tmp_path / "good.dcm")
    dataset.PixelData = encapsulate([b"\0" + early(a_segment(0xFE))])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.save_as(tmp_path / "wrong.dcm")
    files = [tmp_path / name for name in ("good.dcm", "wrong.dcm")]
    rows = deidentify_all(files, tmp_path / "out", DeidSettings(profile=Profile(), key=KEY)).files
    assert [row.refused.partition(" (")[0] for row in rows] == ["", "has a compressed frame that is none"]
    assert [path.name for path in (tmp_path / "out").rglob("*.dcm")] == ["00001.dcm"]


def written(folder: Path, frame: bytes, syntax: str, fragments: int = 1) -> Path:
    path = a_file(folder / "a.dcm", PICTURE[..., 0], syntax=JPEGBaseline8Bit, SOPClassUID=SC)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame], fragments_per_frame=fragments, has_bot=False)
    dataset.save_as(path)
    return path


def objections(path: Path) -> set[str]:
    return {hit.sentence.partition(" in the value")[0] for hit in find(path, frozenset())}


@pytest.mark.parametrize("hidden", HIDDEN_IN_JPEG)
@pytest.mark.parametrize("fragments", [1, 3])
def test_the_verifier_sees_text_where_no_decoder_looks_by_itself(tmp_path: Path, hidden: str, fragments: int) -> None:
    frame = HIDDEN_IN_JPEG[hidden]
    assert objections(written(tmp_path, frame, JPEGBaseline8Bit, fragments))
    assert objections(written(tmp_path, blanked(frame, str(JPEGBaseline8Bit)), JPEGBaseline8Bit, fragments)) == set()


def test_a_segment_that_goes_on_in_the_next_piece_of_a_long_frame_is_followed(tmp_path: Path) -> None:
    for ahead in range(2_090_000, 2_097_200, 1_201):
        scan = b"\x21" * (ahead - len(JPEG))
        for more in (b"", a_segment(0xF3, bytes(60_000) + SAID), a_segment(0xF3, bytes(60_000)) + SAID):
            path = written(tmp_path, JPEG[:-2] + scan + more + JPEG[-2:] * bool(more), JPEGBaseline8Bit)
            assert bool(objections(path)) is bool(more)


@pytest.mark.parametrize(
    "kind", ["progressive", "restarts", "JPEG-LS", "JPEG-LS with a table", "JPEG 2000", "JP2", "tiles"]
)
@pytest.mark.parametrize("fragments", [1, 2, 5])
def test_the_verifier_passes_frames_with_nothing_hidden(tmp_path: Path, kind: str, fragments: int) -> None:
    frame, syntax = PLAIN[kind]
    frame = blanked(frame, str(syntax))  # OpenJPEG leaves its name
    assert objections(written(tmp_path, frame, syntax, fragments)) == set()


@pytest.mark.parametrize("marker", [0x62, 0x65, 0x6F, 0x80, 0xFE])
def test_the_verifier_sees_segments_that_jpeg_2000_does_not_know(tmp_path: Path, marker: int) -> None:
    behind = 4 + int.from_bytes(J2K[4:6], "big")
    for more in (a_segment(marker), SAID):
        assert objections(written(tmp_path, J2K[:behind] + more + J2K[behind:], JPEG2000Lossless))
        boxed = JP2.index(J2K[:20])
        frame = JP2[: boxed + behind] + more + JP2[boxed + behind :]
        assert objections(written(tmp_path, frame.replace(*_longer(JP2, len(more))), JPEG2000Lossless))


def _longer(frame: bytes, more: int) -> tuple[bytes, bytes]:
    """The head of the box of the codestream, and the same of a longer one."""
    place = frame.index(b"jp2c") - 4
    size = int.from_bytes(frame[place : place + 4], "big")
    return frame[place : place + 8], (size + more if size else 0).to_bytes(4, "big") + b"jp2c"


@pytest.mark.parametrize("kind", [b"xml ", b"uuid", b"lbl "])
def test_the_verifier_sees_boxes_in_the_header_of_jpeg_2000(tmp_path: Path, kind: bytes) -> None:
    place = JP2.index(b"jp2h") - 4
    size = int.from_bytes(JP2[place : place + 4], "big")
    more = (8 + len(SAID)).to_bytes(4, "big") + kind + SAID
    frame = JP2[:place] + (size + len(more)).to_bytes(4, "big") + JP2[place + 4 : place + size] + more
    assert objections(written(tmp_path, frame + JP2[place + size :], JPEG2000Lossless))


def test_the_verifier_sees_what_is_no_frame_under_a_syntax_of_pictures(tmp_path: Path) -> None:
    for frame in (SAID, b"\0" + JPEG, b"\0\0\0\0" + SAID):
        assert objections(written(tmp_path, frame, JPEGBaseline8Bit))
