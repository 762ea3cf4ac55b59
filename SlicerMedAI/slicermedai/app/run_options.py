"""What a person asks of a run, as a job's options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.state import NO_SAMPLES, RunOptions
from slicermedai.domain import settings
from slicermedai.jobs.places import new_output


def as_job_options(asked: RunOptions, identity: str) -> dict[str, Any]:
    """Fields of :class:`slicermedai.RunJob`; what was not asked for is left out.

    Device, key of pseudonyms and place are always said: a job that waits must not take what is set by its turn.
    """
    plain = RunOptions()
    parent = Path(asked.parent or settings.present("results")).expanduser().absolute()
    found: dict[str, Any] = {"identity": identity, "device": asked.device, "output": new_output(parent)}
    if asked.over_time:
        found["over_time"] = True
    if asked.stability != plain.stability:
        found["stability"] = asked.stability
    if asked.samples != plain.samples:
        found["uncertainty"] = asked.samples
    if identity == "deidentify":
        found["project_key"] = settings.value("project_key")
    if identity == "deidentify" and asked.preset != plain.preset:
        found["preset"] = asked.preset
    return found


SAMPLES = (NO_SAMPLES, "flips", "folds", "dropout")
"""Ways to ask for further answers, as a job calls them; the first two any segmentation can be asked for."""


class SampleWays:
    """In which ways each model can be asked for further answers, as far as that has been looked up."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def learn(self, title: str, ways: Sequence[tuple[str, str]]) -> bool:
        """Of a model, why it cannot be asked in a way, "" where it can; tells whether that is news."""
        is_news = bool(ways) and self._known.get(title) != dict(ways)
        if is_news:
            self._known[title] = dict(ways)
        return is_news

    def knows(self, title: str) -> bool:
        """Whether that model was looked at."""
        return title in self._known

    def refusal(self, title: str, way: str) -> str:
        """Why that model cannot be asked in that way; "" where it can, or where nobody has looked yet."""
        return self._known.get(title, {}).get(way, "")

    def offered(self, title: str) -> tuple[str, ...]:
        """The ways that can be chosen for a model: of one that was not looked at, what every segmentation can."""
        known = self._known.get(title)
        return SAMPLES[:2] if known is None else tuple(way for way in SAMPLES if not known.get(way, ""))
