"""The presenter of the module MedAI Report: choose, decide, write, put into the database. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from slicermedai.app.report_ask import shown_from, start_keeping, start_looking
from slicermedai.app.report_choice import Choosing
from slicermedai.app.report_state import Written
from slicermedai.app.report_words import followed_text
from slicermedai.app.result_choice import LOOK
from slicermedai.app.state import Phase, Work
from slicermedai.app.words import Translate, untranslated
from slicermedai.console.sources import place
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs.inquiry import Inquiry
from slicermedai.jobs.specs import ExportJob

KEEP, WRITE, IMPORT = "keep", "write", "import"
"""What can be going on beside looking."""


class Working(Work, Protocol):
    """An inquiry, a job or an import that is under way."""

    @property
    def error(self) -> MedAIError | None:
        """What ended it, where it did not succeed."""


class ReportRun(Choosing):
    """One thing at a time: looking at a result, writing it (its decisions first), an import of what was written.

    Parameters
    ----------
    submit:
        Starts an :class:`~slicermedai.jobs.specs.ExportJob` and returns at once.
    add_to_database:
        Starts to add what was written to Slicer's DICOM database; raises where that would mix the routes.
    recall, remember:
        Read and write a setting of the person's, as text.
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        submit: Callable[[ExportJob], Working],
        add_to_database: Callable[[Written], Working],
        recall: Callable[[str], str] = lambda name: "",
        remember: Callable[[str, str], object] = lambda name, value: None,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(recall=recall, remember=remember, translate=translate)
        self._submit, self._add = submit, add_to_database
        self._output = Path()
        self._is_stale = False
        self._kept: Path | None = None

    # --- doing -------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Start to look at the result as it would be with the decisions so far; nothing is written."""
        if self.busy:
            self._is_stale = self._is_stale or self.state.activity == LOOK
            return
        self._is_stale = False
        others = [one.folder for one in self.results]
        self._try(lambda: start_looking(self._newer or self._source, self.state.pending, others), LOOK)

    def write(self) -> None:
        """Start to write what can be written; decisions are first saved as a new result beside the old one."""
        if not self.can_write:
            return
        self._kept = None
        self._output = Path(self.state.asked.output).expanduser().absolute() if self.state.asked.output else place(None)
        if self.state.pending:
            self._try(lambda: start_keeping(self._source, self.state.pending), KEEP)
        else:
            self._export()

    @property
    def can_add(self) -> bool:
        """True where something was written that Slicer's DICOM database takes."""
        return not self.busy and self.state.written is not None and self.state.written.has_dicom

    def add_to_database(self) -> None:
        """Start to add what was written to Slicer's DICOM database."""
        written = self.state.written
        if written is not None and self.can_add:
            self._try(lambda: self._add(written), IMPORT)

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _source(self) -> Path:
        """What is looked at: the folder that was named, and once it was looked at, the result in it."""
        shown = self.state.shown
        return shown.folder if shown else Path(self.state.asked.folder).expanduser().absolute()

    def _export(self) -> None:
        asked, places = self.state.asked, {"source": str(self._source), "output": str(self._output)}
        job = ExportJob(**places, formats=self.to_write, earlier=asked.earlier, matches=asked.matches)
        self._try(lambda: self._submit(job), WRITE)

    def _end(self, working: Working) -> None:
        activity, error = self.state.activity, working.error
        if activity == LOOK and self._is_stale and not isinstance(error, JobCancelled):
            self._set(phase=Phase.IDLE)
            self.look()
        elif error is not None:
            self._fail(activity, error)
        elif activity == LOOK and isinstance(working, Inquiry):
            self._set(phase=Phase.IDLE, stage="", progress=0.0, seconds_left=None)
            self._take(shown_from(working.answer))
            self.explain()
        elif activity == KEEP and isinstance(working, Inquiry):
            self._set(phase=Phase.IDLE)
            self._take_kept(Path(working.answer))
            self._export()
        elif activity == WRITE:
            self._take_written()
        else:
            self._done(self.translate("The objects are in the DICOM database."))

    def _fail(self, activity: str, error: MedAIError) -> None:
        self._note_newer(error)
        stopped = isinstance(error, JobCancelled)
        told = self._stopped(activity) if stopped else str(error)
        kept = self._kept if activity == WRITE else None
        saved = self.translate("Your decisions are saved in {folder}.").format(folder=kept.name) if kept else ""
        self._set(
            phase=Phase.CANCELLED if stopped else Phase.FAILED,
            message=" ".join(filter(None, [told, saved])),
            stage="",
            seconds_left=None,
        )

    def _stopped(self, activity: str) -> str:
        if activity == IMPORT:
            return self.translate("Stopped. All objects are in the folder; some may be in the DICOM database.")
        return self.translate("Stopped. Nothing was written.")

    def _take_kept(self, folder: Path) -> None:
        """The decisions are in a result of their own: it is the one that is written, and shown from now on."""
        self._kept = folder
        self._follow(folder)
        shown = replace(self.state.shown, folder=folder) if self.state.shown else None
        self._set(pending=(), shown=shown)

    def _take_written(self) -> None:
        shown = self.state.shown
        if shown is None:
            return
        files = sorted(path.relative_to(self._output) for path in self._output.rglob("*") if path.is_file())
        written = Written(
            folder=self._output,
            files=tuple(path.as_posix() for path in files),
            **{name: getattr(shown, name) for name in ("identity", "job_id", "study_uid", "patient_id")},
        )
        self._set(written=written)
        kept = (
            self.translate("Your decisions are saved in {folder}.").format(folder=self._kept.name) if self._kept else ""
        )
        told = [self.translate("Written: pass it on below."), followed_text(self._output, self.translate), kept]
        self._done(" ".join(filter(None, told)))

    def _done(self, told: str) -> None:
        self._set(phase=Phase.DONE, message=told, stage="done", progress=1.0, seconds_left=None)

    def _look_again(self) -> None:
        """Nothing is installed here."""
