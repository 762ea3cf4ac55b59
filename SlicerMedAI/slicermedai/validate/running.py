"""Runs a model on listed cases, and keeps of each what calibration and validation need: numbers, and no image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.observer import MarginObserver
from slicermedai.confidence.record import PRECISION
from slicermedai.confidence.samples import Samples, sampler
from slicermedai.confidence.sketch import CaseSketch, MarginSketch
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.observer import Progress
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.inference.task import Listeners, Prediction, RunSettings, predict
from slicermedai.validate.cases import ListedCase, Match, match_labels
from slicermedai.validate.froc import Scan
from slicermedai.validate.references import Structures, masks_on, names_in, read_reference
from slicermedai.validate.segmentation import CaseName, CaseScore, score

SEGMENTATION, DETECTION, CLASSIFICATION = "segmentation", "detection", "classification"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCase:
    """One label of one image: whether it is ``there`` by the reference, whether the model ``found`` it, its score."""

    case: str
    subject: str
    score: float
    there: bool
    found: bool
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoneCase:
    """What is left of a case: its scores by label value, sketches with and without the reference's answers, and what
    its image looks like. ``groups`` are those of the table, with modality and manufacturer of the image. ``agreed`` is
    the pairwise Dice of samples by label value, ``sampling`` how they were taken; ``rough`` are the labels whose
    reference is a box or a ball. ``features_of`` is the layer that the network's features in ``looks`` are of. Of a
    detector there are ``scans`` by label value and no scores, and the sketches are of its candidates; ``cut`` is how
    many voxels of its lesions' contours lie beyond the image. Of a classifier there are ``images``, and the sketches
    are of the labels' scores.
    """

    subject: str
    scores: dict[int, CaseScore]
    sketch: CaseSketch
    blind: dict[int, MarginSketch]
    looks: dict[str, NDArray[np.float64]]
    groups: dict[str, str]
    agreed: dict[int, float] = field(default_factory=dict)
    sampling: str = ""
    rough: frozenset[int] = frozenset()
    features_of: str = ""
    scans: dict[int, Scan] = field(default_factory=dict)
    cut: int = 0
    images: dict[int, ImageCase] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """Runs a bundle by the inference layer; ``uncertainty`` names how samples are taken, see
    :data:`slicermedai.confidence.samples.METHODS`. ``probe`` makes of a patient the probe of an inference.

    Raises
    ------
    InputError
        The bundle's answers are no masks, boxes or labels of images, or it is asked for what is of masks alone.
    """

    ref: BundleRef
    device: str = "auto"
    seed: int = 0
    uncertainty: str = "none"
    probe: Callable[[str], Callable[[Any], None]] | None = None

    def __post_init__(self) -> None:
        if self.ref.task not in (SEGMENTATION, DETECTION, CLASSIFICATION):
            raise InputError(
                f"{self.ref.title} does {self.ref.task}: that cannot be held against references",
                file=self.ref.path,
                attribute="task",
            )
        if self.ref.task != SEGMENTATION and self.uncertainty != "none":
            raise InputError(
                f"{self.ref.title} does {self.ref.task}, and samples are of segmentations alone",
                attribute="uncertainty",
                advice="Calibrate it without them.",
            )

    def __call__(
        self,
        volume: Volume,
        observer: MarginObserver | None = None,
        samples: Samples | None = None,
        *,
        subject: str = "",
    ) -> Prediction:
        """Run it on one image of the patient ``subject``."""
        settings = RunSettings(device=self.device, seed=self.seed, precision=PRECISION)
        listeners = Listeners(
            observer=observer,
            samples=samples,
            sampling=samples.sampling if samples else "",
            probe=self.probe(subject) if self.probe else None,
            features=True,
        )
        return predict(self.ref, volume, settings=settings, listeners=listeners)


def run_cases(
    cases: Sequence[ListedCase], *, manifest: Manifest, labels: Path | None, run: ModelRun, progress: Progress
) -> tuple[tuple[DoneCase, ...], tuple[Match, ...]]:
    """Run the model on each case; errors of reading and of the model stop all: no case is left out in silence."""
    names = list(dict.fromkeys(name for case in cases for name in names_in(case.reference)))
    matches = match_labels(labels, manifest.ref.labels, names)
    done = []
    for number, case in enumerate(cases):
        progress("segment", number / len(cases))
        done.append(_done(case, manifest, matches, run))
    progress("segment", 1.0)
    return tuple(done), matches


def subject_key(subject: str, salt: str) -> str:
    """An opaque key of a patient: who has the salt can ask about a patient, and nobody can read one off."""
    return hashlib.sha256(f"{salt} {subject}".encode()).hexdigest()[:24]


def _done(case: ListedCase, manifest: Manifest, matches: Sequence[Match], run: ModelRun) -> DoneCase:
    from slicermedai.dicom.inputs import open_source

    source = open_source(case.image)
    structures = read_reference(case.reference, source.volume.geometry)
    values = list(dict.fromkeys(match.value for match in matches))
    observer = MarginObserver(values, outputs=manifest.outputs)
    samples = sampler(run.uncertainty, manifest)
    found = run(source.volume, observer, samples, subject=case.subject)
    agreed = {value: samples.pairwise_dice(value) for value in values} if samples else {}
    groups = groups_of(case, source)
    truth = masks_on(structures, matches, observer.geometry) if observer.has_run else {}
    return DoneCase(
        subject=case.subject,
        scores=_scores(case, structures, matches, (found, dict(manifest.ref.labels), groups)),
        sketch=CaseSketch(subject=case.subject, sketches=observer.sketches(truth), groups=tuple(groups.items())),
        blind={value: sketch for value in values if (sketch := observer.sketch(value)) is not None},
        looks=appearance(source.volume, network=found.features or None),
        groups=groups,
        agreed={value: dice for value, dice in agreed.items() if dice is not None},
        sampling=samples.method if samples else "",
        rough=frozenset(match.value for match in matches if match.reference in structures.rough),
        features_of=found.features_of,
    )


def _scores(
    case: ListedCase, structures: Structures, matches: Sequence[Match], found: tuple[Prediction, dict[int, Any], Any]
) -> dict[int, CaseScore]:
    prediction, labels, groups = found
    grid = prediction.label_map.geometry
    made = {}
    beyond = {value: sum(structures.cut.get(m.reference, 0) for m in matches if m.value == value) for value in labels}
    for value, mask in masks_on(structures, matches, grid).items():
        name = CaseName(case=case.case, subject=case.subject, structure=labels[value].name, groups=groups)
        made[value] = replace(score(mask, _found(prediction, value), grid, name=name), beyond=beyond[value])
    return made


def _found(prediction: Prediction, value: int) -> NDArray[np.bool_]:
    """All that was found of a label, also where labels overlap; empty where nothing was."""
    mask = np.zeros(prediction.label_map.geometry.shape, dtype=bool)
    for region in (one.region for one in prediction.regions if one.value == value):
        if isinstance(region, Mask | PackedMask):
            mask |= region.to_array()
    return mask


def groups_of(case: ListedCase, source: Any) -> dict[str, str]:
    """Those of the table, with modality and manufacturer of the image."""
    read = {"modality": source.volume.modality}
    if source.headers:
        read["manufacturer"] = str(source.headers[0].get("Manufacturer", "") or "").strip()
    return {name: value for name, value in read.items() if value} | case.groups
