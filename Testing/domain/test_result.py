"""A result is saved and loaded without loss, and what must not be made cannot be made."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
import re
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slicermedai import (
    AnalysisResult,
    Code,
    Confidence,
    Finding,
    Geometry,
    Identity,
    Label,
    LabelMap,
    Measurement,
    domain,
)
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import ANATOMY, BRAIN, MILLILITER, VOLUME
from slicermedai.domain.finding import Box, ConfidenceState, Interval, Mask, PackedMask, Point
from slicermedai.domain.provenance import Provenance, Step
from slicermedai.domain.result import Decision, Deidentification, Map, Quality, Review, Status
from slicermedai.domain.seal import CHECKSUMS
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.domain.volume import Volume
from slicermedai.domain.words import Words
from slicermedai.errors import (
    BundleError,
    CodeError,
    GeometryError,
    InputError,
    MedAIError,
    ResultExistsError,
    UnreadableFileError,
    UnsupportedImageError,
)
from Testing.domain.strategies import geometries

ONE = Geometry.from_axes((1, 1, 1))
BRAIN_LABEL = Label(name="Brain", category=ANATOMY, type=BRAIN)


def a_result(geometry: Geometry, *, value: float = 1.5, text: str = "Größe 大") -> AnalysisResult:
    """A result that uses every type of the domain."""
    array = np.zeros(geometry.shape, np.uint8)
    array.flat[::2] = 1
    shared = LabelMap(array=array, geometry=geometry)
    regions = (
        Mask(label_map=shared, value=1),
        Mask(label_map=shared, value=2),
        PackedMask.from_array(array > 0, geometry),
    )
    regions += (Box(low=(0, 0, 0), high=(1, 2, 3)), Point(position=(1, 2, 3)), None)
    confidence = Confidence(
        state=ConfidenceState.CALIBRATED,
        probability=0.5,
        raw_score=value,
        calibration="platt",
        interval=Interval(low=0, high=1),
    )
    findings = tuple(
        Finding(
            tracking_uid=f"2.25.{n}",
            label=BRAIN_LABEL,
            region=region,
            measurements=(
                Measurement(name=VOLUME, value=value, unit=MILLILITER, interval=Interval(low=-math.inf, high=math.inf)),
            ),
            confidence=confidence,
        )
        for n, region in enumerate(regions)
    )
    return AnalysisResult(
        status=Status.COMPLETE,
        study=Study(study_uid="1.2", patient_id="P", patient_name=text, identity=Identity.DEIDENTIFY),
        volume_geometry=geometry,
        provenance=Provenance(
            bundle="b", bundle_version="1", weights_sha256="00", steps=(Step(name="s", seconds=value),)
        ),
        findings=findings,
        maps=(Map(name="p", quantity=VOLUME, unit=MILLILITER, array=array.astype(np.float32), geometry=geometry),),
        quality=(Quality(tracking_uid="2.25.0", reason=text),),
        reviews=(Review(tracking_uid="2.25.0", person=text, decision=Decision.EDITED, region=regions[2]),),
        sources=(SeriesRef(series_uid="1.2.3", instances=(InstanceRef(sop_class_uid="1", sop_instance_uid="2"),)),),
        deidentification=Deidentification(method="m", codes=(BRAIN,), done=(text,)),
        message=text,
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometry=geometries(), value=st.floats(allow_nan=True, allow_infinity=True), text=st.text())
def test_a_saved_result_comes_back_whole(
    tmp_path_factory: pytest.TempPathFactory, geometry: Geometry, value: float, text: str
) -> None:
    text = text.encode("utf-8", "ignore").decode()
    folder = tmp_path_factory.mktemp("result")
    a_result(geometry, value=value, text=text).save(folder / "first")
    loaded = AnalysisResult.load(folder / "first")
    loaded.save(folder / "second")
    assert files_of(folder / "first") == files_of(folder / "second")
    assert loaded.study.patient_name == text
    assert loaded.volume_geometry == geometry
    assert loaded.findings[0].measurements[0].value == value or math.isnan(value)
    np.testing.assert_array_equal(loaded.findings[2].region.to_array(), loaded.findings[0].region.to_array())


def test_what_a_measurement_says_beside_its_number_comes_back(tmp_path: Path) -> None:
    ends = ((0.1, -2.0, 1e-9), (4.0, 5.5, 6.0))
    told = (
        Measurement(name=VOLUME, value=3.5, unit=MILLILITER, derivation=BRAIN, points=ends),
        Measurement(name=VOLUME, value=math.nan, unit=MILLILITER, missing="the region has no voxels"),
    )
    result = a_result(Geometry.from_axes((3, 4, 5)))
    finding = replace(result.findings[0], measurements=told)
    loaded = AnalysisResult.load(replace(result, findings=(finding,)).save(tmp_path / "r"))
    first, second = loaded.findings[0].measurements
    assert first == told[0]
    assert (math.isnan(second.value), second.missing) == (True, told[1].missing)
    with pytest.raises(InputError, match="has no number"):
        Measurement(name=VOLUME, value=3.5, unit=MILLILITER, missing="no voxels")


def test_a_measurement_saved_before_it_could_say_so_much_is_read(tmp_path: Path) -> None:
    saved = a_result(Geometry.from_axes((3, 4, 5)), value=2.5).save(tmp_path / "r") / "result.json"
    lines = saved.read_text(encoding="utf-8").splitlines()
    body = json.loads("\n".join(lines))
    older = body["value"]["findings"][0]["measurements"][0]
    for name in ("derivation", "points", "missing"):
        del older[name]
    (tmp_path / "r" / CHECKSUMS).unlink()
    saved.write_text(json.dumps(body), encoding="utf-8")
    (back,) = AnalysisResult.load(tmp_path / "r").findings[0].measurements
    assert (back.value, back.derivation, back.points, back.missing) == (2.5, None, (), "")


def test_findings_that_share_a_label_map_share_it_again(tmp_path: Path) -> None:
    geometry = Geometry.from_axes((3, 4, 5))
    loaded = AnalysisResult.load(a_result(geometry).save(tmp_path / "r"))
    assert loaded.findings[0].region.label_map is loaded.findings[1].region.label_map


def test_the_same_result_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    geometry = Geometry.from_axes((3, 4, 5))
    for name in ("one", "two"):
        a_result(geometry).save(tmp_path / name)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_result_is_never_overwritten(tmp_path: Path) -> None:
    result = a_result(Geometry.from_axes((3, 4, 5)))
    result.save(tmp_path / "r")
    before = files_of(tmp_path / "r")
    with pytest.raises(ResultExistsError, match="not overwritten"):
        replace(result, message="other").save(tmp_path / "r")
    assert files_of(tmp_path / "r") == before


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _newer(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace('"schema": 1', '"schema": 99'), encoding="utf-8")


def _unknown_type(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace('"Provenance"', '"os.system"'), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("result.json", _truncate),
        ("arrays.npz", _truncate),
        ("result.json", _newer),
        ("result.json", _unknown_type),
        ("result.json", Path.unlink),
        ("arrays.npz", Path.unlink),
    ],
)
def test_a_damaged_result_is_named(tmp_path: Path, file: str, damage: object) -> None:
    a_result(Geometry.from_axes((3, 4, 5))).save(tmp_path / "r")
    (tmp_path / "r" / CHECKSUMS).unlink()
    damage(tmp_path / "r" / file)  # type: ignore[operator]
    with pytest.raises(UnreadableFileError, match=r"result\.json"):
        AnalysisResult.load(tmp_path / "r")


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    a_result(Geometry.from_axes((3, 4, 5))).save(tmp_path / "r")
    objects = np.array([{"a": 1}], dtype=object)
    names = [f"a{n}" for n in range(9)]
    (tmp_path / "r" / CHECKSUMS).unlink()
    np.savez(tmp_path / "r" / "arrays.npz", allow_pickle=True, **dict.fromkeys(names, objects))
    with pytest.raises(UnreadableFileError):
        AnalysisResult.load(tmp_path / "r")


def test_the_json_is_plain_json(tmp_path: Path) -> None:
    a_result(Geometry.from_axes((3, 4, 5)), value=math.nan).save(tmp_path / "r")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    json.loads((tmp_path / "r" / "result.json").read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("part", ["value", "scheme", "meaning"])
def test_a_code_needs_all_its_parts(part: str) -> None:
    parts = {"value": "1", "scheme": "DCM", "meaning": "m", part: " "}
    with pytest.raises(CodeError, match=part):
        Code(**parts)


def test_codes_are_equal_by_value_and_scheme() -> None:
    assert Code(value="1", scheme="DCM", meaning="one") == Code(value="1", scheme="DCM", meaning="uno")
    assert Code(value="1", scheme="DCM", meaning="one") != Code(value="1", scheme="SCT", meaning="one")


def test_a_label_without_a_code_cannot_be_made() -> None:
    with pytest.raises(CodeError, match="type"):
        Label(name="Brain", category=ANATOMY, type=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Label(name="Brain")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "values",
    [
        {"probability": 0.5},
        {"state": ConfidenceState.CALIBRATED, "probability": 0.5},
        {"state": ConfidenceState.CALIBRATED, "calibration": "platt"},
        {"state": ConfidenceState.NOT_CALIBRATED, "raw_score": 0.9, "calibration": "platt"},
    ],
)
def test_a_probability_needs_a_calibration(values: dict) -> None:
    with pytest.raises(InputError, match="calibration"):
        Confidence(**values)


def test_a_volume_with_nan_is_refused_by_name() -> None:
    array = np.zeros((2, 2, 2), np.float32)
    array[0, 0, 0] = np.nan
    with pytest.raises(UnsupportedImageError, match=r"head\.nrrd.*PixelData.*NaN"):
        Volume(array=array, geometry=Geometry.from_axes((2, 2, 2)), name="head.nrrd")


def test_a_volume_of_another_shape_or_kind_is_refused() -> None:
    geometry = Geometry.from_axes((2, 2, 2))
    with pytest.raises(GeometryError, match="shape"):
        Volume(array=np.zeros((2, 2, 3)), geometry=geometry)
    with pytest.raises(UnsupportedImageError, match="no scalars"):
        Volume(array=np.zeros((2, 2, 2), complex), geometry=geometry)


def test_voxels_of_a_volume_cannot_be_changed() -> None:
    volume = Volume(array=np.zeros((2, 2, 2)), geometry=Geometry.from_axes((2, 2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 1


@given(st.data())
def test_a_packed_mask_is_the_mask(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 6)] * 3))
    bits = data.draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    array = np.array(bits).reshape(shape)
    packed = PackedMask.from_array(array, Geometry.from_axes(shape))
    np.testing.assert_array_equal(packed.to_array(), array)
    np.testing.assert_array_equal([packed.plane(index) for index in range(shape[0])], array)


def test_a_bundle_with_doubled_or_zero_labels_is_refused() -> None:
    parts = {"name": "b", "version": "1", "path": "p", "task": "segmentation", "modality": (), "weights": "w"}
    for values in ((0,), (1, 1)):
        with pytest.raises(BundleError, match="labels"):
            BundleRef(**parts, weights_sha256="0", labels=tuple((v, BRAIN_LABEL) for v in values))


def test_a_box_inside_out_is_refused() -> None:
    with pytest.raises(InputError, match="low"):
        Box(low=(1, 0, 0), high=(0, 1, 1))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Interval(low=5, high=1), "low"),
        (lambda: Interval(low=math.nan, high=1), "low"),
        (lambda: Interval(low=0, high=1, level=7), "level"),
        (lambda: Confidence(state=ConfidenceState.CALIBRATED, probability=17, calibration="platt"), "probability"),
        (lambda: Mask(label_map=LabelMap(array=np.zeros((1, 1, 1), np.uint8), geometry=ONE), value=0), "value"),
        (lambda: Mask(label_map=LabelMap(array=np.zeros((1, 1, 1), np.uint8), geometry=ONE), value=256), "value"),
        (lambda: PackedMask(bits=np.zeros(9, np.uint8), start=(0, 0, 0), stop=(1, 1, 1), geometry=ONE), "start"),
        (lambda: PackedMask(bits=np.zeros(1, np.uint8), start=(0, 0, 0), stop=(1, 1, 2), geometry=ONE), "start"),
    ],
)
def test_values_that_cannot_be_are_refused(make: Callable[[], object], named: str) -> None:
    with pytest.raises(MedAIError, match=named):
        make()


def warned(count: int, status: Status = Status.COMPLETE) -> AnalysisResult:
    result = a_result(Geometry.from_axes((3, 4, 5)))
    made = replace(result.provenance, warnings=tuple(f"warning {n}" for n in range(count)), remark="a remark")
    return replace(result, status=status, provenance=made)


@pytest.mark.parametrize(
    ("count", "status", "outcome"),
    [
        (0, Status.COMPLETE, "complete"),
        (1, Status.COMPLETE, "complete, with a warning: read it first"),
        (2, Status.NO_FINDING, "no finding, with 2 warnings: read them first"),
    ],
)
def test_a_result_with_warnings_is_never_merely_complete(
    tmp_path: Path, count: int, status: Status, outcome: str
) -> None:
    loaded = AnalysisResult.load(warned(count, status).save(tmp_path / "r"))
    assert (loaded.outcome, loaded.needs_a_look, loaded.provenance.remark) == (outcome, count > 0, "a remark")


def test_a_result_of_an_older_version_is_read(tmp_path: Path) -> None:
    """Fields that came later are missing in it."""
    warned(1).save(tmp_path / "r")
    (tmp_path / "r" / CHECKSUMS).unlink()
    path = tmp_path / "r" / "result.json"
    lines = path.read_text(encoding="utf-8").splitlines()
    newer = [line for line in lines if line.strip().startswith(('"remark"', '"definition"', '"input"'))]
    assert len(newer) >= 3
    kept = "\n".join(line for line in lines if line not in newer)
    path.write_text(re.sub(r",(\s*[}\]])", r"\1", kept), encoding="utf-8")
    assert AnalysisResult.load(tmp_path / "r").needs_a_look


@pytest.mark.parametrize("kind", [Status, Decision, ConfidenceState, Identity])
def test_a_state_is_shown_in_its_plain_words(kind: type[Words]) -> None:
    for state in kind:
        assert (str(state), f"{state}", repr(state)) == (state.value, state.value, repr(state.value))
    assert str(ConfidenceState.NOT_CALIBRATED) == "not calibrated"


def test_no_state_of_the_domain_is_an_enumeration_of_another_kind() -> None:
    modules = [importlib.import_module(f"slicermedai.domain.{m.name}") for m in pkgutil.iter_modules(domain.__path__)]
    states = {v for m in modules for v in vars(m).values() if isinstance(v, type) and issubclass(v, Enum)}
    assert [s for s in states if s.__module__.startswith("slicermedai.") and not issubclass(s, Words)] == []


def test_what_is_shown_of_a_result_is_short_and_names_nobody() -> None:
    result = a_result(Geometry.from_axes((30, 40, 50)), text="Thornbury")
    region = result.findings[0].region
    volume = Volume(array=np.zeros((30, 40, 50)), geometry=result.volume_geometry, name="Thornbury", modality="MR")
    for value in (result, region, result.findings[2].region, result.maps[0], volume):
        assert len(repr(value)) < 600
        assert "array(" not in repr(value)
        assert "Thornbury" not in repr(value)
    assert "30 x 40 x 50 voxels of 1 x 1 x 1 mm" in repr(volume)
    assert "Brain (calibrated)" in repr(result)
    assert repr(result).startswith("AnalysisResult('complete'")


def _other_number(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace('"value": 1954.1', '"value": 954.1'), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "change"),
    [("result.json", _other_number), ("result.json", _truncate), ("arrays.npz", _truncate), (CHECKSUMS, _truncate)],
)
def test_a_result_that_was_changed_after_saving_is_refused_by_the_name_of_the_file(
    tmp_path: Path, file: str, change: Callable[[Path], None]
) -> None:
    a_result(Geometry.from_axes((3, 4, 5)), value=1954.1).save(tmp_path / "r")
    assert AnalysisResult.load(tmp_path / "r").findings[0].measurements[0].value == 1954.1
    before = (tmp_path / "r" / file).read_bytes()
    change(tmp_path / "r" / file)
    assert (tmp_path / "r" / file).read_bytes() != before
    with pytest.raises(UnreadableFileError) as caught:
        AnalysisResult.load(tmp_path / "r")
    assert caught.value.file == str(tmp_path / "r" / file)


def test_a_result_that_is_changed_by_a_program_and_saved_is_a_result(tmp_path: Path) -> None:
    a_result(Geometry.from_axes((3, 4, 5))).save(tmp_path / "r")
    replace(AnalysisResult.load(tmp_path / "r"), message="other").save(tmp_path / "s")
    assert AnalysisResult.load(tmp_path / "s").message == "other"
