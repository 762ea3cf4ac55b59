"""What the adapter did to a bundle so that it runs here, for the provenance and for whoever checks a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A rule by its name, and what it changed in this bundle."""

    rule: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompatibilityReport:
    """How a bundle fits this engine.

    Parameters
    ----------
    applied:
        The rules that changed something, in order.
    warnings:
        What a person must know before trusting the result.
    refused:
        Why the bundle cannot be run; "" where it can.
    """

    applied: tuple[Applied, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: str = ""

    @property
    def in_words(self) -> str:
        """One line for each rule and warning."""
        lines = [f"{item.rule}: {item.detail}" for item in self.applied]
        lines += [f"warning: {text}" for text in self.warnings]
        return "\n".join([*lines, f"refused: {self.refused}"] if self.refused else lines)


@dataclass(slots=True)
class Ledger:
    """Collects what the rules do; the same word twice is written once."""

    applied: list[Applied] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def did(self, rule: str, detail: str) -> None:
        """Note that ``rule`` changed something."""
        item = Applied(rule=rule, detail=detail)
        if item not in self.applied:
            self.applied.append(item)

    def warn(self, text: str) -> None:
        """Note what a person must know."""
        if text not in self.warnings:
            self.warnings.append(text)

    def report(self, refused: str = "") -> CompatibilityReport:
        """What was collected so far."""
        return CompatibilityReport(applied=tuple(self.applied), warnings=tuple(self.warnings), refused=refused)
