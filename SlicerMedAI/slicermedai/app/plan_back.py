"""What the child of the module MedAI Plan answered, taken into the state and the scene. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from slicermedai.app import plan_words as words
from slicermedai.app.image_files import files_to_read, image_files
from slicermedai.app.moments import Taken
from slicermedai.app.plan_ask import Child, Errand
from slicermedai.app.plan_choice import Planning
from slicermedai.app.plan_roles import roles_in
from slicermedai.app.plan_state import Around, Stage, numbers_of
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate
from slicermedai.domain.plan import Plan
from slicermedai.domain.result import AnalysisResult, result_folder
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.plan.history import History

OPEN, IMAGE, COMPARE, PREPARE = "open", "image", "compare", "prepare"
START, WORK, SHAPES = "start", "work", "shapes"
SERIES, JOIN = "phase_series", "phase"
SAVE, SURFACES, PAGE = "save", "surfaces", "page"
"""What a child can be asked for: the state's ``activity``."""
SURFACE_FOLDER = "surfaces"


class Answered(Planning):
    """The half of the presenter that asks the child and takes its answers; see :class:`~.plan_run.PlanRun`."""

    def __init__(self, stage: Stage, *, around: Around, translate: Translate) -> None:
        super().__init__(stage, around=around, translate=translate)
        self.child = Child()
        self._trial: History | None = None
        self._shows_old = False
        """True where the shapes in the scene are of an earlier plan."""
        self._pictures: ScratchFolder | None = None
        self._arriving: tuple[Volume | None, str] = None, ""
        """The image of what is being prepared, and why there is none."""

    # --- asking ------------------------------------------------------------------------------------------------------

    @property
    def _source(self) -> Path:
        """The folder that was named, and once it was opened, the result in it."""
        return self.state.folder or Path(self.state.asked.folder).expanduser().absolute()

    @property
    def _output(self) -> Path:
        """Where pages and surfaces go: the output of the run, or the result folder where it lies in none."""
        parent = self._source.parent
        return parent if result_folder(parent) != parent and result_folder(parent).is_dir() else self._source

    def _begin_with(self, roles: dict[str, str]) -> None:
        folder = str(self.state.folder)
        self._try(lambda: self.child.ask(START, plan=self.state.plan, folder=folder, roles=roles), START)

    def _work(self, history: History) -> None:
        self._trial = history
        self._try(lambda: self.child.ask(WORK, plan=history.plan), WORK)

    def _find_image(self, result: AnalysisResult) -> None:
        files = () if self._scene.has_image(result) else self._files(result)
        if files:
            folder = str(self._source)
            self._try(lambda: self.child.ask(IMAGE, folder=folder, files=[str(one) for one in files]), IMAGE)
        else:
            self._compare(result)

    def _compare(self, result: AnalysisResult) -> None:
        """The voxels of an image that the scene holds are compared before it is shown, a moment at a time."""
        comparing = self._scene.comparing(result)
        if comparing is None:
            self._prepare(None)
        else:
            self._try(lambda: comparing, COMPARE)

    def _files(self, result: AnalysisResult) -> Sequence[str]:
        return image_files(result, self._source, self._around.files_of)

    def _try(self, begin: Callable[[], Any], activity: str, *, message: str = "") -> None:
        if isinstance(self._working, Errand):  # surfaces, that are of an earlier plan now
            self._working.drop()
            self._working, self._shows_old = None, True
        super()._try(begin, activity, message=message if activity != SHAPES else self.state.message)

    def _end(self, working: Errand) -> None:
        with self._as_one():
            try:
                if working.error is not None:
                    self._fail(working.error)
                else:
                    self._set(phase=Phase.IDLE, stage="", progress=0.0, seconds_left=None)
                    self._TAKE[self.state.activity](self, working)
            except MedAIError as error:
                self._fail(error)
            finally:
                working.clean()

    def _fail(self, error: MedAIError) -> None:
        stopped = isinstance(error, JobCancelled)
        activity, plan = self.state.activity, self.state.plan
        if activity == PAGE:
            self._remove_pictures()
        arriving, self._arriving = self._arriving[0], (None, "")
        if not stopped and (activity == IMAGE or arriving is not None):  # it is shown without its image
            self._set(phase=Phase.IDLE, stage="")
            self._prepare(None, why=str(error))
            return
        told = self.translate("Stopped. Nothing was written.") if stopped else str(error)
        self._set(phase=Phase.CANCELLED if stopped else Phase.FAILED, message=told, stage="", seconds_left=None)
        if activity == WORK and plan is not None:
            self._trial = None
            self._put_back()
            if self._shows_old:
                self._try(lambda: self.child.ask(SHAPES, plan=plan), SHAPES)

    def _put_back(self) -> None:
        """A cut that cannot be made is put back to where the numbers have it; what was drawn stays, and is named."""
        plan, effective = self.state.plan, self.state.effective
        if plan is None or effective is None or not self._scene.is_there:
            return
        if not self._drawings:
            self._scene.apply(effective)
        self._scene.show_cuts(plan)
        self.following.cancel()
        self._set(stale=tuple(self._drawings))
        self._drawings = {}

    # --- what came back ----------------------------------------------------------------------------------------------

    def _take_opened(self, working: Errand) -> None:
        answer, plan = working.answer, working.plan()
        result = working.opened()
        self._opened(Path(answer["folder"]))
        roles = tuple(answer["roles"].items())
        self._set(
            result=result,
            folder=Path(answer["folder"]),
            roles=roles,
            remark=words.remark_text(answer["remark"], self.translate),
        )
        self._set(history=History.of(plan) if plan is not None else None, kept=plan if answer["is_saved"] else None)
        self._remember_folder()
        self._find_image(result)

    def _take_compared(self, working: Errand) -> None:
        self._prepare(None)

    def _take_image(self, working: Errand) -> None:
        self._prepare(working.image(), known=str(working.answer))

    def _prepare(self, image: Volume | None, why: str = "", *, known: str = "") -> None:
        """Make what is large of the result and its image, a moment at a time, before anything of it is shown."""
        result = self.state.result
        if result is None:
            return
        self._arriving = image, why
        self._try(lambda: Taken(self._scene.preparing(result, image, known=known)), PREPARE)
        self.poll()

    def _take_prepared(self, working: Taken) -> None:
        image, why = self._arriving
        result, effective, plan = self.state.result, self.state.effective, self.state.plan
        if result is None or effective is None:
            return
        remark = self._scene.open(result, image, prepared=working.value)
        self._arriving = None, ""
        self._scene.apply(effective)
        has_image = self._scene.image_node is not None
        missing = "" if has_image else self.translate("Shown without its image: load that, then show the result again.")
        told = " ".join(filter(None, [self.state.remark if self.state.numbers is None else "", remark, missing, why]))
        self._set(in_scene=True, has_image=has_image, remark=told, editing="")
        if plan is None or self.state.history is None:
            self._set(message=self.translate("Choose what is the organ, the lesion and the vessels."))
            return
        self._work(self.state.history)

    def _take_started(self, working: Errand) -> None:
        plan, history = working.plan(), self.state.history
        if plan is None:
            return
        self._trial = History.of(plan) if history is None else history.did(plan)
        self._take_numbers(working)

    def _take_numbers(self, working: Errand) -> None:
        history = self._trial or self.state.history
        if history is None:
            return
        self._trial = None
        plan = history.plan
        self._take_drawings(plan)
        self._set(history=history, numbers=numbers_of(working.answer), saved=None, page=None)
        self._set(roles=roles_in(plan, self.state.roles), message=words.standing_text(self.state, self.translate))
        if not any(one.name == self.state.chosen for one in plan.structures):
            self._set(chosen=plan.organ)
        if self._scene.is_there and self.state.effective is not None:
            if not self.state.stale:
                self._scene.apply(self.state.effective)
                self._scene.show_cuts(plan)
            self._try(lambda: self.child.ask(SHAPES, plan=plan), SHAPES)

    def _take_drawings(self, plan: Plan) -> None:
        """What the segments show is in the plan now."""
        uids = {one.name: one.tracking_uid for one in plan.structures}
        for name, region in self._drawings.items():
            if name in uids and self._scene.is_there:
                self._scene.take(uids[name], region)
        self._drawings = {}

    def _take_shapes(self, working: Errand) -> None:
        self._shows_old = False
        if self._scene.is_there:
            self._scene.show_shapes(working.shapes(), working.meshes())
            self._set(has_contours=self._scene.show_contours(on=self.state.shows_contours))

    def _take_saved(self, working: Errand) -> None:
        folder = Path(working.answer)
        told = self.translate("Saved in {folder}. Next: print the page, or pass the result on with MedAI Report.")
        self._set(kept=self.state.plan, saved=folder)
        self._set(phase=Phase.DONE, stage="done", progress=1.0, message=told.format(folder=folder.name))

    def _take_surfaces(self, working: Errand) -> None:
        told = self.translate("Written: {count} files in {folder}.")
        text = told.format(count=len(working.answer), folder=SURFACE_FOLDER)
        self._set(phase=Phase.DONE, stage="done", progress=1.0, message=text)

    def _take_page(self, working: Errand) -> None:
        self._remove_pictures()
        answer = working.answer
        text = words.page_text(Path(answer["page"]).name, answer["pictures"], answer["why"], self.translate)
        self._set(phase=Phase.DONE, stage="done", progress=1.0, message=text, page=Path(answer["page"]))

    def _take_series(self, working: Errand) -> None:
        answer, result = working.answer, self.state.result
        if result is None:
            return
        folder = Path(answer["folder"])
        files = files_to_read(folder, answer["series"], Identity(answer["identity"]), self._around.files_of)
        more = {
            "folder": str(self.state.folder),
            "files": [str(one) for one in self._files(result)],
        }
        more |= {"phase": str(folder), "phase_files": [str(one) for one in files]}
        self._try(lambda: self.child.ask(JOIN, plan=self.state.plan, **more), JOIN)

    _TAKE: ClassVar[dict[str, Callable[[Answered, Any], None]]] = {
        OPEN: _take_opened,
        IMAGE: _take_image,
        COMPARE: _take_compared,
        PREPARE: _take_prepared,
        START: _take_started,
        SERIES: _take_series,
        JOIN: _take_started,
        WORK: _take_numbers,
        SHAPES: _take_shapes,
        SAVE: _take_saved,
        SURFACES: _take_surfaces,
        PAGE: _take_page,
    }

    def _remove_pictures(self) -> None:
        if self._pictures is not None:
            self._pictures.remove()
            self._pictures = None
