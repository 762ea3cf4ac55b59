"""The settings of MedAI as scripts and people see them: what counts now, where it comes from, and whether it works.

>>> from slicermedai.console.settings import list_settings, set_setting
>>> set_setting("results", "~/Studies")
>>> print([(one.name, one.value, one.source) for one in list_settings()])
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from slicermedai.domain import settings
from slicermedai.domain.settings import Kind, Setting, Source
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import InputError, MedAIError
from slicermedai.jobs.torch_build import CHOICES

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingShown:
    """One setting: ``value`` counts now ("" where nothing does), ``variable`` is its name in the environment.

    ``problem`` says why the value cannot be used, "" where it can.
    """

    name: str
    value: str
    source: Source
    variable: str
    problem: str


def list_settings() -> list[SettingShown]:
    """All settings, each looked at: folders are tried, files are read."""
    return [get_setting(name) for name in settings.SETTINGS]


def get_setting(name: str) -> SettingShown:
    """One of them; raises :class:`~slicermedai.errors.InputError` for a name that is none."""
    setting = _known(name)
    now = settings.found(name)
    is_there = setting.kind is Kind.FOLDER or (setting.kind is Kind.FILE and bool(now.text) and Path(now.text).exists())
    wrong = problem_of(name, now.text) if now.source is not Source.DEFAULT or is_there else ""
    return SettingShown(name=name, value=now.text, source=now.source, variable=setting.variable, problem=wrong)


def set_setting(name: str, text: str | Path) -> SettingShown:
    """Keep a value that works, "" for the default; what does not work is refused, and the old value stays.

    Raises
    ------
    InputError
        No such setting, or the value cannot be used: the message says why.
    UnreadableFileError, OutputError
        The settings cannot be read, or not be written.
    """
    setting, plain = _known(name), str(text).strip()
    if plain and setting.kind is not Kind.WORD:
        plain = os.pathsep.join(str(Path(part).expanduser().absolute()) for part in _parts(setting, plain))
    problem = problem_of(name, plain) if plain else ""
    if problem:
        raise InputError(problem, attribute=name)
    settings.change(name, plain)
    return get_setting(name)


def problem_of(name: str, text: str) -> str:
    """Why ``text`` cannot be the value of a setting, in words; "" where it can. Tries folders, and reads files."""
    setting = _known(name)
    try:
        if setting.kind is Kind.WORD:
            _check_word(name, text)
        elif setting.kind is Kind.FILE:
            _check_file(name, Path(text))
        elif setting.kind is Kind.FOLDER:
            _check_writable(Path(text))
        else:
            for part in _parts(setting, text):
                _check_readable(Path(part))
    except MedAIError as error:
        return str(error)
    return ""


def _known(name: str) -> Setting:
    if name not in settings.SETTINGS:
        hint = did_you_mean(name, settings.SETTINGS) or f"There are: {', '.join(settings.SETTINGS)}."
        raise InputError("is no setting", attribute=name, advice=hint)
    return settings.SETTINGS[name]


def _parts(setting: Setting, text: str) -> list[str]:
    found = text.split(os.pathsep) if setting.kind is Kind.FOLDERS else [text]
    return [part.strip() for part in found if part.strip()]


def _check_word(name: str, text: str) -> None:
    if name == "device" and not _DEVICE.fullmatch(text):
        raise InputError(
            f"{text!r} is no device", advice="There are auto, cpu, mps, cuda and cuda:0, cuda:1 and so on."
        )
    if name == "torch" and text not in CHOICES:
        raise InputError(f"{text!r} is no build of PyTorch", advice=f"There are: {', '.join(CHOICES)}.")


def _check_writable(path: Path) -> None:
    """A folder, or the nearest one above it that is there, is tried by a file that is gone at once."""
    there = next((place for place in (path, *path.parents) if place.exists()), path)
    if not there.is_dir():
        raise InputError("is no folder", file=there, advice="Choose a folder.")
    try:
        with tempfile.TemporaryFile(dir=there):
            return
    except OSError as error:
        advice = "Choose a folder that you may write to."
        raise InputError(f"cannot be written ({error.strerror})", file=there, advice=advice) from error


def _check_readable(path: Path) -> None:
    try:
        next(path.iterdir(), None)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", file=path, advice="Choose a folder that is there."
        ) from error


def _check_file(name: str, path: Path) -> None:
    if path.is_dir():
        raise InputError("is a folder, and no file", file=path)
    if name == "project_key":
        _check_key(path)
    elif not path.exists():
        _check_writable(path.parent)
    elif name == "peers":
        from slicermedai.pacs.peers import load_peers

        load_peers(path)
    else:
        from slicermedai.pacs.inbox_rules import load_rules

        load_rules(path)


def _check_key(path: Path) -> None:
    """A sealed key is opened by the job that needs it; whether it is one is seen here."""
    from slicermedai.deid.keystore import PlainKeyWarning, load_key, needs_passphrase

    if not needs_passphrase(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PlainKeyWarning)
            load_key(path)
