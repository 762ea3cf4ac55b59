"""The DICOM objects that the cases of a cohort left, and which of them may go into a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.batch.cohort import Cohort, State
from slicermedai.batch.planning import why_excluded
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.domain.result import AnalysisResult, result_folder
from slicermedai.domain.reviewed import newest
from slicermedai.errors import InputError, MedAIError

DICOM = "dicom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Where the objects of one case lie, and whose they say they are; ``why`` says why they go nowhere, "" where they
    may. ``study_uid`` and ``patient_id`` are patient data, on the pseudonymous route pseudonyms.
    """

    folder: Path
    study_uid: str = ""
    patient_id: str = ""
    identity: str = ""
    why: str = ""


def done_cases(cohort: Cohort, names: Sequence[str] = ()) -> list[str]:
    """Those of the cases ``names`` that are done, or all; raises InputError for a name that is no case."""
    known = cohort.names()
    for name in names:
        if name not in known:
            raise InputError("no such case", file=cohort.folder, attribute=name)
    return [name for name in names or known if cohort.written(name).state is State.DONE]


def objects_of(cohort: Cohort, name: str, exclusions: ExclusionList | None) -> Objects:
    """The objects of a case that is done.

    Of somebody who opted out after the run nothing goes anywhere, and where people decided about a result, its objects
    are no longer what holds.
    """
    result, folder = cohort.result(name), cohort.result(name) / DICOM
    excluded = why_excluded(cohort.case(name), exclusions)
    if excluded:
        return Objects(folder=folder, why=excluded)
    if not folder.is_dir():
        return Objects(folder=folder, why="no DICOM objects were written")
    if newest(result) != result_folder(result):
        return Objects(folder=folder, why="people decided about it since: write what they decided in MedAI Report")
    try:
        study = AnalysisResult.load(result).study
    except MedAIError as error:
        return Objects(folder=folder, why=f"the result is damaged: {error.message}")
    return Objects(
        folder=folder, study_uid=study.study_uid, patient_id=study.patient_id, identity=str(study.identity.value)
    )
