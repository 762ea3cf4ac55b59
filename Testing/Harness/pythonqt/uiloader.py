"""Loads Qt Designer forms with stand-ins for Slicer's and CTK's widgets, and makes their connections."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtUiTools

from Testing.Harness import facts
from Testing.Harness.conformance_ui import check_form
from Testing.Harness.findings import Finding
from Testing.Harness.pythonqt import objects, registry
from Testing.Harness.pythonqt.log import record


@registry.implements("QUiLoader")
class UiLoader(QtUiTools.QUiLoader):
    """Qt's loader of forms; what is wrong in the form goes to the strict log."""

    def load(self, device: Any, parent: Any = None) -> Any:
        """The form's widget, or None if Qt cannot read it."""
        root = ET.fromstring(bytes(device.readAll().data()))
        if isinstance(device, QtCore.QFile):
            _check(Path(device.fileName()))
        connections = [_texts(c) for c in root.iter("connection")]
        for section in root.findall("connections"):
            root.remove(section)
        enums = list(_take_enum_properties(root))
        loaded = super().load(_buffer(root), parent)
        if loaded is not None:
            named = {o.objectName(): o for o in (loaded, *loaded.findChildren(QtCore.QObject)) if o.objectName()}
            for name, attribute, value in enums:
                named[name].setProperty(attribute, value)
            for connection in connections:
                _connect(named, *connection)
        return loaded

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        """A stand-in for a Slicer or CTK class, else Qt's own widget."""
        if class_name not in facts.gui() and class_name not in registry.IMPLEMENTATIONS:
            return super().createWidget(class_name, parent, name)
        made = registry.implementation(class_name)(parent)
        made.setObjectName(name)
        return made


def _check(path: Path) -> None:
    findings: list[Finding] = []
    check_form(path, findings)
    for finding in findings:
        record(str(finding))


def _buffer(root: ET.Element) -> QtCore.QBuffer:
    buffer = QtCore.QBuffer()
    buffer.setData(ET.tostring(root))
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    return buffer


def _take_enum_properties(root: ET.Element) -> Iterator[tuple[str, str, int]]:
    """Takes the enum properties of stand-ins out, since Qt's loader cannot read them: (object, name, value)."""
    for widget in root.iter("widget"):
        for element in list(widget.findall("property")):
            text = element.findtext("set") or element.findtext("enum")
            found = facts.member(widget.get("class", ""), element.get("name", ""))
            if text and found and found.owner in facts.gui():
                widget.remove(element)
                yield widget.get("name", ""), element.get("name", ""), _enum_number(found.owner, text)


def _enum_number(owner: str, text: str) -> int:
    number = 0
    for part in text.split("|"):
        scope, _, name = part.rpartition("::")
        found = getattr(QtCore.Qt, name) if scope == "Qt" else registry.enum_value(owner, name)
        number |= int(getattr(found, "value", found))
    return number


def _texts(connection: ET.Element) -> tuple[str, str, str, str]:
    sender, signal, receiver, slot = (connection.findtext(t) or "" for t in ("sender", "signal", "receiver", "slot"))
    return sender, signal, receiver, slot


def _connect(named: dict[str, Any], sender: str, signal: str, receiver: str, slot: str) -> None:
    if sender not in named or receiver not in named:
        record(f"connection between unknown objects: {sender}.{signal} to {receiver}.{slot}")
        return
    source, target = objects.wrap(named[sender]), objects.wrap(named[receiver])
    if not source.connect(signal, target, slot):
        record(f"connection failed: {sender}.{signal} to {receiver}.{slot}")
