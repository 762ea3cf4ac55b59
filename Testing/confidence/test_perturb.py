"""Images as a second scan would have them: how much noise there is, where things lie afterwards, and what stays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from slicermedai.confidence.perturb import Kind, Perturbation, noise_level, perturbations, shifted
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError

SHAPE = (24, 64, 60)


def body(noise: float = 0.0, *, modality: str = "CT", level: float = 1000.0) -> Volume:
    """A smooth bright body in dark, padded surroundings, with white noise in the body."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    inside = ((z - 12) / 11) ** 2 + ((y - 32) / 26) ** 2 + ((x - 30) / 24) ** 2 < 1
    smooth = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 6) * 300 + level
    array = np.where(inside, smooth + np.random.default_rng(4).normal(0, max(noise, 1e-12), SHAPE), -1000)
    geometry = Geometry.from_axes(SHAPE, spacing=(3.0, 1.0, 1.0))
    return Volume(array=array.astype(np.float32), geometry=geometry, modality=modality)


def centre(array: np.ndarray) -> np.ndarray:
    """Of mass, in voxels."""
    weight = array.astype(np.float64) - array.min()
    return np.array([(weight * np.indices(array.shape)[axis]).sum() / weight.sum() for axis in range(3)])


def blob(shape: tuple[int, int, int], middle: tuple[float, float, float], sigma: float = 3.0) -> np.ndarray:
    grids = np.indices(shape)
    away = sum((grid - at) ** 2 for grid, at in zip(grids, middle, strict=True))
    return (100 * np.exp(-away / (2 * sigma**2))).astype(np.float32)


@pytest.mark.parametrize("noise", [2.0, 10.0, 40.0])
def test_noise_is_measured_in_the_body_alone(noise: float) -> None:
    assert noise_level(body(noise)) == pytest.approx(noise, rel=0.1)


def test_an_image_without_noise_has_none_and_gets_none() -> None:
    flat = Volume(array=np.pad(np.ones((8, 8, 8)), 4), geometry=Geometry.from_axes((16, 16, 16), spacing=(1, 1, 1)))
    assert noise_level(flat) == 0
    assert {one.kind for one in perturbations({"image": flat}, 4)} == {Kind.SHIFT}
    given = perturbations({"image": flat}, 2, noise="3.5")
    assert [one.kind for one in given] == [Kind.NOISE, Kind.SHIFT] and given[0].noise == (("image", 3.5),)


def test_added_noise_has_the_level_of_the_image_and_spares_the_padding() -> None:
    image = body(12.0)
    (how,) = perturbations({"image": image}, 1, seed=5)
    made = how.apply({"image": image})["image"].array
    added = made - image.array
    padding = image.array == -1000
    assert not added[padding].any()
    assert np.std(added[~padding]) == pytest.approx(12.0, rel=0.1)
    assert how.in_words.startswith("added noise of standard deviation 1")


def test_the_same_seed_makes_the_same_images_and_others_make_others() -> None:
    image = {"a": body(5.0), "b": body(5.0)}
    first, second, other = (perturbations(image, 1, seed=seed)[0].apply(image) for seed in (1, 1, 2))
    assert np.array_equal(first["a"].array, second["a"].array)
    assert not np.array_equal(first["a"].array, other["a"].array)
    assert not np.array_equal(first["a"].array, first["b"].array)


def test_kinds_come_in_turn_and_only_mr_has_another_gain() -> None:
    kinds = {name: [one.kind for one in perturbations({"i": body(5.0, modality=name)}, 5)] for name in ("MR", "CT", "")}
    assert kinds["MR"] == [Kind.NOISE, Kind.SHIFT, Kind.GAIN, Kind.NOISE, Kind.SHIFT]
    assert kinds["CT"] == kinds[""] == [Kind.NOISE, Kind.SHIFT, Kind.NOISE, Kind.SHIFT, Kind.NOISE]
    mixed = {"a": body(5.0, modality="MR"), "b": body(5.0, modality="PT")}
    assert Kind.GAIN not in {one.kind for one in perturbations(mixed, 6)}


def test_gain_goes_up_and_then_down() -> None:
    image = {"image": body(5.0, modality="MR")}
    gains = [one for one in perturbations(image, 6) if one.kind is Kind.GAIN]
    assert [one.factor for one in gains] == [1.05, 0.95]
    assert np.allclose(gains[0].apply(image)["image"].array, image["image"].array * 1.05, rtol=1e-6)


def test_shifts_take_the_corners_one_after_the_other() -> None:
    shifts = [one.shift for one in perturbations({"image": body(5.0)}, 16) if one.kind is Kind.SHIFT]
    assert len(set(shifts)) == 8
    assert all(abs(step) == 0.25 for shift in shifts for step in shift)
    assert all(a != b for a, b in pairwise(shifts))


@pytest.mark.parametrize("steps", [(0.25, 0.0, 0.0), (0.25, -0.25, 0.25), (0.0, 1.6, -2.3)])
def test_what_is_in_the_image_moves_by_the_steps(steps: tuple[float, float, float]) -> None:
    middle = (12.0, 20.0, 22.0)
    made = shifted(blob((25, 41, 43), middle), steps)
    wanted = blob((25, 41, 43), tuple(m + s for m, s in zip(middle, steps, strict=True)))  # type: ignore[arg-type]
    assert np.abs(made - wanted).max() < 0.5
    assert np.allclose(centre(made), np.add(middle, steps), atol=0.02)


def test_a_shift_stays_within_the_values_of_the_image() -> None:
    step = np.pad(np.full((6, 6, 6), 1000, dtype=np.int16), 4, constant_values=-1024)
    made = shifted(step, (0.25, 0.25, 0.25))
    assert made.dtype == np.float32 and made.min() >= -1024 and made.max() <= 1000


def test_images_on_other_grids_move_the_same_way_in_space() -> None:
    """The second image has half the spacing and its first two axes change places."""
    coarse = Geometry.from_axes((24, 24, 24), spacing=(2.0, 2.0, 2.0))
    affine = coarse.affine.copy()
    affine[:3, :3] = coarse.affine[:3, [1, 0, 2]] / 2
    fine = Geometry(shape=(48, 48, 48), affine=affine)
    images = {
        "a": Volume(array=blob((24, 24, 24), (12, 10, 11)), geometry=coarse),
        "b": Volume(array=blob((48, 48, 48), (20, 24, 22), 6.0), geometry=fine),
    }
    how = Perturbation(kind=Kind.SHIFT, seed=(0,), shift=(0.25, -0.25, 0.25))
    made = how.apply(images)
    for name, image in images.items():
        moved = [image.geometry.to_lps([centre(one.array)])[0] for one in (image, made[name])]
        assert np.allclose(moved[1] - moved[0], coarse.affine[:3, :3] @ how.shift, atol=0.05), name


@pytest.mark.parametrize("noise", ["0", "-3", "inf", "much", ""])
def test_a_level_of_noise_is_a_number_above_zero(noise: str) -> None:
    with pytest.raises(InputError, match="measured"):
        perturbations({"image": body(5.0)}, 1, noise=noise)
