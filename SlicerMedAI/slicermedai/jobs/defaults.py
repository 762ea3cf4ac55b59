"""What a job takes from the person's settings, where whoever asks for it says nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from slicermedai.domain import settings
from slicermedai.jobs.places import new_output
from slicermedai.jobs.specs import Job


def with_settings(spec: type[Job], values: dict[str, Any]) -> dict[str, Any]:
    """``values`` of a job, and what is set for the fields that are not among them, or None where they can be set.

    A place of results that is set becomes a new folder in it.
    """
    fields = {field.name: field.metadata for field in dataclasses.fields(spec) if "setting" in field.metadata}
    chosen = {name: value for name, value in values.items() if value is not None or name not in fields}
    for name, about in fields.items():
        text = settings.value(about["setting"]) if name not in chosen and _counts(spec, about, chosen) else ""
        if text:
            chosen[name] = str(new_output(Path(text))) if name == "output" else text
    return chosen


def _counts(spec: type[Job], about: Any, chosen: dict[str, Any]) -> bool:
    other, wanted = about.get("where", ("", ""))
    default = next((field.default for field in dataclasses.fields(spec) if field.name == other), "")
    return bool(chosen.get(other, default) == wanted)
