"""Tokens of an identity: what is searched for, where, and with which neighbours it does not count."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from enum import Enum
from pathlib import Path
from typing import AnyStr, NamedTuple

from slicermedai.deid.clinical import begins_a_word, is_clinical

COMMON_WORDS = Path(__file__).with_name("common_words.json")
_HAN = (  # traditional and simplified characters of family names
    "張张陳陈劉刘楊杨黃黄趙赵吳吴孫孙馬马羅罗鄭郑謝谢許许鄧邓馮冯蕭萧葉叶蘇苏盧卢蔣蒋賈贾閻阎鍾钟譚谭陸陆範范韋韦鄒邹龍龙"
    "顧顾萬万賀贺錢钱湯汤嚴严龔龚歐欧陽阳呂吕餘余戴戴諸诸聞闻東东門门馬马衛卫魯鲁喬乔齊齐寧宁麗丽華华偉伟國国強强傑杰曉晓"
    "軍军紅红蘭兰鳳凤靜静玲玲雲云夢梦婭娅榮荣貴贵學学義义愛爱澤泽慶庆飛飞輝辉潔洁嬌娇賢贤勝胜樹树濤涛寶宝堅坚莊庄團团"
)
_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"}
    | {"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه"}
    | dict(zip(_HAN[::2], _HAN[1::2], strict=True))
)
_TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMBER_VRS = frozenset({"AS", "DA", "DS", "DT", "IS", "TM", "UI"})
_SMALL = 1024
_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_LETTERS = re.compile(r"[^\W\d_]")
_UNSEEN = frozenset("\u200b\u200c\u200d\u2060\ufeff")
"""Characters without width, which systems leave between letters."""


class Scope(str, Enum):
    """What kind of value is searched: chance hits are likelier in numbers and bytes than in text.

    PIXELS are those without compression. Noise between the codes of "a" and "z" spells six given letters about once
    in 10^10 places, which one series has; eight letters take 10^14.
    """

    TEXT = "text"
    NUMBER = "number"
    BINARY = "binary"
    PIXELS = "pixels"

    __hash__ = str.__hash__  # that of Enum is a call in Python, for every look-up by a scope


def scope_of(vr: str, length: int) -> Scope:
    """The scope of a value of ``length`` bytes; small values of unknown kind count as text."""
    if vr in _TEXT_VRS or (vr == "UN" and length <= _SMALL):
        return Scope.TEXT
    return Scope.NUMBER if vr in _NUMBER_VRS else Scope.BINARY


class Kind(str, Enum):
    """Where a token comes from."""

    NAME = "name"
    SURNAME = "family name"
    IDENTIFIER = "identifier"
    DEVICE = "device"
    PLACE = "place"
    DATE = "date"
    UID = "UID"

    __hash__ = str.__hash__  # as above: sets of tokens hash theirs


class Token(NamedTuple):
    """A piece of identity; ``text`` is lower case, with its diacritics.

    One of kind SURNAME is also a common word, and found by :mod:`slicermedai.deid.surnames` as names are written.
    """

    text: str
    kind: Kind

    def searched_in(self, scope: Scope) -> bool:
        """True where a hit in a value of that scope is no accident."""
        if scope is Scope.TEXT or self.kind is Kind.SURNAME:
            return scope is Scope.TEXT
        size = len(self.text)
        if self.kind is Kind.UID:
            return scope is Scope.NUMBER or size >= 16
        if scope is Scope.PIXELS:
            return size >= (10 if self.text.isdigit() else 8)
        if self.text.isdigit():
            return size >= 8
        if scope is Scope.NUMBER:
            return self.kind is not Kind.DATE
        return size >= 6 or len(self.text.encode("utf-8", "surrogateescape")) >= 6

    @property
    def is_phrase(self) -> bool:
        """True for words of a name with something between them: it ends where its last word ends."""
        return self.kind is Kind.NAME and not self.text.isalnum()

    @property
    def edges(self) -> tuple[str, str]:
        """Regular expressions for what may not stand before and after; empty for tokens that are long enough."""
        if self.kind is Kind.UID:
            return r"(?<![0-9.])", r"(?!\.?[0-9])"
        if self.text.isdigit() or self.kind is Kind.DATE:
            return ("", "") if self.text.isdigit() and len(self.text) >= 8 else (r"(?<![0-9])", r"(?![0-9])")
        if not self.text.isascii() or (len(self.text) >= 6 and not self.is_phrase):
            return "", ""
        inner = "a-z0-9" if any(c.isdigit() for c in self.text) else "a-z"
        return rf"(?<![{inner}])", rf"(?![{inner}])"


def fold(text: str) -> str:
    """``text`` in lower case without diacritics."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text))


def fold_with_positions(text: str) -> tuple[str, list[int]]:
    """(folded text, index in ``text`` of every folded character)."""
    pieces = [_fold_character(character) for character in text]
    return "".join(pieces), [n for n, piece in enumerate(pieces) for _ in piece]


@functools.lru_cache(maxsize=65536)
def _fold_character(character: str) -> str:
    if character in _UNSEEN:
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:  # of other scripts too
        return str(digit)
    plain = unicodedata.normalize("NFKD", character.casefold().translate(_UNDECOMPOSED)).translate(_HIRAGANA)
    return "".join(c for c in plain if not unicodedata.combining(c))


@functools.cache
def _groups() -> dict[str, frozenset[str]]:
    groups = json.loads(COMMON_WORDS.read_text(encoding="utf-8"))
    return {name: frozenset(words.split()) for name, words in groups.items()}


@functools.cache
def common_words() -> frozenset[str]:
    """Words of anatomy, scanners, hospitals and DICOM itself, and surnames that are words: never searched alone."""
    return frozenset().union(*(words for name, words in _groups().items() if name != "services"))


def is_short_for_a_word(letters: str) -> bool:
    """True where a common or clinical word begins with small ``letters``, or is them."""
    return begins_a_word(letters) or f" {letters}" in _commonly()


@functools.cache
def _commonly() -> str:
    return " ".join(("", *sorted(common_words())))


@functools.cache
def service_words() -> frozenset[str]:
    """Words of departments, treatments and rooms: they tell no place and no device from others, and may be names."""
    return _groups()["services"]


@functools.cache
def everyday_names() -> frozenset[str]:
    """Months, and words of streets and towns, after which departments are called."""
    return _groups()["names of departments"]


@functools.cache
def common_surnames() -> frozenset[str]:
    """The common words that are better known as names of people (Smith, Brown), and eponyms."""
    return _groups()["surnames"] | eponyms()


def eponyms() -> frozenset[str]:
    """Names of people that mostly stand for diseases, signs and units (Crohn, Hounsfield)."""
    return _groups()["eponyms"]


@functools.cache
def protocol_words() -> frozenset[str]:
    """The common words of which descriptions of series are made: two of them side by side are no name."""
    wanted = ("acquisition", "sequences", "lateralities", "dicom", "scanners")
    groups = [words for name, words in _groups().items() if name in wanted or name.startswith("anatomy")]
    return frozenset().union(*groups) - _groups()["titles"]


@functools.cache
def technical_words() -> frozenset[str]:
    """The common words that no capital letter makes a name of."""
    return common_words() - common_surnames()


def is_masked(text: AnyStr, position: int, *, before: bool) -> bool:
    """True where a mask ends (or begins) at ``position`` of folded ``text``: what touches it is a word of its own."""
    beside = text[max(0, position - 3) : position] if before else text[position : position + 3]
    return beside in ("xxx", b"xxx")


def inside_common_word(text: str, start: int, end: int) -> bool:
    """True where what was found in folded ``text`` is only a part of a longer common word ("bright" in "BrightSpeed").

    Searching and verifying share this guard, so that they agree on what is identity.
    """
    first, last = start, end
    while first and _LETTERS.match(text[first - 1]):
        first -= 1
    while last < len(text) and _LETTERS.match(text[last]):
        last += 1
    word = text[first:last]
    return (first, last) != (start, end) and (word in common_words() or is_clinical(word))
