"""Where in the body things lie, coarsely: what an image shows and what a model was made for can be held together.

Terms are those of Body Part Examined (DICOM PS3.16 annex L), structures those of DICOM's lists of anatomy. Seven
regions: head, neck, chest, abdomen, pelvis, leg, arm; each lies beside one or two others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from slicermedai.domain.codes import Label

Regions = frozenset[str]
NONE: Regions = frozenset()
_FROM_ABOVE = ("head", "neck", "arm", "chest", "abdomen", "pelvis", "leg")
_SILENT = {"AND", "THE", "OF", "WITH", "WITHOUT", "WO", "W", "O", "LEFT", "RIGHT", "UPPER", "LOWER", "CONTRAST"}
_ALSO = {
    "THORAX": "CHEST",
    "THORACIC": "CHEST",
    "ABD": "ABDOMEN",
    "ABDOMINAL": "ABDOMEN",
    "PELV": "PELVIS",
    "PELVIC": "PELVIS",
    "CHESTABDOMENPELVIS": "CHESTABDPELVIS",
    "NECKCHESTABDOMENPELVIS": "NECKCHESTABDPELV",
    "CAP": "CHESTABDPELVIS",
    "ENTIREBODY": "WHOLEBODY",
    "CERVICALSPINE": "CSPINE",
    "THORACICSPINE": "TSPINE",
    "LUMBARSPINE": "LSPINE",
}


def regions_of_term(text: str) -> Regions:
    """Where what ``text`` names lies: a term as DICOM or as people write it; empty where it is not known."""
    words = re.findall(r"[A-Z]+", text.upper())
    whole = _term("".join(words)) or _term("".join(word for word in words if word not in _SILENT))
    if whole:
        return whole
    parts = [_term(word) for word in words if word not in _SILENT]
    return frozenset().union(*parts) if parts and all(parts) else NONE


def regions_of_labels(labels: Iterable[Label]) -> Regions:
    """Where the structures lie that coded labels name; those that are not known are left out."""
    known = [frozenset(_table()["structures"].get(label.type.meaning.lower(), ())) for label in labels]
    return frozenset().union(*known)


def apart(one: Regions, other: Regions) -> int:
    """How many steps from region to region lie between two sets: 0 where they meet."""
    steps, reached = 0, set(one)
    while not reached & other and steps < len(_neighbours()):
        reached |= {next_one for place in reached for next_one in _neighbours()[place]}
        steps += 1
    return steps


def listed(regions: Regions) -> str:
    """The regions in words, from above: "head, neck and chest"; "" for none."""
    names = sorted(regions, key=_FROM_ABOVE.index)
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _term(word: str) -> Regions:
    for name in (word, word.removesuffix("S")):
        found = _table()["terms"].get(_ALSO.get(name, name))
        if found:
            return frozenset(found)
    return NONE


@cache
def _neighbours() -> dict[str, Regions]:
    pairs = [*_table()["beside"], *(reversed(pair) for pair in _table()["beside"])]
    found: dict[str, set[str]] = {}
    for one, other in (tuple(pair) for pair in pairs):
        found.setdefault(one, set()).add(other)
    return {name: frozenset(beside) for name, beside in found.items()}


@cache
def _table() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((Path(__file__).parent / "codes" / "body_parts.json").read_text("utf-8"))
    return made
