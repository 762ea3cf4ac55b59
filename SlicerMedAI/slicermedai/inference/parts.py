"""Parts of a bundle's inference configuration, made by MONAI's own ConfigParser; the bundle stays the source of truth.

Only what a network needs to run is ever made: its definition, the preprocessing, the inferer. Datasets, loaders,
evaluators, handlers and savers of a configuration are left alone, and with them their folders and downloads.
"""

from __future__ import annotations

import re
import warnings
from pydoc import ErrorDuringImport
from typing import Any

from monai.bundle import ConfigParser

from slicermedai.bundles.manifest import Manifest
from slicermedai.errors import BundleError

_FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    NameError,
    AttributeError,
    ImportError,
    ErrorDuringImport,
    OSError,
    SyntaxError,
    AssertionError,
    ArithmeticError,
)
"""What code of a bundle may raise while it is made."""


_ABSENT = re.compile("Cannot locate class or function path: '([^']+)'")
_NO_MODULE = re.compile(r"No module named '([\w.]+)")
_OURS = ("torchvision", "einops")
_INSTALL = "Install what MedAI needs: slicermedai packages install"


def parser_of(manifest: Manifest, config: dict[str, Any] | None = None) -> Any:
    """MONAI's parser over the configuration (or over ``config``), with the bundle's own folder as ``bundle_root``."""
    return ConfigParser({**(manifest.config if config is None else config), "bundle_root": manifest.ref.path})


def make_part(parser: Any, name: str, *, file: str) -> Any:
    """The object that the configuration describes under ``name``; raises :class:`BundleError`."""
    try:
        with warnings.catch_warnings():  # of MONAI to the bundle's author, about what will change
            warnings.simplefilter("ignore")
            return parser.get_parsed_content(name, instantiate=True)
    except _FAILURES as error:
        absent = _ABSENT.search(str(error))
        if absent is not None:
            raise BundleError(
                f"names {absent[1]}, which is neither in the bundle's folder nor installed",
                file=file,
                attribute=name,
                advice="Import the whole bundle, with its own code.",
            ) from error
        package = _lacking(error)
        if package:
            raise BundleError(
                f"needs the Python module {package}, which is neither in the bundle's folder nor installed",
                file=file,
                attribute=name,
                advice=_INSTALL if package in _OURS else "Import the whole bundle, and see which package has it.",
            ) from error
        raise BundleError(
            f"cannot be made from the configuration ({type(error).__name__}: {error})", file=file, attribute=name
        ) from error


def _lacking(error: BaseException | None) -> str:
    """The module whose absence is the cause of the error, "" where it is another one."""
    while error is not None:
        found = _NO_MODULE.search(str(error)) if isinstance(error, ImportError) else None
        if found is not None:
            top = found[1].partition(".")[0]
            return top if top in _OURS else found[1]
        error = error.__cause__ or error.__context__
    return ""
