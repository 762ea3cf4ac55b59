"""What of a panel a person could not read: text that its widget has no room for, and text too like its ground."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

CONTRAST = 4.5
"""Of text and ground, at least (WCAG 2.2, success criterion 1.4.3)."""
LONG = (
    "The image is too small for this model: 12 x 12 x 4 voxels. Choose another series, or another model, and run again."
)
SHORT = "segmenting, 3 minutes left"


def light_palette() -> QtGui.QPalette:
    """The colours of Slicer's light style, as far as text has to do with them (qSlicerStyle.cxx, 2026-08)."""
    return _palette("white", "black", {"AlternateBase": "#e4e4fe", "Button": "#fcfcfc", "PlaceholderText": "#808080"})


def dark_palette() -> QtGui.QPalette:
    """Those of its dark style."""
    grounds = {"Base": "#1e1e1e", "AlternateBase": "#323232", "Button": "#323232"}
    return _palette("#323232", "white", {**grounds, "PlaceholderText": "#c0c0c0", "Link": "#3ca4ff"})


def _palette(ground: str, text: str, others: dict[str, str]) -> QtGui.QPalette:
    palette, role = QtGui.QPalette(), QtGui.QPalette.ColorRole
    colors = {name: ground for name in ("Window", "Base")} | {
        name: text for name in ("WindowText", "Text", "ButtonText", "ToolTipText")
    }
    for name, color in (colors | others).items():
        palette.setColor(getattr(role, name), QtGui.QColor(color))
    return palette


def fill(panel: QtWidgets.QWidget) -> None:
    """Give every empty label a text, every empty table rows, and show what waits for a result: something to read."""
    for label in panel.findChildren(QtWidgets.QLabel):
        if not label.text() and label.pixmap().isNull():
            label.setText(LONG if label.wordWrap() else SHORT)
    for widget in panel.findChildren(QtWidgets.QWidget):
        if isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton, QtWidgets.QProgressBar)):
            widget.setVisible(True)
    for table in panel.findChildren(QtWidgets.QTableWidget):
        if table.columnCount() and not table.rowCount():
            blocked = table.blockSignals(True)
            table.setRowCount(2)
            for number in range(2 * table.columnCount()):
                cell = QtWidgets.QTableWidgetItem("a cell")
                table.setItem(number // table.columnCount(), number % table.columnCount(), cell)
            table.blockSignals(blocked)


def _visible(panel: QtWidgets.QWidget) -> Iterator[QtWidgets.QWidget]:
    for widget in panel.findChildren(QtWidgets.QWidget):
        inside = widget.objectName().startswith("qt_")  # the line of a spin box: Qt's own affair
        if widget.isVisibleTo(panel) and not widget.visibleRegion().isEmpty() and not inside:
            yield widget


def needed(widget: QtWidgets.QWidget) -> QtCore.QSize | None:
    """The pixels that the widget's text takes; None for a widget without text of its own."""
    if isinstance(widget, QtWidgets.QLabel):
        if widget.wordWrap():
            widest = max(
                widget.fontMetrics().horizontalAdvance(word)
                for word in (re.split(r"[\s\u200b]+", widget.text()) or [""])
            )
            return QtCore.QSize(widest, widget.heightForWidth(widget.width()))
        return widget.sizeHint()
    if isinstance(widget, (QtWidgets.QPushButton, QtWidgets.QCheckBox, QtWidgets.QRadioButton)):
        return widget.sizeHint()
    if isinstance(widget, (QtWidgets.QLineEdit, QtWidgets.QAbstractSpinBox, QtWidgets.QComboBox)):
        return QtCore.QSize(0, widget.minimumSizeHint().height())
    if isinstance(widget, QtWidgets.QAbstractButton) and widget.text():
        return QtCore.QSize(widget.fontMetrics().horizontalAdvance(widget.text()), widget.fontMetrics().height())
    return None


def clipped(panel: QtWidgets.QWidget) -> list[str]:
    """Widgets that are shown smaller than their text, and tables whose rows are."""
    found = []
    for widget in _visible(panel):
        wanted = needed(widget)
        if wanted is not None and (wanted.width() > widget.width() + 1 or wanted.height() > widget.height() + 1):
            found.append(f"{_name(widget)}: {wanted.toTuple()} in {widget.size().toTuple()}")
        if isinstance(widget, QtWidgets.QTableView):
            line = widget.fontMetrics().height()
            if min(widget.verticalHeader().defaultSectionSize(), widget.viewport().height() // 2) < line:
                found.append(f"{_name(widget)}: rows lower than a line, or room for less than two")
    return found


def _name(widget: QtWidgets.QWidget) -> str:
    return widget.objectName() or type(widget).__name__


def faint(panel: QtWidgets.QWidget) -> list[str]:
    """Texts whose contrast, as painted, is below :data:`CONTRAST`: of enabled widgets, each cell of tables and trees,
    what empty fields expect included, and each differently coloured run of words of a rich text by itself.

    What is disabled need not reach it (WCAG 2.2, 1.4.3, "inactive user interface component"); nor is a row looked at
    that is chosen, whose colours are Slicer's own: white on #308cc6, 3.7.
    """
    picture = panel.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB32)
    pixels = np.frombuffer(picture.constBits(), dtype=np.uint8).reshape(picture.height(), -1, 4)[
        :, : picture.width(), :3
    ]
    light = _luminance(pixels[..., ::-1])
    found = []
    for widget in _visible(panel):
        if not widget.isEnabled():
            continue
        for name, place in _texts(widget):
            corner = widget.mapTo(panel, place.topLeft())
            part = light[
                max(corner.y(), 0) : corner.y() + place.height(), max(corner.x(), 0) : corner.x() + place.width()
            ]
            ratio = _ratio(float(part.max()), float(part.min())) if part.size else CONTRAST
            if ratio < CONTRAST:
                found.append(f"{name}: {ratio:.1f}")
        found += [f"{_name(widget)}: {ratio:.1f} of {words!r}" for words, ratio in _faint_words(widget)]
    return found


def _texts(widget: QtWidgets.QWidget) -> Iterator[tuple[str, QtCore.QRect]]:
    """(Name, place within the widget) of each text that is painted in one colour."""
    inside = widget.rect().adjusted(3, 3, -3, -3)
    if isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton)) and widget.text():
        yield _name(widget), inside
    elif isinstance(widget, (QtWidgets.QLineEdit, QtWidgets.QPlainTextEdit)):
        text = widget.text() if isinstance(widget, QtWidgets.QLineEdit) else widget.toPlainText()
        if text or widget.placeholderText():
            yield _name(widget), inside
    elif isinstance(widget, QtWidgets.QComboBox) and widget.currentText():
        yield _name(widget), inside.adjusted(0, 0, -20, 0)
    elif isinstance(widget, (QtWidgets.QTableWidget, QtWidgets.QTreeWidget)):
        yield from _cells(widget)


def _cells(view: QtWidgets.QTableWidget | QtWidgets.QTreeWidget) -> Iterator[tuple[str, QtCore.QRect]]:
    """The cells with text that are in sight and not chosen, without their pictures."""
    model, seen = view.model(), view.viewport().rect()
    parents = [QtCore.QModelIndex()]
    while parents:
        parent = parents.pop()
        for row in range(model.rowCount(parent)):
            for column in range(model.columnCount(parent)):
                cell = model.index(row, column, parent)
                place = view.visualRect(cell) & seen
                usable = cell.flags() & QtCore.Qt.ItemFlag.ItemIsEnabled and cell.data()
                if usable and not view.selectionModel().isSelected(cell) and place.width() > 12 and place.height() > 8:
                    beside = 0 if cell.data(QtCore.Qt.ItemDataRole.DecorationRole) is None else view.iconSize().width()
                    place.translate(view.viewport().pos())
                    yield f"{_name(view)} {row}, {column}", place.adjusted(max(beside, 0) + 3, 2, -2, -2)
            parents.append(model.index(row, 0, parent))


def _faint_words(widget: QtWidgets.QWidget) -> Iterator[tuple[str, float]]:
    """(Words, contrast) of the runs of a rich text whose own colour is too like the widget's ground."""
    if isinstance(widget, QtWidgets.QTextEdit):
        document = widget.document()
    elif isinstance(widget, QtWidgets.QLabel) and QtGui.Qt.mightBeRichText(widget.text()):
        document = QtGui.QTextDocument()
        document.setHtml(widget.text())
    else:
        return
    ground = _luminance_of(widget.palette().color(widget.backgroundRole()))
    block = document.begin()
    while block.isValid():
        for run in block:
            style = run.fragment().charFormat()
            own = _luminance_of(style.background().color()) if style.background().style().value else ground
            if style.foreground().style().value:
                ratio = _ratio(_luminance_of(style.foreground().color()), own)
                if ratio < CONTRAST:
                    yield run.fragment().text(), ratio
        block = block.next()


def _ratio(first: float, second: float) -> float:
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def _luminance_of(color: QtGui.QColor) -> float:
    return float(_luminance(np.array([color.red(), color.green(), color.blue()])))


def _luminance(rgb: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB bytes, as WCAG defines it."""
    share = rgb / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])
