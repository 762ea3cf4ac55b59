"""Which Python packages are installed, and which requirements they meet. The package ``packaging`` reads both.

It comes with Slicer; where it does not, the copy inside of pip is as good.
"""

from __future__ import annotations

import csv
import importlib
import importlib.metadata
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

NEVER = ("vtk", "slicer", "slicer-core")
"""What Slicer brings without saying so to pip: a package of that name would lie over Slicer's own."""


def library() -> Path:
    """The folder that packages are installed into."""
    return Path(sysconfig.get_path("purelib"))


def parsed(requirement: str) -> Any:
    """The requirement (PEP 508) as ``packaging`` reads it."""
    return packaging("requirements").Requirement(requirement)


def name_of(requirement: str) -> str:
    """The canonical name of what is required (PEP 503)."""
    return canonical(parsed(requirement).name)


def canonical(name: str) -> str:
    """A package's name as all spellings of it are told alike (PEP 503)."""
    return str(packaging("utils").canonicalize_name(name))


def installed(names: Iterable[str] | None = None) -> dict[str, str]:
    """Canonical name -> version of all that is installed, or of ``names`` alone, which is quick; looked at anew."""
    importlib.invalidate_caches()
    if names is not None:
        return {name: version for name in names if (version := _version_of(name))}
    found = ((dist.metadata["Name"], dist.version) for dist in importlib.metadata.distributions())
    return {canonical(name): str(version) for name, version in reversed([*found]) if name and version}


def list_half_copied(names: Iterable[str]) -> None:
    """Complete the lists of files of those of ``names`` that pip was killed at before it had written them.

    pip takes back what its list names and nothing else. A list comes with the wheel, without what pip adds; it may
    lack, or be cut off. Added is what lies there by the package's own name: its metadata, and, where the list is not
    whole, its folder or file, where no other package's list has it. More than that of a half-copied package stays.
    """
    for name in names:
        dist = importlib.metadata.distribution(name)
        base = Path(str(dist.locate_file("")))
        about = next((one for one in base.glob("*.dist-info") if _is_of(one, name)), None)
        if about is not None:
            _complete(about, name, dist)


def _complete(about: Path, name: str, dist: importlib.metadata.Distribution) -> None:
    base, record, by_pip = about.parent, f"{about.name}/RECORD", f"{about.name}/INSTALLER"
    listed = dist.read_text("RECORD") or ""
    lines = [line for line in listed.splitlines(keepends=True) if line.endswith("\n")]
    known = {next(csv.reader([line]), [""])[0] for line in lines}
    places = [about, *([] if by_pip in known and listed.endswith("\n") else _own_places(base, name))]
    files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
    paths = dict.fromkeys([*(file.relative_to(base).as_posix() for file in files), record])
    added = [f"{path},,\n" for path in paths if path not in known]
    if added:
        (about / "RECORD").write_text("".join([*lines, *added]), encoding="utf-8")


def _own_places(base: Path, name: str) -> list[Path]:
    """The package's folder and file, where no other package's list has them."""
    stem = name.replace("-", "_")
    others = {file.parts[0] for other in importlib.metadata.distributions() for file in _files_of(other, but=name)}
    return [place for place in (base / stem, base / f"{stem}.py") if place.exists() and place.name not in others]


def _files_of(dist: importlib.metadata.Distribution, *, but: str) -> Iterable[importlib.metadata.PackagePath]:
    return () if canonical(dist.metadata["Name"] or "") == but else dist.files or ()


def _is_of(about: Path, name: str) -> bool:
    return canonical(about.name.removesuffix(".dist-info").rpartition("-")[0]) == name


def _version_of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def applies(requirement: str, *, extras: Iterable[str] = ("",)) -> bool:
    """Whether its marker holds here, with any of ``extras`` asked for."""
    marker = parsed(requirement).marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def is_met(requirement: str, versions: Mapping[str, str]) -> bool:
    """Whether ``versions`` meet it, or it is not wanted on this computer."""
    wanted = parsed(requirement)
    version = versions.get(canonical(wanted.name))
    return not applies(requirement) or (version is not None and wanted.specifier.contains(version, prereleases=True))


def unmet(requirements: Iterable[str], versions: Mapping[str, str]) -> list[str]:
    """Those of ``requirements`` that ``versions`` do not meet."""
    return [one for one in requirements if not is_met(one, versions)]


def constraints(versions: Mapping[str, str], *, free: Iterable[str]) -> list[str]:
    """Lines for pip that keep every installed package as it is, but for those named in ``free``."""
    kept = [
        f"{name}=={version}" for name, version in sorted(versions.items()) if name not in free and _is_version(version)
    ]
    return [*kept, *(f"{name}<0" for name in NEVER if name not in versions)]


def needed_by(names: Iterable[str], versions: Mapping[str, str]) -> dict[str, list[str]]:
    """Which installed packages beside ``names`` need one of these: name -> who needs it."""
    asked, found = set(names), dict[str, list[str]]()
    for dist in importlib.metadata.distributions():
        owner = canonical(dist.metadata["Name"] or "")
        if owner in asked or owner not in versions:
            continue
        for one in dist.requires or ():
            if name_of(one) in asked and applies(one):
                found.setdefault(name_of(one), []).append(owner)
    return found


def packaging(part: str) -> Any:
    """A module of ``packaging``."""
    try:
        return importlib.import_module(f"packaging.{part}")
    except ModuleNotFoundError:
        return importlib.import_module(f"pip._vendor.packaging.{part}")


def _is_version(text: str) -> bool:
    try:
        packaging("version").Version(text)
    except ValueError:
        return False
    return True
