"""Makes ``api_facts/*.json``: the facts about Slicer's Python API that the harness needs, and no more.

    python -m Testing.Harness.build_api_facts FOLDER

FOLDER holds four fact files (names, types, base classes, signatures; no code) extracted from the sources of
Slicer, CTK and PythonQt and from PySide6's meta-objects: ``slicer_gui_api.json``, ``qt_base_api.json`` (Qt 6),
``qt515_pythonqt_api.json`` (Qt 5.15 as PythonQt wraps it) and ``slicer_python_api.json``.

PythonQt reaches slots through the meta-object, so its wrapper lists leave them out; they are read here from
PySide6's meta-objects.
"""

import json
import re
import sys
from enum import EnumType
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets

Facts = dict[str, Any]

OUTPUT = Path(__file__).parent / "api_facts"
QT_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
WRAPPED_LIBRARIES = {"core", "core_builtin", "gui", "gui_builtin", "network", "uitools"}
UNUSED_GUI_CLASS = re.compile(
    r"EventPlayer|EventTranslator|Tester$|^ctkTest|^ctkWorkflow|^ctkCmdLine|^ctkIconEngine|^qSlicerIconEngine"
    r"|^ButtonGroup|Delegate$|MaterialProperty|^ctkAxes"
)
UNUSED_QT_CLASS = re.compile(
    r"^QStyleOption|^QAccessible|^QGesture|^QPlatform|^QOpenGL|Plugin|Factory|^QSsl|^QHstsPolicy"
)
PYTHON_MODULES = re.compile(
    r"^slicer\.(ScriptedLoadableModule|cli|i18n|packaging|testing|util)$|^slicer\.parameterNodeWrapper\."
    r"|^DICOMLib\.|^DICOMPlugins\.DICOM(Segmentation|TID1500|ParametricMap|ScalarVolume)Plugin$|^sitkUtils$"
)
QT5_PROPERTIES_WITH_ODD_GETTERS = {"showSortIndicator", "z", "effect", "parent"}
SLICER_ATTRIBUTES = [
    "app",
    "cli",
    "dicomDatabase",
    "dicomDatabaseDirectorySettingsKey",
    "dicomListener",
    "i18n",
    "logic",
    "moduleNames",
    "modules",
    "mrmlScene",
    "packaging",
    "parameterNodeWrapper",
    "pythonApplicationLogHandler",
    "selfTests",
    "testing",
    "util",
    "ScriptedLoadableModule",
]
"""Names that the application itself puts into ``slicer``, beside classes."""


def gui_class(facts: Facts) -> Facts:
    """One Slicer or CTK class: bases, properties [type, getter, setter, notifier], signals, methods, enums."""
    methods: dict[str, list[list[Any]]] = {}
    for kind in ("slots", "invokables", "decorators"):
        for method in facts.get(kind, []):
            overload = [method["ret"], [argument_type for _, argument_type in method["args"]]]
            methods.setdefault(method["name"], []).append(overload)
    described = {
        "bases": facts["base"],
        "constructible": facts["constructible_from_python"],
        "properties": {
            name: [p["type"], p["read"] or "", p["write"] or "", p["notify"] or ""]
            for name, p in facts["properties"].items()
        },
        "signals": sorted({signal["sig"] for signal in facts["signals"]}),
        "methods": methods,
        "enums": {enum["name"]: list(enum["values"]) for enum in facts["enums"]},
    }
    return {key: value for key, value in described.items() if value or key == "constructible"}


def gui_classes(source: Facts) -> Facts:
    """The classes a scripted module may use, and every base class of theirs."""
    everything = source["classes"]
    chosen: Facts = {}
    waiting = [name for name in everything if not UNUSED_GUI_CLASS.search(name)]
    while waiting:
        name = waiting.pop()
        if name not in chosen:
            chosen[name] = gui_class(everything[name])
            waiting += [base for base in everything[name]["base"] if base in everything]
    return dict(sorted(chosen.items()))


def pyside_class(name: str) -> type | None:
    """Qt 6's class of this name."""
    return next((getattr(module, name) for module in QT_MODULES if hasattr(module, name)), None)


def enums_left_to_the_meta_object(name: str, wrapped: Facts) -> set[str]:
    """Qt 6's enums of the class that PythonQt's wrapper for Qt 5.15 does not list: it finds those at run time."""
    found: set[str] = set()
    for enum_name, enum in vars(pyside_class(name) or object).items():
        if isinstance(enum, EnumType) and enum_name not in wrapped.get("enums", {}):
            found |= {enum_name, *enum.__members__}
    return found


def own_slots(name: str) -> set[str]:
    """Slots and invokable methods that Qt 6's meta-object lists for the class itself."""
    cls = pyside_class(name)
    meta = getattr(cls, "staticMetaObject", None)
    if meta is None:
        return set()
    methods = (meta.method(i) for i in range(meta.methodOffset(), meta.methodCount()))
    return {m.name().data().decode() for m in methods if m.methodType() != QtCore.QMetaMethod.MethodType.Signal}


def by_version(in_qt5: set[str], in_qt6: set[str]) -> Facts:
    """Names as three lists: in both versions, only in Qt 5.15, only in Qt 6."""
    lists = {"both": in_qt5 & in_qt6, "qt5": in_qt5 - in_qt6, "qt6": in_qt6 - in_qt5}
    return {key: " ".join(sorted(names)) for key, names in lists.items() if names}


def wrapped_methods(wrapped: Facts) -> set[str]:
    """Methods PythonQt wraps, without its internal names for protected virtual functions."""
    return {n for n in wrapped["methods"] + wrapped["static"] if not n.startswith("py_")}


def is_new_in_qt6(name: str, wrapped: set[str]) -> bool:
    """Whether a property has neither a getter nor a setter among the methods PythonQt wraps for Qt 5.15."""
    title = name[0].upper() + name[1:]
    spellings = {name, *(f"{verb}{title}" for verb in ("is", "has", "get", "to", "set"))}
    return name not in QT5_PROPERTIES_WITH_ODD_GETTERS and not spellings & wrapped


def qt_class(name: str, qt6: Facts, qt5: Facts) -> Facts:
    """One Qt class, seen by both versions; a class missing from one has only the other's names."""
    methods5 = wrapped_methods(qt5) if qt5 else set()
    methods6 = set(qt6.get("methods", []))
    slots = own_slots(name)
    if qt5 and qt6:
        methods5 |= slots & methods6
        methods6 |= {n for n in methods5 if n.startswith("__")}
    values5 = {value for values in qt5.get("enums", {}).values() for value in values} | set(qt5.get("enums", {}))
    values6 = set(qt6.get("enum_values", [])) | set(qt6.get("enum_types", []))
    if qt5 and qt6:
        values5 |= enums_left_to_the_meta_object(name, qt5) & values6
    described = {
        "versions": (["qt5"] if qt5 else []) + (["qt6"] if qt6 else []),
        "bases": qt6.get("base", []),
        "properties": {
            p: [v["type"], v["writable"], *(["qt6"] if qt5 and is_new_in_qt6(p, methods5) else [])]
            for p, v in qt6.get("properties", {}).items()
        },
        "signals": sorted(qt6.get("signals", [])),
        "methods": by_version(methods5, methods6),
        "enums": by_version(values5, values6),
    }
    return {key: value for key, value in described.items() if value}


def qt_classes(qt6: Facts, qt5: Facts) -> Facts:
    """Qt's classes: those of Qt 6, and those of Qt 5.15 that are gone, so that their use can be named."""
    wrapped = {n: c for n, c in qt5["classes"].items() if c["lib"] in WRAPPED_LIBRARIES}
    present = {n: c for n, c in qt6["classes"].items() if c["qt_module"] != "QtMultimedia"}
    base, device = present["QIODeviceBase"], present["QIODevice"]
    device["enum_values"] = device["enum_values"] + base["enum_values"]
    device["enum_types"] = device["enum_types"] + base["enum_types"]
    names = {n for n in {*wrapped, *present} if not UNUSED_QT_CLASS.search(n) and n != "Qt"}
    return {name: qt_class(name, present.get(name, {}), wrapped.get(name, {})) for name in sorted(names)}


def qt_namespace(qt6: Facts, qt5: Facts) -> Facts:
    """The values and enum names of ``qt.Qt``."""
    enums5, enums6 = qt5["classes"]["Qt"]["enums"], qt6["Qt_namespace_enums"]
    values5 = {value for values in enums5.values() for value in values} | set(enums5)
    values6 = {value for values in enums6.values() for value in values} | set(enums6)
    return by_version(values5, values6)


def python_class(facts: Facts) -> Facts:
    """One Python class: bases, public methods with signatures, attributes."""
    methods = {n: m["sig"] for n, m in facts["methods"].items() if not n.startswith("_") or n == "__init__"}
    attributes = [name for name in facts.get("attributes", []) if not name.startswith("_")]
    return {"bases": facts["bases"], "methods": methods, "attributes": attributes}


def python_modules(source: Facts) -> Facts:
    """Public functions and classes of the Python modules that scripted modules import."""
    modules = {name: module for name, module in source["modules"].items() if PYTHON_MODULES.search(name)}
    return {
        name: {
            "functions": {n: sig for n, sig in module["functions"].items() if not n.startswith("_")},
            "classes": {n: python_class(c) for n, c in module["classes"].items() if not n.startswith("_")},
        }
        for name, module in modules.items()
    }


def module_names(source: Facts) -> list[str]:
    """Attributes of ``slicer.modules`` that Slicer's own scripted code uses."""
    return sorted(source["names_used_in_slicer_scripted_code"]["slicer.modules"]["uses"])


def write(name: str, facts: Facts) -> None:
    """One class or module a line, so that a change of facts can be read in a diff."""
    lines = []
    for section, content in facts.items():
        if isinstance(content, dict) and section not in ("sources", "qt_namespace"):
            rows = (f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in content.items())
            lines.append(f"{json.dumps(section)}: {{\n" + ",\n".join(rows) + "\n}")
        else:
            lines.append(f"{json.dumps(section)}: {json.dumps(content)}")
    (OUTPUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(folder: Path) -> None:
    """Reads the four fact files of the folder and writes the project's subset.

    :raises OSError: if a fact file is missing
    """
    stems = ("slicer_gui_api", "qt_base_api", "qt515_pythonqt_api", "slicer_python_api")
    gui, qt6, qt5, python = (json.loads((folder / f"{s}.json").read_text("utf-8")) for s in stems)
    sources = {key: {k: v for k, v in value.items() if k != "note"} for key, value in gui["sources"].items()}
    OUTPUT.mkdir(exist_ok=True)
    write("gui.json", {"sources": sources, "classes": gui_classes(gui)})
    qt_sources = {"qt6": qt6["source"], "qt5": qt5["source"]}
    write("qt.json", {"sources": qt_sources, "qt_namespace": qt_namespace(qt6, qt5), "classes": qt_classes(qt6, qt5)})
    attributes = {"slicer_attributes": SLICER_ATTRIBUTES, "slicer_modules": module_names(python)}
    write("python.json", {"sources": python["source"], **attributes, "modules": python_modules(python)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
