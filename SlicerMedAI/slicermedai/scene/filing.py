"""DICOM objects on their way into Slicer's DICOM database, and what must not go into it. No Qt in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicermedai.errors import IdentityError, JobCancelled, MedAIError, OutputError
from slicermedai.scene.dicom_import import DicomImport, refresh_browser

Translate = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


class Filing(DicomImport):
    """An import that is not done before the database knows the study of what is added."""

    def __init__(self, database: Any, folder: Path, study_uid: str, tr: Translate) -> None:
        super().__init__(database, folder)
        self._database, self._folder, self._study, self._translate = database, folder, study_uid, tr

    def poll(self) -> None:
        """Notice the end, and that the database did not take the objects."""
        super().poll()
        if self.done and self.error is None and not self._database.patientForStudy(self._study):
            told = self._translate("The DICOM database did not take the objects; all are in the folder.")
            self.error = OutputError(told, file=self._folder, attribute="StudyInstanceUID")


def file_objects(database: Any, folder: Path, *, study_uid: str, patient_id: str, tr: Translate = _as_it_is) -> Filing:
    """Start to add what lies in ``folder`` to ``database``, a ``ctkDICOMDatabase``.

    Raises
    ------
    OutputError
        The database is not open.
    IdentityError
        It holds the study for another patient: that would mix the identified and the pseudonymous route.
    """
    if database is None or not database.isOpen:
        raise OutputError(tr("Slicer's DICOM database is not open: the objects are in the folder alone."), file=folder)
    patient = database.patientForStudy(study_uid)
    if patient and database.fieldForPatient("PatientID", patient) != patient_id:
        told = tr("The DICOM database holds the study for another patient, and nothing was added to it.")
        raise IdentityError(told, file=folder, attribute="StudyInstanceUID")
    return Filing(database, folder, study_uid, tr)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseObjects:
    """The DICOM objects of a case, as :mod:`slicermedai.batch.objects` finds them; ``why`` says why they go nowhere."""

    case: str
    folder: str
    study_uid: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    identity: str = ""
    why: str = ""


class FilingAll:
    """Imports one after the other; what is refused of one case is kept by name, and the next one goes on."""

    def __init__(self, database: Any, cases: Sequence[CaseObjects], tr: Translate) -> None:
        self.progress, self.stage = 0.0, "database"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self.added: list[str] = []
        """The cases that the database took."""
        self.refused: dict[str, str] = {one.case: one.why for one in cases if one.why}
        """Why others are not in it."""
        self._database, self._translate = database, tr
        self._waiting = [one for one in cases if not one.why]
        self._all = max(len(self._waiting), 1)
        self._current: tuple[CaseObjects, Filing] | None = None

    def poll(self) -> None:
        """Notice the end of an import, and start the next; never blocks."""
        if self.done:
            return
        if self._current is None:
            self._begin()
        else:
            self._look_after(*self._current)

    def cancel(self) -> None:
        """Ask for an end; what was added stays."""
        self._waiting.clear()
        self.error = JobCancelled("the import was cancelled")
        if self._current is not None:
            self._current[1].cancel()

    def _begin(self) -> None:
        if not self._waiting:
            refresh_browser()
            self.done, self.progress = True, 1.0
            return
        one = self._waiting.pop(0)
        about = {"study_uid": one.study_uid, "patient_id": one.patient_id}
        try:
            filing = file_objects(self._database, Path(one.folder), **about, tr=self._translate)
        except IdentityError as error:
            self.refused[one.case] = error.message
            return
        except OutputError as error:
            self.error, self.done = error, True
            return
        filing.tells_browser = False
        self._current = one, filing

    def _look_after(self, one: CaseObjects, filing: Filing) -> None:
        filing.poll()
        if not filing.done:
            return
        self._current = None
        if filing.error is None:
            self.added.append(one.case)
        elif not isinstance(filing.error, JobCancelled):
            self.refused[one.case] = filing.error.message
        self.progress = 1 - len(self._waiting) / self._all


def file_all(database: Any, cases: Sequence[CaseObjects], tr: Translate = _as_it_is) -> FilingAll:
    """Start to add the objects of ``cases`` to ``database``, a ``ctkDICOMDatabase``.

    Of each it is asked before whether the database holds its study for another patient: that would mix the identified
    and the pseudonymous route.

    Raises
    ------
    OutputError
        The database is not open.
    """
    if database is None or not database.isOpen:
        raise OutputError(tr("Slicer's DICOM database is not open: the results are in the cohort's folder alone."))
    return FilingAll(database, cases, tr)


def slicer_database() -> Any | None:
    """The DICOM database of the application; None outside it."""
    try:
        import slicer
    except ImportError:
        return None
    return getattr(slicer, "dicomDatabase", None)
