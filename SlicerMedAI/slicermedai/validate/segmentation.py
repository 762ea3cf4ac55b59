"""How well one structure of one case was segmented. Empty masks have defined answers, and no case is ever dropped.

==========================  =======  ===========  ==========================================
reference and prediction    Dice     NSD          HD95 and ASSD
==========================  =======  ===========  ==========================================
both empty                  1        1            0 mm
one empty                   0        0            diagonal of the image, the worst there is
==========================  =======  ===========  ==========================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.words import Words
from slicermedai.errors import GeometryError
from slicermedai.validate.surfaces import border_distances

TOLERANCE_MM = 2.0
METRICS = ("dice", "nsd", "hd95", "assd")


class Kind(Words):
    """What reference and prediction have of a structure."""

    BOTH = "found"
    NEITHER = "rightly not found"
    MISSED = "missed"
    INVENTED = "false alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScore:
    """One structure of one case. Distances in mm, volumes in ml; ``groups`` are what subgroups are made of.

    ``subject`` is an opaque key of the patient; ``case`` names the image for those who may look it up. ``beyond`` is
    how many voxels of the reference lie beyond the image, where nothing is compared.
    """

    case: str
    subject: str
    structure: str
    kind: Kind
    dice: float
    nsd: float
    hd95: float
    assd: float
    reference_ml: float
    predicted_ml: float
    groups: dict[str, str] = field(default_factory=dict)
    beyond: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseName:
    """Which case and structure is scored; see :class:`CaseScore`."""

    case: str
    subject: str
    structure: str
    groups: dict[str, str] = field(default_factory=dict)


def score(
    reference: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    geometry: Geometry,
    *,
    name: CaseName,
    tolerance: float = TOLERANCE_MM,
) -> CaseScore:
    """Score two masks (slices, rows, columns) bool on one grid; ``tolerance`` of the NSD in mm.

    Raises
    ------
    GeometryError
        The shapes differ.
    """
    if not reference.shape == predicted.shape == geometry.shape:
        raise GeometryError("reference, prediction and grid differ in shape", file=name.case, attribute="shape")
    kind = _kind(reference, predicted)
    nsd, hd95, assd = _distances(reference, predicted, geometry, kind, tolerance)
    sizes = int(np.count_nonzero(reference)), int(np.count_nonzero(predicted))
    shared = int(np.count_nonzero(reference & predicted))
    return CaseScore(
        case=name.case,
        subject=name.subject,
        structure=name.structure,
        groups=name.groups,
        kind=kind,
        dice=2 * shared / sum(sizes) if sum(sizes) else 1.0,
        nsd=nsd,
        hd95=hd95,
        assd=assd,
        reference_ml=sizes[0] * geometry.voxel_volume / 1000,
        predicted_ml=sizes[1] * geometry.voxel_volume / 1000,
    )


def cut_words(scores: Sequence[CaseScore]) -> str:
    """What people must know where references of one structure reach beyond their images; "" where none does."""
    cut = [score.beyond for score in scores if score.beyond]
    if not cut:
        return ""
    return (
        f"References of {scores[0].structure} reach beyond the image in {len(cut)} of {len(scores)} cases"
        f" ({sum(cut)} voxels in all, {max(cut)} at most in one): what lies there is cut off, and not compared."
    )


def diagonal(geometry: Geometry) -> float:
    """mm between the two farthest corners of the image: the largest distance that there can be."""
    corners = geometry.corners
    return float(np.linalg.norm(corners[:, None] - corners[None], axis=2).max())


def _kind(reference: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Kind:
    if reference.any():
        return Kind.BOTH if predicted.any() else Kind.MISSED
    return Kind.INVENTED if predicted.any() else Kind.NEITHER


def _distances(
    reference: NDArray[np.bool_], predicted: NDArray[np.bool_], geometry: Geometry, kind: Kind, tolerance: float
) -> tuple[float, float, float]:
    """(NSD, HD95, ASSD)."""
    if kind is Kind.NEITHER:
        return 1.0, 0.0, 0.0
    if kind is not Kind.BOTH:
        return 0.0, diagonal(geometry), diagonal(geometry)
    found = border_distances(reference, predicted, geometry)
    return found.surface_dice(tolerance), found.hausdorff(95.0), found.assd()
