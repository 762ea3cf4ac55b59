"""What a person asks of a run, as a job's options; and whether a model was made for an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.app.state import RunOptions
from slicermedai.domain import settings
from slicermedai.domain.bundle import BundleRef
from slicermedai.jobs.places import new_output


def as_job_options(asked: RunOptions, identity: str) -> dict[str, Any]:
    """Fields of :class:`slicermedai.RunJob`; what was not asked for is left out.

    Device, key of pseudonyms and place are always said: a job that waits must not take what is set by its turn.
    """
    plain = RunOptions()
    parent = Path(asked.parent or settings.present("results")).expanduser().absolute()
    found: dict[str, Any] = {"identity": identity, "device": asked.device, "output": new_output(parent)}
    if asked.stability != plain.stability:
        found["stability"] = asked.stability
    if asked.flips:
        found["uncertainty"] = "flips"
    if identity == "deidentify":
        found["project_key"] = settings.value("project_key")
    if identity == "deidentify" and asked.preset != plain.preset:
        found["preset"] = asked.preset
    return found


def fits(bundle: BundleRef, modality: str) -> bool:
    """True where the model was made for the modality, for any, or where the modality is not known."""
    return not modality or not bundle.modality or modality in bundle.modality
