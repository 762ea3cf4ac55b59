"""States that people read: a constant that is its own plain words."""

from __future__ import annotations

from enum import StrEnum


class Words(StrEnum):
    """A constant whose ``str`` and ``repr`` are its plain words, never ``Class.NAME``."""

    def __repr__(self) -> str:
        return str.__repr__(self.value)
