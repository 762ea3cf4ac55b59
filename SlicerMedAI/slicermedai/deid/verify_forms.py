"""The forms in which the verifier searches for tokens: as bytes in the encodings in which text occurs, and as text."""

from __future__ import annotations

from datetime import date

from slicermedai.deid.short_numbers import is_short
from slicermedai.deid.tokens import Kind, Scope, Token, fold

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ROMANS = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_THAI = (
    *("มกราคม", "กุมภาพันธ์", "มีนาคม", "เมษายน", "พฤษภาคม", "มิถุนายน", "กรกฎาคม", "สิงหาคม", "กันยายน", "ตุลาคม"),
    *("พฤศจิกายน", "ธันวาคม"),
)
_THAI_DIGITS = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
_SHORTEST_WIDE = 4
_SCRIPTS = (
    "iso8859_2",
    "iso8859_3",
    "iso8859_4",
    "iso8859_5",
    "iso8859_6",
    "iso8859_7",
    "iso8859_8",
    "iso8859_9",
    "iso8859_15",
    "tis_620",
    "cp1252",
    "iso2022_jp_2",
    "shift_jis",
    "euc_jp",
    "iso2022_kr",
    "euc_kr",
    "gb18030",
)
_UNDECLARED = (
    *("cp1251", "koi8_r", "koi8_u", "cp1250", "cp1257", "cp850", "cp852", "cp866", "mac_roman", "mac_cyrillic", "big5"),
)
"""Character sets that DICOM does not know, and that systems write all the same."""
_SHORTEST_UNDECLARED = 6


def written(token: Token) -> set[str]:
    """The ways in which a date is written; anything else as it is."""
    text = token.text
    if token.kind is not Kind.DATE or not text.isdigit():
        return {text}
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return {text}
    return {text, *_date_forms(day)} if day.year >= 1800 else {text}


def _date_forms(day: date) -> set[str]:
    y, m, d = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    forms = {y + m + d, d + m + y, m + d + y}
    for mark in "-./ ":
        forms.update(mark.join(p) for p in ((y, m, d), (d, m, y), (m, d, y)))
        forms.update(mark.join(p) for p in ((str(day.day), str(day.month), y), (str(day.month), str(day.day), y)))
    for month in (_MONTHS[day.month - 1], _MONTHS[day.month - 1][:3]):
        for number in (d, str(day.day)):
            forms.update({f"{number} {month} {y}", f"{number}. {month} {y}", f"{number}-{month}-{y}"})
            forms.update({f"{month} {number}, {y}", f"{month} {number} {y}", f"{number}{month}{y}"})
    forms |= _counted_forms(day)
    return forms | _thai_forms(day) if day.year >= 2400 else forms


def _counted_forms(day: date) -> set[str]:
    """With the month, and the day too, in Roman numbers; and by the number of the day in its year."""
    month, count = _ROMANS[day.month], f"{day.timetuple().tm_yday:03d}"
    roman = "x" * (day.day // 10) + _ROMANS[day.day % 10]
    days = {roman, str(day.day), f"{day.day:02d}"}
    marks = (".", " ", "-", "/", ". ")
    found = {f"{one}{mark}{month}{mark}{day.year}" for one in days for mark in marks}
    return found | {f"{day.year}{mark}{count}" for mark in "-./"}


def _thai_forms(day: date) -> set[str]:
    """Of a year of the Buddha."""
    month = _THAI[day.month - 1]
    forms = {
        f"{day.day} {month} {day.year}",
        f"{day.day} {month} พ.ศ. {day.year}",
        f"{day.day:02}/{day.month:02}/{day.year}",
    }
    return {form for text in forms for form in (text, text.translate(_THAI_DIGITS))}


Form = tuple[bytes, bytes, bytes]
"""What may not stand before, bytes, what may not stand after."""


def spaced_forms(tokens: frozenset[Token], scope: Scope) -> set[Form]:
    """ASCII in two bytes a character: bytes of which every other one is zero."""
    forms: set[Form] = set()
    for token in tokens if scope is not Scope.PIXELS else ():
        if not token.text.isascii() or not _is_searched(token, scope):
            continue
        for text in written(token):
            if len(text) >= _SHORTEST_WIDE and (text == token.text or scope is Scope.TEXT):
                forms.update((b"", raw, b"") for raw in wide(text))
    return forms


def _is_searched(token: Token, scope: Scope) -> bool:
    return token.searched_in(scope) and token.kind is not Kind.SURNAME and not is_short(token)


def byte_forms(tokens: frozenset[Token], scope: Scope) -> set[Form]:
    """All others; edges hold for one byte a character."""
    forms: set[Form] = set()
    for token in tokens:
        if not _is_searched(token, scope):
            continue
        if scope is Scope.PIXELS:
            variants = (token.text, token.text.upper(), token.text.title())
            forms.update((b"", variant.encode("utf-8", "surrogateescape"), b"") for variant in variants)
            continue
        for text in written(token):
            if text != token.text and scope is not Scope.TEXT:
                continue
            edges = ("", "") if scope is Scope.BINARY else Token(text, token.kind).edges
            left, right = (edge.encode() for edge in edges)
            forms.update((left, raw, right) for raw in narrow(text))
            if not text.isascii() and len(text) >= _SHORTEST_WIDE:
                forms.update((b"", raw, b"") for raw in wide(text))
    return forms


def text_forms(tokens: frozenset[Token]) -> set[tuple[str, str, str]]:
    """(what may not stand before, folded text, what may not stand after)."""
    return {
        (t.edges[0], fold(t.text), t.edges[1])
        for t in tokens
        if not t.text.isdigit() and t.kind is not Kind.SURNAME and not is_short(t)
    }


def narrow(text: str) -> set[bytes]:
    """``text`` in UTF-8, Latin-1 and, where it is not ASCII, in the other character sets of PS3.3 C.12.1.1.2."""
    if text.isascii():
        return {text.encode("ascii")}
    found = set()
    undeclared = _UNDECLARED if len(text) >= _SHORTEST_UNDECLARED else ()
    for variant in _cases(text):
        for codec in ("utf-8", "latin-1", *_SCRIPTS, *undeclared):
            try:
                found.add(variant.encode(codec).lower())
            except UnicodeEncodeError:
                continue
    return found


def wide(text: str) -> set[bytes]:
    """``text`` in two bytes a character, in both orders."""
    return {
        variant.encode(codec, "surrogatepass").lower()
        for variant in _cases(text)
        for codec in ("utf-16-le", "utf-16-be")
    }


def _cases(text: str) -> set[str]:
    """All in which it is written; those of ASCII letters are one, as what is searched has small ones."""
    return {text} if text.isascii() else {text, text.upper(), text.title(), fold(text)}
