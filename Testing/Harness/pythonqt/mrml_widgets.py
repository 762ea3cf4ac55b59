"""Slicer's MRML widgets with behaviour, over a real scene: qMRMLWidget and node selectors."""

import weakref
from collections.abc import Iterator
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.Harness.pythonqt import observers
from Testing.Harness.pythonqt.registry import implements

SCENE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent", "EndBatchProcessEvent")


def observe(caller: Any, events: list[Any], widget: QtCore.QObject, method: str) -> list[int]:
    """Calls the widget's method on the events for as long as the widget lives; the observer tags."""
    reference = weakref.ref(widget)

    def call(*_: Any) -> None:
        found = reference()
        if found is not None and shiboken6.isValid(found):
            getattr(found, method)()

    tags = [observers.add(caller, event, call) for event in events]
    widget.destroyed.connect(lambda *_: [observers.remove(caller, tag) for tag in tags])
    return tags


class SceneMixin:
    """What all MRML widgets share: a scene, and the signal that tells of it."""

    _scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        """Takes the scene and tells of it if it is another one."""
        if scene is not self._scene:
            self._scene = scene
            if hasattr(self, "mrmlSceneChanged"):
                self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene


@implements("qMRMLWidget")
class MRMLWidget(SceneMixin, QtWidgets.QWidget):
    """A widget that hands a scene to its children by signal."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments: Any) -> None:
        QtWidgets.QWidget.__init__(self, *arguments)


@implements("qSlicerWidget")
class SlicerWidget(SceneMixin, QtWidgets.QWidget):
    """Slicer's name for the same."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments: Any) -> None:
        QtWidgets.QWidget.__init__(self, *arguments)


FLAGS: dict[str, Any] = {
    "noneEnabled": False,
    "addEnabled": True,
    "removeEnabled": True,
    "editEnabled": False,
    "renameEnabled": False,
    "showHidden": False,
    "showChildNodeTypes": True,
    "selectNodeUponCreation": True,
    "noneDisplay": "None",
    "baseName": "",
    "hideChildNodeTypes": [],
}
"""The selector's plain properties with the defaults of Slicer."""


def _has_attribute(node: Any, name: str, value: str | None = None) -> bool:
    found = node.GetAttribute(name)
    return found is not None and value in (None, found)


def _flag(name: str) -> Any:
    default = FLAGS[name]

    def put(self: Any, value: Any) -> None:
        self._flags[name] = value
        self._fill()

    kind: Any = "QStringList" if isinstance(default, list) else type(default)
    return Property(kind, lambda self: self._flags[name], put)


@implements("qMRMLNodeComboBox")
class NodeComboBox(SceneMixin, QtWidgets.QWidget):
    """A selector of the scene's nodes of some classes, kept up to date by the scene's events."""

    currentNodeChanged = Signal(object)
    currentNodeValid = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeActivated = Signal(object)
    pythonqt_signals = {"currentNodeChanged(bool)": "currentNodeValid"}

    def __init__(self, *arguments: Any) -> None:
        QtWidgets.QWidget.__init__(self, *arguments)
        self._flags: dict[str, Any] = dict(FLAGS)
        self._types: list[str] = []
        self._attributes: list[tuple[str, ...]] = []
        self._tags: list[int] = []
        self._current = ""
        self._box = QtWidgets.QComboBox()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._on_index)
        self._box.activated.connect(lambda: self.nodeActivated.emit(self.currentNode()))
        self._fill()

    def setMRMLScene(self, scene: Any) -> None:
        """Shows the scene's nodes and follows its changes."""
        if scene is self._scene:
            return
        for tag in self._tags:
            observers.remove(self._scene, tag)
        self._scene = scene
        events = [getattr(slicer.vtkMRMLScene, name) for name in SCENE_EVENTS]
        self._tags = observe(scene, events, self, "_fill") if scene is not None else []
        self._fill()

    def _nodes(self) -> Iterator[Any]:
        if self._scene is None:
            return
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if self._accepts(node):
                yield node

    def _accepts(self, node: Any) -> bool:
        exact = not self._flags["showChildNodeTypes"]
        if not any(node.GetClassName() == t if exact else node.IsA(t) for t in self._types):
            return False
        if any(node.IsA(hidden) for hidden in self._flags["hideChildNodeTypes"]):
            return False
        rules = [a for a in self._attributes if node.IsA(a[0])]
        return bool(
            all(_has_attribute(node, *rule[1:]) for rule in rules)
            and (self._flags["showHidden"] or not node.GetHideFromEditors())
        )

    def _fill(self) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        wanted = self._current
        with QtCore.QSignalBlocker(self._box):
            self._box.clear()
            if self._flags["noneEnabled"] or self._scene is None:
                self._box.addItem(self._flags["noneDisplay"], "")
            for node in self._nodes():
                self._box.addItem(node.GetName() or "", node.GetID())
            index = self._box.findData(wanted)
            self._box.setCurrentIndex(index if index >= 0 else 0)
        self._on_index()

    def _on_index(self, _index: int = 0) -> None:
        current = self._box.currentData() or ""
        if current != self._current:
            self._current = current
            node = self.currentNode()
            self.currentNodeChanged.emit(node)
            self.currentNodeValid.emit(node is not None)
            self.currentNodeIDChanged.emit(current)

    def currentNode(self) -> Any:
        """The selected node, or None."""
        return self._scene.GetNodeByID(self._current) if self._scene is not None and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        """Selects a node, given itself or by its ID; None selects nothing."""
        self.setCurrentNodeID(node.GetID() if hasattr(node, "GetID") else node or "")

    def setCurrentNodeID(self, node_id: str) -> None:
        """Selects a node by its ID; an unknown ID selects nothing."""
        self._box.setCurrentIndex(self._box.findData(node_id or ""))
        self._on_index()

    def setCurrentNodeIndex(self, index: int) -> None:
        """Selects a node by its place."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeFromIndex(self, index: int) -> Any:
        """The node at a place, or None."""
        return next((n for i, n in enumerate(self._nodes()) if i == index), None)

    def nodeCount(self) -> int:
        """How many nodes can be chosen."""
        return sum(1 for _ in self._nodes())

    def addNode(self, node_type: str = "") -> Any:
        """Makes a node in the scene and selects it, as the menu's "Create new" does."""
        kind = node_type or self._types[0]
        name = self._scene.GenerateUniqueName(
            self._flags["baseName"] or kind.removeprefix("vtkMRML").removesuffix("Node")
        )
        node = self._scene.AddNewNodeByClass(kind, name)
        self.setCurrentNode(node)
        self.nodeAdded.emit(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Removes the selected node from the scene."""
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def addAttribute(self, *rule: str) -> None:
        """Only nodes with this attribute (node type, name, value if given) can be chosen."""
        self._attributes.append(rule)
        self._fill()

    def _get_types(self) -> list[str]:
        return list(self._types)

    def _set_types(self, types: list[str]) -> None:
        self._types = [str(t) for t in types]
        self._fill()

    noneEnabled = _flag("noneEnabled")
    addEnabled = _flag("addEnabled")
    removeEnabled = _flag("removeEnabled")
    editEnabled = _flag("editEnabled")
    renameEnabled = _flag("renameEnabled")
    showHidden = _flag("showHidden")
    showChildNodeTypes = _flag("showChildNodeTypes")
    selectNodeUponCreation = _flag("selectNodeUponCreation")
    noneDisplay = _flag("noneDisplay")
    baseName = _flag("baseName")
    hideChildNodeTypes = _flag("hideChildNodeTypes")
    nodeTypes = Property("QStringList", _get_types, _set_types)  # type: ignore[arg-type]  # Qt's type, by its name
    currentNodeID = Property(str, lambda self: self._current, setCurrentNodeID)
    currentNodeId = Property(str, lambda self: self._current, setCurrentNodeID)
