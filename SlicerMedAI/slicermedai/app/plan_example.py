"""A result of no patient to try a plan with: one block that is the organ."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slicermedai.domain.codes import ANATOMY, BRAIN, Label
from slicermedai.domain.finding import Finding, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.domain.study import Study

ORGAN = "Brain"


def save_example(folder: Path) -> None:
    """Write the result; a plane through the middle of its block leaves half of it."""
    grid = Geometry.from_axes((12, 14, 16))
    block = np.zeros(grid.shape, dtype=bool)
    block[2:10, 2:12, 3:13] = True
    label = Label(name=ORGAN, category=ANATOMY, type=BRAIN, color=(250, 250, 225))
    made = Provenance(bundle="none", bundle_version="1", weights_sha256="0" * 64, finished="2026-01-02T03:04:05Z")
    AnalysisResult(
        status=Status.COMPLETE,
        study=Study(),
        volume_geometry=grid,
        provenance=made,
        findings=(Finding(tracking_uid="2.25.1", label=label, region=PackedMask.from_array(block, grid)),),
    ).save(folder)
