"""What would happen to a set of files, without writing anything: by attribute, by patient, and value by value.

Values before are patient data. They are handed to whoever asks for them, for a screen, and are neither written nor
logged here.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement

from slicermedai.deid.datasets import PYDICOM_DAMAGE, as_found
from slicermedai.deid.dictionary import label_of
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.reasons import reason
from slicermedai.deid.rewrite import Patients, rewrite_to
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.window import Origin
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import InputError

_HEAD = 1 << 22
"""Bytes of a rewritten file that are looked at: the header, not the pixels."""
_LONG = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One attribute.

    Parameters
    ----------
    keyword:
        DICOM keyword; "PrivateAttributes" for all private ones, "(gggg,eeee)" for unknown ones.
    action:
        X removed, Z emptied, D replaced by a dummy or pseudonym, U new UID, C identity masked, or a date moved.
    count:
        How many elements, over all files and depths.
    reason:
        Which rule does it.
    """

    keyword: str
    action: str
    count: int
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRow:
    """One element that would change.

    Parameters
    ----------
    path:
        Keywords from the top level down, as "RequestAttributesSequence[0].RequestedProcedureID"; private attributes
        as "(gggg,eeee)".
    before, after:
        Values as text, long ones cut; "" for an empty value, None where the element is not there. ``before`` is
        patient data.
    """

    path: str
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """One patient: the pseudonym, and how many files, studies and series there are."""

    pseudonym: str
    files: int
    studies: int
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A file that would be left out: its number in the input, its name with identity masked, and why."""

    number: int
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preview:
    """What would be done."""

    rows: tuple[PreviewRow, ...]
    patients: tuple[PatientRow, ...]
    refused: tuple[RefusedRow, ...]
    _gathered: Patients = field(repr=False)

    @property
    def files(self) -> tuple[Origin, ...]:
        """The files that would be written, by their place in the input."""
        return self._gathered.files

    def examples(self) -> tuple[Origin, ...]:
        """The first file of each series."""
        found: dict[tuple[str, str], Origin] = {}
        for origin, instance in self._gathered.instances.items():
            found.setdefault((instance.study, instance.series), origin)
        return tuple(found.values())

    def values(self, file: Origin | Path) -> list[ValueRow]:
        """Every element of one file that would change, before and after; patient data.

        Without a project key pseudonyms and UIDs are other ones than those of the run will be. Text and faces in
        pixels are not looked at.

        Raises
        ------
        UnreadableFileError
            The file cannot be read to its end.
        """
        origin = file if isinstance(file, Origin) else Origin(Path(file))
        return list(_changes(_before(origin), _after(origin, self._gathered)))


def look(files: Sequence[Path | Origin], settings: DeidSettings, *, progress: Progress = silent) -> Preview:
    """What :func:`slicermedai.deid.run.deidentify_all` would do to ``files``; nothing is written, no table is filled.

    Raises
    ------
    UnreadableFileError
        None of the files can be read.
    """
    chosen = settings if settings.key else replace(settings, key=ProjectKey.generate())
    patients = Patients.gather_for(files, chosen, progress)
    tally: Counter[tuple[str, str]] = Counter()
    refused = [
        RefusedRow(number=patients.number(one.origin), source=_masked(one.origin, patients), reason=one.error.message)
        for one in patients.refused
    ]
    for number, origin in enumerate(patients.files):
        progress("preview", number / len(patients.files))
        try:
            tally.update(rewrite_to(_Nowhere(), origin, patients.context(origin)))
        except InputError as error:
            name = _masked(origin, patients)
            refused.append(RefusedRow(number=patients.number(origin), source=name, reason=error.message))
    rows = tuple(
        PreviewRow(keyword=k, action=a, count=n, reason=reason(k, a, chosen.profile))
        for (k, a), n in sorted(tally.items())
    )
    return Preview(rows=rows, patients=tuple(_people(patients)), refused=tuple(refused), _gathered=patients)


def preview(
    files: Sequence[Path],
    *,
    profile: Profile | None = None,
    settings: DeidSettings | None = None,
    progress: Progress = silent,
) -> list[PreviewRow]:
    """The rows of :func:`look`, with a profile alone."""
    return list(look(files, settings or DeidSettings(profile=profile or Profile()), progress=progress).rows)


def _masked(origin: Origin, patients: Patients) -> str:
    """The name without identity; the number alone where the patient is not known, and nothing could be masked."""
    if origin in patients.instances:
        return patients.mask(origin.name)
    return f"file {patients.number(origin)}"


def _people(patients: Patients) -> Iterator[PatientRow]:
    for owner, pseudonyms in patients.pseudonyms.items():
        theirs = [one for one in patients.instances.values() if one.owner == owner]
        if theirs:
            yield PatientRow(
                pseudonym=pseudonyms.patient(owner),
                files=len(theirs),
                studies=len({one.study for one in theirs}),
                series=len({(one.study, one.series) for one in theirs}),
            )


class _Nowhere(io.BytesIO):
    """Takes bytes and forgets them, but for the first ``held``."""

    def __init__(self, held: int = 0) -> None:
        super().__init__()
        self._held = held

    def write(self, data: object, /) -> int:
        """Keep what comes first."""
        raw = data if isinstance(data, (bytes, memoryview)) else b""
        super().write(raw[: max(self._held - self.tell(), 0)])
        return len(raw)


def _before(origin: Origin) -> Dataset:
    try:
        with as_found(), origin.open() as stream:
            return dcmread(stream, stop_before_pixels=True, force=True)
    except PYDICOM_DAMAGE:
        return Dataset()


def _after(origin: Origin, patients: Patients) -> Dataset:
    held = _Nowhere(_HEAD)
    rewrite_to(held, origin, patients.context(origin))
    held.seek(0)
    try:
        with as_found():
            return dcmread(held, stop_before_pixels=True, force=True)
    except PYDICOM_DAMAGE:  # deflated, and too long to be held
        return Dataset()


def _changes(before: Dataset, after: Dataset) -> Iterator[ValueRow]:
    with as_found():
        old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in dict.fromkeys((*old, *new)):
        if old.get(path) != new.get(path):
            yield ValueRow(path=path, before=old.get(path), after=new.get(path))


def _leaves(dataset: Dataset, above: str = "") -> Iterator[tuple[str, str]]:
    for element in dataset:
        path = f"{above}{_label(element)}"
        if element.VR != "SQ":
            yield path, _text(element)
            continue
        for number, item in enumerate(element.value or ()):
            yield from _leaves(item, f"{path}[{number}].")


def _label(element: DataElement) -> str:
    tag = int(element.tag)
    return str(element.tag).replace(" ", "") if tag >> 16 & 1 else label_of(tag)


def _text(element: DataElement) -> str:
    if isinstance(element.value, bytes):
        return f"{len(element.value):,} bytes" if element.value else ""
    values = element.value if element.VM > 1 else [element.value]
    text = "\\".join("" if value is None else str(value) for value in values)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
