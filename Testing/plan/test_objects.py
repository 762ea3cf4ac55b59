"""What is planned reaches SEG, SR and scene, and these are valid and come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.domain.decisions import decided
from slicermedai.export.run import export_result
from slicermedai.plan import edits
from slicermedai.plan.numbers import table_of
from slicermedai.plan.planned import planned_result
from slicermedai.plan.start import Roles, start_plan
from Testing.export.cases import Case, a_case
from Testing.export.validators import dciodvfy_errors
from Testing.fixtures import liver
from Testing.fixtures.grids import covering, rotated
from Testing.fixtures.series_spec import SeriesSpec
from Testing.plan.cases import LABELS
from Testing.plan.test_keep import PLANE

GRID = rotated(covering(spacing=(6.0, 5.0, 5.0), extent=(240.0, 190.0, 180.0)), (7.0, -5.0, 11.0))
ROLES = Roles(organ="liver", lesions=("lesion",), vessels=("hepatic vein",))


@pytest.fixture(scope="module")
def case() -> Case:
    names = ("liver", "lesion", "hepatic vein")
    return a_case(
        GRID,
        spec=SeriesSpec(modality="CT"),
        masks=tuple(liver.inside(liver.SOLIDS[name], GRID) for name in names),
        labels=tuple(LABELS[name] for name in names),
    )


@pytest.fixture(scope="module")
def planned(case):
    plan = edits.with_margin(edits.with_cut(start_plan(case.result, ROLES), PLANE), "lesion", 14.0)
    return plan, planned_result(case.result, plan, table_of(plan))


def test_seg_and_sr_hold_what_is_planned_and_are_valid(case, planned, tmp_path: Path):
    plan, result = planned
    seg, sr = export_result(result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))
    assert dciodvfy_errors(seg) == [] == dciodvfy_errors(sr)
    labels = [item.SegmentLabel for item in dcmread(seg).SegmentSequence]
    assert "liver: planned remnant" in labels and "lesion + 14 mm: planned margin" in labels
    numbers = {
        (code.CodeValue, float(item.MeasuredValueSequence[0].NumericValue))
        for item in nested(dcmread(sr))
        if item.ValueType == "NUM" and item.MeasuredValueSequence
        for code in item.ConceptNameCodeSequence
    }
    table = table_of(plan)
    for code, value in (
        ("118565006", table.value("liver", "remnant volume")),
        ("113288", table.value("liver", "remnant of functional volume") / 100),
        ("121206", table.value("lesion to hepatic vein", "shortest distance")),
    ):
        assert any(name == code and number == pytest.approx(value, rel=1e-5) for name, number in numbers), code


def nested(dataset):
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from nested(item)


def test_a_planned_region_is_not_said_to_be_found_by_the_model_alone(case, planned, tmp_path: Path):
    seg = export_result(planned[1], headers=case.headers, folder=tmp_path, formats=("seg",))[0]
    kinds = {item.SegmentLabel: item.SegmentAlgorithmType for item in dcmread(seg).SegmentSequence}
    assert kinds["liver"] == "AUTOMATIC"
    assert kinds["liver: planned remnant"] == "SEMIAUTOMATIC"


def test_every_planned_region_comes_back_from_a_saved_scene(planned, tmp_path: Path):
    pytest.importorskip("slicer", reason="absent: slicer-core")
    import slicer

    from slicermedai.domain.volume import Volume
    from slicermedai.scene import segments
    from slicermedai.scene.archive import load_scene
    from slicermedai.scene.save import save_result

    result = decided(planned[1])
    image = Volume(array=np.zeros(GRID.shape, np.int16), geometry=result.volume_geometry, modality="CT")
    scene = load_scene(save_result(result, tmp_path / "plan.mrb", volume=image), slicer.vtkMRMLScene())
    node = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    for finding in result.findings:
        found = segments.mask_from_segment(node, finding.tracking_uid).to_array()
        np.testing.assert_array_equal(found, finding.region.to_array())
        assert node.GetSegmentation().GetSegment(finding.tracking_uid).GetName() == finding.label.name
