"""Which burned-in words are known annotations, and which words announce identity."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from slicermedai.deid.pixels.fuzzy import canonical, within
from slicermedai.deid.tokens import fold

ANNOTATIONS = Path(__file__).with_name("annotations.json")
_COMMON_WORDS = Path(__file__).parents[1] / "common_words.json"
_SHARED = ("scanners", "anatomy", "acquisition")
_CHUNK = re.compile(r"[a-z]+|[0-9]+(?:[.,:/][0-9]+)*", re.ASCII)
_YEAR = re.compile(r"(?:19[0-9]{2}|20[0-4][0-9])")

# Words after which a person's data stand: English, German, French, Spanish, Italian, Dutch, Portuguese.
_LABELS = (
    r"(?:patient|pat|pt|patienten|paciente|paziente)?(?:s)? ?(?:last|first|full|family|given)? ?names?",
    r"(?:patient|pat|pt|study|exam|accession|acc|visit|case|medical record|insurance|hospital|national|film)"
    r" ?(?:id|nr|no|num|number|nummer)",
    r"patient|patientin|paciente|paziente|patienten ?nummer|pid|mrn|urn|ssn|nhs(?: ?no)?|upn|id|accession|acc|acsn",
    r"d\.?o\.?b|date ?of ?birth|birth ?date|birth|born|geb(?:oren|\. ?dat(?:um)?|urtsdatum|datum)?|naissance"
    r"|ne ?le|nee ?le|nacimiento|fecha|nato|nata|nascita",
    r"nachname|vorname|nom|prenom|nombres?|apellidos?|cognome|nome|naam|voornaam|sobrenome|surname|forename",
    r"sex|gender|geschlecht|sexe|sexo|sesso|age|alter|edad|eta|weight|gewicht",
    r"(?:ref(?:erring)?|req(?:uesting)?|att(?:ending)?|perf(?:orming)?|reading|ordering)\.? ?"
    r"(?:phys(?:ician)?|dr|doctor|md|by)?",
    r"dr|doctor|doktor|arzt|physician|phys|radiologist|sonographer|technologist|technician|tech|operator|oper|op"
    r"|performed ?by|reported ?by|scanned ?by|user|observer|mta|mtra",
    r"hospital|clinic|institution|inst|institute|department|dept|station|facility|site|ward|room",
    r"address|addr|adresse|street|phone|tel|telephone|telefon|mobile|fax|e-?mail|mail",
    r"(?:study|exam|acq(?:uisition)?|series|scan|image)? ?(?:date|datum)|time|uhrzeit|study ?time|exam ?time",
)
_NEEDS_COLON = (
    "id op inst site room ref req att perf reading ordering mobile time acc user mail eta weight pt pat tech age sex"
    " nom dr nome ward date station patient birth"
)
_NUMBERED = ("id", "acc")
_INSTITUTIONS = (
    "hospital klinik klinikum clinic clinica hopital ospedale ziekenhuis krankenhaus universitatsklinikum"
    " universitaetsklinikum infirmary university universitat universite universidad universita sanatorium hospice"
    " medical radiology radiologie praxis institute institut"
)


def _pattern(source: str) -> str:
    """The expression of a label over canonical text: each run of letters is made canonical."""
    return re.sub(r"(?<![\\a-z])[a-z]+", lambda match: canonical(match.group()), source).replace(" ?", r"[\s.]*")


LABEL = re.compile(rf"(?<![a-z])(?P<label>{'|'.join(f'(?:{_pattern(label)})' for label in _LABELS)})(?![a-z])")
_COLON = re.compile(r"\s*(?:[:#=.;]|n[or]\b)")


def needs_colon(label: str) -> bool:
    """True for short or ambiguous labels, which count only before a colon."""
    return label.strip() in {canonical(word) for word in _NEEDS_COLON.split()}


def announces_number(label: str) -> bool:
    """True for short labels that count before a number of four digits too."""
    return label.strip() in {canonical(word) for word in _NUMBERED}


@functools.cache
def institutions() -> frozenset[str]:
    """Canonical words that make the line around them the name of an institution."""
    return frozenset(canonical(word) for word in _INSTITUTIONS.split())


@functools.cache
def known_words() -> frozenset[str]:
    """Words of annotations, folded."""
    ours = json.loads(ANNOTATIONS.read_text(encoding="utf-8"))
    shared = json.loads(_COMMON_WORDS.read_text(encoding="utf-8"))
    groups = [*ours.values(), *(shared[name] for name in _SHARED)]
    return frozenset(word for group in groups for word in re.findall(r"[a-z]+", fold(group)))


@functools.cache
def _canonical_words() -> frozenset[str]:
    return frozenset(canonical(word) for word in known_words())


_PROJECTIONS = frozenset({"ap", "pa", "ll", "rl"})


def is_known_word(chunk: str) -> bool:
    """True for a folded word of annotations, as a reader may have confused its letters."""
    return chunk in known_words() or canonical(chunk) in _canonical_words()


def is_annotation(text: str) -> bool:
    """True where a burned-in word is a known annotation: a number with or without a unit, a known word, a mark."""
    return all(known_characters(fold(text), ()))


def known_characters(text: str, breaks: Sequence[int], *, after_word: bool = False) -> list[bool]:
    """For each character of folded ``text`` whether it belongs to a known annotation.

    Parameters
    ----------
    breaks:
        Where gaps lie that may be spaces: a known word between two of them counts by itself, a short piece does not,
        but for a projection among known words.
    after_word:
        A known word stands before it, so that a number like 1995 need be no year.
    """
    if is_known_word(re.sub(r"[^a-z0-9]", "", text)):
        return [True] * len(text)
    known = [not character.isalnum() for character in text]
    if _YEAR.fullmatch(text.strip("()[]:;,.")) and not after_word:
        return known
    for chunk in _CHUNK.finditer(text):
        start, stop = chunk.span()
        numbered = start > 0 and text[start - 1].isdigit()
        if _known_chunk(chunk.group()) or (numbered and _unit_and_word(chunk.group())):
            known[start:stop] = [True] * (stop - start)
            continue
        edges = [start, *(place for place in breaks if start < place < stop), stop]
        for left, right in _known_pieces(text, edges):
            known[left:right] = [True] * (right - left)
    return known


def _known_pieces(text: str, edges: Sequence[int]) -> list[tuple[int, int]]:
    """Known words between two edges, and projections (AP) where all other pieces are known words."""
    pieces = list(pairwise(edges))
    words = [(a, b) for a, b in pieces if b - a >= 3 and text[a].isalpha() and _known_chunk(text[a:b])]
    rest = [(a, b) for a, b in pieces if (a, b) not in words]
    return pieces if words and all(text[a:b] in _PROJECTIONS for a, b in rest) else words


def _known_chunk(chunk: str) -> bool:
    if chunk[0].isdigit():
        return max(map(len, re.findall("[0-9]+", chunk))) <= 4
    return len(chunk) <= 2 or is_known_word(chunk) or _two_words(chunk) or _nearly_known(chunk)


def _unit_and_word(chunk: str) -> bool:
    """What follows a number: a unit and a known word whose space was lost."""
    sizes = range(2, min(len(chunk), 7))
    return any(chunk[:n] in _units() and (len(chunk) - n <= 2 or is_known_word(chunk[n:])) for n in sizes)


@functools.cache
def _units() -> frozenset[str]:
    return frozenset(json.loads(ANNOTATIONS.read_text(encoding="utf-8"))["units"].split())


@functools.lru_cache(maxsize=4096)
def _two_words(chunk: str) -> bool:
    """Two known words whose space was lost, or a longer one and a projection."""
    words = known_words()
    if chunk[-2:] in _PROJECTIONS and len(chunk) >= 7 and chunk[:-2] in words:
        return True
    return any(chunk[:n] in words and (chunk[n:] in words or _two_words(chunk[n:])) for n in range(3, len(chunk) - 2))


@functools.lru_cache(maxsize=4096)
def _nearly_known(chunk: str) -> bool:
    if len(chunk) < 6:
        return False
    near = (word for word in known_words() if abs(len(word) - len(chunk)) <= 1 and len(word) >= 6)
    return any(within(canonical(word), canonical(chunk), 1) for word in near)


def colon_follows(text: str, position: int) -> bool:
    """True where a colon or its like stands at ``position`` of ``text``."""
    return _COLON.match(text, position) is not None
