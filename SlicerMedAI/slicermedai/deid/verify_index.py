"""Many tokens at once, for the verifier: nothing is compiled for a patient, and most of a value is passed over."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any, AnyStr, Generic

import numpy as np
from numpy.typing import NDArray

from slicermedai.deid.short_numbers import is_fraction
from slicermedai.deid.terms import is_in_term
from slicermedai.deid.tokens import inside_common_word, is_masked

_LONG = 4096
_START, _SHORT_START = 4, 2


class Index(Generic[AnyStr]):
    """Strings (or byte strings), by their first four letters, or two.

    Parameters
    ----------
    forms:
        (what may not stand before, the text, what may not stand after).
    """

    def __init__(self, forms: Iterable[tuple[AnyStr, AnyStr, AnyStr]]) -> None:
        self._by_start: dict[AnyStr, list[tuple[AnyStr, re.Pattern[AnyStr] | None, re.Pattern[AnyStr] | None]]] = {}
        for left, text, right in forms:
            start = text[: _START if len(text) >= _START else _SHORT_START]
            entry = (text, _edge(left) if left else None, _edge(right) if right else None)
            self._by_start.setdefault(start, []).append(entry)
        for entries in self._by_start.values():
            entries.sort(key=lambda entry: (-len(entry[0]), entry[0]))

    def search(self, value: AnyStr) -> tuple[int, AnyStr] | None:
        """(position, what stands there) of the first one, or None."""
        starts = self._by_start
        for place in range(len(value) - 1):
            if value[place : place + _START] in starts or value[place : place + _SHORT_START] in starts:
                found = self.at(value, place)
                if found is not None:
                    return place, found
        return None

    def at(self, value: AnyStr, position: int) -> AnyStr | None:
        """What stands at ``position``, between edges where it may, and not as a part of a common word."""
        for size in (_START, _SHORT_START):
            for text, left, right in self._by_start.get(value[position : position + size], ()):
                if not value.startswith(text, position):
                    continue
                end = position + len(text)
                apart = not left or left.match(value, position) or is_masked(value, position, before=True)
                apart = apart and (not right or right.match(value, end) or is_masked(value, end, before=False))
                if apart and not _is_part_of_common_word(value, position, end):
                    return text
        return None


class Needles(Index[bytes]):
    """Byte strings. Long values are first looked through for pairs of bytes, by two tables of 65,536 entries.

    Whatever is long enough covers two pairs side by side that begin at a multiple of four, or of two: others need not
    be looked at.
    """

    def __init__(self, forms: set[tuple[bytes, bytes, bytes]]) -> None:
        super().__init__(forms)
        shortest = min((len(text) for _, text, _ in forms), default=0)
        self._stride = 4 if shortest >= 7 else 2 if shortest >= 5 else 1
        self._is_short = shortest < _START
        self._first, self._second = np.zeros(65536, dtype=bool), np.zeros(65536, dtype=bool)
        for _, text, _ in forms:
            for shift in range(self._stride):
                self._first[int.from_bytes(text[shift : shift + 2], "little")] = True
                self._second[int.from_bytes(text[shift + 2 : shift + 4], "little")] = True
        if self._is_short:  # of what is shorter than two pairs, the second pair may be any
            self._second[:] = True

    def search(self, value: bytes) -> tuple[int, bytes] | None:
        """(position, what stands there) of the first one, or None."""
        if len(value) < _LONG:
            return super().search(value)
        for place in sorted(set(self._candidates(value))):
            found = self.at(value, place)
            if found is not None:
                return place, found
        return None

    def _candidates(self, value: bytes) -> Iterator[int]:
        for odd in (0, 1) if self._stride == 1 else (0,):
            pairs = np.frombuffer(value, dtype="<u2", offset=odd, count=(len(value) - odd) // 2)
            for place in self._pairs(pairs):
                yield from (start for shift in range(self._stride) if (start := 2 * int(place) + odd - shift) >= 0)

    def _pairs(self, pairs: NDArray[Any]) -> NDArray[Any]:
        """Where two pairs that count stand side by side; of short needles the last one may stand alone."""
        step = max(self._stride // 2, 1)
        places = np.flatnonzero(self._first.take(pairs[::step])) * step
        followed = places[places < len(pairs) - 1]
        wanted = followed[self._second.take(pairs[followed + 1])]
        return np.concatenate((wanted, places[len(followed) :])) if self._is_short else wanted


@functools.lru_cache(maxsize=256)
def _edge(pattern: AnyStr) -> re.Pattern[AnyStr]:
    return re.compile(pattern)


def _is_part_of_common_word(value: AnyStr, start: int, end: int) -> bool:
    """The guards of :func:`inside_common_word`, :func:`is_in_term` and :func:`is_fraction`, also in bytes of one
    character each."""
    word = value[start:end]
    if not (word.isalpha() or (word.isdigit() and word[:1] in ("0", b"0"))):
        return False
    first = max(0, start - 32)
    around = value[first : end + 32]
    text = around if isinstance(around, str) else around.decode("latin-1")
    place = (start - first, end - first)
    if word.isdigit():
        return is_fraction(text, *place)
    return inside_common_word(text, *place) or is_in_term(text.lower(), *place)
