"""A node selector follows a real MRML scene."""

from typing import Any

import pytest

from Testing.Harness import Harness


@pytest.fixture
def a_selector(harness: Harness) -> Any:
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def test_the_first_node_is_selected_when_none_is_not_allowed(a_selector: Any, a_volume: Any) -> None:
    assert a_selector.currentNode() is a_volume
    assert a_selector.currentNodeID == a_volume.GetID()


def test_nothing_is_selected_when_none_is_allowed(a_selector: Any, a_volume: Any) -> None:
    a_selector.setCurrentNode(None)
    a_selector.noneEnabled = True
    a_selector.setCurrentNode(None)
    assert a_selector.currentNode() is None


def test_only_nodes_of_the_types_are_offered(a_selector: Any, a_volume: Any) -> None:
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "Skull")
    label_map = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    assert a_selector.nodeCount() == 2
    a_selector.showChildNodeTypes = False
    assert a_selector.nodeCount() == 1
    assert a_selector.nodeFromIndex(0) is not label_map


def test_hidden_nodes_are_offered_only_on_demand(a_selector: Any, a_volume: Any) -> None:
    a_volume.SetHideFromEditors(True)
    a_selector.setMRMLScene(None)
    a_selector.setMRMLScene(a_volume.GetScene())
    assert a_selector.nodeCount() == 0
    a_selector.showHidden = True
    assert a_selector.nodeCount() == 1


def test_an_attribute_rule_narrows_the_choice(a_selector: Any, a_volume: Any) -> None:
    a_selector.addAttribute("vtkMRMLScalarVolumeNode", "MedAI.Kind", "map")
    assert a_selector.nodeCount() == 0
    a_volume.SetAttribute("MedAI.Kind", "map")
    a_selector.setMRMLScene(None)
    a_selector.setMRMLScene(a_volume.GetScene())
    assert a_selector.nodeCount() == 1


def test_removing_the_selected_node_selects_another_and_tells_of_it(a_selector: Any, a_volume: Any) -> None:
    import slicer

    got: list[Any] = []
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other")
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", got.append)
    slicer.mrmlScene.RemoveNode(a_volume)
    assert got == [other]


def test_both_overloads_of_current_node_changed_are_sent(a_selector: Any, a_volume: Any) -> None:
    got: list[Any] = []
    a_selector.noneEnabled = True
    a_selector.connect("currentNodeChanged(bool)", got.append)
    a_selector.connect("currentNodeIDChanged(QString)", got.append)
    a_selector.setCurrentNode(None)
    assert got == [False, ""]


def test_a_new_node_is_made_in_the_scene_and_selected(a_selector: Any) -> None:
    import slicer

    got: list[Any] = []
    a_selector.baseName = "Result"
    a_selector.connect("nodeAddedByUser(vtkMRMLNode*)", got.append)
    node = a_selector.addNode()
    assert node.GetName() == "Result"
    assert a_selector.currentNode() is node
    assert got == [node]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_closing_the_scene_empties_the_selector(a_selector: Any, a_volume: Any) -> None:
    import slicer

    slicer.mrmlScene.Clear(0)
    assert a_selector.currentNode() is None
    assert a_selector.nodeCount() == 0
