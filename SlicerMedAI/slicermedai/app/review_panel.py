"""What the module MedAI Review writes into its widgets: the state of its presenter, in the person's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.app import nodule_words
from slicermedai.app import review_words as words
from slicermedai.app.aside import AsideState, aside_text
from slicermedai.app.panel import ResultPanel
from slicermedai.app.review_run import ReviewRun
from slicermedai.app.review_state import ReviewState
from slicermedai.domain.result import RATINGS
from slicermedai.scene.items import set_icons

_LIGHT = 1
"""The column of the worklist that has the lights."""
_CHOICES = ("resultSelector", "folderSelector", "personEdit", "reasonSelector", "ratingSelector")
_NODULE = ("noduleSelector", "changeSelector", "diameterSpinBox", "solidPartSpinBox", "noduleButton")


class Panel(ResultPanel):
    """Shows what ``review`` says in ``ui``, the widgets of the .ui file by name; decides nothing.

    ``icons`` is the folder with the pictures of the lights, each of a colour and a shape of its own.
    """

    def __init__(self, ui: Any, review: ReviewRun, icons: Path) -> None:
        super().__init__(ui)
        self.review, self._icons = review, icons
        self._lights: list[str] = []
        self._listed: object = None
        self._nodule: tuple[object, ...] = ()
        tr = review.translate
        self._begin(review, [("findingsTable", words.columns(tr))])
        self.show_surfaces(review.aside.state)
        for reason in ("", *words.reasons(tr)):
            ui.reasonSelector.addItem(reason)
        for box, items in ((ui.noduleSelector, nodule_words.kinds(tr)), (ui.changeSelector, nodule_words.changes(tr))):
            for data, text in items:
                box.addItem(text, data)
        ui.ratingSelector.addItem(words.rating_text(0, tr), 0)
        for rating in RATINGS:
            ui.ratingSelector.addItem(words.rating_text(rating, tr), rating)

    @property
    def finding(self) -> str:
        """The finding whose row is chosen in the table; "" where none is."""
        rows, row = self.review.rows, self.ui.findingsTable.currentRow()
        return rows[row].uid if 0 <= row < len(rows) else ""

    @property
    def reason(self) -> str:
        """What was typed or chosen as a reason or comment."""
        return str(self.ui.reasonSelector.currentText)

    @property
    def nodule(self) -> tuple[str, str, float, float]:
        """The type and change that are chosen of a nodule, its size and that of its solid part; "" and 0 are none."""
        ui = self.ui
        boxes = [str(box.itemData(box.currentIndex)) for box in (ui.noduleSelector, ui.changeSelector)]
        return boxes[0], boxes[1], float(ui.diameterSpinBox.value), float(ui.solidPartSpinBox.value)

    def clear_reason(self) -> None:
        """It was used."""
        self.ui.reasonSelector.setCurrentIndex(0)
        self.ui.reasonSelector.setEditText("")

    def show(self, state: ReviewState) -> None:
        """Show the worklist, the chosen finding, and what may be done."""
        ui, review, tr = self.ui, self.review, self.review.translate
        for name in _CHOICES:
            getattr(ui, name).enabled = review.editable
        self._show_result_choice(review)
        ui.outcomeLabel.text = words.result_text(state.result, tr)
        ui.warningLabel.text = words.warnings_text(state, tr)
        ui.warningLabel.visible = bool(ui.warningLabel.text)
        self._show_worklist(state)
        ui.standingLabel.text = words.standing_text(state, review.rows, tr)
        self._show_nodule(state)
        self._show_maps(state)
        self._show_actions(state)
        ui.progressBar.visible = review.busy
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = words.progress_text(state.stage, state.seconds_left, tr)
        ui.messageLabel.text = state.message

    def show_surfaces(self, state: AsideState) -> None:
        """How far the surfaces for 3D views are."""
        told = aside_text(state, self.review.translate)
        self.ui.surfacesLabel.text, self.ui.surfacesLabel.visible = told, bool(told)
        self.ui.cancelButton.enabled = self.review.can_cancel or self.review.aside.can_cancel

    def _show_worklist(self, state: ReviewState) -> None:
        table, rows, tr = self.ui.findingsTable, self.review.rows, self.review.translate
        if rows is not self._listed:
            self._listed = rows
            is_new = self._fill("findingsTable", words.table(rows, tr))
            lights = [words.light_of(row) for row in rows]
            if is_new or lights != self._lights:
                set_icons(table, _LIGHT, [self._icons / f"Light-{light}.png" for light in lights])
                self._lights = lights
        blocked = table.blockSignals(True)
        uids = [row.uid for row in rows]
        if state.chosen in uids and table.currentRow() != uids.index(state.chosen):
            table.setCurrentCell(uids.index(state.chosen), 0)
        table.blockSignals(blocked)
        row = self.review.row
        self.ui.detailLabel.text = words.detail_text(row, state, tr) if state.result else ""
        box, rating = self.ui.ratingSelector, row.review.rating if row and row.review else None
        box.setCurrentIndex(max(box.findData(rating or 0), 0))

    def _show_nodule(self, state: ReviewState) -> None:
        """What was entered of the nodule that is looked at; what is being typed stays until that is another."""
        ui, review, tr = self.ui, self.review, self.review.translate
        ui.noduleSection.visible = review.is_nodule
        if not review.is_nodule:
            return
        for name in _NODULE:
            getattr(ui, name).enabled = review.can_enter_nodule
        found, row = review.entered_nodule, review.row
        if (state.chosen, found) != self._nodule:
            self._nodule = (state.chosen, found)
            ui.noduleSelector.setCurrentIndex(max(ui.noduleSelector.findData(str(found.kind) if found else ""), 0))
            ui.changeSelector.setCurrentIndex(max(ui.changeSelector.findData(str(found.change) if found else ""), 0))
            ui.diameterSpinBox.value = (found.diameter if found else None) or 0.0
            ui.solidPartSpinBox.value = (found.solid_part if found else None) or 0.0
        is_decided = row is not None and row.review is not None
        advice = row.advice if row is not None else None
        ui.noduleLabel.text = nodule_words.hint_text(advice, review.nodule_refusal, is_decided=is_decided, tr=tr)

    def _show_maps(self, state: ReviewState) -> None:
        ui, tr = self.ui, self.review.translate
        maps = state.result.maps if state.result else ()
        items = [("-1", tr("none")), *((str(number), one.name) for number, one in enumerate(maps))]
        self._choose(ui.mapSelector, items, str(state.laid.number))
        ui.mapSelector.enabled = bool(maps) and state.in_scene
        ui.thresholdSlider.enabled = state.laid.threshold is not None
        ui.mapLabel.text = words.maps_text(state, tr)

    def _show_actions(self, state: ReviewState) -> None:
        ui, review = self.ui, self.review
        has_rows = bool(review.rows)
        for name, on in (
            ("accept", review.can_decide),
            ("reject", review.can_decide),
            ("edit", review.can_edit),
            ("done", review.is_drawn and not review.busy),
            ("undo", bool(state.pending) and not review.busy),
            ("redo", bool(state.undone) and not review.busy),
            ("previous", has_rows),
            ("next", has_rows),
            ("show", bool(state.asked.folder) and not review.busy),
            ("save", review.can_save),
            ("table", has_rows and not review.busy),
            ("cancel", review.can_cancel or review.aside.can_cancel),
            ("report", state.result is not None and not state.pending and not review.busy),
        ):
            getattr(ui, f"{name}Button").enabled = on
        ui.ratingSelector.enabled = review.can_rate
