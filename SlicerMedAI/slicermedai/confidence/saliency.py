"""A saliency map of a run, with what checks of this model said of such maps."""

from __future__ import annotations

from slicermedai.confidence.record import TrustRecord
from slicermedai.confidence.scope import Applicability
from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.result import Map
from slicermedai.inference.task import SaliencyVolume

SALIENCY = Code(value="130404", scheme="DCM", meaning="Saliency")


def saliency_map(made: SaliencyVolume, record: TrustRecord | None, applicability: Applicability) -> Map:
    """As a map of the result; its ``about`` ends with the checks of the record, where that applies to the run."""
    return Map(
        name=f"Saliency: {made.title}",
        quantity=SALIENCY,
        unit=NO_UNITS,
        array=made.array,
        geometry=made.geometry,
        about=(*made.about, ("checks", checks_in_words(made.method, record, applicability))),
    )


def checks_in_words(method: str, record: TrustRecord | None, applicability: Applicability) -> str:
    """What the record's checks say of maps by ``method``: "saliency not validated" where they failed or never ran, and
    where the record does not apply."""
    if record is None or not applicability.applies:
        return f"saliency not validated: {'; '.join(applicability.reasons)}"
    quality = next((one for one in record.saliency if one.method == method), None)
    if quality is None:
        return "saliency not validated: the trust record has no checks of this method"
    return "; but ".join((quality.in_words, *applicability.reasons))
