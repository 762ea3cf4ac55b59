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


def at_rest(medai: HarnessedModule) -> bool:
    """True where no run of the module MedAI goes on, and the results of all that ended are in the scene."""
    logic = medai.widget.logic
    return not (logic.presenter.busy or logic.showing.busy)
