"""Text within text: base64 (RFC 4648, also as URLs and mail write it), base32, hexadecimal digits, also apart or over
several lines, uuencode and Ascii85.

What stands before a run may look like a part of it, so that it is read from each of its first places.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from slicermedai.deid.spans import Span, merged

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}(?:={0,2}\r?\n[ \t]*[A-Za-z0-9+/_-]+)*={0,2}")
_HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{2}[ :]?){4,}[0-9A-Fa-f]{2})")
_BETWEEN = r"h?[ \t,;:-]{0,3}(?:\r?\n[ \t]{0,64})?(?:0x|\\x)?"
_APART = re.compile(rf"(?<![0-9A-Za-z])(?:0x|\\x)?[0-9A-Fa-f](?:{_BETWEEN}[0-9A-Fa-f]){{9,}}h?(?![0-9A-Za-z])")
"""Each digit or pair by itself, in lists and lines."""
_NO_DIGIT = re.compile(r"0x|\\x|[^0-9A-Fa-f]")
_BASE32 = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]{12})(?:[A-V0-9]{12,}|[A-Z2-7]{12,}|[a-z2-7]{12,})"
    r"(?:\r?\n[ \t]*(?:[A-Z2-7]+|[a-z2-7]+))*={0,6}"
)
_UUENCODED = re.compile(r"\bbegin [0-7]{3,4} [^\r\n]*\r?\n((?:[ -`]+\r?\n)+)end")
_ASCII85 = re.compile(r"<~[\s!-uz]{5,}~>")
_SAYS = re.compile(
    rb"[\x20-\x7e]{4}|(?:[\x20-\x7e]\0){3}|(?:\0[\x20-\x7e]){3}|(?:[\xc2-\xf4][\x80-\xbf]{1,3}){2}|[\xc0-\xff]{5}|\xff\xd8\xff"
)
_SHORTEST, _SHORTEST_CODE, _LONG = 4, 10, 16
_STANDARD = str.maketrans("-_", "+/", "\r\n\t= :")


def encoded_spans(text: str, holds: Callable[[bytes], bool]) -> list[Span]:
    """(start, end) of runs in ``text`` that stand for bytes of which ``holds`` is true, in order, none over another."""
    found = [
        match.span() for match in _BASE64.finditer(text) if _may_be(match[0]) and any(map(holds, _base64(match[0])))
    ]
    for sign, pattern, read in _OTHERS if len(text) >= _SHORTEST_CODE else ():
        if sign in text:
            found += [match.span() for match in pattern.finditer(text) if any(map(holds, read(match[pattern.groups])))]
    return merged(found) if len(found) > 1 else found


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
            # a word that is no code seldom stands for text, and is not filled up
            if len(raw) >= _LONG or run.endswith("=") or _SAYS.search(raw):
                yield raw


def _base32(run: str) -> Iterator[bytes]:
    plain = "".join(run.upper().split()).rstrip("=")
    plain = plain[: -1 if len(plain) % 8 in (1, 3, 6) else None]
    for read in (base64.b32decode, base64.b32hexdecode):
        try:
            raw = read(plain + "=" * (-len(plain) % 8))
        except binascii.Error:
            continue
        if len(raw) >= _LONG or _SAYS.search(raw):
            yield raw


def _uuencoded(lines: str) -> Iterator[bytes]:
    try:
        yield b"".join(map(binascii.a2b_uu, lines.splitlines()))
    except binascii.Error:
        return


def _ascii85(run: str) -> Iterator[bytes]:
    try:
        yield base64.a85decode(run, adobe=True)
    except ValueError:
        return


def _hexadecimal(run: str) -> Iterator[bytes]:
    plain = _NO_DIGIT.sub("", run)
    for start in (0, 1):
        yield bytes.fromhex(plain[start : len(plain) - (len(plain) - start) % 2])


_OTHERS: tuple[tuple[str, re.Pattern[str], Callable[[str], Iterator[bytes]]], ...] = (
    ("", _HEXADECIMAL, _hexadecimal),
    ("", _APART, _hexadecimal),
    ("", _BASE32, _base32),
    ("begin ", _UUENCODED, _uuencoded),
    ("<~", _ASCII85, _ascii85),
)
"""Signs that a text has, what is looked for in it, and how it is read."""
