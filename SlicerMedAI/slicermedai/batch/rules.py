"""Which series of each study is run: one TOML file that a person reads and writes.

.. code-block:: toml

    same_patient = "keep"            # studies of one patient: keep all, "first" or "last" by date, or "refuse"
    frames_of_reference = "same"     # several inputs must lie in one; "any": they are registered all the same

    [[rule]]                         # in order of preference: the first that fits a series is taken
    name = "thin soft tissue, portal venous"
    modality = "CT"                  # regular expressions over the whole value, in any case; left out: any
    body_part = "ABDOMEN|LIVER"
    description = ".*liver.*"
    kernel = "B[23][0-9].*|STANDARD"
    thickness_mm = [0.5, 2.5]        # from and to, both included; [0.5, inf]: 0.5 or more
    slices = [20, 2000]
    contrast = "with"                # "without", or left out
    phase = ["portal", "venous", "pv"]      # one of these words stands in the descriptions
    without_words = ["delayed"]      # none of these does
    origin = "original"              # "derived", or left out (PS3.3 C.7.6.1.1.2)
    tie = "refuse"                   # several fit: "refuse", "most slices", "thinnest", "first", "last" (by number)
    input = ""                       # the name of the image, for models that take several
    bundle = ""                      # the model for studies that this rule fits; left out: the cohort's

Rules with the same ``input`` are one list of preferences; a study needs one series for each input. Localizers, screen
captures and what this program made are never taken, whatever a rule says; single images, colour images and images
without a place (projections, photographs) by rules whose ``slices`` begin with 1 alone.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import InputError

if TYPE_CHECKING:
    from slicermedai.dicom.facts import SeriesFacts

TIES = ("refuse", "most slices", "thinnest", "first", "last")
SAME_PATIENT = ("keep", "first", "last", "refuse")
FRAMES = ("same", "any")
_PATTERNS = ("modality", "body_part", "description", "kernel")
_RANGES = ("thickness_mm", "slices")
_CHOICES = {"tie": TIES, "contrast": ("", "with", "without"), "origin": ("", "original", "derived")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a series must be; what is left out fits any. See the file's docstring."""

    name: str
    input: str = ""
    bundle: str = ""
    modality: str = ""
    body_part: str = ""
    description: str = ""
    kernel: str = ""
    thickness_mm: tuple[float, ...] = ()
    slices: tuple[float, ...] = ()
    contrast: str = ""
    phase: tuple[str, ...] = ()
    without_words: tuple[str, ...] = ()
    origin: str = ""
    tie: str = "refuse"

    @property
    def takes_pictures(self) -> bool:
        """True where it says that one image is enough: projections and photographs are then taken too."""
        return bool(self.slices) and self.slices[0] <= 1

    def misfit(self, facts: SeriesFacts, *, hidden: float = 0) -> str:
        """Why a series does not fit, in words without patient data; "" where it does.

        Of one that may have ``hidden`` slices more than can be read, it is asked whether it could fit with any of them:
        then a thickness that no file states (it is the distance of neighbours) says nothing.
        """
        first, *checks = self._by_pattern, self._by_contrast, self._by_words, self._by_origin
        found = first(facts) or self._by_range(facts, hidden)
        return found or next(filter(None, (check(facts) for check in checks)), "")

    def _by_pattern(self, facts: SeriesFacts) -> str:
        for name in _PATTERNS:
            pattern, value = getattr(self, name), getattr(facts, name)
            if pattern and not re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL):
                told = f" {value!r}" if name in ("modality", "kernel") else ""
                return f"{name.replace('_', ' ')}{told} does not fit {pattern!r}"
        return ""

    def _by_range(self, facts: SeriesFacts, hidden: float) -> str:
        for name in _RANGES:
            given, value = getattr(self, name), getattr(facts, name)
            if hidden and name == "thickness_mm" and not facts.states_thickness:
                continue
            more = hidden if name == "slices" else 0
            if given and (value is None or not given[0] - more <= value <= given[1]):
                told = "unknown" if value is None else f"{value:g}"
                wanted = f"{given[0]:g} or more" if math.isinf(given[1]) else f"within {given[0]:g} to {given[1]:g}"
                return f"{name.removesuffix('_mm')} {told} is not {wanted}"
        return ""

    def _by_contrast(self, facts: SeriesFacts) -> str:
        if self.contrast and (self.contrast == "with") != bool(facts.agent):
            return f"is {'with' if facts.agent else 'without'} contrast agent"
        return ""

    def _by_words(self, facts: SeriesFacts) -> str:
        if self.phase and not any(_has(facts.words, word) for word in self.phase):
            return f"none of the words {', '.join(self.phase)} is there"
        found = next((word for word in self.without_words if _has(facts.words, word)), "")
        return f"the word {found!r} is there" if found else ""

    def _by_origin(self, facts: SeriesFacts) -> str:
        if self.origin and (self.origin == "derived") != facts.is_derived:
            return f"is {'derived' if facts.is_derived else 'original'}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRules:
    """The whole file."""

    rules: tuple[Rule, ...]
    same_patient: str = "keep"
    frames_of_reference: str = "same"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the images that a study needs, in the order in which the rules name them."""
        return tuple(dict.fromkeys(rule.input for rule in self.rules))

    def of(self, name: str) -> tuple[Rule, ...]:
        """The rules for one input, the preferred first."""
        return tuple(rule for rule in self.rules if rule.input == name)

    @property
    def bundles(self) -> tuple[str, ...]:
        """All models that rules name, each once."""
        return tuple(dict.fromkeys(filter(None, (rule.bundle for rule in self.rules))))


def load_rules(path: Path) -> SeriesRules:
    """Read and check a file; raises :class:`InputError` with the name of the setting that is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", file=path) from error
    return parse_rules(text, file=Path(path))


def parse_rules(text: str, *, file: Path | None = None) -> SeriesRules:
    """The rules in ``text``; errors as :func:`load_rules`."""
    try:
        body = tomllib.loads(text)
    except ValueError as error:
        raise InputError("is no TOML", file=file, advice=f"{error}".replace("\n", " ")) from error
    tables = body.pop("rule", None)
    if not isinstance(tables, list) or not tables:
        raise InputError("no [[rule]] is there", file=file, attribute="rule")
    rules = tuple(_rule(table, number, file) for number, table in enumerate(tables, 1))
    if len({rule.name for rule in rules}) < len(rules):
        raise InputError("two rules have one name", file=file, attribute="name")
    _check_keys(body, SeriesRules, "", file)
    _check_choice(body, "same_patient", SAME_PATIENT, "", file)
    _check_choice(body, "frames_of_reference", FRAMES, "", file)
    return SeriesRules(rules=rules, **body)


def _rule(table: Any, number: int, file: Path | None) -> Rule:
    if not isinstance(table, dict):
        raise InputError("must be a table", file=file, attribute=f"rule {number}")
    place = f"rule {table.get('name', number)} "
    _check_keys(table, Rule, place, file)
    values: dict[str, Any] = {"name": f"rule {number}"} | table
    for name in values:
        values[name] = _value(name, values[name], f"{place}{name}", file)
    for name, choices in _CHOICES.items():
        _check_choice(values, name, choices, place, file)
    return Rule(**values)


def _value(name: str, value: Any, attribute: str, file: Path | None) -> Any:
    """Checked: texts, lists of two numbers, lists of texts."""
    if name in _RANGES:
        if _are_numbers(value) and len(value) == 2 and value[0] <= value[1]:
            return (float(value[0]), float(value[1]))
        raise InputError("must be two numbers, from and to", file=file, attribute=attribute)
    if name in ("phase", "without_words"):
        if isinstance(value, list) and value and all(isinstance(word, str) and word.strip() for word in value):
            return tuple(value)
        raise InputError("must be a list of words", file=file, attribute=attribute)
    if not isinstance(value, str):
        raise InputError("must be a text", file=file, attribute=attribute)
    if name in _PATTERNS:
        _check_pattern(value, attribute, file)
    return value


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(part) in (int, float) for part in value)


def _check_pattern(value: str, attribute: str, file: Path | None) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise InputError(f"is no regular expression ({error.msg})", file=file, attribute=attribute) from error


def _check_keys(values: dict[str, Any], kind: type, place: str, file: Path | None) -> None:
    known = [field.name for field in dataclasses.fields(kind) if field.name != "rules"]
    for name in values:
        if name not in known:
            advice = did_you_mean(name, known)
            raise InputError("is no setting", file=file, attribute=f"{place}{name}", advice=advice)


def _check_choice(values: dict[str, Any], name: str, choices: tuple[str, ...], place: str, file: Path | None) -> None:
    if name in values and values[name] not in choices:
        words = ", ".join(filter(None, choices))
        raise InputError(f"must be one of {words}", file=file, attribute=f"{place}{name}")


def _has(text: str, word: str) -> bool:
    """Whether a word, or several, stands in a text, in any case; letters beside it make it another word."""
    return re.search(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])", text, re.IGNORECASE) is not None
