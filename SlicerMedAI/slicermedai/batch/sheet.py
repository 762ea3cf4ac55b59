"""The quality sheet: one HTML page with a picture of each case, the ones to be looked at first, and every other case.

It names no patient on either route: cases and patients have their numbers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from slicermedai.batch.cohort import State
from slicermedai.batch.outliers import FAR, FEWEST, Look, ranked
from slicermedai.batch.table import Report
from slicermedai.domain.codes import written
from slicermedai.domain.markup import el, page, table
from slicermedai.domain.notice import DEMONSTRATION, RESEARCH_USE

_SHOWN = 8
"""Structures that a picture's caption names; the farthest from the others come first."""
_SIDES = (
    "Pictures: axial, coronal and sagittal plane. The patient's left is on the right in the axial and coronal plane, "
    "anterior on the left in the sagittal one; superior is up."
)
_REVIEWED = "Reviewed: the numbers are what people decided; the picture shows what the model found."


def sheet_page(reports: Sequence[Report], summary: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """The page as text; every report is on it exactly once, with its number as ``id``."""
    looks = ranked(reports)
    first = [look for look in looks if look.reasons]
    rest = [look for look in looks if not look.reasons]
    others = [report for report in reports if report.standing.state is not State.DONE]
    parts = [
        el("h1", title),
        el("p", RESEARCH_USE, class_="banner", role="note"),
        *_remarks(reports),
        el("p", _counts(reports), class_="counts"),
        el("p", _SIDES, class_="sides"),
        *_not_run(others),
        *_cards(f"Look at these first ({len(first)})", first),
        *_cards(f"The others, by how unlike the rest they are ({len(rest)})", rest),
        *_summary(summary),
    ]
    style = Path(__file__).with_name("sheet.css").read_text(encoding="utf-8")
    return page(title, style, *parts)


def _remarks(reports: Sequence[Report]) -> Iterator[Element]:
    """What every output must say of the weights, and the word to every reader of those who started the runs."""
    shown = sum(report.demonstration for report in reports)
    if shown:
        yield el("p", f"{DEMONSTRATION} That is so of {shown} of the cases.", class_="banner", role="note")
    for remark in dict.fromkeys(filter(None, (report.remark for report in reports))):
        yield el("p", remark, class_="banner", role="note")


def _counts(reports: Sequence[Report]) -> str:
    states = [report.standing.state for report in reports]
    told = ", ".join(f"{states.count(state)} {state}" for state in State if state in states)
    patients = len({report.case.patient for report in reports})
    return (
        f"{len(reports)} cases of {patients} patients: {told}. Sorted by red lights, then warnings, then outliers: "
        f"robust z-scores of volumes among cases of one model, from {FEWEST} cases on; |z| of {FAR:g} or more is "
        "called an outlier."
    )


def _not_run(others: Sequence[Report]) -> Iterator[Element]:
    if others:
        yield el("h2", f"Without a result ({len(others)})")
        rows = [_row(report) for report in others]
        made = table("Every other case is shown below", ("Case", "Patient", "State", "Why"), rows)
        for row, report in zip(made.iter("tr"), [None, *others], strict=True):
            if report is not None:
                row.set("id", f"case-{report.case.name}")
        yield made


def _row(report: Report) -> tuple[str, ...]:
    return report.case.name, report.case.patient, str(report.standing.state), report.standing.reason or "–"


def _cards(title: str, looks: Sequence[Look]) -> Iterator[Element]:
    if looks:
        yield el("h2", title)
        yield el("div", *map(_card, looks), class_="cards")


def _card(look: Look) -> Element:
    report = look.report
    head = el("strong", f"{report.case.name} ({report.case.patient})")
    lines = [el("li", reason, class_="warn") for reason in look.reasons]
    said = (DEMONSTRATION if report.demonstration else "", report.remark, _REVIEWED if report.is_reviewed else "")
    lines += [el("li", note) for note in filter(None, (*report.case.notes, *said))]
    lines += [el("li", words) for words in _volumes(look)]
    return el(
        "figure",
        _picture(report),
        el("figcaption", head, f" {report.outcome}", el("ul", *lines)),
        id=f"case-{report.case.name}",
        class_="card to-see" if look.reasons else "card",
    )


def _picture(report: Report) -> Element:
    if report.thumbnail is None:
        return el("p", "no picture", class_="absent")
    encoded = base64.b64encode(report.thumbnail.read_bytes()).decode("ascii")
    words = f"Case {report.case.name}: axial, coronal and sagittal plane with the outlines of what was found"
    return el("img", src=f"data:image/png;base64,{encoded}", alt=words)


def _volumes(look: Look) -> Iterator[str]:
    named = sorted({*look.report.volumes, *look.z}, key=lambda name: (-abs(look.z.get(name, 0.0)), name))
    for name in named[:_SHOWN]:
        volume = look.report.volumes.get(name)
        told = "not found" if volume is None else f"{volume:.1f} ml"
        yield f"{name}: {told}{f', z {look.z.get(name, 0.0):+.1f}' if look.is_compared else ''}"
    if len(named) > _SHOWN:
        yield f"and {len(named) - _SHOWN} more structures"


def _summary(summary: Sequence[Mapping[str, Any]]) -> Iterator[Element]:
    if summary:
        yield el("h2", "Numbers of the cohort")
        headings = (
            "Model",
            "Structure",
            "Measurement",
            "Cases (patients)",
            "Missing",
            "Mean (SD)",
            "Median (quartiles)",
            "Range",
        )
        yield table("Over all cases with a result", headings, [_numbers(row) for row in summary])


def _numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (f"{row['cases']} ({row['patients']})", str(row["missing"]))
    unit = written(row["unit"])
    name = (row["model"], row["structure"], ", ".join(filter(None, (row["measurement"], unit))))
    if row["mean"] is None:
        return (*name, *counts, "–", "–", "–")
    told = {key: _told(row[key]) for key in ("mean", "sd", "median", "q1", "q3", "least", "most")}
    return (
        *name,
        *counts,
        f"{told['mean']} ({told['sd']})",
        f"{told['median']} ({told['q1']} to {told['q3']})",
        f"{told['least']} to {told['most']}",
    )


def _told(value: float | None) -> str:
    """With four digits at least, and no exponent where a person can read it without."""
    if value is None:
        return "–"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
