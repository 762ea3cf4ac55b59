"""Contours of a mask, filled again by others, are the mask."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from slicermedai.errors import FormatError
from slicermedai.export.contours import outlines
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, LEFT_KIDNEY, LESION, SPECS, Case, a_ball, a_case, with_label_map
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors
from Testing.fixtures.grids import tilted


def exported(case: Case, folder: Path) -> Path:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("rtstruct",))
    return path


def filled(polygon: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels whose centres matplotlib finds inside ``polygon`` (row, column)."""
    centres = np.argwhere(np.ones(shape, bool))
    return Polygon(np.vstack([polygon, polygon[:1]]), closed=True).contains_points(centres).reshape(shape)


def planes_of(case: Case) -> dict[tuple[str, int], tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    """For each source plane its slice, the position of its first voxel, and its steps along rows and columns."""
    found = {}
    for header in case.headers:
        groups = header.get("PerFrameFunctionalGroupsSequence")
        for number in range(len(groups) if groups else 1):
            group = groups[number] if groups else None
            shared = header.SharedFunctionalGroupsSequence[0] if groups else None
            place = group.PlanePositionSequence[0] if group is not None else header
            turn = _first(group, shared, "PlaneOrientationSequence") if group is not None else header
            scale = _first(group, shared, "PixelMeasuresSequence") if group is not None else header
            cosines = np.array(turn.ImageOrientationPatient, float).reshape(2, 3)
            spacing = np.array(scale.PixelSpacing, float)
            origin = np.array(place.ImagePositionPatient, float)
            index = int(np.rint(case.geometry.to_index(origin)[0]))
            found[(str(header.SOPInstanceUID), number + 1)] = (index, origin, cosines[::-1].T * spacing)
    return found


def _first(group: Dataset, shared: Dataset, name: str) -> Dataset:
    return (group if name in group else shared)[name][0]


def rasterised(dataset: Dataset, case: Case) -> list[NDArray[np.bool_]]:
    """The masks of all structures, from the contours and the headers of the images that they cite, and nothing else."""
    planes, masks = planes_of(case), []
    for roi in dataset.ROIContourSequence:
        mask = np.zeros(case.geometry.shape, bool)
        for contour in roi.get("ContourSequence", ()):
            image = contour.ContourImageSequence[0]
            key = (str(image.ReferencedSOPInstanceUID), int(image.get("ReferencedFrameNumber", 1)))
            index, origin, steps = planes[key]
            points = np.array(contour.ContourData, float).reshape(-1, 3) - origin
            normal = np.cross(*(steps / np.linalg.norm(steps, axis=0)).T)
            assert np.abs(points @ normal).max() < 1e-3
            assert len(points) == contour.NumberOfContourPoints
            pixels = points @ np.linalg.pinv(steps).T
            mask[index] ^= filled(pixels, case.geometry.shape[1:])
        masks.append(mask)
    return masks


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def a_shell(case: Case) -> NDArray[np.bool_]:
    """A ball with a hole, and a smaller ball in the hole."""
    whole, hole = a_ball(case.geometry), a_ball(case.geometry, radius=(0.3, 0.2, 0.25))
    return np.asarray((whole & ~hole) | a_ball(case.geometry, radius=(0.15, 0.08, 0.1)))


@pytest.mark.parametrize("name", GRIDS)
def test_contours_filled_again_are_the_mask_in_every_orientation(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    case = a_case(GRIDS[name], masks=(a_ball(case.geometry), a_shell(case)))
    path = exported(case, tmp_path)
    found = rasterised(dcmread(path), case)
    assert [dice(one, mask) for one, mask in zip(found, case.masks, strict=True)] == [1.0, 1.0]
    assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("kind", SPECS)
def test_a_structure_set_of_every_kind_of_source_is_valid(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    path = exported(case, tmp_path)
    sources = [tmp_path / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, file in zip(case.headers, sources, strict=True):
        header.save_as(file)
    assert dciodvfy_errors(path) == []
    study = str(case.headers[0].StudyInstanceUID)  # C.8.8.5 wants it cited as an instance, which no file can be
    assert [error for error in dcentvfy_errors([path, *sources]) if study not in error] == []
    assert dice(rasterised(dcmread(path), case)[0], case.masks[0]) == 1.0


def test_a_structure_says_what_it_is_and_which_algorithm_drew_it(tmp_path: Path) -> None:
    ball = a_ball(GRIDS["axial"])
    case = with_label_map(
        a_case(masks=(ball, a_ball(GRIDS["axial"], radius=(0.2, 0.1, 0.1))), labels=(LEFT_KIDNEY, LESION))
    )
    dataset = dcmread(exported(case, tmp_path))
    assert [roi.ROIName for roi in dataset.StructureSetROISequence] == ["Left kidney", "Lesion"]
    assert {roi.ROIGenerationAlgorithm for roi in dataset.StructureSetROISequence} == {"AUTOMATIC"}
    algorithm = dataset.StructureSetROISequence[0].ROIDerivationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("brain", "1.2.0")
    assert f"weights sha256: {'5e' * 32}" in algorithm.AlgorithmParameters
    assert [one.RTROIInterpretedType for one in dataset.RTROIObservationsSequence] == ["ORGAN", ""]
    kinds = [one.RTROIIdentificationCodeSequence[0] for one in dataset.RTROIObservationsSequence]
    assert [kind.CodeValue for kind in kinds] == ["64033007", "108369006"]
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert list(dataset.ROIContourSequence[0].ROIDisplayColor) == list(LEFT_KIDNEY.color)


def test_every_contour_names_an_image_that_the_set_names(tmp_path: Path) -> None:
    case = a_case()
    dataset = dcmread(exported(case, tmp_path))
    (space,) = dataset.ReferencedFrameOfReferenceSequence
    (series,) = space.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    named = {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence}
    assert named == {header.SOPInstanceUID for header in case.headers}
    assert space.FrameOfReferenceUID == case.headers[0].FrameOfReferenceUID
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID in named


def test_an_empty_structure_has_no_contour(tmp_path: Path) -> None:
    case = a_case(masks=(np.zeros(GRIDS["axial"].shape, bool),))
    path = exported(case, tmp_path)
    assert "ContourSequence" not in dcmread(path).ROIContourSequence[0]
    assert dciodvfy_errors(path) == []


def test_a_leaning_stack_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="ImageOrientationPatient"):
        exported(a_case(tilted(GRIDS["axial"], 15.0)), tmp_path)


def area(polygon: NDArray[np.float64]) -> float:
    rows, columns = polygon.T
    return float(abs(rows @ np.roll(columns, 1) - columns @ np.roll(rows, 1)) / 2)


@settings(deadline=None, max_examples=60)
@given(shape=st.tuples(st.integers(1, 14), st.integers(1, 14)), seed=st.integers(0, 2**32 - 1), density=st.floats(0, 1))
def test_any_plane_comes_back_from_its_outlines(shape: tuple[int, int], seed: int, density: float) -> None:
    plane = np.random.default_rng(seed).random(shape) < density
    found = np.zeros(shape, bool)
    for polygon in outlines(plane):
        inside = filled(polygon, shape)
        assert not (found & inside).any()
        assert area(polygon) == pytest.approx(float(inside.sum()))
        found |= inside
    assert np.array_equal(found, plane)


def test_a_large_structure_is_traced_in_less_than_a_second() -> None:
    rows, columns = np.ogrid[:512, :512]
    plane = np.asarray((rows - 250) ** 2 + (columns - 260) ** 2 < 200**2)
    started = time.process_time()
    for _ in range(50):
        outlines(plane)
    assert time.process_time() - started < 1.0
