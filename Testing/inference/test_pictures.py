"""A classifier of flat pictures gives one answer for one picture, however that is stored, and names its side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, InputError, UnsupportedImageError
from slicermedai.inference.task import RunSettings, predict
from Testing.fixtures.flat_writer import TOP, FlatSpec, chest, retina, write_flat
from Testing.inference.flat_bundle import write_colour_bundle, write_flat_bundle
from Testing.inference.tiny_bundle import INSIDE, change_json

CURVE = tuple(int(v) for v in np.rint(255 * np.clip(np.arange(TOP + 1) / TOP * 1.3 - 0.3, 0, 1)))


def picture(folder: Path, pixels: np.ndarray | None = None, **spec: Any) -> Volume:
    write_flat(chest() if pixels is None else pixels, folder, spec=FlatSpec(**spec))
    return open_source(folder).volume


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"window": (2600.0, 2200.0)},
        {"window": (2600.0, 2200.0), "function": "SIGMOID"},
        {"window": None, "table": (CURVE, 8)},
        {"slope": 0.25, "intercept": -50.0, "window": (2600.0, 2200.0), "function": "LINEAR_EXACT"},
    ],
    ids=["whole range", "window", "sigmoid", "table", "rescaled"],
)
def test_answers_do_not_depend_on_the_polarity_in_which_a_picture_is_stored(
    shown: dict[str, Any], tmp_path: Path
) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    dark, white = (picture(tmp_path / str(low), white_is_low=low, **shown) for low in (False, True))
    first, second = predict(ref, dark), predict(ref, white)
    assert dict(first.scores) == pytest.approx(dict(second.scores), abs=1e-5)
    mean = dark.flat.display.mean() / 255
    expected = {k + 1 for k, limit in enumerate((0.3, 0.5, 0.9)) if mean > limit}
    assert {one.value for one in first.regions} == {one.value for one in second.regions} == expected != set()


def test_a_model_of_modality_values_gets_them_and_not_what_is_shown(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1", full=TOP, pixel_values="modality")
    for low in (False, True):
        seen = picture(tmp_path / str(low), white_is_low=low, window=(500.0, 100.0))  # shown, it is nearly white
        found = predict(ref, seen)
        assert {one.value for one in found.regions} == {1, 2}
    told = next(item.detail for item in found.compatibility.applied if item.rule == "pixel values")
    assert told == "of the modality, before VOI LUT and window: values as stored; turned: low values are stored white"


def test_what_was_done_to_the_greys_is_reported(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    found = predict(ref, picture(tmp_path / "dx", window=(2600.0, 2200.0)))
    assert "as they are shown, 0 (black) to 255 (white): values as stored; window 2600 / 2200 (LINEAR)" in (
        found.compatibility.in_words
    )


def test_a_model_that_does_not_say_what_it_takes_is_asked_for(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1", pixel_values="")
    seen = picture(tmp_path / "dx")
    with pytest.raises(InputError, match=r"pixel_values: .* does not say"):
        predict(ref, seen)
    assert predict(ref, seen, settings=RunSettings(pixel_values="display")).regions


def test_a_persons_word_against_the_models_is_refused(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    with pytest.raises(InputError, match="takes pixel values 'display'"):
        predict(ref, picture(tmp_path / "dx"), settings=RunSettings(pixel_values="modality"))


def test_an_unknown_kind_of_values_is_refused_where_it_is_written(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    change_json(Path(ref.path) / "medai.json", pixel_values="raw")
    with pytest.raises(BundleError, match="pixel_values: must be display or modality"):
        predict(ref, picture(tmp_path / "dx"))
    with pytest.raises(InputError, match="pixel_values"):
        RunSettings(pixel_values="raw")


def test_raw_detector_values_are_refused_for_a_model_of_pictures(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    raw = picture(tmp_path / "dx", more={"PresentationIntentType": "FOR PROCESSING"})
    with pytest.raises(UnsupportedImageError, match=r"PresentationIntentType: .*FOR PROCESSING"):
        predict(ref, raw)


def test_a_network_of_colours_sees_red_green_and_blue(tmp_path: Path) -> None:
    ref = write_colour_bundle(tmp_path / "eye@0.1")
    spec: dict[str, Any] = {"modality": "OP", "window": None, "towards": None}
    found = predict(ref, picture(tmp_path / "a", retina(), **spec))
    assert [one.value for one in found.regions] == [1, 2]
    assert "red, green and blue are the three channels" in found.compatibility.in_words
    turned = predict(ref, picture(tmp_path / "b", np.ascontiguousarray(retina()[..., ::-1]), **spec))
    assert [one.value for one in turned.regions] == [3]


def test_a_network_of_greys_sees_the_brightness_of_a_colour_picture(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1", modality=("OP",))
    eye = picture(tmp_path / "a", retina(), modality="OP", window=None, towards=None)
    found = predict(ref, eye)
    assert "the picture's brightness" in found.compatibility.in_words
    assert [one.value for one in found.regions] == ([1] if eye.array.mean() / 255 > 0.3 else [])


@pytest.mark.parametrize(("side", "code"), [("L", "7771000"), ("R", "24028007")])
def test_findings_carry_the_side_of_the_picture(side: str, code: str, tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    found = predict(ref, picture(tmp_path / "mg", modality="MG", side=side, view="MLO", towards=("A", "F")))
    assert {one.label.modifier.value for one in found.regions} == {code}


def test_a_label_of_the_other_side_stays_and_is_warned_of(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    right = {"value": "24028007", "scheme": "SCT", "meaning": "Right"}
    left = picture(tmp_path / "mg", modality="MG", side="L", view="CC", towards=("A", "R"))
    labels = [{**_label(value), "modifier": right} for value in (1, 2, 3)]
    change_json(Path(ref.path) / "medai.json", labels=labels)
    found = predict(resolve(ref.path, consent="the test"), left)
    assert {one.label.modifier.value for one in found.regions} == {"24028007"}
    assert any("another side" in line for line in found.warnings)


def _label(value: int) -> dict[str, Any]:
    return {**INSIDE, "value": value, "name": f"Sign {value}"}


def test_a_picture_without_a_side_has_findings_without_one(tmp_path: Path) -> None:
    ref = write_flat_bundle(tmp_path / "flat@0.1")
    assert {one.label.modifier for one in predict(ref, picture(tmp_path / "dx")).regions} == {None}
