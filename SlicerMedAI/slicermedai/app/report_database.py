"""What was written, on its way into Slicer's DICOM database. No Qt in here."""

from __future__ import annotations

from typing import Any

from slicermedai.app.report_state import Written
from slicermedai.app.words import Translate, untranslated
from slicermedai.scene.filing import Filing, file_objects


def add_written(database: Any, written: Written, tr: Translate = untranslated) -> Filing:
    """Start to add what was written to ``database``; raises as :func:`slicermedai.scene.filing.file_objects` does."""
    about = {"study_uid": written.study_uid, "patient_id": written.patient_id}
    return file_objects(database, written.folder, **about, tr=tr)
