"""Points and regions of interest of a scene as what a person marks for a model, LPS mm."""

from __future__ import annotations

from collections.abc import Callable
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
    found = _found(node, name, inside=inside)
    if not found:
        raise InputError("holds no point that was placed", file=name, attribute="prompts")
    return found


def follow(
    node: Any, take: Callable[[tuple[Prompt, ...]], object], *, label: str = "", inside: bool = True
) -> Callable[[], None]:
    """Hand ``take`` the marks of ``node`` now, and again when a point was placed, moved or removed.

    Returns what stops it. While a point is dragged nothing is handed on, and a node without any place hands on ``()``.

    Raises
    ------
    InputError
        A node of another kind.
    """

    def look(*_: Any) -> None:
        take(_found(node, label or str(node.GetName() or ""), inside=inside))

    look()
    kind = slicer.vtkMRMLMarkupsNode
    events = (kind.PointPositionDefinedEvent, kind.PointRemovedEvent, kind.PointEndInteractionEvent)
    tags = [node.AddObserver(event, look) for event in events]

    def stop() -> None:
        for tag in tags:
            node.RemoveObserver(tag)

    return stop


def _found(node: Any, name: str, *, inside: bool) -> tuple[Prompt, ...]:
    if node.IsA("vtkMRMLMarkupsROINode"):
        return (_box(node, name),) if _places(node) else ()
    if node.IsA("vtkMRMLMarkupsFiducialNode"):
        return tuple(PointPrompt(label=name, position=place, inside=inside) for place in _places(node))
    raise InputError(f"a {node.GetClassName()} is no point list and no region of interest", attribute="prompts")


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
