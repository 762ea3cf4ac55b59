"""What a person sets once for all of MedAI: folders, files and the device that are taken where nothing else is said.

They lie in ``settings.toml``, in the folder that ``SLICERMEDAI_HOME`` names or else in the platform's place for
application data; ``SLICERMEDAI_SETTINGS`` names another file. A variable of the environment counts more than the file,
and the file more than the default. Slicer's page of settings and ``slicermedai settings`` write it, and every process
reads it by itself, so there is one truth and no copy of it. It holds no secret: a key is named by its path.

.. code-block:: toml

    home = "/data/medai"         # models and logs
    device = "cuda:0"
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.domain.storage import write_text
from slicermedai.domain.suggest import did_you_mean
from slicermedai.domain.words import Words
from slicermedai.errors import InputError, UnreadableFileError

FILE_VARIABLE = "SLICERMEDAI_SETTINGS"
FILE = "settings.toml"
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*=")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


class Kind(Words):
    """What a setting names."""

    FOLDER = "folder"
    FOLDERS = "folders"
    SHELF = "shelf"
    FILE = "file"
    WORD = "word"


class Source(Words):
    """Where a value comes from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be set.

    Parameters
    ----------
    name, variable:
        In the file, and in the environment.
    kind:
        A folder that is written to, folders that are read (joined as PATH is), a shelf (one folder that is read), a
        file, or a word.
    default:
        What is taken where nothing is set; "" where then there is none.
    """

    name: str
    variable: str
    kind: Kind
    default: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``text`` is what counts now, "" where nothing is set and there is no default."""

    text: str
    source: Source


def platform_home() -> Path:
    """The platform's place for application data, where ``SLICERMEDAI_HOME`` names none."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "SlicerMedAI"


def documents() -> Path:
    """The person's Documents folder, or their home where there is none."""
    found = Path.home() / "Documents"
    return found if found.is_dir() else Path.home()


def _in_home(name: str) -> Callable[[], str]:
    return lambda: str(Path(present("home")) / name)


SETTINGS: dict[str, Setting] = {
    name: Setting(name=name, variable=f"SLICERMEDAI_{name.upper()}", kind=kind, default=default)
    for name, kind, default in (
        ("home", Kind.FOLDER, lambda: str(platform_home())),
        ("models", Kind.FOLDERS, str),
        ("results", Kind.FOLDER, lambda: str(documents())),
        ("scratch", Kind.FOLDER, tempfile.gettempdir),
        ("device", Kind.WORD, lambda: "auto"),
        ("peers", Kind.FILE, _in_home("peers.toml")),
        ("inbox", Kind.FILE, _in_home("inbox.toml")),
        ("project_key", Kind.FILE, str),
        ("wheels", Kind.SHELF, str),
        ("torch", Kind.WORD, lambda: "auto"),
    )
}
"""All settings by name, in the order in which people see them."""


def settings_file() -> Path:
    """The file; it may not be there yet."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    own = os.environ.get(SETTINGS["home"].variable)
    return (Path(own).expanduser() if own else platform_home()) / FILE


def found(name: str) -> Found:
    """The value of a setting and where it comes from; a file that is damaged counts as empty (see :func:`check`)."""
    setting = SETTINGS[name]
    text = os.environ.get(setting.variable, "")
    if text:
        return Found(text=_expanded(setting, text), source=Source.ENVIRONMENT)
    text = in_file(name)
    if text:
        return Found(text=_expanded(setting, text, settings_file().parent), source=Source.FILE)
    return Found(text=setting.default(), source=Source.DEFAULT)


def value(name: str) -> str:
    """What was set, in the environment or in the file; "" where the default counts."""
    now = found(name)
    return "" if now.source is Source.DEFAULT else now.text


def present(name: str) -> str:
    """What counts now, be it set or the default."""
    return found(name).text


def in_file(name: str) -> str:
    """What the file says, as it stands there; "" where it says nothing."""
    return _read()[0].get(name, "")


def check() -> None:
    """Raise where the file cannot be understood: then nobody can know what a person had set.

    Raises
    ------
    UnreadableFileError
        It is no TOML, or a setting in it is no text.
    """
    damage = _read()[1]
    if damage:
        raise UnreadableFileError(
            damage, file=settings_file(), advice="Mend it in a text editor, or remove it: then the defaults count."
        )


def unknown() -> list[str]:
    """What stands in the file and is no setting, each with what may have been meant."""
    names = [name for name in _read()[0] if name not in SETTINGS]
    return [" ".join(filter(None, [f"{name} is no setting.", did_you_mean(name, SETTINGS)])) for name in names]


def change(name: str, text: str) -> Path:
    """Keep ``text`` as the value of a setting, "" for its default; returns the file. All other lines stay as they are.

    Raises
    ------
    InputError
        No setting has this name, or the text has characters that no path and no name has.
    UnreadableFileError
        The file is damaged, and is not overwritten.
    OutputError, DiskFullError
        The file cannot be written; the old one stays.
    """
    if name not in SETTINGS:
        hint = did_you_mean(name, SETTINGS) or f"There are: {', '.join(SETTINGS)}."
        raise InputError("is no setting", attribute=name, advice=hint)
    if not _PLAIN.fullmatch(text):
        raise InputError("has characters that cannot be kept", attribute=name)
    check()
    path = settings_file()
    made = "".join(f"{line}\n" for line in _changed(_lines(path), name, text))
    if _parsed(made).get(name, "") != text:
        raise InputError("is written there in a way that only a person can change", file=path, attribute=name)
    return write_text(path, made)


def _expanded(setting: Setting, text: str, folder: Path | None = None) -> str:
    """Paths in full: ``~`` is the person's home, and what is relative in the file is so to the file's ``folder``."""
    if setting.kind is Kind.WORD:
        return text.strip()
    parts = text.split(os.pathsep) if setting.kind is Kind.FOLDERS else [text]
    paths = [Path(part.strip()).expanduser() for part in parts if part.strip()]
    return os.pathsep.join(str(folder.absolute() / path if folder else path) for path in paths)


def _changed(lines: list[str], name: str, text: str) -> list[str]:
    """The line of ``name`` replaced, or made before the first table."""
    kept = [line for line in lines if _name_of(line) != name]
    tables = (number for number, line in enumerate(kept) if line.lstrip().startswith("["))
    place = min(
        next((number for number, line in enumerate(lines) if _name_of(line) == name), len(kept)),
        next(tables, len(kept)),
    )
    new = [f"{name} = {json.dumps(text, ensure_ascii=False)}"] if text else []
    return [*kept[:place], *new, *kept[place:]]


def _parsed(text: str) -> dict[str, Any]:
    """What a TOML text says; nothing where it is none."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text.removesuffix("\n").split("\n") if text else []


def _name_of(line: str) -> str:
    match = _KEY.match(line)
    return match[1].strip('"') if match else ""


def _read() -> tuple[dict[str, str], str]:
    """(setting -> text, what is wrong with the file or ""); read again where the file has changed."""
    path = settings_file()
    try:
        about = path.stat()
    except OSError:
        return {}, ""
    return _understood(path, (about.st_ino, about.st_mtime_ns, about.st_size))


@functools.lru_cache(maxsize=8)
def _understood(path: Path, version: tuple[int, int, int]) -> tuple[dict[str, str], str]:
    import tomllib

    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {}, f"the settings cannot be read ({type(error).__name__})"
    wrong = [name for name, text in body.items() if name in SETTINGS and not isinstance(text, str)]
    if wrong:
        return {}, f"the setting {wrong[0]} is no text in quotes"
    return {name: text if isinstance(text, str) else "" for name, text in body.items()}, ""
