"""Models that go by what a person marks: a session in which each further point or box changes the result.

>>> import slicermedai
>>> session = slicermedai.prompt("DICOM_FOLDER", "spleen")         # loads the model in a process of its own
>>> session.add_point((-88.0, 21.5, 40.0), label="Spleen")         # LPS mm; returns at once
>>> result = session.result                                        # BLOCKS until it is answered

All places are LPS mm. The network, its weights and the prepared image stay in that process between marks; nothing of an
answer depends on what was asked before, so that :meth:`PromptSession.save`, which runs the whole job, gives the same.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slicermedai.console.handle import JobHandle, log_failure, told
from slicermedai.console.polled import Polled
from slicermedai.console.sources import are_files, as_volume
from slicermedai.console.verbs import submit
from slicermedai.domain import settings
from slicermedai.domain.prompts import BoxPrompt, PointPrompt, Prompt, place_of
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.domain.scratch import ScratchFolder, remove_tree
from slicermedai.errors import InputError, JobCancelled, JobError, MedAIError, from_dict
from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.files import make_job
from slicermedai.jobs.specs import RunJob
from slicermedai.jobs.standing import Standing

_CHILD = "slicermedai.cli.prompting"
_STOP = "stop"
IDLE = 900.0
"""Seconds without a mark after which the process ends; the next mark starts another, which loads the model again."""
GRACE = 1.0
"""Seconds that a cancelled answer may take to stop by itself, before its process is killed."""
_PAUSE = 0.03


def prompt(
    source: Any,
    bundle: str,
    *,
    on_result: Callable[[AnalysisResult], object] | None = None,
    idle: float = IDLE,
    **options: Any,
) -> PromptSession:
    """Begin to mark places in an image for a model that takes points and boxes; returns at once.

    Parameters
    ----------
    source, bundle, options:
        As of :func:`slicermedai.submit`.
    on_result:
        Called with each new result, by whatever polls: Slicer's timer, Python's prompt, :meth:`PromptSession.wait`.
    idle:
        Seconds without a mark after which the process with the model ends.

    Raises
    ------
    InputError
        A source of another kind, or an array without an affine.
    ProtocolError
        An option that does not exist or a value that it does not take.
    OutputError
        The temporary folder cannot be used.
    UnreadableFileError
        The settings are damaged.
    """
    session = PromptSession(source, bundle, options, idle=idle)
    session.on_result = on_result
    session.tick()
    return session


class PromptSession(Polled):
    """Marks on one image for one model, and the newest result. Use as context manager, or :meth:`close` it.

    It changes only inside :meth:`poll`, which a timer calls inside Slicer. The process with the model is started by the
    first mark, ends after a while without any, and is started again by the next; so it is after a crash, which
    :attr:`error` tells.

    Attributes
    ----------
    marks:
        What was marked, in its order.
    latest:
        The newest result, None before there is one.
    error:
        Why the last mark has no answer, None where it has one or is being answered.
    callback_error:
        What ``on_result`` raised at the newest result, None where it did not: what it shows may then be of older marks.
    progress, stage:
        Of the answer that is being made, 0 to 1, and what is being done.
    on_result, on_error:
        Called by :meth:`poll` with each result, and with what stopped an answer. Once the last mark is taken back,
        ``on_result`` gets one without findings, so that nothing is shown of marks that are gone.
    """

    def __init__(self, source: Any, bundle: str, options: dict[str, Any], *, idle: float = IDLE) -> None:
        self.marks: tuple[Prompt, ...] = ()
        self.latest: AnalysisResult | None = None
        self.error: MedAIError | None = None
        self.callback_error: Exception | None = None
        self.progress, self.stage = 0.0, ""
        self.on_result: Callable[[AnalysisResult], object] | None = None
        self.on_error: Callable[[MedAIError], object] = log_failure
        self._source, self._bundle, self._options = source, bundle, options
        self._session = uuid.uuid4().hex
        self._place = ScratchFolder.create("prompt")
        self._child = Standing(_CHILD, str(float(idle)))
        self._asked, self._waiting = 0, False
        self._deadline: float | None = None
        self._left: AnalysisResult | None = None
        self._followed: list[Callable[[], None]] = []
        values = {"bundle": bundle, "report": False, "output": str(self._place.path / "none"), **options}
        try:
            self._job = _job_of(source, values, self._place.path / "inputs")
        except BaseException:
            self.close()
            raise

    # --- marks -----------------------------------------------------------------------------------------------------

    def add_point(self, position: Sequence[float], label: str = "", *, inside: bool = True) -> None:
        """Mark a place, LPS mm, inside the structure ``label`` or outside of it, and ask; returns at once.

        ``label`` is the model's name for it; it may be left out where the model knows one alone. A place outside of the
        image, or a name that the model does not have, is refused as the answer.

        Raises
        ------
        InputError
            Not three finite numbers.
        WorkerCrashed
            The process cannot be started.
        """
        self.add(PointPrompt(label=label, position=place_of(position), inside=inside))

    def add_box(self, low: Sequence[float], high: Sequence[float], label: str = "") -> None:
        """Mark a box, LPS mm, that holds all of the structure ``label``, and ask; raises as :meth:`add_point`."""
        self.add(BoxPrompt(label=label, low=place_of(low), high=place_of(high)))

    def add_markups(self, node: Any, label: str = "", *, inside: bool = True) -> None:
        """Mark all points of a Slicer point list, or the box of a region of interest, and ask.

        ``label`` is by default the node's name. Of a turned region its hull along the patient's axes counts.

        Raises
        ------
        InputError
            A node of another kind, or one without any place.
        WorkerCrashed
            The process cannot be started.
        """
        from slicermedai.scene.prompts import prompts_of

        self.add(*prompts_of(node, label=label, inside=inside))

    def follow(self, node: Any, label: str = "", *, inside: bool = True) -> None:
        """Mark what a Slicer point list or region of interest holds, now and whenever a person changes it.

        Each point that is placed, moved or removed asks anew; so does :meth:`close` end it. With
        ``on_result=lambda result: slicermedai.show(result, volume=image_node)`` the segmentation changes in place.

        Raises
        ------
        InputError
            A node of another kind.
        WorkerCrashed
            The process cannot be started.
        """
        from slicermedai.scene.prompts import follow

        self._followed.append(follow(node, _taker(self), label=label, inside=inside))

    def add(self, *marks: Prompt) -> None:
        """Mark several things at once, and ask; raises :class:`WorkerCrashed`."""
        self._mark((*self.marks, *marks))

    def replace(self, *marks: Prompt) -> None:
        """Mark these things and nothing else, and ask where there are any; raises :class:`WorkerCrashed`."""
        self._mark(marks)

    def undo(self) -> None:
        """Take the last mark back, and ask again where any is left."""
        self._mark(self.marks[:-1])

    def clear(self) -> None:
        """Take all marks back; the next :meth:`poll` calls ``on_result`` with a result without findings."""
        self._mark(())

    # --- answers ---------------------------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """True while an answer is being made."""
        return self._waiting

    @property
    def result(self) -> AnalysisResult:
        """The result of all marks. BLOCKS until it is there; :attr:`latest` never waits.

        Raises
        ------
        JobError
            Nothing was marked yet.
        JobCancelled, WorkerCrashed, MedAIError
            What stopped the answer.
        """
        self.wait()
        if self.error is not None:
            raise self.error
        if self.latest is None:
            raise JobError("nothing was marked", advice="Call add_point() or add_box() first.")
        return self.latest

    def poll(self) -> None:
        """Take in what was said since the last call, without waiting."""
        if self._left is not None:
            left, self._left = self._left, None
            self._tell(_emptied(left))
        for event in self._child.events():
            if self._waiting and event["id"] == self._asked:
                self._take(event)
        overdue = self._deadline is not None and time.monotonic() >= self._deadline
        if self._waiting and overdue:
            self._child.kill()
        gone = self._child.ended()
        if gone is not None and self._waiting:
            self._given_up() if self._deadline is not None else self._fail(gone)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the last mark is answered or ``timeout`` seconds are over; True where it is."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self.poll()
            if not self._waiting or (deadline is not None and time.monotonic() >= deadline):
                return not self._waiting
            time.sleep(_PAUSE)

    def cancel(self) -> None:
        """Give the answer up and return at once; within two seconds it has stopped. The marks stay.

        The model stays loaded where its network stops between two windows within a second; else the process is killed.
        """
        if self._waiting and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
            if self._child.pid is not None:
                self._child.send({"what": _STOP, "id": -self._asked})

    def rest(self) -> None:
        """End the process with the model now, and give up the answer that is being made; the next mark starts another.

        Marks and what was answered stay. It waits until the process is gone: a moment.
        """
        self._child.close()
        self._waiting, self._deadline = False, None

    def save(self, output: str | Path | None = None, **options: Any) -> JobHandle:
        """Start a whole run with the marks as they are, and return at once: it leaves SEG, SR, scene and report.

        Parameters and errors are those of :func:`slicermedai.submit`.
        """
        asked = {**self._options, **options, "prompts": tuple(one.text for one in self.marks)}
        return submit(self._source, self._bundle, output=output, **asked)

    def close(self) -> None:
        """End the process and remove what lies between; results that were handed out stay."""
        self._child.close()
        self._waiting = False
        self._tick_no_more()
        for stop in self._followed:
            stop()
        self._followed = []
        self._place.remove()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _mark(self, marks: tuple[Prompt, ...]) -> None:
        self.marks, self.error, self._deadline = marks, None, None
        if not marks:
            self.cancel()
            self._left = self.latest or self._left
            self.latest = None
            return
        self._asked += 1
        self._waiting, self.progress, self.stage = True, 0.0, "start"
        job = dataclasses.replace(self._job, prompts=tuple(one.text for one in marks))
        place = self._place.path / str(self._asked)
        asked = {"id": self._asked, "session": self._session, "place": str(place), "job": dataclasses.asdict(job)}
        try:
            self._child.send({"what": "answer", **asked})
        except BaseException:
            self._waiting = False
            raise

    def _take(self, event: dict[str, Any]) -> None:
        if "progress" in event:
            self.stage, self.progress = event["progress"]
        elif self._deadline is not None:
            self._given_up()
        elif "error" in event:
            self._fail(from_dict(event["error"]))
        elif "answer" in event:
            self._waiting, self._deadline = False, None
            self.progress, self.stage = 1.0, "done"
            self.latest = _loaded(Path(event["answer"]["folder"]))
            self._tell(self.latest)

    def _given_up(self) -> None:
        """What was cancelled has ended, be it with an answer; where no mark is left there is nothing to tell."""
        if self.marks:
            self._fail(JobCancelled("the answer was cancelled"))
        self._waiting, self._deadline = False, None

    def _tell(self, result: AnalysisResult) -> None:
        if self.on_result is not None:
            self.callback_error = told(self.on_result, lambda: result, "the result is there; on_result")

    def _fail(self, error: MedAIError) -> None:
        self._waiting, self._deadline, self.error = False, None, error
        self.on_error(error)


def _taker(session: PromptSession) -> Callable[[tuple[Prompt, ...]], None]:
    """Puts what it is called with into the marks of ``session``, in the place of what it was called with before."""
    held: tuple[Prompt, ...] = ()

    def take(found: tuple[Prompt, ...]) -> None:
        nonlocal held
        if found != held:
            others = tuple(one for one in session.marks if not any(one is mine for mine in held))
            held = found
            session._mark((*others, *found))

    return take


def _job_of(source: Any, values: dict[str, Any], inputs: Path) -> RunJob:
    """The job of every answer, but for the marks; an image from memory is written to ``inputs``."""
    settings.check()
    if "prompts" in values:
        raise InputError("are added one by one", attribute="prompts", advice="Call add_point() or add_box().")
    context = {name: values.pop(name, None) for name in ("affine", "study", "convention")}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    if isinstance(source, (str, Path)):
        place = Path(source).expanduser().absolute()
    else:
        place = _written(source, inputs, **context)
    return make_job(RunJob, with_settings(RunJob, {**plain, "source": str(place)}))


def _written(source: Any, inputs: Path, *, affine: Any, study: Any, convention: Any) -> Path:
    if are_files(source):
        from slicermedai.dicom.file_list import save_file_list

        return save_file_list(source, inputs)
    from slicermedai.dicom.volumes import save_volume
    from slicermedai.domain.study import Study

    return save_volume(as_volume(source, affine, convention), study or Study(), inputs)


def _loaded(folder: Path) -> AnalysisResult:
    found = AnalysisResult.load(folder)
    remove_tree(folder)
    return found


def _emptied(result: AnalysisResult) -> AnalysisResult:
    """What is left of ``result`` where all marks were taken back: nothing."""
    bare = dataclasses.replace(result.provenance, prompts=(), warnings=(), steps=())
    return dataclasses.replace(
        result,
        status=Status.NO_FINDING,
        provenance=bare,
        message="no mark is left",
        findings=(),
        maps=(),
        quality=(),
        reviews=(),
    )
