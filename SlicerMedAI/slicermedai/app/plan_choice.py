"""What a person changes in a plan. No Qt and no MRML in here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from slicermedai.app import plan_edit
from slicermedai.app import plan_words as words
from slicermedai.app.plan_ask import SHAPES
from slicermedai.app.plan_follow import Following
from slicermedai.app.plan_roles import with_role
from slicermedai.app.plan_state import Around, PlanState, Stage
from slicermedai.app.result_showing import ResultShowing
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate
from slicermedai.domain.counting import voxels
from slicermedai.domain.edits import edit_distance, on_grid
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.plan import Body, LiverFormula, Margin, MarginCut, Plan, PlaneCut, PlanStructure, SurfaceFormula
from slicermedai.errors import MedAIError
from slicermedai.plan.history import History


class Planning(ResultShowing):
    """The half of the presenter that edits; see :class:`~.plan_run.PlanRun`."""

    state: PlanState
    _scene: Stage
    _around: Around

    def __init__(self, stage: Stage, *, around: Around, translate: Translate) -> None:
        super().__init__(recall=around.recall, remember=around.remember, translate=translate)
        self.state = PlanState(message=translate("Choose a result."))
        self._scene, self._around = stage, around
        self._drawings: dict[str, PackedMask] = {}
        """What was drawn and is being worked out, by the names of structures."""
        self.following = Following(self.follow, is_held=lambda: not self.can_edit)
        stage.when_changed(self._noticed)

    @property
    def editable(self) -> bool:
        """True where something else may be chosen."""
        return not self.busy

    @property
    def can_edit(self) -> bool:
        """True where there is a plan, and no number is being worked out; surfaces are given up for an edit."""
        waits = not self.busy or (self.state.phase is Phase.RUNNING and self.state.activity == SHAPES)
        return waits and self.state.plan is not None

    @property
    def steps(self) -> tuple[plan_edit.Step, ...]:
        """Margins and cuts of the plan, in the order of their table."""
        return plan_edit.steps(self.state.plan) if self.state.plan is not None else ()

    @property
    def structure(self) -> PlanStructure | None:
        """The structure that is looked at."""
        plan = self.state.plan
        return next((one for one in plan.structures if one.name == self.state.chosen), None) if plan else None

    # --- editing -----------------------------------------------------------------------------------------------------

    def set_role(self, name: str, role: str) -> None:
        """What the findings of that name are to the plan; "" leaves them out of it."""
        roles = with_role(dict(self.state.roles), name, role)
        free = self.can_edit or not self.busy
        if free and self.state.result is not None and tuple(roles.items()) != self.state.roles:
            self._begin_with(roles)

    def add_margin(self, lesion: str, width: float) -> None:
        """A safety margin of ``width`` mm, and what it meets, in the table."""
        self._edit(lambda plan: plan_edit.with_step(plan, Margin(lesion=lesion, width=width)))

    def cut_margin(self, lesion: str, width: float) -> None:
        """Take ``lesion`` and ``width`` mm around it away."""
        name = self.translate("{lesion} with {width} mm").format(lesion=lesion, width=f"{width:g}")
        self._edit(lambda plan: plan_edit.with_step(plan, MarginCut(name=name, lesion=lesion, width=width)))

    def cut_plane(self) -> None:
        """Cut along a plane, which is then moved in the views."""
        self._edit(
            lambda plan: plan_edit.with_step(plan, plan_edit.first_plane(plan, plan_edit.free_name(plan, "plane")))
        )

    def cut_box(self) -> None:
        """Take a box away, which is then moved in the views."""
        self._edit(lambda plan: plan_edit.with_step(plan, plan_edit.first_box(plan, plan_edit.free_name(plan, "box"))))

    def turn(self, number: int) -> None:
        """Let the plane of that row take the other side away."""
        step = self._step(number)
        if isinstance(step, PlaneCut):
            self._edit(lambda plan: plan_edit.with_step(plan, plan_edit.turned(step)))

    def remove(self, number: int) -> None:
        """Take the margin or cut of that row out of the plan."""
        step = self._step(number)
        if step is not None:
            self._edit(lambda plan: plan_edit.without_step(plan, step))

    def set_size(self, height: float, weight: float, *, liver: str, surface: str) -> None:
        """The patient's height in cm and weight in kg, and the formulae; 0 and 0 for not given."""

        def made(plan: Plan) -> Plan:
            formulae: dict[str, Any] = {"liver": LiverFormula(liver), "surface": SurfaceFormula(surface)}
            return plan_edit.with_body(plan, Body(height_cm=height, weight_kg=weight, **formulae))

        self._edit(made if height or weight else lambda plan: plan_edit.with_body(plan, None))

    def undo(self) -> None:
        """One edit back; scene and table follow."""
        if self.can_edit and self.state.history is not None and self.state.history.can_undo:
            self._work(self.state.history.undone())

    def redo(self) -> None:
        """One edit forth again."""
        if self.can_edit and self.state.history is not None and self.state.history.can_redo:
            self._work(self.state.history.redone())

    # --- the scene ---------------------------------------------------------------------------------------------------

    def choose(self, name: str) -> None:
        """Look at a structure of the plan: all views go there."""
        if name == self.state.chosen:
            return
        self._set(chosen=name)
        if self.structure is not None and self._scene.is_there:
            self._scene.jump(plan_edit.place_of(self.structure))

    def look_at(self, number: int) -> None:
        """Bring the views to where the number of that row was measured."""
        rows = self.state.numbers.rows if self.state.numbers else ()
        if 0 <= number < len(rows) and rows[number].points and self._scene.is_there:
            self._scene.jump(rows[number].points[0])

    def show_contours(self, *, on: bool) -> None:
        """Outline where structures surely are and where they may be."""
        self._set(shows_contours=on, has_contours=self._scene.show_contours(on=on))

    @property
    def can_draw(self) -> bool:
        """True where the structure that is looked at has a segment in the scene."""
        return self.can_edit and self._scene.is_there and self.structure is not None

    def edit(self) -> None:
        """Hand the structure that is looked at to Slicer's Segment Editor."""
        if not self.can_draw or self.structure is None:
            return
        try:
            self._scene.edit(self.structure.tracking_uid)
        except MedAIError as error:
            self._set(message=str(error))
            return
        self._set(editing=self.state.chosen, message=words.editing_text(self.state.chosen, self.translate))
        self._around.open_editor()

    def follow(self) -> None:
        """Take over what was moved and drawn in the scene, and work the numbers out anew."""
        plan, history = self.state.plan, self.state.history
        if plan is None or history is None or not self.can_edit or not self._scene.is_there:
            return
        try:
            cuts, drawn = self._scene.moved(plan), self._drawn(plan)
        except MedAIError as error:
            self._set(message=str(error))
            return
        self._set(stale=(), editing="")
        self._drawings = drawn
        if cuts or drawn:
            self._work(history.did(plan_edit.with_regions(plan_edit.with_cuts(plan, cuts), drawn)))

    def _drawn(self, plan: Plan) -> dict[str, PackedMask]:
        """Voxels of segments that a person changed, by the names of their structures."""
        found = {}
        for one in plan.structures:
            if one.tracking_uid and one.tracking_uid in self._scene.changed:
                now = on_grid(self._scene.drawn(one.tracking_uid), plan.geometry)
                if edit_distance(one.region, now).dice != 1 or not voxels(now):
                    found[one.name] = now
                else:
                    self._scene.take(one.tracking_uid, now)
        return found

    def _noticed(self) -> None:
        """Somebody changed something in the scene: say at once that the numbers do not follow it yet."""
        plan = self.state.plan
        if plan is None:
            return
        drawn = [one.name for one in plan.structures if one.tracking_uid in self._scene.changed]
        self._set(stale=tuple(drawn) or (self.translate("a cut"),))
        self.following.note()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _edit(self, make: Callable[[Plan], Plan]) -> None:
        if not self.can_edit or self.state.history is None:
            return
        try:
            made = make(self.state.history.plan)
        except MedAIError as error:
            self._set(message=str(error))
            return
        self._work(self.state.history.did(made))

    def _step(self, number: int) -> plan_edit.Step | None:
        return self.steps[number] if 0 <= number < len(self.steps) else None

    @abstractmethod
    def _work(self, history: History) -> None:
        """Start to work out the numbers of the plan of ``history``, which is shown once it was found possible."""

    @abstractmethod
    def _begin_with(self, roles: dict[str, str]) -> None:
        """Start to make a plan with other roles."""

    def _unsaved(self) -> str:
        return self.translate("The plan is saved nowhere yet: save it, or start anew, before you go on.")
