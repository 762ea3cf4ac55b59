"""``plan.html``: what is planned for one case on one A4 page, with pictures; it loads nothing and is made to be
printed.

What one page cannot hold is counted and said, with the file that holds it: nothing is left out in silence. What is to
be known of the run that the plan rests on stands first, and whole.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from slicermedai.domain.codes import written
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Box
from slicermedai.domain.notice import DEMONSTRATION, RESEARCH_USE
from slicermedai.domain.plan import BoxCut, Cut, MarginCut, Plan
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.storage import write_text
from slicermedai.domain.study import Identity
from slicermedai.errors import OutputError
from slicermedai.plan.belonging import check_belongs
from slicermedai.plan.distances import ACCURACY
from slicermedai.plan.keep import WARNINGS
from slicermedai.plan.numbers import EDITED, NOT_ASSESSED, Part, PlanRow, PlanTable
from slicermedai.plan.planned import PREFIX
from slicermedai.report.markup import Html, items, join, number, resource, rounded, tag, text
from slicermedai.report.people import date, person
from slicermedai.report.plan_legend import NAME, legend, middle_out, short_names
from slicermedai.scene.pictures import Picture

FILE_NAME = "plan.html"
_PICTURES = 4
_MOST = {
    Part.SIZES: 12,
    Part.DISTANCES: 12,
    Part.MARGINS: 9,
    Part.RESECTION: 8,
    Part.BODY: 4,
    Part.ALIGNMENT: 2,
}
_NAMES = 2  # of structures in one line
_NOTED = (Part.BODY, Part.ALIGNMENT)
_SHORT = 30  # letters of a note that stands in the line of its number
_LINES = 5  # warnings, cuts, notes
_LETTERS = 180  # of each of them
_LONG_NAME, _CUT, _LONGEST = 48, 44, 76  # letters of a name in a wide column: whole, cut, with what is beside it
_DENSE = 26  # numbers and lines from which on the print is smaller
_TILES = (
    ("functional volume", "functional volume"),
    ("resected volume", "resected, lesions included"),
    ("remnant volume", "remnant"),
    ("remnant of functional volume", "remnant of functional"),
    ("remnant of standard liver volume", "remnant of standard liver"),
)
_SIZES = ("volume", "long axis", "short axis", "3D diameter")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanContext:
    """What the page is written from.

    Parameters
    ----------
    table:
        Of ``plan``: :func:`slicermedai.plan.numbers.table_of`.
    result:
        Whose liver it is, and by which model it was segmented.
    pictures:
        PNG files, of which the first four are shown.
    no_pictures:
        Why there are none.
    person, day:
        Who planned and when (YYYYMMDD); left free for a pen where they are "", and always where the result is
        pseudonymous: a name or a true date beside its shifted one would lead back to the patient.
    """

    plan: Plan
    table: PlanTable
    result: AnalysisResult
    pictures: tuple[Picture, ...] = ()
    no_pictures: str = ""
    person: str = ""
    day: str = ""
    title: str = "Surgical plan"


def write_plan_page(context: PlanContext, folder: Path) -> Path:
    """Write ``folder/plan.html``, whole or not at all, and return its path.

    Raises
    ------
    GeometryError, InputError
        The plan was not made of the result.
    OutputError, DiskFullError
        The folder cannot be written, or a picture is not there.
    """
    return write_text(Path(folder) / FILE_NAME, render_plan_page(context))


def render_plan_page(context: PlanContext) -> str:
    """The page as text.

    Raises
    ------
    GeometryError, InputError
        The plan was not made of the result, see :func:`slicermedai.plan.belonging.check_belongs`: the page would bear
        another patient's name.
    """
    plan, table, called = context.plan, context.table, short_names(context.plan.names)
    check_belongs(plan, context.result)
    is_known = context.result.study.identity is Identity.KEEP  # dates of a pseudonymous study are shifted
    return Template(resource("plan_page.html")).substitute(
        title=text(context.title),
        style=resource("plan_page.css"),
        density="dense" if _count(context) > _DENSE else "",
        banner=text(RESEARCH_USE),
        patient=_patient(context.result),
        warnings=_warned(context),
        tiles=_tiles(table),
        pictures=_pictures(context),
        left=join([_sizes(table, called), _numbers(table, Part.DISTANCES, called)]),
        right=join(_numbers(table, part, called) for part in (Part.RESECTION, Part.BODY, Part.MARGINS, Part.ALIGNMENT)),
        cuts=_titled("Cuts", [_cut(one) for one in plan.cuts]),
        notes=_titled("Notes", list(plan.notes)),
        person=text(person(context.person) if is_known else ""),
        date=text(date(context.day) if is_known else ""),
        accuracy=text(f"Distances: {_accuracy(plan)}. Points are LPS mm. {_made_by(context)}."),
    )


def _count(context: PlanContext) -> int:
    """What there is to be shown, but for the parts that are always there."""
    fixed = (Part.RESECTION, Part.BODY, Part.CONTOURS)
    names = {row.subject for row in context.table.rows if row.part is Part.SIZES}
    numbers = sum(row.part not in (*fixed, Part.SIZES) for row in context.table.rows)
    warnings = len(_of_the_run(context.result)) + len(context.table.warnings)
    return len(names) + numbers + warnings + len(context.plan.notes) + len(context.plan.cuts)


def _of_the_run(result: AnalysisResult) -> tuple[str, ...]:
    """What must be known of the run that the plan rests on: never left out, never shortened."""
    made = decided(result).provenance
    own = [line for line in made.warnings if not line.startswith(PREFIX)]
    return tuple(filter(None, (DEMONSTRATION if made.demonstration else "", *own, *result.notes)))


def _warned(context: PlanContext) -> Html:
    first, own = _of_the_run(context.result), context.table.warnings
    if not (first or own):
        return Html("")
    more = [f"and {len(own) - _LINES} more: see {WARNINGS} of the saved plan"] if len(own) > _LINES else []
    return items([*first, *map(_clipped, own[:_LINES]), *more], class_="warn")


def _patient(result: AnalysisResult) -> Html:
    study = result.study
    parts = (
        person(study.patient_name),
        f"ID {study.patient_id}" if study.patient_id else "",
        f"born {date(study.birth_date)}" if study.birth_date else "",
        study.sex,
        study.description,
        date(study.date),
    )
    return tag("p", " · ".join(part for part in parts if part), class_="patient")


def _model(result: AnalysisResult) -> str:
    made = result.provenance
    return f"{made.bundle} {made.bundle_version}".strip() or "hand"


def _made_by(context: PlanContext) -> str:
    drawn = [one.name for one in context.plan.structures if one.edited and not one.phase]
    if not drawn:
        return f"Segmented by {_model(context.result)}"
    named = _named(drawn, short_names(context.plan.names))
    return f"Segmented by {_model(context.result)}, but for {named}: edited by a person"


def _accuracy(plan: Plan) -> str:
    brought = [one.name for one in plan.structures if one.phase]
    if not brought:
        return ACCURACY
    named = _named(brought, short_names(plan.names))
    return f"{ACCURACY}; those of {named} are off by what is left between the phases too"


def _tiles(table: PlanTable) -> Html:
    """The numbers of the resection that are looked for first."""
    rows = {row.name: row for row in table.rows if row.part in (Part.RESECTION, Part.BODY)}
    shown = [
        tag(
            "p",
            tag("strong", f"{_brief(rows[name].value)} {rows[name].unit.value}"),
            tag("span", words),
            class_="tile",
        )
        for name, words in _TILES
        if name in rows
    ]
    return tag("div", *shown, class_="tiles")


def _brief(value: float) -> str:
    """With as many digits as it is exact to: half a percent."""
    return f"{value:.1f}" if abs(value) >= 10 else rounded(value)


def _pictures(context: PlanContext) -> Html:
    if not context.pictures:
        return tag("p", f"No pictures: {context.no_pictures or 'none were asked for'}.", class_="none")
    figures = [_figure(one) for one in context.pictures[:_PICTURES]]
    left = len(context.pictures) - _PICTURES
    more = tag("p", f"and {left} more pictures that this page has no room for", class_="more") if left > 0 else Html("")
    return join([tag("div", *figures, class_="pictures"), legend(context.plan, context.table), more])


def _figure(picture: Picture) -> Html:
    try:
        encoded = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    except OSError as error:
        raise OutputError("was to be shown on the plan and is not there", file=picture.path) from error
    described = text(picture.description or picture.title)
    image = Html(f'<img src="data:image/png;base64,{encoded}" alt="{described}">')
    return tag("figure", image, tag("figcaption", picture.title))


def _sizes(table: PlanTable, called: Mapping[str, str]) -> Html:
    """A line for each structure: volume, diameters, inner and outer contour."""
    names = list(dict.fromkeys(row.subject for row in table.rows if row.part is Part.SIZES))
    most = _MOST[Part.SIZES]
    rows = [
        (_titled_name(called[name], name), *(_value(row) for row in _sizes_of(table, name)), _contour(table, name))
        for name in names[:most]
    ]
    headings = ("", "ml", "long mm", "short mm", "3D mm", "inner to outer ml")
    more = _more(len(names) - most, "structures")
    return join([tag("h2", Part.SIZES), _table(headings, rows), more, _remarks_on_sizes(table, called)])


def _sizes_of(table: PlanTable, name: str) -> Iterator[PlanRow]:
    found = {row.name: row for row in table.rows if row.part is Part.SIZES and row.subject == name}
    return (found[one] for one in _SIZES)


def _contour(table: PlanTable, name: str) -> object:
    rows = [row for row in table.rows if row.part is Part.CONTOURS and row.subject == name]
    missing = [row.missing or NOT_ASSESSED for row in rows if math.isnan(row.value)]
    if missing:
        return tag("span", missing[0], class_="missing")
    return " to ".join(rounded(row.value) for row in rows)


def _remarks_on_sizes(table: PlanTable, called: Mapping[str, str]) -> Html:
    """Of what inner and outer contours are, and whose borders a person drew."""
    said: dict[str, list[str]] = {}
    for row in table.rows:
        words = f"Inner to outer: {row.note}" if row.part is Part.CONTOURS else row.note
        told = row.part is Part.CONTOURS or row.note == EDITED
        if row.note and told and row.subject not in said.setdefault(words, []):
            said[words].append(row.subject)
    lines = [f"{words[0].upper()}{words[1:]}: {_named(names, called)}." for words, names in said.items()]
    return join(tag("p", line, class_="more") for line in lines)


def _named(names: Sequence[str], called: Mapping[str, str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(called.get(name) or middle_out(name, NAME) for name in names[:_NAMES]) + more


def _numbers(table: PlanTable, part: Part, called: Mapping[str, str]) -> Html:
    rows = [row for row in table.rows if row.part is part]
    if not rows:
        return Html("")
    if part is Part.DISTANCES:  # the nearest first: they decide
        rows.sort(key=lambda row: row.value)
    most = _MOST[part]
    shown = [(_name(row, called), _value(row), written(row.unit.value)) for row in rows[:most]]
    notes = dict.fromkeys(note for row in rows[:most] for note in _notes(row) if len(note) > _SHORT or part in _NOTED)
    said = join(tag("p", note, class_="more") for note in notes)
    return join([tag("h2", part), _table(("", "", ""), shown), said, _more(len(rows) - most, "numbers")])


def _name(row: PlanRow, called: Mapping[str, str]) -> Html:
    if row.part in (Part.RESECTION, Part.BODY):
        return text(row.name)
    said = f"{row.subject}: {row.name}"
    if row.part is Part.DISTANCES:
        short = ", ".join(note for note in _notes(row) if len(note) <= _SHORT)
        said = f"{row.subject} ({short})" if short else row.subject
    shown = said
    for name in sorted(called, key=len, reverse=True):
        shown = shown if len(shown) <= _LONG_NAME else shown.replace(name, called[name])
    most = _LONGEST if row.part is Part.DISTANCES else _LONG_NAME if shown == said else _CUT
    return _titled_name(middle_out(shown, most), said)


def _notes(row: PlanRow) -> list[str]:
    """Of a number, each for itself; those of the other parts are in the table of the plan."""
    if row.part in _NOTED:
        return [row.note]
    return row.note.split("; ") if row.note and row.part in (Part.DISTANCES, Part.MARGINS) else []


def _titled_name(shown: str, name: str) -> Html:
    """``shown``, and the whole name for those who point at it."""
    return text(name) if shown == name else tag("span", shown, title=name)


def _value(row: PlanRow) -> object:
    return row.missing if row.missing else number(row.value)


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    head = tag("thead", tag("tr", *(tag("th", one, scope="col") for one in headings))) if any(headings) else Html("")
    lines = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell, class_="number") for cell in row[1:]))
        for row in rows
    ]
    return tag("table", head, tag("tbody", *lines))


def _titled(heading: str, lines: Sequence[str]) -> Html:
    return join([tag("h2", heading), _lines(lines)]) if lines else Html("")


def _lines(lines: Sequence[str]) -> Html:
    more = [f"and {len(lines) - _LINES} more: see plan.json of the saved plan"] if len(lines) > _LINES else []
    return items([*map(_clipped, lines[:_LINES]), *more])


def _clipped(line: str) -> str:
    return line if len(line) <= _LETTERS else f"{line[:_LETTERS]}..."


def _more(count: int, words: str) -> Html:
    if count <= 0:
        return Html("")
    return tag("p", f"and {count} more {words}: see table.csv of the saved plan", class_="more")


def _cut(cut: Cut) -> str:
    if isinstance(cut, MarginCut):
        return f"{cut.name}: {cut.lesion} and {cut.width:g} mm around it"
    if isinstance(cut, BoxCut):
        return f"{middle_out(cut.name, _LONG_NAME)}: {_box(cut.box)}"
    length = math.hypot(*cut.normal)
    way = ", ".join(f"{value / length:.2f}" for value in cut.normal)
    where = " and ".join(filter(None, (", ".join(cut.sides[:-1]), cut.sides[-1])))
    return f"{cut.name}: plane through {_place(cut.point)}, takes away what lies {where} of it, along ({way})"


def _box(box: Box) -> str:
    """Its corners; those of an oblique one do not tell it from others."""
    if box.geometry is None:
        return f"box from {_place(box.low)} to {_place(box.high)}"
    middle, edges, axes = box.frame
    size = " x ".join(f"{edge:.1f}" for edge in edges)
    return f"oblique box, middle {_place(middle)}, {size} mm along {', '.join(_place(axis, 2) for axis in axes.T)}"


def _place(place: Iterable[float], digits: int = 1) -> str:
    return f"({', '.join(f'{round(value, digits) + 0.0:.{digits}f}' for value in place)})"
