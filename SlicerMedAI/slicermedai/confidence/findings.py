"""A prediction as findings: each structure measured, and told how far it can be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from slicermedai.confidence.assess import assess
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.finding import Finding, tracking_uid
from slicermedai.domain.volume import Volume
from slicermedai.inference.task import Prediction
from slicermedai.measure.boxed import measured_in_boxes
from slicermedai.measure.methods import measure_all


def findings_of(
    bundle: BundleRef, prediction: Prediction, *, seed: str, volume: Volume | None = None
) -> tuple[Finding, ...]:
    """One finding for everything that was found, in the order of the prediction; () means "no finding".

    Masks, overlapping masks, boxes and labels of the whole image are findings alike. Tracking UIDs follow from ``seed``
    (the source series, or the job where there is none), the model, the label and, where a label was found more than
    once, its number: a second run on one series gives the same ones. With ``volume``, the image that was analysed,
    intensities are measured too, and the size of lesions inside boxes.
    """
    of_masks = measure_all([found.region for found in prediction.regions], volume=volume)
    in_boxes = measured_in_boxes([(found.label, found.region) for found in prediction.regions], volume)
    numbers = [mask or box for mask, box in zip(of_masks, in_boxes, strict=True)]
    seen: Counter[int] = Counter()
    findings = []
    for found, measurements in zip(prediction.regions, numbers, strict=True):
        again = (str(seen[found.value]),) if seen[found.value] else ()
        seen[found.value] += 1
        findings.append(
            Finding(
                tracking_uid=tracking_uid(seed, bundle.title, found.label.type.value, str(found.value), *again),
                label=found.label,
                region=found.region,
                measurements=measurements,
                confidence=assess(found.raw_score, model=bundle.title),
            )
        )
    return tuple(findings)


def with_folds(findings: Sequence[Finding], prediction: Prediction) -> tuple[Finding, ...]:
    """``findings`` of ``prediction``, in its order, that say how many of its folds found each.

    Those that one network answered for, or folds together, stay as they are.
    """
    pairs = zip(findings, prediction.regions, strict=True)
    return tuple(_told(one, found.folds, prediction.folds) if found.folds else one for one, found in pairs)


def _told(finding: Finding, by: Sequence[str], asked: Sequence[str]) -> Finding:
    own = finding.confidence
    words = f"Found by {len(by)} of {len(asked)} folds ({', '.join(by)})."
    return replace(finding, confidence=replace(own, reason=f"{words} {own.reason}".strip()))
