"""Classifiers held against references: which labels each image has, and the score that the model gives to each.

A reference is words: the names of an image's labels in the table of cases, with ";" between them, or "none". A name
that no label matches is refused: an image that was said to have something else would count as one that has nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.calibrate import Judgement, sketch_of_candidates
from slicermedai.confidence.sketch import CaseSketch
from slicermedai.domain.observer import Progress
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import InputError
from slicermedai.inference.task import Prediction
from slicermedai.validate.cases import ListedCase, Match, match_labels
from slicermedai.validate.decisions import Decisions, decisions
from slicermedai.validate.resampling import Resampling
from slicermedai.validate.running import DoneCase, ImageCase, ModelRun, groups_of
from slicermedai.validate.subgroups import Subgroup, subgroups

NONE, BETWEEN = "none", ";"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageLabel:
    """How well one label of the whole image is told: ``found`` by the model's own decision, ``scored`` by its score."""

    structure: str
    cases: int
    patients: int
    there: int
    found: Decisions
    scored: Decisions
    groups: tuple[Subgroup, ...] = field(default=())
    calibration: Judgement | None = None


def run_images(
    cases: Sequence[ListedCase], *, manifest: Manifest, labels: Path | None, run: ModelRun, progress: Progress
) -> tuple[tuple[DoneCase, ...], tuple[Match, ...]]:
    """Run a classifier on each case; errors of reading and of the model stop all: no case is left out in silence.

    Raises
    ------
    InputError
        A reference is no words of a table, or names what no label matches; before the first case is run.
    """
    called = {case.case: _names(case) for case in cases}
    names = list(dict.fromkeys(name for own in called.values() for name in own))
    matches = match_labels(labels, manifest.ref.labels, names)
    known = {match.reference: match.value for match in matches}
    for case in cases:
        _refuse_unmatched(case, called[case.case], known)
    done = []
    for number, case in enumerate(cases):
        progress("classify", number / len(cases))
        done.append(_done(case, {known[name] for name in called[case.case]}, run))
    progress("classify", 1.0)
    return tuple(done), matches


def image_label(
    name: str, cases: Sequence[ImageCase], how: Resampling, calibration: Judgement | None = None
) -> ImageLabel:
    """Summarise all images of a cohort, those without the label among them."""
    subjects, there = [case.subject for case in cases], [case.there for case in cases]
    found, scores = [float(case.found) for case in cases], [case.score for case in cases]
    right = [float(case.found == case.there) for case in cases]
    return ImageLabel(
        structure=name,
        cases=len(cases),
        patients=len(set(subjects)),
        there=sum(there),
        found=decisions(there, found, subjects=subjects, threshold=0.5, how=how),
        scored=decisions(there, scores, subjects=subjects, threshold=0.5, how=how),
        groups=subgroups(right, [case.groups for case in cases], subjects=subjects, how=how),
        calibration=calibration,
    )


def write_images(images: Mapping[str, Sequence[ImageCase]], path: Path) -> Path:
    """All images as CSV, one line for each and each label; groups are columns."""
    groups = sorted({name for own in images.values() for one in own for name in one.groups})
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "subject", "structure", "there", "found", "score", *groups])
        for name, own in images.items():
            for one in own:
                said = (one.case, one.subject, name, int(one.there), int(one.found), one.score)
                writer.writerow([*said, *(one.groups.get(group, "") for group in groups)])
    return Path(path)


def _names(case: ListedCase) -> tuple[str, ...]:
    said = tuple(dict.fromkeys(word.strip() for word in case.said.split(BETWEEN) if word.strip()))
    if not said or case.reference.is_file():
        raise InputError(
            "a classifier is held against words, and not against a file",
            file=case.reference,
            attribute="reference",
            advice=f"Name the image's labels in the table of cases, with {BETWEEN!r} between them, or say {NONE!r}.",
        )
    return () if tuple(word.casefold() for word in said) == (NONE,) else said


def _refuse_unmatched(case: ListedCase, names: Sequence[str], known: Mapping[str, int]) -> None:
    for name in names:
        if name not in known:
            raise InputError(
                "no label of the model matches a name of the reference",
                file=case.case,
                attribute="reference",
                advice="Map the name in the label table, or leave it out where the model has no such label.",
            )


def _done(case: ListedCase, there: set[int], run: ModelRun) -> DoneCase:
    from slicermedai.dicom.inputs import open_source

    source = open_source(case.image)
    found = run(source.volume, subject=case.subject)
    groups = groups_of(case, source)
    images = {
        value: ImageCase(
            case=case.case,
            subject=case.subject,
            score=score,
            there=value in there,
            found=any(one.value == value for one in found.regions),
            groups=groups,
        )
        for value, score in _scores(found).items()
    }
    sketches = {
        value: sketch_of_candidates(np.array([one.score], dtype=np.float32), np.array([one.there]))
        for value, one in images.items()
    }
    return DoneCase(
        subject=case.subject,
        scores={},
        sketch=CaseSketch(subject=case.subject, sketches=sketches, groups=tuple(groups.items())),
        blind={},
        looks=appearance(source.volume),
        groups=groups,
        images=images,
    )


def _scores(found: Prediction) -> dict[int, float]:
    return {value: score for value, score in found.scores if score is not None}
