"""For whom a record speaks: what is known of its cases stays known, and what is not is counted."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.confidence.calibrate import Bootstrap, ClassCalibration, calibrate
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.sketch import CaseSketch, MarginSketch
from slicermedai.confidence.structure import EXPECTED_DICE, PAIRWISE_DICE
from slicermedai.domain.geometry import Geometry
from slicermedai.validate.fitting import _structure, scope_of
from slicermedai.validate.running import DoneCase
from slicermedai.validate.segmentation import CaseName, score
from Testing.corpus.trust.phantoms import Phantom, phantoms


def a_case(**groups: str) -> DoneCase:
    return DoneCase(
        subject="s", scores={}, sketch=CaseSketch(subject="s", sketches={}), blind={}, looks={}, groups=groups
    )


def test_one_case_of_an_unknown_maker_does_not_open_the_scope_to_all_makers() -> None:
    cases = [a_case(modality="CT", manufacturer=maker, site="A") for maker in ("X", "Y", "X")]
    scope = scope_of([*cases, a_case(modality="CT")])
    assert (scope.modalities, scope.manufacturers, scope.sites) == (("CT",), ("X", "Y"), ("A",))
    assert scope.unknown == {"manufacturer": 1, "site": 1, "protocol": 4}


def done(case: Phantom, *, agreed: float | None, sampling: str = "flips") -> DoneCase:
    """A patient whose samples agreed by ``agreed``."""
    region = region_around(case.prediction, case.spacing)
    grid = Geometry.from_axes(case.truth.shape, spacing=case.spacing)
    name = CaseName(case=case.subject, subject=case.subject, structure="Blob", groups={})
    return DoneCase(
        subject=case.subject,
        scores={1: score(case.truth, case.prediction, grid, name=name)},
        sketch=CaseSketch(
            subject=case.subject, sketches={1: MarginSketch().add(case.margin[region], case.truth[region])}
        ),
        blind={1: MarginSketch().add(case.margin[region], np.zeros(int(region.sum()), dtype=bool))},
        looks={},
        groups={},
        agreed={} if agreed is None else {1: agreed},
        sampling=sampling,
    )


@pytest.fixture(scope="module")
def patients() -> list[Phantom]:
    return [case for case in phantoms(40, seed=91) if case.prediction.any()]


def fitted(cases: list[DoneCase]) -> ClassCalibration:
    return calibrate([case.sketch for case in cases], trained_on=(), bootstrap=Bootstrap(rounds=3)).classes[0]


def true_dice(case: Phantom) -> float:
    return float(2 * (case.prediction & case.truth).sum() / (case.prediction.sum() + case.truth.sum()))


def error(held_out: tuple[tuple[float, float], ...]) -> float:
    return float(np.mean([abs(said - true) for said, true in held_out]))


def test_how_samples_agree_is_a_feature_of_the_expected_dice_where_all_cases_have_samples(
    patients: list[Phantom],
) -> None:
    """Samples that agree as much as the answer is right: by them the Dice of patients left out is known better."""
    rng = np.random.default_rng(5)
    cases = [done(case, agreed=float(np.clip(true_dice(case) + rng.normal(0, 0.01), 0, 1))) for case in patients]
    made = _structure(1, "Blob", cases, fitted(cases))
    assert made.dice is not None and made.dice.features == (EXPECTED_DICE,)
    assert made.sampled is not None and made.sampled.method == "flips"
    assert set(made.sampled.dice.features) == {EXPECTED_DICE, PAIRWISE_DICE}
    assert error(made.sampled.dice.held_out) < 0.7 * error(made.dice.held_out)
    assert made.sampled.rule is not None


def test_without_samples_of_every_case_there_is_no_such_model(patients: list[Phantom]) -> None:
    cases = [done(case, agreed=0.9) for case in patients]
    calibration = fitted(cases)
    some = [*cases[:-1], done(patients[-1], agreed=None, sampling="")]
    assert _structure(1, "Blob", some, calibration).sampled is None
    unseen = [*cases[:5], *(done(case, agreed=None) for case in patients[5:])]
    assert _structure(1, "Blob", unseen, calibration).sampled is None  # found by samples in five patients alone
    assert _structure(1, "Blob", unseen, calibration).dice is not None
