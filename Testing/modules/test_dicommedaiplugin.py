"""Slicer's DICOM browser takes our objects as whole results: which, named how, and shown where they were."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.app import dicom_results
from slicermedai.domain.finding import Confidence, ConfidenceState
from slicermedai.domain.result import Decision, Review, Status
from slicermedai.domain.study import Identity, SeriesRef, Study
from slicermedai.domain.volume import Volume
from slicermedai.export import read_back
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, Case, a_ball, a_case
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.test_sr_regions import BOX, POINT, detected
from Testing.Harness import Harness, facts
from Testing.Harness.pythonqt import dicom_lib
from Testing.Harness.pythonqt.objects import wrapper_class
from Testing.modules.leftovers import Emptied

MODULE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "DICOMMedAIPlugin.py"
SURE = Confidence(state=ConfidenceState.CALIBRATED, probability=0.61, calibration="Platt scaling, site A, 31 patients")
LATER = "2026-11-22T01:02:04.000001+00:00"


class Others(dicom_lib.DICOMPlugin):
    """As Slicer's own plugins for SEG, SR and maps: one object at a time."""

    loaded: list[str] = []

    def examineFiles(self, files: Any) -> list[Any]:
        import slicer

        made = []
        for path in files:
            if slicer.dicomDatabase.fileValue(path, "0008,0060") in ("SEG", "SR", "OT"):
                one = dicom_lib.DICOMLoadable()
                one.files, one.name, one.selected, one.confidence = [path], Path(path).name, True, 0.96
                made.append(one)
        return made

    def load(self, loadable: Any) -> bool:
        self.loaded.append(loadable.name)
        return True


@pytest.fixture
def browser(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The DICOM module's list of plugins with ours in it, and an open database."""
    import slicer

    (tmp_path / "database").mkdir()
    assert slicer.dicomDatabase.openDatabase(str(tmp_path / "database" / "ctkDICOM.sql"))
    monkeypatch.setattr(Others, "loaded", [])
    with dicom_lib.installed() as package:
        spec = importlib.util.spec_from_file_location(MODULE.stem, MODULE)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        parent = wrapper_class("qSlicerScriptedLoadableModule")()
        module.DICOMMedAIPlugin(parent)
        assert parent.title and "not a medical device" in parent.helpText
        slicer.modules.dicomPlugins["Others"] = Others
        yield SimpleNamespace(
            utils=package.DICOMUtils,  # type: ignore[attr-defined]
            database=slicer.dicomDatabase,
            scene=slicer.mrmlScene,
            plugin=slicer.modules.dicomPlugins["DICOMMedAIPlugin"](),
        )


def written(case: Case, folder: Path, *formats: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return export_result(case.result, headers=case.headers, folder=folder, formats=formats or ("seg", "sr"))


def inserted(browser: Any, paths: list[Path]) -> list[list[str]]:
    """The objects in the database, and the lists of files of all series that are in it then."""
    for path in paths:
        browser.database.insert(str(path))
    return lists(browser)


def lists(browser: Any, *modalities: str) -> list[list[str]]:
    database = browser.database
    series = [
        s
        for p in database.patients()
        for study in database.studiesForPatient(p)
        for s in database.seriesForStudy(study)
    ]
    chosen = [one for one in series if not modalities or database.fieldForSeries("Modality", one) in modalities]
    return [list(database.filesForSeries(one)) for one in chosen]


def whole(browser: Any, file_lists: list[list[str]]) -> list[Any]:
    return [one for one in browser.plugin.examineForImport(file_lists) if not one.isCompanion]


def load_all(browser: Any, file_lists: list[list[str]]) -> list[str]:
    """As the browser does when the user presses Load."""
    offered, messages = browser.utils.getLoadablesFromFileLists(file_lists), []
    browser.utils.selectHighestConfidenceLoadables(offered)
    browser.utils.loadLoadables(offered, messages)
    return messages


def nodes(browser: Any, kind: str) -> list[Any]:
    found = browser.scene.GetNodesByClass(kind)
    return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]


def names(browser: Any) -> list[str]:
    scene = browser.scene
    made = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return sorted(
        f"{one.GetClassName()} {one.GetName()}" for one in made if "SubjectHierarchy" not in one.GetClassName()
    )


def image_of(case: Case, browser: Any, *, study: Study | None = None) -> Any:
    """The node of the case's image, filed under its study as Slicer's own loading files it."""
    from slicermedai.scene.volumes import volume_to_node

    header = case.headers[0]
    array = np.zeros(case.geometry.shape, np.int16)
    uid = str(header.SeriesInstanceUID)
    volume = Volume(array=array, geometry=case.geometry, modality="MR", name="T1", series_uid=uid)
    filed = study or Study(
        study_uid=str(header.StudyInstanceUID),
        patient_id=str(header.PatientID),
        series=(SeriesRef(series_uid=uid),),
    )
    return volume_to_node(volume, browser.scene, study=filed)


def with_result(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def finished(case: Case, when: str) -> Case:
    return with_result(case, provenance=dataclasses.replace(case.result.provenance, finished=when))


def changed(path: Path, **values: object) -> Path:
    dataset = dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


# --- what is offered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticked", ["SEG", "SR", "OT"])
def test_one_series_ticked_offers_the_whole_result(browser: Any, tmp_path: Path, ticked: str) -> None:
    case = with_maps(a_case(), a_map(a_case()), a_map(a_case(), name="Second"))
    paths = written(case, tmp_path / "objects", "seg", "sr", "pmap")
    inserted(browser, paths)
    (offer,) = whole(browser, lists(browser, ticked))
    assert sorted(offer.files) == sorted(map(str, paths))
    assert offer.confidence > 0.96 and offer.selected


def test_the_offer_says_which_algorithm_and_how_far_to_trust_it(browser: Any, tmp_path: Path) -> None:
    (offer,) = whole(browser, inserted(browser, written(a_case(), tmp_path / "objects")))
    assert offer.name == "MedAI brain 1.2.0 (not calibrated, UNVERIFIED, research use only)"
    assert "2026-11-22 01:02:03" in offer.tooltip and "segmentation, report" in offer.tooltip
    assert offer.warning == ""


def test_calibrated_and_verified_are_said_where_they_are_so(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    (finding,) = (dataclasses.replace(one, confidence=SURE) for one in case.result.findings)
    decision = Review(
        tracking_uid=finding.tracking_uid,
        person="Roe^Jane",
        decision=Decision.ACCEPTED,
        time="2026-11-23T10:20:30+01:00",
    )
    case = with_result(case, findings=(finding,), reviews=(decision,))
    (offer,) = whole(browser, inserted(browser, written(case, tmp_path / "objects")))
    assert offer.name == "MedAI brain 1.2.0 (calibrated, verified by a person, research use only)"


def test_two_results_of_one_study_stay_apart(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    one, other = (written(each, tmp_path / name) for each, name in ((case, "a"), (finished(case, LATER), "b")))
    offers = whole(browser, inserted(browser, [*one, *other]))
    assert sorted(sorted(offer.files) for offer in offers) == [sorted(map(str, one)), sorted(map(str, other))]


def test_a_result_before_and_after_its_review_are_two_though_one_run_made_them(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    empty = dataclasses.replace(
        finding, region=a_case(masks=(a_ball(case.geometry, radius=(0.1, 0.2, 0.2)),)).result.findings[0].region
    )
    edit = Review(
        tracking_uid=finding.tracking_uid,
        person="Roe^Jane",
        decision=Decision.EDITED,
        time="2026-11-23T10:20:30+01:00",
        region=empty.region,
    )
    paths = [*written(case, tmp_path / "a"), *written(with_result(case, reviews=(edit,)), tmp_path / "b")]
    file_lists = inserted(browser, paths)
    assert sorted(len(offer.files) for offer in whole(browser, file_lists)) == [2, 2]
    assert load_all(browser, file_lists) == []
    kinds = [
        _tags(node.GetSegmentation().GetNthSegment(0))["DICOM.SegmentAlgorithmType"]
        for node in nodes(browser, "vtkMRMLSegmentationNode")
    ]
    assert sorted(kinds) == ["AUTOMATIC", "SEMIAUTOMATIC"]


def _text() -> Any:
    import vtk

    return vtk.reference("")


def test_exports_that_lost_what_tells_them_apart_are_not_mixed(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    later = with_result(case, message="another")
    paths = [*written(case, tmp_path / "a"), *written(later, tmp_path / "b")]
    for path in paths:
        changed(path, PerformedProcedureStepID="", PerformedProcedureStepDescription="")
    offers = whole(browser, inserted(browser, paths))
    assert [len(offer.files) for offer in offers] == [1, 1, 1, 1]
    assert all("UNVERIFIED" in offer.name and "calibration is told" in offer.name for offer in offers)


def test_without_the_step_the_time_of_the_analysis_keeps_results_whole_and_apart(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    paths = [*written(case, tmp_path / "a"), *written(finished(case, LATER), tmp_path / "b")]
    for path in paths:
        changed(path, PerformedProcedureStepID="", PerformedProcedureStepDescription="")
    offers = whole(browser, inserted(browser, paths))
    assert sorted(sorted(Path(path).parent.name for path in one.files) for one in offers) == [["a", "a"], ["b", "b"]]


def test_objects_of_others_and_pages_to_read_are_left_to_slicer(browser: Any, tmp_path: Path) -> None:
    foreign = written(a_case(), tmp_path / "foreign")
    for path in foreign:
        changed(path, Manufacturer="Somebody else")
    pages = written(finished(a_case(), LATER), tmp_path / "pages", "capture", "text")
    assert browser.plugin.examineForImport(inserted(browser, [*foreign, *pages])) == []


def test_slicers_own_plugins_are_deselected_for_every_object_of_ours(browser: Any, tmp_path: Path) -> None:
    case = with_maps(a_case(), a_map(a_case()))
    file_lists = inserted(browser, written(case, tmp_path / "objects", "seg", "sr", "pmap"))
    assert load_all(browser, file_lists) == []
    assert Others.loaded == []
    assert len(nodes(browser, "vtkMRMLSegmentationNode")) == 1


def test_the_images_are_named_so_that_the_browser_can_load_them_too(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    images = []
    for number, header in enumerate(case.headers):
        images.append(tmp_path / f"image{number}.dcm")
        header.save_as(images[-1])
    (offer,) = whole(browser, inserted(browser, [*written(case, tmp_path / "objects"), *images]))
    assert set(offer.referencedInstanceUIDs) == {str(one.SOPInstanceUID) for one in case.headers}


def test_images_are_not_asked_one_by_one(browser: Any, tmp_path: Path) -> None:
    images = []
    for number, header in enumerate(a_case().headers):
        images.append(tmp_path / f"image{number}.dcm")
        header.save_as(images[-1])
    file_lists = inserted(browser, images)
    asked: list[str] = []
    database = SimpleNamespace(fileValue=lambda path, tag: asked.append(tag) or browser.database.fileValue(path, tag))
    assert dicom_results.find(database, file_lists) == []
    assert len(file_lists[0]) > 5 and len(asked) == 1


def test_the_kinds_of_objects_are_those_that_can_be_read_back() -> None:
    readable = {*read_back.SEGMENTATIONS, read_back.MAP, *read_back.REPORTS}
    assert set(dicom_results.KINDS) <= readable


def test_examining_reads_no_file_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; import slicermedai.app.dicom_results, slicermedai.app.dicom_load;"
        "print([m for m in ('torch', 'monai', 'pydicom', 'highdicom', 'SimpleITK', 'vtk') if m in sys.modules])"
    )
    assert _python(code) == "[]"


def test_reading_a_result_back_never_imports_torch() -> None:
    code = (
        "import sys; import slicermedai.export.own;"
        "print([m for m in ('torch', 'monai', 'SimpleITK') if m in sys.modules])"
    )
    assert _python(code) == "[]"


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=MODULE.parent)
    return done.stdout.strip()


def test_the_stand_in_for_dicomlib_has_slicers_names_alone() -> None:
    known = facts.python()["modules"]
    described = known["DICOMLib.DICOMPlugin"]["classes"]
    for cls in (dicom_lib.DICOMLoadable, dicom_lib.DICOMPlugin):
        have = {name for name in vars(cls) if not name.startswith("__")} | set(vars(cls()))
        facts_of = described[cls.__name__]
        assert have <= {*facts_of["methods"], *facts_of["attributes"]}
    functions = known["DICOMLib.DICOMUtils"]["functions"]
    for name in ("getLoadablesFromFileLists", "selectHighestConfidenceLoadables", "loadLoadables"):
        assert name in functions


# --- what is shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", ["axial", "oblique and anisotropic", "flipped everywhere", "one slice"])
def test_segments_lie_where_they_were(browser: Any, tmp_path: Path, grid: str) -> None:
    from slicermedai.scene.segments import mask_from_segment

    case = a_case(GRIDS[grid], masks=(a_ball(GRIDS[grid]), a_ball(GRIDS[grid], radius=(0.5, 0.2, 0.2))))
    file_lists = inserted(browser, written(case, tmp_path / "objects"))
    image = image_of(case, browser)
    assert load_all(browser, file_lists) == []
    (node,) = nodes(browser, "vtkMRMLSegmentationNode")
    for finding, mask in zip(case.result.findings, case.masks, strict=True):
        shown = mask_from_segment(node, finding.tracking_uid)
        assert np.array_equal(shown.to_array(), mask)
        assert shown.geometry.same_grid(case.geometry)
        tags = _tags(node.GetSegmentation().GetSegment(finding.tracking_uid))
        assert tags["DICOM.SegmentAlgorithmType"] == "AUTOMATIC"
        assert "brain" in tags["DICOM.SegmentAlgorithmName"]
    (table,) = nodes(browser, "vtkMRMLTableNode")
    assert table.GetNumberOfRows() > 0
    assert _parent(node) == _parent(table) == _parent(image)


def _tags(segment: Any) -> dict[str, str]:
    found = {}
    for name in ("DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"):
        value = _text()
        assert segment.GetTag(name, value)
        found[name] = str(value)
    return found


def _parent(node: Any) -> int:
    from slicermedai.scene.hierarchy import hierarchy_of, item_of

    return int(hierarchy_of(node.GetScene()).GetItemParent(item_of(node)))


def test_boxes_and_points_stand_at_their_places_and_the_notice_is_there(browser: Any, tmp_path: Path) -> None:
    case = detected(a_case(GRIDS["oblique"]), BOX, POINT, probability=0.61)
    file_lists = inserted(browser, written(case, tmp_path / "objects", "sr-regions"))
    image_of(case, browser)
    assert load_all(browser, file_lists) == []
    (roi,), (point,) = nodes(browser, "vtkMRMLMarkupsROINode"), nodes(browser, "vtkMRMLMarkupsFiducialNode")
    middle = (np.array(BOX.low) + np.array(BOX.high)) / 2
    assert np.allclose(roi.GetCenter(), middle * (-1, -1, 1), atol=1e-4)
    assert np.allclose(roi.GetSize(), np.array(BOX.high) - np.array(BOX.low), atol=1e-4)
    assert np.allclose(point.GetNthControlPointPositionWorld(0), np.array(POINT.position) * (-1, -1, 1), atol=1e-4)
    (notice,) = nodes(browser, "vtkMRMLTextNode")
    assert "Research use only" in notice.GetText()


def test_boxes_are_shown_without_the_image_too_and_what_is_missing_is_said(
    browser: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file_lists = inserted(browser, written(detected(a_case(), BOX), tmp_path / "objects", "sr-regions"))
    with caplog.at_level(logging.WARNING):
        assert load_all(browser, file_lists) == []
    assert len(nodes(browser, "vtkMRMLMarkupsROINode")) == 1
    assert "names the grid" in caplog.text
    assert "names the grid" in nodes(browser, "vtkMRMLTextNode")[0].GetText()


@pytest.mark.parametrize("status", [Status.NO_FINDING, Status.FAILED])
def test_nothing_found_and_failed_are_shown_as_such(browser: Any, tmp_path: Path, status: Status) -> None:
    case = a_case(masks=(), status=status)
    image_of(case, browser)
    assert load_all(browser, inserted(browser, written(case, tmp_path / "objects"))) == []
    (notice,) = nodes(browser, "vtkMRMLTextNode")
    assert f"Result: {status}" in notice.GetText()
    (node,) = nodes(browser, "vtkMRMLSegmentationNode")
    assert node.GetSegmentation().GetNumberOfSegments() == 0


@pytest.mark.parametrize("grid", ["oblique", "flipped everywhere"])
def test_maps_alone_are_laid_over_their_image_at_once(browser: Any, tmp_path: Path, grid: str) -> None:
    case = with_maps(with_result(a_case(GRIDS[grid]), findings=()), a_map(a_case(GRIDS[grid])))
    view = browser.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    file_lists = inserted(browser, written(case, tmp_path / "objects", "pmap"))
    image = image_of(case, browser)
    assert load_all(browser, file_lists) == []
    (node,) = [one for one in nodes(browser, "vtkMRMLScalarVolumeNode") if one is not image]
    import slicer

    assert np.array_equal(slicer.util.arrayFromVolume(node), case.result.maps[0].array)
    assert (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) == (image.GetID(), node.GetID())


def test_maps_beside_findings_wait_for_a_click(browser: Any, tmp_path: Path) -> None:
    case = with_maps(a_case(), a_map(a_case()))
    view = browser.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    load_all(browser, inserted(browser, written(case, tmp_path / "objects", "seg", "sr", "pmap")))
    assert len(nodes(browser, "vtkMRMLScalarVolumeNode")) == 1
    assert view.GetForegroundVolumeID() is None


def test_loaded_again_nothing_is_doubled(browser: Any, tmp_path: Path) -> None:
    file_lists = inserted(browser, written(a_case(), tmp_path / "objects"))
    load_all(browser, file_lists)
    before = names(browser)
    load_all(browser, file_lists)
    assert names(browser) == before


def test_a_scene_that_closes_after_loading_keeps_nothing_of_the_result(
    harness: Harness, browser: Any, tmp_path: Path
) -> None:
    emptied, case = Emptied(harness), with_maps(a_case(), a_map(a_case()))
    image_of(case, browser)
    load_all(browser, inserted(browser, written(case, tmp_path / "objects", "seg", "sr", "pmap")))
    assert nodes(browser, "vtkMRMLSegmentationNode") and nodes(browser, "vtkMRMLTableNode")
    emptied.check()


def test_two_results_of_one_study_have_nodes_of_their_own(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    paths = [*written(case, tmp_path / "a"), *written(finished(case, LATER), tmp_path / "b")]
    load_all(browser, inserted(browser, paths))
    one, other = nodes(browser, "vtkMRMLSegmentationNode")
    assert one.GetAttribute("MedAI.Result") != other.GetAttribute("MedAI.Result")


def test_an_image_that_was_moved_is_not_used_and_that_is_said(
    browser: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = a_case()
    image = image_of(case, browser)
    image.SetOrigin(50, 60, 70)
    with caplog.at_level(logging.WARNING):
        assert load_all(browser, inserted(browser, written(case, tmp_path / "objects"))) == []
    assert "lies elsewhere" in caplog.text


# --- what is refused ---------------------------------------------------------------------------------------------


def pseudonymous(case: Case) -> Case:
    """The same with the pseudonym of another patient, and every UID kept: the worst case."""
    for header in case.headers:
        header.PatientID, header.PatientName, header.PatientIdentityRemoved = "P-0001", "P-0001", "YES"
    study = dataclasses.replace(case.result.study, identity=Identity.DEIDENTIFY)
    return with_result(case, study=study)


@pytest.mark.parametrize("formats", [("seg", "sr"), ("sr-regions",)])
def test_pseudonymous_objects_are_never_shown_on_an_identified_image(
    browser: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, formats: tuple[str, ...]
) -> None:
    case = detected(a_case(), BOX) if formats == ("sr-regions",) else a_case()
    image_of(case, browser)
    file_lists = inserted(browser, written(pseudonymous(case), tmp_path / "objects", *formats))
    before = names(browser)
    with caplog.at_level(logging.ERROR):
        messages = load_all(browser, file_lists)
    assert messages and "another patient" in caplog.text
    assert names(browser) == before
    assert "P-0001" not in caplog.text


def test_objects_are_not_shown_on_the_image_of_another_study(browser: Any, tmp_path: Path) -> None:
    case = a_case()
    image_of(case, browser, study=Study(study_uid="1.2.3", patient_id="Other"))
    before = names(browser)
    assert load_all(browser, inserted(browser, written(case, tmp_path / "objects")))
    assert names(browser) == before


@pytest.mark.parametrize("damage", ["cut", "no groups", "no file"])
def test_a_damaged_object_is_named_and_nothing_is_half_loaded(
    browser: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    segmentation, report = written(a_case(), tmp_path / "objects")
    file_lists = inserted(browser, [segmentation, report])
    loadables = whole(browser, file_lists)
    before = names(browser)
    if damage == "cut":
        content = segmentation.read_bytes()
        segmentation.write_bytes(content[: len(content) - 40])
    elif damage == "no groups":
        dataset = dcmread(segmentation)
        del dataset.SharedFunctionalGroupsSequence
        dataset.save_as(segmentation)
    else:
        segmentation.unlink()
    with caplog.at_level(logging.ERROR):
        assert browser.plugin.load(loadables[0]) is False
    assert "seg.dcm" in caplog.text and loadables[0].warning in caplog.text
    assert names(browser) == before


def test_a_failure_while_showing_takes_out_what_was_added(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slicermedai.scene import show

    (offer,) = whole(browser, inserted(browser, written(a_case(), tmp_path / "objects")))
    before = names(browser)
    monkeypatch.setattr(show, "fill_table", lambda node, result: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        browser.plugin.load(offer)
    assert names(browser) == before


def test_a_report_without_its_segmentation_says_that_its_numbers_have_no_place(
    browser: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segmentation, report = written(a_case(), tmp_path / "objects")
    segmentation.unlink()
    with caplog.at_level(logging.WARNING):
        assert load_all(browser, inserted(browser, [report])) == []
    assert "about segments that none of these objects holds" in caplog.text


def test_a_segmentation_without_its_report_is_offered_with_a_warning(browser: Any, tmp_path: Path) -> None:
    segmentation, report = written(a_case(), tmp_path / "objects")
    (offer,) = whole(browser, inserted(browser, [segmentation]))
    assert "No report" in offer.warning
    shutil.copy(report, tmp_path / "later.dcm")
    (offer,) = whole(browser, inserted(browser, [tmp_path / "later.dcm"]))
    assert offer.warning == "" and len(offer.files) == 2
