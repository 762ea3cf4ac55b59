"""The results of a cohort on their way into Slicer's DICOM database, a case at a time. No Qt in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicermedai.app.report_database import Filing, add_written
from slicermedai.app.report_state import Written
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.study import Identity
from slicermedai.errors import IdentityError, JobCancelled, MedAIError, OutputError
from slicermedai.scene.dicom_import import refresh_browser


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
        try:
            filing = add_written(self._database, _written(one), self._translate)
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


def add_results(database: Any, cases: Sequence[CaseObjects], tr: Translate = untranslated) -> FilingAll:
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


def _written(one: CaseObjects) -> Written:
    return Written(
        folder=Path(one.folder),
        identity=Identity(one.identity),
        study_uid=one.study_uid,
        patient_id=one.patient_id,
    )
