"""Of several stacks at one place in one object, a result cites the frames that it was made of, and no others."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.dicom.headers import load_headers, save_headers
from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.dicom.inputs import Source, open_source
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import InstanceRef, SeriesRef
from slicermedai.errors import FormatError
from slicermedai.export.own import read_own
from slicermedai.export.run import export_result
from slicermedai.export.sr_images import told_apart, with_frames
from Testing.export.cases import GRIDS, Case, a_case
from Testing.export.test_explanations import walk
from Testing.export.test_from_source import a_series, analysed
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.test_sr_image import LESION, said_of
from Testing.export.test_sr_regions import BOX, detected
from Testing.export.validators import dciodvfy_errors
from Testing.fixtures.series_writer import SeriesSpec

_KINDS = {
    "echo": ("MREchoSequence", "EffectiveEchoTime", (10.0, 80.0)),
    "b value": ("MRDiffusionSequence", "DiffusionBValue", (0.0, 1000.0)),
    "temporal position": ("FrameContentSequence", "TemporalPositionIndex", (1, 2)),
}


def two_stacks(folder: Path, kind: str) -> Path:
    """An enhanced MR object in which frames of two stacks alternate; what the second shows lies two columns further."""
    (file,) = a_series(GRIDS["oblique"], folder, SeriesSpec(enhanced=True)).iterdir()
    dataset = dcmread(file)
    frames = np.frombuffer(dataset.PixelData, np.uint16).reshape(-1, dataset.Rows, dataset.Columns)
    both = np.stack([frames, np.roll(frames, 2, axis=2)], axis=1).reshape(-1, *frames.shape[1:])
    groups = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = [_marked(group, kind, which) for group in groups for which in (0, 1)]
    dataset.NumberOfFrames, dataset.PixelData = len(both), both.tobytes()
    dataset.save_as(file)
    return file


def _marked(group: Dataset, kind: str, which: int) -> Dataset:
    macro, keyword, values = _KINDS[kind]
    made = copy.deepcopy(group)
    if macro not in made:
        setattr(made, macro, [Dataset()])
    setattr(made[macro][0], keyword, values[which])
    return made


def stack(file: Path, number: int) -> Source:
    return open_source(file, series=f"{dcmread(file).SeriesInstanceUID}#{number}")


def cited(dataset: Dataset) -> set[int]:
    """Every number of a frame that an object refers to."""
    found = set()
    for element in dataset.iterall():
        if element.keyword == "ReferencedFrameNumber":
            found |= {int(one) for one in ([element.value] if element.VM == 1 else element.value)}
    return found


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("number", [1, 2])
def test_each_frame_of_a_segmentation_cites_the_frame_of_its_own_stack(kind: str, number: int, tmp_path: Path) -> None:
    file = two_stacks(tmp_path / "images", kind)
    source = stack(file, number)
    (path,) = export_result(analysed(source), headers=source.headers, folder=tmp_path, formats=("seg",))
    made, images = dcmread(path), dcmread(file).PerFrameFunctionalGroupsSequence
    macro, keyword, values = _KINDS[kind]
    for group in made.PerFrameFunctionalGroupsSequence:
        origin = images[group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber - 1]
        assert origin[macro][0][keyword].value == values[number - 1]
        places = [one.PlanePositionSequence[0].ImagePositionPatient for one in (group, origin)]
        assert np.allclose(*np.array(places, dtype=float), atol=1e-3)
    assert cited(made) <= {frame for _, frame in source.slices} and len(cited(made)) > 1


@pytest.mark.parametrize("number", [1, 2])
def test_every_object_cites_its_own_stack_alone_and_reads_back_so(number: int, tmp_path: Path) -> None:
    source = stack(two_stacks(tmp_path / "images", "echo"), number)
    own = {frame for _, frame in source.slices}
    case = Case(result=analysed(source), headers=source.headers, masks=())
    case = with_maps(case, a_map(case))
    for name, one, formats in (
        ("segments", case, ("seg", "sr", "sr-plain", "pmap", "rtstruct", "seg-labelmap")),
        ("boxes", detected(case, BOX), ("sr-regions",)),
        ("whole", said_of(case, LESION), ("sr-image",)),
    ):
        (tmp_path / name).mkdir()
        paths = export_result(one.result, headers=one.headers, folder=tmp_path / name, formats=formats)
        for path in paths:
            assert cited(dcmread(path)) <= own and cited(dcmread(path)), path.name
            assert dciodvfy_errors(path) == [], path.name
        reports = [path for path in paths if "sr" in path.name.split("-")[0]]
        (series,) = read_own(reports).result.sources
        assert set(series.instances[0].chosen) == own, name


def test_a_saved_result_still_knows_its_frames(tmp_path: Path) -> None:
    source = stack(two_stacks(tmp_path / "images", "echo"), 2)
    analysed(source).save(tmp_path / "result")
    save_headers(source.headers, tmp_path / "headers")
    result, headers = AnalysisResult.load(tmp_path / "result"), load_headers(tmp_path / "headers")
    (path,) = export_result(result, headers=headers, folder=tmp_path, formats=("seg",))
    assert cited(dcmread(path)) <= {frame for _, frame in source.slices}


def test_where_a_result_does_not_say_which_frames_it_is_refused_by_name(tmp_path: Path) -> None:
    source = stack(two_stacks(tmp_path / "images", "echo"), 2)
    result = analysed(source)
    silent = [
        dataclasses.replace(one, instances=tuple(dataclasses.replace(part, chosen=()) for part in one.instances))
        for one in result.sources
    ]
    with pytest.raises(FormatError, match="several images of the source lie at slice 1") as caught:
        export_result(
            dataclasses.replace(result, sources=tuple(silent)),
            headers=source.headers,
            folder=tmp_path,
            formats=("seg",),
        )
    assert caught.value.attribute == "ReferencedFrameNumber"


def of_frames(result: AnalysisResult, headers: tuple[Dataset, ...], *numbers: int) -> AnalysisResult:
    """``result`` of the frames ``numbers`` of each image."""
    images = tuple(
        InstanceRef(sop_class_uid=str(one.SOPClassUID), sop_instance_uid=str(one.SOPInstanceUID), chosen=numbers)
        for one in headers
    )
    return dataclasses.replace(result, sources=(dataclasses.replace(result.sources[0], instances=images),))


def test_images_of_one_frame_that_are_cited_by_the_number_1_are_still_the_source(tmp_path: Path) -> None:
    case = a_case()
    result = of_frames(case.result, case.headers, 1)
    (path,) = export_result(result, headers=case.headers, folder=tmp_path, formats=("seg",))
    images = {str(one.SOPInstanceUID) for one in case.headers}
    (series,) = dcmread(path).ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence} <= images


@pytest.mark.parametrize("kind", ["seg", "sr-regions"])
def test_frames_that_the_source_does_not_have_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SeriesSpec(enhanced=True))
    case = detected(case, BOX) if kind == "sr-regions" else case
    with pytest.raises(FormatError, match="none of the frames that the result is of") as caught:
        export_result(of_frames(case.result, case.headers, 99), headers=case.headers, folder=tmp_path, formats=(kind,))
    assert caught.value.attribute == "ReferencedFrameNumber"


def report_of(*cited: tuple[int, ...]) -> Dataset:
    """A report whose library cites one image as often as there are ``cited`` frames of it."""
    entries = []
    for frames in cited:
        entry, image = Dataset(), Dataset()
        image.ReferencedSOPInstanceUID, image.ReferencedFrameNumber = "2.25.1", list(frames)
        entry.ReferencedSOPSequence = [image]
        entries.append(entry)
    report = Dataset()
    report.ContentSequence = [content("111028", *entries)]
    return report


def content(code: str, *children: Dataset, text: str = "") -> Dataset:
    """A content item of a report with a name of DCM."""
    name, made = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, "DCM", "Any"
    made.ConceptNameCodeSequence, made.ContentSequence, made.TextValue = [name], list(children), text
    return made


@pytest.mark.parametrize(
    ("reports", "wanted", "torn"),
    [
        ([report_of((1,), (5,), (12,))], (1, 5, 12), False),
        ([report_of((1, 2), (2, 3))], (1, 2, 3), False),
        ([report_of((5,)), report_of((5,))], (5,), False),
        ([report_of((5,)), report_of((1, 2, 3))], (1, 2, 3, 5), True),
        ([report_of((1, 2, 3)), report_of((5,))], (1, 2, 3, 5), True),
    ],
)
def test_all_frames_that_reports_name_of_an_image_count_and_a_conflict_is_told(
    reports: list[Dataset], wanted: tuple[int, ...], torn: bool
) -> None:
    image = InstanceRef(sop_class_uid="1.2", sop_instance_uid="2.25.1")
    (found,) = with_frames([SeriesRef(series_uid="1.3", instances=(image,))], reports)
    assert found.instances[0].chosen == wanted
    assert [text[:9] for text in told_apart(reports)] == ["1 images "] * torn


@pytest.mark.parametrize(
    ("maker", "said", "wanted"),
    [
        (MANUFACTURER, "heart Left ventricle 1 over time", (1,)),
        (MANUFACTURER, "heart Left ventricle 1", (1, 2, 3)),
        ("Others", "Left ventricle over time", (1, 2, 3)),
    ],
)
def test_frames_of_our_report_over_time_are_not_those_of_the_frame_that_is_shown(
    maker: str, said: str, wanted: tuple[int, ...]
) -> None:
    course = report_of((1, 2, 3))
    course.Manufacturer = maker
    course.ContentSequence.append(content("126010", content("125007", content("112039", text=said))))
    image = InstanceRef(sop_class_uid="1.2", sop_instance_uid="2.25.1")
    for reports in ([report_of((1,)), course], [course, report_of((1,))]):
        (found,) = with_frames([SeriesRef(series_uid="1.3", instances=(image,))], reports)
        assert found.instances[0].chosen == wanted
        assert bool(told_apart(reports)) == (len(wanted) > 1)


def test_reports_of_two_stacks_that_are_read_together_say_so(tmp_path: Path) -> None:
    file = two_stacks(tmp_path / "images", "echo")
    paths = []
    for number in (1, 2):
        source = stack(file, number)
        (tmp_path / str(number)).mkdir()
        made = export_result(
            analysed(source), headers=source.headers, folder=tmp_path / str(number), formats=("seg", "sr")
        )
        paths.append(made[-1])
    assert any("other frames in one report than in another" in text for text in read_own(paths).lost)
    assert not any("other frames" in text for text in read_own(paths[:1]).lost)


def test_an_object_of_one_stack_alone_names_no_frames_in_its_library(tmp_path: Path) -> None:
    source = open_source(a_series(GRIDS["axial"], tmp_path / "images", SeriesSpec(enhanced=True)))
    assert [one.chosen for one in source.study.series[0].instances] == [()]
    _, path = export_result(analysed(source), headers=source.headers, folder=tmp_path, formats=("seg", "sr"))
    assert not any("ReferencedFrameNumber" in one.get("ReferencedSOPSequence", [{}])[0] for one in walk(dcmread(path)))
