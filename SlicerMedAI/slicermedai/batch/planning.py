"""What would be run and what not, and why: made before anything runs, and shown to a person."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.batch.choosing import Choice, choose
from slicermedai.batch.listing import Source, list_studies, stray
from slicermedai.batch.reasons import reason_of
from slicermedai.batch.rules import SeriesRules
from slicermedai.batch.settings import Settings
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.dicom.sorting import StudyFiles
from slicermedai.domain.cells import csv_text
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.storage import write_text
from slicermedai.domain.words import Words
from slicermedai.errors import InputError, MedAIError

if TYPE_CHECKING:
    from slicermedai.batch.cohort import Case

COLUMNS = (
    "study",
    "state",
    "why",
    "series",
    "number",
    "description",
    "modality",
    "slices",
    "thickness_mm",
    "kernel",
    "taken_as",
    "reason",
)
"""Of the preview's table, a row for each series; studies without one have a row too. ``number`` is what ``why`` calls
a series.
"""

_OF_ONE = ("IssuerOfPatientID", "PatientBirthDate")


class Fate(Words):
    """What the plan says of a study."""

    WAITING = "waiting"
    REFUSED = "refused"
    EXCLUDED = "excluded"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One study of the plan. ``key`` names study, model and the very images that are read."""

    choice: Choice
    bundle: str
    fate: Fate
    reason: str
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same study with the same images is never another case."""
        images = (f"{image.name} {image.digest}" for image in self.choice.images)
        return hashlib.sha256("\n".join((self.choice.study_uid, self.bundle, *images)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The plan of a cohort: every study that was found, in the order of patient and date. It is patient data."""

    planned: tuple[Planned, ...]
    rules: SeriesRules
    others: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Fate -> how many studies."""
        return dict(Counter(str(one.fate) for one in self.planned))

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each series, with what it was taken for or why it was not; studies are numbered from 1."""
        return [row for number, one in enumerate(self.planned, 1) for row in _rows(number, one)]

    def to_csv(self) -> str:
        """:meth:`to_rows` as CSV."""
        return csv_text(COLUMNS, self.to_rows())

    def write(self, path: Path) -> Path:
        """Write :meth:`to_csv`, whole or not at all."""
        return write_text(path, self.to_csv())


def plan(source: Source, rules: SeriesRules, settings: Settings, *, progress: Progress = silent) -> Preview:
    """Read all headers of ``source`` and choose; nothing is run and nothing is written.

    Raises
    ------
    InputError, NoImagesError, UnreadableFileError
        ``source`` or the list of people who opted out cannot be read. What is wrong with one study refuses that study.
    """
    exclusions = settings.exclusions()
    listed = list_studies(source, progress=progress)
    choices: list[Choice] = []
    for index, study in enumerate(listed.studies):
        progress("choose", index / len(listed.studies))
        choices.append(_chosen(study, rules, settings))
    choices += [*listed.plain, *map(stray, listed.strays)]
    ordered = sorted(choices, key=lambda one: (str(one.who.get("PatientID", "")), one.study_time, one.study_uid))
    planned = [_planned(one, settings, exclusions) for one in ordered]
    return Preview(planned=tuple(_by_patient(planned, rules.same_patient)), rules=rules, others=listed.others)


def why_excluded(one: Choice | Case, exclusions: ExclusionList | None) -> str:
    """Why somebody is not run, in words without identity; "" where nothing speaks against it.

    What any series of the study says counts. Where a list must be kept and nothing says whose it is, it is not run.
    """
    if exclusions is None:
        return ""
    people = (one.who, *one.also)
    items = (item for who in people for item in who.items())
    if not any(part for name, value in items if name != "StudyInstanceUID" for part in _several(value)):
        return "nothing says whose it is, and people opted out"
    return _listed(one, exclusions)


def _listed(one: Choice | Case, exclusions: ExclusionList) -> str:
    return next(filter(None, map(exclusions.matches, (one.who, *one.also))), "")


def _several(value: Any) -> list[str]:
    return [str(part).strip() for part in (value if isinstance(value, list) else [value])]


def _chosen(study: StudyFiles, rules: SeriesRules, settings: Settings) -> Choice:
    """What is wrong with one study refuses that study."""
    try:
        return choose(study, rules, tilt=settings.tilt)
    except MedAIError as error:
        told = reason_of(error, study.files)
        return Choice(study_uid=study.uid, study_time="", who={"PatientID": ""}, refused=told)


def _planned(choice: Choice, settings: Settings, exclusions: ExclusionList | None) -> Planned:
    bundle = choice.bundle or settings.bundle
    if not bundle and not choice.refused:
        raise InputError("no model: neither the cohort nor the rule names one", attribute="bundle")
    listed = _listed(choice, exclusions) if exclusions else ""
    excluded = listed if choice.refused else why_excluded(choice, exclusions)
    fate = Fate.EXCLUDED if excluded else Fate.REFUSED if choice.refused else Fate.WAITING
    return Planned(choice=choice, bundle=bundle, fate=fate, reason=excluded or choice.refused, notes=choice.notes)


def _by_patient(planned: Sequence[Planned], policy: str) -> Iterator[Planned]:
    """Several studies of one patient that could be run: kept and noted, or one of them, or none."""
    groups: dict[str, list[Planned]] = {}
    for one in planned:
        patient = str(one.choice.who.get("PatientID", ""))
        if one.fate is Fate.WAITING and patient:
            groups.setdefault(patient, []).append(one)
    for one in planned:
        group = groups.get(str(one.choice.who.get("PatientID", "")), [])
        yield _in_group(one, group, policy) if len(group) > 1 and one in group else one


def _in_group(one: Planned, group: Sequence[Planned], policy: str) -> Planned:
    told = f"one of {len(group)} studies of one patient"
    odd = apart(other.choice.who for other in group)
    if odd:
        told = f"one of {len(group)} studies of one PatientID that differ in {odd}, and may be of several people"
        return replace(one, notes=(*one.notes, told)) if policy == "keep" else _refused(one, told)
    if policy == "refuse":
        return _refused(one, told)
    if policy != "keep" and (doubt := _doubt(group, policy)):
        return _refused(one, f"{told}: {doubt}")
    wanted = {"first": group[0], "last": group[-1]}.get(policy, one)
    if one is not wanted:
        return replace(one, fate=Fate.SUPERSEDED, reason=f"{told}: the {policy} one is taken")
    return replace(one, notes=(*one.notes, told))


def _refused(one: Planned, reason: str) -> Planned:
    return replace(one, fate=Fate.REFUSED, reason=reason)


def apart(people: Iterable[Mapping[str, Any]]) -> str:
    """In what those who have one Patient ID differ though one person has one of it; "" where nothing contradicts.

    Names do not tell: they are written in many ways, and change.
    """
    known = list(people)
    return next((key for key in _OF_ONE if len({str(who.get(key, "")) for who in known} - {""}) > 1), "")


def _doubt(group: Sequence[Planned], policy: str) -> str:
    """Why it cannot be told which of them, in the order of their times, is the first or last; "" where it can."""
    times = [one.choice.study_time for one in group]
    if not all(times):
        return f"StudyDate is missing in {times.count('')} of them, so none can be called the {policy} one"
    one, two = times[:2] if policy == "first" else times[-2:]
    if one.startswith(two) or two.startswith(one):
        return f"StudyDate and StudyTime of two do not differ, so none can be called the {policy} one"
    return ""


def _rows(number: int, one: Planned) -> Iterator[dict[str, Any]]:
    common = dict.fromkeys(COLUMNS, "") | {"study": number, "state": str(one.fate), "why": one.reason}
    for judged in one.choice.judged:
        taken = judged.taken_as is not None
        yield common | {
            "series": judged.series,
            "number": judged.number,
            "description": judged.words,
            "modality": judged.modality,
            "slices": judged.slices,
            "thickness_mm": "" if judged.thickness_mm is None else judged.thickness_mm,
            "kernel": judged.kernel,
            "taken_as": (judged.taken_as or "image") if taken else "",
            "reason": judged.reason,
        }
    if not one.choice.judged:
        yield common


def words_of(counts: dict[str, int]) -> str:
    """ "7 waiting, 2 refused"."""
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"


def bundles_of(planned: Iterable[Planned]) -> tuple[str, ...]:
    """The models that a plan needs, each once."""
    return tuple(dict.fromkeys(one.bundle for one in planned if one.fate is Fate.WAITING))
