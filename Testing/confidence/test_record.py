"""A trust record speaks for one model, one preprocessing and its own scope, and says by name when it does not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from slicermedai.confidence.conformal import VolumeModel
from slicermedai.confidence.light import Evidence, GreenRule, Light, fit_green_rule, light_of, lower_bound
from slicermedai.confidence.metrics import CalibrationMetrics
from slicermedai.confidence.ood import Alarm, OodReport, OodState, VolumeRange, fit_ood
from slicermedai.confidence.record import (
    FitProvenance,
    SampledTrust,
    StructureTrust,
    TrustRecord,
    applicability,
    find_record,
    load_record,
    preprocessing_sha256,
    sketch_of_text,
    sketch_text,
)
from slicermedai.confidence.scaling import Method, Scaling
from slicermedai.confidence.scope import Applicability, Applies, Scope, Situation
from slicermedai.confidence.sketch import MarginSketch
from slicermedai.confidence.structure import DiceModel
from slicermedai.domain.finding import Interval
from slicermedai.errors import TrustError, UnreadableFileError

WEIGHTS, PREPARED = "a" * 64, "b" * 64
HERE = Situation(weights_sha256=WEIGHTS, preprocessing_sha256=PREPARED, modality="MR", manufacturer="Maker A")


def a_record(**changes: object) -> TrustRecord:
    rng = np.random.default_rng(0)
    record = TrustRecord(
        model="brain@1.0.2",
        weights_sha256=WEIGHTS,
        preprocessing_sha256=PREPARED,
        provenance=FitProvenance(date="2026-01-31", software="0.1", patients=24, images=30, generated=False),
        scope=Scope(modalities=("MR",), manufacturers=("MAKER A", "Maker B")),
        structures=(
            StructureTrust(
                value=1,
                name="Brain",
                patients=24,
                scaling=Scaling(method=Method.PLATT, slope=0.4, offset=-0.1),
                intervals={"slope": Interval(low=0.3, high=float("inf"))},
                after=CalibrationMetrics(ece=0.01, ace=0.02, mce=0.1, brier=0.1, nll=0.2, weight=1e6),
                sketch=sketch_text(MarginSketch().add([1.0, -2.0], [True, False])),
                volume=VolumeModel(scores=(0.1, 0.2), floor=1.0),
                dice=DiceModel(features=("x",), weights=(0.1, 0.9), held_out=((0.8, 0.9),)),
                rule=GreenRule(threshold=0.85, patients=30, good=30),
            ),
        ),
        ood=fit_ood([{"x": rng.normal(size=2)} for _ in range(5)], subjects=list("abcde")),
        volumes=(VolumeRange(value=1, name="Brain", low=900, high=2000),),
    )
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]  # the test's own fields


# --- files -------------------------------------------------------------------------------------------------------


def test_a_record_of_before_there_were_samples_is_what_it_was(tmp_path: Path) -> None:
    """Its file lacks the field, and its hash was made without it."""
    record = a_record()
    path = record.save(tmp_path)
    body = json.loads(path.read_text("utf-8"))
    for structure in body["record"]["structures"]:
        assert structure.pop("sampled") is None
    path.write_text(json.dumps(body), encoding="utf-8")
    assert load_record(path) == record
    (brain,) = record.structures
    sampled = SampledTrust(method="flips", dice=brain.dice)  # type: ignore[arg-type]  # it has one
    other = dataclasses.replace(record, structures=(dataclasses.replace(brain, sampled=sampled),))
    assert other.name != record.name
    assert load_record(other.save(tmp_path)) == other


def test_a_record_comes_back_without_loss(tmp_path: Path) -> None:
    record = a_record()
    assert load_record(record.save(tmp_path)) == record
    assert find_record(tmp_path, weights_sha256=WEIGHTS, preprocessing_sha256=PREPARED) == record
    assert find_record(tmp_path, weights_sha256=PREPARED, preprocessing_sha256=PREPARED) is None


def test_a_sketch_comes_back_from_its_text() -> None:
    sketch = MarginSketch().add(np.linspace(-40, 40, 999), np.arange(999) % 2 == 0)
    back = sketch_of_text(sketch_text(sketch))
    assert np.array_equal(back.counts, sketch.counts)
    assert np.array_equal(back.residuals, sketch.residuals)


def test_a_record_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = a_record().save(tmp_path)
    path.write_text(path.read_text().replace('"generated": false', '"generated": true'))
    with pytest.raises(TrustError, match="was changed since it was written"):
        load_record(path)


def test_a_record_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    path = a_record().save(tmp_path)
    body = json.loads(path.read_text())
    body["record"] |= {"schema": 99, "something": "new"}
    path.write_text(json.dumps(body))
    with pytest.raises(UnreadableFileError, match="newer version"):
        load_record(path)


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "slicermedai trust record"}', "[1, 2]"])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.trust.json"
    path.write_text(text)
    with pytest.raises(UnreadableFileError, match="no trust record"):
        load_record(path)


def test_a_field_of_another_type_is_refused(tmp_path: Path) -> None:
    path = a_record().save(tmp_path)
    path.write_text(path.read_text().replace('"patients": 24', '"patients": "many"'))
    with pytest.raises(UnreadableFileError):
        load_record(path)


def test_the_preprocessing_hash_knows_values_and_not_the_order_of_keys() -> None:
    one = preprocessing_sha256({"spacing": [1, 1, 1], "window": {"low": 0, "high": 1}})
    assert one == preprocessing_sha256({"window": {"high": 1, "low": 0}, "spacing": [1, 1, 1]})
    assert one != preprocessing_sha256({"window": {"high": 1, "low": 0}, "spacing": [1, 1, 2]})


# --- who it speaks for -------------------------------------------------------------------------------------------


def test_a_record_applies_to_its_own_model_and_scope() -> None:
    assert applicability(a_record(), HERE) == Applicability(state=Applies.YES)


@pytest.mark.parametrize(
    ("changes", "state", "word"),
    [
        ({"weights_sha256": "c" * 64}, Applies.OTHER_MODEL, "other weights"),
        ({"preprocessing_sha256": "c" * 64}, Applies.OTHER_PREPROCESSING, "another preprocessing"),
        ({"precision": "bfloat16"}, Applies.OTHER_PRECISION, "in float32, and this run was in bfloat16"),
        ({"manufacturer": "Maker C"}, Applies.OUT_OF_SCOPE, "scanner maker Maker C"),
        ({"modality": "CT"}, Applies.OUT_OF_SCOPE, "modality CT"),
    ],
)
def test_a_record_does_not_apply_elsewhere_and_says_why(changes: dict[str, str], state: Applies, word: str) -> None:
    found = applicability(a_record(), dataclasses.replace(HERE, **changes))
    assert (found.state, found.applies) == (state, False)
    assert word in found.reasons[0]


def test_no_record_is_an_answer() -> None:
    assert applicability(None, HERE).state is Applies.NO_RECORD


def test_a_maker_that_is_not_known_is_a_doubt() -> None:
    found = applicability(a_record(), dataclasses.replace(HERE, manufacturer=""))
    assert found.applies
    assert "not known" in found.reasons[0]


@pytest.mark.parametrize("missing", ["modality", "scanner maker"])
def test_a_record_that_does_not_say_for_whom_it_speaks_is_never_green(missing: str) -> None:
    scope = Scope(
        modalities=() if missing == "modality" else ("MR",),
        manufacturers=() if missing == "scanner maker" else ("Maker A",),
    )
    found = applicability(a_record(scope=scope), HERE)
    assert found.applies
    assert found.reasons == (f"the trust record does not say for which {missing} it speaks",)
    assert light_of(dataclasses.replace(BEST, applicability=found)).light is Light.AMBER


def test_a_record_of_an_older_form_is_refused_by_name(tmp_path: Path) -> None:
    path = a_record().save(tmp_path)
    body = json.loads(path.read_text())
    body["record"] |= {"schema": 1, "saliency": []}
    path.write_text(json.dumps(body))
    with pytest.raises(UnreadableFileError, match="older version"):
        load_record(path)


def generated_record() -> TrustRecord:
    made = dataclasses.replace(a_record().provenance, generated=True)
    return a_record(provenance=made)


def test_a_record_of_generated_data_applies_to_generated_data_alone() -> None:
    assert applicability(generated_record(), HERE).state is Applies.GENERATED
    assert applicability(generated_record(), dataclasses.replace(HERE, generated=True)).applies


# --- lights ------------------------------------------------------------------------------------------------------

YES = Applicability(state=Applies.YES)
INSIDE = OodReport(state=OodState.INSIDE, p=0.5)
RULE = GreenRule(threshold=0.85, patients=30, good=30)
BEST = Evidence(applicability=YES, ood=INSIDE, predicted_dice=0.95, rule=RULE)


def test_green_needs_all_of_its_evidence_and_says_what_it_promises() -> None:
    found = light_of(BEST)
    assert found.light is Light.GREEN
    promised = "at least 90% of such predictions have a Dice of 0.8 or more"
    assert f"{promised} (by an exact bound that holds with 90% confidence, from 30 of 30 patients" in found.reasons[0]


@pytest.mark.parametrize(
    ("changes", "light", "word"),
    [
        ({"applicability": applicability(None, HERE)}, Light.NONE, "no trust record"),
        ({"applicability": applicability(generated_record(), HERE)}, Light.NONE, "generated data"),
        ({"applicability": Applicability(state=Applies.YES, reasons=("site not known",))}, Light.AMBER, "site"),
        ({"ood": None}, Light.AMBER, "not assessed"),
        ({"ood": OodReport(state=OodState.NOT_ASSESSED)}, Light.AMBER, "not assessed"),
        ({"ood": OodReport(state=OodState.INSIDE, unchecked=("x: not known",))}, Light.AMBER, "x: not known"),
        ({"rule": None}, Light.AMBER, "too few patients"),
        ({"predicted_dice": 0.8}, Light.AMBER, "green begins at 0.85"),
        ({"predicted_dice": 0.4}, Light.RED, "predicted Dice 0.40"),
        ({"predicted_dice": None}, Light.NONE, "could not be predicted"),
        ({"edited": True}, Light.NONE, "not assessed (edited)"),
        ({"ood": OodReport(state=OodState.OUTSIDE, alarms=(Alarm(check="n", reason="noise"),))}, Light.RED, "noise"),
    ],
)
def test_one_missing_piece_and_the_light_is_not_green(changes: dict[str, object], light: Light, word: str) -> None:
    found = light_of(dataclasses.replace(BEST, **changes))  # type: ignore[arg-type]  # the table's own fields
    assert found.light is light
    assert word in " ".join(found.reasons)


@pytest.mark.parametrize(
    "state",
    [Applies.NO_RECORD, Applies.GENERATED, Applies.OTHER_PRECISION, Applies.OUT_OF_SCOPE, Applies.OTHER_PREPROCESSING],
)
def test_a_record_that_does_not_apply_calls_nothing_strange(state: Applies) -> None:
    strange = OodReport(state=OodState.OUTSIDE, alarms=(Alarm(check="n", reason="noise"),))
    found = light_of(Evidence(applicability=Applicability(state=state, reasons=("why",)), ood=strange))
    assert (found.light, found.reasons) == (Light.NONE, ("why",))


def test_twenty_one_good_patients_are_too_few_for_green_and_twenty_two_are_enough() -> None:
    assert fit_green_rule([(0.9, 0.95)] * 21) is None
    assert fit_green_rule([(0.9, 0.95)] * 22) == GreenRule(threshold=0.9, patients=22, good=22)


@pytest.mark.parametrize(
    ("patients", "failures", "green"), [(37, 1, False), (38, 1, True), (51, 2, False), (52, 2, True)]
)
def test_a_failure_that_nothing_announced_is_forgiven_by_numbers_alone(
    patients: int, failures: int, green: bool
) -> None:
    pairs = [(0.9, 0.95)] * (patients - failures) + [(0.9, 0.3)] * failures
    assert (fit_green_rule(pairs) is not None) == green


def test_the_threshold_stops_before_the_bad_ones() -> None:
    pairs = [(0.95 - 0.001 * n, 0.9) for n in range(60)] + [(0.7, 0.3)] * 30
    rule = fit_green_rule(pairs)
    assert rule is not None
    assert rule.threshold >= 0.7
    assert lower_bound(rule.good, rule.patients) >= 0.9
    assert fit_green_rule([(0.9, 0.5)] * 50) is None


def test_the_promise_of_green_is_kept_in_nine_of_ten_calibrations() -> None:
    rng = np.random.default_rng(5)
    kept = []
    for _ in range(200):
        predicted = rng.uniform(0.4, 1.0, 60)
        good = rng.random(60) < np.clip(predicted * 1.3 - 0.15, 0, 1)
        rule = fit_green_rule([(float(p), 0.9 if g else 0.5) for p, g in zip(predicted, good, strict=True)])
        if rule is not None:
            above = np.linspace(rule.threshold, 1.0, 200)
            kept.append(np.clip(above * 1.3 - 0.15, 0, 1).mean() >= 0.9)
    assert len(kept) > 50
    assert np.mean(kept) >= 0.85
