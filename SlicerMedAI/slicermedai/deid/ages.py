"""Ages in the numeric content items of reports (PS3.3 C.18.1), which no value representation tells from other numbers.

A time of 90 years or more is an age, whatever its concept is called: nothing else that is measured in a patient
takes that long. The unit (UCUM) stands before the number in every measured value, since its tag is the lower one.
"""

from __future__ import annotations

import struct

UNITS, CODE_VALUE = 0x004008EA, 0x00080100
"""Measurement Units Code Sequence, Code Value."""
_NUMBER, _FLOAT, _NUMERATOR, _DENOMINATOR = 0x0040A30A, 0x0040A161, 0x0040A162, 0x0040A163
NUMBERS = frozenset({_NUMBER, _FLOAT, _NUMERATOR, _DENOMINATOR})
_OLDEST = {"a": 90.0, "a_j": 90.0, "a_g": 90.0, "a_t": 90.0, "mo": 1080.0, "wk": 4695.0, "d": 32871.0}


def unit_of(raw: bytes) -> str:
    """The unit that Code Value names where it is one of time in which ages are given; "" otherwise."""
    unit = raw.decode("latin-1").strip(" \0")
    return unit if unit in _OLDEST else ""


def capped(tag: int, raw: bytes, unit: str, order: str) -> bytes | None:
    """The new value of one of the attributes :data:`NUMBERS`: 90 years at most; ``raw`` itself where that holds.

    None where it is to be removed: a fraction says more than a capped number may.
    """
    oldest = _OLDEST[unit]
    if tag == _FLOAT:
        return (
            raw if len(raw) == 8 and struct.unpack(order + "d", raw)[0] < oldest else struct.pack(order + "d", oldest)
        )
    if tag != _NUMBER:
        return None
    try:
        return raw if float(raw.decode("latin-1").strip(" \0")) < oldest else f"{oldest:.0f}".encode("ascii")
    except ValueError:
        return b""
