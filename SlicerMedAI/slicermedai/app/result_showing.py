"""How a result comes into a scene: opened, then its image, then both prepared a moment at a time. No Qt, no MRML."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.image_files import image_files
from slicermedai.app.moments import Taken, as_told
from slicermedai.app.result_choice import LOOK, ResultChoice
from slicermedai.app.state import Phase
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import JobCancelled, MedAIError

OPEN, IMAGE, COMPARE, PREPARE = "open", "image", "compare", "prepare"
OPENING = frozenset({LOOK, OPEN, IMAGE, COMPARE, PREPARE})
"""Activities at whose end something comes into the scene."""


class ResultShowing(ResultChoice):
    """A presenter that shows the chosen result in ``_scene``, on the image that was analysed.

    Its state has ``folder``, ``result``, ``effective``, ``in_scene``, ``has_image`` and ``editing`` besides, and
    ``_around`` has ``files_of``, which gives the files of a series by its UID.
    """

    _scene: Any
    _around: Any

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._arriving: tuple[Volume | None, str] = None, ""
        """The image of what is being prepared, and why there is none."""
        self._told_of_closing = ""
        """What is said once the opening has stopped whose scene was closed; "" where none was."""

    @abstractmethod
    def _start_reading(self, files: Sequence[str]) -> Any:
        """Start to read the image; it has ``image()`` when it was done, and its hash as ``answer``."""

    @abstractmethod
    def _take(self, working: Any) -> None:
        """The work of ``state.activity`` has ended well."""

    @abstractmethod
    def _shown(self, remark: str) -> None:
        """The result is in the scene; ``remark`` is what a person should know of that, or ""."""

    @property
    def _source(self) -> Path:
        """The folder that was named, and once it was opened, the result in it."""
        return self.state.folder or Path(self.state.asked.folder).expanduser().absolute()

    def _files(self, result: AnalysisResult) -> Sequence[str]:
        return image_files(result, self._source, self._around.files_of)

    # --- one thing after another -------------------------------------------------------------------------------------

    def _find_image(self, result: AnalysisResult) -> None:
        """Show ``result``: on the scene's image, or on that in its files, or without one."""
        files = () if self._scene.has_image(result) else self._files(result)
        if files:
            self._try(lambda: self._start_reading(files), IMAGE)
        else:
            self._compare(result)

    def _compare(self, result: AnalysisResult) -> None:
        """The voxels of an image that the scene holds are compared before it is shown, a moment at a time."""
        comparing = self._scene.comparing(result)
        if comparing is None:
            self._prepare(None)
        else:
            self._try(lambda: comparing, COMPARE)

    def _take_image(self, working: Any) -> None:
        self._prepare(working.image(), known=str(working.answer))

    def _take_compared(self, working: Any) -> None:
        self._prepare(None)

    def _prepare(self, image: Volume | None, why: str = "", *, known: str = "") -> None:
        """Make what is large of the result and its image, a moment at a time, before anything of it is shown."""
        result = self.state.result
        if result is None:
            return
        self._arriving = image, why
        self._try(lambda: Taken(self._scene.preparing(result, image, known=known)), PREPARE)

    def _take_prepared(self, working: Taken) -> None:
        (image, why), self._arriving = self._arriving, (None, "")
        result, effective = self.state.result, self.state.effective
        if result is None or effective is None:
            return
        try:
            remark = self._scene.open(result, image, prepared=working.value)
            self._scene.apply(effective)
        except Exception as error:  # noqa: BLE001  # whatever it is, this result is not shown, and that is said
            self._set(in_scene=False, has_image=False)
            self._not_shown(as_told(error), image)
            return
        has_image = self._scene.image_node is not None
        missing = "" if has_image else self.translate("Shown without its image: load that, then show the result again.")
        self._set(in_scene=True, has_image=has_image, editing="")
        self._shown(" ".join(filter(None, [remark, missing, why])))

    def _not_shown(self, error: MedAIError, image: Volume | None) -> None:
        """It goes on without ``image``, where it was tried with one."""
        if image is None:
            self._tell_failed(error)
        else:
            self._set(phase=Phase.IDLE, stage="")
            self._prepare(None, why=str(error))

    # --- ends --------------------------------------------------------------------------------------------------------

    def _stop_opening(self, told: str) -> bool:
        """The scene was closed: what was about to come into it does not come into the empty one.

        True where something was stopped; ``told`` is said then, where something had been shown before.
        """
        if not (self.busy and self.state.activity in OPENING):
            return False
        first = self.translate("The scene was closed before the result was in it. Show it again to go on.")
        self._told_of_closing = first if self.state.result is None else told
        self.cancel()
        return True

    def _try(self, begin: Callable[[], Any], activity: str, *, message: str = "") -> None:
        self._told_of_closing = ""  # of what was stopped before, by whatever end
        super()._try(begin, activity, message=message)

    def _end(self, working: Any) -> None:
        with self._as_one():
            try:
                if self._told_of_closing:
                    self._fail(JobCancelled("the scene was closed"))
                elif working.error is not None:
                    self._fail(working.error)
                else:
                    self._set(phase=Phase.IDLE, stage="", progress=0.0, seconds_left=None)
                    self._take(working)
            except MedAIError as error:
                self._fail(error)
            finally:
                working.clean()

    def _fail(self, error: MedAIError) -> None:
        (image, _), self._arriving = self._arriving, (None, "")
        if isinstance(error, JobCancelled):
            told, self._told_of_closing = self._told_of_closing, ""
            self._tell_failed(error, told or self.translate("Stopped. Nothing was written."))
        elif self.state.activity == IMAGE:
            self._set(phase=Phase.IDLE, stage="")
            self._prepare(None, why=str(error))
        elif self.state.activity == PREPARE:
            self._not_shown(error, image)
        else:
            self._tell_failed(error)

    def _tell_failed(self, error: MedAIError, told: str = "") -> None:
        ended = Phase.CANCELLED if isinstance(error, JobCancelled) else Phase.FAILED
        self._set(phase=ended, message=told or str(error), stage="", seconds_left=None)
