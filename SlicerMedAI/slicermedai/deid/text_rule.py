"""What becomes of text that people typed, where the options keep it or the table does not list it."""

from __future__ import annotations

from enum import Enum


class TextRule(str, Enum):
    """SCRUB masks identity in it; REMOVE takes it out whole."""

    SCRUB = "scrub"
    REMOVE = "remove"
