"""From leads to labels, on arrays that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.inference.cleaning import HOLES, LARGEST, Cleaning, cleaned
from slicermedai.inference.collect import mean_scores
from slicermedai.inference.labels import agree, labels_on, mask_on
from Testing.fixtures.grids import grid, rotated
from Testing.inference.conftest import BODY, dice, points_of

FINE = grid(shape=(60, 66, 58), spacing=(2.0, 2.0, 2.0), center=(6.0, -9.0, 14.0))


def body_leads() -> tuple[np.ndarray, np.ndarray]:
    """Leads of two labels over the background, a body and its part above z = 30, and the labels they give."""
    points = points_of(FINE).reshape(-1, 3)
    inside = np.clip(0.5 - BODY.distance(points) / 12.0, 0, 1)
    upper = np.clip((points[:, 2] - 30.0) / 8.0 + 0.5, 0, 1)
    p = np.stack([1 - inside, inside * (1 - upper), inside * upper]).reshape(3, *FINE.shape).astype(np.float32)
    return p[1:] - p[:1], p.argmax(axis=0).astype(np.uint8)


@pytest.mark.parametrize("target", [FINE, FINE.permuted((1, 2, 0)).flipped((0,)), rotated(FINE, (10, 20, 5))])
def test_labels_come_to_any_grid_where_they_belong(target: object) -> None:
    leads, labels = body_leads()
    found = labels_on(leads, labels, FINE, target)
    points = points_of(target).reshape(-1, 3)
    body = (BODY.distance(points) <= 0).reshape(target.shape) & (FINE_inside(points).reshape(target.shape))
    upper = (points[:, 2] > 30.0).reshape(target.shape)
    assert dice(found > 0, body) > 0.97
    assert dice(found == 2, body & upper) > 0.95


def FINE_inside(points: np.ndarray) -> np.ndarray:
    index = FINE.to_index(points)
    return ((index >= -0.5) & (index <= np.array(FINE.shape) - 0.5)).all(axis=1)


def test_a_source_grid_beside_the_label_stays_empty() -> None:
    leads, labels = body_leads()
    aside = grid(shape=(5, 5, 5), spacing=(2.0, 2.0, 2.0), center=(500.0, 0.0, 0.0))
    assert not labels_on(leads, labels, FINE, aside).any()
    assert not mask_on(leads[0], 0.0, FINE, aside).any()


def test_no_label_gives_an_empty_map() -> None:
    leads, labels = -np.ones((1, *FINE.shape), np.float32), np.zeros(FINE.shape, np.uint8)
    assert not labels_on(leads, labels, FINE, FINE).any()
    assert mean_scores(labels, labels, np.zeros(FINE.shape, np.float16), [1]) == {1: None}


def test_the_clean_up_reaches_the_leads() -> None:
    lead = -np.ones((1, 12, 12, 12), dtype=np.float32)
    lead[0, 1:9, 1:9, 1:9] = 0.8
    lead[0, 4, 4, 4] = -0.8
    lead[0, 10, 10, 10] = 0.6
    raw = (lead[0] > 0).astype(np.uint8)
    grid_of = grid(shape=(12, 12, 12), spacing=(1.0, 1.0, 1.0))
    labels = cleaned(raw, (Cleaning(kind=LARGEST, labels=(1,)), Cleaning(kind=HOLES, connectivity=1)), [1])
    agree(lead, raw, labels)
    assert labels.sum() == 8**3 and raw.sum() == 8**3
    assert (lead[0, 4, 4, 4], lead[0, 10, 10, 10]) == (1.0, -1.0)
    assert np.array_equal(labels_on(lead, labels, grid_of, grid_of), labels)


def test_scores_are_means_inside_the_label() -> None:
    labels = np.array([1, 1, 2, 0], np.uint8)
    own = np.array([0.5, 0.75, 0.25, 0.0], np.float16)
    assert mean_scores(labels, labels, own, [1, 2, 3]) == {1: 0.625, 2: 0.25, 3: None}


def test_voxels_that_the_clean_up_added_do_not_count_for_the_score() -> None:
    raw, labels = np.array([1, 0, 0], np.uint8), np.array([1, 1, 2], np.uint8)
    assert mean_scores(labels, raw, np.array([0.5, 0, 0], np.float16), [1, 2]) == {1: 0.5, 2: 0.0}
