"""A cohort's scores as one summary: everything that the validation report shows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.confidence.calibrate import Judgement
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import InputError
from slicermedai.validate.agreement import Agreement, agreement
from slicermedai.validate.decisions import Decisions, decisions
from slicermedai.validate.detection import Detection, detection
from slicermedai.validate.froc import Scan
from slicermedai.validate.images import ImageLabel, image_label
from slicermedai.validate.resampling import Estimate, Resampling, mean_over_patients
from slicermedai.validate.running import ImageCase
from slicermedai.validate.segmentation import METRICS, TOLERANCE_MM, CaseScore, Kind, cut_words
from slicermedai.validate.subgroups import Subgroup, subgroups

_FEWEST_PAIRS = 3
_PLAIN = ("case", "subject", "structure", "kind", *METRICS, "reference_ml", "predicted_ml", "beyond")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """What was measured: a score per case and structure, lesions and candidates of all scans by the name of what was
    looked for, images by the name of the label, and calibration by structure.

    ``generated`` is True where any case is a phantom or a simulation: the report says so on its first line. ``rough``
    names the structures whose references are boxes or balls, and ``remarks`` are what else people must know first.
    """

    model: str
    scores: tuple[CaseScore, ...] = ()
    scans: Mapping[str, tuple[Scan, ...]] = field(default_factory=dict)
    images: Mapping[str, tuple[ImageCase, ...]] = field(default_factory=dict)
    calibration: dict[str, Judgement] = field(default_factory=dict)
    generated: bool = False
    rough: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    tolerance_mm: float = TOLERANCE_MM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StructureSummary:
    """One structure over all cases. ``agreement`` is None for fewer than three cases; ``presence`` asks whether it was
    found at all where it is there, and not where it is not. ``cut`` says where references reach beyond the image.
    """

    structure: str
    patients: int
    cases: int
    kinds: dict[Kind, int]
    metrics: dict[str, Estimate]
    agreement: Agreement | None
    presence: Decisions
    groups: tuple[Subgroup, ...]
    calibration: Judgement | None = None
    cut: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """The whole summary."""

    model: str
    structures: tuple[StructureSummary, ...]
    detections: tuple[Detection, ...]
    images: tuple[ImageLabel, ...]
    generated: bool
    rough: tuple[str, ...]
    remarks: tuple[str, ...]
    tolerance_mm: float
    how: Resampling


def summarise(cohort: Cohort, *, how: Resampling | None = None) -> Validation:
    """Summarise a cohort; no case is left out of any number that is defined for it.

    Raises
    ------
    InputError
        Nothing was measured, a case stands twice, or no scan has a lesion that counts.
    """
    if not cohort.scores and not any(cohort.scans.values()) and not any(cohort.images.values()):
        raise InputError("the cohort is empty: nothing was measured", attribute="cases")
    _refuse_doubles(cohort.scores)
    chosen = how or Resampling()
    names = dict.fromkeys(score.structure for score in cohort.scores)
    return Validation(
        model=cohort.model,
        structures=tuple(
            _summary([s for s in cohort.scores if s.structure == name], chosen, cohort.calibration.get(name))
            for name in names
        ),
        detections=_detections(cohort, chosen),
        images=tuple(image_label(n, own, chosen, cohort.calibration.get(n)) for n, own in cohort.images.items()),
        generated=cohort.generated,
        rough=cohort.rough,
        remarks=cohort.remarks,
        tolerance_mm=cohort.tolerance_mm,
        how=chosen,
    )


def write_table(scores: Sequence[CaseScore], path: Path) -> Path:
    """All scores as CSV, one line per case and structure; groups are columns."""
    groups = sorted({name for score in scores for name in score.groups})
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*_PLAIN, *groups])
        for score in scores:
            writer.writerow([*(getattr(score, name) for name in _PLAIN), *(score.groups.get(g, "") for g in groups)])
    return Path(path)


def _refuse_doubles(scores: Sequence[CaseScore]) -> None:
    twice = [name for name, count in Counter((s.case, s.structure) for s in scores).items() if count > 1]
    if twice:
        raise InputError(f"{len(twice)} cases stand twice in the cohort", file=twice[0][0], attribute="case")


def _summary(scores: list[CaseScore], how: Resampling, calibration: Judgement | None) -> StructureSummary:
    subjects = [score.subject for score in scores]
    kinds = Counter(score.kind for score in scores)
    return StructureSummary(
        structure=scores[0].structure,
        patients=len(set(subjects)),
        cases=len(scores),
        kinds={kind: kinds[kind] for kind in Kind},
        metrics={m: mean_over_patients([getattr(s, m) for s in scores], subjects, how) for m in METRICS},
        agreement=_agreement(scores, subjects, how),
        presence=_presence(scores, subjects, how),
        groups=subgroups([s.dice for s in scores], [s.groups for s in scores], subjects=subjects, how=how),
        calibration=calibration,
        cut=cut_words(scores),
    )


def _agreement(scores: list[CaseScore], subjects: list[str], how: Resampling) -> Agreement | None:
    if len(scores) < _FEWEST_PAIRS:
        return None
    return agreement([s.reference_ml for s in scores], [s.predicted_ml for s in scores], subjects=subjects, how=how)


def _presence(scores: list[CaseScore], subjects: list[str], how: Resampling) -> Decisions:
    there = [score.kind in (Kind.BOTH, Kind.MISSED) for score in scores]
    smallest = min((score.predicted_ml for score in scores if score.predicted_ml > 0), default=1.0)
    return decisions(there, [s.predicted_ml for s in scores], subjects=subjects, threshold=smallest, how=how)


def _detections(cohort: Cohort, how: Resampling) -> tuple[Detection, ...]:
    if cohort.scans and not any(lesion for scans in cohort.scans.values() for scan in scans for lesion in scan.lesions):
        raise InputError("no scan has a lesion: there is nothing to find", attribute="lesions")
    return tuple(detection(name, scans, how, cohort.calibration.get(name)) for name, scans in cohort.scans.items())
