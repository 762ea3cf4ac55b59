"""Stand-ins made from the facts: right names, types, bases and signals, with no behaviour but a written class's."""

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui

from Testing.Harness import facts
from Testing.Harness.pythonqt import registry

TYPES: dict[str, tuple[Any, Any]] = {
    "bool": (bool, False),
    "int": (int, 0),
    "double": (float, 0.0),
    "float": (float, 0.0),
    "QString": (str, ""),
    "QStringList": ("QStringList", []),
    "QColor": (QtGui.QColor, QtGui.QColor()),
    "QIcon": (QtGui.QIcon, QtGui.QIcon()),
}
"""Qt type -> (type for PySide, default value); every other type is a QVariant, which takes any Python object."""
SIGNAL_TYPES = {"bool": bool, "int": int, "double": float, "float": float, "QString": str}


def make_stub(name: str, written: type | None = None) -> type:
    """A Qt class for a Slicer or CTK class: its properties hold values and tell changes, its methods do nothing.

    A written class is completed: it keeps its behaviour, and what it leaves out is added.
    """
    base: Any = written or _base(name)
    own = facts.gui()[name]
    namespace: dict[str, Any] = {"__init__": _initializer(base)}
    namespace |= _signals([s for s in own.get("signals", []) if not _has_signal(name, base, s)], base)
    for attribute, (type_name, _getter, _setter, notifier) in own.get("properties", {}).items():
        if not _has_property(name, base, attribute):
            namespace[attribute] = stored_property(attribute, type_name, notifier)
    return type(name, (base,), namespace)


def _base(name: str) -> type:
    """The nearest base class that Qt or a stand-in has; QObject for a class that is none in C++."""
    for parent in facts.gui()[name].get("bases", []):
        if facts.is_known(parent):
            found: type = registry.implementation(parent)
            if issubclass(found, QtCore.QObject):
                return found
    return QtCore.QObject


def _initializer(base: type) -> Callable[..., None]:
    """Takes the constructor arguments of the nearest Qt base, or only a parent where those do not fit."""

    initializer: Callable[..., None] = base.__init__  # type: ignore[misc]  # the class's own, not an instance's

    def initialize(self: Any, *arguments: Any) -> None:
        initializer(self, *arguments)

    return initialize


def _signals(signatures: list[str], base: type) -> dict[str, Any]:
    """Qt signals for the signatures; further overloads of one name get a name of their own."""
    made: dict[str, Any] = {}
    aliases: dict[str, str] = dict(getattr(base, "pythonqt_signals", {}))
    for signature in map(facts.normalized, signatures):
        name, _, arguments = signature.partition("(")
        types = [SIGNAL_TYPES.get(t, object) for t in arguments[:-1].split(",") if t]
        attribute = name
        while attribute in made or hasattr(base, attribute):
            attribute += "_"
        made[attribute] = QtCore.Signal(*types)
        aliases[signature] = attribute
    return {**made, "pythonqt_signals": aliases}


def _has_signal(name: str, base: type, signature: str) -> bool:
    """Whether a Qt base class has this signal, or a written class one of this name."""
    in_qt = any(signature in map(facts.normalized, facts.qt()[c].get("signals", [])) for c in _qt_bases(name))
    return in_qt or any(isinstance(vars(c).get(signature.partition("(")[0]), QtCore.Signal) for c in base.__mro__)


def _has_property(name: str, base: type, attribute: str) -> bool:
    """Whether a Qt base class or a written class has the property."""
    in_qt = any(attribute in facts.qt()[c].get("properties", {}) for c in _qt_bases(name))
    return in_qt or any(isinstance(vars(c).get(attribute), QtCore.Property) for c in base.__mro__)


def _qt_bases(name: str) -> list[str]:
    return [c for c in facts.chain(name) if c in facts.qt()]


def stored_property(attribute: str, type_name: str, notifier: str) -> Any:
    """A Qt property that keeps its value, and emits its notifier, if it has one, when it changes.

    It is writable, as C++ code could change it; the wrapper refuses writes that the facts do not allow.
    """
    qt_type, default = TYPES.get(type_name, ("QVariant", None))
    key = f"_stored_{attribute}"

    def get(self: Any) -> Any:
        return self.__dict__.get(key, default)

    def put(self: Any, value: Any) -> None:
        changed = get(self) != value
        self.__dict__[key] = value
        if changed and notifier and hasattr(self, notifier):
            _emit(getattr(self, notifier), value)

    return QtCore.Property(qt_type, get, put)


def _emit(signal: Any, value: Any) -> None:
    """Emits with the new value, or without for a notifier that carries none."""
    try:
        signal.emit(value)
    except TypeError:
        signal.emit()
