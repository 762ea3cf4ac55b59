"""A map of saliency as a run wants it: checked before, brought to the source's grid, its refusal in words."""

from __future__ import annotations

import torch

from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import InputError
from slicermedai.inference.again import Answered
from slicermedai.inference.layers import Unexplained
from slicermedai.inference.resample import resample
from slicermedai.inference.runner import is_out_of_memory
from slicermedai.inference.saliency import METHODS, TITLES, Explained, Request, explain
from slicermedai.inference.saliency_question import Asked
from slicermedai.inference.saliency_target import asked_target
from slicermedai.inference.task import Listeners, SaliencyVolume

NOTHING_TO_EXPLAIN = "Saliency: not made, since nothing was found in this image."


def check_target(ref: BundleRef, listeners: Listeners) -> None:
    """Raise :class:`InputError` for a method that is not known, or a target that is no label of the model, or
    could be several."""
    if listeners.saliency and listeners.saliency not in METHODS:
        raise InputError(f"must be one of {', '.join(METHODS)}", attribute="saliency")
    if listeners.saliency_target:
        asked_target(ref.labels, listeners.saliency_target)


def saliency_on(
    target: Geometry, answered: Answered | Asked, listeners: Listeners
) -> tuple[SaliencyVolume | None, str]:
    """The map on ``target``, or None and why there is none; raises :class:`JobCancelled` from the progress."""
    request = Request(method=listeners.saliency, target=listeners.saliency_target)
    try:
        made = explain(answered, request, progress=listeners.progress)
    except Unexplained as why:
        return None, str(why)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            return None, f"the network cannot be asked for it ({type(error).__name__})"
        if answered.device.startswith("cuda"):
            torch.cuda.empty_cache()
        return None, "memory ran out: Grad-CAM and HiRes-CAM need the least"
    values = resample(made.array, answered.grid, target).clip(0, 1)
    title = f"{TITLES[request.method]} of {made.target}"
    return SaliencyVolume(
        array=values, geometry=target, method=request.method, title=title, about=_about(made, request)
    ), ""


def _about(made: Explained, request: Request) -> tuple[tuple[str, str], ...]:
    facts = (
        ("method", TITLES[request.method]),
        ("target", made.target),
        ("layer", made.layer),
        *made.facts,
        ("windows", f"{made.windows} of {made.whole}: {made.why_these}"),
        ("covered cubes", made.patches),
        ("values", f"0 to 1 over the whole image; 1 stands for {made.scale:.4g} of the raw map"),
    )
    return tuple((name, value) for name, value in facts if value)
