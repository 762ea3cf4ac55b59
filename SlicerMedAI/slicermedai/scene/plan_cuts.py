"""Cuts of a plan as markups that a person moves in the views, and read back: RAS in the scene, LPS in the plan.

A plane takes away what lies on the side that its normal points to. A box may stand obliquely: it is then read as a box
along axes of its own. What moves a markup by something that is not linear is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from slicermedai.domain.finding import Box
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.plan import BoxCut, Cut, Place, PlaneCut
from slicermedai.errors import GeometryError, InputError
from slicermedai.scene.markups import keep_points

NAME = "MedAI.Cut"
"""The attribute of a markup that says which cut of the plan it is."""
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
_COLOR = (0.84, 0.37, 0.0)
_ALIKE = 1e-4  # mm, and of a unit vector
_STRAIGHT = 1e-5
EVENTS = (slicer.vtkMRMLMarkupsNode.PointModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
          slicer.vtkMRMLMarkupsNode.PointRemovedEvent, vtk.vtkCommand.ModifiedEvent)  # fmt: skip
"""What tells that somebody may have moved a markup."""


def is_shown(cut: Cut) -> bool:
    """True for cuts that have a place of their own; a margin goes with its lesion."""
    return isinstance(cut, (PlaneCut, BoxCut))


def add_cut(cut: Cut, scene: Any) -> Any:
    """A plane or region-of-interest node for ``cut``, to be moved by hand."""
    kind = "vtkMRMLMarkupsPlaneNode" if isinstance(cut, PlaneCut) else "vtkMRMLMarkupsROINode"
    node = scene.AddNewNodeByClass(kind, cut.name)
    node.SetAttribute(NAME, cut.name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*_COLOR)
    display.SetSelectedColor(*_COLOR)
    display.SetHandlesInteractive(True)
    display.SetOpacity(0.6)
    display.SetFillOpacity(0.25)
    keep_points(node)
    return node


def place_cut(node: Any, cut: Cut) -> None:
    """Put ``node``, which stands under no transform of its own, where ``cut`` lies."""
    if isinstance(cut, PlaneCut):
        unit = np.asarray(cut.normal, dtype=np.float64) / np.linalg.norm(cut.normal)
        node.SetOriginWorld(*_ras(cut.point))
        node.SetNormalWorld(*_ras(unit))
    elif isinstance(cut, BoxCut):
        center, size, axes = cut.box.frame
        matrix = vtk.vtkMatrix4x4()
        for row in range(3):
            for column in range(3):
                matrix.SetElement(row, column, float(axes[row, column] * _RAS_TO_LPS[row]))
            matrix.SetElement(row, 3, float(center[row] * _RAS_TO_LPS[row]))
        node.SetAndObserveObjectToNodeMatrix(matrix)
        node.SetSize(*(float(edge) for edge in size))


def read_cut(node: Any, before: Cut) -> Cut | None:
    """``before`` as the person left it: the very same where it was not moved, None where its points were deleted.

    Raises
    ------
    GeometryError
        The markup stands under a transform that is not linear.
    InputError
        A region of interest that was turned inside out, or is flat.
    """
    if node.GetNumberOfDefinedControlPoints() == 0:
        return None
    _check_linear(node, before.name)
    if isinstance(before, PlaneCut):
        return _read_plane(node, before)
    return _read_box(node, before) if isinstance(before, BoxCut) else before


def _read_plane(node: Any, before: PlaneCut) -> PlaneCut:
    point, normal = _lps(node.GetOriginWorld()), _lps(node.GetNormalWorld())
    unit = np.asarray(before.normal) / np.linalg.norm(before.normal)
    off = abs(float(np.dot(np.subtract(point, before.point), unit)))
    turned = float(np.abs(np.asarray(normal) - unit).max())
    if off < _ALIKE and turned < _ALIKE and np.linalg.norm(np.subtract(point, before.point)) < _ALIKE:
        return before
    return PlaneCut(name=before.name, point=point, normal=normal)


def _read_box(node: Any, before: BoxCut) -> BoxCut:
    if node.GetInsideOut():
        raise InputError(
            f"the box {before.name!r} is turned inside out",
            attribute="InsideOut",
            advice="Untick inside out in the Markups module, or cut by a plane.",
        )
    size = [0.0, 0.0, 0.0]
    node.GetSizeWorld(size)
    if min(size) <= 0:
        raise InputError(f"the box {before.name!r} is flat", attribute="size", advice="Draw it larger, or remove it.")
    held = node.GetObjectToWorldMatrix()
    ras = np.array([[held.GetElement(row, column) for column in range(4)] for row in range(3)])
    axes = ras[:, :3] / np.linalg.norm(ras[:, :3], axis=0) * _RAS_TO_LPS[:, None]
    center = ras[:, 3] * _RAS_TO_LPS
    known = before.box.frame
    found = (center, np.asarray(size), axes)
    if all(np.abs(a - b).max() < _ALIKE for a, b in zip(_plain(known), _plain(found), strict=True)):
        return before
    return BoxCut(name=before.name, box=_box(*found))


def _plain(frame: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Middle, and the half edges as vectors whose sign and order say nothing."""
    middle, size, axes = frame
    shape = (axes * size) @ (axes * size).T / np.maximum(np.linalg.norm(size), 1e-9)
    return middle, shape


def _box(center: FloatArray, size: FloatArray, axes: FloatArray) -> Box:
    order = np.abs(axes).argmax(axis=0)
    along = np.zeros((3, 3))
    along[order, range(3)] = 1
    if len(set(order.tolist())) == 3 and np.abs(np.abs(axes) - along).max() < _STRAIGHT:
        half = along @ size / 2
        return Box(low=_place(center - half), high=_place(center + half))
    grid = Geometry.from_axes((1, 1, 1), origin=center, directions=axes)
    return Box.along(grid, -size / 2, size / 2)


def _check_linear(node: Any, name: str) -> None:
    parent = node.GetParentTransformNode()
    if parent is not None and not parent.IsTransformToWorldLinear():
        raise GeometryError(
            f"the cut {name!r} stands under a transform that is not linear",
            attribute="transform",
            advice="Take it out of the transform in the Transforms module.",
        )


def _ras(place: Any) -> tuple[float, float, float]:
    left, posterior, superior = (float(value) for value in place)
    return -left, -posterior, superior


def _lps(place: Any) -> Place:
    right, anterior, superior = (float(value) for value in place)
    return -right, -anterior, superior


def _place(values: FloatArray) -> Place:
    return float(values[0]), float(values[1]), float(values[2])
