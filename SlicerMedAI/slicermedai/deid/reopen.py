"""The source as everything downstream sees it: on the pseudonymous route, opened again from de-identified copies."""

from __future__ import annotations

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
    if identity is Identity.KEEP:
        return _with_its_claim(source), None
    if not source.headers:
        return _voxels_alone(source), _BARE
    return _from_copies(source, copies, key_file, progress)


def _voxels_alone(source: Source) -> Source:
    """Without names, study, patient and UIDs: what is left are voxels and where they lie."""
    study = Study(identity=Identity.DEIDENTIFY)
    return replace(source, study=study, volume=source.volume.voxels_alone(), files=(), notes=())


def _from_copies(
    source: Source, folder: Path, key_file: str, progress: Progress
) -> tuple[Source, Deidentification | None]:
    from slicermedai.deid.pseudonym import ProjectKey
    from slicermedai.deid.run import deidentify

    key = _key(key_file, folder, source) if key_file else ProjectKey.generate()
    report = deidentify(source.files, folder, key=key, progress=progress)
    if not key_file:  # nobody keeps that key: its fingerprint tells nothing
        report = replace(report, fingerprint="")
    copies = _reopened(source, folder)
    if not all(says_removed(header) for header in copies.headers):
        raise IdentityError("a copy does not say that identity was removed", attribute="PatientIdentityRemoved")
    notes = (*copies.notes, _NOTES_LEFT_OUT) if source.notes else copies.notes
    return replace(copies, study=replace(copies.study, identity=Identity.DEIDENTIFY), notes=notes), report


def _key(path: str, folder: Path, source: Source) -> ProjectKey:
    """The project's key, sealed ones by the passphrase in the environment; it must not lie with the images."""
    import os

    from slicermedai.deid.keystore import load_key
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    images = {folder, *(file.parent for file in source.files)}
    return load_key(Path(path), os.environ.get(PASSPHRASE_VARIABLE), away_from=images)


def _reopened(source: Source, folder: Path) -> Source:
    """The volume among the copies that is the source's, voxel for voxel."""
    from slicermedai.dicom.inputs import open_source
    from slicermedai.dicom.series import scan

    tilt = "resample" if source.resampled else "refuse"
    for item in scan(folder).series:
        copies = open_source(folder, series=item.address, tilt=tilt)
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
