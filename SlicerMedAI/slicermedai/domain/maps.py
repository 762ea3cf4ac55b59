"""What maps are about, by the codes of their quantities, and from what to what their values are shown.

Maps of one kind are shown on one scale, so that those of two patients can be held against each other.
"""

from __future__ import annotations

from slicermedai.domain.codes import Code
from slicermedai.domain.result import Map

DISAGREEMENT = Code(value="SAMPLE-DISAGREEMENT", scheme="99MEDAI", meaning="Share of samples that disagree")
MOST_DISAGREEMENT = 0.5
"""Half of the samples; where more than two answers vie, larger shares look the same."""
_PROBABILITIES = {"122157", "110854", "111047", "111011", "111012", "111013"}
_SALIENCIES = {"130401", "130402", "130403", "130404"}


def is_probability(one: Map) -> bool:
    """True by the code of the quantity (DCM)."""
    return one.quantity.scheme == "DCM" and one.quantity.value in _PROBABILITIES


def is_saliency(one: Map) -> bool:
    """True by the code of the quantity (DCM)."""
    return one.quantity.scheme == "DCM" and one.quantity.value in _SALIENCIES


def fixed_range(one: Map) -> tuple[float, float] | None:
    """From what to what all maps of this kind are shown; None where each has its own range, as where it falls below 0.

    Probability and saliency go from 0 to 1, the share of samples that disagree to :data:`MOST_DISAGREEMENT`.
    """
    if is_probability(one):
        return 0.0, 1.0
    if float(one.array.min(initial=0)) < 0:
        return None
    if is_saliency(one):
        return 0.0, 1.0
    return (0.0, MOST_DISAGREEMENT) if one.quantity == DISAGREEMENT else None
