"""Tables of the de-identification report."""

from __future__ import annotations

from slicermedai.deid.dates import DateRule
from slicermedai.report.actions import ACTIONS, badge
from slicermedai.report.deid_facts import DeidFacts, Treatment
from slicermedai.report.markup import Html, code, join, table, tag

MANY_FILES = 200
"""Files from which on the page lists series alone; report.json lists all files always."""
_MOST_LEFT_OUT = 500


def left_out(facts: DeidFacts) -> Html:
    """Files that were not written, each with its reason; the verifier's first."""
    if not facts.left_out:
        return tag("p", "None: every file was written.")
    ordered = sorted(facts.left_out, key=lambda one: (not one.quarantined, one.number))
    rows = [
        (f"{one.number}", code(one.source), "kept back by the verifier" if one.quarantined else "left out", one.reason)
        for one in ordered[:_MOST_LEFT_OUT]
    ]
    rest = len(ordered) - len(rows)
    more = tag("p", f"And {rest:,} more: see report.json.") if rest else Html("")
    excluded = Html("")
    if facts.excluded_files:
        words = "an entry" if facts.excluded_entries == 1 else f"{facts.excluded_entries:,} entries"
        excluded = tag("p", f"{facts.excluded_files:,} of them because of {words} of the exclusion list.")
    how = tag("p", "Numbers are in the order of paths; left-out.csv in the folder for review says which file is which.")
    made = table("Files left out", ("Number in the input", "File", "What", "Why"), rows)
    return join([excluded, how, made, more])


def options(facts: DeidFacts) -> Html:
    """The profile and its twelve options: which were asked for, and how many files carry their codes."""
    written = facts.record.files
    rows = []
    for one in facts.options:
        short = one.asked_for and one.files < written
        amount = f"{one.files:,} of {written:,} files" if one.asked_for else ""
        said = tag("td", amount, class_="short") if short else tag("td", amount)
        rows.append((one.meaning, code(f"DCM {one.code}"), "yes" if one.asked_for else "no", said))
    return table("The profile and its options", ("Profile or option", "Code", "Asked for", "Carried by"), rows)


def doubts(facts: DeidFacts) -> Html:
    """Files with text that nobody could classify."""
    if not facts.doubts:
        return tag("p", "Nothing is waiting for a person.")
    said = (
        "In these files stood text that is neither the patient's nor a known annotation, or that cannot be read. "
        "Of the former, the table says how much was covered. What could not be read was not covered, and such a file "
        "does not claim that its pixels are clean. Its pictures are in the "
        "folder for review, if one was given; they are patient data and lie nowhere else."
    )
    rows = [(f"{one.number}", code(one.output), _number(one.pieces), _number(one.removed)) for one in facts.doubts]
    heads = ("Number in the input, and of its pictures", "File", "Pieces", "Of them covered")
    return join([tag("p", said), table("Burned-in text", heads, rows)])


def attributes(facts: DeidFacts) -> Html:
    """Every attribute that was changed: how, how often, and by which rule."""
    if not facts.treatments:
        return tag("p", "Nothing was changed.")
    rows = [_treatment(one, facts) for one in facts.treatments]
    heads = ("Attribute", "Tag", "Action", "Elements", "Files", "Why")
    return table("What was done to each attribute, at every depth, over all files", heads, rows, class_="attributes")


def series(facts: DeidFacts) -> Html:
    """A row for each series of the output."""
    rows = [
        (
            code(one.patient),
            one.modality,
            code(one.series),
            _number(one.files),
            join((_counted(action, count) for action, count in one.actions), " "),
            ", ".join(one.claimed) + (f"; {one.quarantined} files kept back" if one.quarantined else ""),
        )
        for one in facts.series
    ]
    heads = ("Patient", "Modality", "Series UID", "Files", "Done", "Codes")
    return table("Series, by their pseudonyms and new UIDs", heads, rows, class_="series")


def files(facts: DeidFacts) -> Html:
    """A row for each file of a small job; where there are many, report.json has them."""
    written = [row for row in facts.files if row.output]
    where = "report.json beside this page says for each file and attribute what was done."
    if len(written) > MANY_FILES:
        return tag("p", f"{len(written):,} files were written. {where}")
    rows = [
        (
            code(row.output),
            f"{row.number}",
            join((_counted(action, count) for action, count in _by_action(row.done)), " "),
            ", ".join(row.claimed),
        )
        for row in written
    ]
    made = table("Files that were written", ("File", "Number in the input", "Done", "Codes"), rows)
    return join([tag("p", where), tag("details", tag("summary", f"{len(written):,} files"), made)])


def _treatment(one: Treatment, facts: DeidFacts) -> tuple[object, ...]:
    moves = facts.profile_dates in (DateRule.SHIFT, DateRule.YEAR_ONLY)
    is_date = one.attribute.endswith(("Date", "Time", "DateTime"))
    words = "moved" if one.action == "C" and moves and is_date else ""
    return (
        one.attribute,
        code(one.tag),
        badge(one.action, words),
        _number(one.elements),
        _number(one.files),
        one.reason,
    )


def _by_action(done: dict[tuple[str, str], int]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for (_, action), count in done.items():
        counts[action] = counts.get(action, 0) + count
    return sorted(counts.items())


def _counted(action: str, count: int) -> Html:
    return badge(action, f"{count:,} {ACTIONS.get(action, action)}")


def _number(value: int) -> Html:
    return tag("td", f"{value:,}", class_="number")
