"""Slicer's sequences become frames over time, and a course becomes a sequence of segmentations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer

from slicermedai.dicom.over_time import open_over_time
from slicermedai.dicom.volumes import save_frames
from slicermedai.domain.course import Moment
from slicermedai.domain.observer import silent
from slicermedai.errors import GeometryError, InputError, UnsupportedImageError
from slicermedai.scene.sequences import course_to_sequence, frames_of, is_sequence, know_sequences
from slicermedai.scene.volumes import volume_to_node
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import grid, rotated

GRID = rotated(grid("PIL", shape=(4, 6, 5), spacing=(20.0, 18.0, 19.0)), (10, -20, 30))
BEAT = Beat(frames=4)


def a_sequence(scene, values=("0", "40", "95", "130"), unit="ms", volumes=None):
    know_sequences(scene)
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Cine")
    node.SetIndexName("time")
    node.SetIndexUnit(unit)
    node.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex if unit else slicer.vtkMRMLSequenceNode.TextIndex)
    for volume, value in zip(volumes or beating_heart(GRID, BEAT), values, strict=True):
        one = volume_to_node(volume, scene)
        node.SetDataNodeAtValue(one, value)
        scene.RemoveNode(one)
    return node


def test_volumes_come_in_order_with_their_times_where_they_lie(scene):
    node = a_sequence(scene)
    found = frames_of(node)
    assert is_sequence(node)
    assert (found.seconds, found.clock) == ((0.0, 0.04, 0.095, 0.13), "time")
    for one, wanted in zip(found.volumes, beating_heart(GRID, BEAT), strict=True):
        np.testing.assert_array_equal(one.array, wanted.array)
        np.testing.assert_allclose(one.geometry.affine, wanted.geometry.affine, atol=1e-6)


def test_a_browser_stands_for_the_sequence_that_it_leads(scene):
    node = a_sequence(scene)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    with pytest.raises(InputError, match="leads no sequence"):
        frames_of(browser)
    browser.SetAndObserveMasterSequenceNodeID(node.GetID())
    assert is_sequence(browser)
    assert len(frames_of(browser).volumes) == 4


def test_an_index_that_is_no_time_gives_the_order_alone(scene):
    found = frames_of(a_sequence(scene, values=("a", "b", "c", "d"), unit=""))
    assert found.seconds == (None,) * 4


def test_what_is_no_volume_is_refused_by_its_number(scene):
    node = a_sequence(scene)
    node.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "200")
    with pytest.raises(UnsupportedImageError, match="item 5 of the sequence is a vtkMRMLLinearTransformNode"):
        frames_of(node)


def test_frames_of_a_sequence_are_read_over_time_from_the_folder_that_hands_them_on(scene, tmp_path: Path):
    found = frames_of(a_sequence(scene))
    folder = save_frames(found.volumes, found.seconds, tmp_path / "frames", clock=found.clock)
    series = open_over_time(folder)
    assert [moment.seconds for moment in series.moments] == [0.0, 0.04, 0.095, 0.13]
    assert series.told == ()
    np.testing.assert_array_equal(series.open(2, silent).volume.array, found.volumes[2].array)


def test_frames_of_unequal_geometry_are_refused(tmp_path: Path):
    volumes = beating_heart(GRID, BEAT)
    other = replace(volumes[2], geometry=rotated(GRID, (0, 0, 5)))
    with pytest.raises(GeometryError, match="frame 3 does not lie on the grid of the first"):
        save_frames([*volumes[:2], other, volumes[3]], [None] * 4, tmp_path / "frames", clock="time")
    assert not (tmp_path / "frames").exists()


def test_a_course_is_a_sequence_of_segmentations_with_one_segment_a_structure(scene, result):
    results = [replace(result, moment=Moment(number=n, of=3, seconds=0.05 * (n - 1), clock="t")) for n in (1, 2, 3)]
    results[1] = replace(results[1], findings=results[1].findings[:1])
    browser = course_to_sequence(results, scene)
    sequence = browser.GetMasterSequenceNode()
    assert [sequence.GetNthIndexValue(i) for i in range(3)] == ["0.0", "0.05", "0.1"]
    assert sequence.GetIndexUnit() == "s"
    ids = [sorted(sequence.GetNthDataNode(i).GetSegmentation().GetSegmentIDs()) for i in range(3)]
    uids = sorted(one.tracking_uid for one in result.findings)
    assert ids[0] == ids[2] == uids
    assert ids[1] == [result.findings[0].tracking_uid]
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    assert list(browser.GetProxyNode(sequence).GetSegmentation().GetSegmentIDs()) == ids[1]


def test_results_of_one_image_make_no_sequence(scene, result):
    with pytest.raises(InputError, match="of no series over time"):
        course_to_sequence([result], scene)
