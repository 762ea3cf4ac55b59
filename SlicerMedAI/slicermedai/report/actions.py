"""What was done to an attribute, in a word."""

from __future__ import annotations

from slicermedai.report.markup import Html, tag

ACTIONS = {
    "X": "removed",
    "Z": "emptied",
    "D": "replaced",
    "U": "new UID",
    "C": "masked",
    "K": "kept",
}
"""Action codes of PS3.15 Table E.1-1a."""


def badge(action: str, words: str = "") -> Html:
    """An action as a small coloured word."""
    return tag("span", words or ACTIONS.get(action, action), class_=f"act act-{action.lower()}")
