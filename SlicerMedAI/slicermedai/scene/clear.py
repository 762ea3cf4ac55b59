"""Take a result out of a scene again."""

from __future__ import annotations

from typing import Any

from slicermedai.domain.result import AnalysisResult
from slicermedai.scene import identity
from slicermedai.scene.hierarchy import hierarchy_of, item_of, prune
from slicermedai.scene.leaving import empty_segments
from slicermedai.scene.show import Shown


def clear(shown: AnalysisResult | Shown, scene: Any) -> int:
    """Remove exactly what :func:`~slicermedai.scene.show.show` added; returns how many data nodes that were.

    A volume node that was there before stays, and so do patient and study items that hold anything else. Display
    and storage nodes go with their data nodes.
    """
    key = shown.key if isinstance(shown, Shown) else identity.result_key(shown)
    nodes = [one for one in identity.marked_nodes(scene, key) if not one.IsA("vtkMRMLDisplayNode")]
    for node in nodes:
        remove(node, scene)
    return len(nodes)


def remove(node: Any, scene: Any) -> None:
    """Remove a data node with its item, its display and storage nodes, and what is empty above it."""
    if node.IsA("vtkMRMLSegmentationNode"):
        empty_segments(node)
    hierarchy, item = hierarchy_of(scene), item_of(node)
    above = int(hierarchy.GetItemParent(item))
    helpers = _own_helpers(node)
    hierarchy.RemoveItem(item, False)  # outside the application it would stay behind its node
    scene.RemoveNode(node)
    for helper in helpers:
        if scene.IsNodePresent(helper):
            scene.RemoveNode(helper)
    prune(above, scene)


def _own_helpers(node: Any) -> list[Any]:
    """Display and storage nodes; the table node has no display node."""
    displays = getattr(node, "GetNumberOfDisplayNodes", lambda: 0)()
    helpers = [node.GetNthDisplayNode(index) for index in range(displays)]
    helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    return [helper for helper in helpers if helper is not None]
