"""What a person is told of a structure: numbers where the record speaks, words where it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.calibrate import Bootstrap, calibrate
from slicermedai.confidence.conformal import fit_volume
from slicermedai.confidence.light import Light, fit_green_rule
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.ood import fit_ood
from slicermedai.confidence.record import FitProvenance, SampledTrust, StructureTrust, TrustRecord, applicability
from slicermedai.confidence.scaling import Scaling
from slicermedai.confidence.scope import Applicability, Applies, Situation
from slicermedai.confidence.sketch import CaseSketch, MarginSketch
from slicermedai.confidence.structure import EXPECTED_DICE, PAIRWISE_DICE, DiceModel, expected_dice, fit_dice
from slicermedai.confidence.verdict import Observed, Standing, Verdict, verdict
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from Testing.corpus.trust.phantoms import Phantom, phantoms

HERE = Situation(weights_sha256="a" * 64, preprocessing_sha256="b" * 64, generated=True)


def ml(mask: np.ndarray, case: Phantom) -> float:
    return float(mask.sum() * np.prod(case.spacing) / 1000)


def dice_of(case: Phantom) -> float:
    return float(2 * (case.prediction & case.truth).sum() / (case.prediction.sum() + case.truth.sum()))


def sketch_of(case: Phantom, *, known: bool) -> MarginSketch:
    region = region_around(case.prediction, case.spacing)
    truth = case.truth[region] if known else np.zeros(int(region.sum()), dtype=bool)
    return MarginSketch().add(case.margin[region], truth)


def volume_of(case: Phantom) -> Volume:
    return Volume(array=case.image, geometry=Geometry.from_axes(case.image.shape, spacing=case.spacing))


def made_record(cases: list[Phantom]) -> TrustRecord:
    keys = [case.subject for case in cases]
    sketched = [CaseSketch(subject=k, sketches={1: sketch_of(c, known=True)}) for k, c in zip(keys, cases, strict=True)]
    found = calibrate(sketched, trained_on=(), bootstrap=Bootstrap(rounds=5)).classes[0]
    expected = [{EXPECTED_DICE: expected_dice(s.sketches[1], found.scaling) or 0.0} for s in sketched]
    dice = fit_dice(expected, [dice_of(case) for case in cases], subjects=keys)
    structure = StructureTrust(
        value=1,
        name="Blob",
        patients=found.subjects,
        scaling=found.scaling,
        volume=fit_volume([ml(c.prediction, c) for c in cases], [ml(c.truth, c) for c in cases], subjects=keys),
        dice=dice,
        rule=fit_green_rule(dice.held_out),
    )
    return TrustRecord(
        model="blob@1",
        weights_sha256="a" * 64,
        preprocessing_sha256="b" * 64,
        provenance=FitProvenance(
            date="2026-01-31", software="0", patients=len(cases), images=len(cases), generated=True
        ),
        structures=(structure,),
        ood=fit_ood([appearance(volume_of(case)) for case in cases], subjects=keys),
    )


@pytest.fixture(scope="module")
def record() -> TrustRecord:
    return made_record(list(phantoms(50, seed=61)))


def judged(
    case: Phantom,
    record: TrustRecord | None,
    situation: Situation = HERE,
    **more: object,
) -> Verdict:
    seen = Observed(
        value=1,
        tracking_uid="2.25.1",
        raw_score=0.99,
        volume_ml=ml(case.prediction, case),
        sketch=sketch_of(case, known=False),
        **more,  # type: ignore[arg-type]  # the test's own fields
    )
    checked = record.ood.report(appearance(volume_of(case))) if record and record.ood else None
    standing = Standing(model="blob@1", record=record, applicability=applicability(record, situation), ood=checked)
    return verdict(seen, standing)


def an_easy_case() -> Phantom:
    return next(case for case in phantoms(20, seed=62) if case.difficulty < 1)


def test_an_easy_case_is_green_with_all_its_numbers(record: TrustRecord) -> None:
    case = an_easy_case()
    found = judged(case, record)
    assert found.light.light is Light.GREEN, found.light.reasons
    assert found.quality.expected_dice == pytest.approx(dice_of(case), abs=0.06)
    assert found.quality.light == "green"
    assert found.quality.interval is not None and found.quality.interval.low <= dice_of(case)
    assert found.volume_interval is not None
    assert found.volume_interval.low <= ml(case.truth, case) <= found.volume_interval.high
    assert found.confidence.state is ConfidenceState.CALIBRATED
    assert "50 patients" in found.confidence.calibration


def test_an_answer_that_moves_too_far_is_never_green_and_says_why(record: TrustRecord) -> None:
    case = an_easy_case()
    steady, moved = judged(case, record), judged(case, record, unstable="not stable: Dice 0.71")
    assert (steady.light.light, moved.light.light) == (Light.GREEN, Light.AMBER)
    assert moved.light.reasons == ("not stable: Dice 0.71", *steady.light.reasons)
    assert moved.quality.reason == "not stable: Dice 0.71"
    assert moved.quality.expected_dice == steady.quality.expected_dice
    unknown = judged(case, None, unstable="not stable: Dice 0.71")
    assert unknown.light.light is Light.NONE and unknown.light.reasons[-1] == "not stable: Dice 0.71"
    edited = judged(case, record, edited=True, unstable="not stable: Dice 0.71")
    assert not any("not stable" in reason for reason in edited.light.reasons)


def with_samples(record: TrustRecord) -> TrustRecord:
    """The same record with a model that goes by how samples agree, and by nothing else."""
    (known,) = record.structures
    dice = DiceModel(features=(PAIRWISE_DICE,), weights=(0.0, 0.5), held_out=tuple((0.4, 0.4) for _ in range(30)))
    sampled = SampledTrust(method="flips", dice=dice)
    return dataclasses.replace(record, structures=(dataclasses.replace(known, sampled=sampled),))


def test_samples_count_only_where_record_and_run_have_the_same(record: TrustRecord) -> None:
    case, both = an_easy_case(), with_samples(record)
    plain = judged(case, record)
    used = judged(case, both, sampling="flips", pairwise_dice=0.98)
    assert used.quality.expected_dice == pytest.approx(0.49)
    assert used.light.light is Light.RED and not any("samples" in reason for reason in used.light.reasons)

    for known, sampling, words in (
        (both, "", "predicted without samples; the trust record knows flips too"),
        (record, "flips", "made without samples: how those of this run agree is not used"),
        (both, "dropout", "made with other samples (flips): how those of this run agree is not used"),
    ):
        found = judged(case, known, sampling=sampling, pairwise_dice=0.98 if sampling else None)
        assert found.quality.expected_dice == plain.quality.expected_dice
        assert found.light.light is Light.GREEN
        assert words in found.light.reasons[-1]
        assert found.light.reasons[:-1] == plain.light.reasons


def test_a_calibrated_probability_is_the_share_of_true_voxels_and_not_the_raw_score(record: TrustRecord) -> None:
    said, true = [], []
    for case in phantoms(20, seed=63):
        found = judged(case, record).confidence
        if found.probability is not None:
            said.append(found.probability)
            true.append((case.truth & case.prediction).sum() / case.prediction.sum())
    assert len(said) > 12
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.03)


def test_without_a_record_nothing_is_green_and_the_raw_score_stays_raw() -> None:
    found = judged(an_easy_case(), None)
    assert found.light.light is Light.NONE
    assert (found.confidence.state, found.confidence.raw_score) == (ConfidenceState.NOT_CALIBRATED, 0.99)
    assert found.quality.expected_dice is None


def test_a_record_of_phantoms_says_nothing_of_a_real_image(record: TrustRecord) -> None:
    found = judged(an_easy_case(), record, dataclasses.replace(HERE, generated=False))
    assert found.light.light is Light.NONE
    assert found.confidence.probability is None
    assert found.volume_interval is None
    assert "generated data" in found.confidence.reason


def test_a_record_of_phantoms_calls_no_real_image_strange(record: TrustRecord) -> None:
    case = an_easy_case()
    real = dataclasses.replace(HERE, generated=False)
    found = judged(dataclasses.replace(case, image=case.image + 80), record, real)
    assert found.light.light is Light.NONE
    assert found.confidence.state is ConfidenceState.NOT_CALIBRATED
    assert "generated data" in found.confidence.reason


def test_an_alarm_takes_all_numbers_away_and_is_told(record: TrustRecord) -> None:
    case = an_easy_case()
    found = judged(dataclasses.replace(case, image=case.image + 80), record)
    assert found.light.light is Light.RED
    assert (found.confidence.state, found.quality.expected_dice) == (ConfidenceState.NOT_ASSESSED, None)
    assert found.volume_interval is None
    assert "intensities" in found.confidence.reason
    assert "intensities" in " ".join(found.quality.reasons)


def test_an_edit_resets_all_that_was_predicted(record: TrustRecord) -> None:
    found = judged(an_easy_case(), record, edited=True)
    assert found.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED
    assert (found.quality.state, found.quality.expected_dice) == ("not assessed (edited)", None)
    assert found.volume_interval is None
    assert found.light.light is Light.NONE


def test_a_structure_that_the_record_does_not_know_is_not_assessed(record: TrustRecord) -> None:
    bare = dataclasses.replace(record, structures=())
    found = judged(an_easy_case(), bare)
    assert found.light.light is Light.NONE
    assert found.confidence.state is ConfidenceState.NOT_CALIBRATED


def test_what_could_not_be_fitted_is_said_in_the_words_of_the_record(record: TrustRecord) -> None:
    (known,) = record.structures
    bare = {"scaling": Scaling(), "dice": None, "volume": None, "rule": None}
    few = dataclasses.replace(known, **bare, reasons=("found in 5 patients; 20 are needed",))
    for structure, words in ((few, "found in 5 patients"), (dataclasses.replace(known, **bare, rough=True), "boxes")):
        found = judged(an_easy_case(), dataclasses.replace(record, structures=(structure,)))
        assert found.light.light is Light.NONE and words in found.quality.reason
        assert words in found.confidence.reason.lower()


def test_a_reader_who_trusts_green_alone_is_right_as_often_as_green_says(record: TrustRecord) -> None:
    rng = np.random.default_rng(64)
    right, shifted_green = [], 0
    for number, case in enumerate(phantoms(80, seed=65)):
        shifted = number % 4 == 0
        image = case.image + rng.normal(0, 25, case.image.shape).astype(np.float32) if shifted else case.image
        wrong = case.truth ^ np.roll(case.truth, 9, axis=1) if shifted else case.truth
        planted = dataclasses.replace(case, image=image, truth=wrong)
        if judged(planted, record).light.light is Light.GREEN:
            right.append(dice_of(planted) >= 0.8)
            shifted_green += shifted
    assert len(right) >= 20
    assert shifted_green == 0
    assert np.mean(right) >= 0.9


def test_doubts_about_scope_keep_a_light_amber(record: TrustRecord) -> None:
    case = an_easy_case()
    standing = Standing(
        model="blob@1",
        record=record,
        applicability=Applicability(state=Applies.YES, reasons=("the site of this input is not known",)),
        ood=record.ood.report(appearance(volume_of(case))) if record.ood else None,
    )
    seen = Observed(value=1, tracking_uid="1", raw_score=0.9, volume_ml=1.0, sketch=sketch_of(case, known=False))
    assert verdict(seen, standing).light.light is Light.AMBER
