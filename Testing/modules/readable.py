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


def dark_palette() -> QtGui.QPalette:
    """Light text on dark ground, as in Slicer's dark style."""
    palette, role = QtGui.QPalette(), QtGui.QPalette.ColorRole
    for dark, value in ((role.Window, 50), (role.Base, 30), (role.AlternateBase, 50), (role.Button, 60)):
        palette.setColor(dark, QtGui.QColor(value, value, value))
    for light in (role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.PlaceholderText):
        palette.setColor(light, QtGui.QColor(235, 235, 235))
    palette.setColor(role.Link, QtGui.QColor(110, 170, 255))
    return palette


def fill(panel: QtWidgets.QWidget) -> None:
    """Give every empty label a text, and show what waits for a result, so that there is something to read."""
    for label in panel.findChildren(QtWidgets.QLabel):
        if not label.text() and label.pixmap().isNull():
            label.setText(LONG if label.wordWrap() else SHORT)
    for widget in panel.findChildren(QtWidgets.QWidget):
        if isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton, QtWidgets.QProgressBar)):
            widget.setVisible(True)


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
    """Enabled widgets with text whose strongest contrast, as painted, is below :data:`CONTRAST`."""
    picture = panel.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB32)
    pixels = np.frombuffer(picture.constBits(), dtype=np.uint8).reshape(picture.height(), -1, 4)[
        :, : picture.width(), :3
    ]
    light = _luminance(pixels[..., ::-1])
    found = []
    for widget in _visible(panel):
        if not _is_text(widget) or not widget.isEnabled():
            continue
        place = QtCore.QRect(widget.mapTo(panel, QtCore.QPoint(0, 0)), widget.size()).adjusted(3, 3, -3, -3)
        part = light[max(place.top(), 0) : place.bottom() + 1, max(place.left(), 0) : place.right() + 1]
        ratio = (part.max() + 0.05) / (part.min() + 0.05)
        if ratio < CONTRAST:
            found.append(f"{_name(widget)}: {ratio:.1f}")
    return found


def _is_text(widget: QtWidgets.QWidget) -> bool:
    return isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton)) and bool(widget.text())


def _luminance(rgb: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB bytes, as WCAG defines it."""
    share = rgb / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])
