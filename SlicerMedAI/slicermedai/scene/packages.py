"""What Slicer itself does with Python packages: its PyTorch extension, and installations that are going on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def torch_extension() -> Callable[[str], object] | None:
    """Installs PyTorch of the given versions (">=2.8") by Slicer's PyTorch extension; None where it is not installed.

    It finds the build that fits by itself. The call BLOCKS the window until PyTorch is there, and raises what it likes.
    """
    if not hasattr(_slicer("modules"), "pytorchutils"):
        return None

    def install(versions: str) -> object:
        import PyTorchUtils  # type: ignore[import-not-found]  # it lies in that extension

        return PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=versions)

    return install


def is_installing() -> bool:
    """Whether Slicer or another extension is installing packages now, as far as Slicer knows."""
    asked = getattr(_slicer("packaging"), "isPipInstallInProgress", None)
    return bool(asked()) if asked is not None else False


def _slicer(name: str) -> Any:
    """Something of Slicer; None outside of it."""
    return getattr(sys.modules.get("slicer"), name, None)
