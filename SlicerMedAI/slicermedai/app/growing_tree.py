"""A tree of a database with thousands of series, read and filled a little at a time, so that the window lives."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from slicermedai.app.dicom_database import Node
from slicermedai.app.signal import Signal
from slicermedai.scene.items import add_branch, is_ticked, leaves_of, name_of, show_ticks

_SLICE = 0.03
"""Seconds of the window's time that are taken at once."""


class GrowingTree:
    """Shows patients in a ``QTreeWidget`` with tick boxes, in slices driven by :meth:`poll`.

    What is shown stays until all is read, and for good where the database says the same. What is ticked stays ticked.
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.changed = Signal()
        """Emitted with this tree once all of the database is shown."""
        self._patients: Iterator[Node] | None = None
        self._read: list[Node] = []
        self._shown: Sequence[Node] = ()
        self._wanted: Sequence[Node] = ()
        self._ticked = set[str]()
        self._touched = set[str]()

    @property
    def busy(self) -> bool:
        """True while there is more to read or to show: :meth:`poll` must come."""
        return self._patients is not None or len(self._shown) < len(self._wanted)

    @property
    def ticked(self) -> list[str]:
        """UIDs of the ticked series, in the order of the tree, also of those that are to be shown again."""
        return [uid for patient in self._wanted for uid in _series_of(patient) if uid in self._ticked]

    def follow(self, item: Any) -> None:
        """Tick all below an item as it is ticked itself, and what is above it by that, without telling."""
        leaves = leaves_of(item)
        self.touch(item)
        self.tick(self._ticked.union(leaves) if is_ticked(item) else self._ticked.difference(leaves))

    def touch(self, item: Any) -> None:
        """A tick box was clicked, and what it says from now on is what :meth:`tick` says."""
        self._touched.add(name_of(item))

    def tick(self, ticked: Collection[str]) -> None:
        """Tick the series that go by these UIDs, and no others, without telling.

        The tree is asked for patients in whose branch anything changes alone, however many there are.
        """
        now = set(ticked)
        changed = (self._ticked ^ now) | self._touched
        self._ticked, self._touched = now, set()
        rows = [row for row, one in enumerate(self._shown) if changed and not changed.isdisjoint(_names(one))]
        blocked = self.tree.blockSignals(True)
        for row in rows:
            show_ticks(self.tree.topLevelItem(row), now)
        self.tree.blockSignals(blocked)

    def untick(self) -> None:
        """Tick nothing any more, without telling."""
        self.tick(())

    def show(self, patients: Iterator[Node]) -> None:
        """Show ``patients`` from now on, which are read one by one; the first of them at once."""
        self._patients, self._read = patients, []
        self.poll()

    def poll(self) -> None:
        """Read and show some more; where nothing waits, the tree is left alone, which may be gone by then."""
        if self.busy:
            self._work(time.monotonic() + _SLICE)

    def cancel(self) -> None:
        """Read and show no more."""
        self._patients, self._wanted = None, self._shown

    def _work(self, until: float) -> None:
        while self.busy and time.monotonic() < until:
            if self._patients is not None:
                self._read_one(self._patients)
            else:
                self._show_one()
        if not self.busy:
            self.changed.emit(self)

    def _read_one(self, patients: Iterator[Node]) -> None:
        patient = next(patients, None)
        if patient is not None:
            self._read.append(patient)
            return
        self._patients = None
        if self._read != list(self._wanted):
            self._wanted, self._shown = tuple(self._read), ()
            self._ticked.intersection_update(name for one in self._wanted for name in _names(one))
            blocked = self.tree.blockSignals(True)
            self.tree.clear()
            self.tree.blockSignals(blocked)

    def _show_one(self) -> None:
        blocked = self.tree.blockSignals(True)
        add_branch(self.tree.invisibleRootItem(), self._wanted[len(self._shown)], self._ticked)
        self.tree.blockSignals(blocked)
        self._shown = self._wanted[: len(self._shown) + 1]


def _names(node: Node) -> Iterator[str]:
    yield node.uid
    for one in node.below:
        yield from _names(one)


def _series_of(patient: Node) -> Iterator[str]:
    return (series.uid for study in patient.below for series in study.below)
