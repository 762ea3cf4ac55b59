"""Outputs of runs, as far as a result's way out needs them: the result, its headers, and pictures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.app.presenter import Presenter
from slicermedai.dicom.headers import save_headers
from slicermedai.domain.finding import Confidence, ConfidenceState
from slicermedai.domain.study import Identity
from Testing.export.cases import BRAIN_LABEL, GRIDS, LEFT_KIDNEY, LESION, Case, a_ball, a_case

LONG = 60.0
LABELS = (BRAIN_LABEL, LESION, LEFT_KIDNEY)


def a_run(folder: Path, case: Case | None = None, *, job_id: str = "0123456789ab") -> Path:
    """The output of a run with two findings, the second calibrated, and one warning."""
    case = two_findings() if case is None else case
    made = dataclasses.replace(case.result.provenance, job_id=job_id)
    dataclasses.replace(case.result, provenance=made).save(folder / "result")
    save_headers(case.headers, folder / "result" / "source")
    return folder


def two_findings() -> Case:
    small = a_ball(GRIDS["axial"], radius=(0.2, 0.2, 0.1))
    case = a_case(masks=(np.asarray(a_ball(GRIDS["axial"]) & ~small), small), labels=LABELS)
    first, second = case.result.findings
    sure = Confidence(state=ConfidenceState.CALIBRATED, probability=0.83, calibration="temperature, 120 cases")
    return changed(
        case,
        findings=(first, dataclasses.replace(second, confidence=sure)),
        provenance=dataclasses.replace(case.result.provenance, warnings=("the field of view is small",)),
    )


def pseudonymous(case: Case) -> Case:
    for header in case.headers:
        header.PatientIdentityRemoved = "YES"
    return changed(case, study=dataclasses.replace(case.result.study, identity=Identity.DEIDENTIFY))


def changed(case: Case, **fields: Any) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


def until_idle(*presenters: Presenter, seconds: float = LONG) -> None:
    """Poll as a timer does."""
    assert until(lambda: not any(one.busy for one in presenters), *presenters, seconds=seconds)


def until(condition: Callable[[], bool], *presenters: Presenter, seconds: float = LONG) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
        for one in presenters:
            one.poll()
    return condition()
