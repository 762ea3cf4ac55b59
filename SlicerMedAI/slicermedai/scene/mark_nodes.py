"""The markups nodes that hold marks for a model: how they look, what is in them, and what changes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import vtk

from slicermedai.domain.prompts import BOX, INSIDE, OUTSIDE, BoxPrompt, Place, Prompt
from slicermedai.scene.prompts import follow

KIND, LABEL = "MedAI.Mark", "MedAI.Structure"
"""Attributes of a node: the kind of its marks, and the model's name of their structure."""
_BLUE, _VERMILION, _YELLOW = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0), (0.941, 0.894, 0.259)
_COLORS = {INSIDE: _BLUE, OUTSIDE: _VERMILION, BOX: _YELLOW}
"""Of Okabe and Ito's palette, which people tell apart who do not see red and green."""
_GLYPHS = {INSIDE: "Sphere3D", OUTSIDE: "Diamond2D"}
_EXACT = 1e-6
"""mm within which two boxes are the same."""
_WRITTEN = {INSIDE: "+%d", OUTSIDE: "\N{MINUS SIGN}%d"}
"""What stands beside a point: colour is not the only thing that tells them apart."""


class Followed:
    """A node of marks, and what it holds now; ``told`` is called with this when that has changed.

    Raises
    ------
    InputError
        A label that no mark can have.
    """

    def __init__(self, node: Any, kind: str, label: str, *, told: Callable[[Followed], object]) -> None:
        self.node, self.kind, self.label = node, kind, label
        self.found: tuple[Prompt, ...] = ()
        self._told: Callable[[Followed], object] = lambda one: None
        self.stop = self._followed()
        self._told = told

    def read_again(self) -> None:
        """Read what the node holds now, whatever was told of it; what is held anew is told."""
        self.stop()
        self.stop = self._followed()

    def _followed(self) -> Callable[[], None]:
        return follow(self.node, self._take, label=self.label, inside=self.kind != OUTSIDE)

    def _take(self, found: tuple[Prompt, ...]) -> None:
        self.found = found
        self._told(self)


def add_node(scene: Any, kind: str, label: str) -> Any:
    """A new, empty node for marks of the structure ``label``."""
    of = "vtkMRMLMarkupsROINode" if kind == BOX else "vtkMRMLMarkupsFiducialNode"
    node = scene.AddNewNodeByClass(of, scene.GenerateUniqueName(f"{label or 'structure'} ({kind})"))
    node.SetAttribute(KIND, kind)
    node.SetAttribute(LABEL, label)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*_COLORS[kind])
    display.SetSelectedColor(*_COLORS[kind])
    if kind == BOX:
        display.SetFillOpacity(0.1)
        display.SetPointLabelsVisibility(False)
    else:
        node.SetControlPointLabelFormat(_WRITTEN[kind])
        display.SetGlyphType(display.GetGlyphTypeFromString(_GLYPHS[kind]))
    return node


def put_points(node: Any, places: Sequence[Place]) -> None:
    """Let a point list hold these places, LPS mm, and no others; its transforms are left."""
    if node.GetParentTransformNode() is not None:
        node.SetAndObserveTransformNodeID(None)
    node.RemoveAllControlPoints()
    for left, posterior, superior in places:
        node.AddControlPoint(-left, -posterior, superior)


def put_box(node: Any, box: BoxPrompt) -> None:
    """Let a region of interest be this box."""
    left, posterior, superior = box.middle
    node.SetCenter(-left, -posterior, superior)
    node.SetSize(*(high - low for low, high in zip(box.low, box.high, strict=True)))


def is_same_box(found: Sequence[Prompt], box: BoxPrompt) -> bool:
    """True where a node holds this box, but for what its middle and size round."""
    if len(found) != 1 or not isinstance(found[0], BoxPrompt) or found[0].label != box.label:
        return False
    pairs = zip((*found[0].low, *found[0].high), (*box.low, *box.high), strict=True)
    return all(abs(a - b) < _EXACT for a, b in pairs)


def state_of(image: Any) -> tuple[object, ...]:
    """Of a volume node: equal as long as its voxels and its place are the same; empty without voxels."""
    if image is None or image.GetImageData() is None:
        return ()
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    place = tuple(matrix.GetElement(row, column) for row in range(4) for column in range(4))
    transform, scalars = image.GetParentTransformNode(), image.GetImageData().GetPointData().GetScalars()
    moved = (transform.GetID(), transform.GetTransformToWorldMTime()) if transform is not None else ()
    return (image.GetID(), place, moved, scalars.GetMTime() if scalars is not None else 0)
