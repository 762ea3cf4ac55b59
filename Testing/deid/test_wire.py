"""The reader and writer of bytes against pydicom, on files of other makers, on generated ones and on damaged ones."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate_extended
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from slicermedai.deid.datasets import as_found
from slicermedai.deid.patients import opened_file
from slicermedai.deid.pixel_step import unpacked
from slicermedai.deid.pixels.frames import FileFrames
from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.deid.window import Origin
from slicermedai.deid.wire import DEEPEST, Kind, Walk
from slicermedai.errors import UnreadableFileError
from Testing.deid.samples import KEY, a_series, an_image, copies, found_tokens, without_identity
from Testing.deid.test_codestreams import J2K

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
_DATA = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent
_UNREADABLE = {
    "MR_truncated.dcm",
    "SC_rgb_jpeg.dcm",
    "rtplan_truncated.dcm",
    "rtstruct.dcm",
    "meta_missing_tsyntax.dcm",
}
_BARE = {"ExplVR_LitEndNoMeta.dcm", "rtstruct.dcm"}  # without preamble or meta information
_LONGER = {"priv_SQ.dcm"}  # pydicom leaves a private sequence in UN closed


def tags_of(path: Path) -> list[int]:
    with opened_file(Origin(path)) as file:
        return [event[1] for event in Walk(file) if event[0] in (Kind.LEAF, Kind.SEQUENCE, Kind.FRAGMENTS)]


@pytest.mark.parametrize("path", sorted(_DATA.glob("*.dcm")), ids=lambda path: path.name)
def test_it_sees_the_same_elements_as_pydicom_or_says_what_is_wrong(path: Path) -> None:
    if path.name in _UNREADABLE - _BARE or (path.read_bytes()[128:132] != b"DICM" and path.name not in _BARE):
        with pytest.raises((UnreadableFileError, EOFError)):
            tags_of(path)
        return
    with as_found():
        theirs = sorted(int(element.tag) for element in dcmread(path, force=True).iterall())
    ours = sorted(tags_of(path))
    assert ours == theirs or path.name in _LONGER


_TEXTS = st.text(st.characters(codec="ascii", exclude_characters="\\^=", exclude_categories=["Cc"]), max_size=20)
_VALUES = {
    "RescaleType": _TEXTS.map(lambda text: text[:16].strip()),
    "EchoTime": st.integers(-999, 999),
    "Rows": st.integers(0, 65535),
    "SpacingBetweenSlices": st.floats(-1e5, 1e5).map(lambda value: round(value, 3)),
    "MRSpectroscopyAcquisitionType": st.sampled_from(["PLANE", "VOLUME", ""]),
    "DiffusionGradientOrientation": st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    "ICCProfile": st.binary(max_size=40).map(lambda raw: raw + b"\0" * (len(raw) % 2)),
}


def _dataset(values: dict[str, object], items: list[Dataset], *, undefined: bool) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    if items:
        dataset.MRImagingModifierSequence = Sequence(items)
        dataset["MRImagingModifierSequence"].is_undefined_length = undefined
        for item in items:
            item.is_undefined_length_sequence_item = not undefined
    return dataset


_LEAVES = st.fixed_dictionaries({}, optional=_VALUES)
_TREES = st.recursive(
    st.builds(lambda values: _dataset(values, [], undefined=False), _LEAVES),
    lambda inner: st.builds(
        lambda values, items, undefined: _dataset(values, items, undefined=undefined),
        _LEAVES,
        st.lists(inner, max_size=3),
        st.booleans(),
    ),
    max_leaves=8,
)


def _written(dataset: Dataset, path: Path, syntax: str) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyInstanceUID = "1.2.840.10008.5.1.4.1.1.66", "1.2.3", "1.2"
    dataset.PatientID = "QF-7391586"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _kept(dataset: Dataset) -> list[tuple[str, object]]:
    """What no rule touches, at every depth."""
    return [(e.keyword, e.value) for e in dataset.iterall() if e.keyword in _VALUES and e.VR != "SQ"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dataset=_TREES, syntax=st.sampled_from(SYNTAXES))
def test_what_stays_is_read_back_by_pydicom_as_it_was_in_every_encoding_and_nesting(
    tmp_path: Path, dataset: Dataset, syntax: str
) -> None:
    path = _written(dataset, tmp_path / "in.dcm", syntax)
    for old in tmp_path.glob("out*/*"):
        old.unlink()
    without_identity([path], tmp_path / "out")
    (new,) = copies(tmp_path / "out")
    assert _kept(new) == _kept(dcmread(path))
    assert new.file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_written_whole_or_refused_and_never_a_crash(tmp_path: Path, syntax: str, seed: int) -> None:
    inner = _dataset({"EchoTime": 5, "RescaleType": "US"}, [_dataset({"Rows": 7}, [], undefined=False)], undefined=True)
    path = _written(_dataset({"Rows": 3}, [inner, inner], undefined=False), tmp_path / "in.dcm", syntax)
    whole, chance = path.read_bytes(), random.Random(seed)
    good = _written(_dataset({"Rows": 3}, [], undefined=False), tmp_path / "good.dcm", ExplicitVRLittleEndian)
    for number in range(10):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(132, len(damaged))] = chance.choice([0, 0xFF, 0xFE, 0xE0, chance.randrange(256)])
        path.write_bytes(bytes(damaged[: chance.randrange(200, len(damaged) + 1)]))
        out = tmp_path / f"out{number}"
        result = without_identity([good, path], out)
        assert result.files + len(result.refused) == 2
        assert len(list(out.iterdir())) == result.files
        for copy in out.iterdir():
            assert b"7391586" not in copy.read_bytes()


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in")
    good, whole = an_image(tmp_path / "b"), path.read_bytes()
    for cut in range(1, 400, 13):
        path.write_bytes(whole[:-cut])
        assert without_identity([good, path], tmp_path / f"out{cut}").files == 1


def test_sequences_without_end_are_refused_by_name(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in")
    opened = struct.pack("<HH2sHI", 0x5200, 0x9229, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    place = path.read_bytes().index(b"\xe0\x7f\x10\x00")
    path.write_bytes(path.read_bytes()[:place] + opened * (DEEPEST + 1))
    with pytest.raises(UnreadableFileError, match="without end"):
        tags_of(path)


@pytest.mark.parametrize("length", [2, 10_000, 0xFFFFFFFE])
def test_a_length_that_does_not_fit_names_its_attribute(tmp_path: Path, length: int) -> None:
    path = an_image(tmp_path / "in", MREchoSequence=[Dataset()])
    data = path.read_bytes()
    place = data.index(struct.pack("<HH2s", 0x0018, 0x9114, b"SQ"))
    path.write_bytes(data[: place + 8] + struct.pack("<I", length) + data[place + 12 :])
    with pytest.raises(UnreadableFileError, match="lengths in it do not fit"):
        tags_of(path)


def test_a_vr_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in", SequenceName="x")
    path.write_bytes(path.read_bytes().replace(b"\x18\0\x24\0SH", b"\x18\0\x24\0ZZ"))
    with pytest.raises(UnreadableFileError, match=r"no VR"):
        tags_of(path)


def test_fragments_with_an_extended_offset_table_stay_byte_for_byte(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in")
    dataset = dcmread(path)
    comment = J2K.index(b"\xff\x64\x00\x25")
    frame = J2K[:comment] + J2K[comment + 2 + 0x25 :]
    data, offsets, lengths = encapsulate_extended([frame, frame])
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = data, offsets, lengths
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    without_identity([path], tmp_path / "out")
    (new,) = copies(tmp_path / "out")
    assert (new.PixelData, new.ExtendedOffsetTable, new.ExtendedOffsetTableLengths) == (data, offsets, lengths)


def test_zeros_behind_the_dataset_are_left_out(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in")
    path.write_bytes(path.read_bytes() + b"\0" * 512)
    without_identity([path], tmp_path / "out")
    assert not (tmp_path / "out" / "00001.dcm").read_bytes().endswith(b"\0" * 512)


def test_a_private_sequence_in_un_is_entered_and_what_follows_it_is_read(tmp_path: Path) -> None:
    path = an_image(tmp_path / "in")
    dataset, item = dcmread(path), Dataset()
    item.SequenceName = "of Quillfeather"
    stream = io.BytesIO()
    inner = Dataset()
    inner.MREchoSequence = [item]
    inner.save_as(stream, implicit_vr=True, little_endian=True)
    dataset.add_new(0x00180FF0, "UN", stream.getvalue()[8:])
    dataset.save_as(path)
    without_identity([path], tmp_path / "out")
    (new,) = copies(tmp_path / "out")
    assert b"uillfeather" not in (tmp_path / "out" / "00001.dcm").read_bytes()
    assert 0x00180FF0 in new
    assert new.PixelData == dataset.PixelData


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("with_meta", [False, True])
def test_a_file_without_preamble_is_read_as_what_its_first_element_says(
    tmp_path: Path, syntax: str, with_meta: bool
) -> None:
    whole = a_series(tmp_path / "in")[0]
    dataset = dcmread(whole)
    voxels = dataset.PixelData
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(whole)
    raw = whole.read_bytes()
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(raw[132:] if with_meta else raw[raw.index(b"\x08\x00\x05\x00") :])
    outcome = deidentify_all([bare], tmp_path / "out", DeidSettings(key=KEY))
    assert [row.refused for row in outcome.files] == [""]
    copy = dcmread(tmp_path / "out" / "00001.dcm")
    assert copy.file_meta.TransferSyntaxUID == syntax
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID
    assert copy.PixelData == voxels
    assert not found_tokens(tmp_path / "out")


def test_a_file_without_preamble_can_be_searched_for_text_by_other_readers(tmp_path: Path) -> None:
    raw = a_series(tmp_path / "in")[0].read_bytes()
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(raw[raw.index(b"\x08\x00\x05\x00") :])
    with unpacked(Origin(bare)) as path:
        assert FileFrames.open(path).count == 1
        assert path.read_bytes().endswith(bare.read_bytes())
    assert not path.exists()
