"""Tables, ticked trees, tick boxes and pictures in Qt's own widgets. Nothing is kept in here."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

_ICONS = Path(__file__).resolve().parents[2] / "Resources" / "Icons"
_SHORT = 20
"""Characters that fit into a column whatever they are."""
_WIDEST = 170
"""Pixels of a column of a table where a line is as high as usual; longer texts are in the tool tip."""
_LINE = 15
"""Pixels of a line of text of the usual size, for which the heights in the forms were chosen."""
_NO_LIMIT = 16777215
"""Qt's height of what may be as high as it likes."""
_HINT = 0.65
"""Share of the text's colour in that of a hint in an empty field; the rest is the ground's."""
_INDENT = 22
"""Pixels from the left edge to where a tick box's text begins."""


class Marked(str):
    """A text of a table with a picture in front of it: that of the file ``mark`` in the modules' folder of icons."""

    mark: str

    def __new__(cls, text: str, mark: str) -> Marked:
        """The text, which is equal to itself without the picture."""
        made = super().__new__(cls, text)
        made.mark = mark
        return made


class Branch(Protocol):
    """What a tree shows: a text, the name that it goes by, and what lies below it."""

    @property
    def uid(self) -> str:
        """Its name."""

    @property
    def text(self) -> str:
        """What is shown."""

    @property
    def below(self) -> Sequence[Branch]:
        """One level down."""


def fill_table(table: Any, rows: Sequence[Sequence[str]]) -> None:
    """Show ``rows`` in a ``QTableWidget`` that has its columns, in place of what it showed."""
    table.setRowCount(len(rows))
    for row, values in enumerate(rows):
        set_row(table, row, values)
    fit_columns(table)


def set_row(table: Any, row: int, values: Sequence[str]) -> None:
    """Write one row of a ``QTableWidget``."""
    import qt

    for column, value in enumerate(values):
        item = qt.QTableWidgetItem(str(value))
        if isinstance(value, Marked) and (_ICONS / f"{value.mark}.png").is_file():
            item.setIcon(qt.QIcon(str(_ICONS / f"{value.mark}.png")))
        if len(value) > _SHORT:
            item.setToolTip(value)
        table.setItem(row, column, item)


def fit_columns(table: Any) -> None:
    """Make the columns of a ``QTableWidget`` as wide as what is in them, up to a bound while there is no room for all.

    A last one that takes what is left is measured without that: the table may not have the width yet that it will have.
    """
    header = table.horizontalHeader()
    stretched = header.stretchLastSection
    header.setStretchLastSection(False)
    table.resizeColumnsToContents()
    wanted = [table.columnWidth(column) for column in range(table.columnCount)]
    beside = table.verticalHeader().sizeHint.width() + table.verticalScrollBar().sizeHint.width() + 2 * table.frameWidth
    room = table.width - beside if table.visible else 0
    for column, width in enumerate(bounded(wanted, round(_WIDEST * larger(table)), room)):
        table.setColumnWidth(column, width)
    header.setStretchLastSection(stretched)


def bounded(wanted: Sequence[int], bound: int, room: int) -> list[int]:
    """Widths of columns in pixels: none wider than ``bound``, but for what is left of ``room``, which the first get."""
    widths = [min(width, bound) for width in wanted]
    for column, width in enumerate(wanted):
        widths[column] += max(0, min(width - widths[column], room - sum(widths)))
    return widths


def fit_rows(table: Any, most: int) -> None:
    """Make a ``QTableWidget`` as high as its rows, ``most`` of them at most: none is hidden, and nothing is blank."""
    rows = [table.rowHeight(row) for row in range(min(table.rowCount, most))]
    table.setFixedHeight(table.horizontalHeader().sizeHint.height() + sum(rows) + 2 * table.frameWidth)


def wrap_freely(panel: Any) -> None:
    """Let the texts in ``panel`` that wrap ask for no width: a long one would else widen the whole panel to its own."""
    import qt
    import slicer

    for label in slicer.util.findChildren(panel, className="QLabel"):
        if label.wordWrap:
            label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)


def show_hints_clearly(panel: Any, kinds: Sequence[str]) -> None:
    """Write what empty fields of these classes in ``panel`` expect in a grey that can be read, in any theme.

    Slicer's own grey has a contrast of 3.9 on white, and 4.5 is needed (WCAG 2.2, success criterion 1.4.3).
    """
    import qt
    import slicer

    for field in (one for kind in kinds for one in slicer.util.findChildren(panel, className=kind)):
        palette = field.palette
        text, ground = palette.color(qt.QPalette.Text), palette.color(qt.QPalette.Base)
        mixed = [round(_HINT * a + (1 - _HINT) * b) for a, b in zip(_parts(text), _parts(ground), strict=True)]
        palette.setColor(qt.QPalette.PlaceholderText, qt.QColor(*mixed))
        field.setPalette(palette)


def _parts(color: Any) -> tuple[int, int, int]:
    return color.red(), color.green(), color.blue()


def larger(widget: Any) -> float:
    """How many times as high as usual a line of text of ``widget`` is; 1 at least."""
    return max(1.0, float(widget.fontMetrics().height()) / _LINE)


def fit_heights(panel: Any, kinds: Sequence[str]) -> None:
    """Where the font is large, let widgets of these classes in ``panel`` grow with it: their heights are in pixels."""
    import slicer

    for widget in (one for kind in kinds for one in slicer.util.findChildren(panel, className=kind)):
        times = larger(widget)
        if times == 1:
            continue
        least, most = widget.minimumHeight, widget.maximumHeight
        if most < _NO_LIMIT:
            widget.setMaximumHeight(math.ceil(most * times))
        widget.setMinimumHeight(math.ceil((least or min(widget.sizeHint.height(), most)) * times))


def set_icons(table: Any, column: int, pictures: Sequence[Path]) -> None:
    """Put a picture in front of the text of each row of a column of a ``QTableWidget``."""
    import qt

    icons = {picture: qt.QIcon(str(picture)) for picture in set(pictures)}
    for row, picture in enumerate(pictures):
        table.item(row, column).setIcon(icons[picture])
    table.resizeColumnToContents(column)


def option_box(layout: Any, title: str, sentence: str) -> Any:
    """Add a ``QCheckBox`` and, below it, a sentence to a layout; returns the box."""
    import qt

    box, label = qt.QCheckBox(title), qt.QLabel(sentence)
    label.wordWrap, label.indent = True, _INDENT
    layout.addWidget(box)
    layout.addWidget(label)
    return box


def show_picture(label: Any, path: Path | None, size: tuple[int, int]) -> None:
    """Show a picture file in a ``QLabel``, as large as fits into ``size`` (width, height in pixels); None hides it."""
    import qt

    label.visible = path is not None
    if path is not None:
        label.setPixmap(qt.QPixmap(str(path)).scaled(*size, qt.Qt.KeepAspectRatio))


def add_branch(parent: Any, branch: Branch, ticked: Collection[str]) -> Any:
    """Add an item for ``branch`` with all below it to an item of a ``QTreeWidget``, each with a tick box.

    Returns the state of its tick box.
    """
    import qt

    item = qt.QTreeWidgetItem(parent)
    item.setText(0, branch.text)
    item.setData(0, qt.Qt.UserRole, branch.uid)
    return _set_state(item, [add_branch(item, below, ticked) for below in branch.below], on=branch.uid in ticked)


def show_ticks(item: Any, ticked: Collection[str]) -> Any:
    """Tick an item of a tree, or the leaves below it, that go by these names, and what is above them."""
    below = [show_ticks(item.child(row), ticked) for row in range(item.childCount())]
    return _set_state(item, below, on=name_of(item) in ticked)


def _set_state(item: Any, below: Sequence[Any], *, on: bool) -> Any:
    state = _state_above(below) if below else _state(on=on)
    item.setCheckState(0, state)
    return state


def _state_above(states: Sequence[Any]) -> Any:
    import qt

    if all(state == qt.Qt.Checked for state in states):
        return qt.Qt.Checked
    return qt.Qt.Unchecked if all(state == qt.Qt.Unchecked for state in states) else qt.Qt.PartiallyChecked


def name_of(item: Any) -> str:
    """The name that an item of a filled tree goes by."""
    import qt

    return str(item.data(0, qt.Qt.UserRole))


def leaves_of(item: Any) -> list[str]:
    """Names of the items that have nothing below them: those below ``item``, in the order of the tree, or its own."""
    every = [*_items(item)] or [item]
    return [name_of(one) for one in every if one.childCount() == 0]


def is_ticked(item: Any) -> bool:
    """Whether an item of a tree is ticked."""
    return bool(item.checkState(0) == _state(on=True))


def _items(item: Any) -> Iterator[Any]:
    for row in range(item.childCount()):
        yield item.child(row)
        yield from _items(item.child(row))


def _state(*, on: bool) -> Any:
    import qt

    return qt.Qt.Checked if on else qt.Qt.Unchecked
