"""The image of a result that came without it, where the scene holds it already; and what a failure must leave alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import slicer

from slicermedai.domain.finding import Box, Point
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import IdentityError
from slicermedai.scene import identity
from slicermedai.scene.hierarchy import hierarchy_of, item_of, prune, series_uid_of
from slicermedai.scene.volumes import geometry_of_node

_LOOSE = "An image of this series is loaded, and filed under no patient and study: the result is shown alone."
_MOVED = "The image of this series that is loaded lies elsewhere, moved or regularized: the result is shown alone."
_DICOM = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A result with the image that it is shown on, None without any, and why there is none where one was near."""

    result: AnalysisResult
    image: Any | None = None
    remark: str = ""


def place_beside(result: AnalysisResult, scene: Any) -> Placed:
    """Find the image that ``result`` was computed from, by series, study, patient and place.

    A result that names no grid of its own, of boxes, points and labels of the whole alone, takes that of the image.

    Raises
    ------
    IdentityError
        The scene holds the result's study, or its series, for another patient: the identified and the pseudonymous
        route would meet.
    """
    _check_patient(result, scene)
    images = [node for node in _volumes(scene) if series_uid_of(node) in _sources(result)]
    own = [node for node in images if _is_of_the_study(result, node)]
    if not own:
        return Placed(result=result, remark=_LOOSE if images else "")
    if all(one.region is None or isinstance(one.region, Box | Point) for one in result.findings) and not result.maps:
        space = result.volume_geometry.frame_of_reference_uid
        grid = replace(geometry_of_node(own[0]), frame_of_reference_uid=space)
        return Placed(result=replace(result, volume_geometry=grid), image=own[0])
    fitting = [node for node in own if geometry_of_node(node).same_box(result.volume_geometry)]
    return Placed(result=result, image=fitting[0]) if fitting else Placed(result=result, remark=_MOVED)


@contextmanager
def all_or_nothing(scene: Any) -> Iterator[None]:
    """Where the block fails, the nodes that it added are taken out again."""
    before = {node.GetID() for node in _nodes(scene)}
    try:
        yield
    except BaseException:
        for node in _nodes(scene):
            if node.GetID() not in before and node.IsA("vtkMRMLDisplayableNode"):
                _take_out(node, scene)
        for node in _nodes(scene):
            if node.GetID() not in before and not node.IsA("vtkMRMLSubjectHierarchyNode"):
                scene.RemoveNode(node)
        raise


def _take_out(node: Any, scene: Any) -> None:
    hierarchy, item = hierarchy_of(scene), item_of(node)
    above = int(hierarchy.GetItemParent(item))
    hierarchy.RemoveItem(item, False)
    scene.RemoveNode(node)
    prune(above, scene)


def _nodes(scene: Any) -> list[Any]:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def _volumes(scene: Any) -> list[Any]:
    """Images, not maps."""
    return [
        node
        for node in _nodes(scene)
        if node.IsA("vtkMRMLScalarVolumeNode") and node.GetAttribute(identity.ROLE) != identity.MAP
    ]


def _sources(result: AnalysisResult) -> set[str]:
    return {series.series_uid for series in result.sources} - {""}


def _check_patient(result: AnalysisResult, scene: Any) -> None:
    hierarchy, study = hierarchy_of(scene), result.study
    item = hierarchy.GetItemByUID(_DICOM, study.study_uid) if study.study_uid else 0
    above = str(hierarchy.GetItemUID(hierarchy.GetItemParent(item), _DICOM)) if item else ""
    if above and above != study.patient_id and not (not study.patient_id and study.study_uid in above):
        raise _other_patient("StudyInstanceUID")


def _is_of_the_study(result: AnalysisResult, node: Any) -> bool:
    """False for an image that is filed nowhere; the patient of the result's own study was checked."""
    hierarchy = hierarchy_of(node.GetScene())
    study = hierarchy.GetItemUID(hierarchy.GetItemParent(item_of(node)), _DICOM)
    if study and study != result.study.study_uid:
        raise _other_patient("SeriesInstanceUID")
    return bool(study)


def _other_patient(attribute: str) -> IdentityError:
    return IdentityError(
        "the scene holds what this result is of for another patient or study, so it is not shown here",
        attribute=attribute,
        advice="Close the scene, and load the result into an empty one.",
    )
