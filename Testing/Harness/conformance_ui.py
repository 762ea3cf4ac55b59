"""Static check of Qt Designer forms: widget classes, properties, and signal-slot connections."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from Testing.Harness import facts
from Testing.Harness.findings import Finding, version_complaint

DESIGNER_CLASSES = {"Line", "Spacer"}
LAYOUT_PROPERTIES = set(
    [
        "leftMargin",
        "topMargin",
        "rightMargin",
        "bottomMargin",
        "margin",
        "spacing",
        "horizontalSpacing",
        "verticalSpacing",
    ]
)
"""Names Designer writes for layouts that are not Qt properties."""
PARAMETER_PROPERTY = "SlicerParameterName"
FREE_PROPERTIES = {"geometry"}


@dataclass(slots=True)
class Form:
    """A form's objects by name with their classes, and the parameters its widgets are bound to."""

    path: Path
    classes: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


def check_form(path: Path, findings: list[Finding]) -> Form:
    """The form's objects; what is wrong with them is added to the findings.

    :raises xml.etree.ElementTree.ParseError: if the file is not XML
    """
    root = ET.parse(path).getroot()
    form = Form(path)
    complaints: list[str] = []
    for element in root.iter():
        if element.tag in ("widget", "layout", "action"):
            complaints += _element(element, form)
    for connection in root.iter("connection"):
        complaints += _connection(connection, form)
    findings += [Finding(str(path), _line(path, complaint), complaint) for complaint in complaints]
    return form


def _line(path: Path, complaint: str) -> int:
    """The first line that has the object or signal named in parentheses at the complaint's end."""
    needle = complaint.rpartition("[")[2].rstrip("]")
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if needle in line), 0)


def _element(element: ET.Element, form: Form) -> list[str]:
    class_name = element.get("class") or "QAction"
    name = element.get("name", "")
    if name in form.classes and element.tag != "layout":
        return [f"two objects are named {name} [{name}]"]
    form.classes[name] = class_name
    if class_name in DESIGNER_CLASSES:
        return []
    if not facts.is_known(class_name):
        return [f"unknown widget class {class_name} [{name}]"]
    if complaint := version_complaint(facts.class_versions(class_name)):
        return [f"{class_name} {complaint} [{name}]"]
    return [c for p in element.findall("property") for c in _property(p, class_name, form, name)]


def _property(element: ET.Element, class_name: str, form: Form, name: str) -> list[str]:
    attribute = element.get("name", "")
    if attribute == PARAMETER_PROPERTY:
        form.parameters[name] = element.findtext("string") or ""
    if element.get("stdset") == "0" or attribute in FREE_PROPERTIES | {PARAMETER_PROPERTY}:
        return []
    if class_name.endswith("Layout") and attribute in LAYOUT_PROPERTIES:
        return []
    return _property_complaints(class_name, attribute, name)


def _property_complaints(class_name: str, attribute: str, name: str) -> list[str]:
    member = facts.member(class_name, attribute)
    if member is None or member.kind != "property":
        return [f"{class_name} has no property {attribute} [{name}]"] if facts.is_complete(class_name) else []
    if not member.writable:
        return [f"{class_name}.{attribute} is read-only [{name}]"]
    complaint = version_complaint(member.versions)
    return [f"{class_name}.{attribute} {complaint} [{name}]"] if complaint else []


def _connection(element: ET.Element, form: Form) -> list[str]:
    sender, signal, receiver, slot = (element.findtext(t) or "" for t in ("sender", "signal", "receiver", "slot"))
    complaints = [
        f"no object named {n} for the connection of {signal} [{n}]" for n in (sender, receiver) if n not in form.classes
    ]
    if complaints:
        return complaints
    return _signal_complaints(form.classes[sender], signal) + _slot_complaints(form.classes[receiver], slot)


def _signal_complaints(class_name: str, signal: str) -> list[str]:
    if not facts.is_complete(class_name) or facts.normalized(signal) in facts.signals(class_name):
        return []
    return [f"{class_name} has no signal {signal} [{signal}]"]


def _slot_complaints(class_name: str, slot: str) -> list[str]:
    member = facts.class_member(class_name, slot.split("(")[0])
    if not facts.is_complete(class_name) or member is not None:
        return []
    return [f"{class_name} has no slot {slot} [{slot}]"]
