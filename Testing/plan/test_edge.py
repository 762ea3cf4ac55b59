"""What the image cuts off is told: no volume, distance or margin is silently of a part alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.plan import edits
from slicermedai.plan.border import reaches_edge
from slicermedai.plan.numbers import table_of
from slicermedai.plan.start import start_plan
from Testing.fixtures.grids import covering
from Testing.plan.cases import FRAME, ROLES, a_plan, a_result

SHORT = replace(covering(spacing=(4.0, 3.0, 3.0), extent=(230.0, 150.0, 70.0)), frame_of_reference_uid=FRAME)
BEYOND = "reaches the edge of the image: what lies beyond"


def test_an_organ_that_the_image_cuts_off_is_a_warning():
    warnings = table_of(start_plan(a_result(SHORT), ROLES)).warnings
    assert [line for line in warnings if line.startswith("liver " + BEYOND)]
    assert not [line for line in warnings if line.startswith("lesion")]


def test_a_margin_that_the_image_cuts_off_is_a_warning_and_one_that_ends_in_it_is_not():
    plan = edits.with_margin(edits.with_margin(start_plan(a_result(SHORT), ROLES), "lesion", 5.0), "lesion", 30.0)
    told = [line for line in table_of(plan).warnings if line.startswith("The margin") and BEYOND in line]
    assert len(told) == 1 and "lesion + 30 mm" in told[0]


def test_a_case_that_lies_wholly_in_its_image_has_no_such_warning():
    assert not [line for line in table_of(edits.with_margin(a_plan(), "lesion", 30.0)).warnings if "edge" in line]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, -1])
def test_each_side_of_the_image_is_looked_at(axis: int, end: int):
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[2, 3, 3] = True
    assert not reaches_edge(mask)
    np.moveaxis(mask, axis, 0)[end, 2, 3] = True
    assert reaches_edge(mask)
