"""Objects as PythonQt shows them: a Python wrapper around a Qt object, with PythonQt's order of name resolution.

Reading: Python-level attributes of derived classes, then Qt property, method, signal and enum of the class,
dynamic property, PythonQt's own methods, child by object name. Writing: writable properties and existing dynamic
properties; everything else is an AttributeError, except on a class derived in Python.
"""

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakValueDictionary

import shiboken6
from PySide6 import QtCore

from Testing.Harness import facts
from Testing.Harness.pythonqt import connections, registry

OPERATORS = [
    "add",
    "sub",
    "mul",
    "truediv",
    "or",
    "and",
    "xor",
    "neg",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "iter",
    "getitem",
    "contains",
    "int",
]
_wrappers: "WeakValueDictionary[int, PythonQtObject]" = WeakValueDictionary()


class PythonQtClass(type):
    """Class of the wrapper classes: static methods and enums are found on the class."""

    pythonqt_name: str

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or "pythonqt_name" not in dir(cls):
            raise AttributeError(name)
        found = facts.class_member(cls.pythonqt_name, name)
        if found is None or not found.versions >= facts.BOTH:
            raise AttributeError(f"type object '{cls.pythonqt_name}' has no attribute '{name}'")
        return _class_attribute(cls.pythonqt_name, found, facts.PYTHON_KEYWORD_METHODS.get(name, name))


class PythonQtObject(metaclass=PythonQtClass):
    """A Qt object or value in Python; the class attribute names the Qt class."""

    pythonqt_name = ""
    _cpp: Any

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        name = type(self).pythonqt_name
        if keywords:
            raise TypeError(f"{name}: PythonQt takes no keyword arguments ({', '.join(keywords)})")
        if not facts.is_constructible(name):
            raise TypeError(f"{name} cannot be constructed from Python")
        object.__setattr__(self, "_cpp", construct(name, arguments))
        _remember(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return read(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        write(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PythonQtObject):
            return bool(self._cpp == other)
        return self._cpp is other._cpp or bool(self._cpp == other._cpp)

    def __hash__(self) -> int:
        return hash(self._cpp)

    def __bool__(self) -> bool:
        return not isinstance(self._cpp, QtCore.QObject) or bool(shiboken6.isValid(self._cpp))

    def __repr__(self) -> str:
        return f"{type(self).pythonqt_name} ({self._cpp!r})"

    def __dir__(self) -> list[str]:
        return sorted(n for c in facts.chain(type(self).pythonqt_name) for n in registry.fact_names(c))


def _operator(name: str) -> Callable[..., Any]:
    def apply(self: PythonQtObject, *others: Any) -> Any:
        return wrap(getattr(self._cpp, name)(*(unwrap(o) for o in others)))

    return apply


for _name in OPERATORS:
    setattr(PythonQtObject, f"__{_name}__", _operator(f"__{_name}__"))


def construct(name: str, arguments: tuple[Any, ...]) -> Any:
    """A new Qt object of the class.

    :raises ValueError: if the arguments fit no constructor
    """
    try:
        return registry.implementation(name)(*(unwrap(a) for a in arguments))
    except TypeError as error:
        raise ValueError(f"Could not find matching overload for {name}{arguments!r}: {error}") from error


def wrapper_class(name: str) -> type[PythonQtObject]:
    """The wrapper class of a Qt, CTK or Slicer class, derived from the wrapper of its first known base.

    :raises AttributeError: if Slicer has no such class in both Qt versions
    """
    if name not in registry.CLASSES:
        if not facts.class_versions(name) >= facts.BOTH:
            raise AttributeError(f"no such class in Slicer: {name}")
        bases = [b for b in facts.chain(name)[1:] if facts.class_versions(b) >= facts.BOTH]
        parent = wrapper_class(bases[0]) if bases else PythonQtObject
        registry.CLASSES[name] = PythonQtClass(name, (parent,), {"pythonqt_name": name, "__module__": "PythonQt"})
    found: type[PythonQtObject] = registry.CLASSES[name]
    return found


def wrap(value: Any) -> Any:
    """What Python gets for a value that Qt returned: objects wrapped, lists as tuples."""
    if isinstance(value, (list, tuple)):
        return tuple(wrap(v) for v in value)
    if not isinstance(value, shiboken6.Object):
        return value
    known = _wrappers.get(_key(value))
    if known is not None and known._cpp is value:
        return known
    name = registry.class_name_of(type(value))
    if name is None:
        return value
    cls = wrapper_class(name)
    made = cls.__new__(cls)
    object.__setattr__(made, "_cpp", value)
    _remember(made)
    return made


def unwrap(value: Any) -> Any:
    """What Qt gets for a Python argument.

    :raises ValueError: for a numpy scalar, which PythonQt does not convert
    """
    if isinstance(value, PythonQtObject):
        return value._cpp
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(v) for v in value)
    if isinstance(value, (FunctionType, MethodType)):
        return connections.guarded(value)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        raise ValueError(f"PythonQt does not take a numpy {type(value).__name__}: use int() or float()")
    return value


def _key(cpp: Any) -> int:
    return int(shiboken6.getCppPointer(cpp)[0]) if shiboken6.isValid(cpp) else id(cpp)


def _remember(wrapper: PythonQtObject) -> None:
    if isinstance(wrapper._cpp, QtCore.QObject):
        _wrappers[_key(wrapper._cpp)] = wrapper


def read(wrapper: PythonQtObject, name: str) -> Any:
    """The value of an attribute, in PythonQt's order.

    :raises AttributeError: if there is no such name
    :raises ValueError: if the Qt object was deleted
    """
    class_name, cpp = type(wrapper).pythonqt_name, wrapper._cpp
    if not wrapper:
        raise ValueError(f"Trying to read '{name}' from a destroyed {class_name} object")
    found = facts.member(class_name, name)
    if found is not None and found.versions >= facts.BOTH:
        return _member_value(wrapper, found, facts.PYTHON_KEYWORD_METHODS.get(name, name))
    if isinstance(cpp, QtCore.QObject):
        if name.encode() in [bytes(n.data()) for n in cpp.dynamicPropertyNames()]:
            return wrap(cpp.property(name))
        child = next((c for c in cpp.children() if c.objectName() == name), None)
        if child is not None:
            return wrap(child)
    raise AttributeError(f"{class_name} has no attribute named '{name}'")


def _member_value(wrapper: PythonQtObject, found: facts.Member, name: str) -> Any:
    if found.kind == "property":
        return wrap(registry.property_value(wrapper._cpp, name))
    if found.kind == "signal":
        return connections.Signal(wrapper, name)
    if found.kind == "enum":
        return registry.enum_value(found.owner, name)
    own = getattr(connections, f"pythonqt_{name}", None) or OWN_METHODS.get(name)
    if own is not None:
        return lambda *arguments: own(wrapper, *arguments)
    return _method(f"{type(wrapper).pythonqt_name}.{name}", registry.method(wrapper._cpp, found, name))


def _method(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        if keywords:
            raise TypeError(f"{label}: PythonQt takes no keyword arguments ({', '.join(keywords)})")
        values = [unwrap(a) for a in arguments]
        try:
            return wrap(function(*values))
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                raise ValueError(f"Called {label} with wrong arguments {arguments!r}: {error}") from error
            raise

    return call


def _class_attribute(class_name: str, found: facts.Member, name: str) -> Any:
    if found.kind == "enum":
        return registry.enum_value(found.owner, name)
    return _method(f"{class_name}.{name}", getattr(registry.implementation(class_name), name))


def write(wrapper: PythonQtObject, name: str, value: Any) -> None:
    """Sets a writable property or an existing dynamic property.

    :raises AttributeError: for every other name, or a value of a wrong type
    """
    class_name, cpp = type(wrapper).pythonqt_name, wrapper._cpp
    found = facts.member(class_name, name)
    if found is not None and found.versions >= facts.BOTH:
        _write_member(wrapper, found, name, value)
        return
    if isinstance(cpp, QtCore.QObject) and name.encode() in [bytes(n.data()) for n in cpp.dynamicPropertyNames()]:
        cpp.setProperty(name, unwrap(value))
    elif type(wrapper) is not registry.CLASSES.get(class_name):
        object.__setattr__(wrapper, name, value)
    else:
        message = f"'{name}' does not exist on {class_name} and creating new attributes on C++ objects is not allowed"
        raise AttributeError(message)


def _write_member(wrapper: PythonQtObject, found: facts.Member, name: str, value: Any) -> None:
    class_name = type(wrapper).pythonqt_name
    if found.kind != "property":
        raise AttributeError(f"{found.kind} '{name}' can not be overwritten on {class_name} object")
    if not found.writable:
        raise AttributeError(f"Property '{name}' of {class_name} object is not writable")
    if not registry.set_property(wrapper._cpp, found, name, unwrap(value)):
        kind = type(value).__name__
        text = f"Property '{name}' of type '{found.type}' does not accept an object of type {kind} ({value!r})"
        raise AttributeError(text)


def _find_children(wrapper: PythonQtObject, kind: Any = None, name: str | None = None) -> tuple[PythonQtObject, ...]:
    """All descendants of a class, given as a class or by its name, and of an object name."""
    class_name = kind if isinstance(kind, str) else getattr(kind, "pythonqt_name", "QObject")
    found = (wrap(child) for child in wrapper._cpp.findChildren(QtCore.QObject))
    return tuple(
        child
        for child in found
        if isinstance(child, PythonQtObject)
        and class_name in facts.chain(type(child).pythonqt_name)
        and (name is None or child.objectName == name)
    )


OWN_METHODS: dict[str, Callable[..., Any]] = {
    "className": lambda wrapper: type(wrapper).pythonqt_name,
    "delete": lambda wrapper: shiboken6.delete(wrapper._cpp),
    "help": lambda wrapper: None,
    "findChildren": _find_children,
    "findChild": lambda wrapper, *a: next(iter(_find_children(wrapper, *a)), None),
    "inherits": lambda wrapper, name: name in facts.chain(type(wrapper).pythonqt_name),
    "setProperty": lambda wrapper, name, value: wrapper._cpp.setProperty(name, unwrap(value)),
    "property": lambda wrapper, name: wrap(registry.property_value(wrapper._cpp, name)),
}
"""What PythonQt itself gives every QObject."""
