"""Decimal Strings have at most 16 characters, and say the number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.dicom.decimals import decimal_string


@pytest.mark.parametrize("magnitude", [10.0**n for n in range(-12, 15)])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("steps", [-2, -1, 0, 1])
def test_numbers_beside_powers_of_ten_fit(magnitude: float, sign: int, steps: int) -> None:
    value = magnitude
    for _ in range(abs(steps)):
        value = math.nextafter(value, math.inf * steps)
    text = decimal_string(sign * value)
    assert len(text) <= 16
    assert math.isclose(float(text), sign * value, rel_tol=1e-9)


@given(st.floats(-1e307, 1e307))
def test_any_finite_number_fits(value: float) -> None:
    text = decimal_string(value)
    assert len(text) <= 16
    assert math.isclose(float(text), value, rel_tol=1e-7)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.7976931345e308])
def test_what_is_no_number_or_is_rounded_to_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="non-finite"):
        decimal_string(value)
