"""The generated thorax: its truth is where it says, and no two patients are alike."""

from __future__ import annotations

import numpy as np

from Testing.fixtures.grids import covering
from Testing.fixtures.thorax import GRID, HEART, LUNG, LUNGS, Thorax, thorax

COARSE = covering(spacing=(5.0, 4.0, 4.0), extent=(260.0, 180.0, 190.0))


def values_at(made: Thorax, place: tuple[float, float, float]) -> float:
    index = np.round(made.volume.geometry.to_index(np.array([place]))[0]).astype(int)
    near = tuple(slice(n - 1, n + 2) for n in index)
    return float(made.volume.array[near].mean())


def test_nodules_lie_in_lungs_apart_and_are_as_dense_as_they_say() -> None:
    for seed in range(6):
        made = thorax(seed)
        for one in made.nodules:
            where = np.array([one.center])
            assert min(lung.distance(where)[0] for lung in LUNGS) < -one.diameter / 2
            assert HEART.distance(where)[0] > one.diameter / 2
        centers = np.array([one.center for one in made.nodules]).reshape(-1, 3)
        gaps = np.linalg.norm(centers[:, None] - centers[None], axis=-1) + 99 * np.eye(len(centers))
        assert (gaps > 26).all()
        large = [one for one in made.nodules if one.diameter > 11]
        assert all(abs(values_at(made, one.center) - LUNG - one.contrast) < 90 for one in large)


def test_a_seed_is_one_patient_and_another_seed_another() -> None:
    first, again, other = thorax(3, grid=COARSE), thorax(3, grid=COARSE), thorax(4, grid=COARSE)
    assert np.array_equal(first.volume.array, again.volume.array) and first.nodules == again.nodules
    assert not np.array_equal(first.volume.array, other.volume.array)


def test_some_patients_have_no_nodule_and_most_have_several() -> None:
    counts = [len(thorax(seed, grid=COARSE).nodules) for seed in range(40)]
    assert 2 <= counts.count(0) <= 14 and max(counts) >= 4


def test_the_image_is_ct_in_hounsfield_units_on_its_grid() -> None:
    made = thorax(1)
    assert (made.volume.modality, made.volume.unit.value) == ("CT", "[hnsf'U]")
    assert made.volume.geometry.same_grid(GRID)
    assert -1024 <= made.volume.array.min() < -900 and made.volume.array.max() > 300
