"""Points and regions of interest of a scene as what a person marks for a model, LPS mm."""

from __future__ import annotations

from typing import Any

import slicer

from slicermedai.domain.prompts import BoxPrompt, PointPrompt, Prompt
from slicermedai.errors import InputError


def prompts_of(node: Any, *, label: str = "", inside: bool = True) -> tuple[Prompt, ...]:
    """The places of a markups node in world coordinates; ``label`` is by default the node's name.

    All placed points of a point list are inside the structure, or outside of it; a region of interest is a box, and of
    a turned one the hull along the patient's axes. Parent transforms are applied.

    Raises
    ------
    InputError
        A node of another kind, or one without any place.
    """
    name = label or str(node.GetName() or "")
    if node.IsA("vtkMRMLMarkupsROINode"):
        found: tuple[Prompt, ...] = (_box(node, name),)
    elif node.IsA("vtkMRMLMarkupsFiducialNode"):
        found = tuple(PointPrompt(label=name, position=place, inside=inside) for place in _places(node))
    else:
        raise InputError(f"a {node.GetClassName()} is no point list and no region of interest", attribute="prompts")
    if not found:
        raise InputError("holds no point that was placed", file=name, attribute="prompts")
    return found


def _places(node: Any) -> list[tuple[float, float, float]]:
    found = []
    for number in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(number) == slicer.vtkMRMLMarkupsNode.PositionDefined:
            right, anterior, superior = node.GetNthControlPointPositionWorld(number)
            found.append((-right, -anterior, superior))
    return found


def _box(node: Any, name: str) -> BoxPrompt:
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    least_right, most_right, least_anterior, most_anterior, inferior, superior = bounds
    low, high = (-most_right, -most_anterior, inferior), (-least_right, -least_anterior, superior)
    return BoxPrompt(label=name, low=low, high=high)
