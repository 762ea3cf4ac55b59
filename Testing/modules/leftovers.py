"""What a module leaves behind: in the scene, and of what listens to it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from Testing.Harness import Harness


def nodes_of(scene: Any) -> list[Any]:
    """All nodes of the scene, those that Slicer hides too."""
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def ids_of(scene: Any) -> set[str]:
    """The IDs of all nodes of the scene."""
    return {node.GetID() for node in nodes_of(scene)}


def observers_of(scene: Any) -> list[str]:
    """The events that anything listens to, of the scene and each of its nodes, as VTK prints them."""
    return sorted(event for one in (scene, *nodes_of(scene)) for event in re.findall(r"Event: (\S+)", str(one)))


def items_of(scene: Any) -> int:
    """How many items the tree of the patients' data holds."""
    import slicer

    return int(slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene).GetNumberOfItems())


class Emptied:
    """What an emptied scene holds before any module is loaded; :meth:`check` empties it again, and compares."""

    def __init__(self, harness: Harness) -> None:
        import slicer

        self.harness, self.scene = harness, slicer.mrmlScene
        self.before = self._held()

    def check(self) -> None:
        """Close the scene, with no module loaded any more.

        :raises AssertionError: something listens that did not before, or a node or an item of the tree stays
        """
        self.scene.Clear(0)
        self.harness.process(150)
        left = [found - before for found, before in zip(self._held(), self.before, strict=True)]
        assert not any(left), "\n".join(f"{name} ({count})" for one in left for name, count in one.items())

    def _held(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        nodes = [node for node in nodes_of(self.scene) if not node.IsA("vtkMRMLScriptedModuleNode")]
        names = Counter(f"{one.GetClassName()} {one.GetName()}" for one in nodes)
        return names, Counter({"items of the tree": items_of(self.scene)}), Counter(observers_of(self.scene))
