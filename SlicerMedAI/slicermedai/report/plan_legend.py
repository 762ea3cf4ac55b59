"""What the colours of a plan's pictures are, for its page."""

from __future__ import annotations

from collections.abc import Sequence

from slicermedai.domain.plan import Plan
from slicermedai.plan.numbers import Part, PlanTable
from slicermedai.plan.shapes import BEYOND, COLORS, INNER, MARGIN, OUTER, REMNANT, RESECTION, TOUCH
from slicermedai.report.markup import Html, tag

NAME = 21
"""Letters of a name where there is little room."""
_STRUCTURES = 6


def legend(plan: Plan, table: PlanTable) -> Html:
    """A line with the colours of what is planned, then of the structures."""
    names = [row.name for row in table.rows if row.part is Part.MARGINS]
    shown = {
        RESECTION: ("goes", bool(plan.cuts)),
        REMNANT: ("stays", bool(plan.cuts)),
        MARGIN: ("margin", bool(plan.margins)),
        TOUCH: ("margin in a vessel", any(name.startswith("margin in ") for name in names)),
        BEYOND: ("margin beyond the organ", any(name.startswith("margin beyond ") for name in names)),
        INNER: ("inner contour", bool(plan.contours)),
        OUTER: ("outer contour", bool(plan.contours)),
    }
    known = [(words, COLORS[kind]) for kind, (words, is_shown) in shown.items() if is_shown]
    known += [(middle_out(one.name, NAME), one.label.color) for one in plan.structures[:_STRUCTURES]]
    left = len(plan.structures) - _STRUCTURES
    more = [tag("span", f"and {left} more structures")] if left > 0 else []
    return tag("p", *(_chip(*one) for one in known), *more, class_="legend")


def middle_out(name: str, letters: int) -> str:
    """``name`` without its middle where it has more ``letters``."""
    last = letters // 3
    return name if len(name) <= letters else f"{name[: letters - 1 - last]}…{name[-last:]}"


def _chip(words: str, color: Sequence[int]) -> Html:
    return tag("span", tag("i", style=f"background:rgb({', '.join(map(str, color))})"), words)
