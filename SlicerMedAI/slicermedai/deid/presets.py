"""Presets: a profile, its options and what becomes of dates and ages, under one name and in plain words.

Three are built in (``presets.json``). A site's own one is a JSON file of the same form, which :func:`save_preset`
writes and :func:`load_preset` reads back without loss. ``safe_harbor.json`` says of each of the 18 identifiers of
45 CFR 164.514(b)(2)(i) how "hipaa-safe-harbor" meets it:

A names; B places smaller than a state; C dates but for the year, and ages over 89; D telephone; E fax; F mail;
G social security; H medical record; I health plan; J account; K certificate and licence; L vehicle; M device; N web
address; O internet address; P biometric; Q full face; R any other unique code.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.text_rule import TextRule
from slicermedai.domain.storage import write_text
from slicermedai.errors import IdentityError

DATA = Path(__file__).with_name("presets.json")
SAFE_HARBOR = Path(__file__).with_name("safe_harbor.json")
FORMAT = "slicermedai de-identification preset 1"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LARGEST = 100_000
_Kind = TypeVar("_Kind", Option, DateRule, AgeRule, TextRule)
_FIELDS = frozenset({"name", "title", "explanation", "options", "dates", "ages", "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is chosen with one name.

    Parameters
    ----------
    name:
        Small letters, digits and hyphens.
    title, explanation:
        For people: a line, and sentences.
    options:
        Of the Basic profile. Those of a step that fails for a file (pixels, faces) are not claimed by that file.
    dates, ages, text:
        What becomes of dates and ages that the options keep, and of free text; a file need not name the last.

    Raises
    ------
    IdentityError
        The name is no name, a text is empty, or the date rule and the options contradict each other.
    """

    name: str
    title: str
    explanation: tuple[str, ...]
    options: frozenset[Option] = frozenset()
    dates: DateRule = DateRule.REMOVE
    ages: AgeRule = AgeRule.AS_IT_IS
    text: TextRule = TextRule.SCRUB

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > 64:
            raise IdentityError("a preset's name has small letters, digits and hyphens", attribute="name")
        if not self.title.strip() or not self.explanation:
            raise IdentityError("a preset needs a title and an explanation", attribute="title")
        kept = {option.value for option in self.options} & {"113106", "113107"}
        if kept != ({self.dates.option} - {None}):
            raise IdentityError(
                f"dates: {self.dates.value} goes with {self.dates.option or 'neither 113106 nor 113107'}",
                attribute="options",
                advice="113106 keeps dates, 113107 shifts them or keeps their year alone; one of them at most.",
            )

    @property
    def profile(self) -> Profile:
        """The profile with the options; raises :class:`IdentityError` where this version lacks one of them."""
        return Profile(self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """One of the 18 identifiers: letter in 45 CFR 164.514(b)(2)(i), what it is, how it is met, attributes it is in."""

    letter: str
    what: str
    how: str
    attributes: tuple[str, ...]


def save_preset(path: Path, preset: Preset) -> Path:
    """Write a site's own preset; :func:`load_preset` gives the same one back.

    Raises
    ------
    OutputError, DiskFullError
        It cannot be written; an old one stays.
    """
    body = {
        "format": FORMAT,
        "name": preset.name,
        "title": preset.title,
        "explanation": list(preset.explanation),
        "options": sorted(option.value for option in preset.options),
        "dates": preset.dates.value,
        "ages": preset.ages.value,
        **({"text": preset.text.value} if preset.text is not TextRule.SCRUB else {}),
    }
    return write_text(Path(path), json.dumps(body, indent=2, ensure_ascii=False) + "\n")


def load_preset(path: Path) -> Preset:
    """A site's own preset.

    Raises
    ------
    IdentityError
        The file cannot be read, is no preset, lacks or has too many fields, or contradicts itself; which is said.
    """
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise ValueError("too large")
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _refusal(path, "preset", f"is no preset ({type(error).__name__})") from error
    if not isinstance(body, dict) or body.pop("format", None) != FORMAT:
        raise _refusal(path, "format", f"is not of the form {FORMAT!r}")
    try:
        return _from_plain(body)
    except IdentityError as error:
        raise IdentityError(error.message, file=path, attribute=error.attribute, advice=error.advice) from error


def presets(folder: Path | None = None) -> dict[str, Preset]:
    """The built-in presets and a site's own ones (``*.json`` in ``folder``) by name.

    Raises
    ------
    IdentityError
        One of the files is no preset, or has a name that is taken.
    """
    found = dict(PRESETS)
    for path in sorted(Path(folder).glob("*.json")) if folder and Path(folder).is_dir() else []:
        own = load_preset(path)
        if own.name in found:
            raise _refusal(path, "name", "has the name of another preset")
        found[own.name] = own
    return found


def preset_named(name: str, folder: Path | None = None) -> Preset:
    """A preset by name; raises :class:`IdentityError` with the names that there are."""
    found = presets(folder)
    if name not in found:
        raise IdentityError(
            f"there is no preset {name!r}", attribute="preset", advice=f"Known: {', '.join(sorted(found))}."
        )
    return found[name]


@functools.cache
def safe_harbor() -> tuple[Identifier, ...]:
    """The 18 identifiers, A to R."""
    body = json.loads(SAFE_HARBOR.read_text(encoding="utf-8"))
    return tuple(Identifier(**{**row, "attributes": tuple(row["attributes"])}) for row in body["identifiers"])


def _from_plain(body: dict[str, Any]) -> Preset:
    body = {"text": TextRule.SCRUB.value, **body}
    for name in sorted(_FIELDS ^ set(body)):
        raise IdentityError("is missing" if name in _FIELDS else "is no field of a preset", attribute=name)
    for name in ("name", "title", "dates", "ages", "text"):
        _want(isinstance(body[name], str), name, "must be text")
    for name in ("explanation", "options"):
        _want(
            isinstance(body[name], list) and all(isinstance(v, str) for v in body[name]),
            name,
            "must be a list of texts",
        )
    return Preset(
        name=body["name"],
        title=body["title"],
        explanation=tuple(body["explanation"]),
        options=frozenset(_member(Option, value, "options") for value in body["options"]),
        dates=_member(DateRule, body["dates"], "dates"),
        ages=_member(AgeRule, body["ages"], "ages"),
        text=_member(TextRule, body["text"], "text"),
    )


def _member(kind: type[_Kind], value: str, name: str) -> _Kind:
    try:
        return kind(value)
    except ValueError as error:
        known = ", ".join(member.value for member in kind)
        raise IdentityError("has a value that is not known", attribute=name, advice=f"Known: {known}.") from error


def _want(right: object, name: str, what: str) -> None:
    if not right:
        raise IdentityError(what, attribute=name)


def _refusal(path: Path, attribute: str, message: str) -> IdentityError:
    return IdentityError(message, file=path, attribute=attribute, advice="Save it again, or take it away.")


def _built_in() -> dict[str, Preset]:
    found = [_from_plain(body) for body in json.loads(DATA.read_text(encoding="utf-8"))]
    return {preset.name: preset for preset in found}


PRESETS: Mapping[str, Preset] = MappingProxyType(_built_in())
"""The built-in presets by name: "basic", "research", "hipaa-safe-harbor"."""
