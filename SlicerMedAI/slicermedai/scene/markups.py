"""Findings without a mask: boxes as regions of interest, points as point lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from slicermedai.domain.finding import Box, Finding, Point

TRACKING_UID = "MedAI.TrackingUID"


def add_markup(finding: Finding, scene: Any) -> Any | None:
    """A markups node in ``scene`` for a finding whose region is a Box or a Point; None for any other region."""
    if isinstance(finding.region, Box):
        node = _add(scene, "vtkMRMLMarkupsROINode", finding)
        _place_box(node, finding.region)
    elif isinstance(finding.region, Point):
        node = _add(scene, "vtkMRMLMarkupsFiducialNode", finding)
        node.AddControlPoint(*_ras(finding.region.position), finding.label.name)
    else:
        return None
    node.SetLocked(True)
    keep_points(node)
    return node


def _add(scene: Any, kind: str, finding: Finding) -> Any:
    node = scene.AddNewNodeByClass(kind, finding.label.name)
    node.SetAttribute(TRACKING_UID, finding.tracking_uid)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    color = [value / 255 for value in finding.label.color]
    display.SetColor(*color)
    display.SetSelectedColor(*color)
    return node


def know_markup_files(scene: Any) -> None:
    """Let ``scene`` save and load the points of markups: outside the application nobody has told it how."""
    for kind in (slicer.vtkMRMLMarkupsJsonStorageNode, slicer.vtkMRMLMarkupsROIJsonStorageNode):
        if not scene.GetClassNameByTag(kind().GetNodeTagName()):
            scene.RegisterNodeClass(kind())


def keep_points(node: Any) -> None:
    """Give a markups node the storage node that its points are saved through."""
    scene = node.GetScene()
    know_markup_files(scene)
    part = "ROI" if node.IsA("vtkMRMLMarkupsROINode") else ""
    storage = scene.AddNewNodeByClass(f"vtkMRMLMarkups{part}JsonStorageNode")
    node.SetAndObserveStorageNodeID(storage.GetID())


def _place_box(node: Any, box: Box) -> None:
    low, high = np.array(box.low), np.array(box.high)
    node.SetSize(*(float(edge) for edge in high - low))
    node.SetCenter(*_ras(tuple((low + high) / 2)))


def _ras(position: tuple[float, ...]) -> tuple[float, float, float]:
    left, posterior, superior = (float(value) for value in position)
    return -left, -posterior, superior
