"""A review in a real scene: decisions are seen at once, drawn voxels come back as they were drawn, on any grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from PIL import Image

from slicermedai.domain.center import finding_center
from slicermedai.domain.codes import LONG_AXIS, MILLIMETER, Code
from slicermedai.domain.edits import edit_distance, on_grid, packed
from slicermedai.domain.finding import Box, Finding, Measurement, PackedMask
from slicermedai.domain.pieces import finished
from slicermedai.domain.result import AnalysisResult, Decision, Map, Review
from slicermedai.domain.uncertainty import StructureSpread, Uncertainty
from slicermedai.errors import InputError
from slicermedai.scene import identity, laying
from slicermedai.scene.offscreen import quiet_vtk
from slicermedai.scene.reviewing import EDITOR, ReviewScene
from slicermedai.scene.segments import ALGORITHM_TYPE, mask_from_segment, segment_tag
from slicermedai.scene.views import DrawingScene, SliceView, opened
from slicermedai.scene.volumes import volume_to_node
from Testing.scene.drawing import draw_region, segmentation_of
from Testing.scene.samples import BRAIN_UID, VENTRICLE_COLOR, VENTRICLE_UID, SmallHead, small_head


@pytest.fixture
def review(scene: Any) -> Iterator[ReviewScene]:
    made = ReviewScene(scene)
    yield made
    made.forget()


def a_decision(uid: str, decision: Decision, **more: Any) -> Review:
    return Review(tracking_uid=uid, person="Jane Roe", decision=decision, time="2026-11-22T10:00:00+00:00", **more)


def with_reviews(result: AnalysisResult, *reviews: Review) -> AnalysisResult:
    return dataclasses.replace(result, reviews=(*result.reviews, *reviews))


def segments_of(scene: Any, result: AnalysisResult) -> list[str]:
    inner = segmentation_of(scene, result).GetSegmentation()
    return [inner.GetNthSegmentID(number) for number in range(inner.GetNumberOfSegments())]


def bigger(finding: Finding) -> PackedMask:
    """The region with a corner block more."""
    region: Any = finding.region
    array = region.to_array().copy()
    array[1:3, 2:5, 1:4] = True
    return PackedMask.from_array(array, region.geometry)


def words_of(node: Any) -> list[str]:
    table = node.GetTable()
    column = table.GetColumnByName("Confidence")
    return [column.GetValue(row) for row in range(table.GetNumberOfRows())]


# --- showing ---------------------------------------------------------------------------------------------------------


def test_the_image_that_the_scene_holds_is_used(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    volume_to_node(dataclasses.replace(head.volume, array=head.volume.array + 1, series_uid=""), scene)
    own = volume_to_node(head.volume, scene, study=head.result.study)
    review.open(head.result)
    assert review.image_node is own
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2


def test_without_an_image_it_is_shown_without_one(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    review.open(head.result)
    assert review.image_node is None
    assert segments_of(scene, head.result) == [BRAIN_UID, VENTRICLE_UID]


def test_a_result_that_is_shown_already_keeps_what_was_drawn(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    review.open(head.result, head.volume)
    wanted = bigger(head.result.findings[1])
    draw_region(scene, head.result, VENTRICLE_UID, wanted)
    again = ReviewScene(scene)
    again.open(head.result)
    assert np.array_equal(again.drawn(VENTRICLE_UID).to_array(), wanted.to_array())
    assert again.changed == {VENTRICLE_UID}, "and it is noticed that somebody drew in it"
    again.forget()


# --- deciding --------------------------------------------------------------------------------------------------------


def test_a_rejected_finding_leaves_the_scene_and_comes_back_in_its_place(
    review: ReviewScene, scene: Any, head: SmallHead
) -> None:
    review.open(head.result, head.volume)
    review.apply(with_reviews(head.result, a_decision(BRAIN_UID, Decision.REJECTED, reason="an artefact")))
    assert segments_of(scene, head.result) == [VENTRICLE_UID]
    notice = identity.marked_nodes(scene, identity.result_key(head.result), identity.NOTICE)[0]
    assert "an artefact" in notice.GetText()
    assert "Roe" not in notice.GetText()
    review.apply(head.result)
    assert segments_of(scene, head.result) == [BRAIN_UID, VENTRICLE_UID]
    found = mask_from_segment(segmentation_of(scene, head.result), BRAIN_UID)
    assert np.array_equal(found.to_array(), head.result.findings[0].region.to_array())  # type: ignore[union-attr]
    assert review.changed == frozenset()


def test_boxes_go_and_come_back_too(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    axis = Measurement(name=LONG_AXIS, value=3.0, unit=MILLIMETER, points=((1.0, 2.0, 4.0), (4.0, 2.0, 4.0)))
    box = dataclasses.replace(head.result.findings[1], region=Box(low=(0, 0, 0), high=(9, 9, 9)), measurements=(axis,))
    result = dataclasses.replace(head.result, findings=(head.result.findings[0], box))

    def drawn() -> list[int]:
        return [scene.GetNumberOfNodesByClass(f"vtkMRMLMarkups{kind}Node") for kind in ("ROI", "Line")]

    review.open(result, head.volume)
    assert drawn() == [1, 1]
    review.apply(result)
    assert drawn() == [1, 1]
    review.apply(with_reviews(result, a_decision(VENTRICLE_UID, Decision.REJECTED)))
    assert drawn() == [0, 0]
    review.apply(result)
    assert drawn() == [1, 1]


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("codes", ["SPL", "IAR", "LPS"])
def test_what_is_drawn_comes_back_voxel_by_voxel_on_any_grid(
    review: ReviewScene, scene: Any, codes: str, oblique: bool
) -> None:
    head = small_head(codes=codes, oblique=oblique)
    review.open(head.result, head.volume)
    ventricle = head.result.findings[1]
    wanted = bigger(ventricle)
    assert review.changed == frozenset()
    draw_region(scene, head.result, VENTRICLE_UID, wanted)
    assert VENTRICLE_UID in review.changed
    found = on_grid(review.drawn(VENTRICLE_UID), head.result.volume_geometry)
    assert np.array_equal(found.to_array(), wanted.to_array())
    apart = edit_distance(ventricle.region, found)  # type: ignore[arg-type]
    assert apart.added > 0
    assert apart.removed == 0


def test_an_edit_takes_the_predictions_away_in_the_table_and_is_semiautomatic(
    review: ReviewScene, scene: Any, head: SmallHead
) -> None:
    review.open(head.result, head.volume)
    wanted = bigger(head.result.findings[1])
    draw_region(scene, head.result, VENTRICLE_UID, wanted)
    found = review.drawn(VENTRICLE_UID)
    review.take(VENTRICLE_UID, found)
    edited = with_reviews(head.result, a_decision(VENTRICLE_UID, Decision.EDITED, region=found))
    review.apply(edited)
    table = identity.marked_nodes(scene, identity.result_key(head.result), identity.TABLE)[0]
    assert words_of(table)[-1] == "not assessed (edited)"
    node = segmentation_of(scene, head.result)
    assert segment_tag(node, VENTRICLE_UID, ALGORITHM_TYPE) == "SEMIAUTOMATIC"
    assert segment_tag(node, BRAIN_UID, ALGORITHM_TYPE) == "AUTOMATIC"
    review.apply(head.result)
    assert np.array_equal(review.drawn(VENTRICLE_UID).to_array(), packed(head.result.findings[1].region).to_array())  # type: ignore[arg-type]
    assert segment_tag(node, VENTRICLE_UID, ALGORITHM_TYPE) == "AUTOMATIC"


def test_a_saved_edit_is_shown_again_and_left_is_left(review: ReviewScene, scene: Any) -> None:
    head = small_head(oblique=True)
    edited = with_reviews(
        head.result, a_decision(VENTRICLE_UID, Decision.EDITED, region=bigger(head.result.findings[1]))
    )
    review.open(edited, head.volume)
    found = review.drawn(VENTRICLE_UID)
    assert np.array_equal(found.to_array(), bigger(head.result.findings[1]).to_array())
    bounds = [0.0] * 6
    segmentation_of(scene, head.result).GetSegmentation().GetSegment(VENTRICLE_UID).GetBounds(bounds)
    original = packed(head.result.findings[1].region)  # type: ignore[arg-type]
    middle = original.geometry.to_lps(np.argwhere(original.to_array()).mean(axis=0))
    assert middle[0] > 0, "the capsule lies on the patient's left"
    assert bounds[0] < -middle[0] < bounds[1], "and left is negative in RAS"


# --- editing and looking ---------------------------------------------------------------------------------------------


def test_the_segment_editor_gets_segmentation_segment_and_image(
    review: ReviewScene, scene: Any, head: SmallHead
) -> None:
    review.open(head.result, head.volume)
    review.edit(VENTRICLE_UID)
    editor = scene.GetSingletonNode(EDITOR, "vtkMRMLSegmentEditorNode")
    assert editor.GetSelectedSegmentID() == VENTRICLE_UID
    assert editor.GetSegmentationNode() is segmentation_of(scene, head.result)
    assert editor.GetSourceVolumeNode() is review.image_node
    with pytest.raises(InputError, match="no segment"):
        review.edit("2.25.9")


def test_all_views_come_to_the_place(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    node = scene.AddNode(slicer.vtkMRMLSliceNode())
    camera = scene.AddNewNodeByClass("vtkMRMLCameraNode")
    camera.SetFocalPoint(0, 0, 0)
    camera.SetPosition(0, 500, 0)
    review.jump((10.0, -20.0, 30.0))
    matrix = node.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx([-10.0, 20.0, 30.0])
    assert tuple(camera.GetFocalPoint()) == pytest.approx((-10.0, 20.0, 30.0))
    assert tuple(camera.GetPosition()) == pytest.approx((-10.0, 520.0, 30.0))


@pytest.fixture
def sampled(head: SmallHead) -> AnalysisResult:
    """The result with a map and with inner and outer regions of the ventricle."""
    ventricle = packed(head.result.findings[1].region)  # type: ignore[arg-type]
    spread = StructureSpread(
        tracking_uid=VENTRICLE_UID, pairwise_dice=0.9, volume_mean=1, volume_deviation=0.1, volume_low=0.9,
        volume_high=1.1, found_in=4, band_ml=0.2, inner=ventricle, outer=bigger(head.result.findings[1]),
    )  # fmt: skip
    values = np.zeros(head.volume.array.shape, np.float32)
    values[2:5, 2:5, 2:5] = 0.5
    one = Code(value="1", scheme="UCUM", meaning="no units")
    code = Code(value="SAMPLE-DISAGREEMENT", scheme="99MEDAI", meaning="Share of samples that disagree")
    disagreement = Map(name="Disagreement", quantity=code, unit=one, array=values, geometry=head.result.volume_geometry)
    return dataclasses.replace(
        head.result,
        maps=(disagreement,),
        uncertainty=Uncertainty(method="flips", samples=4, cost=3.0, level=0.9, structures=(spread,)),
    )


def test_inner_and_outer_regions_are_outlined_for_the_chosen_finding_alone(
    review: ReviewScene, scene: Any, head: SmallHead, sampled: AnalysisResult
) -> None:
    review.open(sampled, head.volume)
    assert review.outline(VENTRICLE_UID)
    node = next(n for n in identity.marked_nodes(scene, identity.result_key(sampled), identity.MAP)
                if n.IsA("vtkMRMLSegmentationNode"))  # fmt: skip
    assert node.GetDisplayNode().GetVisibility()
    assert not node.GetDisplayNode().GetVisibility2DFill()
    assert not review.outline(BRAIN_UID)
    assert not node.GetDisplayNode().GetVisibility()


def test_a_map_is_laid_over_the_image_from_a_threshold_on_with_a_legend(
    review: ReviewScene, scene: Any, head: SmallHead, sampled: AnalysisResult
) -> None:
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    review.open(sampled, head.volume)
    assert review.lay_map(0, share=0.5) == pytest.approx(0.25)
    node = laying.map_nodes(sampled, scene)[0]
    assert view.GetForegroundVolumeID() == node.GetID()
    assert view.GetBackgroundVolumeID() == review.image_node.GetID()  # type: ignore[union-attr]
    assert node.GetDisplayNode().GetLowerThreshold() == pytest.approx(0.25)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    assert legend.GetVisibility()
    assert legend.GetTitleText() == node.GetName()
    assert review.lay_map(-1, share=0.5) is None
    assert not view.GetForegroundVolumeID()
    assert not legend.GetVisibility()


def test_letting_go_observes_nothing_any_more(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    review.open(head.result, head.volume)
    inner = segmentation_of(scene, head.result).GetSegmentation()
    event = slicer.vtkSegmentation.SourceRepresentationModified
    assert inner.HasObserver(event)
    review.forget()
    draw_region(scene, head.result, VENTRICLE_UID, bigger(head.result.findings[1]))
    assert review.changed == frozenset()
    assert not review.is_there


def test_a_closed_scene_is_noticed(review: ReviewScene, scene: Any, head: SmallHead) -> None:
    review.open(head.result, head.volume)
    scene.Clear(0)
    assert (review.is_there, review.image_node) == (False, None)
    with pytest.raises(InputError, match="any more"):
        review.drawn(BRAIN_UID)
    review.apply(with_reviews(head.result, a_decision(BRAIN_UID, Decision.ACCEPTED)))


@pytest.mark.parametrize("codes", ["SPL", "IAR"])
def test_the_finding_is_drawn_in_the_middle_of_the_view_and_left_is_on_the_right(codes: str, tmp_path: Path) -> None:
    head = small_head(codes=codes)
    ventricle = head.result.findings[1]
    place = finding_center(ventricle)
    with quiet_vtk(), DrawingScene() as drawing, opened(SliceView(drawing, "Axial", (240, 240))) as view:
        review = ReviewScene(drawing.scene)
        review.open(head.result, head.volume)
        view.show_volume(review.image_node, (0.0, 0.0, float(place[2])))
        before = np.asarray(Image.open(view.save(tmp_path / "before.png")).convert("RGB"), dtype=int)
        review.jump(place)
        view.logic.UpdatePipeline()
        after = np.asarray(Image.open(view.save(tmp_path / "after.png")).convert("RGB"), dtype=int)
        review.forget()
    columns = np.argwhere(_is_colored(before, VENTRICLE_COLOR))[:, 1]
    assert columns.min() > 120, "the patient's left is on the right of the picture"
    seen = np.argwhere(_is_colored(after, VENTRICLE_COLOR))
    assert np.abs(seen.mean(axis=0) - 120).max() < 15, "and comes to the middle"


def _is_colored(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Pixels that lean towards a colour, however it is blended."""
    red, green, blue = (picture[..., channel] for channel in range(3))
    assert color[1] < min(color[0], color[2]), "a purple"
    return np.asarray((red - green > 40) & (blue - green > 40))


def test_whoever_gives_up_between_two_pieces_leaves_nothing_in_the_scene(review: ReviewScene) -> None:
    head, pieces = small_head(), 0
    before = review.scene.GetNumberOfNodes()
    while True:
        preparing = review.preparing(head.result, head.volume)
        taken = sum(1 for _ in zip(range(pieces), preparing, strict=False))
        preparing.close()
        assert review.scene.GetNumberOfNodes() == before and not review.is_there
        if taken < pieces:
            break
        pieces += 1
    assert pieces > 1
    review.open(head.result, head.volume)
    assert review.is_there


def test_what_was_prepared_before_the_scene_was_emptied_is_shown_in_the_empty_one(review: ReviewScene) -> None:
    head = small_head()
    review.open(head.result, head.volume)
    prepared = finished(review.preparing(head.result, head.volume))
    review.scene.Clear(0)
    review.forget()
    review.open(head.result, head.volume, prepared=prepared)
    assert segments_of(review.scene, head.result) == [one.tracking_uid for one in head.result.findings]
    assert review.image_node is not None
