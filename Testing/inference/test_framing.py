"""The box around the head depends on the head and not on the grid that it came in."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from slicermedai.bundles.deepbet import medai_entry
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError
from slicermedai.inference.framing import Extent, Framing, content_extent, extent_of, framed
from Testing.fixtures.grids import covering, rotated, tilted
from Testing.fixtures.phantoms import head_phantom

ROOM = (230.0, 270.0, 290.0)
GRIDS = {
    "axial": covering("SPL", spacing=(3.0, 3.0, 3.0), extent=ROOM),
    "sagittal": covering("LIP", spacing=(3.0, 3.0, 3.0), extent=ROOM),
    "coronal flipped": covering("AIR", spacing=(3.0, 3.0, 3.0), extent=ROOM),
    "oblique": rotated(covering("SPL", spacing=(3.0, 3.0, 3.0), extent=(260.0, 290.0, 300.0)), (18, -9, 12)),
    "tilted": tilted(covering("SPL", spacing=(3.0, 3.0, 3.0), extent=(230.0, 330.0, 290.0)), 12.0),
    "thick slices": covering("SPL", spacing=(6.0, 2.5, 2.5), extent=ROOM),
}


@cache
def box_on(name: str) -> Extent:
    return content_extent(head_phantom(GRIDS[name])[0])


@pytest.mark.parametrize("name", list(GRIDS))
def test_the_head_is_boxed_alike_on_every_grid(name: str) -> None:
    expected, found = box_on("axial"), box_on(name)
    allowed = 3.0 if name == "thick slices" else 2.0
    assert np.abs(found.low - expected.low).max() < allowed
    assert np.abs(found.high - expected.high).max() < allowed


def test_the_box_holds_the_head_and_little_more() -> None:
    box = box_on("axial")
    assert np.all(box.low < (-70, -90, -105)) and np.all(box.low > (-90, -130, -130))
    assert np.all(box.high > (70, 90, 105)) and np.all(box.high < (95, 115, 130))


def test_padding_with_noise_moves_the_box_little() -> None:
    volume, _ = head_phantom(GRIDS["axial"])
    noise = np.abs(np.random.default_rng(0).normal(0, 30, tuple(n + 26 for n in volume.array.shape)))
    noise[13:-13, 13:-13, 13:-13] += volume.array
    grid = volume.geometry.cropped((-13, -13, -13), tuple(n + 13 for n in volume.array.shape))
    found = content_extent(Volume(array=noise.astype(np.int16), geometry=grid))
    assert np.abs(found.low - box_on("axial").low).max() < 5.0
    assert np.abs(found.high - box_on("axial").high).max() < 5.0


def test_an_extent_is_interpolated_between_planes() -> None:
    box = Extent(low=np.zeros(3), high=np.full(3, 20.0))
    weight = np.zeros((20, 20, 20), dtype=np.float32)
    weight[5:15, 5:15, 5:15] = 1.0
    found = extent_of(weight, box, smallest_shares=np.full(3, 0.125))  # half of a full plane's share
    assert found is not None
    assert np.allclose(found.low, 5.0) and np.allclose(found.high, 15.0)
    weight[4, 5:15, 5:15] = 0.25
    shifted = extent_of(weight, box, smallest_shares=np.full(3, 0.125))
    assert shifted is not None
    assert 4.0 < shifted.low[0] < 5.0


def test_nothing_has_no_extent() -> None:
    box = Extent(low=np.zeros(3), high=np.ones(3))
    assert extent_of(np.zeros((4, 4, 4), np.float32), box, smallest_shares=np.full(3, 0.02)) is None


def test_a_grid_fills_its_box_along_the_patient_axes() -> None:
    box = Extent(low=np.array([-10.0, 0.0, 5.0]), high=np.array([10.0, 30.0, 45.0]))
    grid = box.grid((10, 10, 10))
    assert grid.axis_codes == ("L", "P", "S")
    assert np.allclose(grid.corners.min(axis=0), box.low)
    assert np.allclose(grid.corners.max(axis=0), box.high)


def test_beyond_the_image_lies_its_darkest_value() -> None:
    small = covering(spacing=(4.0, 4.0, 4.0), extent=(20.0, 20.0, 20.0))
    image = Volume(array=np.full(small.shape, -50, np.int16), geometry=small)
    wide: Geometry = covering(spacing=(4.0, 4.0, 4.0), extent=(80.0, 80.0, 80.0))
    assert np.all(framed(image, wide).array == -50)


@pytest.mark.parametrize("change", [{"kind": "guess"}, {"colour": 1}])
def test_an_unknown_framing_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="framing"):
        Framing.from_entry({**medai_entry()["framing"], **change}, file="x")
