"""For what a trust record speaks, and whether an input is among it."""

from __future__ import annotations

from dataclasses import dataclass, field

from slicermedai.domain.words import Words


class Applies(Words):
    """How a trust record stands to an input."""

    YES = "applies"
    NO_RECORD = "no trust record"
    OTHER_MODEL = "not applicable: another model"
    OTHER_PREPROCESSING = "not applicable: another preprocessing"
    OTHER_PRECISION = "not applicable: another precision"
    GENERATED = "not applicable: fitted on generated data"
    OUT_OF_SCOPE = "out of scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the patients of a record were imaged with; () where that was not recorded. Compared without case.

    ``unknown`` counts the images of which a property was not recorded: "modality", "manufacturer", "site", "protocol".
    """

    modalities: tuple[str, ...] = ()
    manufacturers: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    unknown: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The run that a record is asked for: hashes of weights and preprocessing, and where the image comes from.

    ``precision`` is what the network ran in; ``generated`` is True for phantoms and simulations.
    """

    weights_sha256: str
    preprocessing_sha256: str
    precision: str = "float32"
    modality: str = ""
    manufacturer: str = ""
    site: str = ""
    protocol: str = ""
    generated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicability:
    """The answer, and its reasons in words; reasons beside "applies" are doubts, and keep a light from being green."""

    state: Applies
    reasons: tuple[str, ...] = ()

    @property
    def applies(self) -> bool:
        """True where the record's numbers may be shown as such."""
        return self.state is Applies.YES


_FIELDS = (
    ("modality", "modalities", "modality"),
    ("manufacturer", "manufacturers", "scanner maker"),
    ("site", "sites", "site"),
    ("protocol", "protocols", "protocol"),
)
_NEEDED = ("modality", "manufacturer")
"""Without these nobody knows for what a record speaks; sites and protocols limit it where they were recorded."""


def scope_reasons(scope: Scope, situation: Situation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what lies outside the scope, what could not be told), in words.

    What a record lists and the input does not say cannot be told, nor for what modality and scanner maker a record
    speaks that lists none; generated images have no maker. Sites and protocols that it does not list are not limited.
    """
    outside, unknown = [], []
    for own, listed, words in _FIELDS:
        value, allowed = getattr(situation, own), getattr(scope, listed)
        if not allowed and own in _NEEDED and not situation.generated:
            unknown.append(f"the trust record does not say for which {words} it speaks")
        elif allowed and not value:
            unknown.append(
                f"the {words} of this input is not known, and the trust record is for {_these(allowed)} alone"
            )
        elif allowed and value.casefold() not in {name.casefold() for name in allowed}:
            outside.append(f"{words} {value}: the trust record knows {_these(allowed)} alone")
    return tuple(outside), tuple(unknown)


def _these(names: tuple[str, ...]) -> str:
    return ", ".join(names)
