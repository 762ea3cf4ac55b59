"""What must be read before the numbers, as part of the scene: it goes wherever the scene goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from slicermedai.domain.notice import RESEARCH_USE, notice_lines
from slicermedai.domain.result import AnalysisResult
from slicermedai.scene import identity
from slicermedai.scene.hierarchy import file_under_study
from slicermedai.scene.markups import keep_points

_INSIDE = np.array([0.02, 0.15, 0.85])
"""Parts of the way from the right, anterior and lower sides of the image."""

STATUS, USE = "MedAI.Status", "MedAI.Use"


def fill_notice(node: Any, result: AnalysisResult) -> None:
    """Make the text of the text node ``node`` the notice of ``result``; it is saved inside the scene file itself."""
    node.SetText("\n".join(notice_lines(result)))
    node.SetForceCreateStorageNode(node.CreateStorageNodeNever)


def describe(node: Any, result: AnalysisResult) -> None:
    """Write the notice into the description and attributes of a data node, which Slicer shows with the node."""
    node.SetDescription("\n".join(notice_lines(result)))
    node.SetAttribute(STATUS, result.outcome)
    node.SetAttribute(USE, RESEARCH_USE)


def add_banner(result: AnalysisResult, scene: Any) -> Any:
    """A locked label at the image's corner that every view of the saved scene shows: use, outcome, confidence."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Research use only")
    node.CreateDefaultDisplayNodes()
    node.AddControlPoint(*_corner(result), banner_words(result))
    node.SetLocked(True)
    keep_points(node)
    display = node.GetDisplayNode()
    display.SetGlyphScale(0.1)
    display.SetTextScale(3.0)
    display.SetSelectedColor(1.0, 0.85, 0.2)
    display.SetSliceProjection(True)
    display.SetSliceProjectionOpacity(1.0)
    identity.mark(node, result, identity.BANNER)
    file_under_study(node, scene, result.study)
    return node


def banner_words(result: AnalysisResult) -> str:
    """Lines short enough for a view: use; outcome with the number of warnings; confidence."""
    states = sorted({str(finding.confidence.state) for finding in result.findings})
    outcome = result.outcome[:1].upper() + result.outcome[1:]
    confidence = f"\nConfidence: {', '.join(states)}." if states else ""
    return f"Research use only, not a medical device.\n{outcome}.{confidence}"


def _corner(result: AnalysisResult) -> tuple[float, float, float]:
    """RAS mm: by the image's right, anterior, upper corner, the upper left one of each of Slicer's slice views.

    The words stand above and beside their point, so it lies within.
    """
    corners = result.volume_geometry.corners
    low, high = corners.min(axis=0), corners.max(axis=0)
    left, posterior, superior = low + (high - low) * _INSIDE
    return -float(left), -float(posterior), float(superior)
