"""A mask written as DICOM SEG comes back as it was, for us and for others."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from slicermedai.domain.finding import Finding, Mask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.formats import FORMATS
from slicermedai.export.frame_file import save_frames
from slicermedai.export.run import export_result
from slicermedai.export.seg_read import ReadSegmentation, read
from Testing.export.cases import (
    BRAIN_LABEL,
    GRIDS,
    LEFT_KIDNEY,
    SPECS,
    Case,
    a_ball,
    a_case,
    a_finding,
    a_result,
    in_space,
    with_label_map,
)
from Testing.export.validators import dciodvfy_errors, segimage2itkimage
from Testing.fixtures.grids import grid


def exported(case: Case, folder: Path) -> Path:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("seg",))
    return path


def assert_same(found: ReadSegmentation, case: Case) -> None:
    assert np.abs(found.geometry.affine - case.geometry.affine).max() < 1e-6
    assert found.geometry.frame_of_reference_uid == case.geometry.frame_of_reference_uid
    assert len(found.segments) == len(case.masks)
    for segment, mask in zip(found.segments, case.masks, strict=True):
        assert np.array_equal(segment.mask.to_array(), mask)


@pytest.mark.parametrize("geometry", GRIDS.values(), ids=GRIDS)
def test_a_mask_comes_back_voxel_for_voxel_from_every_orientation(geometry: Geometry, tmp_path: Path) -> None:
    case = a_case(geometry)
    path = exported(case, tmp_path)
    assert_same(read(path), case)
    assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("kind", SPECS)
def test_a_segmentation_of_every_kind_of_source_is_valid_and_names_its_images(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    path = exported(case, tmp_path)
    assert dciodvfy_errors(path) == []
    assert_same(read(path), case)
    assert_sources(dcmread(path), case)


def assert_sources(dataset: Dataset, case: Case) -> None:
    """Each frame was derived from the image plane that lies where it lies."""
    planes = source_positions(case.headers)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        key = (source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber"))
        place = group.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(np.array(place, float), planes[key], atol=1e-6)


def source_positions(headers: tuple[Dataset, ...]) -> dict[tuple[str, int | None], NDArray[np.float64]]:
    if "PerFrameFunctionalGroupsSequence" not in headers[0]:
        return {(h.SOPInstanceUID, None): np.array(h.ImagePositionPatient, float) for h in headers}
    groups = headers[0].PerFrameFunctionalGroupsSequence
    return {
        (headers[0].SOPInstanceUID, n): np.array(g.PlanePositionSequence[0].ImagePositionPatient, float)
        for n, g in enumerate(groups, 1)
    }


@pytest.mark.parametrize("name", ["oblique", "flipped slices", "anisotropic", "sagittal"])
def test_dcmqi_sees_the_same_voxels_in_the_same_places(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    (image,) = segimage2itkimage(exported(case, tmp_path), tmp_path)
    inside = np.argwhere(case.masks[0])
    places = case.geometry.to_lps(inside)
    found = [image.TransformPhysicalPointToIndex([float(v) for v in place]) for place in places]
    assert all(image[index] == 1 for index in found)
    exact = np.array([image.TransformPhysicalPointToContinuousIndex([float(v) for v in p]) for p in places])
    assert np.abs(exact - np.rint(exact)).max() < 1e-3
    total = sum(int(image[index] != 0) for index in np.ndindex(*image.GetSize()))
    assert total == len(inside)


@pytest.mark.parametrize("name", ["axial", "oblique", "flipped everywhere"])
def test_highdicom_reads_the_same_volume(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    volume = highdicom.seg.segread(exported(case, tmp_path)).get_volume(combine_segments=True)
    matched = volume.match_geometry(highdicom.Volume(case.masks[0], case.geometry.affine, "PATIENT"))
    assert np.array_equal(matched.array.astype(bool), case.masks[0])


def test_overlapping_structures_keep_their_own_voxels(tmp_path: Path) -> None:
    geometry = GRIDS["axial"]
    masks = (a_ball(geometry), a_ball(geometry, middle=(0.6, 0.6, 0.6)), a_ball(geometry, radius=(0.1, 0.1, 0.1)))
    case = a_case(masks=masks)
    path = exported(case, tmp_path)
    assert_same(read(path), case)
    assert dcmread(path).SegmentsOverlap == "YES"
    assert dciodvfy_errors(path) == []


def test_exclusive_labels_are_said_to_be_exclusive(tmp_path: Path) -> None:
    geometry = GRIDS["axial"]
    case = with_label_map(a_case(masks=(a_ball(geometry), a_ball(geometry, radius=(0.2, 0.1, 0.1)))))
    path = exported(case, tmp_path)
    assert_same(read(path), case)
    assert dcmread(path).SegmentsOverlap == "NO"


def test_two_lesions_far_apart_leave_the_slices_between_them_out(tmp_path: Path) -> None:
    mask = np.zeros(GRIDS["axial"].shape, bool)
    mask[1, 3:6, 4:9] = mask[5, 10:14, 2:5] = True
    case = a_case(masks=(mask,))
    path = exported(case, tmp_path)
    assert dcmread(path).NumberOfFrames == 4
    assert_same(read(path), case)


def test_an_empty_structure_is_still_a_segment(tmp_path: Path) -> None:
    case = a_case(masks=(np.zeros(GRIDS["axial"].shape, bool),))
    path = exported(case, tmp_path)
    assert_same(read(path), case)
    assert dciodvfy_errors(path) == []


@settings(deadline=None, max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 2**32 - 1),
    density=st.floats(0, 1),
)
def test_any_mask_of_any_size_comes_back(
    shape: tuple[int, int, int], seed: int, density: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = np.random.default_rng(seed)
    masks = tuple(random.random(shape) < density for _ in range(2))
    case = a_case(grid(shape=shape, spacing=(3, 1, 1)), masks=masks)
    assert_same(read(exported(case, tmp_path_factory.mktemp("seg"))), case)


def test_a_segment_says_which_algorithm_made_it(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),), labels=(LEFT_KIDNEY,))
    (segment,) = dcmread(exported(case, tmp_path)).SegmentSequence
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "brain")
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert algorithm.AlgorithmVersion == "1.2.0"
    assert f"weights sha256: {'5e' * 32}" in algorithm.AlgorithmParameters
    assert segment.TrackingUID == case.result.findings[0].tracking_uid
    (kind,) = segment.SegmentedPropertyTypeCodeSequence
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"


def test_a_label_keeps_its_colour(tmp_path: Path) -> None:
    case = a_case(labels=(BRAIN_LABEL,))
    (segment,) = dcmread(exported(case, tmp_path)).SegmentSequence
    color = highdicom.color.CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue)
    assert np.abs(np.subtract(color.to_rgb(clip=True), BRAIN_LABEL.color)).max() <= 1


def test_a_whole_head_is_written_in_less_than_two_seconds(tmp_path: Path) -> None:
    geometry = grid(shape=(181, 217, 181), spacing=(1, 1, 1))
    small = a_case(grid(shape=(181, 2, 2), spacing=(1, 1, 1)), masks=())
    for header in small.headers:
        header.Rows, header.Columns = geometry.shape[1:]
        header.ImagePositionPatient[:2] = [str(v) for v in geometry.origin[:2]]
    placed = in_space(geometry, small.headers)
    whole = a_finding(a_ball(geometry), placed, label=BRAIN_LABEL, number=1)
    result = a_result(placed, small.headers, (whole,))
    started = time.process_time()
    (path,) = export_result(result, headers=small.headers, folder=tmp_path, formats=("seg",))
    assert time.process_time() - started < 2.0
    assert path.stat().st_size < 1.2e6


@pytest.mark.parametrize(("rows", "columns"), [(20, 18), (8, 8), (5, 7), (3, 3)])
def test_the_file_is_the_one_that_pydicom_would_write(rows: int, columns: int, tmp_path: Path) -> None:
    """Sizes whose frames end within a byte, and files that end within two."""
    geometry = grid(shape=(6, rows, columns), spacing=(2, 1, 1))
    case = a_case(geometry, masks=(a_ball(geometry), a_ball(geometry, radius=(0.1, 0.1, 0.1))))
    assert_written_as_by_pydicom(exported(case, tmp_path), tmp_path)


def assert_written_as_by_pydicom(path: Path, folder: Path) -> None:
    dataset = dcmread(path)
    assert all(element.value is not None for element in dataset.iterall())  # read in full, so that all is written anew
    dataset.save_as(folder / "again.dcm", implicit_vr=False, little_endian=True)
    assert (folder / "again.dcm").read_bytes() == path.read_bytes()


def test_a_segmentation_of_many_organs_needs_no_memory_for_each(tmp_path: Path) -> None:
    """60 organs in a grid of 6.5 MB: whole masks would be 400 MB, their frames as bits 50 MB."""
    geometry = grid(shape=(100, 256, 256), spacing=(1, 1, 1))
    small = a_case(grid(shape=(100, 2, 2), spacing=(1, 1, 1)), masks=())
    for header in small.headers:
        header.Rows, header.Columns = geometry.shape[1:]
        header.ImagePositionPatient[:2] = [str(v) for v in geometry.origin[:2]]
    placed = in_space(geometry, small.headers)
    array = np.tile(np.arange(256, dtype=np.uint8) // 4, (100, 256, 1))
    shared = LabelMap(array=array, geometry=placed)
    findings = tuple(
        Finding(tracking_uid=f"2.25.{n}", label=BRAIN_LABEL, region=Mask(label_map=shared, value=n))
        for n in range(1, 61)
    )
    result = a_result(placed, small.headers, findings)
    tracemalloc.start()
    (path,) = export_result(result, headers=small.headers, folder=tmp_path, formats=("seg",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert dcmread(path, stop_before_pixels=True).NumberOfFrames == 60 * 100
    assert path.stat().st_size > 50e6
    assert peak < 25e6


def test_pixels_that_no_object_can_hold_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns, dataset.BitsAllocated = 2**19, 512, 512, 1
    with pytest.raises(FormatError, match="4 GiB") as caught:
        save_frames(dataset, tmp_path / "seg.dcm", groups=b"", frames=[])
    assert caught.value.attribute == "PixelData"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_segmentation_is_refused_by_the_reader(tmp_path: Path) -> None:
    case = a_case()
    paths = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))
    reader = FORMATS["seg"].read
    assert reader is not None
    with pytest.raises(FormatError, match="SegmentationType"):
        reader(paths[1])
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(b"no DICOM at all")
    with pytest.raises(UnreadableFileError):
        reader(cut)
