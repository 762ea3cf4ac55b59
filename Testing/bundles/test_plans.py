"""nnU-Net's plans without nnU-Net: windows, places in space, averaging, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from slicermedai.bundles.plans_network import PlansEnsemble, PlansUNet
from slicermedai.bundles.plans_transforms import CropToContentd, NormalizeByPlansd, ResampleByPlansd, new_shape
from slicermedai.bundles.plans_windows import ScoresBack, even_starts, window_weights
from slicermedai.bundles.squash import Squashd
from slicermedai.errors import BundleError

SMALL: dict[str, Any] = {
    "dimensions": 3,
    "residual": True,
    "in_channels": 1,
    "out_channels": 2,
    "features": [2, 4],
    "kernels": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 2]],
    "blocks": [1, 1],
    "decoder_convs": [1],
}


def image_of(values: np.ndarray) -> MetaTensor:
    """(slices, rows, columns) at 2 x 1 x 1 mm, away from the origin."""
    affine = torch.diag(torch.tensor([2.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([5.0, -7.0, 11.0])
    return MetaTensor(torch.from_numpy(values.astype(np.float32))[None], affine=affine)


def test_a_crop_keeps_every_voxel_where_it_was() -> None:
    values = np.zeros((6, 8, 9))
    values[2:5, 3:6, 4:8] = 7
    cropped = CropToContentd(keys="image")({"image": image_of(values)})["image"]
    assert tuple(cropped.shape) == (1, 3, 3, 4)
    np.testing.assert_allclose(np.asarray(cropped.affine)[:3, 3], [5 + 2 * 2, -7 + 3, 11 + 4])
    empty = CropToContentd(keys="image")({"image": image_of(np.zeros((3, 3, 3)))})["image"]
    assert tuple(empty.shape) == (1, 3, 3, 3)


def test_resampling_keeps_the_extent_and_the_place_of_a_ramp() -> None:
    ramp = np.broadcast_to(np.arange(40.0)[None, :, None], (12, 40, 30)).copy()
    made = ResampleByPlansd(keys="image", spacing=[1.0, 2.0, 1.5])({"image": image_of(ramp)})["image"]
    assert tuple(made.shape) == (1, 24, 20, 20) == (1, *new_shape((12, 40, 30), (2, 1, 1), (1, 2, 1.5)))
    affine = np.asarray(made.affine)
    rows = affine[1, 1] * np.arange(20) + affine[1, 3]
    np.testing.assert_allclose(np.asarray(made)[0, 5, 3:-3, 5], (rows + 7)[3:-3], atol=2e-3)


def test_normalization_inside_the_content_leaves_the_outside_at_zero() -> None:
    values = np.zeros((6, 6, 6))
    values[1:5, 1:5, 1:5] = np.random.default_rng(0).normal(100, 20, (4, 4, 4))
    scheme = NormalizeByPlansd("image", ["ZScoreNormalization"], [True], [{}])
    made = np.asarray(scheme({"image": image_of(values)})["image"])[0]
    assert made[0].max() == 0
    assert abs(made[1:5, 1:5, 1:5].mean()) < 1e-5
    assert abs(made[1:5, 1:5, 1:5].std() - 1) < 1e-4


@pytest.mark.parametrize(
    ("scheme", "low", "high"),
    [("RescaleTo01Normalization", 0, 1), ("RGBTo01Normalization", 0, 0.2), ("NoNormalization", 0, 51)],
)
def test_other_schemes(scheme: str, low: float, high: float) -> None:
    made = NormalizeByPlansd("image", [scheme], [False], [{}])(
        {"image": image_of(np.linspace(0, 51, 8).reshape(2, 2, 2))}
    )
    assert (float(made["image"].min()), float(made["image"].max())) == (low, pytest.approx(high))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BundleError, match="normalization_schemes: Mine is not known"):
        NormalizeByPlansd("image", ["Mine"], [False], [{}])
    two = NormalizeByPlansd("image", ["NoNormalization"] * 2, [False] * 2, [{}] * 2)
    with pytest.raises(BundleError, match="needs 2 channels, has 1"):
        two({"image": image_of(np.zeros((2, 2, 2)))})
    with pytest.raises(BundleError, match="every resolution"):
        PlansUNet({**SMALL, "features": [2]})
    with pytest.raises(BundleError, match="missing or unknown"):
        PlansUNet({**SMALL, "colour": 1})
    with pytest.raises(BundleError, match="is not known here"):
        PlansUNet({**SMALL, "norm": ["Sequential", {}]})
    with pytest.raises(BundleError, match="must be one of"):
        Squashd("image", kind="mine")


def test_an_ensemble_is_the_mean_of_its_members_and_mirrored_views() -> None:
    torch.manual_seed(1)
    both = PlansEnsemble(SMALL, members=2, mirror=[0, 2]).eval()
    image = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        views = [
            torch.flip(member(torch.flip(image, axes)), axes)
            for member in both.members
            for axes in ([], [2], [4], [2, 4])
        ]
        torch.testing.assert_close(both(image), torch.stack(views).mean(dim=0), atol=1e-6, rtol=1e-5)
        assert not torch.allclose(views[0], views[1], atol=1e-3)


@pytest.mark.parametrize(
    ("size", "window", "starts"),
    [(110, 64, [0, 23, 46]), (64, 64, [0]), (65, 64, [0, 1]), (40, 32, [0, 8])],
)
def test_windows_are_spread_evenly(size: int, window: int, starts: list[int]) -> None:
    """110, 64 -> 0, 23, 46 is the example in nnU-Net's own source."""
    assert even_starts(size, window) == starts


def test_weights_of_a_window_have_their_top_past_the_middle_and_are_never_zero() -> None:
    weights = window_weights((16, 32, 32))
    assert np.unravel_index(weights.argmax(), weights.shape) == (8, 16, 16)
    assert weights[8, 16, 20] == pytest.approx(np.exp(-0.5), rel=1e-3)
    assert weights.min() > 0


def test_windows_larger_than_the_image_are_refused() -> None:
    with pytest.raises(BundleError, match="cannot be covered"):
        even_starts(10, 16)


def test_the_plane_that_scores_take_is_the_nearest_where_an_axis_is_far_coarser() -> None:
    assert ScoresBack(spacing=(3.0, 1.0, 1.0)).nearest_axis([2.5, 1.0, 1.0]) is None
    assert ScoresBack(spacing=(3.1, 1.0, 1.0)).nearest_axis([2.5, 1.0, 1.0]) == 0
    assert ScoresBack(spacing=(1.0, 1.0, 1.0)).nearest_axis([1.0, 4.0, 1.0]) == 1
    assert ScoresBack(spacing=(1.2, 1.2)).nearest_axis([5.0, 1.0, 1.0]) == 0
    assert ScoresBack(spacing=(6.0, 1.0, 1.0), order_z=1).nearest_axis([2.5, 1.0, 1.0]) is None
    for wrong in ({}, {"spacing": [1.0]}, {"spacing": [1, 1, 0]}, {"spacing": [1, 1, 1], "order_z": 3}, []):
        with pytest.raises(BundleError, match="scores_back"):
            ScoresBack.from_entry(wrong, file="x")


@pytest.mark.parametrize("kind", ["sigmoid", "tanh3", "pet"])
def test_squashed_images_keep_their_place(kind: str) -> None:
    image = image_of(np.random.default_rng(0).normal(0, 50, (4, 4, 4)))
    made = Squashd("image", kind=kind)({"image": image})["image"]
    assert float(made.abs().max()) <= 3.0
    np.testing.assert_array_equal(np.asarray(made.affine), np.asarray(image.affine))
