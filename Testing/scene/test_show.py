"""Showing a result adds its nodes once, files them under the patient, and clearing takes away just those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer

from slicermedai.domain.codes import IN_BOX, LONG_AXIS, MILLIMETER, SHORT_AXIS
from slicermedai.domain.finding import Box, Finding, Measurement, PackedMask, Point
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.prompts import PointPrompt
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.study import Identity, Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, IdentityError, InputError
from slicermedai.scene.clear import clear
from slicermedai.scene.hierarchy import file_under_study, hierarchy_of, item_of, study_item
from slicermedai.scene.segments import ALGORITHM_TYPE, mask_from_segment, segment_tag
from slicermedai.scene.show import show
from slicermedai.scene.volumes import volume_to_node, voxels_of
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead


def nodes_of(scene) -> list[str]:
    names = [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]
    return sorted(name for name in names if not name.startswith("vtkMRMLSubjectHierarchyNode"))


def path_of(node) -> list[str]:
    hierarchy = hierarchy_of(node.GetScene())
    item, names = hierarchy.GetItemParent(item_of(node)), []
    while item and item != hierarchy.GetSceneItemID():
        names.append(hierarchy.GetItemName(item))
        item = hierarchy.GetItemParent(item)
    return names[::-1]


def test_a_result_is_filed_under_its_patient_and_study(scene, result: AnalysisResult, volume: Volume):
    shown = show(result, scene, volume=volume)
    wanted = ["Quillfeather^Ambrosia (QF-7391586)", "MR head (20190614)"]
    assert path_of(shown.volume_node) == path_of(shown.segmentation_node) == path_of(shown.table_node) == wanted


def test_patient_and_study_carry_their_dicom_identifiers(scene, result: AnalysisResult):
    hierarchy = hierarchy_of(scene)
    study = study_item(result.study, scene)
    patient = hierarchy.GetItemParent(study)
    assert hierarchy.GetItemUID(study, "DICOM") == result.study.study_uid
    assert hierarchy.GetItemUID(patient, "DICOM") == result.study.patient_id
    assert hierarchy.GetItemAttribute(patient, "DICOM.PatientName") == "Quillfeather^Ambrosia"
    assert hierarchy.GetItemAttribute(study, "DICOM.StudyDate") == "20190614"


def test_patient_and_study_are_made_once(scene, result: AnalysisResult):
    first = study_item(result.study, scene)
    second = replace(result.study, study_uid="2.25.999", description="Follow-up")
    hierarchy = hierarchy_of(scene)
    assert study_item(result.study, scene) == first
    assert hierarchy.GetItemParent(study_item(second, scene)) == hierarchy.GetItemParent(first)


def test_a_source_without_patient_stays_at_the_top(scene, result: AnalysisResult, volume: Volume):
    shown = show(replace(result, study=Study(), sources=()), scene, volume=volume)
    assert path_of(shown.segmentation_node) == []


def test_showing_twice_updates_and_adds_nothing(scene, result: AnalysisResult, volume: Volume):
    first = show(result, scene, volume=volume)
    before = nodes_of(scene)
    fewer = replace(result, findings=result.findings[:1])
    second = show(fewer, scene, volume=volume)
    assert nodes_of(scene) == before
    assert second.segmentation_node is first.segmentation_node
    assert second.segmentation_node.GetSegmentation().GetNumberOfSegments() == 1
    assert second.table_node.GetNumberOfRows() == 1


def test_two_results_are_shown_beside_each_other(scene, result: AnalysisResult):
    other = replace(result, provenance=replace(result.provenance, job_id="f" * 32))
    assert show(result, scene).segmentation_node is not show(other, scene).segmentation_node


def test_nodes_name_the_job_and_the_weights(scene, result: AnalysisResult):
    node = show(result, scene).segmentation_node
    assert node.GetAttribute("MedAI.JobID") == result.provenance.job_id
    assert node.GetAttribute("MedAI.Bundle") == "brain"
    assert node.GetAttribute("MedAI.WeightsSHA256") == "ab" * 32


def test_the_segmentation_refers_to_the_image_and_its_instances(scene, result: AnalysisResult, volume: Volume):
    shown = show(result, scene, volume=volume)
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert shown.segmentation_node.GetNodeReference(role) is shown.volume_node
    hierarchy = hierarchy_of(scene)
    uids = hierarchy.GetItemAttribute(item_of(shown.segmentation_node), "DICOM.ReferencedInstanceUIDs")
    assert uids.split() == [i.sop_instance_uid for i in result.study.series[0].instances]


def test_the_table_says_what_was_measured_and_how_far_to_trust_it(scene, result: AnalysisResult):
    table = show(result, scene).table_node
    assert [table.GetColumnName(i) for i in range(table.GetNumberOfColumns())][:4] == [
        "Finding",
        "Measurement",
        "Value",
        "Unit",
    ]
    assert table.GetTable().GetValue(0, 2).ToDouble() == result.findings[0].measurements[0].value
    assert [table.GetCellText(0, column) for column in (0, 1, 3, 5, 6)] == [
        "Brain",
        "Volume",
        "ml",
        "not calibrated",
        BRAIN_UID,
    ]
    assert table.GetCellText(1, 5) == "not assessed"


def test_a_finding_without_measurements_is_in_the_table(scene, result: AnalysisResult):
    bare = replace(result, findings=(replace(result.findings[1], measurements=()),))
    table = show(bare, scene).table_node
    assert table.GetCellText(0, 6) == VENTRICLE_UID
    assert np.isnan(table.GetTable().GetValue(0, 2).ToDouble())


def test_the_table_says_once_why_a_finding_has_no_number_and_beside_each_that_is_missing(scene, result: AnalysisResult):
    why, other = "it runs into what lies beside the box", "no HU in this image"
    (volume, *_), finding = result.findings[0].measurements, result.findings[0]
    none = tuple(replace(volume, value=float("nan"), method=IN_BOX, missing=why) for _ in range(5))
    some = (volume, replace(volume, value=float("nan"), missing=other))
    findings = (replace(finding, measurements=none), replace(finding, tracking_uid="2.25.2", measurements=some))
    table = show(replace(result, findings=findings), scene).table_node
    assert table.GetColumnName(7) == "Missing"
    rows = [[table.GetCellText(row, column) for column in (1, 6, 7)] for row in range(table.GetNumberOfRows())]
    uid = finding.tracking_uid
    assert rows == [["none", uid, why], ["Volume", "2.25.2", ""], ["Volume", "2.25.2", other]]
    assert np.isnan(table.GetTable().GetValue(0, 2).ToDouble())


def test_boxes_and_points_become_markups_in_the_right_place(scene, result: AnalysisResult):
    label = result.findings[0].label
    box = Box(low=(10.0, 20.0, 30.0), high=(14.0, 26.0, 38.0))
    findings = (
        Finding(tracking_uid="2.25.1", label=label, region=box),
        Finding(tracking_uid="2.25.2", label=label, region=Point(position=(1.0, 2.0, 3.0))),
    )
    shown = show(replace(result, findings=findings), scene)
    roi, points = shown.markup_nodes
    bounds = [0.0] * 6
    roi.GetRASBounds(bounds)
    np.testing.assert_allclose(bounds, (-14, -10, -26, -20, 30, 38), atol=1e-9)
    np.testing.assert_allclose(points.GetNthControlPointPosition(0), (-1, -2, 3))
    assert len(show(replace(result, findings=findings), scene).markup_nodes) == 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 1


def measured_box(result: AnalysisResult) -> Finding:
    """A box with two axes that were measured in it, and a diameter that lies in no plane."""
    method, other = {"method": IN_BOX, "unit": MILLIMETER}, replace(LONG_AXIS, value="L0JK", scheme="IBSI")
    sizes = (
        Measurement(name=LONG_AXIS, value=5.0, points=((11.0, 21.0, 34.0), (14.0, 25.0, 34.0)), **method),
        Measurement(name=SHORT_AXIS, value=2.0, points=((12.0, 24.0, 34.0), (12.0, 22.0, 34.0)), **method),
        Measurement(name=other, value=5.0, points=((11.0, 21.0, 34.0), (14.0, 25.0, 34.0)), **method),
    )
    box = Box(low=(10.0, 20.0, 30.0), high=(15.0, 26.0, 38.0))
    return Finding(tracking_uid="2.25.1", label=result.findings[0].label, region=box, measurements=sizes)


def test_what_was_measured_in_a_box_is_drawn_as_lines_without_their_numbers(scene, result: AnalysisResult):
    finding = measured_box(result)
    none = (replace(finding.measurements[0], value=float("nan"), points=(), missing="a rim"),)
    refused = replace(finding, tracking_uid="2.25.2", measurements=none)
    roi, long, short, other = show(replace(result, findings=(finding, refused)), scene).markup_nodes
    assert (roi.GetClassName(), other.GetClassName()) == ("vtkMRMLMarkupsROINode",) * 2
    assert long.GetName() == "Brain: Long axis [half of contrast in the box, not validated]"
    for node, one in ((long, finding.measurements[0]), (short, finding.measurements[1])):
        ends = [node.GetNthControlPointPosition(index) for index in range(node.GetNumberOfControlPoints())]
        np.testing.assert_allclose(ends, [(-x, -y, z) for x, y, z in one.points])
        assert node.GetLineLengthWorld() == pytest.approx(one.value)
        assert node.GetLocked() and not node.GetDisplayNode().GetPropertiesLabelVisibility()
    show(replace(result, findings=(finding, refused)), scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 2
    assert clear(result, scene) and scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 0


def test_no_finding_is_shown_as_an_empty_segmentation_and_table(scene, empty_result: AnalysisResult):
    shown = show(empty_result, scene)
    assert shown.segmentation_node.GetSegmentation().GetNumberOfSegments() == 0
    assert shown.table_node.GetNumberOfRows() == 0


@pytest.mark.parametrize("by", ["result", "shown"])
def test_clearing_leaves_the_scene_as_it_was(scene, result: AnalysisResult, volume: Volume, by):
    hierarchy = hierarchy_of(scene)
    before, items = nodes_of(scene), hierarchy.GetNumberOfItems()
    shown = show(result, scene, volume=volume)
    assert clear(result if by == "result" else shown, scene) == 4
    assert nodes_of(scene) == before
    assert hierarchy.GetNumberOfItems() == items


def test_a_volume_that_was_loaded_before_is_used_and_left(scene, result: AnalysisResult, volume: Volume):
    loaded = volume_to_node(volume, scene, study=result.study)
    shown = show(result, scene, volume_node=loaded)
    before = path_of(loaded)
    assert shown.volume_node is loaded
    assert path_of(shown.segmentation_node) == before
    clear(result, scene)
    assert scene.IsNodePresent(loaded)
    assert path_of(loaded) == before
    assert not scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")


def test_clearing_spares_a_study_that_holds_something_else(scene, result: AnalysisResult, volume: Volume):
    show(result, scene, volume=volume)
    other = scene.AddNewNodeByClass("vtkMRMLModelNode", "mine")
    file_under_study(other, scene, result.study)
    clear(result, scene)
    assert path_of(other) == ["Quillfeather^Ambrosia (QF-7391586)", "MR head (20190614)"]


def test_clearing_a_result_leaves_other_results(scene, result: AnalysisResult):
    other = replace(result, provenance=replace(result.provenance, job_id="f" * 32))
    kept = show(other, scene)
    show(result, scene)
    clear(result, scene)
    assert kept.segmentation_node.GetSegmentation().GetNumberOfSegments() == 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_an_image_that_lies_elsewhere_is_refused(head: SmallHead, scene) -> None:
    grid = head.volume.geometry
    moved = grid.affine + np.outer((1, 0, 0, 0), (0, 0, 0, 30))
    elsewhere = Geometry(shape=grid.shape, affine=moved)
    node = volume_to_node(replace(head.volume, geometry=elsewhere), scene)
    for image in ({"volume_node": node}, {"volume": replace(head.volume, geometry=elsewhere)}):
        with pytest.raises(GeometryError, match="not the one that was analysed"):
            show(head.result, scene, **image)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_the_same_image_in_another_order_of_slices_is_the_same_image(head: SmallHead, scene) -> None:
    flipped = replace(head.volume, array=head.volume.array[::-1], geometry=head.volume.geometry.flipped((0,)))
    node = volume_to_node(flipped, scene)
    assert show(head.result, scene, volume_node=node).volume_node is node


def test_a_pseudonymous_result_is_not_shown_on_an_identified_series(head: SmallHead, scene) -> None:
    node = volume_to_node(replace(head.volume, series_uid="1.2.3.99"), scene, study=head.result.study)
    pseudonymous = replace(head.result, study=replace(head.result.study, identity=Identity.DEIDENTIFY))
    with pytest.raises(IdentityError, match="identified series"):
        show(pseudonymous, scene, volume_node=node)


def pseudonymous(head: SmallHead) -> AnalysisResult:
    return replace(head.result, study=replace(head.result.study, identity=Identity.DEIDENTIFY))


@pytest.mark.parametrize("own", ["series_uid", "frame_of_reference_uid"])
def test_an_identified_volume_does_not_enter_a_pseudonymous_scene(head: SmallHead, scene, own: str) -> None:
    geometry = replace(head.volume.geometry, frame_of_reference_uid="1.2.3.98")
    others = {"series_uid": {"series_uid": "1.2.3.99"}, "frame_of_reference_uid": {"geometry": geometry}}
    with pytest.raises(IdentityError, match=r"volume: .*identified series"):
        show(pseudonymous(head), scene, volume=replace(head.volume, **others[own]))
    assert nodes_of(scene) == []


def test_the_name_of_an_image_without_series_does_not_enter_a_pseudonymous_scene(head: SmallHead, scene) -> None:
    named = replace(head.volume, series_uid="", name="Thornbury.nii.gz")
    assert "Thornbury" not in show(pseudonymous(head), scene, volume=named).volume_node.GetName()


def others(volume: Volume) -> dict[str, Volume]:
    noise = np.random.default_rng(3).normal(size=volume.array.shape).astype(np.float32)
    one = volume.array.copy()
    one[3, 4, 5] += 1
    return {
        "empty": replace(volume, array=np.zeros_like(volume.array)),
        "noise": replace(volume, array=noise),
        "one voxel": replace(volume, array=one),
        "mirrored": replace(volume, array=volume.array[:, :, ::-1]),
    }


@pytest.mark.parametrize("kind", ["empty", "noise", "one voxel", "mirrored"])
def test_another_image_on_the_same_grid_is_refused(head: SmallHead, scene, kind: str) -> None:
    other = others(head.volume)[kind]
    with pytest.raises(InputError, match=r"volume: .*voxels are others"):
        show(head.result, scene, volume=other)
    node = volume_to_node(replace(other, series_uid=""), scene)
    with pytest.raises(InputError, match=r"volume_node: .*voxels are others"):
        show(head.result, scene, volume_node=node)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_an_image_of_another_series_is_refused(head: SmallHead, scene) -> None:
    with pytest.raises(InputError, match="another series"):
        show(head.result, scene, volume=replace(head.volume, series_uid="1.2.3.99"))


def test_the_same_voxels_in_another_order_and_type_are_the_same_image(head: SmallHead, scene) -> None:
    turned = replace(
        head.volume,
        array=head.volume.array.transpose(2, 0, 1)[:, ::-1].astype(np.float64),
        geometry=head.volume.geometry.permuted((2, 0, 1)).flipped((1,)),
    )
    assert show(head.result, scene, volume=turned).remark == ""


def test_an_old_result_says_that_the_image_could_not_be_compared(head: SmallHead, scene, caplog) -> None:
    old = replace(head.result, provenance=replace(head.result.provenance, input=None))
    assert "could not be compared" in show(old, scene, volume=others(head.volume)["noise"]).remark
    assert "could not be compared" in caplog.text


def test_an_old_result_of_an_image_from_memory_can_be_compared_by_its_own_hash(head: SmallHead, scene) -> None:
    made = head.result.provenance
    old = replace(head.result, provenance=replace(made, input=replace(made.input, image="")))
    assert show(old, scene, volume=head.volume).remark == ""
    with pytest.raises(InputError, match="voxels are others"):
        show(old, scene, volume=others(head.volume)["noise"])


def test_what_people_decided_is_what_the_scene_shows(scene, result: AnalysisResult):
    block = np.zeros(result.volume_geometry.shape, bool)
    block[2:4, 2:4, 2:4] = True
    edit = PackedMask.from_array(block, result.volume_geometry)
    reviews = (
        Review(tracking_uid=BRAIN_UID, person="Jane Roe", decision=Decision.EDITED, region=edit, reason="leaks"),
        Review(tracking_uid=VENTRICLE_UID, person="Jane Roe", decision=Decision.REJECTED),
    )
    before = show(result, scene, surfaces=False)
    shown = show(replace(result, reviews=reviews), scene, surfaces=False)
    assert shown.segmentation_node is before.segmentation_node
    segmentation = shown.segmentation_node.GetSegmentation()
    assert segmentation.GetSegmentIDs() == (BRAIN_UID,), "what was rejected is not shown as a finding"
    assert segment_tag(shown.segmentation_node, BRAIN_UID, ALGORITHM_TYPE) == "SEMIAUTOMATIC"
    assert np.array_equal(mask_from_segment(shown.segmentation_node, BRAIN_UID).to_array(), block)
    rows = [shown.table_node.GetCellText(row, 0) for row in range(shown.table_node.GetNumberOfRows())]
    assert set(rows) == {"Brain"}
    volume = float(shown.table_node.GetCellText(0, 2))
    assert volume == pytest.approx(block.sum() * result.volume_geometry.voxel_volume / 1000, rel=1e-4)
    notice = shown.notice_node.GetText()
    assert "Brain was edited by a person" in notice and "ventricle was rejected by a person" in notice
    assert "Brain: confidence not assessed (edited)" in notice


def marked(head: SmallHead, brain: np.ndarray, *, gone: bool = False) -> AnalysisResult:
    """An answer to a mark with ``brain`` as the first finding, or what is left where the marks are gone."""
    first, *others = head.result.findings
    geometry = head.result.volume_geometry
    changed = replace(first, region=PackedMask.from_array(brain, geometry))
    marks = () if gone else (PointPrompt(label="Brain", position=(0.0, 0.0, 0.0)),)
    made = replace(head.result.provenance, prompts=marks)
    return replace(head.result, provenance=made, findings=() if gone else (changed, *others))


def surface_height(node, name: str) -> float:
    low, high = node.GetSegmentation().GetSegment(name).GetRepresentation("Closed surface").GetBounds()[4:]
    return high - low


def test_the_next_answer_to_marks_leaves_what_a_person_set_and_drew(head: SmallHead, scene) -> None:
    brain = head.result.findings[0].region.to_array()
    less = brain.copy()
    less[: brain.shape[0] // 2] = False
    node = show(marked(head, brain), scene).segmentation_node
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    first, second = segmentation.GetSegmentIDs()
    display.SetSegmentVisibility(first, False)
    display.SetSegmentOpacity2DFill(first, 0.2)
    segmentation.GetSegment(first).SetName("mine")
    other, before = mask_from_segment(node, second).to_array(), surface_height(node, first)
    again = show(marked(head, less), scene)
    assert again.segmentation_node is node and again.remark == ""
    assert np.array_equal(mask_from_segment(node, first).to_array(), less)
    assert np.array_equal(mask_from_segment(node, second).to_array(), other)
    assert not display.GetSegmentVisibility(first) and display.GetSegmentOpacity2DFill(first) == 0.2
    assert segmentation.GetSegment(first).GetName() == "mine"
    assert 0 < surface_height(node, first) < 0.8 * before
    segmentation.SeparateSegmentLabelmap(first)
    voxels_of(segmentation.GetSegment(first).GetRepresentation("Binary labelmap"))[:3] = 0
    least = mask_from_segment(node, first).to_array()
    assert 0 < least.sum() < less.sum()
    edited = show(marked(head, brain), scene)
    assert np.array_equal(mask_from_segment(node, first).to_array(), least), "what the person drew stays"
    assert "a person drew or changed stay as they are: " in edited.remark
    left = show(marked(head, brain, gone=True), scene)
    assert list(segmentation.GetSegmentIDs()) == [first] and left.remark


def test_a_result_that_nobody_changed_is_shown_as_automatic(scene, result: AnalysisResult):
    shown = show(result, scene, surfaces=False)
    for uid in (BRAIN_UID, VENTRICLE_UID):
        assert segment_tag(shown.segmentation_node, uid, ALGORITHM_TYPE) == "AUTOMATIC"
