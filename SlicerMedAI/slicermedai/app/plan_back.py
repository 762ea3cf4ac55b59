"""What the child of the module MedAI Plan answered, taken into the state and the scene. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from slicermedai.app import plan_words as words
from slicermedai.app.image_files import files_to_read
from slicermedai.app.plan_ask import Child, Errand
from slicermedai.app.plan_choice import Planning
from slicermedai.app.plan_roles import roles_in
from slicermedai.app.plan_state import Around, Stage, numbers_of
from slicermedai.app.result_showing import COMPARE, IMAGE, OPEN, PREPARE
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate
from slicermedai.domain.plan import Plan
from slicermedai.domain.result import result_folder
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.domain.study import Identity
from slicermedai.errors import MedAIError
from slicermedai.plan.history import History

START, WORK, SHAPES = "start", "work", "shapes"
SERIES, JOIN = "phase_series", "phase"
SAVE, SURFACES, PAGE = "save", "surfaces", "page"
"""What a child can be asked for beside a result and its image: the state's ``activity``."""
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

    # --- asking ------------------------------------------------------------------------------------------------------

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

    def _start_reading(self, files: Sequence[str]) -> Errand:
        return self.child.ask(IMAGE, folder=str(self._source), files=[str(one) for one in files])

    def _try(self, begin: Callable[[], Any], activity: str, *, message: str = "") -> None:
        if isinstance(self._working, Errand):  # surfaces, that are of an earlier plan now
            self._working.drop()
            self._working, self._shows_old = None, True
        super()._try(begin, activity, message=message if activity != SHAPES else self.state.message)

    def _take(self, working: Any) -> None:
        self._TAKE[self.state.activity](self, working)

    def _fail(self, error: MedAIError) -> None:
        activity, plan = self.state.activity, self.state.plan
        if activity == PAGE:
            self._remove_pictures()
        super()._fail(error)
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

    def _shown(self, remark: str) -> None:
        before = self.state.remark if self.state.numbers is None else ""
        self._set(remark=" ".join(filter(None, [before, remark])))
        if self.state.history is None:
            self._set(message=self.translate("Choose what is the organ, the lesion and the vessels."))
        else:
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
        IMAGE: Planning._take_image,
        COMPARE: Planning._take_compared,
        PREPARE: Planning._take_prepared,
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
