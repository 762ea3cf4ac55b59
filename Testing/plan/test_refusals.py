"""What cannot be planned is refused by name, and an edit that fails leaves the plan as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicermedai.console import planning
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.plan import Body, Box, BoxCut, LiverFormula, Margin, MarginCut, PlaneCut, Role, SurfaceFormula
from slicermedai.errors import GeometryError, InputError
from slicermedai.plan import edits
from slicermedai.plan.body import standard_liver, surface_area
from slicermedai.plan.history import History
from slicermedai.plan.numbers import table_of
from slicermedai.plan.start import Roles, start_plan
from Testing.fixtures import liver
from Testing.plan.cases import LABELS, ROLES, SMALL, a_plan, a_result


@pytest.fixture(scope="module")
def plan():
    return a_plan()


def region(geometry, solid=liver.LESION) -> PackedMask:
    return PackedMask.from_array(liver.inside(solid, geometry), geometry)


def test_a_structure_on_another_grid(plan):
    other = replace(liver.GRIDS["axial"], frame_of_reference_uid=SMALL.frame_of_reference_uid)
    with pytest.raises(GeometryError, match="'lesion' lies on another grid"):
        edits.with_region(plan, "lesion", region(other))


def test_a_structure_in_another_frame_of_reference(plan):
    with pytest.raises(GeometryError, match=r"FrameOfReferenceUID.*'lesion' lies in another frame"):
        edits.with_region(plan, "lesion", region(replace(SMALL, frame_of_reference_uid="2.25.9")))


def test_a_mask_of_another_shape(plan):
    with pytest.raises(GeometryError, match="another shape"):
        edits.with_region(plan, "lesion", np.ones((2, 2, 2), dtype=bool))


def test_an_empty_lesion(plan):
    with pytest.raises(InputError, match="'lesion' has no voxels"):
        edits.with_region(plan, "lesion", np.zeros(SMALL.shape, dtype=bool))


def test_a_lesion_outside_of_the_organ(plan):
    outside = replace(liver.LESION, center=(85.0, 50.0, 50.0))
    with pytest.raises(InputError, match="'lesion' lies outside of 'liver'"):
        edits.with_region(plan, "lesion", region(SMALL, outside))


def test_a_lesion_that_exclusive_labels_cut_out_of_the_organ_lies_in_it():
    masks = liver.structures_on(SMALL)
    whole = table_of(start_plan(a_result(masks=masks), ROLES))
    masks["liver"] = masks["liver"] & ~masks["lesion"]
    cut_out = table_of(start_plan(a_result(masks=masks), ROLES))
    for name in ("whole volume with lesions", "functional volume"):
        assert cut_out.value("liver", name) == whole.value("liver", name)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (PlaneCut(name="p", point=(200.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0)), "'p' misses 'liver'"),
        (PlaneCut(name="p", point=(200.0, 0.0, 0.0), normal=(-1.0, 0.0, 0.0)), "leave nothing of 'liver'"),
        (BoxCut(name="b", box=Box(low=(90, 60, 60), high=(95, 65, 65))), "'b' misses 'liver'"),
        (MarginCut(name="m", lesion="hepatic vein", width=5.0), "'hepatic vein' is no lesion"),
        (MarginCut(name="m", lesion="lesoin", width=5.0), "Did you mean 'lesion'"),
    ],
)
def test_a_cut_that_cannot_be_made(plan, cut, words):
    with pytest.raises(InputError, match=words):
        edits.with_cut(plan, cut)
    assert plan.cuts == ()


def test_a_plane_without_direction_and_a_margin_that_is_none():
    with pytest.raises(InputError, match="no direction"):
        PlaneCut(name="p", point=(0.0, 0.0, 0.0), normal=(0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="no direction"):
        PlaneCut(name="p", point=(float("nan"), 0.0, 0.0), normal=(0.0, 0.0, 1.0))
    for width in (-1.0, 101.0, float("nan")):
        with pytest.raises(InputError, match="from 0 to 100 mm"):
            Margin(lesion="lesion", width=width)


@pytest.mark.parametrize(
    ("height", "weight", "words"),
    [
        (0, 70, "height_cm"),
        (-170, 70, "height_cm"),
        (1.75, 70, "height_cm"),
        (float("nan"), 70, "height_cm"),
        (170, 0, "weight_kg"),
        (170, 700, "weight_kg"),
        (70, 170, "do not go together"),
    ],
)
def test_a_height_or_weight_that_nobody_has(height, weight, words):
    with pytest.raises(InputError, match=words):
        Body(height_cm=height, weight_kg=weight)


def test_standard_liver_volumes_by_both_formulae():
    body = Body(height_cm=180, weight_kg=80)
    assert surface_area(body) == pytest.approx(2.0)
    assert standard_liver(body).ml == pytest.approx(1740.15, abs=0.01)
    urata = replace(body, liver=LiverFormula.URATA, surface=SurfaceFormula.DU_BOIS)
    assert surface_area(urata) == pytest.approx(1.9964, abs=1e-3)
    assert standard_liver(urata).ml == pytest.approx(706.2 * surface_area(urata) + 2.4)
    assert standard_liver(urata).formulae == "Urata 1995, body surface by Du Bois 1916"


def test_a_formula_of_adults_refuses_a_child(plan):
    child = Body(height_cm=90, weight_kg=13)
    with pytest.raises(InputError, match="made of adults"):
        edits.with_body(plan, child)
    assert table_of(edits.with_body(plan, replace(child, liver=LiverFormula.URATA))).value(
        "patient", "standard liver volume"
    ) == pytest.approx(405, abs=10)


def test_names_that_are_not_there_or_there_twice(plan):
    with pytest.raises(InputError, match="no structure 'spleen'"):
        edits.with_pair(plan, "liver", "spleen")
    with pytest.raises(InputError, match="two structures are called 'lesion'"):
        edits.with_structure(plan, "lesion", role=Role.LESION, label=LABELS["lesion"], region=region(SMALL))
    with pytest.raises(InputError, match="no finding 'tumor'"):
        start_plan(a_result(), Roles(organ="liver", lesions=("tumor",)))
    for call in (
        lambda: edits.without_cut(plan, "x"),
        lambda: edits.without_margin(plan, "lesion", 3.0),
        lambda: edits.without_structure(plan, "liver"),
    ):
        with pytest.raises(InputError):
            call()


def test_a_role_that_is_none(plan):
    with pytest.raises(InputError, match="no 'artery'"):
        edits.with_structure(plan, "a", role="artery", label=LABELS["lesion"], region=region(SMALL))


def test_a_structure_that_leaves_takes_what_is_drawn_around_it_along(plan):
    made = edits.with_margin(edits.with_cut(plan, MarginCut(name="m", lesion="lesion", width=5)), "lesion", 5)
    made = edits.without_structure(edits.with_pair(made, "lesion", "liver"), "lesion")
    assert (made.cuts, made.margins, made.pairs) == ((), (), ())


def test_nothing_to_undo_and_nothing_to_redo(plan):
    history = History.of(plan)
    for step in (history.undone, history.redone):
        with pytest.raises(InputError, match="nothing to"):
            step()
    once = history.did(edits.with_margin(plan, "lesion", 5.0))
    other = once.undone().did(edits.with_margin(plan, "lesion", 7.0))
    assert not other.can_redo
    assert other.did(other.plan) is other
    for _ in range(150):
        other = other.did(replace(other.plan))
    assert len(other.plans) == 100


def test_an_organ_that_is_no_liver_has_no_standard_liver_volume():
    lesion = start_plan(a_result(), Roles(organ="lesion"))
    with pytest.raises(InputError, match="'lesion' is no liver"):
        edits.with_body(lesion, Body(height_cm=171, weight_kg=68))
    with pytest.raises(InputError, match="'lesion' is no liver"):
        table_of(replace(lesion, body=Body(height_cm=171, weight_kg=68)))


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({"liver": "Urata 1995"}, "Urata 1995, body surface by Du Bois 1916"),
        ({}, "Vauthey 2002, body surface by Mosteller 1987"),
        ({"liver": "Urata 1995", "surface": "Mosteller 1987"}, "Urata 1995, body surface by Mosteller 1987"),
    ],
)
def test_the_body_surface_is_the_one_that_goes_with_the_liver_formula_unless_another_is_named(plan, given, known):
    made = planning.add_size(plan, height_cm=171, weight_kg=68, **given)
    assert {row.note for row in table_of(made).rows if row.name == "standard liver volume"} == {known}
