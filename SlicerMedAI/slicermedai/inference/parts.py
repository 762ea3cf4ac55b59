"""Parts of a bundle's inference configuration, made by MONAI's own ConfigParser; the bundle stays the source of truth.

What reads files, loads batches or writes results is left out: the engine hands in an image from memory and takes
labels back itself. Whatever is left out is named, so that the provenance can say so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms import Compose

from slicermedai.bundles.manifest import Manifest
from slicermedai.errors import BundleError

IMAGE_KEY = "image"
_FEEDING = {"LoadImaged", "LoadImage", "EnsureChannelFirstd", "EnsureChannelFirst"}
_OURS = {"Invertd", "SaveImaged", "EnsureTyped"}
_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Postprocessing:
    """What the configuration's ``postprocessing`` asks for, done by this engine at network resolution.

    ``activation`` is "", "softmax" or "sigmoid". ``clean`` pairs "largest" or "holes" with the values it applies
    to (empty: all), in the configuration's order. ``left_out`` names what the engine replaces.
    """

    activation: str = ""
    clean: tuple[tuple[str, tuple[int, ...]], ...] = ()
    left_out: tuple[str, ...] = ()


def parser_of(manifest: Manifest) -> Any:
    """MONAI's parser over the configuration, with the bundle's own folder as ``bundle_root``."""
    return ConfigParser({**manifest.config, "bundle_root": manifest.ref.path})


def make_part(parser: Any, name: str, *, file: str) -> Any:
    """The object that the configuration describes under ``name``; raises :class:`BundleError`."""
    try:
        with warnings.catch_warnings():  # of MONAI to the bundle's author, about defaults that will change
            warnings.filterwarnings("ignore", category=FutureWarning, message=r"monai\.")
            return parser.get_parsed_content(name, instantiate=True)
    except _FAILURES as error:
        raise BundleError(
            f"cannot be made from the configuration ({type(error).__name__}: {error})", file=file, attribute=name
        ) from error


def make_transforms(parser: Any, name: str, *, file: str) -> Callable[[Any], Any]:
    """The transforms under ``name`` as one callable on an image in memory; those that read files are left out."""
    entry = parser.config.get(name)
    steps = _steps(entry)
    if not isinstance(steps, list):
        raise BundleError("must hold a list of transforms", file=file, attribute=name)
    prefix = f"{name}#transforms" if isinstance(entry, dict) else name
    kept = [n for n, step in enumerate(steps) if _target(step) not in _FEEDING]
    keyed = Compose([make_part(parser, f"{prefix}#{n}", file=file) for n in kept])

    def apply(image: Any) -> Any:
        return _applied(keyed, image, name, file)

    return apply


def transform_names(config: dict[str, Any], name: str) -> list[str]:
    """Names of the transforms under ``name`` that :func:`make_transforms` applies, in order."""
    steps = _steps(config.get(name))
    return [_target(step) for step in steps if _target(step) not in _FEEDING] if isinstance(steps, list) else []


def read_postprocessing(manifest: Manifest) -> Postprocessing:
    """What ``postprocessing`` asks for; raises :class:`BundleError` for a transform that the engine cannot do."""
    entry = manifest.config.get("postprocessing", {})
    activation, clean, left_out = "", [], []
    for step in _steps(entry) or []:
        target = _target(step)
        if target == "Activationsd":
            activation = next((kind for kind in ("softmax", "sigmoid") if step.get(kind)), "")
        elif target in _CLEANING:
            clean.append((_CLEANING[target], tuple(step.get("applied_labels") or ())))
        elif target in _OURS:
            left_out.append(target)
        elif target != "AsDiscreted":
            raise BundleError(
                f"the step {target} is not known to this engine",
                file=manifest.ref.path,
                attribute="postprocessing",
                advice=f"Known: Activationsd, AsDiscreted, {', '.join([*_CLEANING, *sorted(_OURS)])}.",
            )
    return Postprocessing(activation=activation, clean=tuple(clean), left_out=tuple(left_out))


_CLEANING = {"KeepLargestConnectedComponentd": "largest", "FillHolesd": "holes"}


def _applied(keyed: Any, image: Any, name: str, file: str) -> Any:
    try:
        return keyed({IMAGE_KEY: image})[IMAGE_KEY]
    except _FAILURES as error:
        raise BundleError(
            f"failed on this image ({type(error).__name__}: {error})", file=file, attribute=name
        ) from error


def _steps(entry: Any) -> Any:
    return entry.get("transforms") if isinstance(entry, dict) else entry


def _target(step: Any) -> str:
    return str(step.get("_target_", "")).rpartition(".")[2] if isinstance(step, dict) else ""
