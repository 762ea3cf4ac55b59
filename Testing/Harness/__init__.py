"""Runs and checks Slicer's scripted modules without Slicer: see README.md for what each layer proves."""

from typing import Any

__all__ = ["Harness", "HarnessedModule", "install"]


def __getattr__(name: str) -> Any:
    """The harness is imported on first use: the static check needs neither Qt nor slicer-core."""
    if name not in __all__:
        raise AttributeError(name)
    from Testing.Harness import harness

    return getattr(harness, name)
