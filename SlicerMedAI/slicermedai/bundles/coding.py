"""Codes for the names that a model gives its labels: found by exact name in fixed lists, or asked for, never guessed.

``codes/dicom.json`` holds the structures of DICOM's own lists (PS3.16 CID 7191 to 7194 and 7197), and
``codes/reviewed.json`` what was read by hand: other names for them, SNOMED CT concepts that are missing there, which
structures come in pairs, names of findings that may have a side, names that mean several structures, and names that
mean too much to be trusted.
"""

from __future__ import annotations

import colorsys
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from slicermedai.domain.codes import ANATOMY, Code, Label

CATEGORIES = {
    "anatomy": ANATOMY,
    "tissue": Code(value="85756007", scheme="SCT", meaning="Tissue"),
    "object": Code(value="260787004", scheme="SCT", meaning="Physical object"),
    "abnormal": Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure"),
    "substance": Code(value="91720002", scheme="SCT", meaning="Body Substance"),
}
"""Segmented Property Categories (PS3.16 CID 7150) of the lists."""

SIDES = {
    "left": Code(value="7771000", scheme="SCT", meaning="Left"),
    "right": Code(value="24028007", scheme="SCT", meaning="Right"),
}
"""Laterality (PS3.16 CID 244)."""

_FILLERS = {"of", "the", "and", "structure", "entire"}
_SINGULAR = {
    "vertebrae": "vertebra",
    "kidneys": "kidney",
    "ribs": "rib",
    "cartilages": "cartilage",
    "arteries": "artery",
    "tumour": "tumor",
}
_GOLDEN_ANGLE = 0.618034

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concept:
    """What a name stands for: Segmented Property Category and Type."""

    category: Code
    type: Code


def code_label(name: str, value: int) -> Label | None:
    """The coded label for ``name``, or None where no list has it, or where several concepts have that name.

    A side ("left", "right") becomes the modifier of structures that are known to come in pairs and of findings in
    such, unless the name with its side is a concept of its own. ``value`` chooses the colour alone.
    """
    words = words_of(name)
    concept, side = _only(words), None
    if concept is None:
        side = _side_in(words)
        rest = tuple(word for word in words if word != side)
        concept = _only(rest) if side else None
        if concept is None or not is_of_a_pair(rest):
            return None
    modifier = SIDES[side] if side else None
    return Label(name=name, category=concept.category, type=concept.type, modifier=modifier, color=color_of(value))


def candidates(name: str) -> tuple[Concept, ...]:
    """All concepts of that exact name, sides left out: for the question that is asked."""
    words = words_of(name)
    side = _side_in(words)
    found = _tables().concepts
    return tuple(found.get(words) or found.get(tuple(word for word in words if word != side)) or ())


def words_of(name: str) -> Words:
    """The words that tell names apart: small letters, without fillers and order ("Vertebrae_L5" is "L5 vertebra")."""
    words = re.findall(r"[a-z]+\d*|\d+", name.lower())
    plain = [_SINGULAR.get(word, word) for word in words]
    return tuple(sorted(word for word in plain if word not in _FILLERS))


def is_of_a_pair(words: Words) -> bool:
    """True for words, without a side, of structures that are known to come in pairs, and of findings in such."""
    concept = _only(words)
    return words in _tables().sided or (concept is not None and concept.type in _tables().paired)


def color_of(value: int) -> tuple[int, int, int]:
    """A colour that differs from those of the values around it: sRGB, 0 to 255."""
    parts = colorsys.hsv_to_rgb((value * _GOLDEN_ANGLE) % 1.0, 0.6 + 0.1 * (value % 4), 0.95 - 0.1 * (value % 3))
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def _only(words: Words) -> Concept | None:
    found = _tables().concepts.get(words, ())
    return found[0] if len(found) == 1 and words not in _tables().ask else None


def _side_in(words: Words) -> str | None:
    sides = [side for side in SIDES if side in words]
    return sides[0] if len(sides) == 1 else None


@dataclass(frozen=True, slots=True)
class Tables:
    """Concepts by words, types that come in pairs, words of findings that may have a side, words always asked for."""

    concepts: dict[Words, tuple[Concept, ...]]
    paired: frozenset[Code]
    sided: frozenset[Words]
    ask: frozenset[Words]


@cache
def _tables() -> Tables:
    dicom, reviewed = _read("dicom.json"), _read("reviewed.json")
    by_words: dict[Words, list[Concept]] = defaultdict(list)
    for category, scheme, code, meaning in dicom["rows"]:
        _add(by_words[words_of(meaning)], _concept(category, scheme, code, meaning))
    for category, scheme, code, meaning, others in reviewed["rows"]:
        for name in (meaning, *others):
            by_words[words_of(name)] = [_concept(category, scheme, code, meaning)]
    for name, meaning in reviewed["names"].items():
        by_words[words_of(name)] = list(by_words[words_of(meaning)])
    meant = {name: [by_words[words_of(one)][0] for one in several] for name, several in reviewed["several"].items()}
    by_words |= {words_of(name): concepts for name, concepts in meant.items()}
    paired = {concept.type for name in reviewed["paired"] for concept in by_words[words_of(name)]}
    return Tables(
        concepts={words: tuple(found) for words, found in by_words.items()},
        paired=frozenset(paired),
        sided=frozenset(words_of(name) for name in reviewed["sided"]),
        ask=frozenset(words_of(name) for name in reviewed["ask"]),
    )


def _add(found: list[Concept], concept: Concept) -> None:
    if concept not in found:
        found.append(concept)


def _concept(category: str, scheme: str, code: str, meaning: str) -> Concept:
    return Concept(category=CATEGORIES[category], type=Code(value=code, scheme=scheme, meaning=meaning))


def _read(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((Path(__file__).parent / "codes" / name).read_text(encoding="utf-8"))
    return body
