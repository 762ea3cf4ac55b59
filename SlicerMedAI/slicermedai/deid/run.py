"""De-identification of a set of files: the interface, whatever engine does the work behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.deid.free_rules import describe_text, text_not_done
from slicermedai.deid.journal import Journal
from slicermedai.deid.missed import about_text, missed_steps
from slicermedai.deid.naming import target_names
from slicermedai.deid.patients import Patients
from slicermedai.deid.people import about_people, fill_table, fingerprint_of
from slicermedai.deid.pixel_step import Faces
from slicermedai.deid.profile import STEPS, Option, Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.reasons import reason
from slicermedai.deid.rules import describe_rules
from slicermedai.deid.settings import DeidOutcome, DeidSettings, FileRow, Missed, ReviewItem
from slicermedai.deid.text_rule import TextRule
from slicermedai.deid.window import Origin
from slicermedai.deid.work import Done, Step, Task, Workers, verify, workers, write
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import AttributeChange, Deidentification
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import MedAIError, UnreadableFileError, WorkerCrashed

__all__ = [
    "DeidOutcome",
    "DeidSettings",
    "FileRow",
    "ReviewItem",
    "deidentify",
    "deidentify_all",
    "deidentify_strictly",
    "describe",
]


def deidentify(
    files: Sequence[Path],
    folder: Path,
    *,
    profile: Profile | None = None,
    key: ProjectKey | None = None,
    progress: Progress = silent,
) -> Deidentification:
    """Write de-identified copies of ``files`` as ``folder/00001.dcm`` and so on (PS3.15 Annex E).

    Two passes: the first collects each patient's identity from all files, the second rewrites them one by one.
    Afterwards an independent reader searches what was written. Pixel data stay byte for byte. Files that cannot be
    read or written, or that say themselves that text is burned in, are left out and named in ``refused``.

    Parameters
    ----------
    files:
        DICOM files, of one or more patients and studies, or zip files of them.
    folder:
        Made by this call; it must not exist, or be empty.
    profile:
        The Basic profile without options where none is given.
    key:
        Secret of the project; without it a key for this call alone, which nobody keeps.

    Raises
    ------
    UnreadableFileError
        None of the files could be de-identified.
    IdentityError
        The verifier found identity in what was written; the output is removed.
    ResultExistsError, OutputError, DiskFullError
        ``folder`` cannot be made.
    """
    return deidentify_strictly(
        files, folder, DeidSettings(profile=profile or Profile(), key=key), progress=progress
    ).record


def deidentify_strictly(
    files: Sequence[Path | Origin], folder: Path, settings: DeidSettings, *, progress: Progress = silent
) -> DeidOutcome:
    """As :func:`deidentify`, with all settings: one copy in which identity is found, and there is no output at all."""
    with atomic_folder(Path(folder)) as partial:
        return _Run(files, partial, settings, progress, strict=True).outcome()


def deidentify_all(
    files: Sequence[Path | Origin], folder: Path, settings: DeidSettings, *, progress: Progress = silent
) -> DeidOutcome:
    """Write de-identified copies of ``files`` into ``folder``, and say for each file what was done.

    As :func:`deidentify`, but a copy in which the verifier finds identity is removed and named in
    :attr:`DeidOutcome.quarantined`, and the others stay.

    Raises
    ------
    UnreadableFileError
        None of the files could be de-identified.
    ResultExistsError, OutputError, DiskFullError
        ``folder`` cannot be made.
    """
    with atomic_folder(Path(folder)) as partial:
        return deidentify_into(files, partial, settings, progress=progress)


def deidentify_into(
    files: Sequence[Path | Origin],
    folder: Path,
    settings: DeidSettings,
    *,
    progress: Progress = silent,
    journal: Journal | None = None,
) -> DeidOutcome:
    """As :func:`deidentify_all`, into a folder that exists already.

    Each file is written beside its place and renamed, and with the same key, files and settings a second run writes
    the same bytes: one that was killed can simply be run again, and with its ``journal`` goes on where it was.
    """
    run = _Run(files, Path(folder), settings, progress, strict=False)
    run.journal = journal or run.journal
    return run.outcome()


def describe(profile: Profile | None = None, text: TextRule = TextRule.SCRUB) -> list[str]:
    """What is done under ``profile``, in sentences, from the rules themselves."""
    chosen, masked = profile or Profile(), describe_text(TextRule.SCRUB)
    rules = [line for line in describe_rules(chosen) if text is TextRule.SCRUB or line not in masked]
    about_text = [] if text is TextRule.SCRUB else describe_text(text)
    return [f"Applied: {', '.join(code.meaning for code in chosen.claims())}.", *rules, *about_text]


def not_done(
    profile: Profile | None = None, done: frozenset[Option] = frozenset(), text: TextRule = TextRule.SCRUB
) -> list[str]:
    """What is not done under ``profile`` where the steps ``done`` ran, in sentences."""
    chosen = (profile or Profile()).options
    options = [option.code.meaning for option in Option if option not in chosen]
    sentences = [
        sentence for option, sentence in _NOT_DONE.items() if option not in (chosen if option in _TABLE else done)
    ]
    sentences += text_not_done(text)
    return [*sentences, *([f"Options that were not applied: {', '.join(options)}."] if options else [])]


_NOT_DONE = {
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: "Faces were not removed: a head can be recognised from its surface.",
    Option.CLEAN_PIXEL_DATA: "Text burned into the pixels was not searched for.",
    Option.RETAIN_SAFE_PRIVATE: "The list of safe private attributes was not used: all private attributes were "
    "removed.",
}
_TABLE = frozenset({Option.RETAIN_SAFE_PRIVATE})


_BATCH = 256


class _Run:
    """One set of files on its way."""

    def __init__(
        self,
        files: Sequence[Path | Origin],
        folder: Path,
        settings: DeidSettings,
        progress: Progress,
        *,
        strict: bool,
    ) -> None:
        self.folder, self.progress, self.strict = folder, progress, strict
        self.settings = settings if settings.key else replace(settings, key=ProjectKey.generate())
        self.files = files
        self.patients: Patients
        self.faces: Faces
        self.rows: list[FileRow] = []
        self.verdicts: dict[Origin, Any] = {}
        self._names: dict[tuple[str, str, str], tuple[str, str, str]] = {}
        self.journal = Journal()
        self._tallies: dict[frozenset[tuple[tuple[str, str], int]], Counter[tuple[str, str]]] = {}

    def outcome(self) -> DeidOutcome:
        """Write, verify, and report."""
        with workers(self.settings.processes) as crew:
            self.patients = Patients.gather_for(self.files, self.settings, self.progress, crew.headers)
            self.rows, self.faces = list(self._first_rows()), Faces(self.patients)
            crew.equip(self.patients)
            written = self._written(crew)
            if not written:
                refused = next((row.refused for row in self.rows if row.refused), "")
                raise UnreadableFileError(
                    "none of the files can be de-identified", file=self.patients.files[0].path, advice=refused
                )
            kept = self._verified(crew, written)
        fill_table(self.settings, self.patients, [task.origin for task in kept])
        rows = tuple(sorted(self.rows, key=lambda row: row.number))
        missed = tuple(missed_steps(self.settings, kept, self.faces))
        return DeidOutcome(
            record=self._record(kept, missed),
            missed=missed,
            files=rows,
            review=tuple(self._review(kept)),
            fingerprint=fingerprint_of(self.settings),
        )

    def _first_rows(self) -> Iterator[FileRow]:
        """What the first pass refused."""
        for refusal in self.patients.refused:
            yield FileRow(
                number=self.patients.number(refusal.origin),
                source=self.patients.mask(refusal.origin.name),
                refused=_sentence(refusal.error),
            )

    def _written(self, crew: Workers) -> list[Task]:
        """Where faces are looked for in batches, so that they are not held for all files."""
        places = [Task(origin=origin, target=self.folder / name) for origin, name in target_names(self.patients)]
        written = []
        batch = _BATCH if self.settings.deface else len(places)
        for first in range(0, len(places), batch):
            span = (first, len(places))
            tasks = list(self._decided(places[first : first + batch], span))
            for task, done in self._each(crew, write, tasks, ("de-identify", *span)):
                failure = done.failure()
                if failure is not None:
                    self._refuse(task.origin, failure)
                    continue
                task = replace(task, face=None, claimed=done.claimed)
                if done.verdict is None:  # what it found must be found again
                    self.journal.wrote(task, done)
                else:
                    self.verdicts[task.origin] = done.verdict
                written.append(task)
                self.rows.append(self._row(task, done))
        return written

    def _decided(self, places: list[Task], span: tuple[int, int]) -> Iterator[Task]:
        """The tasks with the faces in their pixels, which are looked for in this process: a model needs all of it."""
        for number, place in enumerate(places, span[0]):
            task = self.journal.resumed(place)
            if task.known is not None or not self.settings.deface:
                yield task
                continue
            self.progress("de-identify", number / span[1])
            try:
                yield replace(task, face=self.faces.edit(task.origin))
            except MedAIError as error:
                self._refuse(task.origin, error)

    def _review(self, kept: list[Task]) -> Iterator[ReviewItem]:
        """The files with text that nobody could classify."""
        for task in kept:
            verdict, origin = self.verdicts.get(task.origin), task.origin
            if verdict is not None:
                yield ReviewItem(
                    number=self.patients.number(origin),
                    source=origin.path,
                    member=origin.member,
                    output=self._name(task),
                    verdict=verdict,
                )

    def _verified(self, crew: Workers, tasks: list[Task]) -> list[Task]:
        kept = []
        for task, done in self._each(crew, verify, tasks, ("verify", 0, len(tasks))):
            failure = done.failure()
            if failure is None:
                kept.append(task)
                self.journal.checked(task)
            elif self.strict:
                raise failure
            else:
                self._quarantine(task.origin, failure)
        return kept

    def _each(
        self, crew: Workers, step: Step, tasks: list[Task], part: tuple[str, int, int]
    ) -> Iterator[tuple[Task, Done]]:
        """``part``: the stage, how many files were done before, and how many there are."""
        stage, first, total = part
        results = crew.each(step, tasks)
        for number, task in enumerate(tasks, first):
            self.progress(stage, number / total)
            try:
                done = next(results)
            except WorkerCrashed:
                self.progress(stage, number / total)  # where somebody stopped the job, that is why
                raise
            yield task, done

    def _row(self, task: Task, done: Done) -> FileRow:
        instance = self.patients.instances[task.origin]
        patient, study, series = self._series(instance.owner, instance.study, instance.series)
        alike = self._tallies.setdefault(frozenset(done.tally.items()), done.tally)
        return FileRow(
            number=self.patients.number(task.origin),
            patient=patient,
            study=study,
            series=series,
            source=self.patients.mask(task.origin.name),
            output=self._name(task),
            sop_class=instance.sop_class,
            done=alike,
            claimed=tuple(code.value for code in self.settings.profile.claims(task.claimed)),
        )

    def _name(self, task: Task) -> str:
        return task.target.as_posix().removeprefix(f"{self.folder.as_posix()}/")

    def _series(self, owner: str, study: str, series: str) -> tuple[str, str, str]:
        """Pseudonym, and the UIDs of study and series that the copies have; the same for all files of a series."""
        found = self._names.get((owner, study, series))
        if found is None:
            pseudonyms = self.patients.pseudonyms[owner]
            kept = Option.RETAIN_UIDS in self.settings.profile.options
            uids = (study, series) if kept else (pseudonyms.uid(study), pseudonyms.uid(series))
            found = self._names[owner, study, series] = (pseudonyms.patient(owner), *uids)
        return found

    def _refuse(self, origin: Origin, error: MedAIError) -> None:
        self.rows.append(
            FileRow(
                number=self.patients.number(origin),
                source=self.patients.mask(origin.name),
                sop_class=self.patients.instances[origin].sop_class,
                refused=_sentence(error),
            )
        )

    def _quarantine(self, origin: Origin, error: MedAIError) -> None:
        number = self.patients.number(origin)
        self.rows = [
            replace(row, output="", claimed=(), refused=_sentence(error), quarantined=True)
            if row.number == number
            else row
            for row in self.rows
        ]

    def _record(self, kept: list[Task], missed: tuple[Missed, ...]) -> Deidentification:
        changed: Counter[tuple[str, str]] = Counter()
        for row in self.rows:
            if not row.refused:
                changed.update(row.done)
        by_action: Counter[str] = Counter()
        for (_, action), count in changed.items():
            by_action[action] += count
        files, claims = len(kept), Counter(option for task in kept for option in task.claimed)
        done = frozenset(option for option, count in claims.items() if count == files)
        return Deidentification(
            method=f"Basic Application Confidentiality Profile, {self.patients.table.title}",
            codes=self.settings.profile.claims(done),
            files=files,
            elements_removed=by_action["X"],
            elements_replaced=by_action["Z"] + by_action["D"] + by_action["C"],
            uids_replaced=by_action["U"],
            done=tuple(describe(self.settings.profile, self.settings.text)),
            not_done=tuple([*(one.sentence for one in missed), *self._about_text(kept), *self._not_done(done)]),
            refused=tuple(f"{row.shown}: {row.refused}" for row in self.rows if row.refused),
            changes=tuple(
                AttributeChange(
                    attribute=label, action=action, elements=count, reason=reason(label, action, self.settings.profile)
                )
                for (label, action), count in sorted(changed.items())
            ),
            verified=files,
            fingerprint=fingerprint_of(self.settings),
        )

    def _about_text(self, kept: list[Task]) -> list[str]:
        found = (self.verdicts.get(task.origin) for task in kept)
        return about_text(self.settings, kept, sum(verdict is not None and verdict.unread for verdict in found))

    def _not_done(self, done: frozenset[Option]) -> list[str]:
        used = {id(vocabulary): vocabulary.left_out for vocabulary in self.patients.vocabularies.values()}
        left_out = sum(used.values())
        guard = f"{left_out} short or common pieces of the identity were not searched for in other text."
        asked = {_NOT_DONE[option] for option in self.settings.profile.options & STEPS}  # said by what was missed
        told = [s for s in not_done(self.settings.profile, done, self.settings.text) if s not in asked]
        return [*told, *([guard] if left_out else []), *about_people(self.patients)]


def _sentence(error: MedAIError) -> str:
    """Reason and attribute."""
    return f"{error.message} ({error.attribute})" if error.attribute else error.message
