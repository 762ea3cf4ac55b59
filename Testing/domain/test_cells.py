"""Cells of tables that people open with a spreadsheet."""

from __future__ import annotations

import pytest

from slicermedai.domain.cells import csv_text, text_cell


def test_a_cell_is_never_a_formula() -> None:
    text = csv_text(("a", "b"), [{"a": "=1+1", "b": -1.5}, {"a": "@x", "b": None}])
    assert text.splitlines() == ["a,b", "'=1+1,-1.5", "'@x,"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_text_that_a_spreadsheet_would_compute_is_quoted(text: str) -> None:
    assert text_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "liver", "1=1", "'quoted"])
def test_any_other_text_stays(text: str) -> None:
    assert text_cell(text) == text
