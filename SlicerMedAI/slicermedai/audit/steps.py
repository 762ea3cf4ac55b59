"""What each step of a job leaves in the audit log: counts and hashes, never identity."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slicermedai.audit.log import append
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.digests import combined
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import RESULT, Deidentification
from slicermedai.domain.storage import sha256_file

UNREADABLE = "unreadable"
"""Stands for the hash of a file that was gone, or could not be read, when it was to be hashed."""


def record_read(made: Provenance, *, slices: int, job_id: str, route: str) -> None:
    """Log the image that was read: the hash in its result's provenance, of its files or of its voxels and their place.

    The log holds the same hash as the result, and on the route "deidentify" that is the one of the de-identified
    copies. A hash of the originals beside it, under one job, would lead whoever has both the log and the originals
    from a pseudonymous result back to its patient; that way leads through the project's key alone.
    """
    read = made.input
    found = {} if read is None else {"files_sha256" if read.files else "image_sha256": read.sha256}
    append("read", job_id=job_id, files=read.files if read else 0, slices=slices, route=route, **found)


def record_deidentified(report: Deidentification, *, job_id: str) -> None:
    """Log how many files were de-identified, and by which edition of which profile."""
    append("de-identified", job_id=job_id, files=report.files, method=report.method)


def record_table_read(*, found: bool, exported: bool) -> None:
    """Log that somebody looked into a re-identification table: not for whom, and not what was found."""
    append("re-identification table read", job_id="", found=found, exported=exported)


def record_model(made: Provenance, bundle: BundleRef | None, *, job_id: str, status: str) -> None:
    """Log what ran. Of ``bundle`` all files but the weights are hashed, where it is the one that ran."""
    append(
        "model ran",
        job_id=job_id,
        bundle=f"{made.bundle}@{made.bundle_version}",
        weights_sha256=made.weights_sha256,
        device=made.device,
        status=status,
        **({"trust_record_sha256": made.trust_record.sha256} if made.trust_record else {}),
        **(_rest_of(bundle) if bundle is not None and bundle.weights_sha256 == made.weights_sha256 else {}),
    )


def record_outputs(output: Path, *, job_id: str, copies: str = "dicom/source") -> None:
    """Log the hashes of a finished output folder: of its result, and of each file but those in the folder ``copies``,
    which are de-identified copies of source files.
    """
    result = output / RESULT
    if result.is_dir():
        append(
            "result saved",
            job_id=job_id,
            result_sha256=_hash(result / f"{RESULT}.json"),
            arrays_sha256=_hash(result / "arrays.npz"),
        )
    for path in files_in(output):
        name = path.relative_to(output)
        if name.parts[0] != RESULT and not (copies and name.is_relative_to(copies)):
            append("file written", job_id=job_id, file=name.as_posix(), sha256=_hash(path))


def record_result_read(result: Path, *, job_id: str) -> None:
    """Log which saved result was read from the folder ``result``."""
    append(
        "result read",
        job_id=job_id,
        result_sha256=_hash(result / f"{RESULT}.json"),
        arrays_sha256=_hash(result / "arrays.npz"),
    )


def hash_of_files(files: Iterable[Path]) -> str:
    """One SHA-256 as :func:`slicermedai.domain.digests.combined`; a file that is gone counts as "unreadable"."""
    return combined(_hash(path) for path in files)


def files_in(folder: Path) -> list[Path]:
    """All files in ``folder`` and below, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _rest_of(bundle: BundleRef) -> dict[str, str | int]:
    folder = Path(bundle.path)
    rest = [path for path in files_in(folder) if path != folder / bundle.weights]
    return {"bundle_files": len(rest), "bundle_files_sha256": hash_of_files(rest)}


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError:
        return UNREADABLE
