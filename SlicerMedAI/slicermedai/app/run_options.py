"""What a person asks of a run, as a job's options; and whether a model was made for an image."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from slicermedai.app.state import RunOptions
from slicermedai.domain.bundle import BundleRef

_AS_IT_IS = ("device", "stability")


def as_job_options(asked: RunOptions, identity: str) -> dict[str, Any]:
    """Fields of :class:`slicermedai.RunJob`; what was not asked for is left out."""
    plain = RunOptions()
    found: dict[str, Any] = {"identity": identity}
    found |= {name: getattr(asked, name) for name in _AS_IT_IS if getattr(asked, name) != getattr(plain, name)}
    if asked.flips:
        found["uncertainty"] = "flips"
    if identity == "deidentify" and asked.preset != plain.preset:
        found["preset"] = asked.preset
    if asked.parent:
        made = f"MedAI-{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
        found["output"] = Path(asked.parent).expanduser() / made
    return found


def fits(bundle: BundleRef, modality: str) -> bool:
    """True where the model was made for the modality, for any, or where the modality is not known."""
    return not modality or not bundle.modality or modality in bundle.modality
