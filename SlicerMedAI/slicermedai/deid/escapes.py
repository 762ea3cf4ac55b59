"""Letters with marks as HTML, URLs, mail, JSON and RTF write them: M&uuml;ller, M%C3%BCller, M=C3=BCller."""

from __future__ import annotations

import html
import re

_ESCAPED = re.compile(
    r"&#?[0-9a-z]{2,8};|(?:%[0-9a-f]{2})+|(?:=[0-9a-f]{2})+|\\u[0-9a-f]{4}|\\'[0-9a-f]{2}", re.IGNORECASE
)
_CHARACTERS_OF_A_BYTE = 3


def unescaped(text: str) -> tuple[str, list[int]] | None:
    """(text with its letters as themselves, index in ``text`` of each); None where nothing is escaped in it."""
    pieces: list[str] = []
    places: list[int] = []
    last = 0
    for match in _ESCAPED.finditer(text):
        pieces.append(text[last : match.start()])
        places += range(last, match.start())
        for character, place in _letters(match[0]):
            pieces.append(character)
            places.append(match.start() + place)
        last = match.end()
    if not last:
        return None
    return "".join([*pieces, text[last:]]), [*places, *range(last, len(text))]


def _letters(escaped: str) -> list[tuple[str, int]]:
    """(character, its place in ``escaped``)"""
    if escaped[0] == "&":
        said = html.unescape(escaped if html.unescape(escaped) != escaped else escaped.lower())
        return [(said, 0)] if len(said) == 1 else [(character, n) for n, character in enumerate(escaped)]
    if escaped[0] == "\\":
        return [(chr(int(escaped[2:], 16)), 0)]
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
