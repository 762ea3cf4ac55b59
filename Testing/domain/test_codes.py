"""Units as people write them."""

from __future__ import annotations

import pytest

from slicermedai.domain.codes import written


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        ("mm", "mm"), ("mm2", "mm²"), ("mm3", "mm³"), ("m2", "m²"), ("um2/s", "um²/s"), ("ml", "ml"), ("1", ""),
        ("[hnsf'U]", "HU"), ("g/ml{SUVbw}", "g/ml SUVbw"), ("%", "%"), ("10*3", "10*3"), ("m24", "m24"),
    ],
)  # fmt: skip
def test_powers_are_raised_and_annotations_stand_without_braces(unit: str, told: str) -> None:
    assert written(unit) == told
