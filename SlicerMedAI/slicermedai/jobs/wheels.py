"""A folder of wheels for computers without a network: what lies in it, and what is lacking for a requirement."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import cache
from pathlib import Path
from typing import Any

from slicermedai.errors import PackagesError
from slicermedai.jobs.distributions import applies, canonical, is_met, packaging, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One wheel file; ``fits`` says whether this Python on this computer can use it."""

    path: Path
    name: str
    version: Any
    fits: bool

    @property
    def requires(self) -> tuple[str, ...]:
        """What it needs itself; raises :class:`PackagesError` where the file is damaged."""
        return _requires(self.path)


def wheels_in(folder: Path) -> list[Wheel]:
    """The wheels in a folder, not below it; files that are none are passed over.

    Raises
    ------
    PackagesError
        The folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".whl")
    except OSError as error:
        raise PackagesError(
            f"the wheel folder cannot be read ({error.strerror})", file=folder, advice="Choose a folder that is there."
        ) from error
    return [wheel for wheel in map(_wheel, paths) if wheel is not None]


def lacking(requirements: Iterable[str], shelf: list[Wheel], versions: Mapping[str, str]) -> list[str]:
    """What is neither installed nor in the folder, followed through what the wheels need themselves; in words.

    Of several wheels that would do the newest counts, as for pip; whether all versions agree only pip can say.
    """
    waiting = [(one, "") for one in requirements]
    seen, words = set[str](), list[str]()
    while waiting:
        text, by = waiting.pop(0)
        wanted = parsed(text)
        key = f"{canonical(wanted.name)}[{','.join(sorted(wanted.extras))}]{wanted.specifier}"
        if key in seen or not applies(text) or (is_met(text, versions) and not wanted.extras):
            continue
        seen.add(key)
        wheel = _best(wanted, shelf)
        if wheel is None:
            words.append(_words(wanted, by, shelf))
            continue
        extras = ("", *wanted.extras)
        waiting += [(_plain(one), wheel.name) for one in wheel.requires if applies(one, extras=extras)]
    return words


def _best(wanted: Any, shelf: list[Wheel]) -> Wheel | None:
    fitting = [wheel for wheel in shelf if wheel.fits and wheel.name == canonical(wanted.name)]
    fitting = [wheel for wheel in fitting if wanted.specifier.contains(wheel.version, prereleases=True)]
    return max(fitting, key=lambda wheel: wheel.version, default=None)


def _words(wanted: Any, by: str, shelf: list[Wheel]) -> str:
    same = [wheel for wheel in shelf if wheel.name == canonical(wanted.name)]
    asked = f"{wanted.name}{wanted.specifier}" + (f" (for {by})" if by else "")
    if not same:
        return asked
    there = ", ".join(sorted(wheel.path.name for wheel in same))
    why = "another version" if any(wheel.fits for wheel in same) else "another Python or system"
    return f"{asked}: there is {there}, which is {why}"


def _plain(requirement: str) -> str:
    """Without its marker, which was looked at."""
    return requirement.partition(";")[0].strip()


def _wheel(path: Path) -> Wheel | None:
    utils = packaging("utils")
    try:
        name, version, _, tags = utils.parse_wheel_filename(path.name)
    except ValueError:
        return None
    return Wheel(path=path, name=str(name), version=version, fits=not _tags().isdisjoint(tags))


@cache
def _tags() -> frozenset[Any]:
    return frozenset(packaging("tags").sys_tags())


@cache
def _requires(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
            text = archive.read(name).decode("utf-8", errors="replace")
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise PackagesError(
            f"the wheel is damaged ({type(error).__name__})", file=path, advice="Collect it again."
        ) from error
    return tuple(HeaderParser().parsestr(text).get_all("Requires-Dist") or ())
