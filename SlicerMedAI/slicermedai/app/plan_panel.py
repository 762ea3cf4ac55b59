"""What the module MedAI Plan writes into its widgets: the state of its presenter, in the person's language."""

from __future__ import annotations

from typing import Any

from slicermedai.app import plan_words as words
from slicermedai.app.panel import ResultPanel
from slicermedai.app.plan_roles import LEFT_OUT
from slicermedai.app.plan_run import PlanRun
from slicermedai.app.plan_state import PlanState
from slicermedai.domain.plan import Body, LiverFormula, PlaneCut, Role, SurfaceFormula

_ROLES = (Role.ORGAN, Role.LESION, Role.VESSEL, Role.OTHER, LEFT_OUT)
_CHOICES = ("resultSelector", "folderSelector", "personEdit", "roleSelector")


class Panel(ResultPanel):
    """Shows what ``plan`` says in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, plan: PlanRun) -> None:
        super().__init__(ui)
        self.plan = plan
        self._body: Body | None = None
        tr = plan.translate
        self._begin(
            plan,
            [
                ("rolesTable", words.role_columns(tr)),
                ("stepsTable", words.step_columns(tr)),
                ("numbersTable", words.number_columns(tr)),
            ],
        )
        for role in _ROLES:
            ui.roleSelector.addItem(words.role_text(role, tr), str(role))
        for box, known in ((ui.liverSelector, LiverFormula), (ui.surfaceSelector, SurfaceFormula)):
            for formula in known:
                box.addItem(str(formula), str(formula))
        ui.surfaceSelector.setCurrentIndex(ui.surfaceSelector.findData(str(SurfaceFormula.MOSTELLER)))
        ui.liverSelector.setCurrentIndex(ui.liverSelector.findData(str(LiverFormula.VAUTHEY)))

    @property
    def finding(self) -> str:
        """The name in the chosen row of the table of structures; "" where none is."""
        known, row = self.plan.state.candidates, self.ui.rolesTable.currentRow()
        return known[row].name if 0 <= row < len(known) else ""

    @property
    def step(self) -> int:
        """The chosen row of the table of margins and cuts, -1 for none."""
        return int(self.ui.stepsTable.currentRow())

    @property
    def lesion(self) -> str:
        """The lesion around which a margin is drawn."""
        box = self.ui.lesionSelector
        return str(box.itemData(box.currentIndex) or "")

    def show(self, state: PlanState) -> None:
        """Show the plan, its numbers, and what may be done."""
        ui, plan, tr = self.ui, self.plan, self.plan.translate
        for name in _CHOICES:
            getattr(ui, name).enabled = plan.editable
        self._show_result_choice(plan)
        ui.outcomeLabel.text = words.result_text(state.result, tr)
        ui.warningLabel.text = words.warnings_text(state, tr)
        ui.warningLabel.visible = bool(ui.warningLabel.text)
        self._show_structures(state)
        self._show_steps(state)
        ui.headlineLabel.text = words.headline_text(state, tr)
        self._fill("numbersTable", words.number_rows(state.numbers, tr))
        ui.phasesLabel.text = words.phases_text(state, tr)
        self._set_path(ui.phaseSelector, state.asked.phase)
        ui.contoursLabel.text = words.contours_text(state, tr)
        ui.standingLabel.text = words.standing_text(state, tr)
        self._show_body(state)
        self._show_actions(state)
        ui.progressBar.visible = plan.busy
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = words.progress_text(state.stage, state.seconds_left, tr)
        ui.messageLabel.text = state.message

    def show_role(self) -> None:
        """Show the role of the chosen row in the box beside the table."""
        box, roles = self.ui.roleSelector, dict(self.plan.state.roles)
        blocked = box.blockSignals(True)
        box.setCurrentIndex(max(box.findData(str(roles.get(self.finding, LEFT_OUT))), 0))
        box.blockSignals(blocked)

    def _show_structures(self, state: PlanState) -> None:
        tr, plan = self.plan.translate, state.plan
        if self._fill("rolesTable", words.role_rows(state, tr)) and self.ui.rolesTable.currentRow() < 0:
            self.ui.rolesTable.setCurrentCell(0, 0)
        self.show_role()
        structures = plan.structures if plan is not None else ()
        self._choose(
            self.ui.structureSelector, [(one.name, words.structure_text(one, tr)) for one in structures], state.chosen
        )
        lesions = [one.name for one in structures if one.role is Role.LESION]
        self._choose(self.ui.lesionSelector, [(name, name) for name in lesions], self.lesion)

    def _show_steps(self, state: PlanState) -> None:
        self._fill("stepsTable", words.step_rows(self.plan.steps, self.plan.translate))

    def _show_body(self, state: PlanState) -> None:
        """The size of the plan, where that is another than was shown: what is being typed stays."""
        body = state.plan.body if state.plan is not None else None
        if body == self._body:
            return
        self._body, ui = body, self.ui
        ui.heightSpinBox.value = body.height_cm if body is not None else 0.0
        ui.weightSpinBox.value = body.weight_kg if body is not None else 0.0
        if body is not None:
            ui.liverSelector.setCurrentIndex(ui.liverSelector.findData(str(body.liver)))
            ui.surfaceSelector.setCurrentIndex(ui.surfaceSelector.findData(str(body.surface)))

    def _show_actions(self, state: PlanState) -> None:
        ui, plan = self.ui, self.plan
        has_lesion, history, step = bool(self.lesion), state.history, self.step
        chosen = plan.steps[step] if 0 <= step < len(plan.steps) else None
        for name, on in (
            ("show", bool(state.asked.folder) and not plan.busy),
            ("anew", state.result is not None and not plan.busy),
            ("margin", plan.can_edit and has_lesion),
            ("cutMargin", plan.can_edit and has_lesion),
            ("plane", plan.can_edit and state.in_scene),
            ("box", plan.can_edit and state.in_scene),
            ("turn", plan.can_edit and isinstance(chosen, PlaneCut)),
            ("remove", plan.can_edit and chosen is not None),
            ("size", plan.can_edit),
            ("undo", plan.can_edit and history is not None and history.can_undo),
            ("redo", plan.can_edit and history is not None and history.can_redo),
            ("edit", plan.can_draw),
            ("take", plan.can_edit and bool(state.stale)),
            ("phase", plan.can_join),
            ("save", plan.can_write),
            ("surfaces", plan.can_write),
            ("page", plan.can_write),
            ("openPage", state.page is not None),
            ("cancel", plan.can_cancel),
            ("report", state.saved is not None and not plan.busy),
        ):
            getattr(ui, f"{name}Button").enabled = on
        ui.contoursCheckBox.enabled = state.has_contours
