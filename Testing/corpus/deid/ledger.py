"""What the generator planted, and what must survive: the ledger that the judge compares a tool's output with."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Planted:
    """One piece of identity in one element (or outside every element: preamble).

    ``path`` is tags from the root, ``00081140[0]/00081155``; ``(preamble)`` and ``(meta)00020016`` lie outside the data
    set. ``tokens`` are the strings any of which tells who it is; ``encoded`` the same as hexadecimal bytes in the
    file's own character set. ``strong`` tokens are told apart from chance anywhere in a file; the others (a date that
    another shifted date may equal) are looked for in their element alone.
    """

    file: str
    category: str
    path: str
    tokens: tuple[str, ...]
    encoded: tuple[str, ...]
    strong: bool = True


@dataclass(frozen=True)
class Clinical:
    """A value that must survive. ``kind``: ``always``, ``option`` (in Table E.1-1, kept by an option), ``private``."""

    file: str
    path: str
    value: str
    kind: str


@dataclass(frozen=True)
class Reference:
    """A UID at ``path`` of ``file`` that names ``target``; ``what``: instance, series or frame."""

    file: str
    path: str
    target: str
    what: str


@dataclass(frozen=True)
class Interval:
    """Seconds from one date (or date-time) to another of one patient."""

    file: str
    path: str
    other_file: str
    other_path: str
    seconds: float


@dataclass(frozen=True)
class BurnedIn:
    """A text drawn on the pixels: ``box`` is (left, top, right, bottom) in pixels, right and bottom exclusive."""

    file: str
    text: str
    box: tuple[int, int, int, int]
    identity: bool
    size: int
    dark: bool


@dataclass(frozen=True)
class Entry:
    """One file: what it is, how it is written, and the number that finds its copy in a tool's output."""

    file: str
    kind: str
    patient: int
    study: int
    number: int
    sop_class: str
    transfer_syntax: str
    has_pixels: bool
    burned_in: bool


@dataclass
class Ledger:
    """All that is known of one corpus."""

    seed: int
    entries: list[Entry] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    clinical: list[Clinical] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    burned_in: list[BurnedIn] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Planted elements by category."""
        return dict(sorted(Counter(item.category for item in self.planted).items()))

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Read what :meth:`save` wrote."""
        told = json.loads(path.read_text(encoding="utf-8"))
        return cls(seed=told["seed"], **{name: [kind(**_tuples(row)) for row in told[name]] for name, kind in ROWS})


ROWS: tuple[tuple[str, Any], ...] = (
    ("entries", Entry),
    ("planted", Planted),
    ("clinical", Clinical),
    ("references", Reference),
    ("intervals", Interval),
    ("burned_in", BurnedIn),
)


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
