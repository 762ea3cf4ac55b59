"""An answer whose left lies on the right says so, and labels that may overlap are warned of as all others are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import LabelMap
from slicermedai.inference.fitness import label_warnings, mask_warnings
from Testing.fixtures.grids import ORIENTATIONS, grid, rotated
from Testing.inference.tiny_bundle import INSIDE, change_json

_KIDNEY = {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"}
LABELS = [
    {**INSIDE, "value": value, "name": f"{side} kidney", "type": _KIDNEY, "plausible_ml": [10, 1000],
     "modifier": {"value": code, "scheme": "SCT", "meaning": side}}
    for value, side, code in ((1, "Left", "7771000"), (2, "Right", "24028007"))
]  # fmt: skip


@pytest.fixture
def kidneys(tiny: Path) -> Manifest:
    change_json(tiny / "medai.json", labels=LABELS)
    return read_manifest(tiny)


def two(geometry: Geometry, *, left: float, right: float) -> dict[int, np.ndarray]:
    """Balls whose middles lie so many mm to the patient's left."""
    places = geometry.to_lps(np.argwhere(np.ones(geometry.shape, bool)))
    found = {}
    for value, x in ((1, left), (2, right)):
        inside = np.linalg.norm(places - np.array([x, 8.0, -5.0]), axis=1) < 22.0
        found[value] = inside.reshape(geometry.shape)
    return found


def both(manifest: Manifest, geometry: Geometry, masks: dict[int, np.ndarray]) -> list[list[str]]:
    """The warnings of one label map, and of masks that could overlap."""
    array = np.zeros(geometry.shape, np.uint8)
    for value, mask in masks.items():
        array[mask] = value
    packed = {value: PackedMask.from_array(mask, geometry) for value, mask in masks.items()}
    return [label_warnings(manifest, LabelMap(array=array, geometry=geometry)), mask_warnings(manifest, packed)]


@pytest.mark.parametrize("codes", ORIENTATIONS[::5])
def test_sides_are_those_of_the_patient_in_any_orientation(kidneys: Manifest, codes: str) -> None:
    turned = rotated(grid(codes, shape=(26, 30, 34), spacing=(6.0, 5.0, 5.5)), (9.0, -12.0, 14.0))
    assert both(kidneys, turned, two(turned, left=45.0, right=-40.0)) == [[], []]
    for said in both(kidneys, turned, two(turned, left=-40.0, right=45.0)):
        assert said == [
            "Left kidney lies to the right of Right kidney: left and right may be changed over, in the image or by "
            "the model"
        ]


def test_one_side_alone_says_nothing(kidneys: Manifest) -> None:
    space = grid(shape=(26, 30, 34), spacing=(6.0, 5.0, 5.5))
    assert both(kidneys, space, {2: two(space, left=0.0, right=45.0)[2]}) == [[], []]


def test_a_large_map_is_asked_in_part_and_says_the_same(kidneys: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slicermedai.inference.mirrored._ENOUGH", 500)
    space = grid(shape=(26, 30, 34), spacing=(6.0, 5.0, 5.5))
    assert both(kidneys, space, two(space, left=45.0, right=-40.0))[0] == []
    assert len(both(kidneys, space, two(space, left=-40.0, right=45.0))[0]) == 1


def test_labels_that_may_overlap_are_held_against_edge_and_plausible_volume_too(kidneys: Manifest) -> None:
    space = grid(shape=(26, 30, 34), spacing=(6.0, 5.0, 5.5))
    array = np.zeros(space.shape, bool)
    array[:2, 4:6, 20:22] = True
    exclusive, overlapping = both(kidneys, space, {2: array})
    assert overlapping == exclusive
    assert len(overlapping) == 2
    assert "10 to 1000 is plausible" in overlapping[0]
    assert "reaches the edge" in overlapping[1]
