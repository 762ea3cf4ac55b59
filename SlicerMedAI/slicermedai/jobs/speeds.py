"""How long runs took on this machine, so that the next one's time can be told: a small file for each model.

Sizes and seconds alone, nothing of a patient. Two runs that end at one moment may cost one of the two entries.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import platform
import re
from pathlib import Path
from typing import Any

from slicermedai.domain.estimate import Took
from slicermedai.domain.storage import write_text
from slicermedai.errors import OutputError
from slicermedai.jobs.home import home
from slicermedai.jobs.specs import RunJob

_LOG = logging.getLogger("slicermedai")
_FORMAT = 1
_KEPT = 40
_HASH = re.compile(r"[0-9a-f]{16,64}")
_TEXTS = ("machine", "device", "precision", "manner")


def machine() -> str:
    """What runs here are told apart by from those of another computer that shares the folder."""
    return f"{platform.node() or 'localhost'}, {os.cpu_count() or 1} cores"


def manner(job: RunJob) -> str:
    """What decides, beside model, image and device, how long a run takes."""
    said = [job.identity]
    if job.identity == "deidentify":
        said += [Path(job.preset).name, f"ocr {job.ocr}", f"deface {job.deface}"]
    said += ["report"] if job.report else []
    return ", ".join([*said, *(["thumbnail"] if job.thumbnail else [])])


def note(weights_sha256: str, took: Took) -> None:
    """Keep what a run took. A folder that cannot be written costs the entry, and not the run."""
    path = _file(weights_sha256)
    if path is None:
        return
    entries = [dataclasses.asdict(one) for one in [*_read(path), took][-_KEPT:]]
    try:
        write_text(path, json.dumps({"medai_speeds": _FORMAT, "runs": entries}, indent=1))
    except (OutputError, OSError) as error:
        _LOG.info("how long the run took was not kept (%s)", type(error).__name__)


def known(weights_sha256: str) -> tuple[Took, ...]:
    """What the runs of these weights on this machine took, the oldest first; () where nothing can be read."""
    path, here = _file(weights_sha256), machine()
    return () if path is None else tuple(one for one in _read(path) if one.machine == here)


def _file(weights_sha256: str) -> Path | None:
    return home() / "speeds" / f"{weights_sha256}.json" if _HASH.fullmatch(weights_sha256) else None


def _read(path: Path) -> list[Took]:
    """All entries that can be read; a file that is absent or damaged has none, and is written anew."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        entries = body["runs"] if body["medai_speeds"] == _FORMAT else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [took for one in entries if (took := _took(one)) is not None]


def _took(entry: Any) -> Took | None:
    try:
        values = {field.name: entry[field.name] for field in dataclasses.fields(Took)}
        numbers = {name: float(value) for name, value in values.items() if name not in _TEXTS}
    except (KeyError, TypeError, ValueError):
        return None
    if not all(isinstance(values[name], str) for name in _TEXTS) or not all(0 <= n < 1e18 for n in numbers.values()):
        return None
    return Took(**{**values, **numbers})
