"""Maps of a result laid over the image, one at a time, with threshold and legend; and its inner and outer regions."""

from __future__ import annotations

from typing import Any

import slicer

from slicermedai.domain.result import AnalysisResult
from slicermedai.scene import identity
from slicermedai.scene.map_colors import overlay

LEGEND = "legend"
"""The role of a colour legend, whose node goes when the result goes."""


def map_nodes(result: AnalysisResult, scene: Any) -> list[Any]:
    """The volume nodes of the result's maps, in their order."""
    return [node for node in _marked(result, scene) if node.IsA("vtkMRMLVolumeNode")]


def range_of(node: Any) -> tuple[float, float]:
    """The lowest and the highest value that the colours of a map's node tell apart."""
    display = node.GetDisplayNode()
    return float(display.GetWindowLevelMin()), float(display.GetWindowLevelMax())


def lay(node: Any, *, share: float, image: Any | None = None) -> float:
    """Lay a map over the image, without what is below ``share`` (0 to 1) of its range; returns that threshold.

    What lies above the range is drawn as its end. A legend names its values. Voxels without any value are never drawn.
    """
    low, high = range_of(node)
    threshold = low + max(share, 1e-3) * (high - low)
    display = node.GetDisplayNode()
    display.SetAutoThreshold(False)
    display.SetThreshold(threshold, max(high, threshold, node.GetImageData().GetScalarRange()[1]))
    display.SetApplyThreshold(True)
    overlay(node, image)
    _legend(node).SetVisibility(True)  # after it is shown: a view draws legends of what it shows when they change
    return threshold


def lift(result: AnalysisResult, scene: Any) -> None:
    """Take the maps of the result off the image again; other things in the foreground stay."""
    known = {node.GetID() for node in map_nodes(result, scene)}
    views = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    for index in range(views.GetNumberOfItems()):
        view = views.GetItemAsObject(index)
        if view.GetForegroundVolumeID() in known:
            view.SetForegroundVolumeID(None)
    for legend in identity.marked_nodes(scene, identity.result_key(result), LEGEND):
        legend.SetVisibility(False)


def show_regions(result: AnalysisResult, scene: Any, uid: str) -> bool:
    """Outline the inner and the outer region of the finding ``uid``, and of no other; True where it has them.

    An empty ``uid`` outlines none.
    """
    found = False
    for node in (one for one in _marked(result, scene) if one.IsA("vtkMRMLSegmentationNode")):
        display, segmentation = node.GetDisplayNode(), node.GetSegmentation()
        wanted = {f"{uid}.inner", f"{uid}.outer"} if uid else set()
        for name in (segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())):
            display.SetSegmentVisibility(name, name in wanted)
            found = found or name in wanted
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetVisibility(bool(wanted) and found)
    return found


def _marked(result: AnalysisResult, scene: Any) -> list[Any]:
    return identity.marked_nodes(scene, identity.result_key(result), identity.MAP)


def _legend(node: Any) -> Any:
    """The legend of a map's node, made where there is none, with the map's name as its title."""
    kind, scene = slicer.vtkMRMLColorLegendDisplayNode(), node.GetScene()
    if not scene.GetClassNameByTag(kind.GetNodeTagName()):  # outside the application nobody has told it
        scene.RegisterNodeClass(kind)
    made = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    made.SetTitleText(node.GetName())
    made.SetLabelFormat("%.3g")  # with one decimal, as it is by itself, a quarter would read as 0.2
    made.SetAttribute(identity.RESULT, node.GetAttribute(identity.RESULT))
    made.SetAttribute(identity.ROLE, LEGEND)
    return made
