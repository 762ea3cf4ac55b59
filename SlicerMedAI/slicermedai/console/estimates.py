"""What a run would take on this machine, before anything of it runs: asked of a child, since torch is loaded for it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.console.sources import are_files, as_volume, inside_slicer
from slicermedai.domain.estimate import LOOKED_AT, Estimate, Took, Workload, expected
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.jobs import speeds
from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.files import make_job
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry
from slicermedai.jobs.specs import RunJob

__all__ = ["estimate"]

CHILD = "slicermedai.app.estimate_answer"
MAIN = "image"
"""The name of an image that nobody named."""
_PAUSE = 0.03
_OF_VOXELS = ("affine", "convention", "study")
_BOUNDED = ("none", "flips")
"""Ways to ask for uncertainty of which it is known what they cost at most."""


def estimate(source: Any, bundle: str = "brain", **options: Any) -> Estimate:
    """What a run would take: arithmetic, memory, and seconds as earlier runs here took. BLOCKS for some seconds.

    >>> told = slicermedai.estimate("DICOM_FOLDER", "brain")
    >>> print(told.in_words)
    >>> print(told.seconds, told.workload.memory / 1e9)

    Nothing is run, and no voxel of DICOM files is read. ``seconds`` is None where the model has not run on this machine
    in the same manner: none are made up.

    Parameters
    ----------
    source, bundle, options:
        As :func:`slicermedai.submit` takes them, ``inputs`` among them.

    Raises
    ------
    InputError, ProtocolError, UnknownBundleError, BundleError
        As the run would, as far as that is seen without the voxels.
    WorkerCrashed
        The child cannot be started, or died.
    """
    request = request_of(source, bundle, options)
    inquiry = ask(request)
    try:
        while not inquiry.done:
            inquiry.poll()
            time.sleep(_PAUSE)
    finally:
        inquiry.close()
    if inquiry.error is not None:
        raise inquiry.error
    return told(request, inquiry.answer)


def ask(request: Mapping[str, Any]) -> Inquiry:
    """A child that answers ``request``, started; :func:`told` makes an estimate of its answer."""
    return Inquiry(CHILD, dict(request), JobFolder.create("estimate"))


def request_of(source: Any, bundle: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the child is asked, as JSON values: where the voxels of images in memory lie, and paths of files.

    Raises
    ------
    InputError, ProtocolError
        A source of another kind, an option that does not exist.
    """
    values = {name: value for name, value in options.items() if name not in (*_OF_VOXELS, "inputs", "output")}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    asked = {"source": "", "bundle": bundle, "report": not inside_slicer(), **plain}
    job = make_job(RunJob, with_settings(RunJob, asked))
    images = {job.shows or MAIN: {**_image(source, options), "series": job.series}}
    return {
        "bundle": bundle,
        "images": {**images, **_further(options.get("inputs", ()))},
        "device": job.device,
        "precision": job.precision,
        "folds": job.folds,
        "uncertainty": job.uncertainty,
        "stability": job.stability,
        "over_time": job.over_time,
        "manner": speeds.manner(job),
    }


def told(request: Mapping[str, Any], answer: Mapping[str, Any]) -> Estimate:
    """The estimate that follows from the child's answer and from how long earlier runs took."""
    work = Workload(**answer["workload"])
    runs = [one for one in speeds.known(answer["weights"]) if _is_alike(one, request, answer)]
    seconds = expected(work, runs, flips=request["uncertainty"] == "flips", stability=request["stability"])
    frames = int(answer.get("frames", 1))
    return Estimate(
        title=answer["title"],
        device=answer["device"],
        workload=work,
        free=answer["free"],
        runs=min(len(runs), LOOKED_AT) if frames else 0,
        seconds=(seconds[0] * frames, seconds[1] * frames) if seconds and frames else None,
        frames=frames,
        over_time=str(answer.get("over_time", "")),
    )


def answer_to(request: Mapping[str, Any]) -> dict[str, Any]:
    """The child's part, as JSON values; this loads torch, and the definition of the model without its weights.

    Raises
    ------
    MedAIError
        The model or an image cannot be used.
    """
    from slicermedai.bundles.registry import resolve
    from slicermedai.inference.device import choose_device, hardware_of
    from slicermedai.inference.foresee import foresight_of
    from slicermedai.inference.free_memory import available

    ref = resolve(request["bundle"])
    frames, over_time, grids = _grids(request)
    found = foresight_of(ref, grids, folds=request["folds"], samples=request["uncertainty"] != "none")
    free = available()
    return {
        "title": ref.title,
        "weights": ref.weights_sha256,
        "inputs": list(found.inputs),
        "samples": found.samples,
        "workload": asdict(found.work),
        "device": hardware_of(choose_device(request["device"]).name),
        "free": free if math.isfinite(free) else 0.0,
        "frames": frames,
        "over_time": over_time,
    }


def _grids(request: Mapping[str, Any]) -> tuple[int, str, dict[str, Geometry]]:
    """How many frames would be run (0 for a series over time of which that was not asked), what it is in words, and
    where the images lie, or each frame."""
    from slicermedai.dicom.over_time import open_over_time, recognised

    name, image = next(iter(request["images"].items()))
    source, series = image.get("files") or image.get("path"), image.get("series", "")
    if request.get("over_time"):
        if not source:
            raise InputError("shows one time alone", attribute="source", advice="Run it without over_time.")
        found = open_over_time(source, series=series)
        return len(found.moments), found.in_words, {name: found.place()}
    try:
        return 1, "", {name: _grid(image) for name, image in request["images"].items()}
    except InputError:
        seen = recognised(source, series=series) if source else None
        if seen is None or len(request["images"]) > 1:
            raise
        return 0, seen.in_words, {name: seen.place()}


def _is_alike(one: Took, request: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    precise = request["precision"] in ("auto", one.precision)
    known = request["uncertainty"] in _BOUNDED
    return known and precise and one.device == answer["device"] and one.manner == request["manner"]


def _image(source: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(source, (str, Path)):
        return {"path": str(Path(source).expanduser().absolute())}
    if are_files(source):
        return {"files": [str(Path(path).expanduser().absolute()) for path in source]}
    grid = _place_of(source, options)
    return {"shape": list(grid.shape), "affine": np.asarray(grid.affine).tolist()}


def _place_of(source: Any, options: Mapping[str, Any]) -> Geometry:
    """Where an image from memory lies; no voxel of a node is copied."""
    if isinstance(source, Volume):
        return source.geometry
    if hasattr(source, "IsA") and source.IsA("vtkMRMLScalarVolumeNode"):
        from slicermedai.scene.volumes import geometry_of_node

        return geometry_of_node(source)
    return as_volume(source, options.get("affine"), options.get("convention")).geometry


def _further(inputs: Any) -> dict[str, dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return {name: _image(source, {}) for name, source in inputs.items()}
    if not inputs:
        return {}
    from slicermedai.dicom.several import NamedInput

    named = [NamedInput.parse(text) for text in inputs]
    return {one.name: {"path": str(one.path), "series": one.series} for one in named}


def _grid(image: Mapping[str, Any]) -> Geometry:
    if "shape" in image:
        a, b, c = image["shape"]
        return Geometry(shape=(a, b, c), affine=np.asarray(image["affine"], dtype=np.float64))
    from slicermedai.dicom.inputs import geometry_of

    source = image.get("files") or image.get("path")
    if not source:
        raise InputError("no image was given", attribute="source", advice="Choose an image.")
    return geometry_of(source, series=image.get("series", ""))
