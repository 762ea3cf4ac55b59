"""A prediction as findings: each structure measured, and told how far it can be trusted."""

from __future__ import annotations

from slicermedai.confidence.assess import assess
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.finding import Finding, Mask, tracking_uid
from slicermedai.inference.task import Prediction
from slicermedai.measure.volume import measure


def findings_of(bundle: BundleRef, prediction: Prediction, *, seed: str) -> tuple[Finding, ...]:
    """One finding for every label that has voxels, in the order of the bundle's labels; () means "no finding".

    Tracking UIDs follow from ``seed`` (the source series, or the job where there is none), the model and the label, so
    that a second run on one series gives the same ones.
    """
    scores, findings = dict(prediction.scores), []
    for value, label in prediction.labels:
        region = Mask(label_map=prediction.label_map, value=value)
        if not region.to_array().any():
            continue
        findings.append(
            Finding(
                tracking_uid=tracking_uid(seed, bundle.title, label.type.value, str(value)),
                label=label,
                region=region,
                measurements=measure(region),
                confidence=assess(scores.get(value), model=bundle.title),
            )
        )
    return tuple(findings)
