"""What the module MedAI writes into its widgets: a state of the presenter, in the person's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slicermedai.app import run_words, words
from slicermedai.app.aside import AsideState, aside_text
from slicermedai.app.estimates import EstimateState
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.panel import ResultPanel, show_install
from slicermedai.app.showing import Showing
from slicermedai.app.state import InputRow, RunState, SourceKind
from slicermedai.scene.items import fit_rows

INPUTS = ("volumeSelector", "seriesSelector", "folderSelector", "browserButton", "modelSelector", "deidentifyCheckBox")
"""Widgets that nobody uses while something is being installed."""
_INPUTS_SEEN = 6
"""Images of a model that are in sight at once; most models that take several take four."""
_AFTERWARDS = ("report", "folder", "review", "plan", "pass")


class RunPanel(ResultPanel):
    """Shows what ``presenter`` says in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, presenter: GuidedRun, showing: Showing) -> None:
        super().__init__(ui)
        self.presenter, self.showing, tr = presenter, showing, presenter.translate
        tables = [
            ("findingsTable", words.columns(tr)),
            ("inputsTable", run_words.input_columns(tr)),
            ("queueTable", run_words.queue_columns(tr)),
        ]
        self._begin(presenter, tables)
        self.show_estimate(EstimateState())
        self.show_trust("")
        self.show_showing(showing.state)
        ui.modelSelector.connect("currentIndexChanged(int)", self.onModel)
        ui.deidentifyCheckBox.connect("toggled(bool)", self.onRoute)
        ui.inputsTable.connect("itemSelectionChanged()", self.show_input)
        ui.inputSelector.connect("activated(int)", self.onInput)
        ui.queueTable.connect("itemSelectionChanged()", self.onQueue)

    @property
    def input(self) -> InputRow | None:
        """The image of the model that is chosen in the table."""
        rows, row = self.presenter.state.inputs, self.ui.inputsTable.currentRow()
        return rows[row] if 0 <= row < len(rows) else None

    @property
    def runs(self) -> list[int]:
        """The numbers of the runs that are chosen in the queue."""
        rows = sorted({item.row() for item in self.ui.queueTable.selectedItems()})
        queue = self.presenter.state.queue
        return [queue[row].number for row in rows if row < len(queue)]

    def show(self, state: RunState) -> None:
        """Show ``state``."""
        ui, presenter, tr = self.ui, self.presenter, self.presenter.translate
        for name in INPUTS:
            getattr(ui, name).enabled = presenter.editable
        ui.runButton.enabled, ui.addButton.enabled = presenter.can_run, presenter.can_add
        ui.cancelButton.enabled = presenter.can_cancel or self.showing.can_cancel
        show_install(ui, presenter)
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = words.progress_text(state.stage, state.seconds_left, tr)
        ui.messageLabel.text = state.message
        ui.modelDescription.text = words.describe(state.bundle, tr) if state.bundle else ""
        for name in _AFTERWARDS:
            getattr(ui, f"{name}Button").enabled = state.folder is not None
        order = presenter.shown
        ui.resultLabel.visible = order is not None
        ui.resultLabel.text = run_words.result_text(order.image, order.title, tr) if order else ""
        self._fill("findingsTable", words.rows(state.result, tr))
        self._show_inputs(state)
        self._show_queue(state)

    def show_estimate(self, state: EstimateState) -> None:
        """What the chosen run would take, or why that is not known."""
        told = run_words.estimate_text(state.estimate, self.presenter.translate)
        self.ui.estimateLabel.text = told or state.message
        self.ui.estimateLabel.visible = bool(told or state.message)

    def show_trust(self, message: str) -> None:
        """How far the chosen model's scores can be believed."""
        self.ui.trustLabel.text = message
        self.ui.trustLabel.visible = bool(message)

    def show_showing(self, state: AsideState) -> None:
        """What goes on until the results of ended runs are in the scene."""
        self.ui.showingLabel.text = aside_text(state, self.presenter.translate)
        self.ui.showingLabel.visible = bool(state.message)
        self.ui.cancelButton.enabled = self.presenter.can_cancel or self.showing.can_cancel

    def show_input(self) -> None:
        """Offer the images at hand for the one that is chosen in the table."""
        row, tr = self.input, self.presenter.translate
        choices = [("", tr("None")), *self.presenter.image_choices]
        self._choose(self.ui.inputSelector, choices, row.key if row else "")
        self.ui.inputSelector.enabled = row is not None and self.presenter.editable

    def show_lists(self) -> None:
        """Offer the models and series at hand."""
        ui, presenter, tr = self.ui, self.presenter, self.presenter.translate
        self._refill(ui.modelSelector, [(title, title) for title in presenter.titles], presenter.state.title)
        self._refill(ui.seriesSelector, [("", tr("None")), *presenter.series], presenter.state.series)

    def _refill(self, box: Any, items: Sequence[tuple[str, str]], chosen: str) -> None:
        """Fill the box with (data, text) and show what is chosen, without telling that anything was chosen."""
        blocked = box.blockSignals(True)
        box.clear()
        for data, text in items:
            box.addItem(text, data)
        box.setCurrentIndex(box.findData(chosen))
        box.blockSignals(blocked)

    def first_of(self, series: Sequence[str]) -> int:
        """Where the first of ``series`` that can be analysed stands in the box; 0, and said, where none of them can."""
        known = [uid for uid in series if uid in dict(self.presenter.series)]
        if not known:
            self.presenter.say(run_words.nothing_chosen(self.presenter.translate))
        return int(self.ui.seriesSelector.findData(known[0])) if known else 0

    def take(self, kind: SourceKind, source: Any, name: str, **dicom: str) -> None:
        """Choose it and empty the boxes of the other kinds; None lets go of what was chosen of this kind."""
        if source is None:
            self.presenter.release(kind)
            return
        if kind is not SourceKind.VOLUME:
            self.ui.volumeSelector.setCurrentNode(None)
        if kind is not SourceKind.SERIES:
            self.ui.seriesSelector.setCurrentIndex(0)
        if kind is not SourceKind.FOLDER:
            self.ui.folderSelector.setCurrentPath("")
        self.presenter.choose_source(source, name, kind=kind, **dicom)

    def onModel(self, index: int) -> None:
        """Another model was chosen."""
        if index >= 0:
            self.presenter.choose_bundle(str(self.ui.modelSelector.itemText(index)))

    def onRoute(self, checked: bool) -> None:  # noqa: FBT001  # Qt's signal
        """The other route was chosen."""
        self.presenter.choose_identity("deidentify" if checked else "keep")

    def onInput(self, index: int) -> None:
        """Another image was chosen for the input that is chosen in the table."""
        if self.input is not None:
            self.presenter.choose_input(self.input.name, str(self.ui.inputSelector.itemData(index)))

    def onQueue(self) -> None:
        """A run was chosen: its result is looked at, where there is one."""
        self.show_chosen_runs()
        for number in self.runs[:1]:
            self.presenter.look_at(number)

    def onRemove(self) -> None:
        """The runs that are chosen leave the list."""
        self.presenter.remove(self.runs)

    def _show_inputs(self, state: RunState) -> None:
        for name in ("inputsTable", "inputLabel", "inputSelector"):
            getattr(self.ui, name).visible = bool(state.inputs)
        changed = self._fill("inputsTable", run_words.input_rows(state.inputs, self.presenter.translate))
        if changed:
            fit_rows(self.ui.inputsTable, _INPUTS_SEEN)
        if changed and state.inputs and self.input is None:
            self.ui.inputsTable.setCurrentCell(0, 0)
        self.show_input()

    def _show_queue(self, state: RunState) -> None:
        for name in ("queueTable", "removeButton"):
            getattr(self.ui, name).visible = len(state.queue) > 1
        self._fill("queueTable", run_words.queue_rows(state.queue, self.presenter.translate))
        self.show_chosen_runs()

    def show_chosen_runs(self) -> None:
        """What can be done with the runs that are chosen."""
        running = {row.number for row in self.presenter.state.queue if row.state == "running"}
        self.ui.removeButton.enabled = bool(set(self.runs) - running)
