"""Terms of medicine that hold somebody's name: "Bennett fracture", "Gross tumor volume", "foramen of Monro".

A name is a part of one where the word beside it makes it one, and else it is a name. Searching and verifying share
this, so that they agree on what is identity.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

TERMS = Path(__file__).with_name("eponym_terms.json")
_FOLLOWING = re.compile(r"(?:['\u2019]?s)?[ -]([^\W_]+)")
_GRADE = re.compile(r"[0-9]{1,2}[a-f]?|i{1,3}[a-f]?|i?v[a-f]?|vi{1,3}")
_OF = re.compile(r"([^\W\d_]+)(?: of (?:the )?| )$")
_BEFORE = 32


def is_in_term(folded: str, start: int, end: int) -> bool:
    """True where ``folded[start:end]`` is a name as a part of a term."""
    word, known = folded[start:end], _known()
    nouns = known["nouns"].get(word)
    if nouns is not None:
        following = _FOLLOWING.match(folded, end)
        if following and (following[1] in nouns or ("#" in nouns and _GRADE.fullmatch(following[1]))):
            return True
    before = folded[max(0, start - _BEFORE) : start]
    if word in known["before"] and before.endswith(known["before"][word]):
        return True
    if word not in known["of"] or " of " not in before:
        return False
    what = _OF.search(before)
    return what is not None and what[1] in known["of what"]


def is_also_a_term(word: str) -> bool:
    """True for family names that stand for a disease, a sign, a place or a firm as well."""
    known = _known()
    return word in known["nouns"] or word in known["of"] or word in known["places"]


@functools.cache
def _known() -> dict[str, Any]:
    said = json.loads(TERMS.read_text(encoding="utf-8"))
    return {
        "nouns": {name: frozenset(nouns.split()) for name, nouns in said["followed_by"].items()},
        "before": {name: tuple(marks.split(" ")) for name, marks in said["preceded_by"].items()},
        "of": frozenset(said["of"].split()),
        "of what": frozenset(said["of_what"].split()),
        "places": frozenset(said["also_places_and_firms"].split()),
    }
