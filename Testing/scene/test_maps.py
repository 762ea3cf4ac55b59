"""Maps and inner and outer regions are in the scene, hidden, and go with their result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer
from scipy.ndimage import binary_dilation, binary_erosion

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.domain.uncertainty import StructureSpread, Uncertainty
from slicermedai.scene.clear import clear
from slicermedai.scene.segments import mask_from_segment
from slicermedai.scene.show import show
from slicermedai.scene.volumes import volume_from_node
from Testing.scene.samples import BRAIN_UID


@pytest.fixture
def varied(result: AnalysisResult) -> AnalysisResult:
    """The analysis with a map, and an inner and an outer region of the brain."""
    grid, mask = result.volume_geometry, result.findings[0].region.to_array()
    values = np.random.default_rng(1).random(grid.shape).astype(np.float32)
    quantity = Code(value="X", scheme="99TEST", meaning="Disagreement")
    spread = StructureSpread(
        tracking_uid=BRAIN_UID,
        pairwise_dice=0.9,
        volume_mean=1.0,
        volume_deviation=0.1,
        volume_low=0.8,
        volume_high=1.2,
        found_in=8,
        band_ml=0.3,
        inner=PackedMask.from_array(binary_erosion(mask), grid),
        outer=PackedMask.from_array(binary_dilation(mask), grid),
    )
    return replace(
        result,
        maps=(Map(name="M", quantity=quantity, unit=NO_UNITS, array=values, geometry=grid, about=(("method", "m"),)),),
        uncertainty=Uncertainty(method="flips", samples=8, cost=3.0, level=0.9, structures=(spread,)),
    )


def test_a_map_is_a_volume_in_its_place_that_says_how_it_was_made(scene, varied: AnalysisResult) -> None:
    node, _ = show(varied, scene).map_nodes
    back = volume_from_node(node)
    assert np.array_equal(back.array, varied.maps[0].array)
    assert back.geometry.same_grid(varied.volume_geometry)
    assert "method: m" in node.GetDescription()


def test_inner_and_outer_regions_are_two_hidden_segments(scene, varied: AnalysisResult) -> None:
    _, node = show(varied, scene).map_nodes
    names = [node.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["Brain, inner, 90% of the samples", "Brain, outer, not excluded by 90% of the samples"]
    assert not node.GetDisplayNode().GetVisibility()
    inner, outer = (mask_from_segment(node, f"{BRAIN_UID}.{key}").to_array() for key in ("inner", "outer"))
    spread = varied.uncertainty.structures[0]
    assert np.array_equal(inner, spread.inner.to_array()) and np.array_equal(outer, spread.outer.to_array())


def test_maps_are_replaced_when_shown_again_and_cleared_with_the_result(scene, varied: AnalysisResult) -> None:
    def volumes() -> int:
        return scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")

    show(varied, scene)
    shown = show(varied, scene)
    assert (volumes(), scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")) == (1, 2)
    clear(shown, scene)
    assert (volumes(), scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")) == (0, 0)
    assert isinstance(scene, slicer.vtkMRMLScene)
