"""What an image is in, where no bundle says what its network was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.bundles.manifest import read_manifest
from slicermedai.domain.codes import NO_UNITS, Code, ucum
from slicermedai.inference.fitness import check_image
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import change_json


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (ucum("Bq/ml", "Becquerels/milliliter"), "are in Bq/ml, and"),
        (NO_UNITS, "in a unit that is not known, and"),
        (ucum("g/ml", "Grams/milliliter"), ""),
    ],
)
def test_pet_that_is_no_suv_is_given_as_it_is_and_that_is_said(tiny: Path, unit: Code, words: str) -> None:
    change_json(tiny / "medai.json", modality=["PT", "MR"])
    image, _ = body_on(covering(spacing=(2.5, 2.5, 2.5), extent=(110.0, 140.0, 130.0)))
    said = " ".join(check_image(read_manifest(tiny), replace(image, modality="PT", unit=unit)))
    assert (words in said) if words else (said == "")
    assert check_image(read_manifest(tiny), replace(image, modality="MR", unit=unit)) == []
