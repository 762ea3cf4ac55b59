"""Segmentations that are about to leave the scene.

Before a segment goes, Slicer copies it out of the voxels that it shares with others: 10 s for 105 segments of a CT, in
which its window stands still. Segments that have none are gone at once.
"""

from __future__ import annotations

from typing import Any

from slicermedai.scene import identity


def let_go_of_voxels(scene: Any) -> None:
    """Take all voxels from segmentations of results, in a ``scene`` that is about to lose its nodes."""
    nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    for node in [one for one in nodes if one.IsA("vtkMRMLSegmentationNode") and one.GetAttribute(identity.RESULT)]:
        empty_segments(node)


def empty_segments(segmentation: Any) -> None:
    """Take all voxels and surfaces from the segments of a node that is about to be removed."""
    inner = segmentation.GetSegmentation()
    for index in range(inner.GetNumberOfSegments()):
        inner.GetNthSegment(index).RemoveAllRepresentations()
