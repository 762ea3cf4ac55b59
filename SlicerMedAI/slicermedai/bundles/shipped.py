"""The demonstration detector, which this program ships: taken from its own resources, pinned by one hash over all.

It lies in ``Resources/Models``, in the repository and in the extension alike. Its trust record comes into use with it;
that one was fitted on generated patients, and speaks of nothing else.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from slicermedai.bundles.verify import check_hash, content_sha256
from slicermedai.domain.storage import write_text
from slicermedai.errors import BundleError
from slicermedai.jobs.home import home

NAME, VERSION = "synthetic-nodules", "0.1"
CONTENT = "93b516d4fef5c4f955bf26bf3c7d1c90e2fc7b08a4c6a94d6e5706eaad946cb5"
"""SHA-256 over the names and contents of all its files."""
ORIGIN = "Resources/Models of this program"
_RECORDS = "trust"


def source() -> Path:
    """Its folder in the repository or beside the modules.

    Raises
    ------
    BundleError
        This installation holds the library alone.
    """
    above = Path(__file__).resolve().parents[2:4]
    found = [folder / "Resources" / "Models" / f"{NAME}@{VERSION}" for folder in above]
    for folder in found:
        if (folder / "medai.json").is_file():
            return folder
    raise BundleError(
        "is no part of this installation, which holds the library alone",
        file=found[0],
        advice="It is in the extension for 3D Slicer and in the repository.",
    )


def write_bundle(package: Path, folder: Path) -> None:
    """Copy the bundle from ``package`` into the new ``folder``, and put its trust record into use.

    Raises
    ------
    HashMismatchError
        The files are not those that are pinned.
    """
    for path in sorted(package.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            target = folder / path.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    check_hash(package, expected=CONTENT, found=content_sha256(folder))
    renew(folder)


def renew(folder: Path) -> bool:
    """Put the trust record of an installed ``folder`` into use where none is; True where it did."""
    made = False
    for path in sorted((folder / _RECORDS).glob("*.trust.json")):
        target = home() / _RECORDS / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, path.read_text(encoding="utf-8"))
            made = True
    return made
