"""What the panels that look at results share: tables, boxes and paths that change only where what they show has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from slicermedai.app.presenter import Presenter
from slicermedai.app.result_choice import ResultChoice
from slicermedai.app.words import Translate, found_text, install_text
from slicermedai.domain.notice import RESEARCH_USE
from slicermedai.scene.items import fill_table


class Lacking(Protocol):
    """A presenter that offers to install what its work needs."""

    translate: Translate

    @property
    def missing(self) -> Sequence[str]:
        """Names of what is not installed."""

    @property
    def busy(self) -> bool:
        """Whether something goes on."""


def show_install(ui: Any, presenter: Lacking) -> None:
    """Offer on a button what ``presenter`` lacks; without anything missing there is none."""
    ui.installButton.visible = bool(presenter.missing)
    ui.installButton.text = install_text(presenter.missing, presenter.translate)
    ui.installButton.enabled = not presenter.busy


class ResultPanel:
    """Shows values in ``ui``, the widgets of a .ui file by name, without telling that anything was chosen."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._rows: dict[str, Sequence[Sequence[str]]] = {}

    def _begin(self, presenter: Presenter, tables: Sequence[tuple[str, list[str]]]) -> None:
        """The notice, and the heads of tables."""
        self.ui.noticeLabel.text = presenter.translate(RESEARCH_USE)
        for name, heads in tables:
            table = getattr(self.ui, name)
            table.setColumnCount(len(heads))
            table.setHorizontalHeaderLabels(heads)
            table.horizontalHeader().setStretchLastSection(True)

    def _show_result_choice(self, chooser: ResultChoice) -> None:
        """Which result was chosen, and by whom it is looked at."""
        ui, tr, asked = self.ui, chooser.translate, chooser.state.asked
        results = [("", tr("Choose ..."))] + [(str(one.folder), found_text(one, tr)) for one in chooser.results]
        self._choose(ui.resultSelector, results, asked.folder)
        listed = any(str(one.folder) == asked.folder for one in chooser.results)
        self._set_path(ui.folderSelector, "" if listed else asked.folder)
        if " ".join(ui.personEdit.text.split()) != asked.person:
            ui.personEdit.text = asked.person

    def _fill(self, name: str, rows: Sequence[Sequence[str]]) -> bool:
        """Fill a table where its rows have changed, and tell whether; the row that was chosen stays so."""
        if self._rows.get(name) == rows:
            return False
        table, self._rows[name] = getattr(self.ui, name), rows
        chosen, blocked = table.currentRow(), table.blockSignals(True)
        fill_table(table, rows)
        if 0 <= chosen < len(rows):
            table.setCurrentCell(chosen, 0)
        table.blockSignals(blocked)
        return True

    def _set_path(self, selector: Any, path: str) -> None:
        blocked = selector.blockSignals(True)
        if selector.currentPath != path:
            selector.setCurrentPath(path)
        selector.blockSignals(blocked)

    def _choose(self, box: Any, items: Sequence[tuple[str, str]], chosen: str) -> None:
        """Fill a box with (data, text) where that changed, and show what is chosen, without telling."""
        blocked = box.blockSignals(True)
        if [(box.itemData(row), box.itemText(row)) for row in range(box.count)] != list(items):
            box.clear()
            for data, text in items:
                box.addItem(text, data)
        box.setCurrentIndex(max(box.findData(chosen), 0))
        box.blockSignals(blocked)
