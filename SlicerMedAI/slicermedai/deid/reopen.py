"""The source as everything downstream sees it: on the pseudonymous route, opened again from de-identified copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import Deidentification
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError

if TYPE_CHECKING:
    from pydicom import Dataset

    from slicermedai.deid.pseudonym import ProjectKey
    from slicermedai.deid.settings import DeidOutcome, DeidSettings
    from slicermedai.dicom.inputs import Source

_BARE = Deidentification(
    method="no DICOM source: only voxels and their place were taken",
    done=("Names, patient, study and UIDs that came with the image were left out.",),
    not_done=(
        "Faces were not removed: a head can be recognised from its surface.",
        "Text burned into the pixels was not searched for.",
    ),
)

_CLAIM = (
    "The source says of itself that its identity was removed before. Results carry what it holds; to send them to a "
    "research destination, de-identify."
)
_NOTES_LEFT_OUT = "Notes on the original are left out here: they may name what was de-identified."


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run de-identifies: as :class:`~slicermedai.jobs.specs.DeidJob` has it.

    ``brain_mask`` finds the brain, which the step that removes faces must not touch.
    """

    preset: str = "basic"
    ocr: bool | None = None
    deface: bool | None = None
    key_file: str = ""
    brain_mask: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The sources fit for the route, what was done to them, and what must be read before any number."""

    sources: tuple[Source, ...]
    report: Deidentification | None = None
    warnings: tuple[str, ...] = ()


def on_route(
    sources: Sequence[Source],
    identity: Identity,
    *,
    copies: Path,
    manner: Manner | None = None,
    progress: Progress = silent,
) -> Routed:
    """``sources``, of one patient, fit for the route ``identity``, and what was done to them.

    KEEP hands them on as they are, whatever their files say of themselves. DEIDENTIFY writes de-identified copies into
    ``copies`` (a folder that must not exist), with one key and one vocabulary of what identifies the patient, and opens
    the study from them; the identified one is not used any more. Of a source without DICOM headers only the voxels and
    their place are taken.

    Raises
    ------
    IdentityError
        The key file holds no key, there is no such preset, or the copies are not the same images.
    InputError
        Text is to be read from the pixels, and the reader is not installed.
    """
    if identity is Identity.KEEP:
        return Routed(sources=tuple(map(_with_its_claim, sources)))
    named = [source for source in sources if source.headers]
    if not named:
        return Routed(sources=tuple(map(_voxels_alone, sources)), report=_BARE)
    files = list(dict.fromkeys(file for source in named for file in source.files))
    settings = _settings(manner or Manner(), files, copies)
    done = _copied(files, copies, settings, progress)
    places = {file: copies / f"{number:05d}.dcm" for number, file in enumerate(files, 1)}
    touched = settings.ocr is not None or settings.deface
    routed = [_from_copies(one, places, touched=touched) if one.headers else _voxels_alone(one) for one in sources]
    return Routed(sources=tuple(routed), report=done.record, warnings=tuple(_warnings(done)))


def _voxels_alone(source: Source) -> Source:
    """Without names, study, patient and UIDs: what is left are voxels and where they lie."""
    study = Study(identity=Identity.DEIDENTIFY)
    return replace(source, study=study, volume=source.volume.voxels_alone(), files=(), notes=())


def _settings(manner: Manner, files: Sequence[Path], copies: Path) -> DeidSettings:
    from slicermedai.deid.request import settings_of
    from slicermedai.jobs.specs import DeidJob

    asked = DeidJob(source="", output=str(copies), preset=manner.preset, ocr=manner.ocr, deface=manner.deface)
    settings = settings_of(asked, files=len(files), brain_mask=manner.brain_mask)
    if not manner.key_file:
        return settings
    return replace(settings, key=_key(manner.key_file, {copies, *(file.parent for file in files)}))


def _copied(files: Sequence[Path], folder: Path, settings: DeidSettings, progress: Progress) -> DeidOutcome:
    from slicermedai.deid.run import deidentify_strictly

    done = deidentify_strictly(files, folder, settings, progress=progress)
    # nobody keeps a key that was made for this run: its fingerprint tells nothing
    return done if settings.key is not None else replace(done, record=replace(done.record, fingerprint=""))


def _warnings(done: DeidOutcome) -> Iterator[str]:
    """Steps that were asked for and not done, and text that a person should look at."""
    yield from (missed.sentence for missed in done.missed)
    if done.review:
        yield (
            f"De-identification: text that could not be classified was removed from the pixels of {len(done.review)} "
            f"of {done.record.files} files. To look at it, de-identify the study with a folder for review first."
        )


def _from_copies(source: Source, places: Mapping[Path, Path], *, touched: bool) -> Source:
    copies = _reopened(source, [places[file] for file in source.files], touched=touched)
    if not all(says_removed(header) for header in copies.headers):
        raise IdentityError("a copy does not say that identity was removed", attribute="PatientIdentityRemoved")
    notes = (*copies.notes, _NOTES_LEFT_OUT) if source.notes else copies.notes
    return replace(copies, study=replace(copies.study, identity=Identity.DEIDENTIFY), notes=notes)


def _key(path: str, images: set[Path]) -> ProjectKey:
    """The project's key, sealed ones by the passphrase in the environment; it must not lie with the images."""
    import os

    from slicermedai.deid.keystore import load_key
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    return load_key(Path(path), os.environ.get(PASSPHRASE_VARIABLE), away_from=images)


def _reopened(source: Source, files: Sequence[Path], *, touched: bool) -> Source:
    """The volume of the source's own copies: of the same frames of the same files, on its grid, and with its voxels
    unless pixels were ``touched``.
    """
    from slicermedai.dicom.inputs import open_source
    from slicermedai.dicom.series import scan

    tilt = "resample" if source.resampled else "refuse"
    there = [file for file in files if file.exists()]
    for item in scan(there).series if there else ():
        copies = open_source(there, series=item.address, tilt=tilt)
        if _frames(copies, copies.files) != _frames(source, files):
            continue
        same_place = copies.volume.geometry.same_grid(source.volume.geometry)
        if same_place and (touched or np.array_equal(copies.volume.array, source.volume.array)):
            return copies
    raise IdentityError(
        "the de-identified copies are not the image that was opened",
        attribute="PixelData",
        advice="A file may have been left out because its pixels show burned-in text; nothing was written.",
    )


def _frames(source: Source, files: Sequence[Path]) -> list[tuple[Path | None, int]]:
    """(file, frame) of each slice, the files under the names of ``files``; None for one that is not among them."""
    known = dict(enumerate(files))
    return [(known.get(file), frame) for file, frame in source.slices]


def says_removed(header: Dataset) -> bool:
    """True where Patient Identity Removed (0012,0062) is YES: a claim of the file, no proof."""
    return str(header.get("PatientIdentityRemoved", "")) == "YES"


def _with_its_claim(source: Source) -> Source:
    """The source, with a note where its files say that their identity was removed before."""
    if not any(says_removed(header) for header in source.headers):
        return source
    return replace(source, notes=(*source.notes, _CLAIM))
