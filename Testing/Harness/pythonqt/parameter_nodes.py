"""``slicer.parameterNodeWrapper``: typed parameters in a real scripted module node, bound to widgets.

The subset that the design allows: str, int, float, bool, Enum, MRML nodes and lists, with defaults and ranges.
Lists are kept as JSON, where Slicer has its own format, so that a scene with lists is not exchanged with Slicer.
"""

import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import slicer
import vtk

from Testing.Harness.pythonqt import gui_connectors, observers

PLAIN_TYPES = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Default:
    """The value a parameter has until it is set."""

    value: Any


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least value allowed."""

    minimum: float


@dataclass(frozen=True, slots=True)
class Maximum:
    """The largest value allowed."""

    maximum: float


@dataclass(frozen=True, slots=True)
class WithinRange:
    """The least and the largest value allowed."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The only values allowed."""

    choices: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, type, default and rules."""

    name: str
    type: Any
    default: Any
    annotations: tuple[Any, ...]

    def check(self, value: Any) -> None:
        """Refuses a value of another type or outside the rules.

        :raises ValueError: if it is refused
        """
        if value is None and _is_node(self.type):
            return
        expected = typing.get_origin(self.type) or self.type
        fits = isinstance(value, (int, float)) if expected is float else isinstance(value, expected)
        if not fits or (isinstance(value, bool) and expected is not bool):
            raise ValueError(f"{self.name}: {value!r} is not {self.type}")
        for rule in self.annotations:
            _check_rule(self.name, rule, value)


def _check_rule(name: str, rule: Any, value: Any) -> None:
    low, high = getattr(rule, "minimum", value), getattr(rule, "maximum", value)
    if isinstance(rule, (Minimum, Maximum, WithinRange)) and not low <= value <= high:
        raise ValueError(f"{name}: {value} is not within {low} and {high}")
    if isinstance(rule, Choice) and value not in rule.choices:
        raise ValueError(f"{name}: {value!r} is not one of {rule.choices}")


def _is_node(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def _optional_node(kind: Any) -> Any:
    """The node class of ``SomeNode | None``; every node parameter may be None."""
    choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
    return choices[0] if len(choices) == 1 and _is_node(choices[0]) and type(None) in typing.get_args(kind) else kind


def _parameter(cls: type, name: str, hint: Any) -> Parameter:
    kind, *annotations = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
    kind = _optional_node(kind)
    origin = typing.get_origin(kind)
    supported = (
        kind in PLAIN_TYPES or origin is list or _is_node(kind) or (isinstance(kind, type) and issubclass(kind, Enum))
    )
    if not supported:
        raise TypeError(f"{cls.__name__}.{name}: {kind} is not among the parameter types the project allows")
    given = [a.value for a in annotations if isinstance(a, Default)]
    default = getattr(cls, name) if hasattr(cls, name) else given[0] if given else _empty(kind)
    rules = tuple(a for a in annotations if not isinstance(a, Default))
    return Parameter(name, kind, default, rules)


def _empty(kind: Any) -> Any:
    if _is_node(kind):
        return None
    return (
        next(iter(kind)) if isinstance(kind, type) and issubclass(kind, Enum) else (typing.get_origin(kind) or kind)()
    )


def _write(node: Any, parameter: Parameter, value: Any) -> None:
    if _is_node(parameter.type):
        node.SetNodeReferenceID(parameter.name, value.GetID() if value is not None else None)
        text = ""
    elif isinstance(value, Enum):
        text = value.name
    else:
        text = json.dumps(list(value)) if isinstance(value, (list, tuple)) else str(value)
    node.SetParameter(parameter.name, text)


def _read(node: Any, parameter: Parameter) -> Any:
    if _is_node(parameter.type):
        return node.GetNodeReference(parameter.name)
    text, kind = node.GetParameter(parameter.name), parameter.type
    if kind is bool:
        return text == "True"
    if typing.get_origin(kind) is list:
        return json.loads(text)
    return kind[text] if issubclass(kind, Enum) else kind(text)


def _property(parameter: Parameter) -> property:
    def get(self: Any) -> Any:
        return _read(self.parameterNode, parameter)

    def put(self: Any, value: Any) -> None:
        parameter.check(value)
        with slicer.util.NodeModify(self.parameterNode):
            _write(self.parameterNode, parameter, value)

    return property(get, put)


class _Wrapper:
    """What the decorator adds to a class."""

    allParameters: dict[str, Parameter] = {}

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        if prefix:
            raise NotImplementedError("prefixes are not part of the allowed subset")
        self.parameterNode = parameterNode
        self._bindings: dict[int, tuple[dict[str, gui_connectors.Connector], int]] = {}
        self._updating = False
        for parameter in self.allParameters.values():
            known = parameter.name in parameterNode.GetParameterNames()
            if not known:
                _write(parameterNode, parameter, parameter.default)

    def __setattr__(self, name: str, value: Any) -> None:
        reserved = ("parameterNode", "_bindings", "_updating")
        if name not in self.allParameters and name not in reserved:
            raise AttributeError(f"{type(self).__name__} has no parameter {name}")
        object.__setattr__(self, name, value)

    def getValue(self, name: str) -> Any:
        """A parameter's value by name."""
        return getattr(self, name)

    def setValue(self, name: str, value: Any) -> None:
        """Sets a parameter by name."""
        setattr(self, name, value)

    def default(self, name: str) -> Default:
        """The parameter's default."""
        return Default(self.allParameters[name].default)

    def dataType(self, name: str) -> Any:
        """The parameter's type."""
        return self.allParameters[name].type

    def connectGui(self, gui: Any) -> int:
        """Binds every widget that has the dynamic property SlicerParameterName; the tag undoes it."""
        return self.connectParametersToGui(gui_connectors.bound_widgets(gui))

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Binds parameters to widgets by name, both ways.

        :raises ValueError: for an unknown parameter
        :raises RuntimeError: for a widget that cannot show the type
        """
        for name in mapping:
            if name not in self.allParameters:
                raise ValueError(f"Cannot find a param with the given name: {name}")
        connectors = {n: gui_connectors.connector(w, self.allParameters[n]) for n, w in mapping.items()}
        tag = max(self._bindings, default=0) + 1
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._update_gui())
        self._bindings[tag] = (connectors, observer)
        self._update_gui()
        for name, bound in connectors.items():
            bound.on_changed(self._taker(name, bound))
        return tag

    def _taker(self, name: str, bound: gui_connectors.Connector) -> Callable[[], None]:
        def take() -> None:
            if not self._updating:
                self.setValue(name, bound.read())

        return take

    def _update_gui(self) -> None:
        if self._updating:
            return
        object.__setattr__(self, "_updating", True)
        try:
            for connectors, _tag in self._bindings.values():
                for name, bound in connectors.items():
                    bound.write(self.getValue(name))
        finally:
            object.__setattr__(self, "_updating", False)

    def disconnectGui(self, tag: int | None) -> None:
        """Undoes a binding; an unknown tag is no error."""
        connectors, observer = self._bindings.pop(tag or 0, ({}, None))
        for bound in connectors.values():
            bound.disconnect()
        if observer is not None:
            self.RemoveObserver(observer)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        """Observes the node."""
        return observers.add(self.parameterNode, event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """Stops observing the node."""
        observers.remove(self.parameterNode, tag)

    def StartModify(self) -> Any:
        """Holds back the node's events."""
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying: Any) -> Any:
        """Sends the node's events."""
        return self.parameterNode.EndModify(was_modifying)

    def Modified(self) -> None:
        """Tells of a change."""
        self.parameterNode.Modified()


def parameterNodeWrapper(cls: type | None = None) -> Any:
    """Class decorator: the annotated names become typed parameters of a scripted module node.

    :raises TypeError: for a type outside the allowed subset
    """
    if cls is None:
        return parameterNodeWrapper
    parameters = {n: _parameter(cls, n, hint) for n, hint in typing.get_type_hints(cls, include_extras=True).items()}
    own = {n: v for n, v in vars(cls).items() if n not in ("__dict__", "__weakref__", "__init__")}
    properties = {name: _property(p) for name, p in parameters.items()}
    return type(cls.__name__, (_Wrapper,), {**own, **properties, "allParameters": parameters})
