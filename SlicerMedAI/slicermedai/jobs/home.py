"""Where MedAI keeps what is no result: models, audit log, settings. Patient data in ``outbox`` and ``inbox`` alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home() -> Path:
    """The folder named by ``SLICERMEDAI_HOME``, or the platform's place for application data; not yet made."""
    chosen = os.environ.get("SLICERMEDAI_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "SlicerMedAI"
