"""A label map says the same as its BINARY twin: to us, to highdicom, and to the validator."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames, parse_basic_offsets
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import Decision, Review
from slicermedai.errors import FormatError
from slicermedai.export.run import export_result
from slicermedai.export.seg_read import read
from Testing.export.cases import GRIDS, SPECS, Case, a_ball, a_case, a_finding, a_result, with_label_map
from Testing.export.test_seg import assert_same, assert_sources, assert_written_as_by_pydicom
from Testing.export.validators import dciodvfy_errors, segimage2itkimage
from Testing.fixtures.grids import grid


def exported(case: Case, folder: Path, formats: tuple[str, ...] = ("seg-labelmap",)) -> Path:
    paths = export_result(case.result, headers=case.headers, folder=folder, formats=formats)
    assert len(paths) == len(set(paths))
    return folder / f"{formats[-1]}.dcm"


PLAIN = ("seg-labelmap-plain",)


def two_parts(geometry: Geometry = GRIDS["axial"], **more: object) -> Case:
    masks = (a_ball(geometry), a_ball(geometry, middle=(0.6, 0.6, 0.6), radius=(0.3, 0.2, 0.3)))
    return with_label_map(a_case(geometry, masks=masks, **more))  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("geometry", GRIDS.values(), ids=GRIDS)
def test_it_comes_back_voxel_for_voxel_from_every_orientation(geometry: Geometry, tmp_path: Path) -> None:
    case = two_parts(geometry)
    path = exported(case, tmp_path)
    assert_same(read(path), case)
    assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("kind", SPECS)
def test_it_is_valid_for_every_kind_of_source_and_names_its_images(kind: str, tmp_path: Path) -> None:
    case = two_parts(spec=SPECS[kind])
    path = exported(case, tmp_path)
    assert dciodvfy_errors(path) == []
    assert_same(read(path), case)
    assert_sources(dcmread(path), case)


def test_it_is_compressed_frame_by_frame_with_a_table_of_where_each_begins(tmp_path: Path) -> None:
    case = two_parts()
    dataset = dcmread(exported(case, tmp_path))
    assert dataset.file_meta.TransferSyntaxUID == RLELossless
    assert dataset["PixelData"].is_undefined_length
    offsets = parse_basic_offsets(dataset.PixelData)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=dataset.NumberOfFrames))
    assert len(offsets) == len(frames) == dataset.NumberOfFrames == len(case.masks[0])
    assert offsets == [sum(8 + len(frame) for frame in frames[:n]) for n in range(len(frames))]
    labels = case.masks[0] * 1 + case.masks[1] * 2
    assert np.array_equal(dataset.pixel_array, labels)


@pytest.mark.parametrize("kind", SPECS)
def test_it_is_written_uncompressed_where_that_is_asked_for_and_says_the_same(kind: str, tmp_path: Path) -> None:
    case = two_parts(spec=SPECS[kind])
    path = exported(case, tmp_path, PLAIN)
    assert {one.name for one in tmp_path.iterdir()} == {"seg.dcm", "seg-labelmap-plain.dcm"}
    plain = dcmread(path)
    assert plain.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert_same(read(path), case)
    assert dciodvfy_errors(path) == []
    compressed = dcmread(exported(case, tmp_path))
    assert np.array_equal(compressed.pixel_array, plain.pixel_array)
    own = ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "PixelData")
    assert len({str(one.get(name)) for one in (plain, compressed) for name in own[:3]}) == 6
    for name in own:
        del compressed[name], plain[name]
    assert compressed == plain


@pytest.mark.parametrize("formats", [("seg-labelmap",), PLAIN])
def test_the_file_is_the_one_that_pydicom_would_write(formats: tuple[str, ...], tmp_path: Path) -> None:
    geometry = grid(shape=(5, 7, 9), spacing=(2, 1, 1))
    assert_written_as_by_pydicom(exported(two_parts(geometry), tmp_path, formats), tmp_path)


def test_it_has_a_twin_of_the_same_segments(tmp_path: Path) -> None:
    path = exported(two_parts(), tmp_path)
    ours, twin = read(path), read(tmp_path / "seg.dcm")
    assert [(one.number, one.name, one.type, one.tracking_uid) for one in ours.segments] == [
        (one.number, one.name, one.type, one.tracking_uid) for one in twin.segments
    ]
    assert (ours.sop_instance_uid, ours.series_uid) != (twin.sop_instance_uid, twin.series_uid)
    assert dcmread(path).SegmentationType == "LABELMAP"
    assert dcmread(tmp_path / "seg.dcm").SegmentationType == "BINARY"


def test_the_twin_that_was_asked_for_is_written_once_and_both_are_the_same_each_time(tmp_path: Path) -> None:
    case, contents = two_parts(), []
    for name, formats in (("a", (*PLAIN, "seg-labelmap")), ("b", ("seg", *PLAIN, "seg-labelmap"))):
        (tmp_path / name).mkdir()
        exported(case, tmp_path / name, formats)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert set(contents[0]) == {"seg.dcm", "seg-labelmap.dcm", "seg-labelmap-plain.dcm"}
    assert contents[0] == contents[1]


@pytest.mark.parametrize("formats", [("seg-labelmap",), PLAIN])
@pytest.mark.parametrize("name", ["axial", "oblique", "flipped everywhere"])
def test_highdicom_reads_the_same_volume(name: str, formats: tuple[str, ...], tmp_path: Path) -> None:
    case = two_parts(GRIDS[name])
    segmentation = highdicom.seg.segread(exported(case, tmp_path, formats))
    assert segmentation.segmentation_type == highdicom.seg.SegmentationTypeValues.LABELMAP
    labels = case.masks[0] * 1 + case.masks[1] * 2
    volume = segmentation.get_volume(combine_segments=True)
    matched = volume.match_geometry(highdicom.Volume(labels, case.geometry.affine, "PATIENT"))
    assert np.array_equal(matched.array, labels)


def test_what_highdicom_writes_is_read(tmp_path: Path) -> None:
    case = two_parts()
    ours = highdicom.seg.segread(exported(case, tmp_path))
    volume = highdicom.Volume(
        case.masks[0] * np.uint8(1) + case.masks[1] * np.uint8(2),
        case.geometry.affine,
        "PATIENT",
        frame_of_reference_uid=case.geometry.frame_of_reference_uid,
    )
    made = highdicom.seg.Segmentation(
        source_images=list(case.headers),
        pixel_array=volume,
        segmentation_type="LABELMAP",
        segment_descriptions=[ours.get_segment_description(number) for number in (1, 2)],
        series_instance_uid="1.2.3",
        series_number=1,
        sop_instance_uid="1.2.4",
        instance_number=1,
        manufacturer="OTHER",
        manufacturer_model_name="OTHER",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(tmp_path / "theirs.dcm")
    found = read(tmp_path / "theirs.dcm")
    voxels = [np.argwhere(segment.mask.to_array()) for segment in found.segments]
    for indices, mask in zip(voxels, case.masks, strict=True):
        places = {tuple(np.round(place, 3)) for place in found.geometry.to_lps(indices)}
        assert places == {tuple(np.round(place, 3)) for place in case.geometry.to_lps(np.argwhere(mask))}


@pytest.mark.parametrize(("formats", "left"), [(("seg-labelmap",), -300), (PLAIN, -100)])
def test_one_that_is_cut_off_is_refused(formats: tuple[str, ...], left: int, tmp_path: Path) -> None:
    path = exported(two_parts(), tmp_path, formats)
    dataset = dcmread(path)
    dataset.PixelData = dataset.PixelData[:left]
    dataset["PixelData"].is_undefined_length = formats != PLAIN
    dataset.save_as(path)
    with pytest.raises(FormatError, match="PixelData: cannot be decoded"):
        read(path)


def test_one_that_lost_frames_is_refused(tmp_path: Path) -> None:
    path = exported(two_parts(), tmp_path)
    dataset = dcmread(path)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames)))
    dataset.PixelData = encapsulate(frames[:1], has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    with pytest.raises(FormatError, match="PixelData: cannot be decoded"):
        read(path)


def test_findings_that_overlap_are_refused_with_what_to_ask_for(tmp_path: Path) -> None:
    geometry = GRIDS["axial"]
    case = a_case(masks=(a_ball(geometry), a_ball(geometry, radius=(0.1, 0.1, 0.1))))
    with pytest.raises(FormatError) as caught:
        exported(case, tmp_path)
    assert caught.value.attribute == "SegmentsOverlap"
    assert "seg (BINARY)" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_more_segments_than_a_byte_can_number_come_back(tmp_path: Path) -> None:
    geometry = grid(shape=(1, 16, 20), spacing=(1, 1, 1))
    base = a_case(geometry)
    masks = [np.arange(320).reshape(geometry.shape) == number for number in range(300)]
    placed, label = base.result.volume_geometry, base.result.findings[0].label
    findings = tuple(a_finding(mask, placed, label=label, number=n) for n, mask in enumerate(masks, 1))
    case = Case(result=a_result(placed, base.headers, findings), headers=base.headers, masks=tuple(masks))
    path = exported(case, tmp_path)
    dataset = dcmread(path)
    assert dataset.BitsAllocated == 16
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian  # web viewers decode RLE of bytes alone
    assert_same(read(path), case)
    assert dciodvfy_errors(path) == []
    assert_written_as_by_pydicom(path, tmp_path)


@settings(deadline=None, max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(0, 3),
)
def test_any_label_map_of_any_size_comes_back(
    shape: tuple[int, int, int], seed: int, most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    labels = np.random.default_rng(seed).integers(0, most + 1, shape)
    case = a_case(grid(shape=shape, spacing=(3, 1, 1)), masks=tuple(labels == n for n in (1, 2, 3)))
    assert_same(read(exported(case, tmp_path_factory.mktemp("seg"))), case)


def test_a_rejected_value_of_a_shared_label_map_is_background_and_the_others_are_renumbered(tmp_path: Path) -> None:
    case = two_parts()
    first, second = case.result.findings
    rejected = Review(tracking_uid=first.tracking_uid, person="Roe", decision=Decision.REJECTED)
    result = dataclasses.replace(case.result, reviews=(rejected,))
    path = exported(dataclasses.replace(case, result=result), tmp_path)
    (segment,) = read(path).segments
    assert (segment.number, segment.tracking_uid) == (1, second.tracking_uid)
    assert np.array_equal(segment.mask.to_array(), second.region.to_array())  # type: ignore[union-attr]


@pytest.mark.parametrize("formats", [("seg-labelmap",), PLAIN])
@pytest.mark.parametrize("name", ["oblique", "flipped slices", "anisotropic", "sagittal"])
def test_dcmqi_sees_the_same_voxels_in_the_same_places(name: str, formats: tuple[str, ...], tmp_path: Path) -> None:
    case = two_parts(GRIDS[name])
    (image,) = segimage2itkimage(exported(case, tmp_path, formats), tmp_path)
    for number, mask in enumerate(case.masks, 1):
        places = case.geometry.to_lps(np.argwhere(mask))
        found = [image.TransformPhysicalPointToIndex([float(v) for v in place]) for place in places]
        assert {image[index] for index in found} == {number}
        assert sum(int(image[index] == number) for index in np.ndindex(*image.GetSize())) == len(places)
