"""What the size of a lung nodule alone suggests in Lung-RADS v2022; a person decides.

Source: American College of Radiology, Lung-RADS v2022 (November 2022); Christensen et al., "ACR Lung-RADS v2022:
Assessment Categories and Management Recommendations", J Am Coll Radiol 2024;21:473-488. Of that table only what
size, type and growth decide is here: juxtapleural, airway and cystic nodules, slow growth, suspected infection, the
steps down after follow-up and category 4X need a reader.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from slicermedai.domain.words import Words
from slicermedai.errors import InputError

SOURCE = "ACR Lung-RADS v2022, by size alone"
CAUTION = "Suggestion only: it rests on the nodule type and change that a person entered, and a person decides."


class NoduleType(Words):
    """What a person saw; it is never taken from a model."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    NON_SOLID = "non-solid"


class Change(Words):
    """Against earlier examinations. Growing: the mean diameter rose by more than 1.5 mm within 12 months."""

    BASELINE = "baseline"
    NEW = "new"
    GROWING = "growing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A Lung-RADS category ("2", "3", "4A", "4B") and where it comes from."""

    category: str
    source: str = SOURCE
    caution: str = CAUTION

    @property
    def in_words(self) -> str:
        """One line for people."""
        return f"Lung-RADS {self.category} ({self.source}). {self.caution}"


# For each change: from which mean diameter (mm) on which category; "" where size alone does not decide.
_SOLID = {
    Change.BASELINE: ((0.0, "2"), (6.0, "3"), (8.0, "4A"), (15.0, "4B")),
    Change.NEW: ((0.0, "2"), (4.0, "3"), (6.0, "4A"), (8.0, "4B")),
    Change.GROWING: ((0.0, "4A"), (8.0, "4B")),
}
_NON_SOLID = {
    Change.BASELINE: ((0.0, "2"), (30.0, "3")),
    Change.NEW: ((0.0, "2"), (30.0, "3")),
    Change.GROWING: ((0.0, "2"), (30.0, "")),
}
_SOLID_PART = {
    Change.BASELINE: ((0.0, "3"), (6.0, "4A"), (8.0, "4B")),
    Change.NEW: ((0.0, "4A"), (4.0, "4B")),
    Change.GROWING: ((0.0, "4A"), (4.0, "4B")),
}
_SMALL_PART_SOLID = {Change.BASELINE: "2", Change.NEW: "3"}  # less than 6 mm in all


def mean_diameter(long_axis: float, short_axis: float) -> float:
    """The mean of both axes in mm, to one decimal as Lung-RADS reports it (halves up)."""
    return math.floor((long_axis + short_axis) / 2 * 10 + 0.5) / 10


def suggest(
    kind: NoduleType | None,
    diameter: float,
    *,
    change: Change | None,
    solid_part: float | None = None,
) -> Suggestion:
    """The category that size suggests.

    Parameters
    ----------
    kind, change:
        As a person entered them. For a part-solid nodule "new" and "growing" are said of its solid component.
    diameter:
        Mean diameter of the whole nodule in mm, see :func:`mean_diameter`.
    solid_part:
        Mean diameter of the solid component in mm; a part-solid nodule needs it.

    Raises
    ------
    InputError
        Type, change or the solid component was not entered, a size is no length, or the table has no row that size
        alone decides.
    """
    if not isinstance(kind, NoduleType):
        raise InputError("the type of the nodule was not entered", attribute="kind", advice="A person has to say it.")
    if not isinstance(change, Change):
        raise InputError("baseline, new or growing was not entered", attribute="change", advice="Compare and say it.")
    size = _length(diameter, "diameter")
    if kind is NoduleType.PART_SOLID:
        return _part_solid(size, change, solid_part)
    rows = _SOLID if kind is NoduleType.SOLID else _NON_SOLID
    return _suggestion(_row(rows[change], size))


def _part_solid(size: float, change: Change, solid_part: float | None) -> Suggestion:
    if solid_part is None:
        raise InputError("a part-solid nodule needs the size of its solid component", attribute="solid_part")
    solid = _length(solid_part, "solid_part")
    if solid > size:
        raise InputError("the solid component is larger than the nodule", attribute="solid_part")
    if size < 6 and change in _SMALL_PART_SOLID:
        if change is Change.NEW and solid >= 4:
            return _suggestion("")
        return _suggestion(_SMALL_PART_SOLID[change])
    return _suggestion(_row(_SOLID_PART[change], solid))


def _row(rows: tuple[tuple[float, str], ...], size: float) -> str:
    return [category for least, category in rows if size >= least][-1]


def _suggestion(category: str) -> Suggestion:
    if not category:
        raise InputError("size alone does not decide this nodule", attribute="diameter", advice="A reader has to.")
    return Suggestion(category=category)


def _length(value: float, name: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise InputError("is no length in mm", attribute=name)
    return math.floor(value * 10 + 0.5) / 10
