"""Work in pieces: generators that yield between steps of some milliseconds, for whoever has a moment at a time."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

PIECE = 1 << 22
"""Bytes that are read, hashed or copied at once: a few milliseconds."""
_T = TypeVar("_T")


def finished(steps: Generator[object, None, _T]) -> _T:
    """What ``steps`` return, for whoever can wait for all of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: _T = end.value
            return made
