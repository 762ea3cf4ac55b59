"""Hashes before loading, and consent before running: what stands between a file and this process."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cache
from pathlib import Path

from slicermedai.bundles.code import runs_code
from slicermedai.bundles.manifest import Manifest, PinnedFile
from slicermedai.bundles.unpack import files_of
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.storage import sha256_file
from slicermedai.errors import BundleError, ConsentError, HashMismatchError

PINNED = "pinned hash"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in pieces.

    Raises
    ------
    BundleError
        The file cannot be read.
    """
    try:
        return sha256_file(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def verified_bytes(folder: Path, file: PinnedFile) -> bytes:
    """The content of a pinned file, hashed in memory: what is loaded is what was hashed.

    Raises
    ------
    HashMismatchError
        Another content than the pinned one.
    BundleError
        The file cannot be read.
    """
    path = Path(folder) / file.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    check_hash(path, expected=file.sha256, found=hashlib.sha256(content).hexdigest())
    return content


def verify_files(manifest: Manifest) -> None:
    """Hash every pinned file of the bundle, and see that no file was added where all are listed.

    Raises
    ------
    HashMismatchError
        Another content than the pinned one, or a file that nothing lists.
    BundleError
        A file cannot be read.
    """
    folder = Path(manifest.ref.path)
    for file in {*manifest.files, *(manifest.listed or ())}:
        path = folder / file.path
        check_hash(path, expected=file.sha256, found=sha256_of(path))
    if manifest.listed is not None:
        _check_additions(folder, {file.path for file in manifest.listed})


def content_sha256(folder: Path) -> str:
    """One SHA-256 over the names and contents of all files of a bundle: what a person agrees to when it runs code."""
    folder = Path(folder)
    digests = [f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}" for path in files_of(folder)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _check_additions(folder: Path, listed: set[str]) -> None:
    for path in files_of(folder):
        name = path.relative_to(folder).as_posix()
        if name not in listed and name != "medai.json":
            raise HashMismatchError(
                "was added to the bundle after it was imported",
                file=path,
                attribute="files",
                advice="Nothing was loaded. Remove that file, or import the bundle again.",
            )


def check_hash(path: Path, *, expected: str, found: str) -> None:
    """Raise :class:`HashMismatchError`, naming file, expected and found, where they differ."""
    if found != expected:
        raise HashMismatchError(
            f"expected SHA-256 {expected}, found {found}",
            file=path,
            attribute="sha256",
            advice="The file was changed or damaged; it was not loaded. Remove the bundle and fetch it again.",
        )


@cache
def pinned_weights() -> dict[str, str]:
    """Origin -> SHA-256 of all weights that this repository pins (``pinned.json``)."""
    body = json.loads((Path(__file__).parent / "pinned.json").read_text(encoding="utf-8"))
    return {name: str(entry["sha256"]) for name, entry in body["weights"].items()}


def with_consent(manifest: Manifest, word: str = "") -> BundleRef:
    """The bundle's reference with who agreed to run its code, if anybody did.

    ``word`` is a person's. A pinned hash speaks for TorchScript weights alone, never for code in a configuration:
    nothing pins that.
    """
    if not manifest.ref.runs_code:
        return manifest.ref
    known = set(pinned_weights().values())
    pinned = not runs_code(manifest.config) and all(file.sha256 in known for file in manifest.files)
    return dataclasses.replace(manifest.ref, consent=PINNED if pinned else word)


def require_consent(ref: BundleRef) -> None:
    """Raise :class:`ConsentError` where the bundle runs code and nobody agreed to that."""
    if ref.runs_code and not ref.consent.strip():
        raise ConsentError(
            f"{ref.title} runs code of its own (TorchScript, expressions or scripts), and nobody agreed to that",
            file=ref.path,
            attribute="consent",
            advice="Read where it comes from; agree only if you trust it.",
        )


def _unreadable(path: Path, error: OSError) -> BundleError:
    return BundleError(
        f"cannot be read ({error.strerror or type(error).__name__})",
        file=path,
        attribute="weights",
        advice="Fetch the bundle again.",
    )
