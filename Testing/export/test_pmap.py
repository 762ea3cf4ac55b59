"""A map written as DICOM comes back with its values, where they lay, for us and for others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.maps import DISAGREEMENT
from slicermedai.domain.result import Map
from slicermedai.errors import FormatError, UnreadableFileError
from slicermedai.export.codes import PROBABILITY
from slicermedai.export.pmap_read import read
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, SPECS, Case, a_case
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, paramap2itkimage

SALIENCY = Code(value="130404", scheme="DCM", meaning="Saliency")
ENTROPY = Code(value="130402", scheme="DCM", meaning="Class activation")


def a_map(case: Case, *, quantity: Code = SALIENCY, calibration: str = "none", name: str = "Saliency of Brain") -> Map:
    """Every voxel has a number of its own, negative ones among them."""
    shape = case.geometry.shape
    array = (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / np.float32(7) - 100).astype(np.float32)
    return Map(
        name=name, quantity=quantity, unit=NO_UNITS, array=array, geometry=case.geometry, calibration=calibration
    )


def with_maps(case: Case, *maps: Map) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, maps=maps))


def exported(case: Case, folder: Path) -> list[Path]:
    return export_result(case.result, headers=case.headers, folder=folder, formats=("pmap",))


@pytest.mark.parametrize("name", GRIDS)
def test_a_map_comes_back_value_for_value_from_every_orientation(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    one = a_map(case)
    (path,) = exported(with_maps(case, one), tmp_path)
    found = read(path)
    assert np.array_equal(found.map.array, one.array)
    assert np.abs(found.map.geometry.affine - case.geometry.affine).max() < 1e-6
    assert found.map.geometry.frame_of_reference_uid == case.geometry.frame_of_reference_uid
    assert (found.map.name, found.map.quantity, found.map.unit) == (one.name, one.quantity, one.unit)
    assert (found.algorithm_name, found.algorithm_version, found.map.calibration) == ("brain", "1.2.0", "none")
    assert dciodvfy_errors(path) == []


@pytest.mark.parametrize("kind", SPECS)
def test_a_map_of_every_kind_of_source_is_valid(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    (path,) = exported(with_maps(case, a_map(case)), tmp_path)
    sources = [tmp_path / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, file in zip(case.headers, sources, strict=True):
        header.save_as(file)
    assert dciodvfy_errors(path) == []
    assert dcentvfy_errors([path, *sources]) == []


@pytest.mark.parametrize("name", ["oblique and anisotropic", "flipped everywhere", "one slice"])
def test_dcmqi_sees_the_same_values_in_the_same_places(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    one = a_map(case)
    (path,) = exported(with_maps(case, one), tmp_path)
    image, said = paramap2itkimage(path, tmp_path)
    index = np.argwhere(np.ones(one.array.shape, bool))[::7]
    for place, value in zip(case.geometry.to_lps(index), one.array[tuple(index.T)], strict=True):
        assert image[image.TransformPhysicalPointToIndex([float(v) for v in place])] == value
    assert said["QuantityValueCode"]["CodeValue"] == SALIENCY.value
    assert said["MeasurementUnitsCode"]["CodeValue"] == "1"


@pytest.mark.parametrize("name", ["axial", "flipped everywhere", "oblique"])
def test_highdicom_places_the_values_that_pydicom_reads(name: str, tmp_path: Path) -> None:
    case = a_case(GRIDS[name])
    one = a_map(case)
    (path,) = exported(with_maps(case, one), tmp_path)
    geometry = highdicom.imread(path).get_volume_geometry()
    values = dcmread(path).pixel_array
    if not case.geometry.is_right_handed:
        values = values[::-1]  # frames follow the normal of their planes
    found = highdicom.Volume(values, case.geometry.affine, "PATIENT").match_geometry(geometry)
    matched = found.match_geometry(highdicom.Volume(one.array, case.geometry.affine, "PATIENT"))
    assert np.array_equal(matched.array, one.array)


def test_each_map_is_an_object_of_its_own_in_one_series(tmp_path: Path) -> None:
    case = a_case()
    maps = (a_map(case), a_map(case, name="Uncertainty", quantity=ENTROPY))
    paths = exported(with_maps(case, *maps), tmp_path)
    found = [read(path) for path in paths]
    assert [one.map.name for one in found] == ["Saliency of Brain", "Uncertainty"]
    assert len({one.sop_instance_uid for one in found}) == 2 and len({one.series_uid for one in found}) == 1
    assert [dcmread(path).InstanceNumber for path in paths] == [1, 2]


OTHER = Code(value="entropy", scheme="99TEST", meaning="Entropy")


@pytest.mark.parametrize(("quantity", "ends"), [(DISAGREEMENT, (0.25, 0.5)), (SALIENCY, (0.5, 1)), (OTHER, (0.1, 0.2))])
def test_a_map_opens_on_the_scale_of_its_kind(quantity: Code, ends: tuple[float, float], tmp_path: Path) -> None:
    case = a_case()
    array = np.zeros(case.geometry.shape, dtype=np.float32)
    array[0, 0, 0] = 0.2
    one = dataclasses.replace(a_map(case, quantity=quantity), array=array)
    (path,) = exported(with_maps(case, one), tmp_path)
    window = dcmread(path).SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    assert (window.WindowCenter, window.WindowWidth) == pytest.approx(ends)


def test_a_map_says_which_images_it_was_made_of_and_by_what(tmp_path: Path) -> None:
    case = a_case()
    (path,) = exported(with_maps(case, a_map(case)), tmp_path)
    dataset = dcmread(path)
    groups = dataset.PerFrameFunctionalGroupsSequence
    cited = [g.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID for g in groups]
    assert cited == [header.SOPInstanceUID for header in case.headers]
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    told = [one.get("TextValue", "") for one in mapping.QuantityDefinitionSequence]
    assert {"brain", "1.2.0", f"weights sha256: {'5e' * 32}", "calibration: none"} <= set(told)


def test_a_result_without_maps_gives_no_file(tmp_path: Path) -> None:
    assert exported(a_case(), tmp_path) == []


def test_a_raw_score_is_never_called_a_probability(tmp_path: Path) -> None:
    case = a_case()
    with pytest.raises(FormatError, match="quantity"):
        exported(with_maps(case, a_map(case, quantity=PROBABILITY)), tmp_path)
    (path,) = exported(with_maps(case, a_map(case, quantity=PROBABILITY, calibration="site A, 2026")), tmp_path)
    assert read(path).map.calibration == "site A, 2026"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_map_that_floats_cannot_hold_is_refused_by_name(value: float, tmp_path: Path) -> None:
    case = a_case()
    one = a_map(case)
    array = one.array.astype(np.float64)
    array[0, 0, 0] = value
    with pytest.raises(FormatError, match="Saliency of Brain"):
        exported(with_maps(case, dataclasses.replace(one, array=array)), tmp_path)


def test_a_map_on_another_grid_than_its_source_is_refused_by_attribute(tmp_path: Path) -> None:
    case = a_case()
    geometry = case.geometry.resized((3, 4, 5))
    one = dataclasses.replace(a_map(case), array=np.ones(geometry.shape, np.float32), geometry=geometry)
    with pytest.raises(FormatError, match="Rows, Columns"):
        exported(with_maps(case, one), tmp_path)


def test_what_is_no_map_is_refused_by_the_reader(tmp_path: Path) -> None:
    case = a_case()
    (seg,) = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg",))
    with pytest.raises(FormatError, match="SOPClassUID"):
        read(seg)
    other = tmp_path / "other.dcm"
    other.write_bytes(b"no DICOM at all")
    with pytest.raises(UnreadableFileError):
        read(other)
