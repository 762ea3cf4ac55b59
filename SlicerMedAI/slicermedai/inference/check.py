"""Does a bundle run here? It is run on its own sample, or on images that are made for it, and all that is reported."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.prompts import PointPrompt
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, MedAIError
from slicermedai.inference.adapter.adapt import adapt
from slicermedai.inference.adapter.report import CompatibilityReport, Ledger
from slicermedai.inference.adapter.scripts import surroundings
from slicermedai.inference.saliency_target import in_words
from slicermedai.inference.sample import middle_of, open_sample
from slicermedai.inference.task import Listeners, Prediction, RunSettings, Task, make_task

_RANGES = {"CT": (-1000.0, 60.0, 1000.0), "MR": (0.0, 400.0, 900.0), "PT": (0.0, 2.0, 9.0)}
_OTHERWISE = (0.0, 120.0, 255.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found: the report, the run's steps in words, ``seconds``, and how many regions came out.

    ``sample`` names the image that the bundle brings and ran on, "" for generated ones.
    """

    report: CompatibilityReport
    words: tuple[str, ...] = ()
    seconds: float = 0.0
    regions: int = 0
    sample: str = ""

    @property
    def runs(self) -> bool:
        """True where the bundle ran to its end."""
        return not self.report.refused


def check_bundle(
    ref: BundleRef,
    *,
    task: Task | None = None,
    settings: RunSettings | None = None,
    progress: Progress = silent,
) -> Checked:
    """Run ``ref`` on the sample that it brings (:func:`~.sample.open_sample`), else on generated images.

    Whatever stops it is in the report and is not raised; why a sample is not taken is in the words.

    ``task`` replaces the one that the bundle names (one with other weights, for a bundle that has none). ``progress``
    may stop it by an exception of its own.
    """
    began, ledger, sample = time.perf_counter(), Ledger(), ""
    try:
        manifest = replace(read_manifest(Path(ref.path)), ref=ref)
        inputs = generated_inputs(manifest, ledger)
        own, told = open_sample(Path(ref.path)) if len(inputs) == 1 else (None, "")
        if own is not None:
            inputs, sample, told = {name: own for name in inputs}, told, f"sample: {told}"
        run, how = task or make_task(ref), settings or RunSettings(device="cpu")
        found, words = _predicted(run, ref, inputs, how, listeners=Listeners(progress=progress))
    except MedAIError as error:
        return Checked(report=ledger.report(str(error)), seconds=time.perf_counter() - began, sample=sample)
    checked = _checked(found, time.perf_counter() - began)
    checked = replace(checked, words=tuple(filter(None, (told, *checked.words, *words))), sample=sample)
    unsaid = _unsaid(manifest, inputs)
    return replace(checked, report=replace(checked.report, warnings=(*checked.report.warnings, *unsaid)))


def _predicted(
    run: Task, ref: BundleRef, inputs: dict[str, Volume], settings: RunSettings, *, listeners: Listeners
) -> tuple[Prediction, tuple[str, ...]]:
    """What the bundle finds, with a point in the middle of the image too where it goes by marks; and that in words."""
    label, place = in_words(ref.labels[0][1]), middle_of(next(iter(inputs.values())))
    marked = replace(settings, prompts=(PointPrompt(label=label, position=place),))
    try:
        found = run.predict(ref, inputs, settings=settings, listeners=listeners)
    except InputError as error:
        if error.attribute != "prompts":
            raise
        return run.predict(ref, inputs, settings=marked, listeners=listeners), (f"marks: {label}, needs one",)
    if not any(item.rule == "prompts" for item in found.compatibility.applied):
        return found, ()
    by_mark = run.predict(ref, inputs, settings=marked, listeners=listeners)
    return found, (f"marks: {label}, {len(by_mark.regions)} regions by a point, {len(found.regions)} without",)


def _unsaid(manifest: Manifest, inputs: dict[str, Volume]) -> tuple[str, ...]:
    """What a bundle of single pictures must say before it can be run on an X-ray picture without being asked."""
    flat = manifest.ref.task == "classification" and all(one.geometry.shape[0] == 1 for one in inputs.values())
    if manifest.pixel_values or not flat:
        return ()
    return (
        "the bundle does not say whether it takes grey pictures as they are shown or their values (pixel_values): "
        "a job on such a picture must say it",
    )


def _checked(found: Prediction, seconds: float) -> Checked:
    words = tuple(f"{step.name}: {step.detail}" for step in found.steps if not step.name.startswith("adapt"))
    return Checked(report=found.compatibility, words=words, seconds=seconds, regions=len(found.regions))


def generated_inputs(manifest: Manifest, ledger: Ledger) -> dict[str, Volume]:
    """A body with organs for each image that the bundle wants, each on a grid of its own around the same place."""
    with surroundings(Path(manifest.ref.path), ledger):
        adapted = adapt(manifest, ledger)
        steps, flat = adapted.steps(), adapted.dimensions == 2
    names, finest = steps.names, min((s for s in steps.turn.spacing if s > 0), default=2.0)
    slices = 40 if not flat else 1 if manifest.ref.task == "classification" else 8
    modality = next(iter(manifest.ref.modality), "")
    return {
        name: generated(modality, shift=number, slices=slices, scale=min(1.0, finest / 1.5))
        for number, name in enumerate(names)
    }


def generated(modality: str, *, shift: int = 0, slices: int = 40, scale: float = 1.0) -> Volume:
    """An axial image of ``slices`` x 56 x 60 voxels, 140 mm wide times ``scale``: an ellipsoid and two inside."""
    low, middle, high = _RANGES.get(modality, _OTHERWISE)
    shape = (slices, 56, 60)
    origin, spacing = np.array([-70.0 + shift, -65.0, -55.0 - shift]), np.array([110.0 / slices, 2.4, 2.4])
    geometry = Geometry.from_axes(shape, origin=scale * origin, spacing=scale * spacing)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    points = geometry.to_lps(index) / scale
    values = np.full(len(points), low)
    organs = (
        ((0, 0, 0), (55, 48, 46), middle),
        ((22, 4, 6), (14, 12, 14), high),
        ((-24, 0, -8), (12, 14, 12), (middle + high) / 2),
    )
    for centre, radii, value in organs:
        values[np.linalg.norm((points - centre) / np.asarray(radii), axis=1) <= 1] = value
    noise = np.random.default_rng(shift).normal(0, 0.01 * (high - low), len(points))
    return Volume(array=np.rint(values + noise).reshape(shape).astype(np.int16), geometry=geometry, modality=modality)
