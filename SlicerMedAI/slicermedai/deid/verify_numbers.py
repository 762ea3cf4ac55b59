"""Numbers of a patient whose digits are grouped otherwise than in the header, for the verifier: telephones above all.

The verifier's own code: each number that stands in a text without all that parts its digits is looked for again as it
may be parted, by an expression of its own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from slicermedai.deid.short_numbers import is_fraction
from slicermedai.deid.tokens import Kind, Token, fold

_PARTS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"[0-9]")
_BETWEEN = r"[\W_]{0,3}"
_LEAST, _LEAST_DIGITS = 7, 5


class PartedNumbers:
    """Identifiers and numbers of devices among ``tokens``: of seven letters and digits or more, five of them digits."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        texts = (_PARTS.sub("", fold(t.text)) for t in tokens if t.kind in (Kind.IDENTIFIER, Kind.DEVICE))
        self._numbers = tuple(sorted({text for text in texts if _is_long(text)}, key=lambda text: (len(text), text)))

    def place_in(self, text: str) -> int:
        """Where the first of them that is found begins in folded ``text``; -1 where none is."""
        if not self._numbers or len(_DIGITS.findall(text)) < _LEAST_DIGITS:
            return -1
        joined = _PARTS.sub("", text)
        for number in self._numbers:
            if number in joined:
                for found in _parted(number).finditer(text):
                    if not is_fraction(text, *found.span()):
                        return found.start()
        return -1


def _is_long(text: str) -> bool:
    return len(text) >= _LEAST and len(_DIGITS.findall(text)) >= _LEAST_DIGITS


@functools.lru_cache(maxsize=512)
def _parted(number: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9]){_BETWEEN.join(map(re.escape, number))}(?![0-9])")
