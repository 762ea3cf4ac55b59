"""Lesions in boxes: their size within what is stated, on any grid, or a reason why they cannot be measured."""

from __future__ import annotations

import math
import re
import tracemalloc

import numpy as np
import pytest

from slicermedai.domain.codes import LONG_AXIS, SHORT_AXIS
from slicermedai.domain.finding import Box, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.lung_rads import mean_diameter
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError
from slicermedai.measure.in_box import lesion_in_box
from slicermedai.measure.methods import measure
from Testing.fixtures.grids import AXIAL, ORIENTATIONS, grid, rotated, tilted
from Testing.fixtures.nodules import LUNG, TISSUE, box_around, ellipsoid, painted, vessel, wall
from Testing.measure.in_box_errors import BESIDE, errors

MIDDLE = (0.4, -0.3, 0.2)
SPACINGS = {"isotropic": (0.8, 0.8, 0.8), "thick": (2.5, 1.0, 1.0), "thin": (1.25, 0.7, 0.7)}


Steps = tuple[float, float, float]


def a_grid(extent: float, spacing: Steps = (0.8, 0.8, 0.8), codes: str = AXIAL) -> Geometry:
    a, b, c = (math.ceil(extent / step) for step in spacing)
    return grid(codes, shape=(a, b, c), spacing=spacing)


def found(volume: Volume, box: Box) -> PackedMask:
    made = lesion_in_box(volume, box)
    assert isinstance(made, PackedMask), made
    return made


def millilitres(mask: PackedMask) -> float:
    return float(np.count_nonzero(mask.to_array()) * mask.geometry.voxel_volume / 1000)


def diameter(mask: PackedMask, volume: Volume) -> float:
    lengths = {one.name: one.value for one in measure(mask, volume=volume)}
    return mean_diameter(lengths[LONG_AXIS], lengths[SHORT_AXIS])


@pytest.mark.parametrize("size", [5, 6, 8, 10, 14, 20])
@pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)
def test_a_ball_has_its_diameter_within_a_millimetre(size: int, spacing: Steps) -> None:
    volume = painted(a_grid(size + 14, spacing), [(ellipsoid(MIDDLE, size / 2), TISSUE)])
    mask = found(volume, box_around(MIDDLE, size / 2))
    assert abs(diameter(mask, volume) - size) < (1.0 if size < 8 else 0.8)
    if size >= 8:
        assert math.isclose(millilitres(mask), math.pi * size**3 / 6000, rel_tol=0.12)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_in_each_of_48_orientations_it_is_the_same_lesion(codes: str) -> None:
    """Half axes of 6, 4 and 3 mm along the patient's left, back and head."""
    solid = ellipsoid(MIDDLE, (6.0, 4.0, 3.0))
    volume = painted(a_grid(28, codes=codes), [(solid, TISSUE)], noise=0.0)
    mask = found(volume, box_around(MIDDLE, (6.0, 4.0, 3.0)))
    voxels = np.argwhere(mask.to_array())
    assert np.allclose(volume.geometry.to_lps(voxels).mean(axis=0), MIDDLE, atol=0.1)
    assert np.allclose(np.ptp(volume.geometry.to_lps(voxels), axis=0), (12, 8, 6), atol=1.7)
    assert math.isclose(millilitres(mask), 4 / 3 * math.pi * 6 * 4 * 3 / 1000, rel_tol=0.05)


@pytest.mark.parametrize("turn", [(10.0, 20.0, 5.0), (-30.0, 15.0, 40.0)])
@pytest.mark.parametrize("is_along", [False, True], ids=["along the patient", "along the voxels"])
def test_on_an_oblique_grid_either_kind_of_box_holds_it(turn: tuple[float, float, float], is_along: bool) -> None:
    geometry = rotated(a_grid(26, (1.5, 0.8, 0.9)), turn)
    volume = painted(geometry, [(ellipsoid(MIDDLE, 5.0), TISSUE)])
    box = box_around(MIDDLE, 5.0)
    if is_along:
        middle = geometry.to_index(MIDDLE)
        reach = 6.0 / geometry.spacing
        box = Box.along(geometry, middle - reach, middle + reach)
    mask = found(volume, box)
    assert math.isclose(millilitres(mask), math.pi * 10**3 / 6000, rel_tol=0.06)
    assert abs(diameter(mask, volume) - 10) < 0.8


@pytest.mark.parametrize("radius", [0.8, 1.2])
def test_vessels_that_go_through_it_stay_outside(radius: float) -> None:
    tube = vessel(MIDDLE, (1.0, 0.4, 0.2), radius)
    volume = painted(a_grid(40), [(tube, TISSUE), (ellipsoid(MIDDLE, 4.0), TISSUE)])
    mask = found(volume, box_around(MIDDLE, 4.0))
    assert math.isclose(millilitres(mask), math.pi * 8**3 / 6000, rel_tol=0.15)
    assert abs(diameter(mask, volume) - 8) < 1.5


@pytest.mark.parametrize("reach", [2.0, 4.0, 6.0, 30.0])
@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (10.0, 20.0, 5.0)])
@pytest.mark.parametrize("size", [6, 10, 14])
def test_vessels_that_end_near_it_do_not_make_it_longer(size: int, turn: Steps, reach: float) -> None:
    """A vessel of 2 mm through its middle, to so many mm beyond it on either side; the image ends soon after."""
    tube, near = vessel(MIDDLE, (1.0, 0.4, 0.2), 1.0), ellipsoid(MIDDLE, size / 2 + reach)
    solids = [(lambda points: tube(points) & near(points), TISSUE), (ellipsoid(MIDDLE, size / 2), TISSUE)]
    geometry = rotated(a_grid(2 * size + 14, (1.25, 0.7, 0.7)), turn)
    volume = painted(geometry, solids)
    mask = found(volume, box_around(MIDDLE, size / 2))
    assert abs(diameter(mask, volume) - size) < 1.2


def test_what_is_darker_than_its_surroundings_is_measured_too() -> None:
    volume = painted(a_grid(30), [(ellipsoid(MIDDLE, 6.0), 5.0)], around=110.0, noise=8.0)
    assert abs(diameter(found(volume, box_around(MIDDLE, 6.0)), volume) - 12) < 0.8


def test_a_lesion_at_the_edge_of_the_image_is_what_the_image_has_of_it() -> None:
    geometry = a_grid(24)
    edge = geometry.to_lps((0, 15, 15))
    volume = painted(geometry, [(ellipsoid(edge, 5.0), TISSUE)])
    mask = found(volume, box_around(edge, 5.0))
    assert math.isclose(millilitres(mask), math.pi * 10**3 / 12000, rel_tol=0.2)


@pytest.mark.parametrize("gap", [0.0, 1.0])
def test_beside_a_wall_it_is_measured_or_refused_and_never_takes_the_wall(gap: float) -> None:
    """4 mm of half axis, so far from a wall."""
    pleura = wall((MIDDLE[0] + 4.0 + gap, 0, 0), (1.0, 0.0, 0.0))
    volume = painted(a_grid(40), [(pleura, TISSUE), (ellipsoid(MIDDLE, 4.0), TISSUE)])
    made = lesion_in_box(volume, box_around(MIDDLE, 4.0))
    if isinstance(made, PackedMask):
        assert math.isclose(millilitres(made), math.pi * 8**3 / 6000, rel_tol=0.25)
    else:
        assert gap == 0.0 and "runs into" in made


REFUSED = {
    "faint": ([(ellipsoid(MIDDLE, 4.0), LUNG + 60)], box_around(MIDDLE, 4.0), "contrast"),
    "nothing": ([], box_around(MIDDLE, 4.0), "contrast"),
    "sunk in a wall": (
        [(wall((1.0, 0, 0), (1.0, 0.0, 0.0)), TISSUE), (ellipsoid(MIDDLE, 4.0), TISSUE)],
        box_around(MIDDLE, 4.0),
        "runs into|cannot be told|middle",
    ),
    "two": (
        [(ellipsoid((-4.0, 0, 0), 3.5), TISSUE), (ellipsoid((4.0, 0, 0), 3.5), TISSUE)],
        box_around((0, 0, 0), (8.0, 4.0, 4.0)),
        "another one|off the middle|contrast|middle of the box",
    ),
    "off": (
        [(ellipsoid(MIDDLE, 4.0), TISSUE)],
        box_around(MIDDLE, 4.0, off=(4.0, 0, 0)),
        "off the middle|contrast|runs into",
    ),
    "larger than its box": ([(ellipsoid(MIDDLE, 9.0), TISSUE)], box_around(MIDDLE, 3.0), "runs into|contrast|told"),
    "much smaller than its box": (
        [(ellipsoid(MIDDLE, 1.6), TISSUE)],
        box_around(MIDDLE, 6.0),
        "fills less|contrast|middle",
    ),
    "outside of the image": ([], box_around((200.0, 0, 0), 4.0), "outside of the image"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trusted_is_refused_with_a_reason(case: str) -> None:
    solids, box, reason = REFUSED[case]
    made = lesion_in_box(painted(a_grid(36), solids), box)
    assert isinstance(made, str) and re.search(reason, made), made


@pytest.mark.parametrize("haze", [LUNG + 150, LUNG + 250, LUNG + 350])
@pytest.mark.parametrize(("whole", "core"), [(8, 4), (12, 6), (16, 6), (16, 10), (20, 8), (20, 14), (20, 16)])
def test_a_part_solid_nodule_never_has_the_size_of_its_core(whole: int, core: int, haze: float) -> None:
    """Diameters of ground glass and of what is solid in it, mm."""
    solids = [(ellipsoid(MIDDLE, whole / 2), haze), (ellipsoid(MIDDLE, core / 2), TISSUE)]
    made = lesion_in_box(painted(a_grid(36), solids), box_around(MIDDLE, whole / 2))
    assert isinstance(made, str), f"{np.count_nonzero(made.to_array())} voxels"


@pytest.mark.parametrize("size", [8, 12, 20])
def test_ground_glass_alone_has_its_size(size: int) -> None:
    volume = painted(a_grid(size + 14), [(ellipsoid(MIDDLE, size / 2), LUNG + 250)])
    assert abs(diameter(found(volume, box_around(MIDDLE, size / 2)), volume) - size) < 1.0


def test_no_array_of_the_whole_image_is_made() -> None:
    """64 million voxels, of which a bool each would be 64 MB; detectors tell hundreds of boxes."""
    geometry = grid(AXIAL, shape=(400, 400, 400), spacing=(0.8, 0.8, 0.8))
    image = np.zeros(geometry.shape, dtype=np.int16)
    near = np.stack(np.meshgrid(*[np.arange(185, 215)] * 3, indexing="ij"), axis=-1)
    image[185:215, 185:215, 185:215][ellipsoid(MIDDLE, 5.0)(geometry.to_lps(near))] = 1000
    volume = Volume(array=image, geometry=geometry, modality="CT")
    tracemalloc.start()
    try:
        mask = found(volume, box_around(MIDDLE, 5.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3e7
    assert np.allclose(geometry.to_lps(np.argwhere(mask.to_array())).mean(axis=0), MIDDLE, atol=0.1)


def test_few_voxels_are_refused() -> None:
    volume = painted(a_grid(30, (5.0, 2.5, 2.5)), [(ellipsoid(MIDDLE, 2.5), TISSUE)])
    made = lesion_in_box(volume, box_around(MIDDLE, 2.5))
    assert isinstance(made, str), np.count_nonzero(made.to_array())


def test_a_leaning_grid_is_refused() -> None:
    volume = painted(tilted(a_grid(24), 12.0), [(ellipsoid(MIDDLE, 4.0), TISSUE)])
    with pytest.raises(GeometryError, match="right angles"):
        lesion_in_box(volume, box_around(MIDDLE, 4.0))


@pytest.mark.parametrize("beside", BESIDE[:3])
def test_what_the_table_of_errors_says_holds(beside: str) -> None:
    """Resources/Docs/models.md: of one size and grid, beside what must not be taken along."""
    told = errors(10, (1.25, 0.7, 0.7), beside, times=6)
    assert len(told.off) == told.tried == 6
    assert abs(float(np.median(told.off))) <= 0.6 and max(map(abs, told.off)) <= 1.2
