"""Labels that exclude each other cut holes into the organ: they are no capsule, and where they stay that is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.domain.finding import PackedMask
from slicermedai.domain.plan import Plan, Role
from slicermedai.plan import edits
from slicermedai.plan.numbers import table_of
from slicermedai.plan.start import start_plan
from Testing.fixtures import liver
from Testing.plan.cases import LABELS, ROLES, SMALL, a_plan, a_result

SECOND = replace(liver.LESION, center=(-52.0, 0.0, -14.0), radii=(8.0, 8.0, 8.0))
BORDER = "lesion to the border of liver"


def a_plan_of_exclusive_labels(*names: str) -> Plan:
    """A plan in whose organ the lesions, and what is named, are holes."""
    masks = liver.structures_on(SMALL)
    second = liver.inside(SECOND, SMALL)
    for hole in (masks["lesion"], second, *(masks[name] for name in names)):
        masks["liver"] &= ~hole
    plan = start_plan(a_result(masks=masks), ROLES)
    region = PackedMask.from_array(second, SMALL)
    return edits.with_structure(plan, "lesion 2", role=Role.LESION, label=LABELS["lesion"], region=region)


def test_the_hole_of_another_lesion_is_no_border_of_the_organ():
    table = table_of(a_plan_of_exclusive_labels())
    assert table.value(BORDER, "shortest distance") == pytest.approx(liver.lesion_to_capsule(), abs=4.0)
    assert table.warnings == ()


def test_a_vessel_that_is_cut_out_is_told_in_a_warning_and_beside_the_distance_that_ends_at_it():
    table = table_of(a_plan_of_exclusive_labels("hepatic vein"))
    assert [line for line in table.warnings if line.startswith("hepatic vein is no part of liver")]
    row = next(row for row in table.rows if row.subject == BORDER)
    assert row.value == pytest.approx(liver.LESION_TO_HEPATIC_VEIN, abs=4.0)
    assert row.note == "the border here is that of hepatic vein, which was cut out of liver"
    other = next(row for row in table.rows if row.subject == "lesion 2 to the border of liver")
    assert np.isfinite(other.value)


def test_vessels_that_lie_in_the_organ_are_no_warning():
    assert table_of(a_plan()).warnings == ()
