"""Where MedAI keeps what is no result: models, audit log. Patient data in ``outbox`` and ``inbox`` alone."""

from __future__ import annotations

from pathlib import Path

from slicermedai.domain import settings


def home() -> Path:
    """The folder named by ``SLICERMEDAI_HOME``, by the settings, or the platform's place for application data.

    It may not be made yet.
    """
    return Path(settings.present("home"))
