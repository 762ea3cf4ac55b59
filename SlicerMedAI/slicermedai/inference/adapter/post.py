"""What the bundle's postprocessing asks for, and what of it this engine does in its own way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from slicermedai.errors import BundleError
from slicermedai.inference.adapter.report import Ledger

_CLEANING = {"KeepLargestConnectedComponent": "largest", "FillHoles": "holes"}
_OURS = re.compile(
    r"^(Invert|EnsureType|ToTensor|ToDevice|ToNumpy|CastToType|DeleteItems|SqueezeDim|Save\w*)(d|D|Dict)?$"
)
_SAVER = re.compile(r"Save|Writer|Saver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postprocessing:
    """What the configuration's ``postprocessing`` asks for, done by this engine at network resolution.

    Parameters
    ----------
    activation:
        "", "softmax" or "sigmoid".
    exclusive:
        False where every channel is a label of its own that may overlap the others.
    threshold:
        Probability from which on a channel of its own counts.
    nearest:
        Labels go back to the source by the nearest voxel, as the bundle has it, and not smoothly.
    clean:
        Pairs of "largest" or "holes" with the values it applies to (empty: all), in the configuration's order.
    left_out:
        What the engine replaces.
    """

    activation: str = ""
    exclusive: bool = True
    threshold: float = 0.5
    nearest: bool = False
    clean: tuple[tuple[str, tuple[int, ...]], ...] = ()
    left_out: tuple[str, ...] = ()


def read_steps(steps: list[dict[str, Any]], *, file: str, ledger: Ledger) -> Postprocessing:
    """From the transforms of ``postprocessing``; raises :class:`BundleError` for one that the engine cannot do."""
    activation, argmax, nearest, threshold = "", False, False, 0.5
    clean: list[tuple[str, tuple[int, ...]]] = []
    left_out: list[str] = []
    for step in steps:
        target = str(step.get("_target_", "")).rpartition(".")[2]
        plain = re.sub(r"(d|D|Dict)$", "", target)
        if plain == "Activations":
            activation = next((kind for kind in ("softmax", "sigmoid") if _first(step.get(kind))), "")
        elif plain == "AsDiscrete":
            argmax = argmax or bool(_first(step.get("argmax")))
            stated = _first(step.get("threshold"))
            threshold = (
                float(stated) if isinstance(stated, (int, float)) and not isinstance(stated, bool) else threshold
            )
        elif plain in _CLEANING:
            clean.append((_CLEANING[plain], tuple(step.get("applied_labels") or ())))
        else:
            nearest = nearest or (plain == "Invert" and argmax and _takes_nearest(step, ledger))
            _leave_out(target, left_out, file=file, ledger=ledger)
    overlapping = activation == "sigmoid" and not argmax
    return Postprocessing(
        activation=activation,
        exclusive=not overlapping,
        threshold=threshold,
        nearest=nearest,
        clean=tuple(clean),
        left_out=tuple(left_out),
    )


def _takes_nearest(step: dict[str, Any], ledger: Ledger) -> bool:
    """True where the bundle brings back labels by the nearest voxel."""
    if _first(step.get("nearest_interp", True)):
        return True
    ledger.did("numbers of labels", "the bundle would interpolate between the numbers of labels; borders are instead")
    return False


def _leave_out(target: str, left_out: list[str], *, file: str, ledger: Ledger) -> None:
    if target.startswith("Lambda"):
        ledger.did("own functions", f"postprocessing: {target} is left out, each channel stays a label of its own")
    elif not _OURS.match(target) and not _SAVER.search(target):
        raise BundleError(
            f"the step {target} is not known to this engine",
            file=file,
            attribute="postprocessing",
            advice="Known: Activationsd, AsDiscreted, KeepLargestConnectedComponentd, FillHolesd, Invertd and savers.",
        )
    left_out.append(target)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and value else value
