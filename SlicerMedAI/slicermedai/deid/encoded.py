"""Text within text: base64 (RFC 4648, also as URLs and mail write it) and hexadecimal digits.

What stands before a run may look like a part of it, so that it is read from each of its first places.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}(?:={0,2}\r?\n[ \t]*[A-Za-z0-9+/_-]+)*={0,2}")
_HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{2}[ :]?){4,}[0-9A-Fa-f]{2})")
_SAYS = re.compile(
    rb"[\x20-\x7e]{4}|(?:[\x20-\x7e]\0){3}|(?:\0[\x20-\x7e]){3}|(?:[\xc2-\xf4][\x80-\xbf]{1,3}){2}|[\xc0-\xff]{5}|\xff\xd8\xff"
)
_SHORTEST, _LONG = 4, 16
_STANDARD = str.maketrans("-_", "+/", "\r\n\t= :")
Span = tuple[int, int]


def encoded_spans(text: str, holds: Callable[[bytes], bool]) -> list[Span]:
    """(start, end) of runs in ``text`` that stand for bytes of which ``holds`` is true, in order."""
    found = [
        match.span() for match in _BASE64.finditer(text) if _may_be(match[0]) and any(map(holds, _base64(match[0])))
    ]
    for match in _HEXADECIMAL.finditer(text):
        if any(map(holds, _hexadecimal(match[1]))):
            found.append(match.span())
    return sorted(found)


def as_text(raw: bytes) -> str | None:
    """What is text as a whole, in UTF-8 or in two bytes a character; None for anything else."""
    zeros = raw[::2].count(0), raw[1::2].count(0)
    codec = "utf-8" if not any(zeros) else "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        return None
    is_wide_by_chance = any(zeros) and sum(zeros) * 3 <= len(text)
    return text if "".join(text.split()).isprintable() and not is_wide_by_chance else None


def _may_be(run: str) -> bool:
    """False for words and numbers."""
    return not (run.isdecimal() or (run.isalpha() and run[1:].islower()))


def _base64(run: str) -> Iterator[bytes]:
    plain = run.translate(_STANDARD)
    for start in range(4):
        piece = plain[start:]
        piece = piece[:-1] if len(piece) % 4 == 1 else piece
        if len(piece) >= _SHORTEST:
            raw = binascii.a2b_base64(piece + "=" * (-len(piece) % 4))
            if len(raw) >= _LONG or _SAYS.search(raw):  # a word that is no code seldom stands for text
                yield raw


def _hexadecimal(run: str) -> Iterator[bytes]:
    plain = run.translate(_STANDARD)
    for start in (0, 1):
        yield bytes.fromhex(plain[start : len(plain) - (len(plain) - start) % 2])
