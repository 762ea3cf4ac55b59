"""The steps of a run, named and timed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from slicermedai.domain.provenance import Step


@dataclass
class Clock:
    """Collects steps; each took the time since the one before. ``started`` is ISO 8601 UTC."""

    started: str
    steps: list[Step] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def step(self, name: str, detail: str = "") -> None:
        """What was done since the last step is ``name``."""
        now = time.monotonic()
        self.steps.append(Step(name=name, detail=detail, seconds=round(now - self.began, 3)))
        self.began = now
