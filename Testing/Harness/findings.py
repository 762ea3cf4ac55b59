"""One mistake found by the static check."""

from dataclasses import dataclass

from Testing.Harness import facts


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """Where the mistake is and what it is; line 0 where the line is not known."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def version_complaint(versions: facts.Versions) -> str:
    """Why a name is not portable between Qt 5.15 and Qt 6; empty if it is."""
    if versions >= facts.BOTH:
        return ""
    return "is removed in Qt 6" if "qt5" in versions else "is not in Qt 5.15"
