"""The first pass: whose files these are, and each patient's vocabulary, gathered over all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slicermedai.deid.context import Context, Contexts
from slicermedai.deid.crowd import Crowd
from slicermedai.deid.dictionary import is_image, tag_of
from slicermedai.deid.documents import is_document
from slicermedai.deid.harvest import Facts, Harvest, joined, read_facts
from slicermedai.deid.names import days_of
from slicermedai.deid.opted_out import COMPARED, PATIENT_KEYS, OptedOut
from slicermedai.deid.owners import Instance, Owners, Told
from slicermedai.deid.people import TAKEN, known_people
from slicermedai.deid.persons import Person, are_several
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey, Pseudonyms
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.sources import origins_of
from slicermedai.deid.table import Table, load_table
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.deid.window import DAMAGE, Origin, unreadable, window_on
from slicermedai.deid.wire import Opened, encoding_of, opened
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import InputError, UnreadableFileError, UnsupportedImageError, WorkerCrashed, from_dict

HELD = 1 << 22
"""Bytes of files that are read at once."""
_DIRECTORY = "1.2.840.10008.1.3.10"
_UID = re.compile(r"[0-9.]{1,64}")
_WANTED = frozenset(
    tag_of(keyword)
    for keyword in (
        *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "BurnedInAnnotation"),
        *COMPARED,
    )
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was left out, and why."""

    path: Path
    error: InputError
    member: str = ""

    @property
    def origin(self) -> Origin:
        """The file, or the member of a zip file."""
        return Origin(self.path, self.member)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patients:
    """What the first pass found: the files, whose they are, and each patient's vocabulary.

    ``days`` are those that an option retains, or that dates are moved to, by owner: (year, month, day). ``people`` are
    the names and birth dates of each owner. ``mixed``, ``joined`` and ``doubted`` are owners of whom it is not sure
    whether they are one patient: :mod:`slicermedai.deid.people` says why.
    """

    table: Table
    settings: DeidSettings
    pseudonyms: dict[str, Pseudonyms]
    vocabularies: dict[str, Vocabulary]
    days: dict[str, frozenset[tuple[int, int, int]]]
    instances: dict[Origin, Instance]
    refused: tuple[Refusal, ...] = ()
    people: dict[str, tuple[Person, ...]] = field(default_factory=dict, repr=False)
    mixed: tuple[str, ...] = field(default=(), repr=False)
    joined: tuple[str, ...] = field(default=(), repr=False)
    doubted: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    order: dict[Origin, int] = field(default_factory=dict)
    _contexts: Contexts = field(default_factory=Contexts, repr=False)
    _everyone: list[Vocabulary] = field(default_factory=list, repr=False)

    @staticmethod
    def gather(files: Sequence[Path], *, profile: Profile, key: ProjectKey, progress: Progress = silent) -> Patients:
        """:meth:`gather_for` with a profile and a key alone."""
        return Patients.gather_for(files, DeidSettings(profile=profile, key=key), progress)

    @staticmethod
    def gather_for(
        files: Sequence[Path | Origin], settings: DeidSettings, progress: Progress = silent, read: Reader | None = None
    ) -> Patients:
        """Read all headers once.

        Parameters
        ----------
        read:
            Reads the headers of files, in order; one after the other where nobody says otherwise.

        Raises
        ------
        UnreadableFileError
            None of the files can be read.
        """
        found = _Gathering(load_table(), settings)
        origins = list(dict.fromkeys(origins_of(files)))
        headers = (read or HeaderReader().each)(origins)
        for number, origin in enumerate(origins):
            progress("collect identity", number / len(origins))
            try:
                found.add(origin, next(headers))
            except WorkerCrashed:
                progress("collect identity", number / len(origins))  # where somebody stopped the job, that is why
                raise
        found.leave_out()
        if not found.instances:
            raise UnreadableFileError(
                "none of the files can be de-identified",
                file=found.refused[0].path if found.refused else None,
                advice=found.refused[0].error.message if found.refused else "Choose a folder with DICOM files.",
            )
        return found.patients({origin: number for number, origin in enumerate(origins, 1)})

    @property
    def profile(self) -> Profile:
        """The Basic profile and its options."""
        return self.settings.profile

    @property
    def files(self) -> tuple[Origin, ...]:
        """The files that can be read, in the order in which they were given."""
        return tuple(self.instances)

    def number(self, origin: Origin) -> int:
        """Position in the input, from 1."""
        return self.order[origin]

    def for_workers(self) -> Patients:
        """The same without what cannot go to another process, or has no business there."""
        plain = replace(self.settings, table=None, exclusion=None, brain_mask=None, deface=False)
        return replace(self, settings=plain, people={}, _contexts=Contexts(), _everyone=[])

    def vocabulary(self, file: Path | Origin) -> Vocabulary:
        """The vocabulary of the patient whose file it is."""
        return self.vocabularies[self.instances[_origin(file)].owner]

    def context(self, file: Path | Origin) -> Context:
        """What the rules need to know about one file; the same object for all that are alike."""
        found = self.instances[_origin(file)]
        key = (found.owner, found.sop_class, found.study, found.syntax)
        return self._contexts.get(key) or self._contexts.keep(key, self._context(found))

    def mask(self, text: str) -> str:
        """``text`` (a file name for one) without anything of any patient's vocabulary."""
        if not self._everyone:
            self._everyone.append(Vocabulary(frozenset().union(*(one.tokens for one in self.vocabularies.values()))))
        return self._everyone[0].scrub(text)

    def _context(self, found: Instance) -> Context:
        pseudonyms = self.pseudonyms[found.owner]
        return Context(
            table=self.table,
            profile=self.profile,
            pseudonyms=pseudonyms,
            vocabulary=self.vocabularies[found.owner],
            patient=pseudonyms.patient(found.owner),
            sop_class=found.sop_class,
            study_uid=found.study,
            days=pseudonyms.shift_days(found.owner),
            dates=self.settings.date_rule,
            ages=self.settings.ages,
            text=self.settings.text,
            encoding=encoding_of(found.syntax),
            kinds=self._contexts.kinds.setdefault((found.owner, found.sop_class), {}),
        )


def _origin(file: Path | Origin) -> Origin:
    return file if isinstance(file, Origin) else Origin(Path(file))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What was read of one file: whose it is and what may be identity, or the error."""

    instance: Instance | None = None
    facts: Facts = field(default_factory=Facts, repr=False)
    error: InputError | None = None

    def __reduce__(self) -> tuple[Callable[..., Header], tuple[Any, ...]]:
        error = self.error.to_dict() if self.error else None
        return _header, (self.instance, self.facts, error)


def _header(instance: Instance | None, facts: Facts, error: dict[str, Any] | None) -> Header:
    failure = from_dict(error) if error else None
    return Header(instance=instance, facts=facts, error=failure if isinstance(failure, InputError) else None)


@dataclass(slots=True, eq=False)
class HeaderReader:
    """Reads headers; what it has told of a patient once, it does not tell again."""

    _told: dict[Told, set[Any]] = field(default_factory=dict)

    def each(self, origins: Iterable[Origin]) -> Iterator[Header]:
        """The headers, in order."""
        return map(self.read, origins)

    def read(self, origin: Origin) -> Header:
        """One header."""
        try:
            with opened_file(origin) as file:
                facts = read_facts(file, load_table(), _WANTED)
            instance = _instance(file, facts)
        except InputError as error:
            return Header(error=_named(error, origin))
        except DAMAGE as error:
            return Header(error=unreadable(origin, error))
        told = self._told.setdefault(instance.header, set())
        facts.values = [value for value in dict.fromkeys(facts.values) if value not in told]
        told.update(facts.values)
        return Header(instance=instance, facts=facts)


Reader = Callable[[Sequence[Origin]], Iterator[Header]]


@dataclass(slots=True, eq=False)
class _Gathering:
    table: Table
    settings: DeidSettings
    harvests: dict[Told, Harvest] = field(default_factory=dict)
    instances: dict[Origin, Instance] = field(default_factory=dict)
    people: dict[Told, dict[tuple[str, str], None]] = field(default_factory=dict)
    owners: Owners = field(init=False)
    refused: list[Refusal] = field(default_factory=list)
    opted_out: OptedOut = field(init=False)
    _joined: dict[frozenset[Told], Harvest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.opted_out = OptedOut(self.settings.exclusion)
        self.owners = Owners(known_people(self.settings))

    def add(self, origin: Origin, header: Header) -> None:
        """Take one file in, or note why not. Also of a refused file, what can be read joins the vocabulary."""
        error = header.error
        if header.instance is not None:
            self._take(header.instance, header.facts)
            error = self._objection(origin, header.instance, header.facts)
        if error is not None:
            self.refused.append(Refusal(origin.path, error, origin.member))
        elif header.instance is not None:
            self.instances[origin] = header.instance

    def leave_out(self) -> None:
        """After the last file: what another file's header tells to be excluded, and who has somebody else's name."""
        found = {o: (why, "exclusion list") for o, why in self.opted_out.others(self.owners, self.instances).items()}
        taken = self.owners.strangers()
        for origin, one in self.instances.items() if taken else ():
            if self.owners.owner(one.header, one.study) in taken:
                found.setdefault(origin, (TAKEN, "PatientID"))
        for origin, (reason, attribute) in found.items():
            del self.instances[origin]
            error = InputError(reason, file=origin.path, attribute=attribute)
            self.refused.append(Refusal(origin.path, error, origin.member))

    def patients(self, order: dict[Origin, int]) -> Patients:
        """What was gathered. Of whoever shares a study, one copy holds the identity of none."""
        key = self.settings.key or ProjectKey.generate()
        near = {owner: self._together(told) for owner, told in self.owners.near().items()}
        crowd = self._crowd()
        made = {id(harvest): harvest.vocabulary(crowd) for harvest in near.values()}
        vocabularies = {owner: made[id(harvest)] for owner, harvest in near.items()}
        pseudonyms = {owner: Pseudonyms(key, v.long_numbers) for owner, v in vocabularies.items()}
        people = {owner: self._people(told) for owner, told in self.owners.own().items()}
        return Patients(
            table=self.table,
            settings=self.settings,
            pseudonyms=pseudonyms,
            vocabularies=vocabularies,
            days={owner: self._days(harvest, pseudonyms[owner], owner) for owner, harvest in near.items()},
            order=order,
            instances={origin: self._owned(instance) for origin, instance in self.instances.items()},
            refused=tuple(self.refused),
            people={owner: tuple(known) for owner, known in people.items()},
            mixed=tuple(owner for owner, known in people.items() if are_several(known)),
            joined=self.owners.joined(),
            doubted=self.owners.doubted(),
        )

    def _crowd(self) -> Crowd | None:
        """What is searched for of every patient in the files of each, where there are several."""
        if len(self.harvests) < 2:
            return None
        found = Crowd()
        for harvest in self.harvests.values():
            found.update(harvest.crowd)
        return found

    def _together(self, told: frozenset[Told]) -> Harvest:
        """One object for all that share it."""
        if told not in self._joined:
            many = [self.harvests[one] for one in told]
            self._joined[told] = many[0] if len(many) == 1 else joined(many)
        return self._joined[told]

    def _people(self, told: frozenset[Told]) -> dict[tuple[str, str], None]:
        return {person: None for one in self.people if one in told for person in self.people[one]}

    def _owned(self, instance: Instance) -> Instance:
        owner = self.owners.owner(instance.header, instance.study)
        return instance if owner == instance.owner else replace(instance, owner=owner)

    def _days(self, harvest: Harvest, pseudonyms: Pseudonyms, owner: str) -> frozenset[tuple[int, int, int]]:
        """Days that the output may show in dates: retained ones, and those that dates are moved to."""
        rule, shift = self.settings.date_rule, pseudonyms.shift_days(owner)
        known = days_of(harvest.tokens) | days_of(harvest.days) if rule.modified == "MODIFIED" else ()
        moved = (rule.apply("DA", f"{y:04d}{m:02d}{d:02d}", shift) for y, m, d in known)
        return days_of(harvest.days) | {(int(t[:4]), int(t[4:6]), int(t[6:8])) for t in moved if t}

    def _take(self, instance: Instance, facts: Facts) -> None:
        person = (facts.text(tag_of("PatientName")), facts.text(tag_of("PatientBirthDate")))
        self.owners.add(instance.header, instance.study, person)
        harvest = self.harvests.setdefault(instance.header, Harvest(self.table, self.settings.profile))
        for value in facts.values:
            harvest.add(*value)
        self.people.setdefault(instance.header, {}).setdefault(person)

    def _objection(self, origin: Origin, instance: Instance, facts: Facts) -> InputError | None:
        """Why a file is refused: it opted out, cannot be de-identified, or is damaged."""
        reason = self.opted_out.add(instance, facts)
        if reason:
            return InputError(reason, file=origin.path, attribute="exclusion list")
        burned = facts.text(tag_of("BurnedInAnnotation")).upper() == "YES" and not is_document(instance.sop_class)
        if burned and self.settings.ocr is None:
            return UnsupportedImageError(
                "says that text is burned into its pixels, and pixels are not cleaned",
                file=origin.path,
                attribute="BurnedInAnnotation",
                advice="Leave it out, or have the text removed first.",
            )
        if is_image(instance.sop_class) and not facts.has_pixels:
            return UnreadableFileError("is an image without pixel data", file=origin.path, attribute="PixelData")
        return None


@contextmanager
def opened_file(origin: Origin, *, whole: bool = False) -> Iterator[Opened]:
    """A DICOM file with its meta information read; ``whole`` reads small ones at once.

    Raises
    ------
    UnreadableFileError, EOFError, OSError, zlib.error
        As in :func:`slicermedai.deid.wire.opened`.
    """
    with origin.open() as stream:
        size = origin.size
        held = size if whole and size <= HELD else 0
        yield opened(window_on(stream, seeks=not origin.member, whole=held), size)


def owner_of(facts: Facts) -> str:
    """What tells patients apart: the Patient ID; name and birth date, or the study, where there is none."""
    identifier = facts.text(tag_of("PatientID"))
    if identifier:
        return identifier
    rest = "|".join(facts.text(tag_of(keyword)) for keyword in PATIENT_KEYS[1:])
    return rest if rest.strip("|") else facts.text(tag_of("StudyInstanceUID"))


def _instance(file: Opened, facts: Facts) -> Instance:
    if file.sop_class == _DIRECTORY:
        raise UnreadableFileError(
            "is a directory of files, and itself no image", attribute="DICOMDIR", advice="Its files are taken."
        )
    uids = {}
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"):
        uids[keyword] = facts.text(tag_of(keyword))
        if not uids[keyword]:
            raise UnreadableFileError("is no instance of a study", attribute=keyword)
    for keyword, value in (("SOPClassUID", uids["SOPClassUID"]), ("TransferSyntaxUID", file.syntax)):
        if not _UID.fullmatch(value):
            raise UnreadableFileError("is no UID", attribute=keyword)
    return Instance(
        owner=owner_of(facts),
        sop_class=uids["SOPClassUID"],
        sop_instance=uids["SOPInstanceUID"],
        study=uids["StudyInstanceUID"],
        series=facts.text(tag_of("SeriesInstanceUID")),
        syntax=file.syntax,
        patient_id=facts.text(tag_of("PatientID")),
        issuer=facts.text(tag_of("IssuerOfPatientID")),
    )


def _named(error: InputError, origin: Origin) -> InputError:
    return type(error)(error.message, file=origin.path, attribute=error.attribute, advice=error.advice)
