"""What the module MedAI Batch writes into its widgets: a state of the presenter, in the person's language."""

from __future__ import annotations

from typing import Any

from slicermedai.app import batch_words as words
from slicermedai.app.batch_form import CHOICES, OF_ALL, RANGES, TEXTS, RuleForm
from slicermedai.app.batch_run import BatchRun
from slicermedai.app.batch_state import RUN, BatchState, CaseShown, StudyShown
from slicermedai.app.batch_table import GrowingTable
from slicermedai.app.growing_tree import GrowingTree
from slicermedai.app.panel import ResultPanel, show_install
from slicermedai.app.words import state_text
from slicermedai.domain.notice import RESEARCH_USE

FILES = {"keySelector": "project_key", "excludeSelector": "exclude"}
"""Widget for a path -> the field that it is."""
KEPT = ("modelSelector", "identitySelector", "tiltCheckBox", *FILES)
"""Widgets for what a cohort keeps once it is made."""
INPUTS = (
    *("databaseTree", "folderSelector", "rulesTable", "addRuleButton", "openRulesButton", "saveRulesButton"),
    *("passphraseEdit", "outputSelector", "processesSpin"),
    *(*TEXTS, *CHOICES, *OF_ALL, *(spin for pair in RANGES.values() for spin in pair)),
)
"""Widgets that nobody uses while something is going on."""


class Panel(ResultPanel):
    """Shows what ``presenter`` says in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, presenter: BatchRun) -> None:
        super().__init__(ui)
        self.presenter = presenter
        tr = presenter.translate
        ui.noticeLabel.text = tr(RESEARCH_USE)
        self.form = RuleForm(ui, presenter)
        self.database = GrowingTree(ui.databaseTree)
        self.studies = GrowingTable(ui.studiesTable, words.study_columns(tr))
        self.series = GrowingTable(ui.seriesTable, words.series_columns(tr))
        self.cases = GrowingTable(ui.casesTable, words.case_columns(tr))
        ui.rulesTable.setColumnCount(2)
        ui.rulesTable.setHorizontalHeaderLabels(words.rule_columns(tr))
        ui.rulesTable.horizontalHeader().setStretchLastSection(True)
        for value, text in words.choices("identity", tr):
            ui.identitySelector.addItem(text, value)
        self._studies: tuple[StudyShown, ...] | None = None
        self._cases: tuple[Any, ...] = ()
        self._listed: list[CaseShown] = []

    @property
    def tables(self) -> tuple[GrowingTable | GrowingTree, ...]:
        """Those that may still be filled."""
        return self.studies, self.series, self.cases, self.database

    @property
    def chosen(self) -> list[CaseShown]:
        """The cases that are chosen in the table."""
        return [self._listed[row] for row in self.cases.chosen if row < len(self._listed)]

    @property
    def chosen_results(self) -> list[str]:
        """The chosen cases that have a result, by name."""
        return [one.name for one in self.chosen if one.state == "done"]

    def show(self, state: BatchState) -> None:
        """Show ``state``; long tables only where what they show has changed."""
        ui, presenter = self.ui, self.presenter
        for name in INPUTS:
            getattr(ui, name).enabled = presenter.editable
        for name in KEPT:
            getattr(ui, name).enabled = presenter.editable and state.cohort is None
        if presenter.can_list_people:
            ui.excludeSelector.enabled = presenter.editable
        show_install(ui, presenter)
        self._show_choice(state)
        self._show_rules(state)
        ui.previewButton.enabled, ui.runButton.enabled = presenter.can_preview, presenter.can_run
        ui.cancelButton.enabled = presenter.can_cancel
        tr = presenter.translate
        ui.cancelButton.text = tr("&Pause") if state.activity == RUN else tr("Sto&p")
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = words.progress_text(state.stage, state.seconds_left, tr)
        ui.messageLabel.text = state.message
        ui.previewLabel.text = words.preview_text(state.studies, tr, is_previewed=state.is_previewed)
        if state.studies is not self._studies:
            self._studies = state.studies
            self.studies.show(words.study_rows(state.studies, tr))
            self.show_series()
        self.show_cases()

    def show_series(self) -> None:
        """The series of the chosen study; of the first that is refused or else the first, where none is chosen."""
        studies = self.presenter.state.studies
        row = next(iter(self.studies.chosen), 0)
        study = studies[row] if row < len(studies) else None
        self.series.show(words.series_rows(study, self.presenter.translate))

    def show_cases(self) -> None:
        """The cases in the states that a person wants to see, and what can be done with them."""
        ui, presenter, state, tr = self.ui, self.presenter, self.presenter.state, self.presenter.translate
        counts = state.counts
        wanted = str(ui.stateSelector.itemData(ui.stateSelector.currentIndex) or "")
        kinds = [("", tr("all cases")), *((kind, state_text(kind, tr)) for kind in counts)]
        self._choose(ui.stateSelector, kinds, wanted)
        if (state.cases, wanted) != self._cases:
            self._cases = (state.cases, wanted)
            self._listed = [one for one in state.cases if wanted in ("", one.state)]
            self.cases.show(words.case_rows(self._listed, tr))
        ui.countsLabel.text = words.counts_text(counts, tr)
        ui.retryButton.enabled = presenter.can_use and (bool(counts.get("failed")) or bool(self.chosen))
        ui.reviewButton.enabled = bool(self.chosen_results)
        ui.databaseButton.enabled = presenter.can_use and bool(counts.get("done"))
        only = bool(self.chosen_results)
        ui.databaseButton.text = tr("Add chosen to the data&base") if only else tr("Add to the DICOM data&base")
        ui.sheetButton.enabled = ui.tableButton.enabled = presenter.can_use
        ui.folderButton.enabled = state.cohort is not None

    def _show_choice(self, state: BatchState) -> None:
        ui, asked, presenter = self.ui, state.asked, self.presenter
        tr = presenter.translate
        ui.sourceLabel.text = state.source_name
        titles = dict.fromkeys([one.title for one in presenter.models] + ([asked.bundle] if asked.bundle else []))
        models = [("", tr("as each rule says")), *((title, title) for title in titles)]
        self._choose(ui.modelSelector, models, asked.bundle)
        ui.modelDescription.text = words.model_text(presenter.model, tr) if presenter.model or not asked.bundle else ""
        ui.identitySelector.setCurrentIndex(ui.identitySelector.findData(asked.identity))
        for name, field in FILES.items():
            self._set_path(getattr(ui, name), getattr(asked, field))
        self._set_path(ui.outputSelector, asked.output)
        blocked = ui.tiltCheckBox.blockSignals(True)
        ui.tiltCheckBox.checked = asked.tilt == "resample"
        ui.tiltCheckBox.blockSignals(blocked)
        ui.cohortLabel.text = words.cohort_text(state.cohort, tr)

    def _show_rules(self, state: BatchState) -> None:
        ui, presenter = self.ui, self.presenter
        self._fill("rulesTable", words.rule_rows(state.rules, presenter.translate))
        if ui.rulesTable.currentRow() != state.rule:
            blocked = ui.rulesTable.blockSignals(True)
            ui.rulesTable.setCurrentCell(state.rule, 0)
            ui.rulesTable.blockSignals(blocked)
        last = len(state.rules.rules) - 1
        ui.removeRuleButton.enabled = presenter.editable and last > 0
        ui.undoRulesButton.enabled = presenter.can_undo_rules
        ui.upRuleButton.enabled = presenter.editable and state.rule > 0
        ui.downRuleButton.enabled = presenter.editable and state.rule < last
        self.form.show()
