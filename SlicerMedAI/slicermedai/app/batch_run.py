"""The presenter of the module MedAI Batch: choose, preview, run, pause, go on, look. No Qt and no MRML in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from slicermedai.app import batch_words as words
from slicermedai.app.batch_ask import Question, ask, case_from, cohort_from, is_cohort, study_from
from slicermedai.app.batch_choice import Choosing
from slicermedai.app.batch_state import GATHER, IMPORT, LOOK, PREVIEW, RETRY, RUN, TABLES, CaseShown
from slicermedai.app.signal import Signal
from slicermedai.app.state import Phase, Work
from slicermedai.app.words import Translate, untranslated
from slicermedai.console.sources import place
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import JobCancelled, MedAIError, WorkerCrashed
from slicermedai.scene.filing import CaseObjects, FilingAll

_SLICE = 0.02
"""Seconds of the window's time that listing files takes at once."""


class Working(Work, Protocol):
    """A question, an import, or files being listed."""

    @property
    def error(self) -> MedAIError | None:
        """What ended it, where it did not succeed."""


class Listing:
    """Lists the files of many series of a database, a few at a time, so that the window lives."""

    def __init__(self, series: Sequence[str], files_of: Callable[[str], Sequence[str]]) -> None:
        self.progress, self.stage = 0.0, "files"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self.files: list[str] = []
        self._series, self._files_of, self._next = tuple(series), files_of, 0

    def poll(self) -> None:
        """List some more."""
        until = time.monotonic() + _SLICE
        while self._next < len(self._series) and time.monotonic() < until:
            self.files += map(str, self._files_of(self._series[self._next]))
            self._next += 1
        self.progress = self._next / max(len(self._series), 1)
        self.done = self.done or self._next == len(self._series)

    def cancel(self) -> None:
        """List no more."""
        self.done, self.error = True, JobCancelled("it was cancelled")


class BatchRun(Choosing):
    """One thing at a time: a preview, a run, a look, tables, an import of results.

    Parameters
    ----------
    bundles:
        The models at hand.
    files_of:
        The files of a series of Slicer's DICOM database.
    add_to_database:
        Starts to add results to that database.
    missing:
        The packages that are needed and not installed, as requirements (PEP 508).
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        bundles: Callable[[], list[BundleRef]],
        files_of: Callable[[str], Sequence[str]],
        add_to_database: Callable[[Sequence[CaseObjects]], FilingAll],
        missing: Callable[[], Sequence[str]] = tuple,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(bundles=bundles, missing=missing, translate=translate)
        self.ready = Signal()
        """Emitted with the path of a file that a person wanted to see, once it is written."""
        self._files_of, self._add = files_of, add_to_database
        self._passphrase = self._wanted = ""
        self._objects: list[CaseObjects] = []

    # --- doing -------------------------------------------------------------------------------------------------------

    def preview(self) -> None:
        """Start to look what would be run; nothing is written."""
        if self.can_preview:
            self._set(studies=(), is_previewed=False)
            self._with_files(PREVIEW)

    def start(self, passphrase: str = "") -> None:
        """Make the cohort, or add what is chosen to it, and run all that waits; a cohort that was stopped goes on."""
        if not self.can_run:
            return
        self._passphrase = passphrase
        if not self.state.asked.output:
            self._set(asked=replace(self.state.asked, output=str(_new_place())))
        if self.has_source and not self.state.is_planned:
            self._with_files(RUN)
        else:
            self._run([])

    def look(self) -> None:
        """Start to look where the cases of the chosen cohort stand."""
        if not self.busy and self.state.asked.output:
            self._ask(LOOK, folder=self.state.asked.output)

    def _look_no_more(self) -> None:
        if self.busy and self.state.activity == LOOK and isinstance(self._working, Question):
            self._working.close()
            self._working = None
            self._set(phase=Phase.IDLE, stage="", progress=0.0, seconds_left=None)

    def retry(self, cases: Sequence[str] = ()) -> None:
        """Let cases wait again: those named, or all that failed."""
        if self.can_use:
            self._ask(RETRY, folder=self.state.asked.output, cases=list(cases))

    def show_output(self, name: str) -> None:
        """Write "table" and "sheet" as things stand, and have one of them opened."""
        if self.can_use:
            self._wanted = name
            self._ask(TABLES, folder=self.state.asked.output)

    def add_to_database(self, cases: Sequence[str] = ()) -> None:
        """Start to add results to Slicer's DICOM database: of the cases named, or of all that are done."""
        if self.can_use and self.state.counts.get("done"):
            self._objects = []
            self._ask(GATHER, folder=self.state.asked.output, cases=list(cases))

    @property
    def can_use(self) -> bool:
        """True where a cohort is there and nothing goes on."""
        return not self.busy and self.state.cohort is not None

    @property
    def has_other_list(self) -> bool:
        """True where a person chose a list of people who opted out, and the cohort has one of its own."""
        own = str(Path(self._people).expanduser().absolute()) if self._people else ""
        return bool(own) and not self.can_list_people and self.state.asked.exclude != own

    # --- inside ------------------------------------------------------------------------------------------------------

    def _with_files(self, activity: str) -> None:
        """The files of series are listed first, where series were ticked."""
        if self.series:
            self._try(lambda: Listing(self.series, self._files_of), activity)
        else:
            self._go_on(activity, [])

    def _go_on(self, activity: str, files: Sequence[str]) -> None:
        if activity == PREVIEW:
            self._try(lambda: ask(PREVIEW, plan=self.plan(files)), PREVIEW)
        else:
            self._run(files)

    def _run(self, files: Sequence[str]) -> None:
        plan = self.plan(files) if self.has_source and not self.state.is_planned else None
        passphrase, self._passphrase = self._passphrase, ""
        self._ask(
            RUN,
            plan=plan,
            folder=self.state.asked.output,
            processes=self.state.asked.processes,
            passphrase=passphrase,
            exclude=self.state.asked.exclude,
        )

    def _ask(self, what: str, **request: Any) -> None:
        self._try(lambda: ask(what, **request), what)

    def _poll_working(self, working: Any) -> None:
        super()._poll_working(working)
        if self._working is working and isinstance(working, Question):
            self._hear(working)

    def _hear(self, question: Question) -> None:
        """Take in the rows that a child told."""
        told = question.taken()
        studies = [study_from(one["study"]) for one in told if "study" in one]
        if studies:
            self._set(studies=(*self.state.studies, *studies))
        for one in told:
            if "cohort" in one:
                self._take_cohort(*cohort_from(one["cohort"]))
                self._set(is_planned=self.state.is_planned or self.state.activity == RUN)
        cases = [case_from(one["case"]) for one in told if "case" in one]
        if cases:
            self._take_cases(cases)
        self._objects += [CaseObjects(**one["objects"]) for one in told if "objects" in one]

    def _take_cases(self, cases: Sequence[CaseShown]) -> None:
        known = {one.name: one for one in self.state.cases} | {one.name: one for one in cases}
        self._set(cases=tuple(known.values()))

    def _end(self, working: Any) -> None:
        if isinstance(working, Question):
            self._hear(working)
        error, activity = working.error, self.state.activity
        if activity == RUN and not isinstance(working, Listing):
            self._let_go()
        if error is not None:
            self._fail(activity, error)
        elif isinstance(working, Listing):
            self._set(phase=Phase.IDLE)
            self._go_on(activity, working.files)
        else:
            self._finish(activity, working)

    def _finish(self, activity: str, working: Any) -> None:
        tr = self.translate
        if activity == PREVIEW:
            self._set(is_previewed=True)
            self._done(tr("Look at each study, then press Run."), phase=Phase.IDLE)
        elif activity == LOOK:
            also = f" {words.other_list_text(tr)}" if self.has_other_list else ""
            self._done(words.cohort_text(self.state.cohort, tr) + also, phase=Phase.IDLE)
        elif activity == RUN:
            self._done(words.ended_text(self.state.counts, working.answer["absent"], tr))
        elif activity == RETRY:
            told = tr("{count} cases wait again: press Run.").format(count=working.answer["again"])
            self._done(told, phase=Phase.IDLE)
        elif activity == TABLES:
            self._done(tr("Table and quality sheet are written as things stand."))
            self.ready.emit(working.answer[self._wanted])
        elif activity == GATHER:
            self._set(phase=Phase.IDLE)
            self._try(lambda: self._add(self._objects), IMPORT)
        else:
            self._done(words.added_text(working.added, working.refused, tr))

    def _fail(self, activity: str, error: MedAIError) -> None:
        tr, told = self.translate, str(error)
        if isinstance(error, JobCancelled):
            told = self._stopped(activity)
        elif activity == RUN and isinstance(error, WorkerCrashed):
            told = tr("The run's process ended by itself. What was done is kept: Run goes on.")
        elif activity == RUN and self.state.cohort is not None:
            told = " ".join([told, tr("What was done is kept: Run goes on once that is mended.")])
        phase = Phase.CANCELLED if isinstance(error, JobCancelled) else Phase.FAILED
        self._set(phase=phase, message=told, stage="", seconds_left=None)

    def _stopped(self, activity: str) -> str:
        tr = self.translate
        if activity == RUN and self.state.cohort is not None:
            told = tr("Paused: {counts}. Run goes on.")
            return told.format(counts=words.counts_text(self.state.counts, tr))
        if activity == IMPORT:
            return tr("Stopped. All results are in the folder; some may be in the DICOM database.")
        return tr("Stopped. Nothing was written.") if activity == RUN else tr("Stopped.")

    def _let_go(self) -> None:
        """What our run had, nobody runs any more."""
        cases = [replace(one, state="waiting", is_ours=False) if one.is_ours else one for one in self.state.cases]
        found = is_cohort(self.state.asked.output)
        self._set(cases=tuple(cases), is_planned=self.state.is_planned and found)

    def _done(self, told: str, *, phase: Phase = Phase.DONE) -> None:
        self._set(phase=phase, message=told, stage="done", progress=1.0, seconds_left=None)


def _new_place() -> Path:
    """A new folder in the person's Documents."""
    return place(None).with_name(f"MedAI-Cohort-{datetime.now():%Y%m%d-%H%M%S}")
