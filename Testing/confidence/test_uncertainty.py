"""Samples are counted and forgotten, and what is counted is exact."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest

from slicermedai.confidence.uncertainty import (
    Agreement,
    Moments,
    flipped_answers,
    flips,
    foreground_box,
    pairwise_dice,
)
from slicermedai.errors import InputError
from Testing.corpus.trust.phantoms import phantoms, samples

SHAPE = (6, 8, 7)


def random_labels(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 3, SHAPE).astype(np.uint8) for _ in range(count)]


def counted(maps: list[np.ndarray], values: tuple[int, ...] = (1, 2)) -> Agreement:
    agreement = Agreement(shape=maps[0].shape, values=values, voxel_ml=0.5)
    for labels in maps:
        agreement.add(labels)
    return agreement


def test_pairwise_dice_is_that_of_all_pairs() -> None:
    maps = random_labels(6)
    pairs = list(combinations([m == 2 for m in maps], 2))
    by_hand = 2 * sum((a & b).sum() for a, b in pairs) / sum(a.sum() + b.sum() for a, b in pairs)
    assert counted(maps).spread(2).pairwise_dice == pytest.approx(by_hand, abs=1e-12)


def test_volumes_are_those_of_the_samples() -> None:
    maps = random_labels(5, seed=1)
    volumes = [0.5 * float((m == 1).sum()) for m in maps]
    spread = counted(maps).spread(1)
    assert spread.volume_mean == pytest.approx(np.mean(volumes))
    assert spread.volume_deviation == pytest.approx(np.std(volumes, ddof=1))
    assert (spread.volume_low, spread.volume_high) == (min(volumes), max(volumes))


def test_samples_that_agree_leave_no_band() -> None:
    alike = counted(random_labels(1) * 4)
    spread = alike.spread(1)
    assert (spread.pairwise_dice, spread.band_ml, spread.volume_deviation) == (1.0, 0.0, 0.0)
    assert not alike.band(1).any()
    assert alike.disagreement().max() == 0


def test_a_structure_that_nobody_found_is_agreed_on() -> None:
    spread = counted([np.zeros(SHAPE, dtype=np.uint8)] * 3).spread(1)
    assert (spread.pairwise_dice, spread.found_in, spread.volume_mean) == (1.0, 0, 0.0)


def test_a_structure_found_once_is_not_agreed_on() -> None:
    empty, found = np.zeros(SHAPE, dtype=np.uint8), np.zeros(SHAPE, dtype=np.uint8)
    found[2, 2, 2] = 1
    spread = counted([found, empty, empty]).spread(1)
    assert (spread.pairwise_dice, spread.found_in, spread.band_ml) == (0.0, 1, 0.5)


def test_the_band_is_where_samples_differ() -> None:
    a = np.zeros(SHAPE, dtype=np.uint8)
    a[:3] = 1
    b = a.copy()
    b[3] = 1
    assert np.array_equal(np.flatnonzero(counted([a, b]).band(1).any(axis=(1, 2))), [3])


def test_disagreement_is_the_share_that_is_not_with_the_most() -> None:
    maps = random_labels(7, seed=5)
    votes = np.stack([np.sum([m == value for m in maps], axis=0) for value in (0, 1, 2)])
    assert np.allclose(counted(maps).disagreement(), 1 - votes.max(axis=0) / 7)


def test_overlapping_labels_are_questions_of_their_own() -> None:
    maps = random_labels(5, seed=6)
    worst = np.maximum.reduce([np.minimum(k, 5 - k) for k in (sum((m == v).astype(int) for m in maps) for v in (1, 2))])
    assert np.allclose(counted(maps).disagreement(exclusive=False), worst / 5)


def test_boxes_grow_with_what_samples_find() -> None:
    maps = [np.zeros(SHAPE, dtype=np.uint8) for _ in range(3)]
    maps[0][2:4, 3:5, 3] = 1
    maps[1][0:2, 6:8, 1:6] = 1
    maps[2][2:6, 0:2, 0:2] = 1
    agreement = counted(maps, (1,))
    found = agreement.share(1)
    assert found is not None
    whole = np.zeros(SHAPE)
    whole[found[0]] = found[1]
    assert np.allclose(whole, np.mean([m == 1 for m in maps], axis=0))


def test_memory_does_not_grow_with_samples() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        agreement = Agreement(shape=(40, 60, 60), values=(1,), voxel_ml=1.0)
        for number in range(count):
            agreement.add(np.full((40, 60, 60), number % 2, dtype=np.uint8))
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    assert peak(64) < 1.05 * peak(4)


def test_one_sample_cannot_vary() -> None:
    with pytest.raises(InputError, match="two samples"):
        counted(random_labels(1)).spread(1)


def test_a_sample_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="another shape"):
        counted(random_labels(1)).add(np.zeros((2, 2, 2)))


def test_large_counts_do_not_overflow() -> None:
    counts = np.full((10, 10, 10), 60_000, dtype=np.uint16)
    assert pairwise_dice(counts, 60_000) == 1.0


def test_moments_do_not_lose_small_differences_of_large_numbers() -> None:
    moments = Moments()
    for value in (1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16):
        moments.add(value)
    assert moments.deviation == pytest.approx(np.sqrt(30))


def test_harder_cases_agree_less() -> None:
    agreed: dict[bool, list[float]] = {True: [], False: []}
    for number, case in enumerate(phantoms(25, seed=41)):
        maps = list(samples(case, 4, seed=number))
        agreed[case.difficulty > 3].append(counted(maps, (1,)).spread(1).pairwise_dice)
    assert max(agreed[True]) < min(agreed[False])


# --- flips -------------------------------------------------------------------------------------------------------


def test_three_axes_have_eight_flips_the_plain_one_first() -> None:
    assert next(iter(flips())) == ()
    assert len(set(flips())) == 8


def test_a_network_that_sees_no_sides_gives_one_answer_eight_times() -> None:
    image = np.random.default_rng(3).normal(size=SHAPE)
    answers = list(flipped_answers(lambda x: (x > 0).astype(np.uint8), image))
    assert len(answers) == 8
    assert all(np.array_equal(answer, image > 0) for answer in answers)


def test_a_network_that_prefers_a_side_is_found_out() -> None:
    image = np.ones(SHAPE)
    first_half = np.arange(SHAPE[2]) < 3
    answers = list(flipped_answers(lambda x: (x * first_half > 0).astype(np.uint8), image, axes=(2,)))
    assert not np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], np.flip(answers[1], 2))


def test_left_and_right_change_names_in_the_mirror_and_back() -> None:
    def sides(image: np.ndarray) -> np.ndarray:
        out = np.where(image > 0, 1, 0).astype(np.uint8)
        out[..., SHAPE[2] // 2 :] *= 2
        return out

    image = np.ones(SHAPE)
    image[..., SHAPE[2] // 2] = 0
    plain, mirrored = flipped_answers(sides, image, axes=(2,), swaps={2: {1: 2}})
    assert np.array_equal(plain, mirrored)
    _, confused = flipped_answers(sides, image, axes=(2,))
    assert not np.array_equal(plain, confused)


def test_only_the_foreground_is_asked_again() -> None:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[2, 3, 3] = 1
    assert foreground_box(labels, margin=(1, 2, 9)) == (slice(1, 4), slice(1, 6), slice(0, 13))
    assert foreground_box(np.zeros(SHAPE), margin=(1, 1, 1)) is None


@pytest.mark.parametrize(("shift", "dice"), [(0, 1.0), (1, 0.75), (9, 0.0)])
def test_what_most_samples_say_is_compared_with_an_answer(shift: int, dice: float) -> None:
    agreement = Agreement(shape=(1, 1, 16), values=(1,), voxel_ml=1.0)
    for wide in (4, 4, 9):
        labels = np.zeros((1, 1, 16), dtype=np.uint8)
        labels[..., :wide] = 1
        agreement.add(labels)
    box = (slice(0, 1), slice(0, 1), slice(shift, shift + 4))
    assert agreement.majority_dice(1, box, np.ones((1, 1, 4), dtype=bool)) == dice


def test_a_structure_that_no_sample_has_agrees_with_nothing() -> None:
    agreement = Agreement(shape=(1, 1, 4), values=(1,), voxel_ml=1.0)
    for _ in range(2):
        agreement.add(np.zeros((1, 1, 4), dtype=np.uint8))
    assert agreement.majority_dice(1, (slice(0, 1),) * 3, np.ones((1, 1, 1), dtype=bool)) == 0.0
