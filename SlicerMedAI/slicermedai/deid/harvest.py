"""First pass: what the table lists is read once more, as the vocabulary of what must not survive anywhere."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset

from slicermedai.deid.datasets import items_of, label_of, values_of, vr_of
from slicermedai.deid.table import Table
from slicermedai.deid.tokens import Kind, Token, fold
from slicermedai.deid.vocabulary import (
    Vocabulary,
    date_tokens,
    identifier_tokens,
    name_tokens,
    place_tokens,
    uid_tokens,
)

Maker = Callable[[str], set[Token]]

KEYWORDS = Path(__file__).with_name("identity_keywords.json")
EQUIPMENT = ("Manufacturer", "ManufacturerModelName")
_VERSIONS = frozenset({"ContextGroupVersion", "ContextGroupLocalVersion", "EffectiveDateTime"})
_PERSONS = re.compile(r"(Person|Physician|Physicians|Operator|Observer|Creator)\w*Identification\w*Sequence")
_INSTITUTIONS = re.compile(r"Institution\w*CodeSequence")


@dataclass(slots=True, eq=False)
class Harvest:
    """Tokens of one patient, gathered over all of its files."""

    table: Table
    tokens: set[Token] = field(default_factory=set)
    equipment: set[str] = field(default_factory=set)

    def add(self, dataset: Dataset, parents: tuple[str, ...] = ()) -> None:
        """Take from ``dataset``, at every depth, what the table lists and what is a name or a date by its VR."""
        for tag in list(dataset.keys()):
            if not tag >> 16 & 1:
                self._element(dataset, tag, parents)
        for parent, item in items_of(dataset):
            if parent != "PrivateAttributes":
                self.add(item, (*parents, parent))

    def vocabulary(self) -> Vocabulary:
        """What was gathered, ready to search with."""
        return Vocabulary.of(self.tokens, equipment=frozenset(self.equipment))

    def _element(self, dataset: Dataset, tag: int, parents: tuple[str, ...]) -> None:
        keyword, vr = label_of(tag), vr_of(dataset, tag)
        if vr in ("SQ", "OB", "OW", "UN") or not (dataset.get_item(tag).value):
            return
        if keyword in EQUIPMENT:
            self.equipment.update(re.findall(r"\w+", fold(" ".join(values_of(dataset, tag)))))
        make = self._maker(keyword, vr, tag, parents)
        if make is not None:
            for value in values_of(dataset, tag):
                self.tokens.update(make(value))

    def _maker(self, keyword: str, vr: str, tag: int, parents: tuple[str, ...]) -> Maker | None:
        if keyword in _by_keyword():
            return _by_keyword()[keyword]
        if vr == "UI":
            row = self.table.row(tag)
            return uid_tokens if row is not None and row.basic == "U" else None
        if vr in _BY_VR and keyword not in _VERSIONS:
            return _BY_VR[vr]
        return _of_code(keyword, parents)


def _of_code(keyword: str, parents: tuple[str, ...]) -> Maker | None:
    """Codes that stand for a person or an institution."""
    if keyword not in ("CodeValue", "LongCodeValue", "CodeMeaning"):
        return None
    meaning = keyword == "CodeMeaning"
    if any(_PERSONS.fullmatch(parent) for parent in parents):
        return name_tokens if meaning else identifier_tokens
    if any(_INSTITUTIONS.fullmatch(parent) for parent in parents):
        return place_tokens if meaning else identifier_tokens
    return None


@functools.cache
def _by_keyword() -> dict[str, Maker]:
    """How the values of listed attributes become tokens, by keyword."""
    groups = json.loads(KEYWORDS.read_text(encoding="utf-8"))
    makers: dict[str, Maker] = {
        "identifiers": identifier_tokens,
        "devices": functools.partial(identifier_tokens, kind=Kind.DEVICE),
        "places": place_tokens,
        "names": name_tokens,
    }
    return {keyword: makers[group] for group, keywords in groups.items() for keyword in keywords}


_BY_VR: dict[str, Maker] = {"PN": name_tokens, "DA": date_tokens, "DT": date_tokens}
