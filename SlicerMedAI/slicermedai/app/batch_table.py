"""A table of thousands of rows that is filled a little at a time, so that the window lives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from slicermedai.app.signal import Signal
from slicermedai.scene.items import fit_columns, set_row

_SLICE = 0.01
"""Seconds of the window's time that are taken at once."""
_LOOKED_AT = 50
"""Rows that the widths of columns are taken from."""

Row = Sequence[str]


class GrowingTable:
    """Shows rows in a ``QTableWidget``; only rows that have changed are written, in slices driven by :meth:`poll`."""

    def __init__(self, table: Any, heads: list[str]) -> None:
        self.table = table
        self.changed = Signal()
        """Emitted with this table once all rows are written."""
        self._wanted: Sequence[Row] = ()
        self._shown: list[Row] = []
        self._next = 0
        self._fits = True
        """Whether columns are as wide as what stands in the first rows."""
        table.setColumnCount(len(heads))
        table.setHorizontalHeaderLabels(heads)
        table.horizontalHeader().setStretchLastSection(True)
        table.horizontalHeader().setResizeContentsPrecision(_LOOKED_AT)

    @property
    def busy(self) -> bool:
        """True while rows wait to be written: :meth:`poll` must come."""
        return self._next < len(self._wanted)

    @property
    def chosen(self) -> list[int]:
        """The rows that are chosen, in order."""
        return sorted({item.row() for item in self.table.selectedItems()})

    def show(self, rows: Sequence[Row]) -> None:
        """Show ``rows`` from now on; the first of them at once."""
        self._wanted, self._next = rows, 0
        if self.table.rowCount != len(rows):
            self._fits = False
            self.table.setRowCount(len(rows))
            del self._shown[len(rows) :]
        self.poll()

    def poll(self) -> None:
        """Write some more; where nothing waits, the table is left alone, which may be gone by then."""
        if not self.busy:
            return
        self._write_some()
        if self._next == len(self._wanted):
            self.changed.emit(self)

    def _write_some(self) -> None:
        begins = self._next == 0
        until, blocked = time.monotonic() + _SLICE, self.table.blockSignals(True)
        while self.busy and time.monotonic() < until:
            self._write(self._next, self._wanted[self._next])
            self._next += 1
        if not self._fits and (begins or not self.busy):  # the first rows alone do not tell how wide the others are
            self._fits = not self.busy
            fit_columns(self.table)
        self.table.blockSignals(blocked)

    def cancel(self) -> None:
        """Write no more."""
        self._next = len(self._wanted)

    def _write(self, row: int, values: Row) -> None:
        if row == len(self._shown):
            self._shown.append(())
        if self._shown[row] != values:
            set_row(self.table, row, values)
            self._shown[row] = values
