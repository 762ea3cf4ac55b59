"""From scores to labels, on arrays that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slicermedai.errors import BundleError
from slicermedai.inference.labels import Scores, cleaned, exclusive_labels, labels_on, mean_scores, probabilities_of
from slicermedai.inference.parts import Postprocessing
from Testing.fixtures.grids import grid, rotated
from Testing.inference.conftest import BODY, dice, points_of

FINE = grid(shape=(60, 66, 58), spacing=(2.0, 2.0, 2.0), center=(6.0, -9.0, 14.0))


def body_scores() -> Scores:
    """Three classes: background, a body, and a slab of it above z = 30."""
    points = points_of(FINE).reshape(-1, 3)
    inside = np.clip(0.5 - BODY.distance(points) / 12.0, 0, 1)
    upper = np.clip((points[:, 2] - 30.0) / 8.0 + 0.5, 0, 1)
    array = np.stack([1 - inside, inside * (1 - upper), inside * upper])
    return Scores(array=array.reshape(3, *FINE.shape).astype(np.float32), geometry=FINE)


def test_the_best_class_wins_and_ties_are_background() -> None:
    scores = np.array([[0.2, 0.5, 0.4], [0.5, 0.5, 0.1], [0.3, 0.0, 0.5]], dtype=np.float32).reshape(3, 3, 1, 1)
    assert exclusive_labels(scores).ravel().tolist() == [1, 0, 2]


@pytest.mark.parametrize("target", [FINE, FINE.permuted((1, 2, 0)).flipped((0,)), rotated(FINE, (10, 20, 5))])
def test_labels_come_to_any_grid_where_they_belong(target: object) -> None:
    scores = body_scores()
    found = labels_on(scores, exclusive_labels(scores.array), target)
    points = points_of(target).reshape(-1, 3)
    body = (BODY.distance(points) <= 0).reshape(target.shape) & (FINE_inside(points).reshape(target.shape))
    upper = (points[:, 2] > 30.0).reshape(target.shape)
    assert dice(found > 0, body) > 0.97
    assert dice(found == 2, body & upper) > 0.95


def FINE_inside(points: np.ndarray) -> np.ndarray:
    index = FINE.to_index(points)
    return ((index >= -0.5) & (index <= np.array(FINE.shape) - 0.5)).all(axis=1)


def test_a_source_grid_beside_the_label_stays_empty() -> None:
    scores = body_scores()
    aside = grid(shape=(5, 5, 5), spacing=(2.0, 2.0, 2.0), center=(500.0, 0.0, 0.0))
    assert not labels_on(scores, exclusive_labels(scores.array), aside).any()


def test_no_label_gives_an_empty_map() -> None:
    array = np.stack([np.ones(FINE.shape), np.zeros(FINE.shape)]).astype(np.float32)
    scores = Scores(array=array, geometry=FINE)
    labels = exclusive_labels(array)
    assert not labels_on(scores, labels, FINE).any()
    assert mean_scores(scores, labels) == {1: None}


def test_the_clean_up_reaches_the_scores() -> None:
    array = np.zeros((2, 12, 12, 12), dtype=np.float32)
    array[1, 1:9, 1:9, 1:9] = 0.9
    array[1, 4, 4, 4] = 0.1
    array[1, 10, 10, 10] = 0.8
    array[0] = 1 - array[1]
    grid_of = grid(shape=(12, 12, 12), spacing=(1.0, 1.0, 1.0))
    wanted = Postprocessing(clean=(("largest", (1,)), ("holes", ())))
    clean, labels = cleaned(Scores(array=array, geometry=grid_of), wanted)
    assert labels.sum() == 8**3
    assert clean.array[:, 4, 4, 4].tolist() == [0.0, 1.0]
    assert clean.array[:, 10, 10, 10].tolist() == [1.0, 0.0]
    assert np.array_equal(labels_on(clean, labels, grid_of), labels)
    assert array[1, 4, 4, 4] == np.float32(0.1)


def test_scores_are_means_inside_the_label() -> None:
    array = np.zeros((2, 2, 2, 2), dtype=np.float32)
    array[1].flat[:2] = (0.6, 0.8)
    array[0] = 1 - array[1]
    scores = Scores(array=array, geometry=grid(shape=(2, 2, 2)))
    assert mean_scores(scores, exclusive_labels(array))[1] == pytest.approx(0.7)


def test_logits_become_probabilities_of_all_classes() -> None:
    logits = torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1)
    assert probabilities_of(logits, "logits", "softmax").sum() == pytest.approx(1.0)
    alone = probabilities_of(torch.zeros(1, 1, 1, 1), "logits", "sigmoid")
    assert alone.ravel().tolist() == [0.5, 0.5]
    given = probabilities_of(torch.tensor([0.3, 0.7]).reshape(2, 1, 1, 1), "probabilities", "")
    assert given.ravel().tolist() == pytest.approx([0.3, 0.7])


def test_labels_that_overlap_are_refused_and_not_flattened() -> None:
    with pytest.raises(BundleError, match="overlap"):
        probabilities_of(torch.zeros(3, 2, 2, 2), "logits", "sigmoid")
