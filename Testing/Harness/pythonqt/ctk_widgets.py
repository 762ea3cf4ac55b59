"""CTK widgets with behaviour: collapsible button, path line edit, slider with spin box, spin box for doubles."""

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.Harness.pythonqt.registry import implements

HEADER_HEIGHT = 24
SLIDER_STEPS = 1000


@implements("ctkCollapsibleButton")
class CollapsibleButton(QtWidgets.QAbstractButton):
    """A titled box that hides its contents when it is collapsed.

    It takes room as CTK's does (868d56c7): it may be higher than its contents wish, down to what they need at least,
    and collapsed no higher than its header: a layout would else give it the height of texts that nobody sees.
    """

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        parent = next((a for a in arguments if isinstance(a, QtWidgets.QWidget)), None)
        super().__init__(parent)
        self.setText(next((a for a in arguments if isinstance(a, str)), ""))
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self._highest = self.maximumHeight()
        self.setContentsMargins(4, HEADER_HEIGHT + 2, 4, 4)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, expanded: bool) -> None:
        if not expanded:
            self._highest = self.maximumHeight()
        self.setMaximumHeight(self._highest if expanded else HEADER_HEIGHT)
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly):
            child.setVisible(expanded)
        self.setContentsMargins(4, HEADER_HEIGHT + 2, 4, 4 if expanded else 0)
        self.updateGeometry()
        self.update()
        self.contentsCollapsed.emit(not expanded)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """A child added to a collapsed button is hidden."""
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and not self.isChecked():
            child.setVisible(False)
        super().childEvent(event)

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, value: bool) -> None:
        self.setChecked(not value)

    collapsed = Property(bool, _get_collapsed, _set_collapsed)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        """Only the header takes clicks."""
        return position.y() < HEADER_HEIGHT

    def sizeHint(self) -> QtCore.QSize:
        """The header's height when collapsed, else the layout's."""
        header, layout = QtCore.QSize(180, HEADER_HEIGHT), self.layout()
        return layout.totalSizeHint().expandedTo(header) if layout and self.isChecked() else header

    def minimumSizeHint(self) -> QtCore.QSize:
        """The header's when collapsed, else the least size of the layout."""
        header, layout = QtCore.QSize(180, HEADER_HEIGHT), self.layout()
        return layout.totalMinimumSize().expandedTo(header) if layout and self.isChecked() else header

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        """A header with an arrow and the title."""
        painter = QtGui.QPainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), HEADER_HEIGHT - 2)
        self.style().drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        arrow = (
            "\N{BLACK DOWN-POINTING SMALL TRIANGLE}" if self.isChecked() else "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"
        )
        vertical = int(QtCore.Qt.AlignmentFlag.AlignVCenter.value)
        painter.drawText(option.rect.adjusted(8, 0, 0, 0), vertical, f"{arrow} {self.text()}")
        painter.end()


@implements("ctkPathLineEdit")
class PathLineEdit(QtWidgets.QWidget):
    """A line edit for a path with a browse button."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    Dirs, Files, Drives, NoSymLinks = 0x001, 0x002, 0x004, 0x008
    Readable, Writable, Executable, Hidden, System = 0x010, 0x020, 0x040, 0x100, 0x200
    """The numbers are those of QDir::Filters."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(next((a for a in arguments if isinstance(a, QtWidgets.QWidget)), None))
        self._combo = QtWidgets.QComboBox(editable=True)
        self._button = QtWidgets.QToolButton()
        self._button.setText("...")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo, 1)
        row.addWidget(self._button)
        self._combo.editTextChanged.connect(self.currentPathChanged)
        self._button.clicked.connect(self.browse)

    def _get_path(self) -> str:
        return self._combo.currentText()

    def setCurrentPath(self, path: str) -> None:
        """Shows the path."""
        self._combo.setEditText(path)

    def browse(self) -> None:
        """Asks for a path with a file dialog."""
        from Testing.Harness.pythonqt.dialogs import FileDialog

        if path := FileDialog.getOpenFileName(self, "Select a path"):
            self.setCurrentPath(str(path))

    def addCurrentPathToHistory(self) -> None:
        """Keeps the path in the list."""
        if self._combo.findText(self._get_path()) < 0:
            self._combo.addItem(self._get_path())

    def comboBox(self) -> QtWidgets.QComboBox:
        """The editor."""
        return self._combo

    currentPath = Property(str, _get_path, setCurrentPath)


class _NumberWidget(QtWidgets.QWidget):
    """The part that slider and spin box share: one number within limits, kept by a spin box."""

    valueChanged = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(next((a for a in arguments if isinstance(a, QtWidgets.QWidget)), None))
        self._box = QtWidgets.QDoubleSpinBox()
        self._row = QtWidgets.QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self._box)
        self._box.valueChanged.connect(self._on_value)

    def _on_value(self, value: float) -> None:
        self.valueChanged.emit(value)

    def setValue(self, value: float) -> None:
        """Sets the value, held within the limits."""
        self._box.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        """Sets the number of decimals shown and kept."""
        self._box.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def setMinimum(self, value: float) -> None:
        """Sets the lower limit."""
        self._box.setMinimum(value)

    def setMaximum(self, value: float) -> None:
        """Sets the upper limit."""
        self._box.setMaximum(value)

    value = Property(float, lambda self: self._box.value(), setValue)
    minimum = Property(float, lambda self: self._box.minimum(), setMinimum)
    maximum = Property(float, lambda self: self._box.maximum(), setMaximum)
    singleStep = Property(float, lambda self: self._box.singleStep(), lambda self, v: self._box.setSingleStep(v))
    decimals = Property(int, lambda self: self._box.decimals(), setDecimals)
    prefix = Property(str, lambda self: self._box.prefix(), lambda self, v: self._box.setPrefix(v))
    suffix = Property(str, lambda self: self._box.suffix(), lambda self, v: self._box.setSuffix(v))


@implements("ctkDoubleSpinBox")
class DoubleSpinBox(_NumberWidget):
    """A spin box for a number."""

    editingFinished = Signal()
    textChanged = Signal(str)
    pythonqt_signals = {"valueChanged(QString)": "textChanged"}
    SetAlways, SetIfDifferent = 0, 1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._box.editingFinished.connect(self.editingFinished)
        self._box.textChanged.connect(self.textChanged)

    def stepUp(self) -> None:
        """One step more."""
        self._box.stepUp()

    def stepDown(self) -> None:
        """One step less."""
        self._box.stepDown()

    setValueAlways = setValueIfDifferent = _NumberWidget.setValue
    readOnly = Property(bool, lambda self: self._box.isReadOnly(), lambda self, v: self._box.setReadOnly(v))
    cleanText = Property(str, lambda self: self._box.cleanText())


@implements("ctkSliderWidget")
class SliderWidget(_NumberWidget):
    """A slider and a spin box that show the same number."""

    valueIsChanging = Signal(float)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setRange(0, SLIDER_STEPS)
        self._row.insertWidget(0, self._slider, 1)
        self._slider.valueChanged.connect(self._on_slider)

    def _on_slider(self, step: int) -> None:
        span = self._box.maximum() - self._box.minimum()
        self._box.setValue(self._box.minimum() + span * step / SLIDER_STEPS)

    def _on_value(self, value: float) -> None:
        span = self._box.maximum() - self._box.minimum()
        with QtCore.QSignalBlocker(self._slider):
            self._slider.setValue(round(SLIDER_STEPS * (value - self._box.minimum()) / span) if span else 0)
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)
