"""Body surface area and the liver volume that goes with it, by published formulae.

None of them knows the patient: they are regressions over livers of one population each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from slicermedai.domain.plan import Body, LiverFormula, SurfaceFormula
from slicermedai.errors import InputError

_ADULT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardLiver:
    """A standard liver volume in ml, the surface in m2 it follows from, and by which formulae."""

    ml: float
    surface_m2: float
    formulae: str


def usual_surface(liver: LiverFormula) -> SurfaceFormula:
    """The body surface that goes with ``liver`` by custom: Du Bois with Urata, Mosteller with Vauthey."""
    return SurfaceFormula.DU_BOIS if liver is LiverFormula.URATA else SurfaceFormula.MOSTELLER


def surface_area(body: Body) -> float:
    """Body surface area in m2.

    Du Bois D, Du Bois EF. Arch Intern Med 1916;17:863-871: 0.007184 x kg^0.425 x cm^0.725 (DCM 122241).
    Mosteller RD. N Engl J Med 1987;317:1098: sqrt(cm x kg / 3600) (DCM 122244).
    """
    if body.surface is SurfaceFormula.DU_BOIS:
        return float(0.007184 * body.weight_kg**0.425 * body.height_cm**0.725)
    return math.sqrt(body.height_cm * body.weight_kg / 3600)


def standard_liver(body: Body) -> StandardLiver:
    """The standard liver volume.

    Urata K, et al. Calculation of child and adult standard liver volume for liver transplantation. Hepatology
    1995;21:1317-1321 (Japan): ml = 706.2 x m2 + 2.4.
    Vauthey JN, et al. Body surface area and body weight predict total liver volume in Western adults. Liver Transpl
    2002;8:233-240: ml = -794.41 + 1267.28 x m2; of adults, so that less than 1 m2 is refused.

    Raises
    ------
    InputError
        A body surface for which the formula was not made.
    """
    surface = surface_area(body)
    words = f"{body.liver}, body surface by {body.surface}"
    if body.liver is LiverFormula.URATA:
        return StandardLiver(ml=706.2 * surface + 2.4, surface_m2=surface, formulae=words)
    if surface < _ADULT:
        raise InputError(
            f"{body.liver} was made of adults, and this body surface is below 1 m2",
            attribute="liver",
            advice=f"Choose {LiverFormula.URATA}, which was made of children too.",
        )
    return StandardLiver(ml=-794.41 + 1267.28 * surface, surface_m2=surface, formulae=words)
