"""A sketch forgets the image and keeps what calibration needs; merging is exact."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.confidence.margins import (
    margins_of_logits,
    margins_of_probabilities,
    region_around,
    sketch_of_logits,
    sketch_of_probabilities,
)
from slicermedai.confidence.sketch import (
    BINS,
    LIMIT,
    SKETCH_BYTES,
    CaseSketch,
    MarginSketch,
    load_cases,
    merged,
    pack,
    save_cases,
)
from slicermedai.errors import InputError, UnreadableFileError

margins = st.lists(st.floats(-50, 50, width=32), min_size=0, max_size=40)


def sketch_of(values: list[float], seed: int = 0) -> MarginSketch:
    return MarginSketch().add(values, np.random.default_rng(seed).random(len(values)) < 0.5)


def same(a: MarginSketch, b: MarginSketch) -> bool:
    return np.array_equal(a.counts, b.counts) and np.array_equal(a.residuals, b.residuals)


@given(margins, margins, margins)
def test_merging_is_associative_and_commutative_bit_for_bit(a: list[float], b: list[float], c: list[float]) -> None:
    x, y, z = sketch_of(a), sketch_of(b, 1), sketch_of(c, 2)
    assert same((x + y) + z, x + (y + z))
    assert same(x + y, y + x)
    assert same(merged([x, y, z]), z + y + x)


@given(margins, margins)
def test_a_sketch_of_two_cases_is_the_sum_of_theirs(a: list[float], b: list[float]) -> None:
    truth = np.arange(len(a) + len(b)) % 3 == 0
    apart = MarginSketch().add(a, truth[: len(a)]) + MarginSketch().add(b, truth[len(a) :])
    assert same(apart, MarginSketch().add([*a, *b], truth))


@given(margins)
def test_the_points_keep_count_and_sum_of_the_margins(values: list[float]) -> None:
    points = sketch_of(values).points()
    cut = np.clip(np.array(values), -LIMIT, LIMIT)
    assert points.weight.sum() == len(values)
    assert points.weight @ points.margin == pytest.approx(cut.sum(), abs=1e-7 * max(1, len(values)))


def test_a_sketch_takes_exactly_what_it_promises() -> None:
    sketch = sketch_of([0.1, 2.0])
    assert sketch.counts.nbytes + sketch.residuals.nbytes == SKETCH_BYTES == 262_144


def test_memory_does_not_grow_with_the_voxels() -> None:
    values = np.random.default_rng(0).normal(0, 5, 4_000_000).astype(np.float32)
    truth = values > 0
    tracemalloc.start()
    MarginSketch().add(values, truth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32e6


def test_infinite_margins_are_cut_and_counted() -> None:
    sketch = MarginSketch().add([np.inf, -np.inf, 100.0], [True, False, True])
    assert (sketch.counts[1, BINS - 1], sketch.counts[0, 0], sketch.inside) == (2, 1, 2)


def test_a_margin_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="not a number"):
        MarginSketch().add([0.0, np.nan], [True, False])


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="differ in size"):
        MarginSketch().add([0.0, 1.0], [True])


def test_cases_come_back_from_their_file_and_hold_no_pickle(tmp_path: Path) -> None:
    case = CaseSketch(
        subject="a", sketches={2: sketch_of([1.0, -3.0]), 7: sketch_of([])}, generated=True, groups=(("Site", "x"),)
    )
    path = save_cases([case, CaseSketch(subject="b", sketches={})], tmp_path / "cases.zip")
    first, second = load_cases(path)
    assert (first.subject, first.generated, first.groups, second.subject) == ("a", True, (("Site", "x"),), "b")
    assert same(first.sketches[2], case.sketches[2])
    assert first.sketches[7].voxels == 0
    with zipfile.ZipFile(path) as archive:
        assert all(b"pickle" not in archive.read(name) for name in archive.namelist())
        assert {Path(name).suffix for name in archive.namelist()} == {".npy", ".json"}


@pytest.mark.parametrize("damage", [lambda b: b[:-40], lambda b: b"", lambda b: b"PK" + b[10:]])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = save_cases([CaseSketch(subject="a", sketches={1: sketch_of([1.0] * 9)})], tmp_path / "cases.zip")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnreadableFileError, match=r"cases\.zip"):
        load_cases(path)


def test_a_case_takes_few_bytes_where_few_bins_are_filled() -> None:
    assert pack(sketch_of([1.0, 1.0, 5.0])).nbytes < 100


# --- margins -----------------------------------------------------------------------------------------------------


def test_the_margin_of_two_classes_is_the_difference_of_their_logits() -> None:
    logits = np.array([[0.5, -2.0, 80.0], [1.5, 3.0, -70.0]], dtype=np.float32)
    assert margins_of_logits(logits, 1) == pytest.approx([1.0, 5.0, -150.0])


def test_the_margin_of_many_classes_is_the_log_odds_of_softmax() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (5, 4, 3))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=0)
    assert margins_of_logits(logits, 3) == pytest.approx(margins_of_probabilities(softmax[3]), abs=1e-9)


@pytest.mark.parametrize(("kind", "limit"), [(np.float16, 8.3), (np.float32, 17.3)])
def test_probabilities_that_were_rounded_to_one_are_as_sure_as_their_type_can_say(kind: type, limit: float) -> None:
    true = np.array([-40.0, -3.0, 0.0, 3.0, 40.0])
    rounded = (1 / (1 + np.exp(-true))).astype(kind)
    assert margins_of_probabilities(rounded) == pytest.approx([-limit, -3, 0, 3, limit], abs=0.05)


def test_an_absent_class_is_refused() -> None:
    with pytest.raises(InputError, match="no such class"):
        margins_of_logits(np.zeros((2, 3)), 2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7)])
def test_the_region_is_all_within_the_radius_of_the_prediction_in_millimetres(spacing: tuple[float, ...]) -> None:
    mask = np.zeros((9, 31, 31), dtype=bool)
    mask[4, 15, 15] = True
    steps = (np.indices(mask.shape) - np.array([4, 15, 15])[:, None, None, None]) * np.array(spacing)[
        :, None, None, None
    ]
    assert np.array_equal(region_around(mask, spacing, 6.0), np.linalg.norm(steps, axis=0) <= 6.0)


def test_an_empty_prediction_has_an_empty_region() -> None:
    assert not region_around(np.zeros((4, 4, 4), dtype=bool), (1, 1, 1)).any()


def test_logits_and_probabilities_give_the_same_sketch_in_the_region_alone() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (2, 6, 7, 8))
    truth, region = rng.random((6, 7, 8)) < 0.4, rng.random((6, 7, 8)) < 0.5
    probabilities = 1 / (1 + np.exp(logits[0] - logits[1]))
    a = sketch_of_logits(logits, truth, region, value=1)
    b = sketch_of_probabilities(probabilities, truth, region)
    assert a.voxels == b.voxels == region.sum()
    assert a.inside == (truth & region).sum()
    assert np.abs(a.counts - b.counts).sum() <= 4  # rounding at a bin's edge
