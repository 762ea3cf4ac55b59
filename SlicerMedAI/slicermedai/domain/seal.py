"""Checksums beside a saved result, so that what was changed afterwards, or damaged, is not taken for the result.

They tell an edited or a damaged file. They are no signature: whoever changes them too is not told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path

from slicermedai.domain.pieces import PIECE, finished
from slicermedai.domain.storage import sha256_file
from slicermedai.errors import UnreadableFileError

CHECKSUMS = "sha256.txt"
"""As ``sha256sum -c sha256.txt`` in the folder reads it too."""


def seal(folder: Path) -> Path:
    """Write the checksums of all files in ``folder`` and below; returns the file."""
    path = Path(folder) / CHECKSUMS
    files = sorted(file for file in Path(folder).rglob("*") if file.is_file() and file != path)
    lines = [f"{sha256_file(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def check_seal(folder: Path) -> None:
    """Compare all files that :func:`seal` listed and that are there; a folder without checksums (an older one) passes.

    Raises
    ------
    UnreadableFileError
        A file is not the one that was saved, or the checksums cannot be read.
    """
    finished(checking(folder))


def checking(folder: Path) -> Generator[None, None, None]:
    """As :func:`check_seal`, in pieces."""
    path = Path(folder) / CHECKSUMS
    for name, known in _listed(path).items():
        file = path.parent / name
        if file.is_file() and (yield from _hashing(file)) != known:
            raise UnreadableFileError(
                "is not the file that was saved: it was changed afterwards, or damaged",
                file=file,
                advice="Take the original again. To change a result, load it, make a new one and save that.",
            )


def _hashing(path: Path) -> Generator[None, None, str]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
            yield
    return digest.hexdigest()


def _listed(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"cannot be read ({type(error).__name__})", file=path) from error
    pairs = [line.partition("  ") for line in lines]
    missing = {file.name for kind in ("*.json", "*.npz") for file in path.parent.glob(kind)} - {
        name for _, _, name in pairs
    }
    if path.is_file() and (missing or any(len(known) != 64 for known, _, _ in pairs)):
        raise UnreadableFileError("does not hold the checksums of all files", file=path, advice="Was it copied whole?")
    return {name: known for known, _, name in pairs}
