"""Which profile and options are applied (PS3.15 Annex E; codes of PS3.16 CID 7050)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum

from slicermedai.domain.codes import Code
from slicermedai.errors import IdentityError

BASIC = Code(value="113100", scheme="DCM", meaning="Basic Application Confidentiality Profile")


class Option(str, Enum):
    """The twelve options of the Basic profile, by their DCM code."""

    CLEAN_PIXEL_DATA = "113101"
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES = "113102"
    CLEAN_GRAPHICS = "113103"
    CLEAN_STRUCTURED_CONTENT = "113104"
    CLEAN_DESCRIPTORS = "113105"
    RETAIN_FULL_DATES = "113106"
    RETAIN_MODIFIED_DATES = "113107"
    RETAIN_PATIENT_CHARACTERISTICS = "113108"
    RETAIN_DEVICE_IDENTITY = "113109"
    RETAIN_UIDS = "113110"
    RETAIN_SAFE_PRIVATE = "113111"
    RETAIN_INSTITUTION_IDENTITY = "113112"

    @property
    def code(self) -> Code:
        """The code that DeidentificationMethodCodeSequence carries where the option was applied."""
        return Code(value=self.value, scheme="DCM", meaning=_MEANINGS[self.value])


_MEANINGS = {
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
STEPS: frozenset[Option] = frozenset({Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES})
"""Options that change pixels: claimed only by the files in which that step ran and was checked."""
IMPLEMENTED: frozenset[Option] = frozenset(Option)
_DATES = frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES})


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic profile with a set of options.

    Raises
    ------
    IdentityError
        An option was chosen that this version does not apply, or the two that contradict each other: dates cannot be
        both as they were and modified. Nothing is ever ignored in silence.
    """

    options: frozenset[Option] = frozenset()

    def __post_init__(self) -> None:
        wanted = sorted(Option(option) for option in self.options)
        for option in wanted:
            if option not in IMPLEMENTED:
                raise IdentityError(
                    f"the {option.code.meaning} ({option.value}) is not available",
                    attribute="options",
                    advice=f"Available: {_available()}.",
                )

        if wanted and self.options >= _DATES:
            raise IdentityError(
                "dates cannot be retained in full (113106) and modified (113107) at once",
                attribute="options",
                advice="Choose one of them.",
            )

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes of what is applied, the Basic profile first."""
        return (BASIC, *(option.code for option in sorted(self.options)))

    @property
    def option_codes(self) -> frozenset[str]:
        """The options as the table's columns name them."""
        return _codes_of(self.options)

    def claims(self, done: frozenset[Option] = frozenset()) -> tuple[Code, ...]:
        """The codes that one file may carry in which the steps ``done`` ran and were checked (PS3.3 C.7.1.1)."""
        claimed = (self.options - STEPS) | (self.options & STEPS & done)
        return (BASIC, *(option.code for option in sorted(claimed)))


@functools.lru_cache(maxsize=64)
def _codes_of(options: frozenset[Option]) -> frozenset[str]:
    return frozenset(option.value for option in options)


def _available() -> str:
    names = [f"{option.code.meaning} ({option.value})" for option in sorted(IMPLEMENTED)]
    return ", ".join(names) or "the Basic profile without options"
