"""Words of medicine and imaging: a part of somebody's name that is one of them is one of them."""

from __future__ import annotations

import functools
import json
from pathlib import Path

DATA = Path(__file__).with_name("clinical_words.json")
_OTHERS = (
    "stuck struck check black block clock crack knock quick shock slick stack stick stock thick track trick "
    "attack feedback unlock fractures fractured bruise bruised swollen bleeding dizzy nausea vomiting cough fever "
    "chills limping painful painless tender stiff unstable healed healing worse worsened better improved "
    "unchanged resolved suspected probable possible likely unlikely rule ruled before after during between within "
    "without against please repeat repeated compare compared previous earlier later today yesterday tomorrow "
    "morning evening night urgent routine elective planned cancelled patient patients walking lying sitting "
    "standing turned rotated tilted artefact artefacts motion blurred grainy noisy sharp faint bright darker "
    "lighter thicker thinner"
)


def is_clinical(word: str) -> bool:
    """True for such a word, in small letters."""
    return word in _words()


def stands_in_a_word(letters: str) -> bool:
    """True where small ``letters`` are such a word, or a part of one."""
    return letters in _all_words()


def begins_a_word(letters: str) -> bool:
    """True where such a word begins with small ``letters``, or is them."""
    return f" {letters}" in f" {_all_words()}"


@functools.cache
def _all_words() -> str:
    return " ".join(sorted(_words()))


@functools.cache
def _words() -> frozenset[str]:
    said = json.loads(DATA.read_text(encoding="utf-8"))
    return frozenset(word for words in said.values() for word in words.split()) | frozenset(_OTHERS.split())
