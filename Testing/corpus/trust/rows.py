"""A row of the bench's table: what was wanted, what was measured, and what a reference says of the same data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``met`` is None where nothing was measured."""

    goal: str
    what: str
    wanted: str
    measured: str
    met: bool | None
    reference: str = ""

    @property
    def verdict(self) -> str:
        return "NOT MEASURED" if self.met is None else "met" if self.met else "MISSED"


def near(a: float, b: float | None, tolerance: float) -> bool:
    """True where both are there and no further apart than ``tolerance``."""
    return b is not None and abs(a - b) <= tolerance


def table(rows: list[Row]) -> str:
    """The rows as text in columns."""
    heads = ("goal", "what", "wanted", "measured", "verdict", "reference")
    cells = [heads, *((r.goal, r.what, r.wanted, r.measured, r.verdict, r.reference) for r in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(heads))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)
