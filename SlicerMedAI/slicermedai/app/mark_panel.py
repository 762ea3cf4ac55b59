"""What the module MedAI Mark writes into its widgets: the state of its presenter, in the person's language."""

from __future__ import annotations

from typing import Any

from slicermedai.app import mark_words as words
from slicermedai.app.mark_run import MarkRun
from slicermedai.app.mark_state import MarkState
from slicermedai.app.panel import ResultPanel, show_install
from slicermedai.app.words import columns, describe, rows
from slicermedai.domain.prompts import BOX, INSIDE, OUTSIDE

KINDS = (INSIDE, OUTSIDE, BOX)
_CHOICES = ("volumeSelector", "modelSelector", "deidentifyCheckBox")


class Panel(ResultPanel):
    """Shows what ``presenter`` says in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, presenter: MarkRun) -> None:
        super().__init__(ui)
        self.presenter, tr = presenter, presenter.translate
        self._begin(presenter, [("marksTable", words.mark_columns(tr)), ("findingsTable", columns(tr))])

    @property
    def mark(self) -> int:
        """The chosen row of the table of marks, -1 for none."""
        return int(self.ui.marksTable.currentRow())

    @property
    def place(self) -> tuple[float, float, float]:
        """What stands in the boxes for numbers, LPS mm."""
        ui = self.ui
        return ui.leftSpinBox.value, ui.posteriorSpinBox.value, ui.superiorSpinBox.value

    def show_lists(self) -> None:
        """Offer the models at hand."""
        titles = [(ref.title, ref.title) for ref in self.presenter.models]
        self._choose(self.ui.modelSelector, titles, self.presenter.state.title)

    def show_place(self, place: tuple[float, float, float]) -> None:
        """Put a place, LPS mm, into the boxes for numbers: where a person begins."""
        ui = self.ui
        ui.leftSpinBox.value, ui.posteriorSpinBox.value, ui.superiorSpinBox.value = place

    def show(self, state: MarkState) -> None:
        """Show ``state``, and what may be done."""
        ui, presenter, tr = self.ui, self.presenter, self.presenter.translate
        for name in _CHOICES:
            getattr(ui, name).enabled = presenter.may_choose
        ui.deidentifyCheckBox.checked = state.identity == "deidentify"
        ui.sourceLabel.text = words.source_text(state, tr)
        self._choose(ui.modelSelector, [(one.title, one.title) for one in presenter.models], state.title)
        ui.modelDescription.text = self._description(state)
        ui.modelDescription.visible = bool(ui.modelDescription.text)
        ui.deviceLabel.text = words.device_text(state.device, tr)
        show_install(ui, presenter)
        ui.modelsButton.visible = not presenter.models
        self._choose(ui.structureSelector, [(one, one) for one in state.structures], state.structure)
        for kind in KINDS:
            getattr(ui, f"{kind}Button").checked = state.placing == kind
        self._fill("marksTable", words.mark_rows(state.marks, tr))
        self._show_answer(state)
        self.show_actions()

    def _description(self, state: MarkState) -> str:
        if state.bundle is None:
            return ""
        tr = self.presenter.translate
        return " ".join(filter(None, [describe(state.bundle, tr), words.consent_text(state.bundle, tr)]))

    def _show_answer(self, state: MarkState) -> None:
        ui, presenter, tr = self.ui, self.presenter, self.presenter.translate
        ui.progressBar.visible = presenter.busy
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = words.busy_text(state, tr)
        ui.messageLabel.text = state.message
        ui.answerLabel.text = words.answer_text(state, tr)
        ui.answerLabel.visible = bool(ui.answerLabel.text)
        self._fill("findingsTable", rows(state.result, tr))

    def show_actions(self) -> None:
        """What may be done now, with the mark that is chosen too."""
        ui, presenter = self.ui, self.presenter
        state, can_mark = presenter.state, presenter.can_mark
        kept = state.saved is not None and not presenter.busy
        for name, on in (
            *((kind, can_mark) for kind in KINDS),
            *((f"{kind}Here", can_mark) for kind in KINDS),
            ("undo", presenter.can_undo),
            ("redo", presenter.can_redo),
            ("remove", can_mark and 0 <= self.mark < len(state.marks)),
            ("clear", can_mark and bool(state.marks)),
            ("again", presenter.can_ask),
            ("cancel", presenter.can_cancel),
            ("keep", presenter.can_keep),
            ("review", kept),
            ("report", kept),
        ):
            getattr(ui, f"{name}Button").enabled = on
        ui.structureSelector.enabled = can_mark
