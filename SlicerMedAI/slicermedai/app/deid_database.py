"""What is ticked in Slicer's DICOM database, and which copies must not go into it. No Qt in here."""

from __future__ import annotations

from typing import Any

from slicermedai.app.deid_state import DeidResult
from slicermedai.app.dicom_database import Node, files_of
from slicermedai.app.words import Translate, untranslated
from slicermedai.errors import IdentityError
from slicermedai.scene.dicom_import import DicomImport

__all__ = ["Node", "add_copies", "files_of"]


def strangers(database: Any, result: DeidResult) -> list[str]:
    """UIDs of series that the database holds for another patient than the pseudonym that the copies carry.

    Adding such copies would mix the identified and the pseudonymous route.
    """
    found = []
    for series, pseudonym in result.series:
        study = database.studyForSeries(series)
        if study and database.fieldForPatient("PatientID", database.patientForStudy(study)) != pseudonym:
            found.append(series)
    return found


def refuse_mixing(database: Any, result: DeidResult, tr: Translate = untranslated) -> None:
    """Refuse to add what would mix the identified and the pseudonymous route, by name.

    Raises
    ------
    IdentityError
        The database is not open, or holds one of the series for another patient.
    """
    if database is None or not database.isOpen:
        raise IdentityError(tr("Slicer's DICOM database is not open: the copies are in the folder alone."))
    mixed = strangers(database, result)
    if mixed:
        told = tr("The DICOM database holds {count} of the series for another patient, and nothing was added to it.")
        raise IdentityError(told.format(count=len(mixed)), file=result.folder, attribute="SeriesInstanceUID")


class Adding(DicomImport):
    """An import that is not done before the database has all series; a :class:`~.deid_state.Working`."""

    def __init__(self, database: Any, result: DeidResult, tr: Translate) -> None:
        super().__init__(database, result.copies)
        self._database, self._expected, self._translate = database, result, tr

    def poll(self) -> None:
        """Notice the end, and what the database did not take."""
        super().poll()
        absent = absent_series(self._database, self._expected) if self.done and self.error is None else []
        if absent:
            told = self._translate(
                "The DICOM database did not take {count} of the series; all copies are in the folder."
            )
            self.error = IdentityError(told.format(count=len(absent)), attribute="SeriesInstanceUID")


def add_copies(database: Any, result: DeidResult, tr: Translate = untranslated) -> Adding:
    """Start to add the copies to the database, as patients of their own.

    Raises
    ------
    IdentityError
        That would mix the identified and the pseudonymous route, or the database is not open.
    """
    refuse_mixing(database, result, tr)
    return Adding(database, result, tr)


def absent_series(database: Any, result: DeidResult) -> list[str]:
    """UIDs of series of the result that the database does not hold."""
    return [series for series, _ in result.series if not database.studyForSeries(series)]
