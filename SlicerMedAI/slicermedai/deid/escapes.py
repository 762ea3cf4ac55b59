"""Letters as HTML, URLs, mail, JSON and RTF write them, also twice: M&uuml;ller, M%C3%BCller, M%25C3%25BCller."""

from __future__ import annotations

import html
import re

_OTHERS = r"=\r?\n|\\{1,4}u[0-9a-f]{4}|\\{1,2}x[0-9a-f]{2}|\\'[0-9a-f]{2}|&#?[0-9a-z]{2,8};|(?:%[0-9a-f]{2})+"
_WAYS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in (rf"{_OTHERS}|(?:=[0-9a-f]{{2}})+", _OTHERS))
"""All, and without the digits of mail: "id=14" says more often what it says."""
_CHARACTERS_OF_A_BYTE = 3
_TIMES = 3
"""How often something escaped is escaped again at most."""
_MARKS = frozenset("&%=\\")


def unescaped(text: str) -> list[tuple[str, list[int]]]:
    """(text with its letters as themselves, index in ``text`` of each), once for each time that something is escaped
    in it; empty where nothing is."""
    if _MARKS.isdisjoint(text):
        return []
    return [level for way in _WAYS[: 1 + ("=" in text)] for level in _levels(text, way)]


def _levels(text: str, way: re.Pattern[str]) -> list[tuple[str, list[int]]]:
    levels: list[tuple[str, list[int]]] = []
    while len(levels) < _TIMES and (once := _unescaped(levels[-1][0] if levels else text, way)) is not None:
        plain, places = once
        levels.append((plain, [levels[-1][1][n] for n in places] if levels else places))
    return levels


def _unescaped(text: str, way: re.Pattern[str]) -> tuple[str, list[int]] | None:
    pieces: list[str] = []
    places: list[int] = []
    last = 0
    for match in way.finditer(text):
        pieces.append(text[last : match.start()])
        places += range(last, match.start())
        for character, place in _letters(match[0]):
            pieces.append(character)
            places.append(match.start() + place)
        last = match.end()
    if not last:
        return None
    plain = "".join([*pieces, text[last:]])
    return None if plain == text else (plain, [*places, *range(last, len(text))])


def _letters(escaped: str) -> list[tuple[str, int]]:
    """(character, its place in ``escaped``)"""
    if escaped[0] == "&":
        said = html.unescape(escaped if html.unescape(escaped) != escaped else escaped.lower())
        return [(said, 0)] if len(said) == 1 else [(character, n) for n, character in enumerate(escaped)]
    if escaped[0] == "\\":
        return [(chr(int(escaped.lstrip("\\")[1:], 16)), 0)]
    if escaped[-1] == "\n":  # a line that mail has broken
        return []
    return _of_bytes(bytes.fromhex(re.sub("[%=]", "", escaped)))


def _of_bytes(raw: bytes) -> list[tuple[str, int]]:
    """In UTF-8; in Latin-1 where they are none."""
    try:
        text, codec = raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, codec = raw.decode("latin-1"), "latin-1"
    found, place = [], 0
    for character in text:
        found.append((character, place * _CHARACTERS_OF_A_BYTE))
        place += len(character.encode(codec))
    return found
