"""From what a person asks for, a :class:`~slicermedai.jobs.specs.DeidJob`, to what the engine takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.deid.dates import DateRule
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.keystore import ReidentificationTable, load_key, needs_passphrase
from slicermedai.deid.presets import PRESETS, Preset, load_preset, preset_named
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.sealed import refuse_inside
from slicermedai.deid.settings import DeidSettings, Naming
from slicermedai.deid.sources import find_files
from slicermedai.dicom.file_list import is_file_list, load_file_list
from slicermedai.errors import IdentityError
from slicermedai.jobs.specs import DeidJob

_LARGE_JOB = 200
"""Files from which on starting further processes pays."""
_LARGE_WITH_TEXT = 20
"""The same where text is read from the pixels, which takes a hundred times as long."""
_MOST_PROCESSES = 8
_TEXT, _FACES = Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES
_DATES = frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen: the preset, the options in all, and what becomes of dates."""

    preset: Preset
    profile: Profile
    dates: DateRule


def choice_of(job: DeidJob) -> Choice:
    """The preset of ``job`` with its further options; ``ocr`` and ``deface`` add or take away the options they are.

    Raises
    ------
    IdentityError
        No such preset or option, a damaged preset file, or options that contradict each other.
    """
    preset = _preset(job.preset)
    options = set(preset.options) | {_option(code) for code in job.options}
    for option, wanted in ((_TEXT, job.ocr), (_FACES, job.deface)):
        if wanted is not None:
            options = options | {option} if wanted else options - {option}
    profile = Profile(frozenset(options))
    kept = options & _DATES
    dates = preset.dates if kept == preset.options & _DATES else DeidSettings(profile=profile).date_rule
    return Choice(preset=preset, profile=profile, dates=dates)


def settings_of(
    job: DeidJob, *, files: int, passphrase: str | None = None, brain_mask: Callable[..., Any] | None = None
) -> DeidSettings:
    """What the engine takes. Key, table and exclusion list are opened now, so that a wrong one shows before any work.

    Parameters
    ----------
    files:
        How many there are.
    passphrase:
        Opens the key, where it is sealed, and the table.
    brain_mask:
        Finds the brain, for option 113102.

    Raises
    ------
    IdentityError
        As :func:`choice_of`; or key or table cannot be opened, or lie in a folder of images.
    InputError
        The exclusion list cannot be used, or the text reader is not installed.
    OutputError
        The table cannot be written.
    """
    chosen, away = choice_of(job), images_of(job)
    if job.review:
        refuse_inside(Path(job.review), away, attribute="review")
    return DeidSettings(
        profile=chosen.profile,
        dates=chosen.dates,
        ages=chosen.preset.ages,
        text=chosen.preset.text,
        key=load_key(Path(job.key), passphrase, away_from=away) if job.key else None,
        table=ReidentificationTable(Path(job.table), passphrase or "", away_from=away) if job.table else None,
        exclusion=ExclusionList.from_file(Path(job.exclude)) if job.exclude else None,
        ocr=_reader() if _TEXT in chosen.profile.options else None,
        decisions=_decisions(job, chosen.profile),
        deface=_FACES in chosen.profile.options,
        brain_mask=brain_mask,
        processes=job.processes or _processes(files, reads=_TEXT in chosen.profile.options),
        names=Naming(job.names),
    )


def files_of(job: DeidJob) -> list[Path]:
    """The files of the source: below a folder, one file, or those of a list that stands for a series in a database.

    Raises
    ------
    InputError, UnreadableFileError
        It is not there, or the list is damaged.
    OutputError
        The output lies within it.
    """
    source = Path(job.source).expanduser()
    output = Path(job.output) if job.output else None
    if source.is_dir() and is_file_list(source):
        return find_files(load_file_list(source), output=output)
    return find_files([source], output=output)


def images_of(job: DeidJob) -> list[Path]:
    """The folders of images, which secrets are kept out of."""
    return [Path(place).expanduser() for place in (job.source, job.output) if place]


def wants_passphrase(job: DeidJob) -> bool:
    """Whether a passphrase is needed; raises :class:`IdentityError` where the key cannot be read."""
    return bool(job.table) or bool(job.key and needs_passphrase(Path(job.key)))


def _preset(name: str) -> Preset:
    is_file = name not in PRESETS and (name.endswith(".json") or Path(name).is_file())
    return load_preset(Path(name)) if is_file else preset_named(name)


def _option(code: str) -> Option:
    try:
        return Option(code)
    except ValueError as error:
        known = ", ".join(f"{option.value} ({option.code.meaning})" for option in Option)
        raise IdentityError(f"there is no option {code!r}", attribute="options", advice=f"Known: {known}.") from error


def _decisions(job: DeidJob, profile: Profile) -> dict[str, bool]:
    if not job.decisions:
        return {}
    if _TEXT not in profile.options:
        raise IdentityError(
            "decisions on doubtful text are of no use where no text is searched",
            attribute="decisions",
            advice="Use ocr.",
        )
    from slicermedai.deid.pixels.decisions import load_decisions

    return load_decisions(Path(job.decisions))


def _reader() -> Any:
    from slicermedai.deid.pixels.ocr import load_ocr

    return load_ocr()


def _processes(files: int, *, reads: bool) -> int:
    return (
        1 if files < (_LARGE_WITH_TEXT if reads else _LARGE_JOB) else max(1, min(os.cpu_count() or 1, _MOST_PROCESSES))
    )
