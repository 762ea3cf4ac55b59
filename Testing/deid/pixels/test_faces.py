"""Faces: taken off heads of any orientation, the brain untouched, and claimed only where the check holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless
from scipy import ndimage

from slicermedai.deid.pixels.face_series import deface_series, may_show_face
from slicermedai.deid.pixels.faces import compare, deface
from slicermedai.deid.pixels.frames import FileFrames
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnsupportedImageError
from Testing.fixtures.grids import AXIAL, CORONAL, SAGITTAL, covering, rotated
from Testing.fixtures.phantoms import HeadSpec, head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

COARSE = (3.0, 3.0, 3.0)


def a_head(
    codes: str = AXIAL, *, modality: str = "MR", turned: float = 0.0, spacing: tuple[float, float, float] = COARSE
) -> tuple[Volume, np.ndarray]:
    """The head phantom, of 3 mm voxels, and its brain."""
    geometry = covering(codes, spacing=spacing)
    if turned:
        geometry = rotated(geometry, (turned, -turned, turned / 2))
    volume, truth = head_phantom(geometry, spec=HeadSpec(modality=modality, noise=4.0))
    return volume, truth["brain"]


@pytest.mark.parametrize("modality", ["MR", "CT"])
@pytest.mark.parametrize(
    ("codes", "turned"), [(AXIAL, 0.0), (SAGITTAL, 0.0), (CORONAL, 0.0), ("IAR", 0.0), (AXIAL, 17.0)]
)
def test_the_face_goes_and_the_brain_stays_in_every_orientation(codes: str, turned: float, modality: str) -> None:
    volume, brain = a_head(codes, modality=modality, turned=turned)
    found = deface(volume, brain)
    assert found.evidence.holds
    assert found.evidence.brain_changed == 0
    np.testing.assert_array_equal(found.array[brain], volume.array[brain])
    np.testing.assert_array_equal(found.array[~found.region], volume.array[~found.region])
    assert found.background in volume.array
    assert found.array.dtype == volume.array.dtype


def test_nothing_of_the_nose_is_left() -> None:
    geometry = covering(spacing=COARSE)
    volume, truth = head_phantom(geometry)
    found = deface(volume, truth["brain"])
    nose = truth["nose"] & ~ndimage.binary_dilation(truth["brain"], iterations=3)
    assert nose.any()
    assert found.region[nose].all()


def test_most_of_the_head_behind_the_face_stays() -> None:
    volume, brain = a_head()
    found = deface(volume, brain)
    points = volume.geometry.to_lps(np.argwhere(found.region & (volume.array > 50)))
    behind = volume.geometry.to_lps(np.argwhere(brain))[:, 1].mean() + 65
    assert (points[:, 1] < behind).all()


def test_the_check_fails_where_the_face_is_still_there() -> None:
    volume, brain = a_head()
    untouched = compare(volume, np.array(volume.array), brain)
    assert untouched.face_mm2 > 1500
    assert not untouched.holds
    wounded = np.array(deface(volume, brain).array)
    wounded[brain] += 1
    assert not compare(volume, wounded, brain).holds


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_mask_that_is_no_brain_is_refused_by_name(share: float) -> None:
    volume, brain = a_head()
    with pytest.raises(UnsupportedImageError, match="brain mask"):
        deface(volume, np.full(brain.shape, bool(share)))


def test_a_mask_that_protects_the_face_is_not_taken_for_success() -> None:
    volume, brain = a_head()
    lavish = ndimage.binary_dilation(brain, iterations=5)
    with pytest.raises(UnsupportedImageError):
        deface(volume, lavish | (volume.array > 50))


def test_a_head_whose_face_is_out_of_view_claims_nothing() -> None:
    volume, brain = a_head()
    first = int(np.flatnonzero(brain.any(axis=(1, 2)))[0]) + 24
    size = volume.array.shape
    geometry = volume.geometry.cropped((first, 0, 0), size)
    top = Volume(array=volume.array[first:], geometry=geometry, modality="MR")
    with pytest.raises(UnsupportedImageError, match="no face is in view"):
        deface(top, brain[first:])


def brain_of_phantom(volume: Volume) -> np.ndarray:
    """What a brain model would find in the phantom."""
    return head_phantom(Geometry(shape=volume.geometry.shape, affine=volume.geometry.affine))[1]["brain"]


@pytest.mark.parametrize(
    ("codes", "spec"),
    [
        (AXIAL, SeriesSpec(modality="CT", slope=1.0, intercept=-1024.0, order="shuffled")),
        (SAGITTAL, SeriesSpec(transfer_syntax=RLELossless, order="reverse")),
        (CORONAL, SeriesSpec(enhanced=True)),
        (AXIAL, SeriesSpec(slope=0.5, intercept=3.0)),
    ],
)
def test_the_files_of_a_series_keep_their_stored_values_outside_the_face(
    codes: str, spec: SeriesSpec, tmp_path: Path
) -> None:
    volume, _ = a_head(codes, modality=spec.modality, spacing=(5.0, 4.0, 4.0))
    files = write_series(volume, tmp_path, spec=spec)
    found = deface_series(files, brain_of_phantom)
    assert set(found.edits) == set(files)
    assert found.evidence.holds
    changed = 0
    for path, edit in found.edits.items():
        value = b"".join(edit.replacement(path).chunks())
        before = list(FileFrames.open(path).decoded(raw=True))
        after = list(FileFrames.open(_with_pixels(path, value)).decoded(raw=True))
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            face = edit.frames[number]
            np.testing.assert_array_equal(new[~face], old[~face])
            assert set(np.unique(new)) <= set(np.unique(old))
            assert len(np.unique(new[face])) <= 1
            changed += int((new != old).sum())
    assert changed > 1000


def _with_pixels(path: Path, value: bytes) -> Path:
    dataset = dcmread(path)
    dataset.PixelData = value
    dataset["PixelData"].is_undefined_length = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    target = path.with_suffix(".new")
    dataset.save_as(target, enforce_file_format=True)
    return target


def test_without_a_brain_mask_faces_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="brain mask"):
        deface_series([tmp_path / "IM0001.dcm"], None)


def test_only_ct_and_mr_of_the_head_or_of_an_unnamed_part_may_show_a_face(tmp_path: Path) -> None:
    path = write_series(a_head()[0], tmp_path, spec=SeriesSpec())[0]
    dataset = dcmread(path)
    answers = []
    for modality, part, title in (("MR", "HEAD", ""), ("MR", "", ""), ("CT", "KNEE", "Knee"), ("US", "HEAD", "")):
        dataset.Modality, dataset.BodyPartExamined, dataset.SeriesDescription = modality, part, title
        dataset.StudyDescription = title
        answers.append(may_show_face(dataset))
    assert answers == [True, True, False, False]


def test_a_real_face_goes_and_a_real_brain_stays(colin27: Path) -> None:
    from slicermedai.dicom.inputs import open_source

    image = open_source(colin27 / "ch2.nii.gz").volume
    head = Volume(array=image.array, geometry=image.geometry, modality="MR")
    brain = ndimage.binary_fill_holes(open_source(colin27 / "ch2bet.nii.gz").volume.array > 0)
    found = deface(head, brain)
    assert found.evidence.median_mm > 20
    assert found.evidence.moved_share > 0.98
    assert found.evidence.brain_changed == 0
    np.testing.assert_array_equal(found.array[brain], head.array[brain])
