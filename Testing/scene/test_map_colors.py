"""Maps of a result in the scene: in which colours, and laid over an image only where somebody asks for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import slicer
from numpy.typing import NDArray

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.maps import DISAGREEMENT
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.scene import identity, map_colors
from slicermedai.scene.clear import clear
from slicermedai.scene.laying import lay, lift, range_of
from slicermedai.scene.map_colors import MapKind, overlay, ramp
from slicermedai.scene.show import show
from slicermedai.scene.views import DrawingScene, SliceView, opened
from slicermedai.scene.volumes import geometry_of_node, volume_to_node
from Testing.scene.samples import SmallHead, small_head
from Testing.scene.test_render import middle, pixels

FLOAT = NDArray[np.float64]
CODES = {
    MapKind.PROBABILITY: Code(value="110854", scheme="DCM", meaning="Fractional Probabilistic Segmentation"),
    MapKind.UNCERTAINTY: Code(value="255238004", scheme="SCT", meaning="Continuous"),
    MapKind.SALIENCY: Code(value="130403", scheme="DCM", meaning="Grad-CAM"),
}


def a_map(head: SmallHead, kind: MapKind = MapKind.SALIENCY, name: str = "Saliency") -> Map:
    """Every voxel has a number of its own."""
    geometry = head.result.volume_geometry
    array = np.linspace(0, 1, int(np.prod(geometry.shape)), dtype=np.float32).reshape(geometry.shape)
    calibration = "site A" if kind is MapKind.PROBABILITY else "none"
    return Map(name=name, quantity=CODES[kind], unit=NO_UNITS, array=array, geometry=geometry, calibration=calibration)


def mapped(head: SmallHead, *found: Map) -> AnalysisResult:
    return replace(head.result, maps=found)


@pytest.mark.parametrize("head", [small_head(), small_head(oblique=True), small_head(codes="IAR")])
def test_a_map_lies_where_its_voxels_do(scene: slicer.vtkMRMLScene, head: SmallHead) -> None:
    (node,) = show(mapped(head, a_map(head)), scene).map_nodes
    assert np.array_equal(slicer.util.arrayFromVolume(node), a_map(head).array)
    assert np.abs(geometry_of_node(node).affine - head.result.volume_geometry.affine).max() < 1e-9


@pytest.mark.parametrize("kind", list(MapKind))
def test_each_kind_has_its_colours_and_says_whether_it_is_calibrated(scene: slicer.vtkMRMLScene, kind: MapKind) -> None:
    head = small_head()
    (node,) = show(mapped(head, a_map(head, kind)), scene).map_nodes
    table = node.GetDisplayNode().GetColorNode()
    color = [0.0] * 4
    assert table.GetColor(170, color)
    assert color[:3] == pytest.approx(ramp(kind)[170].tolist(), abs=1e-6)
    assert node.GetAttribute(map_colors.CALIBRATION) == ("site A" if kind is MapKind.PROBABILITY else "none")
    assert node.GetVoxelValueQuantity().GetCodeValue() == CODES[kind].value
    assert "Research use only" in node.GetDescription()


def test_no_view_shows_a_map_unasked_and_a_click_lays_it_over_the_image(scene: slicer.vtkMRMLScene) -> None:
    head = small_head()
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    image = volume_to_node(head.volume, scene)
    (node,) = show(mapped(head, a_map(head)), scene).map_nodes
    assert view.GetForegroundVolumeID() is None and view.GetBackgroundVolumeID() is None
    assert overlay(node, image) == 1
    assert (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) == (image.GetID(), node.GetID())
    assert view.GetForegroundOpacity() == map_colors.OPACITY


def test_a_probability_is_shown_from_0_to_1_and_nothing_below_0_is_left_out(scene: slicer.vtkMRMLScene) -> None:
    head = small_head()
    one = a_map(head, MapKind.PROBABILITY)
    other = replace(a_map(head), array=a_map(head).array - np.float32(0.5))
    sure, signed = (
        node.GetDisplayNode() for node in show(mapped(head, replace(one, array=one.array / 2), other), scene).map_nodes
    )
    assert (sure.GetWindowLevelMin(), sure.GetWindowLevelMax(), sure.GetApplyThreshold()) == (0, 1, 1)
    assert (signed.GetWindowLevelMin(), signed.GetWindowLevelMax(), signed.GetApplyThreshold()) == (-0.5, 0.5, 0)


@pytest.mark.parametrize(
    ("quantity", "ends"),
    [(DISAGREEMENT, (0, 0.5)), (CODES[MapKind.SALIENCY], (0, 1)), (CODES[MapKind.UNCERTAINTY], None)],
)
@pytest.mark.parametrize("most", [0.125, 0.75])
def test_maps_of_two_patients_are_shown_on_one_scale(
    scene: slicer.vtkMRMLScene, quantity: Code, ends: tuple[float, float] | None, most: float
) -> None:
    head = small_head()
    one = replace(a_map(head), array=a_map(head).array * np.float32(most), quantity=quantity)
    (node,) = show(mapped(head, one), scene).map_nodes
    display = node.GetDisplayNode()
    assert range_of(node) == (ends or (0, most))
    assert display.GetApplyThreshold() and display.GetLowerThreshold() > 0
    assert display.GetUpperThreshold() == max((ends or (0, 0))[1], most)
    lay(node, share=0.5)
    assert display.GetLowerThreshold() == range_of(node)[1] / 2
    assert display.GetUpperThreshold() >= most


def test_tables_are_used_again_and_go_with_the_result(scene: slicer.vtkMRMLScene) -> None:
    head = small_head()
    result = mapped(head, a_map(head), a_map(head, MapKind.UNCERTAINTY, "Disagreement"))
    show(result, scene)
    shown = show(result, scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") == 2
    clear(shown, scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") == 0
    assert not identity.marked_nodes(scene, shown.key)


def test_a_result_whose_map_was_laid_over_the_image_is_cleared_with_its_legend(scene: slicer.vtkMRMLScene) -> None:
    head = small_head()
    (node,) = (shown := show(mapped(head, a_map(head)), scene)).map_nodes
    lay(node, share=0)
    clear(shown, scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 0
    assert not identity.marked_nodes(scene, shown.key)


@pytest.mark.parametrize("codes", ["SPL", "IAR", "PSR"])
@pytest.mark.parametrize("kind", [MapKind.PROBABILITY, MapKind.UNCERTAINTY])
def test_a_map_of_the_left_ventricle_is_drawn_on_the_right_in_its_hue(
    tmp_path: Path, codes: str, kind: MapKind
) -> None:
    head = small_head(codes=codes, spacing=8.0)
    left = head.result.findings[1].region.to_array()
    one = replace(a_map(head, kind), array=np.where(left, 0.75, 0).astype(np.float32))
    with DrawingScene() as drawing:
        shown = show(replace(head.result, findings=(), maps=(one,)), drawing.scene, volume=head.volume)
        with opened(SliceView(drawing, "Axial", (300, 300))) as view:
            view.show_volume(shown.volume_node, _middle_ras(left, head))
            grey = pixels(view.save(tmp_path / "before.png"))
            assert overlay(shown.map_nodes[0]) == 1
            picture = pixels(view.save(tmp_path / "after.png"))
    hit = np.abs(picture - grey).max(axis=-1) > 20
    assert 0.5 < middle(hit)[0] < 0.65 and hit.mean() < 0.05
    red, _, blue = (picture - grey)[hit].mean(axis=0)
    assert (blue > red) == (kind is MapKind.PROBABILITY)


@pytest.mark.parametrize("kind", list(MapKind))
def test_the_legend_beside_the_image_has_the_maps_colours_in_order_and_goes_with_the_map(
    tmp_path: Path, kind: MapKind
) -> None:
    head = small_head(spacing=8.0)
    result = replace(head.result, findings=(), maps=(a_map(head, kind),))
    with DrawingScene() as drawing:
        drawing.scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
        with opened(SliceView(drawing, "Axial", (400, 400))) as view:
            view.draw_with(("vtkMRMLColorLegendDisplayableManager",), view.node)
            shown = show(result, drawing.scene, volume=head.volume)
            view.show_volume(shown.volume_node, _middle_ras(head.result.findings[1].region.to_array(), head))
            without = pixels(view.save(tmp_path / "without.png"))
            lay(shown.map_nodes[0], share=0, image=shown.volume_node)
            picture = pixels(view.save(tmp_path / "with.png"))
            lift(result, drawing.scene)
            assert np.array_equal(pixels(view.save(tmp_path / "again.png")), without)
    bar = _bar(picture, without)
    assert len(bar) > 120
    for part in (0.0, 0.25, 0.5, 0.75):
        wanted = ramp(kind)[round(255 * (1 - part))] * 255
        assert np.abs(bar[round(part * (len(bar) - 1))] - wanted).max() < 20, part


def _bar(picture: NDArray[np.int_], without: NDArray[np.int_]) -> NDArray[np.int_]:
    """The colours of the legend from its top to its bottom, at the right edge, where no image and no number is."""
    rows = np.nonzero(np.abs(picture[:, 380] - without[:, 380]).max(axis=-1) > 2)[0]
    title_ends = np.nonzero(np.diff(rows) > 1)[0]
    return picture[rows[title_ends[-1] + 1 if title_ends.size else 0] : rows[-1] + 1, 380]


@pytest.mark.parametrize("most", [0.5, 1.0, 12.7])
def test_the_numbers_of_a_legend_are_what_the_colours_mean(scene: slicer.vtkMRMLScene, most: float) -> None:
    head = small_head()
    one = replace(a_map(head, MapKind.UNCERTAINTY), array=a_map(head).array * np.float32(most))
    (node,) = show(mapped(head, one), scene).map_nodes
    lay(node, share=0)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    low, high = range_of(node)
    values = np.linspace(low, high, legend.GetNumberOfLabels())
    assert [float(legend.GetLabelFormat() % value) for value in values] == pytest.approx(values, rel=0.005)
    assert legend.GetTitleText() == node.GetName()


def _middle_ras(mask: NDArray[np.bool_], head: SmallHead) -> tuple[float, float, float]:
    left, posterior, superior = head.result.volume_geometry.to_lps(np.argwhere(mask).mean(axis=0))
    return -float(left), -float(posterior), float(superior)


# --- colours ------------------------------------------------------------------------------------------------------

_TO_CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
_LACKING = {
    "nothing": np.eye(3),
    "red": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "green": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    "blue": np.array([[1, 0, 0], [0, 1, 0], [-0.395913, 0.801109, 0]]),
}
"""Vienot, Brettel, Mollon 1999 (Color Research and Application 24, 243): linear RGB to cones, and cones without one."""


def seen(kind: MapKind, lacking: str) -> FLOAT:
    """CIELab of the table as somebody sees it who lacks a kind of cone."""
    table = ramp(kind)
    linear = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ (np.linalg.inv(_TO_CONES) @ _LACKING[lacking] @ _TO_CONES).T, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("lacking", list(_LACKING))
def test_kinds_of_maps_are_told_apart_whichever_cone_is_lacking(lacking: str) -> None:
    for one, other in combinations(MapKind, 2):
        middle = slice(64, 200)
        apart = np.linalg.norm(seen(one, lacking)[middle, None] - seen(other, lacking)[None, middle], axis=-1)
        assert apart.min() > 20, (one, other)


@pytest.mark.parametrize("kind", list(MapKind))
@pytest.mark.parametrize("lacking", list(_LACKING))
def test_more_is_lighter_whichever_cone_is_lacking(kind: MapKind, lacking: str) -> None:
    assert (np.diff(seen(kind, lacking)[:, 0]) > 0).all()
