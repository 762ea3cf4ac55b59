"""What a played run leaves: a result by the library's own writer, of the very image that a test has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai import AnalysisResult, Confidence, Finding, Volume
from slicermedai.domain.codes import ANATOMY, BRAIN, Label
from slicermedai.domain.digests import digest_of
from slicermedai.domain.estimate import Took
from slicermedai.domain.finding import ConfidenceState, PackedMask, tracking_uid
from slicermedai.domain.result import Status
from slicermedai.domain.study import Study
from slicermedai.jobs import speeds
from slicermedai.jobs.files import new_job_id
from slicermedai.measure.methods import measure
from Testing.scene.samples import a_provenance


def leave(folder: Path, volume: Volume, found: np.ndarray) -> Path:
    """A run's output in ``folder``: the finding ``found`` on the grid of ``volume``, no study; a run of its own."""
    region = PackedMask.from_array(found, volume.geometry)
    finding = Finding(
        tracking_uid=tracking_uid("a played run", str(folder)),
        label=Label(name="Brain", category=ANATOMY, type=BRAIN),
        region=region,
        measurements=measure(region, volume=volume),
        confidence=Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.98),
    )
    result = AnalysisResult(
        status=Status.COMPLETE,
        study=Study(),
        volume_geometry=volume.geometry,
        provenance=replace(a_provenance(), input=digest_of((), volume), job_id=new_job_id()),
        findings=(finding,),
    )
    result.save(folder / "result")
    return folder


def leave_speed(folder: Path, answer: Mapping[str, Any], *, seconds: float) -> Path:
    """What a run keeps in MedAI's home, in ``folder``: how long it took, of the model that ``answer`` speaks of."""
    load = {name: answer["workload"][name] for name in ("operations", "voxels", "image_voxels", "millilitres")}
    took = Took(
        machine=speeds.machine(), device=answer["device"], precision="float32", manner="keep",
        network_seconds=seconds / 2, rest_seconds=seconds / 2, **load,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(folder))
        speeds.note(answer["weights"], took)
    return folder
