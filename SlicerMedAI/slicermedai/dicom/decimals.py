"""Numbers as Decimal Strings (PS3.5 6.2)."""

from __future__ import annotations

import math

from pydicom.valuerep import format_number_as_ds

_LONGEST = 16


def decimal_string(value: float) -> str:
    """``value`` in at most 16 characters, as exact as they allow.

    pydicom 3.0.2 makes 17 of what these digits round up to ten: "10.00000000000000" of 9.999999999999998.

    Raises
    ------
    ValueError
        It is not finite, or so near to the largest float that its rounded digits are none.
    """
    text = str(format_number_as_ds(float(value)))
    text = text if len(text) <= _LONGEST else str(format_number_as_ds(float(text)))
    if not math.isfinite(float(text)):
        raise ValueError(f"{value!r} is rounded to a non-finite number")
    return text
