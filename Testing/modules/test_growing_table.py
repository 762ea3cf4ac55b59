"""Columns of a table that is filled a little at a time are as wide as what is in the rows that come last, too."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from slicermedai.app import batch_table
from Testing.Harness import Harness


def test_columns_fit_the_rows_that_are_written_last_too(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    ticks = itertools.count()
    monkeypatch.setattr(batch_table, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 0.006))
    table = qt.QTableWidget()
    growing = batch_table.GrowingTable(table, ["State", "Why"])
    growing.show([("done", ""), ("excluded by a list", "")])
    narrow = table.columnWidth(0)
    assert growing.busy, "one row at a time"
    while growing.busy:
        growing.poll()
    assert table.columnWidth(0) > 1.3 * narrow
