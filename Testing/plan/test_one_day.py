"""A day of a planner in one go: two phases, margin, cut, edit, undo, saved, read again from result and scene, printed.

After each step every number is held to the solids that the phantom is made of.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.console import planning
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.plan import Plan, Role
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.plan import edits, phases
from slicermedai.plan.checks import structure
from slicermedai.plan.register import registered
from Testing.browser import printed
from Testing.fixtures import liver
from Testing.plan.cases import LABELS, a_result
from Testing.plan.test_page import pages
from Testing.plan.test_phases import ARTERIAL, MOVE, in_the_other_phase

POINT, NORMAL, WIDTH = (-24.0, 2.0, 8.0), (-0.8, 0.36, 0.48), 10.0
REMNANT = liver.LIVER.volume_ml - liver.cut_off_ml(POINT, NORMAL)
ROLES: dict[str, Any] = {"organ": "liver", "lesions": ["lesion"], "vessels": ["hepatic vein", "portal vein"]}
EDITED = 11.0
"""mm: the radius of the lesion as a person draws it anew."""


@pytest.mark.parametrize("grid", ["axial", "oblique", "anisotropic"])
def test_every_number_of_a_whole_day_is_within_its_bound(grid: str, tmp_path: Path) -> None:
    geometry = liver.GRIDS[grid]
    run, venous = tmp_path / "OUT", liver.phase("venous", geometry)
    a_result(geometry).save(run / "result")
    begun = with_second_phase(planning.start(run, **ROLES), venous)
    planned = planning.cut_by_plane(planning.add_margin(begun, "lesion", WIDTH), "half", point=POINT, normal=NORMAL)
    history = planning.History.of(begun).did(planned)
    all_is_right(history.plan)

    small = liver.inside(replace(liver.LESION, radii=(EDITED, EDITED, EDITED)), geometry)
    history = history.did(planning.redraw(history.plan, "lesion", small))
    all_is_right(history.plan, radius=EDITED)
    history = history.undone()
    all_is_right(history.plan)

    saved = planning.save(history.plan, run)
    all_is_right(planning.load(run))
    all_is_right(from_scene(saved, venous, tmp_path, like=history.plan))

    page = planning.print_page(history.plan, run, person="Hopper^Grace", day="20261122")
    assert pages(printed(page, tmp_path)) == 1
    text = re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))
    table = planning.table(history.plan)
    for name in ("remnant volume", "remnant of functional volume", "functional volume"):
        assert f"{table.value('liver', name):.1f}"[:5] in text, name
    assert history.plan.alignments[0].in_words[:40] in text


def with_second_phase(plan: Plan, venous: Volume) -> Plan:
    """With the artery of the other phase, registered and measured by the liver's border in both."""
    arterial = liver.phase("arterial", ARTERIAL, transform=MOVE)
    organ = structure(plan, "liver").region
    found = registered(venous, arterial, moving="arterial", within=organ)
    left = phases.between_borders(organ, in_the_other_phase(liver.LIVER), structure="liver", transform=found.transform)
    found = phases.with_residual(found, left)
    artery = phases.brought(in_the_other_phase(liver.ARTERY), found, plan.geometry)
    return edits.with_structure(
        phases.with_alignment(plan, found),
        "artery",
        role=Role.VESSEL,
        label=replace(LABELS["portal vein"], name="artery"),
        region=artery,
        phase="arterial",
    )


def all_is_right(plan: Plan, *, radius: float = 15.0) -> None:
    """Every number of the table, beside what the solids say."""
    table, voxel = planning.table(plan), float(plan.geometry.spacing.max())
    functional = liver.LIVER.volume_ml - liver.ball_ml(radius)
    near = {
        ("liver", "whole volume with lesions"): liver.LIVER.volume_ml,
        ("liver", "functional volume"): functional,
        ("liver", "remnant volume"): REMNANT,
        ("liver", "remnant of functional volume"): 100 * REMNANT / functional,
        ("liver", "resected volume"): liver.LIVER.volume_ml - REMNANT,
    }
    for (subject, name), known in near.items():
        assert table.value(subject, name) == pytest.approx(known, rel=0.005), (subject, name)
    bound = 0.01 if radius == 15.0 else 0.03
    assert table.value("lesion", "volume") == pytest.approx(liver.ball_ml(radius), rel=bound), "whole voxels"
    for name in ("hepatic vein", "portal vein"):
        assert table.value(name, "volume") == pytest.approx(liver.SOLIDS[name].volume_ml, rel=0.1)
    margin = table.value(f"lesion + {WIDTH:g} mm", "lesion and margin in the organ")
    assert abs((margin * 1000 * 3 / (4 * np.pi)) ** (1 / 3) - radius - WIDTH) < voxel
    ways = {
        "hepatic vein": 30.0 - radius - 5.0,
        "portal vein": float(np.hypot(10.0, 36.0)) - radius - 6.0,
        "artery": float(liver.ARTERY.distance(np.array([liver.LESION.center]))[0]) - radius,
    }
    for name, known in ways.items():
        bound = voxel + (2.0 if name == "artery" else 0.0)
        assert abs(table.value(f"lesion to {name}", "shortest distance") - known) < bound, name
    assert table.value("arterial", "residual") < 2.0
    assert not any("stay behind" in line for line in table.warnings)


def from_scene(saved: Path, image: Volume, folder: Path, *, like: Plan) -> Plan:
    """The plan ``like``, begun anew on the segments of a scene that was saved and read again; what it planned is there
    as segments too.
    """
    pytest.importorskip("slicer", reason="absent: slicer-core")
    import slicer

    from slicermedai.scene.archive import load_scene
    from slicermedai.scene.save import save_result
    from slicermedai.scene.segments import mask_from_segment

    result = AnalysisResult.load(saved)
    scene = load_scene(save_result(result, folder / "plan.mrb", volume=image), slicer.vtkMRMLScene())
    node = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")

    frame = like.geometry.frame_of_reference_uid  # a scene knows none

    def read(uid: str) -> PackedMask:
        mask = mask_from_segment(node, uid)
        assert mask.geometry.same_grid(like.geometry), "the scene holds the segments where they were drawn"
        return replace(mask, geometry=replace(mask.geometry, frame_of_reference_uid=frame))

    regions = {one.label.name: read(one.tracking_uid) for one in result.findings}
    counted = regions["liver: planned remnant"].to_array().sum() * like.geometry.voxel_volume / 1000
    assert counted == pytest.approx(REMNANT, rel=0.01), "whole voxels"
    own = [replace(one, region=regions[one.label.name]) for one in result.findings if one.label.name in LABELS]
    made = planning.start(replace(result, findings=tuple(own)), **ROLES)
    artery = replace(structure(like, "artery"), region=regions["artery"])
    return replace(
        made,
        structures=(*made.structures, artery),
        margins=like.margins,
        cuts=like.cuts,
        alignments=like.alignments,
    )
