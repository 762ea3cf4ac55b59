"""C4 to C6 and the light: predicted Dice, volume intervals, refusals, and a reader who trusts green alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.calibrate import calibrate
from slicermedai.confidence.conformal import fit_volume
from slicermedai.confidence.light import GOOD_DICE, PROMISE, Light, lower_bound
from slicermedai.confidence.record import TrustRecord, applicability
from slicermedai.confidence.scope import Applies
from slicermedai.confidence.sketch import CaseSketch
from slicermedai.confidence.verdict import Observed, Standing, Verdict, verdict
from slicermedai.errors import TooFewCasesError
from slicermedai.inference.dropout import active_dropout
from slicermedai.validate.decisions import auc
from Testing.corpus.trust.peers import Peers
from Testing.corpus.trust.rows import Row
from Testing.corpus.trust.study import SITUATION, Patient, calibrated, dice_model, record_of, volume_of

SPLITS = 400


def rows(patients: list[Patient], others: list[Patient], peers: Peers, seed: int) -> list[Row]:
    """All rows for one seed; ``others`` are unseen patients."""
    record = record_of(patients)
    return [
        *_dice(patients, others),
        *_volumes(seed, peers),
        _refusals(patients, record),
        *light_rows(record, others, seed),
    ]


def _dice(patients: list[Patient], others: list[Patient]) -> list[Row]:
    scaling = calibrated(patients).classes[0].scaling
    model = dice_model(patients, scaling)
    said = np.array([model.predict(p.features(scaling)) for p in others], dtype=float)
    true = np.array([p.dice for p in others])
    error, bad = float(np.abs(said - true).mean()), true < 0.5
    ranked = auc(bad, -said)
    held = np.mean([(i := model.interval(s)).low <= t <= i.high for s, t in zip(said, true, strict=True)])
    return [
        Row("C4", f"predicted Dice of {len(others)} unseen patients: MAE", "<= 0.11", f"{error:.3f}", error <= 0.11,
            f"always the mean: {np.abs(true - true.mean()).mean():.3f}; 90 % interval held {held:.2f}"),
        Row("C4", f"AUROC for Dice < 0.5 ({int(bad.sum())} patients)", ">= 0.85", f"{ranked:.3f}", bool(ranked >= 0.85),
            f"pairwise Dice alone: {auc(bad, -np.array([p.agreed for p in others])):.3f}"),
    ]  # fmt: skip


def _volumes(seed: int, peers: Peers) -> list[Row]:
    rng = np.random.default_rng(seed)
    covered = [_coverage(rng) for _ in range(SPLITS)]
    mean, spread = float(np.mean(covered)), float(np.std(covered))
    predicted, reference = _volumes_of(rng, 100)
    model = fit_volume(predicted, reference, subjects=[str(n) for n in range(100)])
    new, _ = _volumes_of(rng, 50)
    ours = np.array([model.half_width(p) for p in new])
    sigmas, new_sigmas = np.maximum(predicted, model.floor), np.maximum(new, model.floor)
    residuals = reference - predicted
    answer = peers.ask(
        "crepes_intervals", residuals=residuals, sigmas=sigmas, predicted=new, new_sigmas=new_sigmas, level=0.9
    )
    apart = float(np.abs(ours - answer["half"]).max()) if answer else float("nan")
    few = fit_volume(predicted[:8], reference[:8], subjects=[str(n) for n in range(8)])
    return [
        Row("C5", f"volume intervals: mean coverage over {SPLITS} splits", "0.895 to 0.915", f"{mean:.4f}",
            0.895 <= mean <= 0.915, f"one split varies by {spread:.3f}"),
        Row("C5", "half width against crepes", "1e-9", f"{apart:.1e} apart" if answer else "-",
            apart <= 1e-9 if answer else None, "crepes, normalised" if answer else peers.absent),
        Row("C5", "eight patients for 90 %", "infinite, not assessed", f"{few.half_width(10.0)}",
            np.isinf(few.half_width(10.0)) and few.interval(10.0) is None),
    ]  # fmt: skip


def _volumes_of(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    predicted = rng.lognormal(3, 0.6, count)
    return predicted, predicted * np.exp(rng.normal(0.03, 0.12, count))


def _coverage(rng: np.random.Generator) -> float:
    predicted, reference = _volumes_of(rng, 300)
    model = fit_volume(predicted[:100], reference[:100], subjects=[str(n) for n in range(100)])
    half = np.array([model.half_width(p) for p in predicted[100:]])
    return float(np.mean(np.abs(predicted[100:] - reference[100:]) <= half))


def _refusals(patients: list[Patient], record: TrustRecord) -> Row:
    easy = patients[0]
    strange = replace(easy, case=replace(easy.case, image=easy.case.image + 90))
    copies = [CaseSketch(subject=str(n % 19), sketches={1: p.known}) for n, p in enumerate(patients)]
    checks = {
        "fewer than 20 patients": _refused(copies),
        "out of distribution": judged(strange, record).quality.state == "not assessed",
        "no dropout": not active_dropout(_layers(0.0)) and bool(active_dropout(_layers(0.5))),
        "other weights": applicability(record, replace(SITUATION, weights_sha256="c" * 64)).state
        is Applies.OTHER_MODEL,
        "other preprocessing": not applicability(record, replace(SITUATION, preprocessing_sha256="c" * 64)).applies,
        "generated record, real image": not applicability(record, replace(SITUATION, generated=False)).applies,
    }
    failed = [name for name, done in checks.items() if not done]
    return Row("C6", "not assessed, by name", "all", f"{len(checks) - len(failed)} of {len(checks)}", not failed,
               "; ".join(failed) or ", ".join(checks))  # fmt: skip


def _layers(dropout: float) -> torch.nn.Module:
    """A network with dropout, or one whose dropout leaves nothing out."""
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(dropout)).eval()


def _refused(cases: list[CaseSketch]) -> bool:
    try:
        calibrate(cases, trained_on=())
    except TooFewCasesError:
        return True
    return False


def judged(patient: Patient, record: TrustRecord) -> Verdict:
    """What a person is told of a patient."""
    assert record.ood is not None
    seen = Observed(value=1, tracking_uid="1", raw_score=None, volume_ml=patient.volumes[0], sketch=patient.blind,
                    pairwise_dice=patient.agreed)  # fmt: skip
    looks = appearance(volume_of(patient.case.image, patient.case.spacing))
    standing = Standing(model=record.model, record=record, applicability=applicability(record, SITUATION),
                        ood=record.ood.report(looks))  # fmt: skip
    return verdict(seen, standing)


def light_rows(record: TrustRecord, others: list[Patient], seed: int) -> list[Row]:
    """A third of the patients has a planted shift: the image is noisy or offset, and the network is wrong."""
    rng = np.random.default_rng(seed)
    right, shifted_green, shifted = [], 0, 0
    for number, one in enumerate(others):
        planted = number % 3 == 0
        found = judged(_shifted(one, rng) if planted else one, record)
        shifted += planted
        if found.light.light is Light.GREEN:
            right.append(not planted and one.dice >= GOOD_DICE)
            shifted_green += planted
    share = float(np.mean(right)) if right else float("nan")
    rule = record.structures[0].rule
    said = f"{rule.good} of {rule.patients} patients of the record" if rule else "no rule: too few good patients"
    low, high = share_interval(sum(right), len(right))
    said += f"; exact 90 % interval of the share {low:.2f} to {high:.2f}"
    what = f"green of {len(others)} patients, {shifted} shifted: right as often as it says"
    return [
        Row("light", what, f">= {PROMISE:.2f}",
            f"{share:.3f} of {len(right)}", share >= PROMISE if right else None, said),
        Row("light", "green on shifted patients", "0", str(shifted_green), shifted_green == 0),
    ]  # fmt: skip


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The exact two-sided 90 % interval of a share (Clopper and Pearson)."""
    return lower_bound(hits, count, risk=0.05), 1 - lower_bound(count - hits, count, risk=0.05)


def _shifted(one: Patient, rng: np.random.Generator) -> Patient:
    noise = rng.normal(0, 25, one.case.image.shape).astype(np.float32) if rng.random() < 0.5 else np.float32(70)
    return replace(one, case=replace(one.case, image=one.case.image + noise))
