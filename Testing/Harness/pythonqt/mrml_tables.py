"""Slicer's table views with behaviour, over real nodes: qMRMLTableView and qMRMLSegmentsTableView."""

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from Testing.Harness.pythonqt import observers
from Testing.Harness.pythonqt.mrml_widgets import MRMLWidget, SceneMixin, observe
from Testing.Harness.pythonqt.registry import implements


@implements("qMRMLTableView")
class TableView(SceneMixin, QtWidgets.QTableView):
    """Shows a real table node's cells and follows its changes; the cells cannot be edited here."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments: Any) -> None:
        QtWidgets.QTableView.__init__(self, *arguments)
        self._node: Any = None
        self._tags: list[int] = []
        self._cells = TableModel(self)
        self.setModel(self._cells)

    def setMRMLTableNode(self, node: Any) -> None:
        """Shows the table node; None shows nothing."""
        for tag in self._tags:
            observers.remove(self._node, tag)
        self._node = node
        self._tags = observe(node, [vtk.vtkCommand.ModifiedEvent], self, "_refresh") if node is not None else []
        self._refresh()

    def mrmlTableNode(self) -> Any:
        """The node shown, or None."""
        return self._node

    def _refresh(self) -> None:
        self._cells.show(self._node)


class TableModel(QtCore.QAbstractTableModel):
    """A table node's cells as text."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._columns: list[tuple[str, list[str]]] = []

    def show(self, node: Any) -> None:
        """Takes over the node's columns."""
        self.beginResetModel()
        table = node.GetTable() if node is not None else None
        columns = [table.GetColumn(i) for i in range(table.GetNumberOfColumns())] if table is not None else []
        self._columns = [(c.GetName() or "", _texts(c)) for c in columns]
        self.endResetModel()

    def rowCount(self, _parent: Any = None) -> int:
        """Rows of the longest column."""
        return max((len(cells) for _, cells in self._columns), default=0)

    def columnCount(self, _parent: Any = None) -> int:
        """Number of columns."""
        return len(self._columns)

    def data(self, index: Any, role: int = 0) -> Any:
        """The cell's text."""
        return self._columns[index.column()][1][index.row()] if role == QtCore.Qt.ItemDataRole.DisplayRole else None

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """The column's name, the row's number."""
        if role != QtCore.Qt.ItemDataRole.DisplayRole:
            return None
        return self._columns[section][0] if orientation == QtCore.Qt.Orientation.Horizontal else section + 1


def _texts(column: Any) -> list[str]:
    return [column.GetVariantValue(i).ToString() for i in range(column.GetNumberOfTuples())]


@implements("qMRMLSegmentsTableView")
class SegmentsTableView(MRMLWidget):
    """Lists the segments of a real segmentation node."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._node: Any = None
        self._tags: list[int] = []
        self._table = QtWidgets.QTableWidget(0, 1)
        self._table.setHorizontalHeaderLabels(["Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)

    def setSegmentationNode(self, node: Any) -> None:
        """Shows the segments of the node; None shows nothing."""
        for tag in self._tags:
            observers.remove(self._node, tag)
        self._node = node
        events = [
            slicer.vtkSegmentation.SegmentAdded,
            slicer.vtkSegmentation.SegmentRemoved,
            vtk.vtkCommand.ModifiedEvent,
        ]
        self._tags = observe(node, events, self, "_refresh") if node is not None else []
        self._refresh()

    def _refresh(self) -> None:
        ids = self.displayedSegmentIDs()
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            name = self._node.GetSegmentation().GetSegment(segment_id).GetName()
            self._table.setItem(row, 0, QtWidgets.QTableWidgetItem(name))

    def segmentationNode(self) -> Any:
        """The node shown, or None."""
        return self._node

    def tableWidget(self) -> QtWidgets.QTableWidget:
        """The table."""
        return self._table

    def displayedSegmentIDs(self) -> list[str]:
        """IDs of the segments, in order."""
        return list(self._node.GetSegmentation().GetSegmentIDs()) if self._node is not None else []

    def selectedSegmentIDs(self) -> list[str]:
        """IDs of the selected rows."""
        rows = {index.row() for index in self._table.selectedIndexes()}
        return [s for row, s in enumerate(self.displayedSegmentIDs()) if row in rows]

    def setSelectedSegmentIDs(self, ids: list[str]) -> None:
        """Selects the rows of the segments."""
        self._table.clearSelection()
        for row, segment_id in enumerate(self.displayedSegmentIDs()):
            for item in filter(None, [self._table.item(row, 0)] if segment_id in ids else []):
                item.setSelected(True)

    segmentCount = Property(int, lambda self: len(self.displayedSegmentIDs()))
