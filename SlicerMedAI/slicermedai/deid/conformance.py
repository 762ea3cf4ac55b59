"""What this de-identifier does, said by the rules themselves: for each attribute of the table, and as a statement.

``python -m slicermedai.deid.conformance`` writes ``Resources/Docs/deidentification-conformance.md``, and a test holds
that file against the code.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from slicermedai.deid import private
from slicermedai.deid.context import Context, Element
from slicermedai.deid.dictionary import label_of, vr_of
from slicermedai.deid.ops import Op
from slicermedai.deid.presets import PRESETS, safe_harbor
from slicermedai.deid.profile import STEPS, Option, Profile
from slicermedai.deid.pseudonym import KEY_BYTES, ProjectKey, Pseudonyms
from slicermedai.deid.rules import BASIC_RULES, decide, describe_rules
from slicermedai.deid.run import not_done
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.table import Row, load_table
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.domain.storage import write_text

DOCUMENT = Path(__file__).resolve().parents[3] / "Resources" / "Docs" / "deidentification-conformance.md"
_COMMAND = "python -m slicermedai.deid.conformance"
_WORDS = {"X": "removed", "Z": "emptied", "D": "replaced by a dummy", "U": "new UID", "C": "identity in it masked"}
_EDITED = {"X": "removed where it holds identity", "Z": "emptied"}
_WILD = {"50xxxxxx": 0x50000010, "60xx3000": 0x60003000, "60xx4000": 0x60004000, "private": 0x00090001}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What becomes of one attribute of the table.

    Parameters
    ----------
    tag, name:
        As printed in the table.
    basic:
        The Basic profile's action as printed.
    options:
        Action as printed, by the code of each chosen option that has one.
    ours:
        What is done under the chosen profile, in words.
    by_hand:
        True where the options' actions are ours, because the source has the Basic action alone.
    """

    tag: str
    name: str
    basic: str
    options: tuple[tuple[str, str], ...]
    ours: str
    by_hand: bool


def statement(profile: Profile | None = None, *, sop_class: str = "") -> list[Statement]:
    """One row for each attribute of the table under ``profile``, at the top level of an instance.

    Compound actions follow the attribute's type in the IOD of ``sop_class`` (a UID); without one they are those of
    the IOD that asks most of the attribute.
    """
    chosen = profile or Profile()
    return [
        Statement(
            tag=row.tag,
            name=row.name,
            basic=row.basic,
            options=tuple((code, row.options[code]) for code in sorted(chosen.option_codes) if code in row.options),
            ours=_ours(row, chosen, sop_class),
            by_hand=row.by_hand,
        )
        for row in load_table().rows
    ]


def _ours(row: Row, profile: Profile, sop_class: str = "") -> str:
    tag = _WILD.get(row.tag) or int(row.tag, 16)
    vr = vr_of(tag)
    if row.tag == "private":
        kept = Option.RETAIN_SAFE_PRIVATE in profile.options
        return "removed, but for safe ones" if kept else "removed"
    element = Element(tag, vr, has_items=vr == "SQ")
    return _in_words(decide(BASIC_RULES, _context(profile, sop_class), element), label_of(tag), vr)


def _in_words(op: Op, label: str, vr: str) -> str:
    if label in ("PatientName", "PatientID"):
        return "pseudonym"
    if op.keeps:
        return "items treated one by one" if vr == "SQ" else "kept"
    if op.removes:
        return "removed"
    if op.edit is None:
        return _WORDS["D"] if op.value else _WORDS["Z"]
    if op.action == "C":
        return "moved in time" if vr in ("DA", "DT", "TM") else "kept, identity in it masked"
    return _EDITED.get(op.action, _WORDS[op.action])


@functools.lru_cache(maxsize=64)
def _context(profile: Profile, sop_class: str) -> Context:
    return Context(
        table=load_table(),
        profile=profile,
        pseudonyms=Pseudonyms(ProjectKey(bytes(KEY_BYTES))),
        vocabulary=Vocabulary(),
        patient="MEDAI",
        sop_class=sop_class,
        study_uid="1.2",
        dates=DeidSettings(profile=profile).date_rule,
    )


# --- the document ----------------------------------------------------------------------------------------------------


def markdown() -> str:
    """The whole conformance statement."""
    parts = (_head(), _options(), _presets(), _always(), _harbor(), _attributes())
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head() -> Iterator[str]:
    table = load_table()
    yield "# De-identification: conformance statement"
    yield ""
    yield f"Written by `{_COMMAND}` from the rules; a test compares it with them. Do not edit it."
    yield ""
    yield (
        "SlicerMedAI de-identifies by the Basic Application Confidentiality Profile of DICOM PS3.15 Annex E (DCM "
        f"113100) and its options, as a de-identifier (E.1.1). The table is {table.title}: {len(table.rows)} rows, "
        "acting at every depth. Compound actions follow the attribute's type in the IOD (PS3.15 E.3.1)."
    )


def _options() -> Iterator[str]:
    yield "## Options"
    yield ""
    yield "Every output names those that were applied, by these codes, in De-identification Method Code Sequence."
    yield ""
    yield from _table(("Code", "Option", "Claimed", "What it changes"), map(_option_row, Option))


def _option_row(option: Option) -> tuple[str, ...]:
    basic = set(describe_rules(Profile()))
    lines = [line for line in describe_rules(Profile(frozenset({option}))) if line not in basic]
    when = "by the files in which the step ran and was checked" if option in STEPS else "by every file"
    rows = sum(option.value in row.options for row in load_table().rows)
    counted = [f"{rows} attributes of the table have an action of their own."] if rows else []
    return option.value, option.code.meaning, when, " ".join([*lines, *counted, *_STEP_WORDS.get(option, ())])


_STEP_WORDS = {
    Option.CLEAN_PIXEL_DATA: (
        "Text in the pixels is searched by a text reader in both polarities, and where it reads little, upside down "
        "and mirrored; what is the patient's, or nobody can classify, is covered, and the pixels are searched again. "
        "Files with rows of signs that it cannot read (it knows Latin and Chinese) are listed for a person and do not "
        "claim it. Segmentations are not searched.",
    ),
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: (
        "Face and ears are taken off head CT and MR where a brain mask is at hand, and their surface is checked.",
    ),
}


def _presets() -> Iterator[str]:
    yield "## Presets"
    for preset in PRESETS.values():
        codes = ", ".join(sorted(option.value for option in preset.options)) or "none"
        yield ""
        yield f"### {preset.title} (`{preset.name}`)"
        yield ""
        yield f"Options: {codes}. Dates: {preset.dates.value}. Ages: {preset.ages.value}."
        yield ""
        yield from (f"- {line}" for line in preset.explanation)


def _always() -> Iterator[str]:
    yield "## What is done under the Basic profile"
    yield ""
    yield from (f"- {line}" for line in describe_rules(Profile()))
    yield ""
    yield "After that a reader of its own searches every file that was written for each patient's identity; a file in"
    yield "which it finds some is removed and named (quarantine)."
    yield ""
    yield "What is not done without options:"
    yield ""
    yield from (f"- {line}" for line in not_done(Profile()))
    yield ""
    yield f"With 113111 the {private.count()} private attributes of PS3.15 Table E.3.10-1 are kept."


def _harbor() -> Iterator[str]:
    yield "## The 18 identifiers of HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)"
    yield ""
    yield "How the preset `hipaa-safe-harbor` meets each of them:"
    yield ""
    yield from _table(("", "Identifier", "How"), ((one.letter, one.what, one.how) for one in safe_harbor()))


def _attributes() -> Iterator[str]:
    yield "## Attributes"
    yield ""
    yield (
        "Basic and Options: as printed in the table; options marked * are ours, from their meaning. What is done: "
        "under the Basic profile, in the IOD that asks most of the attribute. Where an IOD lets it be left out (type "
        "3), compound actions remove it; type 2 ones are emptied, type 1 ones get a dummy, as far as the row allows."
    )
    yield ""
    heads = ("Tag", "Attribute", "Basic", "What is done", "Options")
    yield from _table(heads, map(_attribute_row, load_table().rows))


def _attribute_row(row: Row) -> tuple[str, ...]:
    mark = " *" if row.by_hand and row.options else ""
    options = ", ".join(f"{code} {action}" for code, action in sorted(row.options.items()))
    tag = row.tag if len(row.tag) != 8 else f"({row.tag[:4]},{row.tag[4:]})"
    return tag, row.name, row.basic, _ours(row, Profile()), options + mark


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _line(heads)
    yield _line(("---",) * len(heads))
    yield from map(_line, rows)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    write_text(DOCUMENT, markdown())
