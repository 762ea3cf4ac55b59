"""A prediction as findings: each structure measured, and told how far it can be trusted."""

from __future__ import annotations

from slicermedai.confidence.assess import assess
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.finding import Finding, Mask, tracking_uid
from slicermedai.domain.volume import Volume
from slicermedai.inference.task import Prediction
from slicermedai.measure.methods import measure_all
from slicermedai.measure.structure import boxes_of


def findings_of(
    bundle: BundleRef, prediction: Prediction, *, seed: str, volume: Volume | None = None
) -> tuple[Finding, ...]:
    """One finding for every label that has voxels, in the order of the bundle's labels; () means "no finding".

    Tracking UIDs follow from ``seed`` (the source series, or the job where there is none), the model and the label, so
    that a second run on one series gives the same ones. With ``volume``, the image that was analysed, intensities are
    measured too.
    """
    scores, present = dict(prediction.scores), boxes_of(prediction.label_map)
    found = [(value, label) for value, label in prediction.labels if value in present]
    regions = [Mask(label_map=prediction.label_map, value=value) for value, _ in found]
    return tuple(
        Finding(
            tracking_uid=tracking_uid(seed, bundle.title, label.type.value, str(value)),
            label=label,
            region=region,
            measurements=numbers,
            confidence=assess(scores.get(value), model=bundle.title),
        )
        for (value, label), region, numbers in zip(found, regions, measure_all(regions, volume=volume), strict=True)
    )
