"""The brain network on a real head: the same answer on every grid, and the answer of the original."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from slicermedai.bundles.manifest import Manifest
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.inference.resample import resample
from slicermedai.inference.segment import Segmentation
from slicermedai.inference.task import Listeners, Prediction, RunSettings, predict
from Testing.fixtures.grids import covering, rotated
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import dice

INTRACRANIAL_ML = 1957.0


@pytest.fixture(scope="module")
def head(colin27: Path) -> Volume:
    """Colin27's whole-head T1, 1 mm."""
    image = open_source(colin27 / "ch2.nii.gz").volume
    return Volume(array=image.array, geometry=image.geometry, modality="MR")


@pytest.fixture(scope="module")
def straight(head: Volume, brain: BundleRef) -> Prediction:
    """The network's answer on the grid of the file."""
    return predict(brain, head)


def volume_ml(found: Prediction) -> float:
    return float((found.label_map.array == 1).sum() * found.label_map.geometry.voxel_volume / 1000)


def on_grid(head: Volume, grid: Geometry) -> Volume:
    """The head sampled on another grid; slices thicker than 1.5 mm average what they cover, as scanners do."""
    thick = grid.spacing[0] > 1.5
    offsets = (-0.375, -0.125, 0.125, 0.375) if thick else (0.0,)
    layers = []
    for offset in offsets:
        affine = np.array(grid.affine)
        affine[:3, 3] += affine[:3, 0] * offset
        layers.append(resample(head.array, head.geometry, Geometry(shape=grid.shape, affine=affine)))
    return Volume(array=np.rint(np.mean(layers, axis=0)).astype(np.int16), geometry=grid, modality="MR")


def centred(head: Volume, grid: Geometry) -> Geometry:
    """``grid`` moved so that its middle is the head's."""
    affine = np.array(grid.affine)
    affine[:3, 3] += head.geometry.corners.mean(axis=0) - grid.corners.mean(axis=0)
    return Geometry(shape=grid.shape, affine=affine)


def agreement(found: Prediction, straight: Prediction) -> float:
    """Dice on the grid of ``found`` with the straight answer brought there."""
    mask = (straight.label_map.array == 1).astype(np.float32)
    expected = resample(mask, straight.label_map.geometry, found.label_map.geometry) > 0.5
    return dice(found.label_map.array == 1, expected)


def sagittal_flipped(head: Volume) -> Volume:
    array = np.flip(head.array.transpose(2, 0, 1), (0, 2))
    return Volume(array=array, geometry=head.geometry.permuted((2, 0, 1)).flipped((0, 2)), modality="MR")


def coronal(head: Volume) -> Volume:
    return Volume(array=head.array.transpose(1, 0, 2), geometry=head.geometry.permuted((1, 0, 2)), modality="MR")


def oblique(head: Volume) -> Volume:
    room = covering(spacing=(1.0, 1.0, 1.0), extent=(225.0, 270.0, 255.0))
    return on_grid(head, centred(head, rotated(room, (20, -12, 15))))


def anisotropic(head: Volume) -> Volume:
    room = covering("LIP", spacing=(5.0, 0.9, 0.9), extent=(185.0, 220.0, 185.0))
    return on_grid(head, centred(head, room))


def test_the_volume_is_the_published_one(straight: Prediction) -> None:
    assert volume_ml(straight) == pytest.approx(INTRACRANIAL_ML, rel=0.03)
    assert dict(straight.scores)[1] > 0.99
    assert straight.device_reason


def test_the_mask_agrees_with_the_brain_that_comes_with_the_head(straight: Prediction, colin27: Path) -> None:
    brain = ndimage.binary_fill_holes(open_source(colin27 / "ch2bet.nii.gz").volume.array > 0)
    assert dice(straight.label_map.array == 1, brain) >= 0.93


@pytest.mark.parametrize(
    ("write", "volume_within", "dice_at_least"),
    [
        (sagittal_flipped, 0.01, 0.99),
        (coronal, 0.01, 0.99),
        (oblique, 0.01, 0.99),
        (anisotropic, 0.03, 0.97),
    ],
)
def test_the_series_it_was_written_in_does_not_change_the_answer(
    write: Callable[[Volume], Volume],
    volume_within: float,
    dice_at_least: float,
    head: Volume,
    straight: Prediction,
    brain: BundleRef,
    tmp_path: Path,
) -> None:
    write_series(replace(write(head), name="T1"), tmp_path / "series")
    found = predict(brain, open_source(tmp_path / "series").volume)
    same = agreement(found, straight)
    print(f"\nColin27 as {write.__name__} DICOM series: {volume_ml(found):.0f} ml, Dice with axial {same:.4f}")
    assert volume_ml(found) == pytest.approx(volume_ml(straight), rel=volume_within)
    assert same >= dice_at_least


def test_the_answer_is_that_of_the_original_in_two_stages(head: Volume, straight: Prediction, brain: BundleRef) -> None:
    found = dice(straight.label_map.array == 1, original(head, Path(brain.path)))
    print(f"\nColin27, Dice with the model's own two-stage original: {found:.4f}")
    assert found >= 0.985


def test_a_volume_that_no_head_has_is_said_to_be_implausible(brain: BundleRef) -> None:
    grid = covering(spacing=(4.0, 4.0, 4.0), extent=(200.0, 220.0, 200.0))
    ramp = np.broadcast_to(10 * np.arange(grid.shape[2]), grid.shape).astype(np.int16)
    found = predict(brain, Volume(array=ramp, geometry=grid, modality="MR"))
    assert any("700 to 2400 is plausible" in warning for warning in found.warnings)


def test_where_the_locator_finds_nothing_the_result_is_empty_and_says_so(brain: BundleRef) -> None:
    def sees_background(manifest: Manifest, *, part: str, weights: str, device: str) -> Callable[..., torch.Tensor]:
        assert part == "locator_def", "without a located head the second network is not even loaded"
        return lambda window: torch.stack([torch.ones_like(window[:, 0]), torch.zeros_like(window[:, 0])], dim=1)

    volume, _ = head_phantom(covering(spacing=(4.0, 4.0, 4.0)))
    found = Segmentation(load=sees_background).predict(
        brain, {"image": volume}, settings=RunSettings(), listeners=Listeners()
    )
    assert found.is_empty
    assert dict(found.scores) == {1: None}
    assert found.warnings == ("the model's locator found nothing in this image",)


# --- the published algorithm (deepbet 1.0.2), with scipy for its components and holes ------------------------------


def original(head: Volume, folder: Path) -> np.ndarray:
    """The mask of the original's own steps on an RAS array, turned back to the head's grid."""
    assert head.geometry.axis_codes == ("S", "A", "R"), "the steps below expect a file in RAS order"
    image = torch.from_numpy(np.ascontiguousarray(head.array.T, dtype=np.float32))
    small = sampled(image, (128, 128, 128))
    low, high = float(small.quantile(0.005)), float(small.quantile(0.995))
    coarse = largest(forward(folder / "models" / "locator.ts", scaled(small, low, high)) > 0.5)
    box = widened_box(coarse, image.shape)
    close = forward(folder / "models" / "model.ts", scaled(sampled(image[box], (256, 256, 256)), low, high))
    mask = np.zeros(image.shape, dtype=bool)
    mask[box] = sampled(torch.from_numpy(close), mask[box].shape).numpy() > 0.5
    return np.asarray(ndimage.binary_fill_holes(largest(mask))).T


def sampled(image: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.nn.functional.interpolate(image[None, None], shape, mode="nearest-exact")[0, 0]


def scaled(image: torch.Tensor, low: float, high: float) -> torch.Tensor:
    unit = ((image - low) / (high - low)).clamp(0, 1)
    return 0.226 * (unit - unit.mean()) / unit.std() + 0.449


def forward(path: Path, image: torch.Tensor) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.load`")
        network = torch.jit.load(str(path)).eval()
    with torch.inference_mode():
        return network(image[None, None])[0, 1].numpy().copy()


def largest(mask: np.ndarray) -> np.ndarray:
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return labels == np.bincount(labels.ravel())[1:].argmax() + 1


def widened_box(mask: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    box = []
    for axis, size in enumerate(shape):
        profile = mask.mean(axis=tuple(a for a in range(3) if a != axis))
        planes = np.flatnonzero(profile > 0.02)
        scale = size / mask.shape[axis]
        middle = round(scale * (planes[0] + planes[-1] + 1) / 2)
        length = round(1.2 * scale * (planes[-1] + 1 - planes[0]))
        box.append(slice(max(0, int(middle - length / 2)), min(size, int(middle + length / 2))))
    return tuple(box)
