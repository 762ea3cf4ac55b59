"""A generated study: patients with what calibration, structure-wise confidence and input checks want of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.calibrate import Bootstrap, Calibration, calibrate
from slicermedai.confidence.conformal import fit_volume
from slicermedai.confidence.light import fit_green_rule
from slicermedai.confidence.margins import region_around
from slicermedai.confidence.ood import fit_ood
from slicermedai.confidence.record import FitProvenance, StructureTrust, TrustRecord, sketch_text
from slicermedai.confidence.scaling import Scaling
from slicermedai.confidence.scope import Situation
from slicermedai.confidence.sketch import CaseSketch, MarginSketch, merged
from slicermedai.confidence.structure import EXPECTED_DICE, PAIRWISE_DICE, DiceModel, expected_dice, fit_dice
from slicermedai.confidence.uncertainty import Agreement
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from Testing.corpus.trust.phantoms import Phantom, samples

SITUATION = Situation(weights_sha256="a" * 64, preprocessing_sha256="b" * 64, generated=True)
ROUNDS = Bootstrap(rounds=100)


@dataclass(frozen=True, eq=False)
class Patient:
    """A phantom and what is derived from it; ``known`` is the sketch with the reference's answers."""

    case: Phantom
    known: MarginSketch
    blind: MarginSketch
    agreed: float

    @property
    def dice(self) -> float:
        size = int(self.case.prediction.sum() + self.case.truth.sum())
        return float(2 * (self.case.prediction & self.case.truth).sum() / size) if size else 1.0

    @property
    def volumes(self) -> tuple[float, float]:
        """(predicted, reference) in ml."""
        voxel = float(np.prod(self.case.spacing)) / 1000
        return float(self.case.prediction.sum()) * voxel, float(self.case.truth.sum()) * voxel

    def features(self, scaling: Scaling) -> dict[str, float]:
        return {EXPECTED_DICE: expected_dice(self.blind, scaling) or 0.0, PAIRWISE_DICE: self.agreed}

    def looks(self) -> dict[str, np.ndarray]:
        return appearance(volume_of(self.case.image, self.case.spacing))


def volume_of(image: np.ndarray, spacing: tuple[float, ...]) -> Volume:
    return Volume(array=image, geometry=Geometry.from_axes(image.shape, spacing=spacing))


def patient(case: Phantom, seed: int) -> Patient:
    region = region_around(case.prediction, case.spacing)
    agreement = Agreement(shape=case.margin.shape, values=(1,), voxel_ml=1.0)
    for labels in samples(case, 4, seed=seed):
        agreement.add(labels)
    margins = case.margin[region]
    return Patient(
        case=case,
        known=MarginSketch().add(margins, case.truth[region]),
        blind=MarginSketch().add(margins, np.zeros(margins.size, dtype=bool)),
        agreed=agreement.spread(1).pairwise_dice,
    )


def calibrated(patients: list[Patient]) -> Calibration:
    sketches = [CaseSketch(subject=p.case.subject, sketches={1: p.known}, generated=True) for p in patients]
    return calibrate(sketches, trained_on=(), bootstrap=ROUNDS)


def dice_model(patients: list[Patient], scaling: Scaling) -> DiceModel:
    keys = [p.case.subject for p in patients]
    return fit_dice([p.features(scaling) for p in patients], [p.dice for p in patients], subjects=keys)


def record_of(patients: list[Patient]) -> TrustRecord:
    """A trust record as the command makes it, of generated data and saying so."""
    keys = [p.case.subject for p in patients]
    found = calibrated(patients).classes[0]
    dice = dice_model(patients, found.scaling)
    predicted, reference = zip(*(p.volumes for p in patients), strict=True)
    structure = StructureTrust(
        value=1,
        name="Blob",
        patients=found.subjects,
        scaling=found.scaling,
        intervals=found.intervals,
        sketch=sketch_text(merged(p.known for p in patients)),
        volume=fit_volume(predicted, reference, subjects=keys),
        dice=dice,
        rule=fit_green_rule(dice.held_out),
    )
    return TrustRecord(
        model="blob@1",
        weights_sha256=SITUATION.weights_sha256,
        preprocessing_sha256=SITUATION.preprocessing_sha256,
        provenance=FitProvenance(date="2026-01-01", software="0", patients=len(keys), images=len(keys), generated=True),
        structures=(structure,),
        ood=fit_ood([p.looks() for p in patients], subjects=keys),
    )
