"""Lesion detection over all scans of a cohort, as the validation report shows it, and as tables."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.confidence.calibrate import Judgement
from slicermedai.domain.storage import atomic_file
from slicermedai.validate.decisions import decisions
from slicermedai.validate.froc import Froc, Outcome, Scan, cpm, froc, matched, outcomes
from slicermedai.validate.resampling import Estimate, Resampling
from slicermedai.validate.subgroups import Subgroup, by_subgroup

_NOTHING = -1.0
"""The score of a scan in which nothing was found: below all others."""
_JUDGED = frozenset({Outcome.HIT, Outcome.FALSE_ALARM})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """How well one kind of lesion is found. ``curve`` and ``cpm`` are None where no scan has one that counts: there is
    no sensitivity then. ``presence`` is the AUC of a scan's highest score, of hits and false alarms, for whether it
    has a lesion; scans that have excluded lesions alone are left out of it.
    """

    structure: str
    scans: int
    patients: int
    lesions: int
    excluded: int
    outcomes: dict[Outcome, int]
    curve: Froc | None
    cpm: Estimate | None
    presence: Estimate | None
    groups: tuple[Subgroup, ...]
    calibration: Judgement | None = None


def detection(name: str, scans: Sequence[Scan], how: Resampling, calibration: Judgement | None = None) -> Detection:
    """Summarise all scans of a cohort, those without lesions among them."""
    subjects = [scan.subject for scan in scans]
    found = [matched(scan) for scan in scans]
    wanted = sum(one.lesions for one in found)
    counts = Counter(outcome for scan in scans for outcome in outcomes(scan))
    return Detection(
        structure=name,
        scans=len(scans),
        patients=len(set(subjects)),
        lesions=wanted,
        excluded=sum(len(scan.lesions) for scan in scans) - wanted,
        outcomes={outcome: counts[outcome] for outcome in Outcome},
        curve=froc(found) if wanted else None,
        cpm=cpm(scans, how=how) if wanted else None,
        presence=_presence(scans, how),
        groups=by_subgroup(
            lambda cases: _cpm([scans[n] for n in cases], how), [scan.groups for scan in scans], subjects=subjects
        ),
        calibration=calibration,
    )


def write_scans(scans: Mapping[str, Sequence[Scan]], path: Path) -> Path:
    """All scans as CSV, one line for each and each kind of lesion; groups are columns."""
    groups = sorted({name for own in scans.values() for scan in own for name in scan.groups})
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        heads = ["case", "subject", "structure", "lesions", "found", "excluded", "candidates", "false_alarms", *groups]
        writer.writerow(heads)
        for name, own in scans.items():
            for scan in own:
                writer.writerow([*_row(name, scan), *(scan.groups.get(group, "") for group in groups)])
    return Path(path)


def write_candidates(scans: Mapping[str, Sequence[Scan]], path: Path) -> Path:
    """All candidates as CSV, the surest of a scan first: where (LPS mm), how sure, and what became of each."""
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "subject", "structure", "left", "posterior", "superior", "score", "outcome"])
        for name, own in scans.items():
            for scan in own:
                pairs = sorted(zip(scan.candidates, outcomes(scan), strict=True), key=lambda pair: -pair[0].score)
                writer.writerows([scan.case, scan.subject, name, *c.position, c.score, o] for c, o in pairs)
    return Path(path)


def _row(name: str, scan: Scan) -> tuple[object, ...]:
    one = matched(scan)
    excluded = len(scan.lesions) - one.lesions
    numbers = (one.lesions, one.hits.size, excluded, len(scan.candidates), one.false_alarms.size)
    return scan.case, scan.subject, name, *numbers


def _presence(scans: Sequence[Scan], how: Resampling) -> Estimate | None:
    """None where all scans have lesions that count, or none has."""
    judged = [scan for scan in scans if _counts(scan) or not scan.lesions]
    there = [_counts(scan) for scan in judged]
    highest = [_highest(scan) for scan in judged]
    return decisions(there, highest, subjects=[scan.subject for scan in judged], threshold=0.0, how=how).auc


def _counts(scan: Scan) -> bool:
    return any(not lesion.excluded for lesion in scan.lesions)


def _highest(scan: Scan) -> float:
    """The highest score of a scan: what lies in an excluded lesion is neither right nor wrong."""
    pairs = zip(scan.candidates, outcomes(scan), strict=True)
    return max((one.score for one, outcome in pairs if outcome in _JUDGED), default=_NOTHING)


def _cpm(scans: Sequence[Scan], how: Resampling) -> Estimate | None:
    return cpm(scans, how=how) if any(_counts(scan) for scan in scans) else None
