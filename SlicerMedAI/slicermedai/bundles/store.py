"""The models of this installation on disk: which version is used, and a record of every change that is only added to.

``models/`` in the application's data holds one folder for each ``name@version``, ``pins.json`` (name -> version) and
``changes.jsonl``. A line of that record has the SHA-256 of the line before, so that a change to it is seen. Writers
take turns by a lock; folders appear and vanish by one renaming.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slicermedai.bundles.verify import content_sha256
from slicermedai.domain import locks
from slicermedai.domain.storage import atomic_folder, write_text
from slicermedai.errors import BundleError, ResultExistsError, UnknownBundleError
from slicermedai.jobs.home import home

FIRST = "0" * 64
"""What the first change has for the hash before it."""
_WAIT = 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who did what to which model, when. ``used`` is the version that the name stands for afterwards, "" for none."""

    time: str
    who: str
    action: str
    name: str
    version: str
    sha256: str = ""
    origin: str = ""
    used: str = ""
    before: str = FIRST

    @property
    def line(self) -> str:
        """The change as it stands in the record."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A model's name and version; raises :class:`BundleError` where they cannot name a folder."""

    name: str
    version: str

    def __post_init__(self) -> None:
        for part in ("name", "version"):
            if not _NAME.fullmatch(getattr(self, part)):
                raise BundleError(
                    "must be 1 to 100 letters, digits, or one of _ . + -, and begin with a letter or digit",
                    attribute=part,
                )

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def models() -> Path:
    """The folder of the installed models; not yet made."""
    return home() / "models"


def install(title: Title, write: Callable[[Path], None], *, origin: str) -> Change:
    """Let ``write`` fill a new folder, which then becomes the installed ``title``; others see all of it or nothing.

    Raises
    ------
    BundleError
        That version is installed already.
    FolderBusyError
        Another process is installing it at this moment.
    OutputError
        It cannot be written.
    """
    target = models() / str(title)
    try:
        with atomic_folder(target) as partial:
            write(partial)
            digest = content_sha256(partial)
    except ResultExistsError as error:
        raise BundleError(
            f"{title} is installed already",
            file=target,
            attribute="version",
            advice="Remove it first, or give this one another name or version.",
        ) from error
    return note("imported", title, sha256=digest, origin=origin)


def pin(title: Title) -> Change:
    """From now on the name alone stands for this version; raises :class:`UnknownBundleError` where it is missing."""
    _require(title)
    with _locked():
        _write_pins({**pins(), title.name: title.version})
    return note("pinned", title, sha256=content_sha256(models() / str(title)))


def rollback(name: str) -> Change:
    """Go back to the version that the name stood for before the present one, among those that are still installed.

    Raises
    ------
    UnknownBundleError
        There was none.
    """
    used = [change.used for change in changes() if change.name == name and change.used]
    present = version_used(name)
    earlier = [version for version in used if version != present and (models() / f"{name}@{version}").is_dir()]
    if not earlier:
        raise UnknownBundleError(
            f"no earlier version of {name!r} is installed",
            attribute="bundle",
            advice="Import that version, or pin another one.",
        )
    title = Title(name=name, version=earlier[-1])
    with _locked():
        _write_pins({**pins(), name: title.version})
    return note("rolled back", title, sha256=content_sha256(models() / str(title)))


def remove(title: Title) -> Change:
    """Take a version away; a pin on it ends. Raises :class:`UnknownBundleError` where it is missing."""
    folder = _require(title)
    digest = content_sha256(folder)
    doomed = folder.with_name(f".{folder.name}.removed-{uuid.uuid4().hex[:8]}")
    with _locked():
        folder.rename(doomed)
        _write_pins({name: version for name, version in pins().items() if f"{name}@{version}" != str(title)})
    shutil.rmtree(doomed, ignore_errors=True)
    return note("removed", title, sha256=digest)


def pins() -> dict[str, str]:
    """Name -> the version that it stands for; raises :class:`BundleError` where the file is damaged."""
    path = models() / "pins.json"
    try:
        return {str(name): str(version) for name, version in json.loads(path.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise BundleError("is damaged", file=path, advice="Remove it, and pin the versions again.") from error


def version_used(name: str) -> str:
    """The version that ``name`` alone stands for: the pinned one, or else the newest; "" where none is installed."""
    installed = {folder.name.partition("@")[2] for folder in _folders() if folder.name.partition("@")[0] == name}
    pinned = pins().get(name, "")
    return pinned if pinned in installed else max(installed, key=version_key, default="")


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Numbers compare as numbers: 1.10 is newer than 1.9."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in parts)


def disk_use(folder: Path) -> int:
    """Bytes that an installed model takes."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def changes() -> tuple[Change, ...]:
    """The record, oldest first.

    Raises
    ------
    BundleError
        A line is not as it was written, or one is missing: the record was changed.
    """
    found: list[Change] = []
    before = FIRST
    for number, line in enumerate(_lines(), start=1):
        try:
            change = Change(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise _tampered(number) from error
        if change.before != before or change.line != line:
            raise _tampered(number)
        found.append(change)
        before = hashlib.sha256(line.encode()).hexdigest()
    return tuple(found)


def note(action: str, title: Title, *, sha256: str = "", origin: str = "") -> Change:
    """Add one change to the record, after those that a killed process could not note any more."""
    with _locked():
        known = {f"{change.name}@{change.version}" for change in changes()}
        for folder in _folders():
            name, _, version = folder.name.partition("@")
            if folder.name not in known and folder.name != str(title):
                _append("found", Title(name=name, version=version), sha256=content_sha256(folder))
        return _append(action, title, sha256=sha256, origin=origin)


def _append(action: str, title: Title, *, sha256: str, origin: str = "") -> Change:
    lines = _lines()
    change = Change(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        who=_account(),
        action=action,
        name=title.name,
        version=title.version,
        sha256=sha256,
        origin=origin,
        used=version_used(title.name),
        before=hashlib.sha256(lines[-1].encode()).hexdigest() if lines else FIRST,
    )
    write_text(_record(), "\n".join([*lines, change.line, ""]))
    return change


def _lines() -> list[str]:
    path = _record()
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _record() -> Path:
    return models() / "changes.jsonl"


def _write_pins(values: dict[str, str]) -> None:
    write_text(models() / "pins.json", json.dumps(values, indent=1, sort_keys=True) + "\n")


def _folders() -> list[Path]:
    """Installed models of this installation; not those of shared folders, nor what is half written."""
    parent = models()
    found = parent.glob("[!.]*@*") if parent.is_dir() else []
    return sorted(folder for folder in found if (folder / "configs").is_dir())


def _require(title: Title) -> Path:
    folder = models() / str(title)
    if not folder.is_dir():
        raise UnknownBundleError(
            f"{title} is not installed here", attribute="bundle", advice="Type: slicermedai bundle list"
        )
    return folder


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    models().mkdir(parents=True, exist_ok=True)
    try:
        with locks.locked(models() / ".lock", wait=_WAIT):
            yield
    except BlockingIOError as error:
        raise BundleError(
            "another process is changing the models", file=models(), advice="Try again in a moment."
        ) from error


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _tampered(number: int) -> BundleError:
    return BundleError(
        f"line {number} is not as it was written",
        file=_record(),
        attribute="changes",
        advice="Keep the file as evidence and move it away; a new record then begins.",
    )
