"""The answers that the module MedAI Mark gets and keeps: a process that keeps the model is asked once marks rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from slicermedai.app import mark_words as words
from slicermedai.app.mark_choice import MarkChoice
from slicermedai.app.mark_state import ANSWER, SAVE, Around, Session, Stage
from slicermedai.app.run_options import as_job_options
from slicermedai.app.state import Phase, RunOptions
from slicermedai.app.words import Translate, reason_text
from slicermedai.domain.prompts import Prompt
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import InputError, JobCancelled

PAUSE = 0.1
"""Seconds that marks must rest before they are asked about: a hand that moves one changes it many times."""


class Asking:
    """An answer that is being made, as work of a presenter."""

    seconds_left: float | None = None

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def stage(self) -> str:
        """What is being done."""
        return self.session.stage

    @property
    def progress(self) -> float:
        """0 to 1."""
        return self.session.progress

    @property
    def done(self) -> bool:
        """True where it has ended, well or not."""
        return not self.session.is_waiting

    def poll(self) -> None:
        """Take in what the process said."""
        self.session.poll()

    def cancel(self) -> None:
        """Give it up."""
        self.session.cancel()


class MarkAnswers(MarkChoice):
    """One session at a time, which answers to the marks as they are; what it answered can be kept.

    ``stage`` and ``around`` are as :class:`~slicermedai.app.mark_choice.MarkChoice` has them.
    """

    def __init__(self, stage: Stage, *, around: Around, translate: Translate) -> None:
        super().__init__(stage, around=around, translate=translate)
        self._session: Session | None = None
        self._image: Hashable = None
        """What the image was when its session began."""
        self._due: float | None = None
        """When the marks are asked about, None where they were."""
        self._began = 0.0

    # --- answers -----------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Ask where the marks rest; take in what was said."""
        if self._due is not None and time.monotonic() >= self._due and not self._is_keeping:
            self._due = None
            self._act(self._ask)
        super().poll()
        if self.busy:
            self._set(since=int(time.monotonic() - self._began))

    @property
    def can_ask(self) -> bool:
        """True where marks have no answer, and none is being made: it was cancelled, or failed."""
        return not self.busy and self.can_mark and bool(self.state.marks) and not self.state.is_answered

    def ask_again(self) -> None:
        """Ask once more about the marks as they are."""
        if self.can_ask:
            self._due = time.monotonic()
            self._started(ANSWER)

    def cancel(self) -> None:
        """Ask what is going on to stop; within two seconds its processes are gone. The marks stay."""
        if self._due is not None and self.can_cancel:
            self._due = None
            if self._working is None:
                self._set(phase=Phase.CANCELLED, message=self.translate("Stopped."), stage="")
        super().cancel()

    def _ask(self) -> None:
        """Of the marks as they are; without any there is nothing to answer."""
        marks = self.state.marks
        if not marks and (self._session is None or not self._is_same_image()):
            self._forget_answers()
            return
        self._session = self._session or self._new_session()
        self._check_image()
        self._session.replace(*marks)
        self._working = Asking(self._session)
        self._started(ANSWER)

    def _new_session(self) -> Session:
        assert self.state.bundle is not None
        options = as_job_options(RunOptions(device=self.state.device), self.state.identity)
        options.pop("output")
        self._image = self._stage.image_state
        session = self._around.begin(self._stage.image_node, self.state.title, **options)
        session.on_result, session.on_error = self._show, lambda error: None
        return session

    def _forget_answers(self) -> None:
        """Nothing is marked, and no session knows the image as it is."""
        if self._session is not None:
            self._session.close()
            self._session = None
            self._stage.hide_answer()
        self._rest()

    def _is_same_image(self) -> bool:
        return self._stage.image_state == self._image

    def _check_image(self) -> None:
        """Raises :class:`InputError` where the answers would be of another image than the one that is shown."""
        if not self._is_same_image():
            raise InputError(
                "the volume was moved or changed since it was first marked",
                advice="Remove the marks and begin anew, or take the change back.",
            )

    def _show(self, result: AnalysisResult) -> None:
        remark = self._stage.show(result)
        self._set(result=result, remark=remark)

    def _started(self, activity: str) -> None:
        if self.state.phase is not Phase.RUNNING or self.state.activity != activity:
            self._began = time.monotonic()
        told = self.state.message if self.state.placing else ""
        self._set(phase=Phase.RUNNING, activity=activity, stage="start", progress=0.0, message=told)

    def _end(self, working: Any) -> None:
        if isinstance(working, Asking):
            self._answered(working.session)
        else:
            self._kept(working)
        if self._due is not None:  # marked meanwhile
            self._started(ANSWER)

    def _answered(self, session: Session) -> None:
        error = session.error or session.callback_error
        if isinstance(error, JobCancelled):
            session.rest()
            self._ended(Phase.CANCELLED, self.translate("Stopped. The marks stay: try again, or change them."))
        elif session.error is not None:
            self._ended(Phase.FAILED, reason_text(session.error))
        elif error is not None:
            told = self.translate("The answer could not be shown: {reason}").format(reason=reason_text(error))
            self._ended(Phase.FAILED, told)
        elif not self.state.marks:
            self._rest()
        else:
            self._set(is_answered=self._due is None)  # else it is that of earlier marks
            self._ended(Phase.DONE, words.answered_text(self.state, self.translate))

    def _ended(self, phase: Phase, message: str) -> None:
        progress = 1.0 if phase is Phase.DONE else 0.0
        self._set(phase=phase, message=message, activity="", stage="", progress=progress, since=0)

    def _rest(self) -> None:
        """Nothing is marked: say what can be done."""
        self._set(phase=Phase.IDLE, activity="", stage="", progress=0.0, since=0, result=None, remark="")
        self._explain()

    def _take(self, marks: tuple[Prompt, ...]) -> None:
        self._set(marks=marks, is_answered=False, saved=None)
        self._due = time.monotonic() + PAUSE
        if not self._is_keeping:
            self._started(ANSWER)

    # --- keeping -----------------------------------------------------------------------------------------------------

    @property
    def _is_keeping(self) -> bool:
        return self.state.activity == SAVE

    @property
    def can_keep(self) -> bool:
        """True where the answer is that of the marks, and nothing goes on."""
        return not self.busy and self.state.is_answered and self._session is not None and self.state.saved is None

    def keep(self) -> None:
        """Start the whole run with these marks: it gives the same, with SEG and SR where there are DICOM files."""
        if self.can_keep:
            self._stage.stop()
            self._act(self._begin_keeping)

    def _begin_keeping(self) -> None:
        assert self._session is not None
        self._check_image()
        options = as_job_options(
            RunOptions(device=self.state.device, parent=self._around.parent()), self.state.identity
        )
        self._working = self._session.save(**options)
        self._started(SAVE)

    def _kept(self, working: Any) -> None:
        try:
            working.result()
        except JobCancelled:
            self._ended(Phase.CANCELLED, self.translate("Stopped. Nothing was written."))
        except Exception as error:  # noqa: BLE001  # whatever it is: nothing was kept, and the person must know
            self._ended(Phase.FAILED, reason_text(error))
        else:
            if self._session is None:  # its image is gone meanwhile
                self._rest()
                return
            folder = Path(working.folder)
            self._set(saved=None if self._due is not None else folder)
            self._ended(Phase.DONE, words.kept_text(folder.name, self.translate))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _end_session(self) -> None:
        """End the process with the model, and what is being kept: the image goes, or other things were chosen."""
        self._due = None
        if self._session is not None:
            self._session.close()
            self._session = None
        if isinstance(self._working, Asking):
            self._working = None
        gone: dict[str, Any] = {"marks": (), "result": None, "remark": "", "is_answered": False, "saved": None}
        self._set(**gone, placing="")
        if self._working is not None:
            super().cancel()
        elif self._installation is None and self._looking is None:
            self._set(phase=Phase.IDLE, activity="", stage="", progress=0.0, since=0)

    def _act(self, act: Callable[[], object]) -> None:
        """Whatever keeps it from starting becomes the message."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  # the outer boundary of a click: it must be told, not lost
            self._working = self._working if isinstance(self._working, Asking) else None
            self._ended(Phase.FAILED, reason_text(error))
