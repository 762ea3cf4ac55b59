"""A saved scene holds everything, and a failed save leaves the old file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer

from slicermedai.domain.codes import LONG_AXIS, MILLIMETER
from slicermedai.domain.finding import Box, Finding, Measurement, PackedMask, Point
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import OutputError, UnreadableFileError
from slicermedai.scene import archive, identity, segments
from slicermedai.scene.hierarchy import hierarchy_of, item_of
from slicermedai.scene.save import save_result
from slicermedai.scene.show import show
from slicermedai.scene.volumes import volume_from_node
from Testing.fixtures.grids import ORIENTATIONS, tilted
from Testing.scene.samples import BRAIN_COLOR, BRAIN_UID, small_head


def reopened(scene, path: Path):
    archive.save_scene(scene, path)
    return archive.load_scene(path, slicer.vtkMRMLScene())


def node_in(scene, result: AnalysisResult, role: str):
    (node,) = identity.marked_nodes(scene, identity.result_key(result), role)
    return node


@pytest.fixture
def again(scene, result: AnalysisResult, volume: Volume, tmp_path: Path):
    """The scene of the small head, saved and loaded."""
    show(result, scene, volume=volume)
    return reopened(scene, tmp_path / "scene.mrb")


def test_the_volume_survives(again, result: AnalysisResult, volume: Volume):
    back = volume_from_node(node_in(again, result, identity.VOLUME))
    np.testing.assert_array_equal(back.array, volume.array)
    assert back.geometry.same_grid(volume.geometry, tolerance=1e-9)
    assert (back.modality, back.series_uid) == (volume.modality, volume.series_uid)


@pytest.mark.parametrize("codes", ORIENTATIONS[3::16])
def test_every_voxel_is_at_its_place_in_the_saved_scene(scene, tmp_path: Path, codes):
    """Slicer turns a left-handed grid when it loads one, so what is compared is the value at a place."""
    head = small_head(codes=codes, spacing=12.0, oblique=True)
    show(head.result, scene, volume=head.volume)
    back = volume_from_node(node_in(reopened(scene, tmp_path / "s.mrb"), head.result, identity.VOLUME))
    places = np.argwhere(head.volume.array > 0)
    found = np.rint(back.geometry.to_index(head.volume.geometry.to_lps(places))).astype(int)
    np.testing.assert_array_equal(back.array[tuple(found.T)], head.volume.array[tuple(places.T)])


def test_a_tilted_volume_and_its_findings_survive(scene, tmp_path: Path, result: AnalysisResult, volume: Volume):
    geometry = tilted(volume.geometry, 15.0)
    mask = result.findings[0].region.to_array()
    finding = replace(result.findings[0], region=PackedMask.from_array(mask, geometry))
    tilted_result = replace(result, findings=(finding,), volume_geometry=geometry)
    show(tilted_result, scene, volume=replace(volume, geometry=geometry))
    again = reopened(scene, tmp_path / "s.mrb")
    back = volume_from_node(node_in(again, result, identity.VOLUME))
    np.testing.assert_allclose(back.geometry.affine, geometry.affine, atol=1e-9)
    np.testing.assert_array_equal(back.array, volume.array)
    segmentation = node_in(again, result, identity.SEGMENTATION)
    np.testing.assert_array_equal(segments.mask_from_segment(segmentation, BRAIN_UID).to_array(), mask)


def test_masks_terminology_tags_names_and_colours_survive(again, result: AnalysisResult):
    node = node_in(again, result, identity.SEGMENTATION)
    for finding in result.findings:
        uid = finding.tracking_uid
        np.testing.assert_array_equal(segments.mask_from_segment(node, uid).to_array(), finding.region.to_array())
        assert segments.segment_tag(node, uid, "TerminologyEntry") == segments.terminology(finding.label)
        assert segments.segment_tag(node, uid, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
        assert segments.segment_tag(node, uid, "DICOM.SegmentAlgorithmName") == "brain 1.2.0"
        assert segments.segment_tag(node, uid, "DICOM.TrackingUID") == uid
        assert node.GetSegmentation().GetSegment(uid).GetName() == finding.label.name
    color = np.array(node.GetSegmentation().GetNthSegment(0).GetColor()) * 255
    np.testing.assert_allclose(color, BRAIN_COLOR, atol=1e-3)


def test_the_table_survives_with_typed_columns(again, result: AnalysisResult):
    table = node_in(again, result, identity.TABLE)
    assert table.GetNumberOfRows() == 2
    value = table.GetTable().GetValue(0, 2)
    assert value.IsDouble()
    assert value.ToDouble() == pytest.approx(result.findings[0].measurements[0].value, rel=1e-5)
    assert table.GetCellText(0, 5) == "not calibrated"


def test_patient_and_study_survive(again, result: AnalysisResult):
    hierarchy = hierarchy_of(again)
    study = hierarchy.GetItemParent(item_of(node_in(again, result, identity.SEGMENTATION)))
    patient = hierarchy.GetItemParent(study)
    assert hierarchy.GetItemUID(study, "DICOM") == result.study.study_uid
    assert hierarchy.GetItemUID(patient, "DICOM") == result.study.patient_id
    assert hierarchy.GetItemAttribute(patient, "DICOM.PatientName") == result.study.patient_name


def test_a_reopened_result_is_updated_not_doubled(again, result: AnalysisResult):
    before = again.GetNumberOfNodes()
    show(result, again)
    assert again.GetNumberOfNodes() == before


def test_all_data_lies_inside_under_the_files_own_name(scene, result, volume, tmp_path: Path):
    show(result, scene, volume=volume)
    path = archive.save_scene(scene, tmp_path / "demo.mrb")
    names = zipfile.ZipFile(path).namelist()
    assert "demo/demo.mrml" in names
    assert sum(name.endswith((".nrrd", ".tsv")) for name in names) == 4
    text = zipfile.ZipFile(path).read("demo/demo.mrml").decode()
    assert str(tmp_path) not in text
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["demo.mrb"]


def test_saving_over_an_older_scene_replaces_it(scene, result: AnalysisResult, tmp_path: Path):
    path = tmp_path / "scene.mrb"
    archive.save_scene(slicer.vtkMRMLScene(), path)
    small = path.stat().st_size
    show(result, scene)
    assert archive.save_scene(scene, path).stat().st_size > small


def test_a_save_that_fails_leaves_the_old_file(scene, result: AnalysisResult, tmp_path: Path):
    path = tmp_path / "scene.mrb"
    path.write_bytes(b"old")
    shown = show(result, scene)
    shown.table_node.AddDefaultStorageNode()
    storage = shown.table_node.GetStorageNode()
    storage.SetDefaultWriteFileExtension("nonsense")
    storage.SetFileName("table.nonsense")
    with slicer_errors_expected(), pytest.raises(OutputError):
        archive.save_scene(scene, path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["scene.mrb"]


def test_a_missing_or_damaged_file_is_refused(scene, tmp_path: Path):
    with pytest.raises(UnreadableFileError, match="no such file"):
        archive.load_scene(tmp_path / "none.mrb", scene)
    (tmp_path / "bad.mrb").write_bytes(b"PK nothing")
    with slicer_errors_expected(), pytest.raises(UnreadableFileError):
        archive.load_scene(tmp_path / "bad.mrb", scene)


def test_a_damaged_file_does_not_take_the_working_directory_away(scene, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.mrb").write_bytes(b"PK nothing")
    with slicer_errors_expected(), pytest.raises(UnreadableFileError):
        archive.load_scene(Path("bad.mrb"), scene)
    assert Path.cwd() == tmp_path


def slicer_errors_expected():
    from slicermedai.scene.offscreen import quiet_vtk

    return quiet_vtk()


def test_what_a_killed_process_left_unpacked_is_gone_at_the_next_load(
    scene, result: AnalysisResult, volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    show(result, scene, volume=volume)
    archive.save_scene(scene, tmp_path / "scene.mrb")
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    code = "import os; from slicermedai.domain.scratch import ScratchFolder as S; "
    code += "(S.create('scene').path / 'patient.nrrd').touch(); S.create('job'); os._exit(9)"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temp"), "PYTHONPATH": str(Path(archive.__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 9
    assert len(list(tmp_path.glob("temp/slicermedai*/scene-*/patient.nrrd"))) == 1
    archive.load_scene(tmp_path / "scene.mrb", slicer.vtkMRMLScene())
    left = [path.name.partition("-")[0] for path in tmp_path.glob("temp/slicermedai*/*")]
    assert left == ["job"], "another kind is swept by those who know what belongs to it"


WARNING = "The contrast is not one that this model knows."


@pytest.fixture
def saved(result: AnalysisResult, volume: Volume, tmp_path: Path):
    """The scene file of a run that left a warning, opened by somebody who has nothing else."""
    warned = replace(result, provenance=replace(result.provenance, warnings=(WARNING,), remark="Second try"))
    save_result(warned, tmp_path / "scene.mrb", volume=volume)
    return archive.load_scene(tmp_path / "scene.mrb", slicer.vtkMRMLScene()), warned


def test_what_must_be_read_before_the_numbers_goes_with_the_saved_scene(saved):
    scene, result = saved
    notice = node_in(scene, result, identity.NOTICE).GetText()
    for said in ("Research use only", "Not a medical device", WARNING, "not calibrated", "Second try"):
        assert said in notice
    segmentation, table = (node_in(scene, result, role) for role in (identity.SEGMENTATION, identity.TABLE))
    for node in (segmentation, table):
        assert WARNING in node.GetDescription()
        assert node.GetAttribute("MedAI.Status") == "complete, with a warning: read it first"
        assert "Not a medical device" in node.GetAttribute("MedAI.Use")


def test_no_number_in_the_saved_table_stands_without_its_warnings(saved):
    scene, result = saved
    table = node_in(scene, result, identity.TABLE)
    titles = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())]
    for row in range(table.GetNumberOfRows()):
        cells = {title: table.GetCellText(row, index) for index, title in enumerate(titles)}
        assert (cells["Status"], cells["Warnings"]) == (result.outcome, WARNING)
        assert "Research use only" in cells["Use"]
    assert table.GetNumberOfRows() == 2


def test_every_view_of_the_saved_scene_shows_the_banner(saved):
    scene, result = saved
    banner = node_in(scene, result, identity.BANNER)
    words = banner.GetNthControlPointLabel(0)
    assert words.startswith("Research use only, not a medical device.\nComplete, with a warning: read it first.")
    assert "not calibrated" in words
    display = banner.GetDisplayNode()
    assert display.GetVisibility()
    assert display.GetPointLabelsVisibility()
    assert display.GetSliceProjection()
    assert banner.GetLocked()


def test_boxes_and_points_survive(scene, result: AnalysisResult, tmp_path: Path):
    label = result.findings[0].label
    regions = (Box(low=(10.0, 20.0, 30.0), high=(14.0, 26.0, 38.0)), Point(position=(1.0, 2.0, 3.0)))
    axis = Measurement(name=LONG_AXIS, value=3.0, unit=MILLIMETER, points=((11.0, 21.0, 34.0), (14.0, 21.0, 34.0)))
    findings = tuple(
        Finding(tracking_uid=f"2.25.{number}", label=label, region=region, measurements=(axis,))
        for number, region in enumerate(regions, 1)
    )
    located = replace(result, findings=findings)
    show(located, scene)
    again = reopened(scene, tmp_path / "s.mrb")
    roi, line, point = identity.marked_nodes(again, identity.result_key(located), identity.MARKUP)
    np.testing.assert_allclose(roi.GetSize(), (4, 6, 8), atol=1e-9)
    ends = [line.GetNthControlPointPosition(index) for index in range(line.GetNumberOfControlPoints())]
    np.testing.assert_allclose(ends, [(-x, -y, z) for x, y, z in axis.points])
    np.testing.assert_allclose(point.GetNthControlPointPosition(0), (-1, -2, 3))
