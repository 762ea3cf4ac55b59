"""What the image shows is held against what the model is for, before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.body_parts import apart, regions_of_labels, regions_of_term
from slicermedai.bundles.coding import code_label
from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.domain.codes import Label
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, InputError, UnsupportedImageError
from slicermedai.inference.anatomy import check_body_part
from slicermedai.inference.task import RunSettings, predict
from Testing.inference.tiny_bundle import change_json


@pytest.mark.parametrize(
    ("term", "regions"),
    [
        ("CHEST", {"chest"}),
        ("Thorax", {"chest"}),
        ("LUMBAR SPINE", {"abdomen"}),
        ("CHEST^ABDOMEN", {"chest", "abdomen"}),
        ("Chest, Abdomen and Pelvis", {"chest", "abdomen", "pelvis"}),
        ("HEAD/NECK W/O", {"head", "neck"}),
        ("Kidneys", {"abdomen"}),
        ("WHOLE BODY", {"head", "neck", "chest", "abdomen", "pelvis", "leg", "arm"}),
        ("left knee", {"leg"}),
        ("PROTOCOL 7", set()),
        ("CHEST SMITH", set()),
        ("", set()),
    ],
)
def test_terms_are_read_as_dicom_and_as_people_write_them(term: str, regions: set[str]) -> None:
    assert regions_of_term(term) == regions


def test_regions_that_meet_lie_nowhere_apart_and_others_by_steps() -> None:
    chest, abdomen, head, arm = (regions_of_term(term) for term in ("CHEST", "ABDOMEN", "HEAD", "HAND"))
    assert (apart(chest, chest | head), apart(chest, abdomen), apart(head, abdomen), apart(arm, head)) == (0, 1, 3, 3)
    assert apart(regions_of_term("HEAD"), regions_of_term("FOOT")) == 5


def label(name: str) -> Label:
    found = code_label(name, 1)
    assert found is not None
    return found


def test_every_structure_of_the_table_is_one_of_dicoms() -> None:
    assert regions_of_labels([label("spleen"), label("kidney_left")]) == {"abdomen"}
    assert regions_of_labels([label("lung_upper_lobe_left")]) == {"chest"}


@pytest.fixture
def manifest(tiny: Path) -> Manifest:
    change_json(tiny / "medai.json", body_parts=["ABDOMEN"])
    return read_manifest(tiny)


def image(**stated: str) -> Volume:
    values = np.zeros((8, 8, 8), dtype=np.float32)
    values[2:6, 2:6, 2:6] = 1
    geometry = Geometry.from_axes(values.shape, spacing=(10.0, 10.0, 10.0))
    return Volume(array=values, geometry=geometry, modality="MR", acquisition=tuple(stated.items()))


def test_an_image_of_that_part_passes_without_a_word(manifest: Manifest) -> None:
    found = check_body_part(manifest, image(BodyPartExamined="CHESTABDOMEN"))
    assert (found.warnings, found.unchecked) == ((), ())


def test_a_part_beside_it_is_warned_of(manifest: Manifest) -> None:
    found = check_body_part(manifest, image(BodyPartExamined="PELVIS"))
    assert found.warnings == (
        "this image shows the pelvis, and tiny@0.1 is made for the abdomen: is it the right series?",
    )


def test_a_part_farther_away_is_refused_and_a_persons_word_overrides_the_header(tiny: Path, manifest: Manifest) -> None:
    head = image(BodyPartExamined="HEAD")
    with pytest.raises(UnsupportedImageError, match=r"BodyPartExamined: tiny@0\.1 is made for the abdomen.*the head"):
        predict(resolve(str(tiny)), head)
    made = predict(resolve(str(tiny)), head, settings=RunSettings(device="cpu", body_part="abdomen"))
    assert made.label_map.array.any()
    assert not any("Body part" in line for line in made.unchecked)
    made = predict(resolve(str(tiny)), head, settings=RunSettings(device="cpu", body_part="any"))
    assert "Body part: not checked, as asked." in made.unchecked
    with pytest.raises(InputError, match="body_part: is no part of the body"):
        check_body_part(manifest, head, "attic")


def test_the_coded_region_comes_before_the_free_term(manifest: Manifest) -> None:
    stated = image(AnatomicRegion="Abdomen and Pelvis", BodyPartExamined="HEAD")
    assert check_body_part(manifest, stated).warnings == ()


def test_silence_is_reported_as_not_checked(manifest: Manifest) -> None:
    assert check_body_part(manifest, image()).unchecked == ("Body part: not checked, the image does not say.",)
    unsaid = replace(manifest, body_parts=())
    found = check_body_part(unsaid, image(BodyPartExamined="HEAD"))
    assert found.unchecked == ("Body part: not checked, tiny@0.1 does not say what it is made for.",)


def test_a_model_that_does_not_say_it_is_known_by_its_labels(manifest: Manifest) -> None:
    ref = replace(manifest.ref, labels=((1, label("prostate")),))
    with pytest.raises(UnsupportedImageError, match="made for the pelvis, and this image shows the head"):
        check_body_part(replace(manifest, ref=ref, body_parts=()), image(BodyPartExamined="BRAIN"))


def test_a_bundle_that_names_an_unknown_part_is_refused(tiny: Path) -> None:
    change_json(tiny / "medai.json", body_parts=["ATTIC"])
    with pytest.raises(BundleError, match="body_parts"):
        read_manifest(tiny)
