"""The subject hierarchy: patient and study items, made once and found again by their UIDs.

Slicer's own DICOM loading files nodes in the same way (its DICOMLib/DICOMPlugin): the UID named "DICOM" of a patient
item is the patient ID, of a study item the Study Instance UID, of a node's item the Series Instance UID.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer

from slicermedai.domain.study import Study

_Names = slicer.vtkMRMLSubjectHierarchyConstants
_DICOM = _Names.GetDICOMUIDName()
MODALITY = _Names.GetDICOMSeriesModalityAttributeName()
FRAME_OF_REFERENCE = _Names.GetDICOMFrameOfReferenceUIDAttributeName()
REFERENCED_INSTANCES = _Names.GetDICOMReferencedInstanceUIDsAttributeName()
INSTANCE_UIDS = "DICOM.instanceUIDs"
CREATED = "MedAI.Created"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesItem:
    """What the item of a data node says about its series; empty fields are left out.

    ``instances`` are SOP Instance UIDs, written to ``attribute``: the node's own (a volume) or those it refers to
    (a segmentation).
    """

    uid: str = ""
    modality: str = ""
    frame_of_reference_uid: str = ""
    instances: tuple[str, ...] = ()
    attribute: str = REFERENCED_INSTANCES


def hierarchy_of(scene: Any) -> Any:
    """The subject hierarchy node of ``scene``, made where there is none."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def item_of(node: Any) -> int:
    """The item of ``node``, made where there is none (outside the application nobody else makes it)."""
    hierarchy = hierarchy_of(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    return int(item or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node))


def file_under_study(node: Any, scene: Any, study: Study | None, *, series: SeriesItem | None = None) -> int:
    """Put ``node`` under the patient and study items of ``study``; returns its item.

    A study without a Study Instance UID (a file without DICOM context) leaves the node at the top.
    """
    hierarchy = hierarchy_of(scene)
    item = item_of(node)
    if study is not None and study.study_uid:
        hierarchy.SetItemParent(item, study_item(study, scene))
    if series is not None:
        _describe_series(node, item, series)
    return item


def file_beside(node: Any, neighbour: Any) -> bool:
    """Put ``node`` where ``neighbour`` is filed; False where that is the top of the scene."""
    hierarchy = hierarchy_of(node.GetScene())
    parent = hierarchy.GetItemParent(item_of(neighbour))
    if parent in (hierarchy.GetSceneItemID(), hierarchy.GetInvalidItemID()):
        return False
    hierarchy.SetItemParent(item_of(node), parent)
    return True


def study_item(study: Study, scene: Any) -> int:
    """The study's item, found by its UID or made, with its patient's item above it."""
    hierarchy = hierarchy_of(scene)
    found = hierarchy.GetItemByUID(_DICOM, study.study_uid)
    if found:
        return int(found)
    item = hierarchy.CreateStudyItem(_patient_item(study, scene), _study_name(study))
    hierarchy.SetItemUID(item, _DICOM, study.study_uid)
    _set_attributes(hierarchy, item, _study_attributes(study))
    return int(item)


def item_attribute(node: Any, name: str) -> str:
    """An attribute of the item of ``node``, or "" where there is none."""
    scene = node.GetScene()
    if scene is None:
        return ""
    hierarchy = hierarchy_of(scene)
    item = hierarchy.GetItemByDataNode(node)
    return str(hierarchy.GetItemAttribute(item, name)) if item else ""


def series_uid_of(node: Any) -> str:
    """The Series Instance UID that the item of ``node`` carries, or ""."""
    scene = node.GetScene()
    if scene is None:
        return ""
    hierarchy = hierarchy_of(scene)
    item = hierarchy.GetItemByDataNode(node)
    return str(hierarchy.GetItemUID(item, _DICOM)) if item else ""


def study_of(node: Any) -> str:
    """What tells the study that ``node`` is filed under from others, or its patient without a study; "" at the top.

    A Study Instance UID or a patient ID, where the item has one; else a name that holds for this scene.
    """
    return _above(node, _Names.GetDICOMLevelStudy()) or patient_of(node)


def patient_of(node: Any) -> str:
    """The patient ID that ``node`` is filed under, "" where it is under no patient; see :func:`study_of`."""
    return _above(node, _Names.GetDICOMLevelPatient(), _Names.GetDICOMPatientIDAttributeName())


def prune(item: int, scene: Any) -> None:
    """Remove ``item`` and what is above it, as far as it was made here and has become empty."""
    hierarchy = hierarchy_of(scene)
    while item and hierarchy.GetItemAttribute(item, CREATED) and not hierarchy.GetNumberOfItemChildren(item):
        parent = int(hierarchy.GetItemParent(item))
        hierarchy.RemoveItem(item)
        item = parent


def _above(node: Any, level: str, attribute: str = "") -> str:
    scene = node.GetScene()
    if scene is None:
        return ""
    hierarchy = hierarchy_of(scene)
    own = hierarchy.GetItemByDataNode(node)
    item = int(hierarchy.GetItemAncestorAtLevel(own, level)) if own else 0
    if not item:
        return ""
    told = hierarchy.GetItemUID(item, _DICOM) or (attribute and hierarchy.GetItemAttribute(item, attribute))
    return str(told or f"item {item}")


def _patient_item(study: Study, scene: Any) -> int:
    hierarchy = hierarchy_of(scene)
    identifier = study.patient_id or f"Patient-{study.study_uid}"
    found = hierarchy.GetItemByUID(_DICOM, identifier)
    if found:
        return int(found)
    name = f"{study.patient_name or 'No name'} ({identifier})"
    item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), name)
    hierarchy.SetItemUID(item, _DICOM, identifier)
    _set_attributes(hierarchy, item, _patient_attributes(study, identifier))
    return int(item)


def _study_name(study: Study) -> str:
    name = study.description or "No study description"
    return f"{name} ({study.date})" if study.date else name


def _patient_attributes(study: Study, identifier: str) -> dict[str, str]:
    return {
        _Names.GetDICOMPatientNameAttributeName(): study.patient_name,
        _Names.GetDICOMPatientIDAttributeName(): identifier,
        _Names.GetDICOMPatientSexAttributeName(): study.sex,
        _Names.GetDICOMPatientBirthDateAttributeName(): study.birth_date,
        CREATED: "1",
    }


def _study_attributes(study: Study) -> dict[str, str]:
    return {
        _Names.GetDICOMStudyInstanceUIDAttributeName(): study.study_uid,
        _Names.GetDICOMStudyDescriptionAttributeName(): study.description,
        _Names.GetDICOMStudyDateAttributeName(): study.date,
        _Names.GetDICOMStudyTimeAttributeName(): study.time,
        "DICOM.AccessionNumber": study.accession,
        "MedAI.Identity": study.identity.value,
        CREATED: "1",
    }


def _describe_series(node: Any, item: int, series: SeriesItem) -> None:
    hierarchy = hierarchy_of(node.GetScene())
    if series.uid:
        hierarchy.SetItemUID(item, _DICOM, series.uid)
    _set_attributes(hierarchy, item, {MODALITY: series.modality, FRAME_OF_REFERENCE: series.frame_of_reference_uid})
    if not series.instances:
        return
    uids = " ".join(series.instances)
    if series.attribute == INSTANCE_UIDS:
        node.SetAttribute(INSTANCE_UIDS, uids)
        hierarchy.SetItemUID(item, _Names.GetDICOMInstanceUIDName(), uids)
    else:
        hierarchy.SetItemAttribute(item, series.attribute, uids)


def _set_attributes(hierarchy: Any, item: int, values: dict[str, str]) -> None:
    for name, value in values.items():
        if value:
            hierarchy.SetItemAttribute(item, name, value)
