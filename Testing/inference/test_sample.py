"""A bundle is tried on the image that it brings; where that is no single one, on a generated one, and that is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.inference.check import Checked, check_bundle
from slicermedai.inference.sample import FOLDERS, open_sample
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.inference.tiny_bundle import write_tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """It marks what lies above one half."""
    return write_tiny_bundle(tmp_path / "tiny@0.1")


def write_image(path: Path, *, value: float) -> None:
    """Noise around 0, with a block of ``value`` far from the middle of the patient."""
    import nibabel

    array = np.random.default_rng(1).normal(0, 0.01, (20, 24, 28)).astype(np.float32)
    array[2:9, 3:9, 4:9] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([2.0, 2.0, 2.0, 1.0])), path)


def checked(bundle: Path) -> Checked:
    found = check_bundle(resolve(str(bundle)))
    assert found.runs, found.report.in_words
    return found


def test_without_a_sample_the_image_is_generated(bundle: Path) -> None:
    (bundle / "sample").mkdir()
    found = checked(bundle)
    assert (found.sample, found.regions) == ("", 1)
    assert not any(line.startswith("sample") for line in found.words)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(("value", "regions"), [(1.0, 1), (0.2, 0)])
def test_the_one_image_in_its_folder_is_what_the_model_is_tried_on(
    bundle: Path, folder: str, value: float, regions: int
) -> None:
    write_image(bundle / folder / "in" / "head.nii.gz", value=value)
    (bundle / folder / "README.txt").write_text("where it comes from", encoding="utf-8")
    found = checked(bundle)
    assert (found.sample, found.regions) == (f"{folder}/in/head.nii.gz", regions)
    assert found.words[0] == f"sample: {folder}/in/head.nii.gz"


def test_a_series_is_a_sample_too(bundle: Path) -> None:
    write_series(head_phantom(covering(spacing=(20.0, 20.0, 20.0)))[0], bundle / "test")
    volume, said = open_sample(bundle)
    assert volume is not None and (said, volume.geometry.shape) == ("test", covering(spacing=(20.0, 20.0, 20.0)).shape)


def test_of_several_images_none_is_taken_and_that_is_told(bundle: Path) -> None:
    for name in ("image.nii.gz", "label.nii.gz"):
        write_image(bundle / "sample" / name, value=0.2)
    found = checked(bundle)
    assert (found.sample, found.regions) == ("", 1), "a generated one"
    assert found.words[0] == "sample: none, for its folder sample holds 2 images, and none is named as the one"


def test_a_sample_that_cannot_be_read_is_told_and_not_taken(bundle: Path) -> None:
    (bundle / "sample").mkdir()
    (bundle / "sample" / "head.nii.gz").write_bytes(b"nothing")
    found = checked(bundle)
    assert (found.sample, found.regions) == ("", 1)
    assert found.words[0].startswith("sample: none, for what lies in its folder sample cannot be read: ")
