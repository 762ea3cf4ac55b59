"""Views brought to a place: slices through it, in the middle, and cameras turned towards it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import slicer


def jump_to(place: Sequence[float], scene: Any) -> int:
    """Centre all slice views on ``place`` (LPS mm), and let all cameras look at it from where they look from now.

    Returns how many views and cameras there were.
    """
    left, posterior, superior = (float(value) for value in place)
    ras = (-left, -posterior, superior)
    slices, cameras = list(_nodes(scene, "vtkMRMLSliceNode")), list(_nodes(scene, "vtkMRMLCameraNode"))
    for node in slices:
        node.JumpSliceByCentering(*ras)
    for node in cameras:
        _look_at(node, ras)
    return len(slices) + len(cameras)


def _look_at(camera: Any, ras: tuple[float, float, float]) -> None:
    """Move the camera beside itself, so that direction, distance and what is up stay."""
    moved = [new - old for new, old in zip(ras, camera.GetFocalPoint(), strict=True)]
    camera.SetPosition(*(old + way for old, way in zip(camera.GetPosition(), moved, strict=True)))
    camera.SetFocalPoint(*ras)
    camera.ResetClippingRange()


def _nodes(scene: Any, kind: str) -> Iterator[Any]:
    found = scene.GetNodesByClass(kind)
    return (slicer.vtkMRMLNode.SafeDownCast(found.GetItemAsObject(n)) for n in range(found.GetNumberOfItems()))
