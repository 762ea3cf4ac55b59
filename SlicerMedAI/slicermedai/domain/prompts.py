"""What a person marks in an image for a model to go by: points and boxes, LPS mm, and how they are written as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slicermedai.errors import InputError

Place = tuple[float, float, float]
_FORMS = (
    "Write LABEL=x y z for a point in a structure, LABEL!=x y z for one outside of it, LABEL=x y z to x y z for a box "
    "that holds it; LPS mm."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointPrompt:
    """A place, LPS mm, that lies inside the structure ``label``, or outside of it.

    ``label`` is the name that the model has for the structure, "" where the model knows one alone.

    Raises
    ------
    InputError
        Not three finite numbers, or a label that ends in "!", which means outside where it is written as text.
    """

    label: str
    position: Place
    inside: bool = True

    def __post_init__(self) -> None:
        _check_label(self.label)
        _check(self.position)

    @property
    def text(self) -> str:
        """As :func:`read_prompt` reads it, without loss."""
        return f"{self.label}{'' if self.inside else '!'}={_numbers(self.position)}"

    @property
    def in_words(self) -> str:
        """For people: "Liver: inside at -20.0 31.5 88.0"."""
        return f"{self.label or 'the structure'}: {'inside' if self.inside else 'outside'} at {_short(self.position)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPrompt:
    """A box along the patient's axes, LPS mm from ``low`` to ``high``, that holds all of the structure ``label``.

    Raises
    ------
    InputError
        Not three finite numbers each, a corner ``low`` that is not below ``high``, or a label that ends in "!".
    """

    label: str
    low: Place
    high: Place

    def __post_init__(self) -> None:
        _check_label(self.label)
        _check(self.low)
        _check(self.high)
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise InputError("a box needs low < high along every axis", attribute="prompts")

    @property
    def middle(self) -> Place:
        """LPS mm."""
        x, y, z = ((a + b) / 2 for a, b in zip(self.low, self.high, strict=True))
        return x, y, z

    @property
    def text(self) -> str:
        """As :func:`read_prompt` reads it, without loss."""
        return f"{self.label}={_numbers(self.low)} to {_numbers(self.high)}"

    @property
    def in_words(self) -> str:
        """For people: "Liver: within -90.0 -20.0 40.0 to 10.0 60.0 120.0"."""
        return f"{self.label or 'the structure'}: within {_short(self.low)} to {_short(self.high)}"


Prompt = PointPrompt | BoxPrompt
INSIDE, OUTSIDE, BOX = "inside", "outside", "box"
"""The kinds of marks: a point in the structure, one outside of it, a box that holds it."""


def kind_of(prompt: Prompt) -> str:
    """:data:`INSIDE`, :data:`OUTSIDE` or :data:`BOX`."""
    if isinstance(prompt, BoxPrompt):
        return BOX
    return INSIDE if prompt.inside else OUTSIDE


def read_prompt(text: str) -> Prompt:
    """A point or a box from its text.

    Raises
    ------
    InputError
        It is neither; the message says how they are written.
    """
    head, sign, tail = text.rpartition("=")
    label, inside = head.removesuffix("!").strip(), not head.endswith("!")
    try:
        places = [_place(part.split()) for part in tail.split(" to ")]
    except ValueError:
        places = []
    if not sign or len(places) not in (1, 2) or (len(places) == 2 and not inside):
        raise InputError("is neither a point nor a box", attribute="prompts", advice=_FORMS)
    if len(places) == 2:
        return BoxPrompt(label=label, low=places[0], high=places[1])
    return PointPrompt(label=label, position=places[0], inside=inside)


def place_of(numbers: Sequence[float]) -> Place:
    """Three numbers, of an array for one, as a place; raises :class:`InputError`."""
    try:
        return _place(list(numbers))
    except (TypeError, ValueError) as error:
        raise InputError("a place is three numbers, LPS mm", attribute="prompts") from error


def _place(parts: Sequence[str | float]) -> Place:
    x, y, z = (float(part) for part in parts)
    return x, y, z


def _check_label(label: str) -> None:
    if label.rstrip().endswith("!"):
        raise InputError('the label of a mark cannot end in "!", which means outside', attribute="prompts")


def _check(place: Place) -> None:
    if len(place) != 3 or not all(math.isfinite(number) for number in place):
        raise InputError("a place is three finite numbers, LPS mm", attribute="prompts")


def _numbers(place: Place) -> str:
    return " ".join(repr(number) for number in place)


def _short(place: Place) -> str:
    return " ".join(f"{number:.1f}" for number in place)
