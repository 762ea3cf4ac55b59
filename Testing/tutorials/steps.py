"""A tutorial's numbered steps, as they stand in its page: what is done, sentence by sentence, and its pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "Resources" / "Docs"
_STEP = re.compile(r"^(\d+)\. (.*)$")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(\.\./Screenshots/([^)]+)\)")
_MARKED = re.compile(r"\*\*.+?\*\*|`.+?`")
_END = re.compile("(?<=[.])\\s+(?=[A-Z\x00])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One numbered step: where it stands, its sentences, and its pictures: what they show, and their files' names."""

    section: str
    number: int
    sentences: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """To be found again in the page."""
        return f"{self.section}, step {self.number}"


def steps_of(page: str) -> list[Step]:
    """All steps of a page, in order; raises ValueError where a section's numbers do not count from 1."""
    found: list[Step] = []
    section, number, lines = "", 0, list[str]()

    def finish() -> None:
        if lines:
            text = " ".join(lines)
            pictures = tuple(_PICTURE.findall(text))
            said = tuple(sentences(_PICTURE.sub("", text).strip()))
            found.append(Step(section=section, number=number, sentences=said, pictures=pictures))
        lines.clear()

    for line in page.splitlines():
        start = _STEP.match(line)
        if start and int(start[1]) != number + 1:
            raise ValueError(f"{section}: step {start[1]} comes after step {number}")
        if start or line.startswith("#") or (line and not line.startswith(" ") and lines):
            finish()
        if line.startswith("#"):
            section, number = line.lstrip("# "), 0
        elif start:
            number = int(start[1])
            lines.append(start[2])
        elif lines and line.strip():
            lines.append(line.strip())
    finish()
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text; a full stop within marks (**1. Image**, `a.toml`) ends none."""
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\x00{len(kept) - 1}\x01"

    parts = _END.split(_MARKED.sub(hide, text))
    return [re.sub("\x00(\\d+)\x01", lambda match: kept[int(match[1])], part) for part in parts if part.strip()]
