"""Whose a node of the scene is: told by the subject hierarchy, as Slicer's DICOM loading and as a person made it."""

from __future__ import annotations

from typing import Any

import slicer

from slicermedai.domain.study import Study
from slicermedai.scene.hierarchy import file_under_study, hierarchy_of, item_of, patient_of, study_of


def a_node(scene: Any) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    item_of(node)
    return node


def test_a_series_of_dicom_is_of_the_study_and_patient_that_it_is_filed_under(scene: Any) -> None:
    nodes = [a_node(scene) for _ in range(3)]
    for node, uid in zip(nodes, ("1.1", "1.2", "1.1"), strict=True):
        file_under_study(node, scene, Study(study_uid=uid, patient_id="P1"))
    assert [study_of(node) for node in nodes] == ["1.1", "1.2", "1.1"]
    assert [patient_of(node) for node in nodes] == ["P1"] * 3


def test_items_that_a_person_made_tell_patients_and_studies_apart(scene: Any) -> None:
    hierarchy, nodes = hierarchy_of(scene), [a_node(scene) for _ in range(4)]
    first, second = (hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "same name") for _ in range(2))
    hierarchy.SetItemAttribute(second, "DICOM.PatientID", "P2")
    studies = [hierarchy.CreateStudyItem(above, "same name") for above in (first, second)]
    folder = hierarchy.CreateFolderItem(studies[1], "folder")
    for node, above in zip(nodes, (first, *studies, folder), strict=True):
        hierarchy.SetItemParent(item_of(node), above)
    assert patient_of(nodes[0]) == patient_of(nodes[1]) == study_of(nodes[0]) != ""
    assert patient_of(nodes[2]) == patient_of(nodes[3]) == "P2"
    assert study_of(nodes[2]) == study_of(nodes[3]) != ""
    assert len({study_of(node) for node in nodes}) == 3


def test_at_the_top_in_a_folder_or_outside_a_scene_nothing_is_known(scene: Any) -> None:
    hierarchy, loose, filed = hierarchy_of(scene), a_node(scene), a_node(scene)
    hierarchy.SetItemParent(item_of(filed), hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "folder"))
    for node in (loose, filed, slicer.vtkMRMLScalarVolumeNode()):
        assert (study_of(node), patient_of(node)) == ("", "")
