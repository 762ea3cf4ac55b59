"""Streets and postal codes: an address has one form of them, and texts have others."""

from __future__ import annotations

import re
from collections.abc import Iterable

_STREETS = tuple(
    (re.compile(rf"(?<=[^\W\d_]{{3}})(?:{kinds})$"), forms)
    for kinds, forms in (
        ("stra(?:ss|ß)e|straat", ("str", "-str", " str")),
        ("platz|plein|plads|plass", ("pl.", "-pl.", " pl.")),
        ("weg", ("w.",)),
        ("allee", ("al.", "-al.")),
        ("laan", ("ln.",)),
        ("gatan|gata|gade|gasse", ("g.",)),
        ("vägen|vagen|vej|vei|veien", ("v.",)),
    )
)
"""What a street is called, and what is written in its place."""
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
_POSTAL = re.compile(
    rf"{_START}(?:([a-z]{{1,2}}[0-9][a-z0-9]?)[ -]?([0-9][a-z]{{2}})"  # the United Kingdom
    r"|([a-z][0-9][a-z])[ -]?([0-9][a-z][0-9])"  # Canada
    r"|([1-9][0-9]{3}) ?([a-z]{2})"  # the Netherlands
    rf"|([0-9]{{2,5}})-([0-9]{{3,4}})){_END}"  # Poland, Portugal, Japan, Brazil, the United States
)


def abbreviated(words: Iterable[str]) -> set[str]:
    """The streets among ``words`` (lower case), as people shorten them ("kastanienstr" of "kastanienstraße")."""
    return {
        word[: match.start()] + form
        for word in words
        for kind, forms in _STREETS
        if (match := kind.search(word))
        for form in forms
    }


def postal_codes(text: str) -> set[str]:
    """The postal codes of two parts in an address (lower case), parted in every way; of digits alone in one word."""
    found: set[str] = set()
    for match in _POSTAL.finditer(text):
        first, second = filter(None, match.groups())
        marks = ("", "-") if (first + second).isdigit() else ("", "-", " ")
        found.update(f"{first}{mark}{second}" for mark in marks)
    return found
