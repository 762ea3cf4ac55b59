"""The colours of maps, one table for each kind, which colour-blind people tell apart too, and maps laid over images.

Each table goes from black to near white and gets lighter all the way: blue for probability, orange for uncertainty,
lavender between the two for saliency. A test sees them as people do who lack one kind of cone.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.maps import fixed_range, is_probability, is_saliency
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.scene import identity
from slicermedai.scene.volumes import coded_entry

KIND, CALIBRATION = "MedAI.MapKind", "MedAI.Calibration"
OPACITY = 0.5
_STEPS = 256


class MapKind(Enum):
    """What a map is about, and the colours (sRGB, 0 to 255) that its table goes through, dark to light."""

    PROBABILITY = ((0, 0, 0), (10, 5, 225), (20, 40, 255), (225, 245, 255))
    UNCERTAINTY = ((0, 0, 0), (140, 55, 15), (240, 165, 0), (255, 245, 190))
    SALIENCY = ((0, 0, 0), (105, 80, 160), (155, 128, 215), (250, 240, 250))


def kind_of(one: Map) -> MapKind:
    """By the code of its quantity (DCM); what is neither probability nor saliency tells how unsure a model was."""
    if is_probability(one):
        return MapKind.PROBABILITY
    if is_saliency(one):
        return MapKind.SALIENCY
    return MapKind.UNCERTAINTY


def ramp(kind: MapKind) -> NDArray[np.float64]:
    """The table of ``kind``: (256, 3), sRGB from 0 to 1."""
    stops = np.linspace(0, _STEPS - 1, len(kind.value))
    parts = np.array(kind.value, dtype=np.float64).T / 255
    return np.stack([np.interp(np.arange(_STEPS), stops, part) for part in parts], axis=1)


def paint(node: Any, one: Map, result: AnalysisResult) -> None:
    """Give the volume node of ``one`` its colours, what it measures, and how it was calibrated.

    Maps of one kind are shown on one scale (:func:`~slicermedai.domain.maps.fixed_range`), others from 0, or from what
    lies below, to their largest value. What is 0 is not drawn, but in a map with values below 0 all is.
    """
    kind, display = kind_of(one), node.GetDisplayNode()
    node.SetVoxelValueQuantity(coded_entry(one.quantity))
    node.SetAttribute(KIND, kind.name)
    node.SetAttribute(CALIBRATION, one.calibration)
    display.SetAndObserveColorNodeID(_table(result, kind, node.GetScene()).GetID())
    low, high = float(one.array.min(initial=0)), float(one.array.max(initial=0))
    first, last = fixed_range(one) or (low, high)
    if last > first:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(first, last)
        display.SetAutoThreshold(False)
        display.SetThreshold(low if low < 0 else last * 1e-3, max(last, high))
        display.SetApplyThreshold(low >= 0)


def overlay(node: Any, image: Any | None = None) -> int:
    """Lay the map over ``image``, or over what they show, in all slice views; returns how many views that were."""
    views = node.GetScene().GetNodesByClass("vtkMRMLSliceCompositeNode")
    for index in range(views.GetNumberOfItems()):
        view = views.GetItemAsObject(index)
        if image is not None:
            view.SetBackgroundVolumeID(image.GetID())
        view.SetForegroundVolumeID(node.GetID())
        view.SetForegroundOpacity(OPACITY)
    return int(views.GetNumberOfItems())


def _table(result: AnalysisResult, kind: MapKind, scene: Any) -> Any:
    """The colour table of ``kind``, one for each result, so that it goes when the result goes."""
    for node in identity.marked_nodes(scene, identity.result_key(result), identity.COLORS):
        if node.GetAttribute(KIND) == kind.name:
            return node
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", f"MedAI {kind.name.lower()}")
    node.SetTypeToUser()
    node.SetNumberOfColors(_STEPS)
    for index, (red, green, blue) in enumerate(ramp(kind).tolist()):
        node.SetColor(index, f"{index}", red, green, blue, 1.0)
    node.SetAttribute(KIND, kind.name)
    identity.mark(node, result, identity.COLORS)
    return node
