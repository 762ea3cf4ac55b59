"""Findings without a mask: boxes as regions of interest, with lines where they were measured, points as point lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from slicermedai.domain.codes import LONG_AXIS, SHORT_AXIS
from slicermedai.domain.finding import Box, Finding, Measurement, Point

TRACKING_UID = "MedAI.TrackingUID"


def add_markups(finding: Finding, scene: Any) -> list[Any]:
    """Markups nodes in ``scene`` for a finding whose region is a Box or a Point, the region first; none for any other.

    A box has a line for each axis in a plane that was measured in it: what was measured can be looked at.
    """
    if isinstance(finding.region, Box):
        made = [_add(scene, "vtkMRMLMarkupsROINode", finding, finding.label.name)]
        _place_box(made[0], finding.region)
        made += [_line(scene, finding, one) for one in finding.measurements if _is_axis(one)]
    elif isinstance(finding.region, Point):
        made = [_add(scene, "vtkMRMLMarkupsFiducialNode", finding, finding.label.name)]
        made[0].AddControlPoint(*_ras(finding.region.position), finding.label.name)
    else:
        return []
    for node in made:
        node.SetLocked(True)
        keep_points(node)
    return made


def _is_axis(one: Measurement) -> bool:
    return one.name in (LONG_AXIS, SHORT_AXIS) and len(one.points) == 2


def _line(scene: Any, finding: Finding, one: Measurement) -> Any:
    """Its number stands in the table, with how it was found, and not in the views."""
    node = _add(scene, "vtkMRMLMarkupsLineNode", finding, f"{finding.label.name}: {one.title}")
    for point in one.points:
        node.AddControlPoint(*_ras(point))
    node.GetDisplayNode().SetPropertiesLabelVisibility(False)
    node.GetDisplayNode().SetPointLabelsVisibility(False)
    return node


def _add(scene: Any, kind: str, finding: Finding, name: str) -> Any:
    node = scene.AddNewNodeByClass(kind, name)
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
