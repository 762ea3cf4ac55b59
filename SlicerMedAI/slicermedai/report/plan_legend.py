"""What a plan's page calls its structures where there is little room, and what the colours of its pictures are."""

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
    called = short_names(plan.names)
    known += [(called[one.name], one.label.color) for one in plan.structures[:_STRUCTURES]]
    left = len(plan.structures) - _STRUCTURES
    more = [tag("span", f"and {left} more structures")] if left > 0 else []
    return tag("p", *(_chip(*one) for one in known), *more, class_="legend")


def short_names(names: Sequence[str], letters: int = NAME) -> dict[str, str]:
    """Name -> at most so many letters of it; of two names it stays two.

    Without its middle; where others would look the same, its beginning and the word in which they differ first, and as
    the last means its number.
    """
    found = {name: middle_out(name, letters) for name in names}
    for name, short in list(found.items()):
        alike = [one for one in names if one != name and middle_out(one, letters) == short]
        if alike:
            found[name] = _around(name, _first_difference(name, alike), letters)
    for number, (name, short) in enumerate(list(found.items()), 1):
        if list(found.values()).count(short) > 1:
            end = f" #{number}"
            found[name] = f"{short[: letters - len(end)]}{end}"
    return found


def _first_difference(name: str, others: Sequence[str]) -> int:
    pairs = ([letter == other for letter, other in zip(name, one, strict=False)] for one in others)
    return max(same.index(False) if False in same else len(same) for same in pairs)


def _around(name: str, place: int, letters: int) -> str:
    """The beginning, and what stands from the word on that ``place`` lies in."""
    begin, first = letters // 3, name.rfind(" ", 0, place) + 1
    if first <= begin:
        return f"{name[: letters - 1]}…"
    rest = name[first:]
    room = letters - begin - 1
    return f"{name[:begin]}…{rest if len(rest) <= room else f'{rest[: room - 1]}…'}"


def middle_out(name: str, letters: int) -> str:
    """``name`` without its middle where it has more ``letters``."""
    last = letters // 3
    return name if len(name) <= letters else f"{name[: letters - 1 - last]}…{name[-last:]}"


def _chip(words: str, color: Sequence[int]) -> Html:
    return tag("span", tag("i", style=f"background:rgb({', '.join(map(str, color))})"), words)
