"""What a plan takes, leaves and touches, in a scene: segments that slices show, and surfaces that 3D views show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.scene import identity
from slicermedai.scene.clear import remove
from slicermedai.scene.hierarchy import file_beside
from slicermedai.scene.segments import fill_segmentation
from slicermedai.scene.surfaces import Mesh, poly_data

REGIONS, CONTOURS, SURFACE = "plan regions", "plan contours", "plan surface"
"""The roles of the nodes."""
_CONTOURS = ("inner:", "outer:")
_FOUND = ("organ:", "structure:")
"""What slices show as the segments of the result."""
_SEEN_THROUGH = {"organ": 0.3, "remnant": 0.35, "resection": 0.45, "margin": 0.35, "beyond": 0.6}


def show_shapes(
    result: AnalysisResult, scene: Any, shapes: Sequence[Finding], meshes: Mapping[str, Mesh], *, beside: Any = None
) -> None:
    """Show ``shapes`` and their ``meshes`` (by tracking UID) in place of what was shown of a plan of ``result``."""
    lines = [one for one in shapes if one.tracking_uid.startswith(_CONTOURS)]
    plain = [one for one in shapes if not one.tracking_uid.startswith((*_CONTOURS, *_FOUND))]
    nodes = [_segments(result, scene, REGIONS, plain), _segments(result, scene, CONTOURS, lines)]
    nodes += _surfaces(result, scene, shapes, meshes)
    for node in (one for one in nodes if one is not None and beside is not None):
        file_beside(node, beside)


def hide_shapes(result: AnalysisResult, scene: Any) -> None:
    """Remove all that :func:`show_shapes` added."""
    for role in (REGIONS, CONTOURS, SURFACE):
        for node in identity.marked_nodes(scene, identity.result_key(result), role):
            remove(node, scene)


def show_contours(result: AnalysisResult, scene: Any, *, on: bool) -> bool:
    """Show inner and outer contours, or hide them; False where there are none."""
    found = identity.marked_nodes(scene, identity.result_key(result), CONTOURS)
    for node in found:
        node.GetDisplayNode().SetVisibility(on)
    return bool(found)


def _segments(result: AnalysisResult, scene: Any, role: str, shapes: Sequence[Finding]) -> Any | None:
    found = identity.marked_nodes(scene, identity.result_key(result), role)
    if not shapes:
        for node in found:
            remove(node, scene)
        return None
    is_on = bool(found and found[0].GetDisplayNode().GetVisibility())
    node = found[0] if found else _new(result, scene, "vtkMRMLSegmentationNode", role)
    grid = getattr(shapes[0].region, "geometry", None) or result.volume_geometry
    fill_segmentation(node, shapes, geometry=grid, made_by=result.provenance)
    display = node.GetDisplayNode()
    display.SetVisibility3D(False)
    display.SetVisibility2DFill(role == REGIONS)
    display.SetOpacity2DFill(0.25)
    display.SetSliceIntersectionThickness(2)
    if role == CONTOURS:
        display.SetVisibility(is_on)
    return node


def _surfaces(result: AnalysisResult, scene: Any, shapes: Sequence[Finding], meshes: Mapping[str, Mesh]) -> list[Any]:
    known = {node.GetAttribute(_SHAPE): node for node in _marked(result, scene)}
    wanted = [one for one in shapes if one.tracking_uid in meshes]
    for uid in set(known) - {one.tracking_uid for one in wanted}:
        remove(known.pop(uid), scene)
    return [_surface(result, scene, known.get(one.tracking_uid), one, meshes[one.tracking_uid]) for one in wanted]


_SHAPE = "MedAI.Shape"


def _marked(result: AnalysisResult, scene: Any) -> list[Any]:
    return identity.marked_nodes(scene, identity.result_key(result), SURFACE)


def _surface(result: AnalysisResult, scene: Any, node: Any | None, shape: Finding, mesh: Mesh) -> Any:
    if node is None:
        node = _new(result, scene, "vtkMRMLModelNode", SURFACE)
        node.SetAttribute(_SHAPE, shape.tracking_uid)
        node.SetName(shape.label.name)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetColor(*(value / 255 for value in shape.label.color))
        display.SetOpacity(_SEEN_THROUGH.get(shape.tracking_uid.partition(":")[0], 1.0))
        display.SetVisibility2D(False)
        display.SetScalarVisibility(False)
    node.SetAndObservePolyData(poly_data(mesh))
    return node


def _new(result: AnalysisResult, scene: Any, kind: str, role: str) -> Any:
    node = scene.AddNewNodeByClass(kind, scene.GenerateUniqueName(f"{result.provenance.bundle} {role}"))
    identity.mark(node, result, role)
    return node
