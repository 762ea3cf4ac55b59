"""PS3.15 Table E.1-1 as data: what the Basic profile does with each attribute, at every depth."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("e1_1.json")

_CURVES, _OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)
_NEEDED = frozenset({"PresentationCreationDate", "PresentationCreationTime"})
_PRESENTATIONS = "1.2.840.10008.5.1.4.1.1.11."
"""The table removes them, and presentation states are not valid without: there they get a dummy (PS3.3 C.11.10)."""
_VALID = {
    "ResponsiblePerson": "Z",  # of both: may be empty and, for an animal, may not be absent (PS3.3 C.7.1.1)
    "ResponsibleOrganization": "Z",
    "ClinicalTrialProtocolEthicsCommitteeName": "X",  # stands for the approval number alone, which goes (C.7.1.3)
}
"""Removed by the table, or replaced, in a way that would leave the module invalid; no value stays in either way."""
RETAINING = frozenset({"113106", "113108", "113109", "113110", "113112"})
"""Codes of the options that keep values as they are."""
_PREFERENCE = {"1": "DZX", "2": "ZDX", "3": "XZD"}


class Action(str, Enum):
    """Action codes of PS3.15 Table E.1-1a, after compound ones have been resolved."""

    REMOVE = "X"
    ZERO = "Z"
    DUMMY = "D"
    KEEP = "K"
    CLEAN = "C"
    UID = "U"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attribute of the table.

    Parameters
    ----------
    tag:
        Eight hexadecimal digits; "50xxxxxx", "60xx3000", "60xx4000" and "private" for the rows with wildcards.
    basic:
        Action of the Basic profile as printed, compound ones such as "X/Z/D" included.
    options:
        Action by option code ("113107").
    edition:
        Edition of PS3.15 that the row was taken from.
    by_hand:
        True where the options are ours, from their meaning, because the source has the Basic action alone.
    """

    tag: str
    name: str
    keyword: str
    basic: str
    options: Mapping[str, str]
    edition: str
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The table of one edition, with the attribute types that decide compound actions."""

    edition: str
    newer: str
    rows: tuple[Row, ...]
    by_tag: Mapping[int, Row]
    wildcards: Mapping[str, Row]
    types: Mapping[str, Mapping[str, Any]]
    sop_classes: Mapping[str, int]

    @property
    def title(self) -> str:
        """The edition as people read it."""
        return f"PS3.15 Table E.1-1, edition {self.edition} (with the rows new in {self.newer}, their options by hand)"

    @property
    def short_title(self) -> str:
        """The edition within the 64 characters of VR LO."""
        return f"PS3.15 E.1-1 {self.edition}, Basic, with rows new in {self.newer}"

    def row(self, tag: int) -> Row | None:
        """The row that covers ``tag``, or None. Whole curve and overlay groups are covered by their rows."""
        group = tag >> 16
        if group & 1:
            return self.wildcards["private"]
        if group in _CURVES:
            return self.wildcards["50xxxxxx"]
        if group in _OVERLAYS:
            return self.wildcards["60xx4000" if tag & 0xFFFF == 0x4000 else "60xx3000"]
        return self.by_tag.get(tag)

    def option_action(self, tag: int, options: frozenset[str]) -> Action | None:
        """KEEP or CLEAN where one of the ``options`` (codes) says so; None where the Basic profile's action stands."""
        row = self.row(tag)
        cells = {row.options[code] for code in options if code in row.options} if row else set()
        return Action.KEEP if "K" in cells else Action.CLEAN if "C" in cells else None

    def retained(self, tag: int, options: frozenset[str]) -> bool:
        """True where the value itself stays because an option retains it: then it is no identity to be searched for."""
        action = self.option_action(tag, options & RETAINING)
        return action is not None

    def action(self, tag: int, *, sop_class: str, parent: str = "") -> Action | None:
        """What the Basic profile does with ``tag``; None where the table does not list it.

        Compound actions follow the attribute's type in the IOD (PS3.15 E.3.1): type 1 gets a dummy, type 2 is
        emptied, type 3 is removed, as far as the row allows; ``U*`` keeps the references with new UIDs.

        Parameters
        ----------
        sop_class:
            SOP Class UID of the instance.
        parent:
            Keyword of the sequence that the attribute lies in, "" at the top level.
        """
        return _action(self, tag, sop_class, parent)

    def decided(self, tag: int, sop_class: str, parent: str) -> Action | None:
        """What :meth:`action` remembers."""
        row = self.row(tag)
        if row is None:
            return None
        if row.keyword in _NEEDED and sop_class.startswith(_PRESENTATIONS):
            return Action.DUMMY
        choices = _VALID.get(row.keyword, row.basic).split("/")
        if "U*" in choices:
            return Action.UID
        if len(choices) == 1:
            return Action(choices[0])
        kind = self._type(row.keyword, sop_class, parent)
        return Action(next(code for code in _PREFERENCE[kind] if code in choices))

    def _type(self, keyword: str, sop_class: str, parent: str) -> str:
        """Type "1", "2" or "3"; the strictest that is known where IOD or parent are not known."""
        known = self.types[keyword]
        if parent:
            inside: Mapping[str, str] = known["inside"]
            return inside.get(parent, min(inside.values(), default="3"))
        number = self.sop_classes.get(sop_class)
        return next((k for k in "12" if (number in known["top"][k] if number is not None else known["top"][k])), "3")


@functools.lru_cache(maxsize=1 << 16)
def _action(table: Table, tag: int, sop_class: str, parent: str) -> Action | None:
    return table.decided(tag, sop_class, parent)


@functools.cache
def load_table() -> Table:
    """The table that ships with this library."""
    body = json.loads(DATA.read_text(encoding="utf-8"))
    rows = tuple(Row(**row) for row in body["rows"])
    wild = {row.tag: row for row in rows if "x" in row.tag or row.tag == "private"}
    return Table(
        edition=body["edition"],
        newer=body["newer"],
        rows=rows,
        by_tag={int(row.tag, 16): row for row in rows if row.tag not in wild},
        wildcards=wild,
        types=body["types"],
        sop_classes={uid: number for number, uid in enumerate(body["sop_classes"])},
    )
