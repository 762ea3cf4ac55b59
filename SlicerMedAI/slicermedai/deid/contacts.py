"""Telephone numbers, postal codes and streets: one header has one form of them, and texts have others."""

from __future__ import annotations

import re

from slicermedai.deid.names import identifier_tokens
from slicermedai.deid.tokens import Kind, Token

_TELEPHONE = re.compile(r"(?:\+|00)?[0-9(][0-9() ./-]{4,}[0-9]")
_GROUPS = re.compile(r"[0-9]+")
_COUNTRY = re.compile(r"[17]|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}")
"""Country codes (ITU-T E.164): 1 and 7, those of two digits, and of three."""
_LEAST = 7
"""Digits of a telephone number that is looked for without its area."""
_NORTH_AMERICAN = 11


def telephone_tokens(value: str) -> set[Token]:
    """As :func:`slicermedai.deid.names.identifier_tokens`, and each number as it is dialled from elsewhere: with and
    without the prefix of its country, and the zeros before it, and as it is within its area."""
    forms = {form for match in _TELEPHONE.finditer(value) for form in _dialled(match[0])}
    return identifier_tokens(value) | {Token(form, Kind.IDENTIFIER) for form in forms}


def _dialled(number: str) -> set[str]:
    country, national = _parted(number)
    if len(national) < _LEAST:
        return set()
    found = {national, f"0{national}", *_local(number, len(national))}
    return found | {f"{country}{national}", f"{country}0{national}", f"00{country}{national}"} if country else found


def _parted(number: str) -> tuple[str, str]:
    """(country code, number within the country without zeros before it); a code is known by + or 00 alone, or as the 1
    of North America."""
    digits = "".join(_GROUPS.findall(number))
    bare = digits.lstrip("0")
    if number.startswith("+") or digits.startswith("00"):
        code = _COUNTRY.match(bare)
        size = code.end() if code else 0
    else:
        size = int(len(digits) == _NORTH_AMERICAN and digits.startswith("1"))
    return bare[:size], bare[size:].lstrip("0")


def _local(number: str, size: int) -> set[str]:
    """What stands behind the first group of the last ``size`` digits, which is the area: of one group nobody knows."""
    left = size
    groups: list[str] = []
    for group in reversed(_GROUPS.findall(number)):
        groups.insert(0, group[-left:])
        left -= len(groups[0])
        if left <= 0:
            break
    rest = "".join(groups[1:])
    return {rest} if len(rest) >= _LEAST else set()
