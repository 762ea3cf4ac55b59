"""What is planned for one case before theatre: structures, margins, cuts, the patient's size, how well phases agree.

A plan is a value: an edit makes a new one, so that undo is going back to an earlier value. All places are LPS mm. What
follows from it (volumes, distances, remnant) is not in it: :mod:`slicermedai.plan` works that out anew from any plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Box, Mask, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.words import Words
from slicermedai.errors import InputError

Place = tuple[float, float, float]
"""LPS mm."""


class Role(Words):
    """What a structure is to the plan."""

    ORGAN = "organ"
    LESION = "lesion"
    VESSEL = "vessel"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanStructure:
    """One region of the plan.

    Parameters
    ----------
    name:
        Unique in its plan; what people read.
    role:
        A :class:`Role`, or its word.
    region:
        On the plan's grid.
    tracking_uid:
        Of the finding it was taken from, or "" where a person drew it.
    edited:
        True where the region is no longer the finding's.
    phase:
        The other phase that it was brought from, as its alignment in the plan calls it; "" for the plan's own image.
    """

    name: str
    role: Role
    label: Label
    region: Mask | PackedMask
    tracking_uid: str = ""
    edited: bool = False
    phase: str = ""

    def __post_init__(self) -> None:
        if self.role not in list(Role):
            raise InputError(f"a structure is no {self.role!r}", attribute="role", advice=f"Choose {', '.join(Role)}.")
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """All around ``lesion`` up to ``width`` mm from its border."""

    lesion: str
    width: float

    def __post_init__(self) -> None:
        check_width(self.width)


_SIDES = (("right", "left"), ("anterior", "posterior"), ("inferior", "superior"))
"""LPS: towards minus, towards plus."""
_OFF = math.sin(math.radians(15))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneCut:
    """Takes away what lies on the side of the plane through ``point`` (LPS mm) that ``normal`` points to."""

    name: str
    point: Place
    normal: Place

    def __post_init__(self) -> None:
        numbers = (*self.point, *self.normal)
        if not all(map(math.isfinite, numbers)) or not any(self.normal):
            raise InputError(
                f"the plane {self.name!r} has no direction or no place",
                attribute="normal",
                advice="Give a point in LPS mm and a normal that is not zero.",
            )

    @property
    def sides(self) -> tuple[str, ...]:
        """Where what goes lies of the plane, the most first: ("right", "superior"); 15 degrees and less are no side."""
        length = math.hypot(*self.normal)
        way = [value / length for value in self.normal]
        order = sorted(range(3), key=lambda axis: -abs(way[axis]))
        return tuple(_SIDES[axis][way[axis] > 0] for axis in order if abs(way[axis]) > _OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCut:
    """Takes away what lies in ``box``."""

    name: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginCut:
    """Takes away ``lesion`` and all within ``width`` mm of its border."""

    name: str
    lesion: str
    width: float

    def __post_init__(self) -> None:
        check_width(self.width)


Cut = PlaneCut | BoxCut | MarginCut


def check_width(width: float) -> None:
    """Raises InputError where a margin in mm is not from 0 to 100."""
    if not 0 <= width <= 100:
        raise InputError(
            "a margin is from 0 to 100 mm wide", attribute="width", advice="Give the width in millimetres."
        )


class LiverFormula(Words):
    """How a standard liver volume follows from body surface area; sources in :mod:`slicermedai.plan.body`."""

    URATA = "Urata 1995"
    VAUTHEY = "Vauthey 2002"


class SurfaceFormula(Words):
    """How body surface area follows from height and weight; sources in :mod:`slicermedai.plan.body`."""

    DU_BOIS = "Du Bois 1916"
    MOSTELLER = "Mosteller 1987"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Height in cm and weight in kg of the patient, and the formulae that are to be used.

    Raises
    ------
    InputError
        A height or weight that nobody has, or two that do not go together (metres or pounds).
    """

    height_cm: float
    weight_kg: float
    liver: LiverFormula = LiverFormula.VAUTHEY
    surface: SurfaceFormula = SurfaceFormula.MOSTELLER

    def __post_init__(self) -> None:
        if not 40 <= self.height_cm <= 250:
            raise InputError(
                "no patient has this height", attribute="height_cm", advice="Give centimetres, from 40 to 250."
            )
        if not 1.5 <= self.weight_kg <= 400:
            raise InputError(
                "no patient has this weight", attribute="weight_kg", advice="Give kilograms, from 1.5 to 400."
            )
        if not 8 <= self.weight_kg / (self.height_cm / 100) ** 2 <= 90:
            raise InputError(
                "height and weight do not go together: the body mass index is outside 8 to 90 kg/m2",
                attribute="weight_kg",
                advice="Give centimetres and kilograms, in that order.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """How far apart two phases still are, mm, and by what that was measured.

    ``transform`` is the 4 x 4 after which it was measured, row by row; () is as the phases lie.
    """

    mean: float
    largest: float
    by: str
    count: int
    transform: tuple[float, ...] = ()

    def is_after(self, transform: FloatArray) -> bool:
        """True where it was measured after this 4 x 4, LPS mm."""
        mine = np.array(self.transform).reshape(4, 4) if self.transform else np.eye(4)
        return bool(np.allclose(mine, transform, rtol=0, atol=1e-6))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """How another phase lies to the phase of the plan.

    Parameters
    ----------
    transform:
        4 x 4, a point of the plan's phase -> the same point of the patient in the other phase, both LPS mm.
    same_frame:
        Whether both state one frame of reference; None where one of them states none.
    registered:
        True where ``transform`` was found from the images.
    residual:
        What is left after ``transform``; None where it was not measured.
    limit:
        mm: a larger (or unmeasured) residual is refused.
    remarks:
        What was left out, or not checked, when the phases were joined; to be read before the numbers.
    """

    moving: str
    transform: FloatArray
    same_frame: bool | None
    registered: bool
    residual: Residual | None
    limit: float
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        transform = np.array(self.transform, dtype=np.float64)
        transform.setflags(write=False)
        object.__setattr__(self, "transform", transform)

    @property
    def accepted(self) -> bool:
        """True where a residual was measured after this transform and its mean is within the limit."""
        left = self.residual
        return left is not None and left.is_after(self.transform) and left.mean <= self.limit

    @property
    def in_words(self) -> str:
        """One sentence for people."""
        frame = {True: "same frame of reference", False: "another frame of reference", None: "no frame of reference"}
        how = "registered rigidly" if self.registered else "taken as it lies"
        left = "residual not measured: refused"
        if self.residual is not None:
            other = "" if self.residual.is_after(self.transform) else ", measured after another transform: refused"
            verdict = "" if self.accepted else other or f", more than {self.limit:g} mm: refused"
            left = (
                f"residual {self.residual.mean:.1f} mm (at most {self.residual.largest:.1f} mm) by {self.residual.by}"
            )
            left += verdict
        return f"{self.moving}: {frame[self.same_frame]}, {how}; {left}."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contours:
    """Where a structure surely is (``inner``) and where it may be (``outer``) at ``level``; ``basis`` says of what."""

    structure: str
    inner: PackedMask
    outer: PackedMask
    level: float = 0.9
    basis: str = "calibrated probability"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan:
    """A plan on one grid; see :mod:`slicermedai.plan` for what is made of it.

    Parameters
    ----------
    organ:
        Name of the structure that is cut.
    pairs:
        Names of structures whose distance is asked for, besides lesions to vessels and to the organ's border.
    notes:
        What a person wants every reader to know.
    sources:
        Series Instance UIDs of the images that the plan rests on; () where they are not known.
    """

    geometry: Geometry
    organ: str
    structures: tuple[PlanStructure, ...]
    margins: tuple[Margin, ...] = ()
    cuts: tuple[Cut, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    contours: tuple[Contours, ...] = ()
    alignments: tuple[Alignment, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Short, and without what may name a patient."""
        counts = f"{len(self.structures)} structures, {len(self.margins)} margins, {len(self.cuts)} cuts"
        return f"Plan({self.organ!r}, {counts}, {self.geometry.in_words})"

    @property
    def names(self) -> tuple[str, ...]:
        """Of all structures, in their order."""
        return tuple(one.name for one in self.structures)

    def having(self, role: Role) -> tuple[PlanStructure, ...]:
        """All structures of ``role``."""
        return tuple(one for one in self.structures if one.role is role)
