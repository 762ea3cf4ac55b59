"""What was written, on its way into Slicer's DICOM database, and what must not go into it. No Qt in here."""

from __future__ import annotations

from typing import Any

from slicermedai.app.report_state import Written
from slicermedai.app.words import Translate, untranslated
from slicermedai.errors import IdentityError, OutputError
from slicermedai.scene.dicom_import import DicomImport


class Filing(DicomImport):
    """An import that is not done before the database knows the study of what was written."""

    def __init__(self, database: Any, written: Written, tr: Translate) -> None:
        super().__init__(database, written.folder)
        self._database, self._written, self._translate = database, written, tr

    def poll(self) -> None:
        """Notice the end, and that the database did not take the objects."""
        super().poll()
        if self.done and self.error is None and not self._database.patientForStudy(self._written.study_uid):
            told = self._translate("The DICOM database did not take the objects; all are in the folder.")
            self.error = OutputError(told, file=self._written.folder, attribute="StudyInstanceUID")


def add_written(database: Any, written: Written, tr: Translate = untranslated) -> Filing:
    """Start to add what was written to ``database``, a ``ctkDICOMDatabase``.

    Raises
    ------
    OutputError
        The database is not open.
    IdentityError
        It holds the study for another patient: that would mix the identified and the pseudonymous route.
    """
    if database is None or not database.isOpen:
        raise OutputError(
            tr("Slicer's DICOM database is not open: the objects are in the folder alone."), file=written.folder
        )
    patient = database.patientForStudy(written.study_uid)
    if patient and database.fieldForPatient("PatientID", patient) != written.patient_id:
        told = tr("The DICOM database holds the study for another patient, and nothing was added to it.")
        raise IdentityError(told, file=written.folder, attribute="StudyInstanceUID")
    return Filing(database, written, tr)
