"""Tokens as bytes, for values of unknown meaning: in which ASCII letters are small, in every character set."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator

from slicermedai.deid.tokens import Token, fold

_ALWAYS = ("utf-8", "utf-16-le", "utf-16-be")
_CODECS = (
    *("latin-1", "iso8859_9", "iso8859_15", "iso8859_2", "iso8859_5", "iso8859_7", "cp1251", "koi8_r"),
    *("shift_jis", "euc_jp", "gb18030", "euc_kr", "big5", "tis_620"),
    *("koi8_u", "cp1250", "cp1257", "cp850", "cp852", "cp866", "mac_roman", "mac_cyrillic"),
)
_SHORTEST = 6
"""Bytes; shorter ones turn up by chance."""
_WORTH_FOR_ASCII = re.compile(rb"[0-9a-z\x80-\xff]{6}|(?:[0-9a-z]\0){6}|(?:\0[0-9a-z]){6}")


class Needles:
    """Byte strings, by their first ones."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        texts = {variant for token in tokens for variant in (token.text, fold(token.text))}
        found = {needle for text in texts for needle in _as_bytes(text)}
        self._are_ascii = all(map(str.isascii, texts))
        self._all = tuple(sorted(needle for needle in found if len(needle) >= _SHORTEST))
        self._by_start = {
            start: tuple(needles) for start, needles in itertools.groupby(self._all, lambda needle: needle[:_SHORTEST])
        }

    def stand_in(self, low: bytes) -> bool:
        """True where one of them stands in ``low``, of which ASCII letters are small.

        A short value is looked through from its side, a long one from that of the needles.
        """
        if self._are_ascii and not _WORTH_FOR_ASCII.search(low):
            return False
        if len(low) > len(self._all):
            return any(needle in low for needle in self._all)
        starts = {low[n : n + _SHORTEST] for n in range(len(low) - _SHORTEST + 1)} & self._by_start.keys()
        return any(needle in low for start in starts for needle in self._by_start[start])


def _as_bytes(text: str) -> Iterable[bytes]:
    """Of letters with marks, and of other scripts, both cases."""
    if text.isascii():
        low = text.lower()
        return [low.encode(codec) for codec in _ALWAYS]
    return _in_all_codecs(text)


def _in_all_codecs(text: str) -> Iterator[bytes]:
    for case, codec in itertools.product((text, text.upper(), text.title()), _ALWAYS + _CODECS):
        with contextlib.suppress(UnicodeEncodeError):
            yield case.encode(codec).lower()
