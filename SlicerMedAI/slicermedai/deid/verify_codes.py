"""Codes in which text writes bytes beside base64, for the verifier: hexadecimal digits apart or over lines, base32,
uuencode and Ascii85.

The verifier's own code: numbers to the base are reckoned here, where what masks such codes has them decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Found = tuple[int, bytes]
"""(where it stands in the value, what it stands for)"""

_LEAST = 10
"""Bytes of a value in which a code is looked for."""
_SAID = re.compile(
    rb"[0-9A-Za-z\x80-\xff]{4}|(?:[0-9A-Za-z]\0){3}|(?:\0[0-9A-Za-z]){3}|[\x1f\x78]|^.?(?:\xff\xd8|BZ|PK)", re.DOTALL
)
"""What text says, or what may be compressed; other bytes stand for nothing."""
_HEX = re.compile(rb"[0-9A-Fa-fxXhH\\ \t,;:\r\n-]{10,}")
_ASCII = re.compile(r"(?:[3-7].){5}")
"""Digits of letters and digits; dates, times and lists of numbers have others."""
_NO_DIGIT = bytes(set(range(256)) - set(b"0123456789abcdef"))
_BASE32 = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z0-9]{12,}(?:\r?\n[ \t]*[A-Za-z0-9]+)*")
_LETTERS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHIJKLMNOPQRSTUV")
_OF_LETTERS, _OF_DIGITS = re.compile(rb"[A-Z2-7]*"), re.compile(rb"[0-9A-V]*")
_BLOCK, _OVER = 1 << 12, 1 << 7
"""Digits of a number to base 32 that are reckoned at once, and those that the next ones begin with again."""
_BEGIN = re.compile(rb"begin [0-7]{3,4} [^\r\n]*\r?\n")
_FIVES = re.compile(rb"<~([^~]*)~>")


def coded(value: bytes) -> Iterator[Found]:
    """What runs of such digits in a text stand for; what has no letters in it is passed over."""
    if len(value) < _LEAST:
        return
    for place, made in _all(value):
        if _SAID.search(made):
            yield place, made


def _all(value: bytes) -> Iterator[Found]:
    for found in _HEX.finditer(value):
        for made in _hexadecimal(found[0]):
            yield found.start(), made
    for found in _BASE32.finditer(value):
        for made in _base32(found[0]):
            yield found.start(), made
    for found in _BEGIN.finditer(value) if b"begin " in value else ():
        yield found.start(), b"".join(_uuencoded(value[found.end() :]))
    for found in _FIVES.finditer(value) if b"<~" in value else ():
        yield found.start(), b"".join(_ascii85(found[1]))


def _hexadecimal(run: bytes) -> Iterator[bytes]:
    """From the first and from the second digit, since a letter before them may be taken for one."""
    digits = run.lower().replace(b"0x", b"").translate(None, _NO_DIGIT).decode("ascii")
    is_list = digits.isdecimal() and len(digits) < 2 * _LEAST and not _ASCII.search(digits)
    if len(digits) < _LEAST or is_list:
        return
    for start in (0, 1):
        yield bytes.fromhex(digits[start : start + (len(digits) - start) // 2 * 2])


def _base32(run: bytes) -> Iterator[bytes]:
    plain = b"".join(run.upper().split())
    for pattern, table in ((_OF_LETTERS, _LETTERS), (_OF_DIGITS, None)):
        if pattern.fullmatch(plain):
            digits = plain.translate(table) if table else plain
            for begin in range(0, max(len(digits) - _OVER, 1), _BLOCK - _OVER):
                yield _reckoned(digits[begin : begin + _BLOCK])


def _reckoned(digits: bytes) -> bytes:
    """The bytes of a number to base 32, whose last bits fill no byte."""
    bits = 5 * len(digits)
    return (int(digits, 32) >> bits % 8).to_bytes(bits // 8, "big")


def _uuencoded(lines: bytes) -> Iterator[bytes]:
    """Line by line: the number of bytes, and six bits a character."""
    for line in lines.splitlines():
        size = line[0] - 32 & 63 if line else 0
        if not size or line == b"end":
            return
        number = 0
        for character in line[1:]:
            number = number << 6 | character - 32 & 63
        bits = 6 * (len(line) - 1)
        yield (number >> bits % 8).to_bytes(bits // 8, "big")[:size]


def _ascii85(run: bytes) -> Iterator[bytes]:
    """Five characters for four bytes, z for four zeros; the last ones are one more than their bytes."""
    plain = b"".join(run.split()).replace(b"z", b"!!!!!")
    for begin in range(0, len(plain), 5):
        five = plain[begin : begin + 5]
        number = 0
        for character in five.ljust(5, b"u"):
            number = 85 * number + character - 33
        yield (number & 0xFFFFFFFF).to_bytes(4, "big")[: len(five) - 1]
