"""Names in other letters: Cyrillic, Greek and kana as people write them in Latin letters, and their inflected forms.

There is no one way: passports, libraries and languages differ, so that a word has several spellings. Hangul, Hebrew,
Arabic, Thai and ideographs are not spelt out; of them PN values mostly bring a Latin spelling of their own.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from slicermedai.deid.clinical import is_clinical
from slicermedai.deid.tokens import fold

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_DIGRAPHS = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))
_MAC = re.compile(r"ma?c[ ']?(?=[^\W\d_]{4})")
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_GREEK = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")
_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30ff]+")
_STEM = 5
_SLAVIC = re.compile(r"(?<=[sc]k)[aiyáý]$|(?<=dzk)[ai]$|(?<=ov)[aá]$|(?<=ow)a$")


def _table(letters: str, spelt: str) -> dict[str, str]:
    return dict(zip(letters, ("" if s == "-" else s for s in spelt.split()), strict=True))


_PLAIN = _table(
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґў",
    "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya i yi ye g u",
)
_CYRILLIC_WAYS = (
    _PLAIN,
    _PLAIN | _table("ёщхц", "yo sch h c"),
    _PLAIN | _table("йюяїє", "i iu ia i ie"),
    _PLAIN | _table("ёжйхцчшщюяїє", "jo z j h c c s sc ju ja ji je"),
    _PLAIN | _table("ёжвйхцчшщюя", "jo sh w j ch z tsch sch schtsch ju ja"),
    _PLAIN | _table("ёжйуцчшщюя", "io j i ou ts tch ch chtch iou ia"),
    _PLAIN | _table("игй", "y h i"),
    _PLAIN | _table("иг", "y h"),
)
_SOFT_E = re.compile(r"(?:(?<=[аеёиоуыэюяьъ])|^)е")
_ADJECTIVE = re.compile(r"(?:ий|ый|ой)$")
_ADJECTIVE_ENDINGS = ("y", "iy", "ii", "ij", "i", "yy", "yi")
_RUSSIAN_ENDING = re.compile(r"(?:ий|ый|ой|ая|яя|ое|[аяоеьйиы])$")
_GREEK_PAIRS = (("ου", "ou"), ("αυ", "av"), ("ευ", "ev"), ("γγ", "ng"), ("γκ", "gk"), ("μπ", "mp"), ("ντ", "nt"))
_GREEK_LETTERS = _table("αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o")
_GREEK_WAYS = (
    (_GREEK_PAIRS, _GREEK_LETTERS),
    (_GREEK_PAIRS, _GREEK_LETTERS | _table("υχφ", "i h ph")),
    (_GREEK_PAIRS, _GREEK_LETTERS | _table("υφ", "u ph")),
    ((*_GREEK_PAIRS[:3], ("γγ", "g"), ("γκ", "g"), ("μπ", "b"), ("ντ", "d")), _GREEK_LETTERS),
    ((("ου", "oy"), ("αυ", "au"), ("ευ", "eu")), _GREEK_LETTERS),
)
_SYLLABLES = _table(
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわゐゑをん",
    "a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho ma mi mu me mo ya yu yo "
    "ra ri ru re ro wa i e o n",
) | _table(
    "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽゔ",
    "ga gi gu ge go za ji zu ze zo da ji zu de do ba bi bu be bo pa pi pu pe po vu",
)
_SMALL = {"ゃ": "ya", "ゅ": "yu", "ょ": "yo", "ぁ": "a", "ぃ": "i", "ぅ": "u", "ぇ": "e", "ぉ": "o"}
_KUNREI = (
    *(("sh", "sy"), ("tch", "tty"), ("ch", "ty"), ("j", "zy"), ("syi", "si"), ("tyi", "ti"), ("zyi", "zi")),
    *(("tsu", "tu"), ("fu", "hu")),
)
"""Hepburn's spelling of syllables, and the one of Japan's schools (ISO 3602); in this order."""
_LONG_VOWELS = (("ou", "o"), ("oo", "o"), ("uu", "u"), ("ou", "oh"))


@functools.lru_cache(maxsize=4096)
def spellings(text: str) -> frozenset[str]:
    """``text`` (a word or phrase in lower case) as it is and as it may be spelt in Latin letters."""
    found = {text, text.translate(_UMLAUTS)}
    if text.isascii():
        if len(text) >= 6:
            found.update(text.replace(pair, single) for pair, single in _DIGRAPHS if pair in text)
        if match := _MAC.match(text):
            rest = text[match.end() :]
            found.update(head + rest for head in ("mc", "mac", "mc ", "mac ", *([""] if len(rest) >= 6 else [])))
        return frozenset(found)
    return frozenset(found | {form for form in _in_latin(text) if form.isascii() and len(form) >= 3})


def is_other_script(text: str) -> bool:
    """True where :func:`spellings` has many of it; of a phrase, those of its words do."""
    return not text.isascii() and any(script.search(text) for script in (_CYRILLIC, _GREEK, _KANA))


def stems(word: str) -> set[str]:
    """What a Russian, Greek, Polish or Czech name keeps in all of its cases, of five letters or more."""
    if word.isascii():
        return {word[:-1]} if len(word) > _STEM and _SLAVIC.search(word) and not is_clinical(word[:-1]) else set()
    composed = unicodedata.normalize("NFC", word)
    found = set()
    if _CYRILLIC.search(composed):
        found.add(_RUSSIAN_ENDING.sub("", composed))
    elif _GREEK.search(composed):
        plain = fold(composed).replace("ς", "σ")
        stem = re.sub(r"(?:οσ|ησ|ασ|ου|η|α)$", "", plain)
        found.update({stem, *(form for form in _from_greek(stem) if len(form) > _STEM)})
    elif _SLAVIC.search(composed):
        found.add(composed[:-1])
    return {stem for stem in found if len(stem) >= _STEM}


def _in_latin(text: str) -> set[str]:
    composed = unicodedata.normalize("NFC", text.casefold())
    if _CYRILLIC.search(composed):
        return _from_cyrillic(composed)
    if _GREEK.search(composed):
        return _from_greek(fold(composed))
    if _KANA.search(unicodedata.normalize("NFKC", composed)):
        return _from_kana(unicodedata.normalize("NFKC", composed))
    return {fold(text)}


def _from_cyrillic(text: str) -> set[str]:
    found: set[str] = set()
    ending = _ADJECTIVE.search(text)
    root = text[: ending.start()] if ending else text
    for way in _CYRILLIC_WAYS:
        table: dict[int, str] = {ord(letter): latin for letter, latin in way.items()}
        for written in {root, _SOFT_E.sub("йе", root)}:
            latin = written.translate(table) if written == root else written.translate(table | {ord("й"): "y"})
            found.update({latin, latin.replace("ks", "x")})
    return {latin + end for latin in found for end in (_ADJECTIVE_ENDINGS if ending else ("",))}


def _from_greek(text: str) -> set[str]:
    found: set[str] = set()
    for pairs, letters in _GREEK_WAYS:
        written = text
        for pair, latin in pairs:
            written = written.replace(pair, latin)
        found.add(written.translate({ord(letter): latin for letter, latin in letters.items()}))
    return found


def _from_kana(text: str) -> set[str]:
    latin = "".join(_syllables(text.translate({code: code - 0x60 for code in range(0x30A1, 0x30F7)})))
    found = {latin, functools.reduce(lambda text, pair: text.replace(*pair), _KUNREI, latin)}
    for long, short in _LONG_VOWELS:
        found.update(form.replace(long, short) for form in tuple(found))
    return found


def _syllables(text: str) -> list[str]:
    """Hiragana in Hepburn's spelling; other characters as they are."""
    found: list[str] = []
    doubled = False
    for character in text:
        if character == "っ":
            doubled = True
            continue
        if character == "ー":
            continue
        if character in _SMALL and found and found[-1].endswith("i"):
            vowel, last = _SMALL[character], found.pop()
            found.append(last[:-1] + (vowel[1:] if last.endswith(("shi", "chi", "ji")) else vowel))
            continue
        latin = _SYLLABLES.get(character, _SMALL.get(character, character))
        found.append(("t" if latin.startswith("ch") else latin[:1]) + latin if doubled else latin)
        doubled = False
    return found
