"""One traffic light per structure, with its reasons in words. Green is a promise with a number, or it is not given.

The promise: of structures that get a green light, at least nine in ten have a Dice of 0.8 or more. One record in ten
may break it, and the share of a single cohort varies around what is true. The threshold on the predicted Dice behind it
is found by fixed-sequence testing on the patients of the trust record, each predicted by a model that had not seen it:
first all that are predicted 0.85 or more (22 at least), then ever more below, as long as the exact binomial bound keeps
the promise (Angelopoulos et al., "Learn then Test", 2021). Where the first set fails, and with fewer than 22 patients,
no light is green: a larger first set forgives one failure at 38 patients, two at 52.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import beta

from slicermedai.confidence.ood import OodReport, OodState
from slicermedai.confidence.scope import Applicability
from slicermedai.domain.finding import Interval
from slicermedai.domain.words import Words

GOOD_DICE = 0.8
PROMISE = 0.9
RISK = 0.1
POOR_DICE = 0.5
_FIRST = 0.85


class Light(Words):
    """What a person sees of a structure first."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    NONE = "not assessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GreenRule:
    """Green from a predicted Dice of ``threshold`` on: ``good`` of ``patients`` such patients had a good Dice."""

    threshold: float
    patients: int
    good: int
    good_dice: float = GOOD_DICE
    promise: float = PROMISE

    @property
    def words(self) -> str:
        """What green says, and from how many patients that is known."""
        return (
            f"at least {self.promise:.0%} of such predictions have a Dice of {self.good_dice:g} or more"
            f" (by an exact bound that holds with {1 - RISK:.0%} confidence, from {self.good} of"
            f" {self.patients} patients of the trust record)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a light is made from; anything that is not known is None. ``unstable`` says why an answer is not stable, or
    not known to be; ``unfitted`` why the record predicts no Dice of this structure; ``note`` what people must know of
    how the Dice was predicted: no doubt, and the last that is said."""

    applicability: Applicability
    ood: OodReport | None = None
    predicted_dice: float | None = None
    interval: Interval | None = None
    rule: GreenRule | None = None
    edited: bool = False
    unstable: str = ""
    unfitted: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLight:
    """The light and why, the weightiest reason first."""

    light: Light
    reasons: tuple[str, ...]


def fit_green_rule(held_out: Sequence[tuple[float, float]]) -> GreenRule | None:
    """From pairs (predicted, true) of Dice, one per patient; None where no threshold keeps the promise."""
    best_first = sorted(held_out, reverse=True)
    fewest = math.ceil(math.log(RISK) / math.log(PROMISE))
    rule = None
    surely = sum(predicted >= _FIRST for predicted, _ in best_first)
    for count in range(max(fewest, surely), len(best_first) + 1):
        good = sum(true >= GOOD_DICE for _, true in best_first[:count])
        if lower_bound(good, count) < PROMISE:
            break
        rule = GreenRule(threshold=best_first[count - 1][0], patients=count, good=good)
    return rule


def lower_bound(hits: int, count: int, *, risk: float = RISK) -> float:
    """The one-sided exact lower bound of a share (Clopper and Pearson, Biometrika 1934)."""
    return float(beta.ppf(risk, hits, count - hits + 1)) if hits else 0.0


def light_of(evidence: Evidence) -> TrafficLight:
    """The light of one structure.

    Green only where a record of the right kind of data applies, the input was checked and is like the record's, and
    the predicted Dice reaches the rule's threshold, and an answer that was found to be unstable never. A record that
    does not apply cannot call an input strange either.
    """
    for judge in (_edited, _not_applicable, _strange, _unpredicted):
        found = judge(evidence)
        if found is not None:
            return _unsteadied(found, evidence)
    found = _unsteadied(_by_dice(evidence), evidence)
    return _light(found.light, *found.reasons, evidence.note) if evidence.note else found


def _unsteadied(found: TrafficLight, evidence: Evidence) -> TrafficLight:
    """No green for what moved beyond its bounds; other lights say it too. An edited structure is another one."""
    if not evidence.unstable or evidence.edited:
        return found
    if found.light is Light.GREEN:
        return _light(Light.AMBER, evidence.unstable, *found.reasons)
    return _light(found.light, *found.reasons, evidence.unstable)


def _edited(evidence: Evidence) -> TrafficLight | None:
    if not evidence.edited:
        return None
    return _light(Light.NONE, "not assessed (edited): what was predicted is not what is there now")


def _strange(evidence: Evidence) -> TrafficLight | None:
    if evidence.ood is None or evidence.ood.state is not OodState.OUTSIDE:
        return None
    return _light(Light.RED, *(alarm.reason for alarm in evidence.ood.alarms), *evidence.applicability.reasons)


def _not_applicable(evidence: Evidence) -> TrafficLight | None:
    if evidence.applicability.applies:
        return None
    return _light(Light.NONE, *evidence.applicability.reasons)


def _unpredicted(evidence: Evidence) -> TrafficLight | None:
    if evidence.predicted_dice is not None:
        return None
    unpredicted = "the Dice of this structure could not be predicted"
    return _light(Light.NONE, *evidence.unfitted, unpredicted, *evidence.applicability.reasons)


def _by_dice(evidence: Evidence) -> TrafficLight:
    dice, rule = evidence.predicted_dice or 0.0, evidence.rule
    doubts = [*evidence.applicability.reasons, *_ood_doubts(evidence.ood)]
    if rule is None:
        doubts.append("the trust record has too few patients, or too many bad ones, for any green light")
    elif dice < rule.threshold:
        doubts.insert(0, f"predicted Dice {_said(evidence)}, and green begins at {rule.threshold:.2f}")
    if dice < POOR_DICE:
        return _light(Light.RED, f"predicted Dice {_said(evidence)}", *doubts)
    if doubts or rule is None:
        return _light(Light.AMBER, *doubts)
    return _light(Light.GREEN, f"predicted Dice {_said(evidence)}: {rule.words}")


def _ood_doubts(report: OodReport | None) -> tuple[str, ...]:
    if report is None or report.state is OodState.NOT_ASSESSED:
        return ("whether this input is like those of the trust record was not assessed",)
    return report.unchecked


def _said(evidence: Evidence) -> str:
    said = f"{evidence.predicted_dice:.2f}"
    if evidence.interval is None:
        return said
    return (
        f"{said} ({evidence.interval.level:.0%} interval {evidence.interval.low:.2f} to {evidence.interval.high:.2f})"
    )


def _light(light: Light, *reasons: str) -> TrafficLight:
    return TrafficLight(light=light, reasons=reasons)
