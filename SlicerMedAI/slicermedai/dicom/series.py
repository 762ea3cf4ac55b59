"""What lies in a folder: a header-only scan that groups image planes by series, and within a series by stack.

A series (PS3.3 A.1.2.3) may hold several stacks: echoes, orientations, matrix sizes, time points. Each is listed by
itself and addressed ``UID`` where the series has one, ``UID#1``, ``UID#2`` ... where it has more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset

from slicermedai.dicom.files import Broken, Header, NotAnImage, integer_of, read_header, text_of
from slicermedai.dicom.gate import is_regular
from slicermedai.dicom.planes import Plane
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import UnreadableFileError

_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-3
_KEY = ((0, "StudyInstanceUID"), (2, "PatientID"), (3, "PatientName"), (4, "PatientBirthDate"))
"""What series are grouped by beside their UID: place in the key, and attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFiles:
    """One stack of a series.

    ``address`` is what ``open_source(series=...)`` takes; ``stack`` is 0 where the series has one stack alone.
    ``patient`` tells patients apart and is never shown. ``apart`` names the attribute in which it differs from others
    of the same UID, where that must not be ("StudyInstanceUID").
    """

    uid: str
    stack: int
    modality: str
    description: str
    number: int | None
    planes: tuple[Plane, ...]
    patient: tuple[str, ...]
    apart: str = ""

    @property
    def address(self) -> str:
        """``UID`` or ``UID#n``."""
        return f"{self.uid}#{self.stack}" if self.stack else self.uid

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once, in the order of their first plane."""
        return tuple(dict.fromkeys(plane.file for plane in self.planes))

    @property
    def in_words(self) -> str:
        """For people, without patient data: words of the description that name the patient are left out."""
        return (
            f"{_without(self.description, self.patient) or 'no description'} "
            f"({self.modality or 'unknown modality'}, {self._what}, {self.address}"
            f"{f', of another {self.apart} than others of this series' if self.apart else ''})"
        )

    @property
    def is_flat(self) -> bool:
        """True for one projection, photograph or capture."""
        return self.planes[0].is_flat

    @property
    def _what(self) -> str:
        first = self.planes[0]
        if not self.is_flat:
            return f"{len(self.planes)} slices"
        return ", ".join(filter(None, ("one capture" if first.is_capture else "one picture", first.view)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that holds no image, and why it was left out; ``broken`` where it should have been one."""

    file: Path
    reason: str
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Everything that was found."""

    series: tuple[SeriesFiles, ...]
    skipped: tuple[Skipped, ...]


def scan(path: str | Path | Sequence[str | Path], *, progress: Progress = silent) -> Scan:
    """Group the DICOM images in a folder (with its subfolders), a file, or a list of files; pixels are not read.

    Raises
    ------
    UnreadableFileError
        ``path`` does not exist.
    """
    files = list_files(path)
    headers: list[Header] = []
    skipped: list[Skipped] = []
    for index, file in enumerate(files):
        progress("scan", index / len(files))
        found = read_header(file)
        if isinstance(found, (NotAnImage, Broken)):
            skipped.append(Skipped(file=file, reason=found.reason, broken=isinstance(found, Broken)))
        else:
            headers.append(found)
    progress("scan", 1.0)
    return Scan(series=_group(headers), skipped=tuple(skipped))


def list_files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """All files below a folder, or the file or files named, sorted; raises :class:`UnreadableFileError`."""
    if not isinstance(path, (str, Path)):
        return sorted({file for part in path for file in list_files(part)})
    root = Path(path)
    if not root.exists():
        raise UnreadableFileError("does not exist", file=root, advice="Check the name.")
    if root.is_dir():
        return sorted(file for file in root.rglob("*") if file.is_file())
    return [root]


def _group(headers: Iterable[Header]) -> tuple[SeriesFiles, ...]:
    by_series: dict[tuple[str, ...], list[Header]] = {}
    for header in headers:
        by_series.setdefault(_series_key(header.dataset), []).append(header)
    by_uid: dict[str, list[tuple[str, ...]]] = {}
    for key in by_series:
        by_uid.setdefault(key[1], []).append(key)
    found: list[SeriesFiles] = []
    for uid, keys in by_uid.items():
        parts = [part for key in keys for part in _series(by_series[key])]
        found.extend(parts if len(keys) == 1 or not uid else _told_apart(parts, keys))
    return tuple(sorted(found, key=lambda series: (series.number or 0, series.uid, series.stack)))


def _told_apart(parts: list[SeriesFiles], keys: list[tuple[str, ...]]) -> list[SeriesFiles]:
    """Stacks of one Series Instance UID in several studies or of several patients: each has an address of its own."""
    differs = next(name for index, name in _KEY if len({key[index] for key in keys}) > 1)
    return [replace(part, stack=number, apart=differs) for number, part in enumerate(parts, start=1)]


def _series_key(dataset: Dataset) -> tuple[str, ...]:
    return (text_of(dataset, "StudyInstanceUID"), text_of(dataset, "SeriesInstanceUID"), *_patient(dataset))


def _patient(dataset: Dataset) -> tuple[str, ...]:
    """ID, name (case, padding and delimiters folded) and date of birth."""
    name = " ".join(re.findall(r"\w+", text_of(dataset, "PatientName").casefold()))
    return (text_of(dataset, "PatientID"), name, text_of(dataset, "PatientBirthDate"))


def _series(members: list[Header]) -> list[SeriesFiles]:
    stacks = split(tuple(plane for header in members for plane in header.planes))
    first = members[0].dataset
    return [
        SeriesFiles(
            uid=text_of(first, "SeriesInstanceUID"),
            stack=index if len(stacks) > 1 else 0,
            modality=text_of(first, "Modality"),
            description=text_of(first, "SeriesDescription"),
            number=integer_of(first, "SeriesNumber"),
            planes=stack,
            patient=_patient(first),
        )
        for index, stack in enumerate(stacks, start=1)
    ]


def split(planes: tuple[Plane, ...]) -> list[tuple[Plane, ...]]:
    """The stacks among ``planes``: by kind and contrast, by orientation and spacing, and where that leaves no
    regular stack, by acquisition if each of its parts is one. Projections and photographs stand each by itself.
    """
    stacks: list[list[Plane]] = []
    for plane in planes:
        home = next((stack for stack in stacks if _belongs(plane, stack[0])), None)
        stacks.append([plane]) if home is None else home.append(plane)
    parts = [part for stack in stacks for part in _by_acquisition(tuple(stack))]
    return sorted(parts, key=lambda part: (-len(part), min(plane.number for plane in part)))


def _belongs(plane: Plane, other: Plane) -> bool:
    return (
        not plane.is_flat
        and _kind(plane) == _kind(other)
        and _close(plane.orientation, other.orientation, _SAME_DIRECTION)
        and _close(plane.spacing, other.spacing, _SAME_SPACING)
    )


def _kind(plane: Plane) -> tuple[object, ...]:
    placed = plane.position is not None
    return plane.size, plane.samples, plane.image_type, plane.frame_of_reference_uid, plane.contrast, placed


def _close(first: tuple[float, ...] | None, second: tuple[float, ...] | None, tolerance: float) -> bool:
    if first is None or second is None:
        return first is second
    return all(abs(a - b) <= tolerance for a, b in zip(first, second, strict=True))


def _by_acquisition(stack: tuple[Plane, ...]) -> list[tuple[Plane, ...]]:
    if is_regular(stack):
        return [stack]
    for which in range(len(stack[0].acquisition)):
        parts: dict[str, list[Plane]] = {}
        for plane in stack:
            parts.setdefault(plane.acquisition[which], []).append(plane)
        if len(parts) > 1 and all(is_regular(tuple(part)) for part in parts.values()):
            return [tuple(part) for part in parts.values()]
    return [stack]


def _without(description: str, patient: tuple[str, ...]) -> str:
    secret = {word.casefold() for value in patient for word in re.findall(r"\w+", value) if len(word) > 2}
    return " ".join(word for word in description.split() if not set(re.findall(r"\w+", word.casefold())) & secret)
