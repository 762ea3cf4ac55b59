"""The source as everything downstream sees it: on the pseudonymous route, opened again from de-identified copies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slicermedai.deid.routes import check_study
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import Deidentification
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError

if TYPE_CHECKING:
    from slicermedai.dicom.inputs import Source

_BARE = Deidentification(
    method="no DICOM source: only voxels and their place were taken",
    done=("Names, patient, study and UIDs that came with the image were left out.",),
    not_done=(
        "Faces were not removed: a head can be recognised from its surface.",
        "Text burned into the pixels was not searched for.",
    ),
)


def on_route(
    source: Source, identity: Identity, *, copies: Path, key_file: str = "", progress: Progress = silent
) -> tuple[Source, Deidentification | None]:
    """``source`` fit for the route ``identity``, and what was done to it.

    KEEP hands the source on as it is; where it was de-identified before, its study says so, and so do results.
    DEIDENTIFY writes de-identified copies into ``copies`` (a folder that must not exist) and
    opens the study from them; the identified one is not used any more. Of a source without DICOM headers only the
    voxels and their place are taken.

    Raises
    ------
    IdentityError
        The key file holds no key, or the copies are not the same image.
    """
    if identity is Identity.KEEP:
        return source, None
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
    from slicermedai.dicom.inputs import open_source

    key = ProjectKey.from_file(Path(key_file)) if key_file else ProjectKey.generate()
    report = deidentify(source.files, folder, key=key, progress=progress)
    copies = open_source(folder, tilt="resample" if source.resampled else "refuse")
    if not copies.volume.geometry.same_grid(source.volume.geometry):
        raise IdentityError("the de-identified copies do not have the source's geometry", attribute="affine")
    check_study(copies.study, Identity.DEIDENTIFY)
    return replace(copies, notes=source.notes), report
