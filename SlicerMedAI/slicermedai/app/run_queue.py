"""The runs that a person asked for in the module MedAI: one at a time, in order; the list stays until it is cleared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicermedai.app.state import QueueRow
from slicermedai.domain.result import AnalysisResult

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
"""States, as :func:`slicermedai.app.words.state_text` says them."""


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """A run that was asked for: ``source``, ``options`` of the job, and what became of it.

    ``forgotten`` where its image has gone while it went on: then its result belongs to nothing that is there.
    """

    number: int
    source: Any
    image: str
    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    state: str = WAITING
    why: str = ""
    began: float = 0.0
    seconds: float | None = None
    result: AnalysisResult | None = None
    folder: Path | None = None
    forgotten: bool = False

    @property
    def row(self) -> QueueRow:
        """As it is listed."""
        return QueueRow(
            number=self.number,
            image=self.image,
            title=self.title,
            state=self.state,
            seconds=self.seconds,
            why=self.why,
        )

    def begin(self) -> None:
        """Its turn has come."""
        self.state, self.began = RUNNING, time.monotonic()

    def end(self, state: str, why: str = "") -> None:
        """It is over; nothing of the image is held any more, unless its result is to be shown on it."""
        self.seconds = time.monotonic() - self.began if self.began else None
        self.state, self.why = state, why
        if state != DONE:
            self.source, self.options = None, {}

    def succeed(self, folder: Path, result: AnalysisResult) -> None:
        """It is over, with ``result``, and the output ``folder``."""
        self.result, self.folder = result, folder
        self.end(DONE)


class RunQueue:
    """Orders by number, in the order in which they came."""

    def __init__(self) -> None:
        self._orders: dict[int, Order] = {}
        self._last = 0

    @property
    def rows(self) -> tuple[QueueRow, ...]:
        """All of them as they are listed."""
        return tuple(one.row for one in self._orders.values())

    @property
    def next(self) -> Order | None:
        """The first one that waits."""
        return next((one for one in self._orders.values() if one.state == WAITING), None)

    def __len__(self) -> int:
        return len(self._orders)

    def __getitem__(self, number: int) -> Order:
        return self._orders[number]

    def add(self, source: Any, *, image: str, title: str, options: Mapping[str, Any]) -> Order:
        """At the end; it waits."""
        self._last += 1
        order = Order(number=self._last, source=source, image=image, title=title, options=options)
        self._orders[order.number] = order
        return order

    def remove(self, numbers: Sequence[int]) -> None:
        """Take these off the list; the one that runs stays, for it must be cancelled first."""
        for number in numbers:
            if number in self._orders and self._orders[number].state != RUNNING:
                del self._orders[number]

    def drop_waiting(self) -> None:
        """Take off all that wait."""
        self.remove([one.number for one in self._orders.values() if one.state == WAITING])

    def clear_ended(self) -> None:
        """Take off all that have ended."""
        self.remove([one.number for one in self._orders.values() if one.state not in (WAITING, RUNNING)])
