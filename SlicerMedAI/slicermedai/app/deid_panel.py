"""What the module MedAI De-identify writes into its widgets: a state of the presenter, in the person's language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicermedai.app import deid_words
from slicermedai.app.deid_run import DeidRun
from slicermedai.app.deid_state import DeidResult, DeidState, PreviewShown
from slicermedai.app.panel import show_install
from slicermedai.deid.profile import Option
from slicermedai.scene.items import fill_table, option_box, show_picture

FILES = {"keySelector": "key", "tableSelector": "table", "excludeSelector": "exclude", "outputSelector": "output"}
"""Widget for a path -> the field that it is."""
INPUTS = (
    *("databaseTree", "folderSelector", "presetSelector", "presetOpenButton", "presetSaveButton"),
    *("passphraseEdit", "treeCheckBox", "databaseCheckBox", *FILES),
)
"""Widgets that nobody uses while something is going on."""
PICTURE = (380, 120)
"""Largest width and height of a piece of doubtful text, in pixels."""


class Panel:
    """Shows what ``presenter`` says in ``ui``, the widgets of the .ui file by name; decides nothing."""

    def __init__(self, ui: Any, presenter: DeidRun) -> None:
        self.ui, self.presenter = ui, presenter
        self.boxes: dict[Option, Any] = {}
        """The tick box of each option."""
        self.place = 0
        """Which piece of doubtful text is shown."""
        self._preview: PreviewShown | None = None
        self._result: DeidResult | None = None
        self._picture: Path | None = None
        tr = presenter.translate
        for table, heads in (
            (ui.changeTable, deid_words.change_columns(tr)),
            (ui.leftOutTable, deid_words.left_out_columns(tr)),
        ):
            table.setColumnCount(len(heads))
            table.setHorizontalHeaderLabels(heads)
            table.horizontalHeader().setStretchLastSection(True)
        self._show_preview(None)

    def add_options(self, on_click: Callable[..., object]) -> None:
        """Make a tick box and a sentence for each option, in the order of their codes."""
        for option, title, sentence in self.presenter.options:
            self.boxes[option] = option_box(self.ui.optionsSection.layout(), title, sentence)
            self.boxes[option].connect("clicked(bool)", on_click)

    @property
    def ticked(self) -> frozenset[Option]:
        """The options whose boxes are ticked."""
        return frozenset(option for option, box in self.boxes.items() if box.checked)

    def show(self, state: DeidState) -> None:
        """Show ``state``; what has not changed is not written again where that takes time."""
        ui, presenter = self.ui, self.presenter
        for name in INPUTS:
            getattr(ui, name).enabled = not presenter.busy
        ui.keyButton.enabled = state.asked.has_passphrase and not presenter.busy
        ui.previewButton.enabled, ui.runButton.enabled = presenter.can_preview, presenter.can_run
        ui.cancelButton.enabled = presenter.can_cancel
        show_install(ui, presenter)
        ui.sourceLabel.text = state.source_name
        ui.progressBar.value = round(state.progress * ui.progressBar.maximum)
        ui.stageLabel.text = deid_words.progress_text(state.stage, state.seconds_left, presenter.translate)
        ui.messageLabel.text = state.message
        self._show_choice(state)
        if state.preview is not self._preview:
            self._show_preview(state.preview)
        if state.result is not self._result:
            self._show_result(state.result)
        self.show_doubt()

    def show_example(self, index: int) -> None:
        """Show what would change in one of the example files; none for -1."""
        changes = self._preview.examples[index] if self._preview is not None and index >= 0 else ()
        fill_table(self.ui.changeTable, deid_words.change_rows(changes, self.presenter.translate))

    def show_doubt(self) -> None:
        """Show the piece of doubtful text at :attr:`place`, and what was said about it."""
        ui, presenter = self.ui, self.presenter
        pictures = self._result.pictures if self._result else ()
        picture = pictures[self.place] if pictures else None
        said = presenter.decided.get(picture.name, "") if picture else ""
        ui.reviewLabel.text = deid_words.review_text(self.place + 1, len(pictures), said, presenter.translate)
        for button in (ui.previousButton, ui.identityButton, ui.harmlessButton, ui.nextButton):
            button.visible = button.enabled = picture is not None
        ui.previousButton.enabled, ui.nextButton.enabled = self.place > 0, self.place + 1 < len(pictures)
        ui.applyButton.visible, ui.applyButton.enabled = picture is not None, presenter.can_apply
        if picture != self._picture:
            show_picture(ui.reviewPicture, picture, PICTURE)
        self._picture = picture

    @property
    def picture(self) -> Path | None:
        """The piece of doubtful text that is shown: patient data."""
        return self._picture

    def _show_choice(self, state: DeidState) -> None:
        ui, presenter = self.ui, self.presenter
        shown = [ui.presetSelector.itemData(row) for row in range(ui.presetSelector.count)]
        if shown != [name for name, _ in presenter.presets]:
            ui.presetSelector.clear()
            for name, title in presenter.presets:
                ui.presetSelector.addItem(title, name)
        ui.presetSelector.setCurrentIndex(ui.presetSelector.findData(state.asked.preset))
        ui.presetDescription.text = presenter.explanation
        if ui.keySelector.currentPath != state.asked.key:
            ui.keySelector.setCurrentPath(state.asked.key)
        for option, box in self.boxes.items():
            held = presenter.held(option)
            box.checked, box.enabled = option in presenter.ticked, not (held or presenter.busy)
            box.toolTip = f"{option.code.meaning} ({option.value}). {held}"

    def _show_preview(self, found: PreviewShown | None) -> None:
        ui, tr = self.ui, self.presenter.translate
        self._preview, count = found, len(found.examples) if found else 0
        ui.previewLabel.text = deid_words.preview_text(found, tr)
        blocked = ui.exampleSelector.blockSignals(True)
        ui.exampleSelector.clear()
        for number in range(1, count + 1):
            ui.exampleSelector.addItem(deid_words.example_text(number, count, tr))
        ui.exampleSelector.blockSignals(blocked)
        ui.exampleSelector.enabled = count > 1
        self.show_example(0 if count else -1)

    def _show_result(self, result: DeidResult | None) -> None:
        ui, self._result, self.place = self.ui, result, 0
        fill_table(ui.leftOutTable, [(one.name, one.reason) for one in result.left_out] if result else [])
        for button in (ui.reportButton, ui.folderButton, ui.reviewButton):
            button.enabled = result is not None
