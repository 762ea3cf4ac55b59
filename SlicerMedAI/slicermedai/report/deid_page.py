"""``report.html`` and ``report.json`` of a de-identification: one page that holds everything, and all of it as data."""

from __future__ import annotations

from pathlib import Path
from string import Template

from slicermedai.domain.storage import write_text
from slicermedai.report import deid_tables
from slicermedai.report.deid_facts import DeidFacts
from slicermedai.report.deid_json import as_json
from slicermedai.report.markup import Html, code, items, join, resource, section, tag, terms, text

PAGE, DATA = "report.html", "report.json"
TITLE = "De-identification report"
BANNER = "Research use only. Not a medical device. Look at the files before you pass them on."
_SECTIONS = (
    ("outcome", "Outcome"),
    ("verified", "Verifier"),
    ("left-out", "Files left out"),
    ("review", "To be looked at"),
    ("not-done", "What was not done"),
    ("choices", "Profile and options"),
    ("risk", "Risk of re-identification"),
    ("attributes", "Attributes"),
    ("series", "Series"),
    ("files", "Files"),
    ("rules", "Rules"),
)


def write_deid_report(facts: DeidFacts, folder: Path) -> tuple[Path, Path]:
    """Write both into ``folder``, each whole or not at all; returns (page, data).

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written.
    """
    page = write_text(Path(folder) / PAGE, render_deid_page(facts))
    return page, write_text(Path(folder) / DATA, as_json(facts))


def render_deid_page(facts: DeidFacts) -> str:
    """The page as text. Nothing in it is identity: inputs are numbered, all else is counted or pseudonymous."""
    contents = dict(_SECTIONS)
    made = {
        "outcome": _outcome(facts),
        "verified": _verified(facts),
        "left-out": deid_tables.left_out(facts),
        "review": deid_tables.doubts(facts),
        "not-done": items(facts.record.not_done, class_="warn") if facts.record.not_done else tag("p", "Nothing."),
        "choices": _choices(facts),
        "risk": items(facts.risk.sentences()),
        "attributes": deid_tables.attributes(facts),
        "series": deid_tables.series(facts),
        "files": deid_tables.files(facts),
        "rules": items(facts.record.done),
    }
    return Template(resource("page.html")).substitute(
        title=text(TITLE),
        style=resource("style.css"),
        banner=text(BANNER),
        demonstration="",
        summary=tag("p", _summary(facts), class_="summary"),
        status=_status(facts),
        contents=join(tag("li", tag("a", words, href=f"#{name}")) for name, words in _SECTIONS),
        sections=join(section(name, contents[name], content) for name, content in made.items()),
        made=text(facts.finished),
    )


def counted(number: int, word: str, many: str = "") -> str:
    """ "1 file", "2 files", "1,203 files"."""
    return f"{number:,} {word if number == 1 else many or f'{word}s'}"


def _summary(facts: DeidFacts) -> str:
    preset = dict(facts.choices)["Preset"]
    written = f"{counted(facts.record.files, 'file')} of {counted(facts.patients, 'patient')}"
    return " · ".join((preset, written, f"{facts.program}, {facts.finished[:10]}"))


def _status(facts: DeidFacts) -> Html:
    """Green where everything asked for was done and passed; red where the verifier kept a file back."""
    if facts.quarantined:
        kept = counted(facts.quarantined, "file")
        words = f"Identity was found in {kept} by the verifier: kept back, not written. Look below before you go on."
        return tag("p", tag("strong", words), class_="status failed")
    passed = (
        f"{counted(facts.verified, 'file')} written; the verifier found none of what the headers name in any of them."
    )
    rest = len(facts.left_out)
    if rest or facts.doubts or facts.missed:
        notes = [f"{counted(rest, 'file')} left out"] if rest else []
        notes += [f"{counted(len(facts.doubts), 'file')} to be looked at"] if facts.doubts else []
        told = f" {', '.join(notes)}: read why below." if notes else ""
        undone = "".join(f" {one.sentence}" for one in facts.missed)
        return tag("p", tag("strong", passed), f"{undone}{told}", class_="status warned")
    return tag("p", tag("strong", passed), class_="status")


def _outcome(facts: DeidFacts) -> Html:
    record = facts.record
    tiles = (
        (record.files, "files written"),
        (facts.patients, "patients"),
        (sum(1 for one in facts.series if one.files), "series"),
        (record.elements_removed, "elements removed"),
        (record.elements_replaced, "elements emptied, replaced or masked"),
        (record.uids_replaced, "UIDs replaced"),
        (facts.quarantined, "files kept back by the verifier"),
        (len(facts.left_out) - facts.quarantined, "files left out"),
        (facts.excluded_files, "of these on the exclusion list"),
    )
    return tag("div", *(_tile(number, words) for number, words in tiles), class_="tiles")


def _tile(number: int, words: str) -> Html:
    return tag("p", tag("data", f"{number:,}", value=str(number)), tag("span", words), class_="tile")


def _verified(facts: DeidFacts) -> Html:
    found = (
        f"In {counted(facts.quarantined, 'file')} it found some; they were removed again." if facts.quarantined else ""
    )
    return tag(
        "p",
        f"After writing, a reader of its own searched the bytes of {counted(facts.verified, 'file')} for every name, "
        "number, date and address that the headers name, at every depth, in file meta information, preamble and pixel "
        "data. "
        f"{found or 'It found none of them.'}",
    )


def _choices(facts: DeidFacts) -> Html:
    pairs = [
        *facts.choices,
        ("Key fingerprint", code(facts.fingerprint)),
        ("Table", facts.table),
        ("Program", facts.program),
        ("Started", facts.started),
        ("Finished", facts.finished),
    ]
    return join([terms(pairs), deid_tables.options(facts)])
