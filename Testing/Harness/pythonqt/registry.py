"""Which Qt class stands behind each class name, and access to its members by name."""

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from PySide6 import QtCore, QtGui, QtNetwork, QtWidgets

from Testing.Harness import facts

QT_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork)
CLASSES: dict[str, Any] = {}
"""Wrapper classes made so far."""
WRITTEN: dict[str, type] = {}
"""Classes with real behaviour, by the name of the class they stand for."""
IMPLEMENTATIONS: dict[str, type] = {}
"""What stands behind each name: a written class completed by the facts, or one made from the facts alone."""
STUB_CALLS: list[tuple[str, str, tuple[Any, ...]]] = []
"""Calls of methods that have no behaviour here: class, method, arguments."""
_NUMBERS = ("int", "double", "float", "qlonglong", "uint")


T = TypeVar("T", bound=type)


def implements(name: str) -> Callable[[T], T]:
    """Class decorator: the class stands for the Qt, Slicer or CTK class of this name."""

    def register(cls: T) -> T:
        assert facts.is_known(name), name
        (WRITTEN if name in facts.gui() else IMPLEMENTATIONS)[name] = cls
        return cls

    return register


def implementation(name: str) -> Any:
    """The Qt class behind a name: Qt's own, a written stand-in, or one without behaviour.

    :raises AttributeError: if no class stands behind the name
    """
    if name in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[name]
    if name in facts.gui():
        from Testing.Harness.pythonqt.stubs import make_stub

        IMPLEMENTATIONS[name] = make_stub(name, WRITTEN.get(name))
        return IMPLEMENTATIONS[name]
    for module in QT_MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"nothing stands behind {name}")


def class_name_of(cls: type) -> str | None:
    """The nearest known class name of a Qt class; None for classes Slicer does not know."""
    names = {implemented: name for name, implemented in IMPLEMENTATIONS.items()}
    for base in cls.__mro__:
        if base in names:
            return names[base]
        if base.__module__.startswith("PySide6") and facts.class_versions(base.__name__) >= facts.BOTH:
            return base.__name__
    return None


@cache
def fact_names(name: str) -> frozenset[str]:
    """All names of a class's own members, for ``dir``."""
    own = facts.gui().get(name) or facts.qt().get(name) or {}
    names = {*own.get("properties", {}), *(s.split("(")[0] for s in own.get("signals", []))}
    methods = own.get("methods", {})
    return frozenset(names | (set(methods) if name in facts.gui() else set(methods.get("both", "").split())))


def property_value(cpp: Any, name: str) -> Any:
    """The value of a Qt property; ``name`` is PythonQt's other word for ``objectName``."""
    if name == "buddy":
        return cpp.buddy()
    return cpp.property("objectName" if name == "name" else name)


def set_property(cpp: Any, found: facts.Member, name: str, value: Any) -> bool:
    """Writes a Qt property; False if it does not take such a value."""
    name = "objectName" if name == "name" else name
    if found.type == "QString" and not isinstance(value, str):
        return False
    if found.type in _NUMBERS and not isinstance(value, (int, float)):
        return False
    setter = getattr(cpp, f"set{name[0].upper()}{name[1:]}", None)
    if setter is not None and (isinstance(value, Enum) or name == "buddy"):
        return _called(setter, value)
    return bool(cpp.setProperty(name, value)) or _called(setter, value)


def _called(setter: Callable[[Any], Any] | None, value: Any) -> bool:
    if setter is None:
        return False
    try:
        setter(value)
    except TypeError:
        return False
    return True


def method(cpp: Any, found: facts.Member, name: str) -> Callable[..., Any]:
    """The bound method; where nothing stands behind it, a property's getter or setter, else a recorded no-op."""
    real = getattr(cpp, name, None)
    if callable(real):
        return real  # type: ignore[no-any-return]  # Qt's own method
    for owner in facts.chain(found.owner):
        for attribute, (_type, getter, setter, _notify) in facts.gui().get(owner, {}).get("properties", {}).items():
            if name == setter:
                return lambda value: cpp.setProperty(attribute, value)
            if name == getter:
                return lambda: cpp.property(attribute)
    return _without_behaviour(class_name_of(type(cpp)) or "", name)


def _without_behaviour(class_name: str, name: str) -> Callable[..., None]:
    def call(*arguments: Any) -> None:
        STUB_CALLS.append((class_name, name, arguments))

    return call


@cache
def enum_value(owner: str, name: str) -> Any:
    """A value of an enum, or the enum itself; a Slicer or CTK enum without a stand-in gets numbers from zero."""
    implemented = implementation(owner)
    if owner not in facts.gui() or hasattr(implemented, name):
        return getattr(implemented, name)
    for enum_name, values in facts.gui()[owner]["enums"].items():
        if name == enum_name or name in values:
            made = Enum(enum_name, values, start=0)  # type: ignore[misc]  # names come from the facts
            return made if name == enum_name else made[name].value
    raise AttributeError(name)


def signal_instance(cpp: Any, signature: str) -> Any:
    """The PySide signal of a normalized signature; overloads of a stand-in may have names of their own."""
    attribute = getattr(type(cpp), "pythonqt_signals", {}).get(signature)
    if attribute is not None:
        return getattr(cpp, attribute)
    name, _, arguments = signature.partition("(")
    signal = getattr(cpp, name)
    meta = cpp.metaObject()
    methods = (meta.method(i) for i in range(meta.methodCount()))
    counts = [m.parameterCount() for m in methods if m.name() == name and m.methodType() == m.MethodType.Signal]
    wanted = 0 if arguments == ")" else arguments.count(",") + 1
    return signal[arguments[:-1]] if counts.count(wanted) > 1 else signal
