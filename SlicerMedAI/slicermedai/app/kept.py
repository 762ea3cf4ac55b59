"""What a panel remembers of a person's choices, in the settings that all of MedAI takes its defaults from."""

from __future__ import annotations

import contextlib

from slicermedai.domain import settings
from slicermedai.errors import MedAIError


def recall(name: str) -> str:
    """What is set under ``name``; "" where the default counts."""
    return settings.value(name)


def remember(name: str, text: str) -> None:
    """Set it; what is the default anyway is not kept. Where the file cannot be written nothing is remembered.

    The page of settings says then why: a choice for one run must not fail for it.
    """
    kept = "" if text == settings.SETTINGS[name].default() else text
    with contextlib.suppress(MedAIError):
        if kept != settings.in_file(name):
            settings.change(name, kept)
