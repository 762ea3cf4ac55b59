"""The phantom that all proofs rest on is what its arithmetic says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from Testing.fixtures import liver
from Testing.fixtures.grids import covering, rotated

FINE = rotated(covering(spacing=(1.6, 1.6, 1.6), extent=(244.0, 190.0, 180.0)), (9.0, 12.0, 17.0))


@pytest.mark.parametrize("name", liver.SOLIDS)
def test_each_solid_has_the_volume_that_was_worked_out(name):
    counted = liver.inside(liver.SOLIDS[name], FINE).sum() * FINE.voxel_volume / 1000
    assert counted == pytest.approx(liver.SOLIDS[name].volume_ml, rel=0.01)


@pytest.mark.parametrize(("point", "normal"), [((-30, 4, 10), (1, 0, 0)), ((-40, 0, 0), (-0.8, 0.36, 0.48))])
def test_a_plane_cuts_off_what_was_worked_out(point, normal):
    inside = liver.inside(liver.LIVER, FINE)
    places = FINE.to_lps(np.argwhere(inside))
    counted = ((places - point) @ normal > 0).sum() * FINE.voxel_volume / 1000
    assert liver.cut_off_ml(point, normal) == pytest.approx(counted, rel=0.01)


def test_distance_to_the_capsule_is_that_of_the_nearest_voxel_outside():
    outside = FINE.to_lps(np.argwhere(~liver.inside(liver.LIVER, FINE)))
    nearest = np.linalg.norm(outside - liver.LESION.center, axis=1).min() - liver.LESION.radii[0]
    assert liver.lesion_to_capsule() == pytest.approx(nearest, abs=0.8)


def test_the_hepatic_vein_runs_past_the_lesion_at_the_known_distance():
    lesion, vein = (np.argwhere(liver.inside(liver.SOLIDS[name], FINE)) for name in ("lesion", "hepatic vein"))
    apart = cKDTree(FINE.to_lps(vein)).query(FINE.to_lps(lesion))[0].min()
    assert 0 <= apart - liver.LESION_TO_HEPATIC_VEIN < 1.0


@pytest.mark.parametrize("name", liver.GRIDS)
def test_every_grid_holds_the_whole_liver(name):
    found = liver.inside(liver.LIVER, liver.GRIDS[name])
    assert not any(found.take(end, axis).any() for axis in range(3) for end in (0, -1))
