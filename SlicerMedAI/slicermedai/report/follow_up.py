"""What changed since an earlier study, as a table."""

from __future__ import annotations

import math

from slicermedai.domain.change import Change
from slicermedai.domain.result import AnalysisResult
from slicermedai.report.markup import Html, items, number, section, table, tag
from slicermedai.report.people import date

NOT_ASSESSED = "The volumes are those of the model's answers then and now. Whether the body changed was not assessed."
_HEADINGS = ("Structure", "Then (ml)", "Now (ml)", "Change (ml)", "Change (%)", "Known by")


def follow_up_section(result: AnalysisResult) -> Html:
    """Volumes then and now, and what was not found in both; nothing where no earlier result was given."""
    found = result.follow_up
    if found is None:
        return Html("")
    when = f" of {date(found.earlier_date)}" if found.earlier_date else ""
    since = "how long ago is not known" if found.days is None else f"{found.days} days before"
    rows = [_row(one) for one in found.changes]
    notes = [*found.notes, *(f"{one.label.name}: {one.note}." for one in found.changes if one.note)]
    parts = [
        tag("p", f"Beside the earlier study{when}, {since}. {NOT_ASSESSED}"),
        items(notes, class_="warn") if notes else "",
        table("Volumes then and now", _HEADINGS, rows) if rows else tag("p", "No structure is known in both studies."),
        items(found.unmatched) if found.unmatched else "",
    ]
    return section("follow-up", "Since the earlier study", *parts)


def _row(one: Change) -> tuple[object, ...]:
    numbers = (one.before, one.after, one.difference, one.percent)
    known = f"{one.how}; {one.note}" if one.note else one.how
    return one.label.name, *("not known" if math.isnan(value) else number(value) for value in numbers), known
