"""The detector of roundish things: places, sizes and scores from maps that are made by hand."""

from __future__ import annotations

import pytest
import torch

from slicermedai.bundles.code import runs_code
from slicermedai.inference.spots import HEAT, OFFSET, SIZE, STRIDE, SpotDetector, SpotNet, spots_in

SHAPE = (12, 14, 10)


def maps_with(*spots: tuple[tuple[float, float, float], float, float]) -> torch.Tensor:
    """Maps of (centre in voxels, diameter in voxels, score)."""
    maps = torch.zeros(5, *SHAPE)
    maps[HEAT] = -9
    for center, diameter, score in spots:
        place = torch.tensor(center) / STRIDE
        i, j, k = place.round().long().tolist()
        maps[HEAT, i, j, k] = torch.logit(torch.tensor(score))
        maps[SIZE, i, j, k] = torch.tensor(diameter).log()
        maps[OFFSET, i, j, k] = torch.tensor(center) - STRIDE * place.round()
    return maps


def test_boxes_lie_around_their_centres_the_surest_first() -> None:
    maps = maps_with(((5.0, 8.5, 6.0), 4.0, 0.6), ((16.2, 20.0, 12.7), 7.0, 0.9))
    boxes, scores = spots_in(maps, threshold=0.05, most=9)
    assert scores.tolist() == pytest.approx([0.9, 0.6], abs=1e-5)
    first = [16.2 - 3.5, 20.0 - 3.5, 12.7 - 3.5, 16.2 + 3.5, 20.0 + 3.5, 12.7 + 3.5]
    assert boxes[0].tolist() == pytest.approx(first, abs=1e-4)
    assert boxes[1].tolist() == pytest.approx([3.0, 6.5, 4.0, 7.0, 10.5, 8.0], abs=1e-4)


def test_of_two_in_one_ball_the_surer_stays_and_weak_ones_go() -> None:
    maps = maps_with(((8.0, 8.0, 8.0), 12.0, 0.9), ((8.0, 12.0, 8.0), 12.0, 0.8), ((20.0, 20.0, 2.0), 4.0, 0.04))
    assert spots_in(maps, threshold=0.05, most=9)[1].tolist() == pytest.approx([0.9], abs=1e-5)
    assert len(spots_in(maps, threshold=0.01, most=9)[1]) == 2
    assert len(spots_in(maps, threshold=0.01, most=1)[1]) == 1


def test_nothing_is_found_where_nothing_is() -> None:
    boxes, scores = spots_in(maps_with(), threshold=0.05, most=9)
    assert boxes.shape == (0, 6) and scores.shape == (0,)


class Known(torch.nn.Module):
    """Finds the brightest voxel, whatever the size of the image."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert all(n % 4 == 0 for n in image.shape[2:])
        maps = torch.full((1, 5, *(n // 2 for n in image.shape[2:])), -9.0)
        i, j, k = (int(n[0]) for n in torch.nonzero(image[0, 0] == image.max(), as_tuple=True))
        maps[0, :, i // 2, j // 2, k // 2] = torch.tensor([3.0, 1.0, i % 2, j % 2, k % 2])
        return maps


def test_an_image_of_any_size_is_filled_up_and_places_stay() -> None:
    image = torch.zeros(1, 1, 9, 13, 18)
    image[0, 0, 8, 5, 17] = 1
    detector = SpotDetector()
    detector.network = Known()
    (found,) = detector.eval()(image)
    box = found[detector.target_box_key][0]
    assert ((box[:3] + box[3:]) / 2).tolist() == pytest.approx([8, 5, 17], abs=1e-5)
    assert found[detector.target_label_key].tolist() == [0]


def test_the_network_answers_half_the_size_and_few_places_before_training() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        maps = SpotNet().eval()(torch.rand(1, 1, 16, 20, 24))
    assert maps.shape == (1, 5, 8, 10, 12)
    assert float(torch.sigmoid(maps[:, HEAT]).mean()) < 0.1


def test_its_parts_are_no_code_of_a_bundle() -> None:
    parts = {"network_def": "SpotNet", "detector": "SpotDetector"}
    assert not runs_code({key: {"_target_": f"slicermedai.inference.spots.{name}"} for key, name in parts.items()})
