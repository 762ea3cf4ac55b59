"""What the report of a de-identification says: everything in it is pseudonymous, counted, or said by a rule."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicermedai
from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.dictionary import hexadecimal, tag_of
from slicermedai.deid.profile import BASIC, Option, Profile
from slicermedai.deid.reasons import reason
from slicermedai.deid.request import choice_of
from slicermedai.deid.risk import RiskReport
from slicermedai.deid.settings import DeidOutcome, DeidSettings, FileRow, Missed, ReviewItem
from slicermedai.deid.survey import SeriesLeft, survey
from slicermedai.deid.table import load_table
from slicermedai.deid.text_rule import TextRule
from slicermedai.domain.result import Deidentification
from slicermedai.jobs.specs import DeidJob

_DATES = {
    DateRule.REMOVE: "removed, emptied, or replaced by 1900-01-01",
    DateRule.SHIFT: "moved by whole days, by as many for all of a patient",
    DateRule.YEAR_ONLY: "the year alone is kept",
    DateRule.KEEP: "kept",
}
_AGES = {AgeRule.AS_IT_IS: "as they are, where they are kept", AgeRule.CAP: "those over 89 become 90"}
_TEXT = {TextRule.SCRUB: "identity in it is masked, where it is kept", TextRule.REMOVE: "removed whole"}
_LISTED = re.compile(r"exclusion list \(line (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What was done to one attribute, how often, in how many files, and by which rule."""

    attribute: str
    tag: str
    action: str
    elements: int
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that was not written: its number in the input, which stands for its name too, and why.

    ``asked_for`` is True where nothing is amiss: the exclusion list has it, or it is a directory of other files.
    """

    number: int
    source: str
    reason: str
    quarantined: bool
    asked_for: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A file with burned-in text that nobody could classify: its name in the output, how many pieces, what was done.

    ``number`` is its position in the input; its pictures are named by it.
    """

    output: str
    pieces: int
    removed: int
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionUse:
    """The profile, or one of its options: whether it was asked for, and how many written files carry its code."""

    code: str
    meaning: str
    asked_for: bool
    files: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeidFacts:
    """All that ``report.html`` and ``report.json`` are written from; ``choices`` are (what, chosen) in words."""

    record: Deidentification
    profile: Profile
    choices: tuple[tuple[str, str], ...]
    options: tuple[OptionUse, ...]
    table: str
    fingerprint: str
    files: tuple[FileRow, ...]
    series: tuple[SeriesLeft, ...]
    treatments: tuple[Treatment, ...]
    left_out: tuple[LeftOut, ...]
    doubts: tuple[Doubt, ...]
    excluded_files: int
    excluded_entries: int
    verified: int
    risk: RiskReport
    profile_dates: DateRule
    program: str
    started: str
    finished: str
    missed: tuple[Missed, ...] = ()

    @property
    def quarantined(self) -> int:
        """Files in whose copies the verifier found identity."""
        return sum(file.quarantined for file in self.left_out)

    @property
    def patients(self) -> int:
        """Patients of whom something was written."""
        return len({one.patient for one in self.series if one.files})


def facts_of(
    job: DeidJob, outcome: DeidOutcome, folder: Path, *, settings: DeidSettings, times: tuple[str, str]
) -> DeidFacts:
    """The facts of a job that left its copies in ``folder``, between two ``times``.

    Raises
    ------
    UnreadableFileError
        A copy cannot be read.
    """
    series, risk = survey(outcome.files, folder, dates=settings.date_rule)
    left_out = tuple(_left_out(row) for row in outcome.files if row.refused)
    lines = [found[1] for one in left_out if (found := _LISTED.search(one.reason))]
    return DeidFacts(
        record=outcome.record,
        profile=settings.profile,
        choices=tuple(_choices(job, settings, outcome.missed)),
        options=tuple(_option_uses(outcome.files, settings.profile)),
        table=load_table().title,
        fingerprint=outcome.fingerprint if job.key else "",
        files=outcome.files,
        series=series,
        treatments=tuple(_treatments(outcome.files, settings.profile)),
        left_out=left_out,
        doubts=tuple(map(_doubt, outcome.review)),
        excluded_files=len(lines),
        excluded_entries=len(set(lines)),
        verified=sum(bool(row.output) or row.quarantined for row in outcome.files),
        risk=risk,
        profile_dates=settings.date_rule,
        program=f"SlicerMedAI {slicermedai.__version__}",
        started=times[0],
        finished=times[1],
        missed=outcome.missed,
    )


def _choices(job: DeidJob, settings: DeidSettings, missed: tuple[Missed, ...]) -> list[tuple[str, str]]:
    undone = {one.code: f"asked for, not done in {one.files} of {one.of} files" for one in missed}
    text, faces = Option.CLEAN_PIXEL_DATA.value, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES.value
    return [
        ("Preset", choice_of(job).preset.title),
        ("Dates", _DATES[settings.date_rule]),
        ("Ages", _AGES[settings.ages]),
        ("Free text", _TEXT[settings.text]),
        ("Burned-in text", undone.get(text) or ("searched" if settings.ocr is not None else "not searched")),
        ("Decisions on doubtful text", f"{len(settings.decisions)} given" if settings.decisions else "none given"),
        ("Faces of head CT and MR", undone.get(faces) or ("removed" if settings.deface else "kept")),
        ("Project key", "one of its own, kept by whoever ran this" if job.key else "made for this job and not kept"),
        ("Re-identification table", "kept, encrypted, elsewhere" if job.table else "none"),
        ("Exclusion list", "checked before anything was written" if job.exclude else "none"),
    ]


def _option_uses(rows: tuple[FileRow, ...], profile: Profile) -> list[OptionUse]:
    claimed = Counter(code for row in rows if row.output for code in row.claimed)
    codes = [(BASIC, True), *((option.code, option in profile.options) for option in Option)]
    return [
        OptionUse(code=code.value, meaning=code.meaning, asked_for=wanted, files=claimed[code.value])
        for code, wanted in codes
    ]


def _treatments(rows: tuple[FileRow, ...], profile: Profile) -> list[Treatment]:
    elements: Counter[tuple[str, str]] = Counter()
    files: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.output:
            elements.update(row.done)
            files.update(row.done.keys())
    return [
        Treatment(
            attribute=label,
            tag=_tag(label),
            action=action,
            elements=count,
            files=files[label, action],
            reason=reason(label, action, profile),
        )
        for (label, action), count in sorted(elements.items(), key=lambda item: (_tag(item[0][0]), item[0]))
    ]


def _tag(label: str) -> str:
    if label.startswith("("):
        return label
    try:
        return hexadecimal(tag_of(label))
    except KeyError:
        return ""


def _left_out(row: FileRow) -> LeftOut:
    asked_for = bool(_LISTED.search(row.refused) or "DICOMDIR" in row.refused)
    return LeftOut(
        number=row.number, source=row.shown, reason=row.refused, quarantined=row.quarantined, asked_for=asked_for
    )


def _doubt(item: ReviewItem) -> Doubt:
    boxes: tuple[Any, ...] = item.verdict.review
    removed = sum(box in item.verdict.removed for box in boxes)
    return Doubt(output=item.output, pieces=len(boxes), removed=removed, number=item.number)
