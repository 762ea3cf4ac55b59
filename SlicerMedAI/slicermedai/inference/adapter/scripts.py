"""The surroundings in which a bundle's own code runs: its folder, old names of numpy, its architecture files.

All of it is put back afterwards. Every bundle calls its package ``scripts``: two of them in one process would take
each other's place, so a process runs one bundle with code.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slicermedai.inference.adapter.report import Ledger

_RENAMED: dict[str, Any] = {
    "product": np.prod,
    "cumproduct": np.cumprod,
    "sometrue": np.any,
    "alltrue": np.all,
    "float": float,
    "int": int,
    "bool": np.bool_,
    "float_": np.float64,
}


@contextlib.contextmanager
def surroundings(folder: Path, ledger: Ledger) -> Iterator[None]:
    """Within the block ``scripts`` of the bundle in ``folder`` can be imported, and its arrays can be loaded."""
    before, names = list(sys.path), {name for name in sys.modules if _is_scripts(name)}
    compiled = sys.pycache_prefix
    has_scripts = (folder / "scripts").is_dir()
    added = _add_old_names(folder, ledger) if has_scripts else []
    if has_scripts:
        sys.path.insert(0, str(folder))
        ledger.did("scripts", "the bundle's own package scripts is imported from its folder")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="medai-scripts-") as scratch,
            warnings.catch_warnings(),
            torch.serialization.safe_globals(_ARRAYS),
        ):
            sys.pycache_prefix = scratch  # compiled code beside the sources was hashed by nobody
            yield
    finally:
        sys.path[:] = before
        sys.pycache_prefix = compiled
        for name in [name for name in sys.modules if _is_scripts(name) and name not in names]:
            del sys.modules[name]
        for name in added:
            delattr(np, name)


def _is_scripts(name: str) -> bool:
    return name == "scripts" or name.startswith("scripts.")


def _add_old_names(folder: Path, ledger: Ledger) -> list[str]:
    text = "\n".join(path.read_text("utf-8", errors="replace") for path in sorted(folder.glob("scripts/**/*.py")))
    wanted = [n for n in _RENAMED if not hasattr(np, n) and (f"np.{n}(" in text or f"numpy.{n}(" in text)]
    for name in wanted:
        setattr(np, name, _RENAMED[name])
        ledger.did("old names", f"numpy.{name}, which numpy 2 no longer has")
    return wanted


_ARRAYS: list[Any] = [
    *(getattr(importlib.import_module("numpy._core.multiarray"), name) for name in ("_reconstruct", "scalar")),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "?")),
]
"""numpy arrays inside a checkpoint: plain data, which ``torch.load(weights_only=True)`` must be told of."""
