"""One structure of one run held against the trust record: confidence, expected quality, volume interval and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slicermedai.confidence.assess import assess
from slicermedai.confidence.light import Evidence, GreenRule, TrafficLight, light_of
from slicermedai.confidence.margins import margins_of_probabilities
from slicermedai.confidence.ood import OodReport, OodState
from slicermedai.confidence.record import StructureTrust, TrustRecord
from slicermedai.confidence.scaling import Scaling
from slicermedai.confidence.scope import Applicability
from slicermedai.confidence.sketch import MarginSketch
from slicermedai.confidence.structure import (
    EXPECTED_DICE,
    PAIRWISE_DICE,
    PAIRWISE_DICE_BEFORE,
    DiceModel,
    expected_dice,
)
from slicermedai.domain.finding import Confidence, ConfidenceState, Interval
from slicermedai.domain.result import Quality

_EDITED = "A person edited this structure: what was predicted is not what is there now."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """What a run knows of one structure: its label value, the network's raw score, the sketch of the margins around
    it (answers unknown, so all count as outside), its volume in ml, and how far samples agreed, where any were taken.
    ``sampling`` is how these were taken, "" where none were. ``unstable`` says why a stability check found it to move
    too far, or did not get to its end, "" where all was tried and it did not. ``of_box`` is True for a detector's
    candidate, and ``of_image`` for a label of the whole image: their score alone says how sure it is.
    """

    value: int
    tracking_uid: str
    raw_score: float | None
    volume_ml: float
    sketch: MarginSketch | None = None
    pairwise_dice: float | None = None
    edited: bool = False
    unstable: str = ""
    sampling: str = ""
    of_box: bool = False
    of_image: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for the whole run: the record, whether it applies, and what the input checks found."""

    model: str
    record: TrustRecord | None
    applicability: Applicability
    ood: OodReport | None = None

    @property
    def may_assess(self) -> bool:
        """False where the record does not apply, or the input is unlike its patients: numbers would mislead."""
        return self.applicability.applies and (self.ood is None or self.ood.state is not OodState.OUTSIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person is told of one structure."""

    confidence: Confidence
    quality: Quality
    volume_interval: Interval | None
    light: TrafficLight


def verdict(observed: Observed, standing: Standing) -> Verdict:
    """Judge one structure. Nothing here changes a mask, and an edit resets all that was predicted."""
    known = standing.record.of(observed.value) if standing.record else None
    usable = known if known is not None and standing.may_assess and not observed.edited else None
    model, rule, note = _model(observed, usable) if usable else (None, None, "")
    dice = _dice(observed, usable, model)
    interval = model.interval(dice) if model and dice is not None else None
    light = light_of(
        Evidence(
            applicability=standing.applicability,
            ood=standing.ood,
            predicted_dice=dice,
            interval=interval,
            rule=rule,
            note=note,
            edited=observed.edited,
            unstable=observed.unstable,
            unfitted=usable.doubts if usable and model is None else (),
        )
    )
    return Verdict(
        confidence=_confidence(observed, usable, standing),
        quality=_quality(observed, dice, interval, light),
        volume_interval=usable.volume.interval(observed.volume_ml) if usable and usable.volume else None,
        light=light,
    )


def mean_probability(sketch: MarginSketch, scaling: Scaling) -> float | None:
    """Mean calibrated probability of what was predicted (margin above 0); None where nothing was."""
    points = sketch.points()
    found = points.margin > 0
    if not found.any():
        return None
    return float(np.average(scaling.probabilities(points.margin[found]), weights=points.weight[found]))


def _model(observed: Observed, known: StructureTrust) -> tuple[DiceModel | None, GreenRule | None, str]:
    """The model of the Dice that fits how the run was made, the rule of its light, and what to say where samples that
    one of the two has cannot be used."""
    sampled = known.sampled
    if sampled is not None and observed.sampling == sampled.method:
        return sampled.dice, sampled.rule, ""
    note = ""
    if observed.sampling:
        of = f"with other samples ({sampled.method})" if sampled else "without samples"
        note = f"the trust record was made {of}: how those of this run agree is not used for the Dice"
    elif sampled is not None:
        note = f"the Dice is predicted without samples; the trust record knows {sampled.method} too"
    return known.dice, known.rule, note


def _dice(observed: Observed, known: StructureTrust | None, model: DiceModel | None) -> float | None:
    if known is None or model is None or observed.sketch is None:
        return None
    expected = expected_dice(observed.sketch, known.scaling)
    agreed = observed.pairwise_dice
    features = {EXPECTED_DICE: expected, PAIRWISE_DICE: agreed, PAIRWISE_DICE_BEFORE: agreed}
    return model.predict({name: value for name, value in features.items() if value is not None})


def _confidence(observed: Observed, known: StructureTrust | None, standing: Standing) -> Confidence:
    if observed.edited:
        return Confidence(state=ConfidenceState.NOT_ASSESSED_EDITED, reason=_EDITED)
    if known is not None and not known.is_calibrated:
        return _unassessed(observed, standing, doubts=known.doubts)
    probability = _probability(observed, known) if known is not None else None
    if known is None or probability is None or standing.record is None:
        return _unassessed(observed, standing)
    return Confidence(
        state=ConfidenceState.CALIBRATED,
        raw_score=observed.raw_score,
        probability=probability,
        calibration=f"{known.scaling.method}, {standing.record.name}, {known.patients} patients",
        reason="; ".join(standing.applicability.reasons),
    )


def _probability(observed: Observed, known: StructureTrust) -> float | None:
    """Of a mask the mean over its voxels, of a candidate that of being a lesion, of a label of the whole image that the
    image has it; None where that cannot be told."""
    if (known.lesions, known.of_image) != (observed.of_box, observed.of_image):
        return None
    if not (known.lesions or known.of_image):
        return mean_probability(observed.sketch, known.scaling) if observed.sketch is not None else None
    if observed.raw_score is None or not 0 <= observed.raw_score <= 1:
        return None
    score = np.array(observed.raw_score, dtype=np.float32)
    return float(known.scaling.probabilities(margins_of_probabilities(score)))


def _unassessed(observed: Observed, standing: Standing, *, doubts: tuple[str, ...] = ()) -> Confidence:
    """Out of distribution nothing is assessed; otherwise the raw score is passed on as such, with the reason."""
    if standing.applicability.applies and standing.ood is not None and standing.ood.state is OodState.OUTSIDE:
        words = "; ".join(alarm.reason for alarm in standing.ood.alarms)
        return Confidence(state=ConfidenceState.NOT_ASSESSED, raw_score=observed.raw_score, reason=words)
    reasons = "; ".join((*doubts, *standing.applicability.reasons)) if standing.record else ""
    return assess(observed.raw_score, model=standing.model, why=reasons[:1].upper() + reasons[1:])


def _quality(observed: Observed, dice: float | None, interval: Interval | None, light: TrafficLight) -> Quality:
    state = "not assessed (edited)" if observed.edited else "not assessed" if dice is None else "predicted"
    return Quality(
        tracking_uid=observed.tracking_uid,
        expected_dice=dice,
        state=state,
        reason=light.reasons[0] if light.reasons else "",
        interval=interval,
        light=light.light.value,
        reasons=light.reasons,
    )
