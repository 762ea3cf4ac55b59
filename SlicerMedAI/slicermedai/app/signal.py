"""A signal without Qt: callables that are told when something happened."""

from __future__ import annotations

from collections.abc import Callable


class Signal:
    """Connect callables, emit to them in order; a callable connected twice is told once.

    Disconnecting while emitting is safe: who is disconnected during an emission may still be told that once.
    """

    def __init__(self) -> None:
        self._targets: list[Callable[..., object]] = []

    def connect(self, target: Callable[..., object]) -> None:
        """Tell ``target`` from now on."""
        if target not in self._targets:
            self._targets.append(target)

    def disconnect(self, target: Callable[..., object]) -> None:
        """Tell ``target`` no more; one that is not connected is ignored."""
        if target in self._targets:
            self._targets.remove(target)

    def silence(self) -> None:
        """Tell nobody any more."""
        self._targets.clear()

    def emit(self, *values: object) -> None:
        """Tell everybody."""
        for target in tuple(self._targets):
            target(*values)
