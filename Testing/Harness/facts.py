"""What Slicer's Python really offers: classes, members, signals and functions, from ``api_facts/*.json``."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Kind = Literal["property", "method", "signal", "enum"]
Versions = frozenset[str]

FOLDER = Path(__file__).parent / "api_facts"
BOTH: Versions = frozenset({"qt5", "qt6"})
QOBJECT_METHODS = frozenset(
    [
        "className",
        "connect",
        "delete",
        "disconnect",
        "findChild",
        "findChildren",
        "help",
        "inherits",
        "metaObject",
        "parent",
        "property",
        "setParent",
        "setProperty",
        "tr",
    ]
)
"""What PythonQt itself adds to every QObject."""
ADDED_METHODS = {
    "QObject": QOBJECT_METHODS,
    "QWidget": frozenset({"layout", "parentWidget"}),
    "QLabel": frozenset({"clear"}),
}
PYTHON_KEYWORD_METHODS = {"exec_": "exec", "raise_": "raise", "print_": "print", "from_": "from"}
"""PythonQt offers a method named like a Python keyword with an underscore behind it."""
NOT_IN_THE_NAMESPACE = ("Signal", "Slot", "Property")


@dataclass(frozen=True, slots=True)
class Member:
    """One name of a class, as PythonQt resolves it."""

    kind: Kind
    owner: str
    type: str = ""
    writable: bool = False
    setter: str = ""
    overloads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    versions: Versions = BOTH


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


@cache
def gui() -> dict[str, Any]:
    """Slicer's and CTK's classes."""
    classes: dict[str, Any] = _load("gui.json")["classes"]
    return classes


@cache
def _qt_file() -> dict[str, Any]:
    return _load("qt.json")


@cache
def python() -> dict[str, Any]:
    """Slicer's Python modules, the attributes of ``slicer`` and of ``slicer.modules``."""
    return _load("python.json")


def qt() -> dict[str, Any]:
    """Qt's classes, in both versions."""
    classes: dict[str, Any] = _qt_file()["classes"]
    return classes


def is_known(name: str) -> bool:
    """Whether the class is among the facts."""
    return name in gui() or name in qt()


@cache
def chain(name: str) -> tuple[str, ...]:
    """The class and its bases, nearest first; unknown bases are listed too."""
    found = [name]
    for base in (gui().get(name) or qt().get(name) or {}).get("bases", []):
        found += [c for c in chain(base) if c not in found]
    return tuple(found)


def is_complete(name: str) -> bool:
    """Whether every base class is known, so that a missing name is really missing."""
    return all(is_known(c) for c in chain(name))


@cache
def _names(owner: str, section: str) -> dict[str, Versions]:
    """Names of a Qt class's methods or enums with the Qt versions that have them."""
    lists = qt().get(owner, {}).get(section, {})
    return _versions_of(lists)


def _versions_of(lists: dict[str, str]) -> dict[str, Versions]:
    known = {"both": BOTH, "qt5": frozenset({"qt5"}), "qt6": frozenset({"qt6"})}
    return {name: known[key] for key, names in lists.items() for name in names.split()}


@cache
def namespace() -> dict[str, Versions]:
    """The names of ``qt.Qt`` with the Qt versions that have them."""
    return _versions_of(_qt_file()["qt_namespace"])


def class_versions(name: str) -> Versions:
    """The Qt versions that have the class; Slicer's and CTK's classes are in both."""
    return BOTH if name in gui() else frozenset(qt().get(name, {}).get("versions", []))


def normalized(signature: str) -> str:
    """A signal's signature as Qt's meta-object spells it: no spaces, no ``const T &``."""
    plain = re.sub(r"\bconst\s+", "", signature)
    return re.sub(r"\s*([*&,()])\s*", r"\1", plain).replace("&", "").strip()


@cache
def signals(name: str) -> frozenset[str]:
    """Normalized signatures of all signals, inherited ones too."""
    found = {normalized(s) for c in chain(name) for s in (gui().get(c) or qt().get(c) or {}).get("signals", [])}
    return frozenset(found)


def _property(owner: str, name: str) -> Member | None:
    if owner in gui():
        facts = gui()[owner].get("properties", {}).get(name)
        return facts and Member("property", owner, facts[0], bool(facts[2]), facts[2])
    facts = qt().get(owner, {}).get("properties", {}).get(name)
    if facts is None:
        return None
    versions = frozenset({"qt6"}) if len(facts) > 2 else BOTH
    return Member("property", owner, facts[0], facts[1], versions=versions)


def _gui_member(owner: str, name: str) -> Member | None:
    facts = gui()[owner]
    if name in facts.get("methods", {}):
        overloads = tuple((returned, tuple(arguments)) for returned, arguments in facts["methods"][name])
        return Member("method", owner, overloads=overloads)
    if any(s.split("(")[0] == name for s in facts.get("signals", [])):
        return Member("signal", owner)
    if any(name == enum or name in values for enum, values in facts.get("enums", {}).items()):
        return Member("enum", owner)
    return None


def _qt_member(owner: str, name: str) -> Member | None:
    if any(s.split("(")[0] == name for s in qt()[owner].get("signals", [])):
        return Member("signal", owner)
    if name in _names(owner, "methods"):
        return Member("method", owner, versions=_names(owner, "methods")[name])
    if name in _names(owner, "enums"):
        return Member("enum", owner, versions=_names(owner, "enums")[name])
    return None


def _added(owner: str, name: str) -> Member | None:
    if owner == "QObject" and name == "name":
        return Member("property", owner, "QString", writable=True)
    if owner == "QLabel" and name == "buddy":
        return Member("property", owner, "QWidget*", writable=True)
    return Member("method", owner) if name in ADDED_METHODS.get(owner, ()) else None


@cache
def member(name: str, attribute: str) -> Member | None:
    """How PythonQt resolves the attribute: properties of the whole chain first, then methods, signals, enums.

    A name that only an overriding class has in one Qt version, but a base class has in both, is in both.
    """
    attribute = PYTHON_KEYWORD_METHODS.get(attribute, attribute)
    for owner in chain(name):
        if found := _property(owner, attribute):
            return found
    candidates = [m for owner in chain(name) for m in _candidates(owner, attribute)]
    return max(candidates, key=lambda m: len(m.versions), default=None)


@cache
def class_member(name: str, attribute: str) -> Member | None:
    """What the attribute is on the class itself: a method or an enum, never a property (``qt.QTimer.singleShot``)."""
    attribute = PYTHON_KEYWORD_METHODS.get(attribute, attribute)
    candidates = [m for owner in chain(name) for m in _candidates(owner, attribute) if m.kind in ("method", "enum")]
    return max(candidates, key=lambda m: len(m.versions), default=None)


def _candidates(owner: str, attribute: str) -> list[Member]:
    lookup = _gui_member if owner in gui() else _qt_member
    found = [_added(owner, attribute), lookup(owner, attribute) if is_known(owner) else None]
    return [m for m in found if m is not None]


def is_constructible(name: str) -> bool:
    """Whether Python may make an instance; abstract classes and ones without a (parent) constructor may not."""
    return bool(gui()[name]["constructible"]) if name in gui() else True
