"""Signals as PythonQt connects them: by signature, False for a wrong one, and only as many arguments as are taken."""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import shiboken6

from Testing.Harness import facts
from Testing.Harness.pythonqt import registry
from Testing.Harness.pythonqt.log import record

if TYPE_CHECKING:
    from Testing.Harness.pythonqt.objects import PythonQtObject

VARIADIC = 1 << 30


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection made from Python, kept until it is undone or its sender is deleted."""

    signature: str
    target: Callable[..., Any]
    relay: Callable[..., None]
    signal: Any


_connections: dict[int, list[Connection]] = {}


class Signal:
    """A signal of an object, for ``object.signal.connect(function)``."""

    def __init__(self, wrapper: "PythonQtObject", name: str) -> None:
        self.wrapper = wrapper
        self.signatures = [s for s in facts.signals(type(wrapper).pythonqt_name) if s.split("(")[0] == name]

    def _signature(self) -> str:
        return max(self.signatures, key=lambda s: (s.count(","), len(s)))

    def connect(self, function: Callable[..., Any]) -> bool:
        """Connects the overload with most arguments; the function gets as many as it takes."""
        return pythonqt_connect(self.wrapper, self._signature(), function)

    def disconnect(self, function: Callable[..., Any] | None = None) -> bool:
        """Undoes the connection to the function, or all of this signal's."""
        done = [pythonqt_disconnect(self.wrapper, s, *([function] if function else [])) for s in self.signatures]
        return any(done)

    def emit(self, *arguments: Any) -> None:
        """Emits the signal."""
        from Testing.Harness.pythonqt.objects import unwrap

        registry.signal_instance(self.wrapper._cpp, self._signature()).emit(*(unwrap(a) for a in arguments))

    __call__ = emit


def pythonqt_connect(wrapper: "PythonQtObject", signal: str, *target: Any) -> bool:
    """Connects to a function, or to a receiver and the signature of its slot; False and a log entry if wrong."""
    class_name = type(wrapper).pythonqt_name
    signature = facts.normalized(signal)
    if signature not in facts.signals(class_name):
        record(f"QObject::connect: no such signal {class_name}::{signal}")
        return False
    function = _target(*target)
    if function is None:
        record(f"QObject::connect: no such slot {target!r}")
        return False
    _connect(wrapper._cpp, signature, function)
    return True


def _target(receiver: Any, slot: str | None = None) -> Callable[..., Any] | None:
    found = receiver if slot is None else getattr(receiver, slot.split("(")[0], None)
    return found if callable(found) else None


def _connect(cpp: Any, signature: str, function: Callable[..., Any]) -> None:
    from Testing.Harness.pythonqt.objects import wrap

    offered = 0 if signature.endswith("()") else signature.count(",") + 1
    taken = min(offered, accepted_arguments(function))

    run = guarded(function)

    def relay(*arguments: Any) -> None:
        run(*(wrap(a) for a in arguments[:taken]))

    instance = registry.signal_instance(cpp, signature)
    instance.connect(relay)
    _kept(cpp).append(Connection(signature, function, relay, instance))


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as Qt calls it: its exceptions go to the strict log."""

    def run(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception:  # noqa: BLE001 - Qt's loop is the outer boundary: PythonQt prints the error and goes on
            record(traceback.format_exc())
            return None

    return run


def _kept(cpp: Any) -> list[Connection]:
    key = int(shiboken6.getCppPointer(cpp)[0])
    if key not in _connections:
        _connections[key] = []
        cpp.destroyed.connect(lambda: _connections.pop(key, None))
    return _connections[key]


def pythonqt_disconnect(wrapper: "PythonQtObject", signal: str, *target: Any) -> bool:
    """Undoes the connections to the target, or all of the signal; False and a log entry for a wrong signature."""
    signature = facts.normalized(signal)
    if signature not in facts.signals(type(wrapper).pythonqt_name):
        record(f"QObject::disconnect: no such signal {type(wrapper).pythonqt_name}::{signal}")
        return False
    kept = _kept(wrapper._cpp)
    function = _target(*target) if target else None
    gone = [c for c in kept if c.signature == signature and function in (None, c.target)]
    for connection in gone:
        connection.signal.disconnect(connection.relay)
        kept.remove(connection)
    return bool(gone)


def accepted_arguments(function: Callable[..., Any]) -> int:
    """How many positional arguments the function takes at most."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return VARIADIC
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return VARIADIC
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
