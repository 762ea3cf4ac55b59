"""A module's panel as a person comes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from Testing.Harness import Harness, HarnessedModule


@contextmanager
def entered(harness: Harness, path: Path) -> Iterator[HarnessedModule]:
    """The module of the file ``path``, loaded, shown and entered; unloaded at the end."""
    loaded = harness.load_module(path)
    loaded.parent.show()
    loaded.enter()
    yield loaded
    loaded.close()
