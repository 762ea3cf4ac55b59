"""Parts of a bundle's inference configuration, made by MONAI's own ConfigParser; the bundle stays the source of truth.

Only what a network needs to run is ever made: its definition, the preprocessing, the inferer. Datasets, loaders,
evaluators, handlers and savers of a configuration are left alone, and with them their folders and downloads.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from monai.bundle import ConfigParser

from slicermedai.bundles.manifest import Manifest
from slicermedai.errors import BundleError

_FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ImportError,
    OSError,
    IndexError,
    SyntaxError,
)


_ABSENT = re.compile("Cannot locate class or function path: '([^']+)'")


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
        raise BundleError(
            f"cannot be made from the configuration ({type(error).__name__}: {error})", file=file, attribute=name
        ) from error
