"""What the module MedAI Report writes into its widgets: the states of its presenters, in the person's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicermedai.app import report_words as words
from slicermedai.app.panel import ResultPanel, show_install
from slicermedai.app.report_outbox import OutboxRun
from slicermedai.app.report_run import ReportRun
from slicermedai.app.report_state import OWN, DeliveryShown, OutboxState, ReportState
from slicermedai.export.profiles import PROFILES
from slicermedai.scene.items import option_box

_CHOICES = ("resultSelector", "folderSelector", "profileSelector", "outputSelector", "personEdit", "reasonEdit")
"""Widgets that nobody uses while something is written."""


class Panel(ResultPanel):
    """Shows what ``report`` and ``outbox`` say in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, report: ReportRun, outbox: OutboxRun) -> None:
        super().__init__(ui)
        self.report, self.outbox = report, outbox
        self.boxes: dict[str, Any] = {}
        """The tick box of each format."""
        tr = report.translate
        heads = words.finding_columns(tr), words.plan_columns(tr), words.outbox_columns(tr)
        self._begin(report, list(zip(("findingsTable", "planTable", "outboxTable"), heads, strict=True)))
        for name in (*PROFILES, OWN):
            ui.profileSelector.addItem(words.profile_text(name, tr)[0], name)

    def add_formats(self, on_click: Callable[..., object]) -> None:
        """Make a tick box and a sentence for each format, in the order of the table."""
        for name, title, sentence in self.report.formats:
            self.boxes[name] = option_box(self.ui.formatsSection.layout(), title, sentence)
            self.boxes[name].connect("clicked(bool)", on_click)

    @property
    def ticked(self) -> frozenset[str]:
        """The formats whose boxes are ticked."""
        return frozenset(name for name, box in self.boxes.items() if box.checked)

    @property
    def finding(self) -> str:
        """The finding that is chosen in the table, by its UID; "" where none is."""
        shown, row = self.report.state.shown, self.ui.findingsTable.currentRow()
        return shown.findings[row].uid if shown and 0 <= row < len(shown.findings) else ""

    @property
    def deliveries(self) -> list[DeliveryShown]:
        """What is chosen in the table of the outbox; all that it shows where nothing is."""
        rows = sorted({item.row() for item in self.ui.outboxTable.selectedItems()})
        listed = self._listed()
        return [listed[row] for row in rows if row < len(listed)] or listed

    # --- the result --------------------------------------------------------------------------------------------------

    def show(self, state: ReportState) -> None:
        """Show the result, what was decided, and what would be written."""
        ui, report, tr = self.ui, self.report, self.report.translate
        for name in _CHOICES:
            getattr(ui, name).enabled = report.editable
        self._show_choice(state)
        ui.outcomeLabel.text = words.outcome_text(state.shown, tr)
        ui.warningLabel.text = words.warnings_text(state.shown, tr)
        ui.warningLabel.visible = bool(ui.warningLabel.text)
        self._fill("findingsTable", words.finding_rows(state.shown, tr))
        ui.standingLabel.text = words.standing_text(state.shown, len(state.pending), tr)
        self.show_decisions()
        self._fill("planTable", words.plan_rows(report.plan, tr))
        ui.unsaidLabel.text = words.unsaid_text(state.shown, tr)
        ui.unsaidLabel.visible = bool(ui.unsaidLabel.text)
        ui.writeButton.enabled, ui.cancelButton.enabled = report.can_write, report.can_cancel
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = words.progress_text(state.stage, state.seconds_left, tr)
        ui.messageLabel.text = state.message
        ui.writtenLabel.text = words.written_text(state.written, tr)
        ui.databaseButton.enabled = report.can_add
        ui.openFolderButton.enabled = state.written is not None
        self._show_route()

    def show_decisions(self) -> None:
        """Offer to decide where somebody may."""
        ui, report = self.ui, self.report
        for button in (ui.acceptButton, ui.rejectButton):
            button.enabled = report.can_decide and bool(self.finding)
        for button in (ui.acceptAllButton, ui.rejectAllButton):
            button.enabled = report.can_decide
        ui.undoButton.enabled = report.editable and bool(report.state.pending)

    def _show_choice(self, state: ReportState) -> None:
        ui, report, tr = self.ui, self.report, self.report.translate
        self._show_result_choice(report)
        self._set_path(ui.outputSelector, state.asked.output)
        ui.profileSelector.setCurrentIndex(ui.profileSelector.findData(report.profile))
        self._choose(ui.earlierSelector, words.earlier_rows(state.shown, tr), state.asked.earlier)
        ui.earlierSelector.enabled = report.editable and ui.earlierSelector.count > 1
        self._set_path(ui.matchesSelector, state.asked.matches)
        ui.matchesSelector.enabled = report.editable and bool(state.asked.earlier)
        ui.profileDescription.text = words.profile_text(report.profile, tr)[1]
        for name, box in self.boxes.items():
            box.checked, box.enabled = name in state.asked.formats, report.editable

    # --- the outbox --------------------------------------------------------------------------------------------------

    def show_outbox(self, state: OutboxState) -> None:
        """Show destinations, and where each object stands."""
        ui, outbox, tr = self.ui, self.outbox, self.outbox.translate
        peers = [(one.name, words.peer_text(one, tr)) for one in state.peers]
        self._choose(ui.peerSelector, peers, state.peer)
        ui.peerSelector.enabled = ui.refreshButton.enabled = not outbox.busy
        self._fill("outboxTable", words.outbox_rows(self._listed(), tr))
        ui.deliverButton.enabled = outbox.is_waiting and not outbox.busy
        ui.retryButton.enabled = ui.removeButton.enabled = bool(self._listed()) and not outbox.busy
        ui.stopButton.enabled = outbox.can_cancel
        ui.sendingBar.visible = outbox.busy
        ui.sendingBar.value = round(state.progress * ui.sendingBar.maximum)
        told = [words.progress_text(state.stage, state.seconds_left, tr), state.message]
        ui.outboxLabel.text = "\n".join(filter(None, told))
        show_install(ui, outbox)
        self._show_route()

    def _show_route(self) -> None:
        """Why it cannot be sent where a person wants it; the two identity routes are among the reasons."""
        written = self.report.state.written
        self.ui.routeLabel.text = self.outbox.obstacle(written) if written is not None else ""
        self.ui.routeLabel.visible = bool(self.ui.routeLabel.text)
        self.ui.sendButton.enabled = self.outbox.can_send(written) and not self.report.busy

    def _listed(self) -> list[DeliveryShown]:
        hidden = self.ui.arrivedCheckBox.checked
        return [one for one in self.outbox.state.deliveries if not (hidden and one.state == "proved")]
