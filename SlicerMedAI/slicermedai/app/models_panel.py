"""What the module MedAI Models writes into its widgets: the state of its presenter, in the person's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.app import models_words as words
from slicermedai.app.models_run import ModelsRun
from slicermedai.app.models_state import ModelsState, PictureShown
from slicermedai.app.panel import ResultPanel, show_install
from slicermedai.app.words import time_left
from slicermedai.jobs import speeds
from slicermedai.scene.items import show_picture

INPUTS = {
    "folderSelector": "source",
    "fileSelector": "source",
    "zooEdit": "zoo",
    "labelsSelector": "labels",
    "cardSelector": "card",
    "modalityEdit": "modality",
}
"""Widget of the form -> what of an incoming model it says."""
TASKS = ("", "segmentation", "detection", "classification")
OUTPUTS = ("", "logits", "probabilities")
PICTURE = (430, 310)
"""Largest width and height of a picture of a trust record, in pixels."""


class Panel(ResultPanel):
    """Shows what ``presenter`` says in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, presenter: ModelsRun) -> None:
        super().__init__(ui)
        self.presenter = presenter
        tr = presenter.translate
        self._picture: PictureShown | None = None
        self._begin(presenter, [("modelsTable", words.columns(tr))])
        ui.pictureSelector.connect("currentIndexChanged(int)", lambda row: self.show_picture())
        for box, values in ((ui.taskSelector, TASKS), (ui.outputsSelector, OUTPUTS)):
            for value in values:
                box.addItem(value or tr("as the model says"), value)

    @property
    def row(self) -> str:
        """The model whose row is chosen in the table; "" where none is."""
        rows, row = self.presenter.rows, self.ui.modelsTable.currentRow()
        return rows[row].title if 0 <= row < len(rows) else ""

    def show(self, state: ModelsState) -> None:
        """Show the models, the chosen one, and what may be done."""
        ui, presenter, tr = self.ui, self.presenter, self.presenter.translate
        rows = presenter.rows
        show_install(ui, presenter)
        self._fill("modelsTable", [words.row(one, tr) for one in rows])
        self._show_chosen([one.title for one in rows])
        took = speeds.known(presenter.model.weights_sha256) if presenter.model else ()
        self._set_text(ui.detailText, words.detail(presenter.model, tr, took=took))
        self._set_text(ui.changesText, "\n".join(state.changes))
        self._show_pictures()
        self._show_incoming(state)
        self._show_actions()
        ui.progressBar.visible = presenter.busy
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        told = words.stage_text(state.stage, tr), time_left(state.seconds_left, tr)
        ui.stageLabel.text = ", ".join(part for part in told if part)
        ui.messageLabel.text = state.message

    def _show_chosen(self, titles: list[str]) -> None:
        table, chosen = self.ui.modelsTable, self.presenter.state.chosen
        blocked = table.blockSignals(True)
        row = titles.index(chosen) if chosen in titles else -1
        if table.currentRow() != row:
            table.setCurrentCell(row, 0)
        table.blockSignals(blocked)

    def _show_pictures(self) -> None:
        """The pictures of the chosen model's trust record, one at a time, with what must be read with it."""
        ui, pictures = self.ui, self.presenter.pictures
        items = [(one.file, one.title) for one in pictures]
        self._choose(ui.pictureSelector, items, str(ui.pictureSelector.itemData(ui.pictureSelector.currentIndex)))
        self.show_picture()

    def show_picture(self) -> None:
        """Show the picture that is chosen."""
        ui, row = self.ui, self.ui.pictureSelector.currentIndex
        pictures = self.presenter.pictures
        shown = pictures[row] if 0 <= row < len(pictures) else None
        if shown != self._picture:
            self._picture = shown
            show_picture(ui.recordPicture, Path(shown.file) if shown else None, PICTURE)
            ui.recordLabel.text = shown.caption if shown else ""
        for widget in (ui.pictureSelector, ui.recordPicture, ui.recordLabel):
            widget.visible = shown is not None

    def _show_incoming(self, state: ModelsState) -> None:
        """Empty what was taken in; what a person is typing is left alone."""
        asked, ui = state.incoming, self.ui
        for name in ("folderSelector", "fileSelector"):
            if not asked.source:
                self._set_path(getattr(ui, name), "")
        for name in ("labelsSelector", "cardSelector"):
            self._set_path(getattr(ui, name), getattr(asked, INPUTS[name]))
        for edit, text in ((ui.zooEdit, asked.zoo), (ui.modalityEdit, asked.modality), (ui.wordEdit, state.word)):
            if edit.text.strip() != text.strip():
                edit.text = text
        ui.taskSelector.setCurrentIndex(ui.taskSelector.findData(asked.task))
        ui.outputsSelector.setCurrentIndex(ui.outputsSelector.findData(asked.outputs))

    def _show_actions(self) -> None:
        ui, presenter = self.ui, self.presenter
        model, free = presenter.model, not presenter.busy
        for name, on in (
            ("pin", presenter.can_change and model is not None and not model.in_use),
            ("back", presenter.can_roll_back),
            ("remove", presenter.can_change),
            ("try", presenter.can_try),
            ("picture", presenter.can_picture),
            ("verify", free and bool(presenter.state.models)),
            ("refresh", free),
            ("agree", presenter.can_agree),
            ("takeIn", presenter.can_take_in),
            ("fetch", presenter.can_fetch),
            ("cancel", presenter.can_cancel),
        ):
            getattr(ui, f"{name}Button").enabled = on
        ui.wordEdit.enabled = free and model is not None and model.waits_for_consent
        for name in (*INPUTS, "taskSelector", "outputsSelector"):
            getattr(ui, name).enabled = free

    def _set_text(self, edit: Any, text: str) -> None:
        if edit.plainText != text:
            edit.setPlainText(text)
