"""The source as everything downstream sees it: on the pseudonymous route, opened again from de-identified copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import Deidentification
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError

if TYPE_CHECKING:
    from pydicom import Dataset

    from slicermedai.deid.pseudonym import ProjectKey
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


def on_route(
    source: Source, identity: Identity, *, copies: Path, key_file: str = "", progress: Progress = silent
) -> tuple[Source, Deidentification | None]:
    """``source`` fit for the route ``identity``, and what was done to it.

    KEEP hands the source on as it is, whatever its files say of themselves. DEIDENTIFY writes de-identified copies into
    ``copies`` (a folder that must not exist) and opens the study from them; the identified one is not used any more.
    Of a source without DICOM headers only the voxels and their place are taken.

    Raises
    ------
    IdentityError
        The key file holds no key, or the copies are not the same image.
    """
    (routed,), report = all_on_route([source], identity, copies=copies, key_file=key_file, progress=progress)
    return routed, report


def all_on_route(
    sources: Sequence[Source], identity: Identity, *, copies: Path, key_file: str = "", progress: Progress = silent
) -> tuple[list[Source], Deidentification | None]:
    """Several images of one patient, as :func:`on_route`: with one key, and one vocabulary of what identifies them."""
    if identity is Identity.KEEP:
        return [_with_its_claim(source) for source in sources], None
    named = [source for source in sources if source.headers]
    if not named:
        return [_voxels_alone(source) for source in sources], _BARE
    files = list(dict.fromkeys(file for source in named for file in source.files))
    report = _copied(files, copies, key_file, progress)
    places = {file: copies / f"{number:05d}.dcm" for number, file in enumerate(files, 1)}
    routed = [_from_copies(source, places) if source.headers else _voxels_alone(source) for source in sources]
    return routed, report


def _voxels_alone(source: Source) -> Source:
    """Without names, study, patient and UIDs: what is left are voxels and where they lie."""
    study = Study(identity=Identity.DEIDENTIFY)
    return replace(source, study=study, volume=source.volume.voxels_alone(), files=(), notes=())


def _copied(files: Sequence[Path], folder: Path, key_file: str, progress: Progress) -> Deidentification:
    from slicermedai.deid.pseudonym import ProjectKey
    from slicermedai.deid.run import deidentify

    key = _key(key_file, {folder, *(file.parent for file in files)}) if key_file else ProjectKey.generate()
    report = deidentify(files, folder, key=key, progress=progress)
    # nobody keeps a key that was made for this run: its fingerprint tells nothing
    return report if key_file else replace(report, fingerprint="")


def _from_copies(source: Source, places: Mapping[Path, Path]) -> Source:
    copies = _reopened(source, [places[file] for file in source.files])
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


def _reopened(source: Source, files: Sequence[Path]) -> Source:
    """The volume of the source's own copies, which must be the source's, voxel for voxel."""
    from slicermedai.dicom.inputs import open_source
    from slicermedai.dicom.series import scan

    tilt = "resample" if source.resampled else "refuse"
    there = [file for file in files if file.exists()]
    for item in scan(there).series if there else ():
        copies = open_source(there, series=item.address, tilt=tilt)
        same_place = copies.volume.geometry.same_grid(source.volume.geometry)
        if same_place and np.array_equal(copies.volume.array, source.volume.array):
            return copies
    raise IdentityError(
        "the de-identified copies are not the image that was opened",
        attribute="PixelData",
        advice="A file may have been left out because its pixels show burned-in text; nothing was written.",
    )


def says_removed(header: Dataset) -> bool:
    """True where Patient Identity Removed (0012,0062) is YES: a claim of the file, no proof."""
    return str(header.get("PatientIdentityRemoved", "")) == "YES"


def _with_its_claim(source: Source) -> Source:
    """The source, with a note where its files say that their identity was removed before."""
    if not any(says_removed(header) for header in source.headers):
        return source
    return replace(source, notes=(*source.notes, _CLAIM))
