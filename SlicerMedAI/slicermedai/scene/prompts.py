"""Points and regions of interest of a scene as what a person marks for a model, LPS mm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

from slicermedai.domain.prompts import BoxPrompt, PointPrompt, Prompt
from slicermedai.errors import InputError

_CHANGES = (
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
    vtk.vtkCommand.ModifiedEvent,
)
"""What may change where the marks of a node lie; a region of interest tells its size by the last alone."""


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
    """Hand ``take`` the marks of ``node`` now, and again whenever they are others: by hand, by code, by a transform.

    Returns what stops it. While something is dragged nothing is handed on, and a node without any place, or a region
    without a volume, hands on ``()``.

    Raises
    ------
    InputError
        A node of another kind, or a label that no mark can have.
    """
    name = label or str(node.GetName() or "")
    PointPrompt(label=name, position=(0.0, 0.0, 0.0))
    told, dragged = _held(node, name, inside=inside), False
    take(told)

    def look(*_: Any) -> None:
        nonlocal told
        found = _held(node, label or str(node.GetName() or ""), inside=inside)
        if found != told and not dragged:
            told = found
            take(found)

    def begin(*_: Any) -> None:
        nonlocal dragged
        dragged = True

    def end(*_: Any) -> None:
        nonlocal dragged
        dragged = False
        look()

    kind = slicer.vtkMRMLMarkupsNode
    tags = [
        node.AddObserver(kind.PointStartInteractionEvent, begin),
        node.AddObserver(kind.PointEndInteractionEvent, end),
    ]
    tags += [node.AddObserver(event, look) for event in _CHANGES]

    def stop() -> None:
        for tag in tags:
            node.RemoveObserver(tag)

    return stop


def _held(node: Any, name: str, *, inside: bool) -> tuple[Prompt, ...]:
    """As :func:`_found`; a region of interest that has no volume yet holds nothing."""
    if node.IsA("vtkMRMLMarkupsROINode"):
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        if not all(low < high for low, high in zip(bounds[::2], bounds[1::2], strict=True)):
            return ()
    return _found(node, name, inside=inside)


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
