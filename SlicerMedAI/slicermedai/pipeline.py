"""The one flow: a study in, one :class:`AnalysisResult` out, and files written from it. No algorithm lives here."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import AnalysisResult, Deidentification
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.jobs.specs import RunJob

if TYPE_CHECKING:
    from slicermedai.dicom.inputs import Source
    from slicermedai.domain.bundle import BundleRef
    from slicermedai.inference.task import Prediction

RESULT, HEADERS, DICOM, SOURCE = "result", "source", "dicom", "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run left in memory and in ``folder``: the result, its image, the gate's notes, the files."""

    result: AnalysisResult
    volume: Volume
    folder: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...]
