"""Files on their way into Slicer's DICOM database, by CTK's own indexer, which reads in a thread of its own."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from slicermedai.errors import JobCancelled, MedAIError


class DicomImport:
    """An import that was started; it goes on by itself while Qt's event loop runs, and :meth:`poll` notices its end.

    Parameters
    ----------
    database:
        A ``ctkDICOMDatabase`` that is open; it gets copies of its own.
    folder:
        All DICOM files below it are added.
    """

    def __init__(self, database: Any, folder: Path) -> None:
        import ctk

        self.progress, self.stage = 0.0, "database"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self.tells_browser = True
        """False where more imports follow: the browser of the database looks again at their end alone."""
        self._is_complete = self._is_cancelled = False
        self._indexer = ctk.ctkDICOMIndexer()
        self._indexer.backgroundImportEnabled = True
        self._indexer.connect("progress(int)", self._on_progress)
        self._indexer.connect("indexingComplete(int,int,int,int)", self._on_complete)
        self._indexer.setDatabase(database)
        self._indexer.addDirectory(str(folder), True)

    def poll(self) -> None:
        """Notice the end; never blocks."""
        stopped = self._is_cancelled and not self._indexer.importing
        if self.done or not (self._is_complete or stopped):
            return
        if self._is_cancelled:
            self.error = JobCancelled("the import was cancelled")
        if self.tells_browser:
            refresh_browser()
        self._indexer.disconnect("progress(int)", self._on_progress)
        self._indexer.disconnect("indexingComplete(int,int,int,int)", self._on_complete)
        self.done = True

    def cancel(self) -> None:
        """Ask for an end and return at once; what was added stays."""
        self._is_cancelled = True
        self._indexer.cancel()

    def _on_progress(self, percent: int) -> None:
        self.progress = percent / 100

    def _on_complete(self, patients: int, studies: int, series: int, images: int) -> None:
        self._is_complete = True


def refresh_browser() -> None:
    """Let Slicer's DICOM browser look again: it hears nothing of what the indexer writes by its own connection."""
    with contextlib.suppress(ImportError):  # Slicer without its DICOM module
        from DICOMLib import DICOMUtils

        DICOMUtils.refreshDICOMWidget()
