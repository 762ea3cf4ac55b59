"""What a person says of a lung nodule: its type, its change, and sizes that they measured. Never taken from a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slicermedai.domain.words import Words
from slicermedai.errors import InputError


class NoduleType(Words):
    """What a person saw; it is never taken from a model."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    NON_SOLID = "non-solid"


class NoduleChange(Words):
    """Against earlier examinations. Growing: the mean diameter rose by more than 1.5 mm within 12 months; stable: it is
    no new one, and did not grow."""

    BASELINE = "baseline"
    NEW = "new"
    GROWING = "growing"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodule:
    """What ``person`` entered of a nodule at ``time`` (ISO 8601).

    Parameters
    ----------
    kind:
        The type; None takes back what was entered before.
    change:
        Against earlier examinations; of a part-solid nodule "new" and "growing" are said of its solid component.
    diameter:
        Mean diameter of the whole nodule in mm that the person measured; None where the result's own is meant.
    solid_part:
        Mean diameter of the solid component in mm.

    Raises
    ------
    InputError
        A type without a change or the other way round, a size that is no length, or a solid component of a nodule
        that is not part-solid.
    """

    kind: NoduleType | None
    change: NoduleChange | None
    diameter: float | None = None
    solid_part: float | None = None
    person: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        if (self.kind is None) != (self.change is None):
            raise InputError("a nodule's type and its change are entered together", attribute="change")
        if self.solid_part is not None and self.kind is not NoduleType.PART_SOLID:
            raise InputError("only a part-solid nodule has a solid component of its own", attribute="solid_part")
        for name in ("diameter", "solid_part"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError("is no length in mm", attribute=name)
