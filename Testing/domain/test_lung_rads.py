"""Size suggests a Lung-RADS category only to a person who said what kind of nodule it is."""

from __future__ import annotations

import pytest

from slicermedai.domain.lung_rads import mean_diameter, suggest
from slicermedai.domain.nodule import NoduleChange, NoduleType
from slicermedai.errors import InputError

SOLID, PART, NON = NoduleType.SOLID, NoduleType.PART_SOLID, NoduleType.NON_SOLID
BASELINE, NEW, GROWING, STABLE = NoduleChange


@pytest.mark.parametrize(
    ("kind", "change", "diameter", "solid_part", "category"),
    [
        (SOLID, BASELINE, 5.9, None, "2"),
        (SOLID, BASELINE, 6.0, None, "3"),
        (SOLID, BASELINE, 7.9, None, "3"),
        (SOLID, BASELINE, 8.0, None, "4A"),
        (SOLID, BASELINE, 14.9, None, "4A"),
        (SOLID, BASELINE, 15.0, None, "4B"),
        (SOLID, NEW, 3.9, None, "2"),
        (SOLID, NEW, 4.0, None, "3"),
        (SOLID, NEW, 6.0, None, "4A"),
        (SOLID, NEW, 8.0, None, "4B"),
        (SOLID, GROWING, 7.9, None, "4A"),
        (SOLID, GROWING, 8.0, None, "4B"),
        (PART, BASELINE, 5.9, 5.0, "2"),
        (PART, BASELINE, 6.0, 5.9, "3"),
        (PART, BASELINE, 12.0, 6.0, "4A"),
        (PART, BASELINE, 12.0, 7.9, "4A"),
        (PART, BASELINE, 12.0, 8.0, "4B"),
        (PART, NEW, 6.0, 3.9, "4A"),
        (PART, NEW, 6.0, 4.0, "4B"),
        (PART, GROWING, 10.0, 3.9, "4A"),
        (PART, GROWING, 10.0, 4.0, "4B"),
        (NON, BASELINE, 29.9, None, "2"),
        (NON, BASELINE, 30.0, None, "3"),
        (NON, NEW, 30.0, None, "3"),
        (NON, GROWING, 29.9, None, "2"),
    ],
)
def test_each_row_of_the_table(
    kind: NoduleType, change: NoduleChange, diameter: float, solid_part: float | None, category: str
) -> None:
    found = suggest(kind, diameter, change=change, solid_part=solid_part)
    assert found.category == category
    assert "Lung-RADS v2022" in found.in_words
    assert "Suggestion only" in found.in_words


@pytest.mark.parametrize(
    ("kind", "change", "diameter", "solid_part", "attribute"),
    [
        (None, BASELINE, 7.0, None, "kind"),
        ("solid", BASELINE, 7.0, None, "kind"),
        (SOLID, None, 7.0, None, "change"),
        (PART, BASELINE, 7.0, None, "solid_part"),
        (PART, BASELINE, 7.0, 8.0, "solid_part"),
        (PART, NEW, 5.0, 4.5, "diameter"),
        (PART, NEW, 5.9, 3.9, "diameter"),
        (NON, GROWING, 31.0, None, "diameter"),
        (SOLID, STABLE, 7.0, None, "change"),
        (NON, STABLE, 7.0, None, "change"),
        (PART, STABLE, 7.0, 3.0, "change"),
        (SOLID, BASELINE, 0.0, None, "diameter"),
        (SOLID, BASELINE, float("nan"), None, "diameter"),
    ],
)
def test_what_was_not_entered_or_size_does_not_decide_is_refused(
    kind: NoduleType | None, change: NoduleChange | None, diameter: float, solid_part: float | None, attribute: str
) -> None:
    with pytest.raises(InputError) as error:
        suggest(kind, diameter, change=change, solid_part=solid_part)
    assert error.value.attribute == attribute


def test_sizes_count_as_they_are_reported_to_one_decimal() -> None:
    assert mean_diameter(6.4, 5.5) == 6.0  # 5.95
    assert mean_diameter(6.3, 5.6) == mean_diameter(6.1, 5.8) == 6.0, "halves of binary numbers too"
    assert mean_diameter(6.26, 5.63) == 6.0, "each axis to one decimal first"
    assert mean_diameter(5.94, 5.94) == 5.9
    assert suggest(SOLID, 5.95, change=BASELINE).category == "3"
    assert suggest(SOLID, 5.94, change=BASELINE).category == "2"
