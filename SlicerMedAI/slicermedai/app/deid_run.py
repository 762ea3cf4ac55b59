"""The presenter of the module MedAI De-identify: choose, preview, run, look, decide. No Qt and no MRML in here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.app.deid_choice import Choosing
from slicermedai.app.deid_preview import shown_from, start_key, start_preview
from slicermedai.app.deid_result import DECISIONS, decide, decisions, read_result, review_folder
from slicermedai.app.deid_state import DeidResult, Working
from slicermedai.app.deid_words import stopped_text, summary
from slicermedai.app.installing import InstallStep
from slicermedai.app.presenter import Ask
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.console.sources import place
from slicermedai.deid.request import wants_passphrase
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs.inquiry import Inquiry
from slicermedai.jobs.places import unfinished
from slicermedai.jobs.specs import DeidJob

PREVIEW, RUN, IMPORT, INSTALL, KEY = "preview", "run", "import", "install", "key"
"""What can be going on."""


class DeidRun(Choosing):
    """One thing at a time: a preview, a run, an import of its copies, an installation.

    Parameters
    ----------
    submit:
        Starts a job and returns at once, as :func:`slicermedai.deidentify` does.
    add_to_database:
        Starts to add the copies of a result to Slicer's DICOM database; raises where that would mix the routes.
    missing:
        The optional packages that are not installed, as requirements (PEP 508).
    has_brain_model:
        Whether faces can be found.
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        submit: Callable[..., Any],
        add_to_database: Callable[[DeidResult], Working],
        missing: Callable[[], Sequence[str]] = tuple,
        has_brain_model: Callable[[], bool] = bool,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(missing=missing, has_brain_model=has_brain_model, translate=translate)
        self._submit, self._add = submit, add_to_database
        self._output = self._key = Path()
        self._review_is_ours = False
        self._ran: tuple[Any, DeidJob] | None = None
        self.decided: dict[str, str] = {}
        """Name of a picture -> what was decided about it."""

    # --- doing -------------------------------------------------------------------------------------------------------

    def preview(self, passphrase: str = "") -> None:
        """Start to look what would happen; nothing is written."""
        if not self.can_preview:
            return
        job = self.job(Path(self.state.asked.output) if self.state.asked.output else place(None))
        try:
            files = self.source if isinstance(self.source, list) else None
            working = start_preview(job, files, passphrase)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self._begin(working, PREVIEW)

    def start(self, passphrase: str = "") -> None:
        """Start the job; whatever keeps it from starting becomes the message."""
        if not self.can_run:
            return
        output = self._place()
        self._run(self.source, self.job(output, review=review_folder(output)), passphrase)

    @property
    def can_apply(self) -> bool:
        """True where something was decided about the texts of the last run."""
        if self.busy or self.state.result is None or self._ran is None or not self.decided:
            return False
        return self.state.asked.has_passphrase or not wants_passphrase(self._ran[1])

    def apply(self, passphrase: str = "") -> None:
        """Do the same files again by the same choice, with what was decided, into a new folder; the last one stays."""
        if not self.can_apply or self._ran is None:
            return
        source, ran = self._ran
        output = self._beside(Path(ran.output))
        again = replace(ran, output=str(output), review=str(review_folder(output)))
        self._run(source, replace(again, decisions=str(self.review / DECISIONS)), passphrase)

    def make_key(self, path: Path, passphrase: str) -> None:
        """Start to make a sealed project key, which is then the chosen one."""
        if self.busy:
            return
        try:
            working = start_key(path, passphrase)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self._key = path
        self._begin(working, KEY)

    def ask_and_install(self, ask: Ask) -> None:
        """Start to bring the optional packages that are missing, once it is known how and the person was asked."""
        self._ask_and_install(self.missing, ask=ask, activity=INSTALL)

    def install(self, steps: Sequence[InstallStep]) -> None:
        """Start to do ``steps``; the person was asked before."""
        if steps and not self.busy:
            self._install(steps, activity=INSTALL)

    def decide(self, picture: Path, decision: str) -> None:
        """Note what a person said about a piece of doubtful text, in the folder where its picture lies."""
        try:
            self.decided = decide(picture, decision)
        except MedAIError as error:
            self._set(message=str(error))
        self.changed.emit(self.state)

    @property
    def review(self) -> Path:
        """The folder with the pictures of the last run: patient data."""
        return review_folder(self._output)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _run(self, source: Any, job: DeidJob, passphrase: str) -> None:
        self._output = Path(job.output)
        try:
            working = self._submit(source, job.output, passphrase=passphrase, **self.options_of(job))
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self.decided, self._review_is_ours, self._ran = {}, not self.review.exists(), (source, job)
        self._set(result=None)
        self._begin(working, RUN)

    @staticmethod
    def _beside(output: Path) -> Path:
        """A folder of a new name beside the last output."""
        names = (f"{output.name}-decided{number}" for number in ("", *(f"-{count}" for count in range(2, 1000))))
        return next(path for path in map(output.with_name, names) if not path.exists())

    def _begin(self, working: Working, activity: str) -> None:
        self._working = working
        shown = None if activity == PREVIEW else self.state.preview
        begun = {"phase": Phase.RUNNING, "stage": "start", "progress": 0.0, "seconds_left": None, "message": ""}
        self._set(activity=activity, preview=shown, **begun)

    def _end(self, working: Working) -> None:
        activity, error = self.state.activity, working.error
        if activity == RUN and error is not None and self._review_is_ours:
            shutil.rmtree(self.review, ignore_errors=True)  # patient data of a run that left nothing else
        if isinstance(error, JobCancelled):
            self._set(phase=Phase.CANCELLED, message=self._stopped(activity), stage="", seconds_left=None)
        elif error is not None:
            self._set(phase=Phase.FAILED, message=str(error), stage="", seconds_left=None)
        elif activity == PREVIEW and isinstance(working, Inquiry):
            self._show_preview(working)
        elif activity == KEY and isinstance(working, Inquiry):
            self._take_key(working)
        elif activity == RUN:
            self._show_result()
        else:
            self._done(self.translate("The copies are in the DICOM database, under their pseudonyms."))

    def _stopped(self, activity: str) -> str:
        if activity == RUN:
            return stopped_text(self.translate, can_go_on=bool(unfinished(self._output)))
        if activity == IMPORT:
            return self.translate("Stopped. All copies are in the folder; some may be in the DICOM database.")
        return self.translate("Stopped.")

    def _show_preview(self, inquiry: Inquiry) -> None:
        self._set(phase=Phase.IDLE, preview=shown_from(inquiry.answer), stage="done", progress=1.0)
        self.explain()

    def _take_key(self, inquiry: Inquiry) -> None:
        self._set(phase=Phase.IDLE, stage="done", progress=1.0)
        self.choose(key=str(self._key))
        told = self.translate("Key made, fingerprint {text}. Keep it away from the copies, and its passphrase in mind.")
        self._set(message=told.format(text=inquiry.answer))

    def _show_result(self) -> None:
        try:
            result = read_result(self._output, self.review)
        except (OSError, ValueError, KeyError) as error:
            told = self.translate("The report of the job cannot be read ({error}).")
            self._set(phase=Phase.FAILED, message=told.format(error=type(error).__name__))
            return
        self.decided = decisions(self.review)
        self._set(result=result)
        if not self.state.asked.into_database:
            self._done()
            return
        try:
            self._begin(self._add(result), IMPORT)
        except MedAIError as error:
            self._done(str(error), phase=Phase.FAILED)

    def _done(self, more: str = "", *, phase: Phase = Phase.DONE) -> None:
        told = summary(self.state.result, self.translate) if self.state.result else ""
        message = "\n".join(filter(None, [told, more]))
        self._set(phase=phase, message=message, stage="done", progress=1.0, seconds_left=None)

    def _look_again(self) -> None:
        self.refresh()

    def _place(self) -> Path:
        """Where the copies go; a run into a folder of our own naming that was stopped is gone on with there."""
        if self.state.asked.output:
            return Path(self.state.asked.output).expanduser().absolute()
        return self._output if self._output.name and unfinished(self._output) else place(None)
