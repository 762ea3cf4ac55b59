"""The trust layer's part in one run: what it listens to, and what it then says of the findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.appearance import NETWORK, appearance
from slicermedai.confidence.light import Light
from slicermedai.confidence.models import manifest_of, preprocessing_of, record_of
from slicermedai.confidence.observer import MarginObserver
from slicermedai.confidence.ood import OodReport, age_doubts, volume_alarms
from slicermedai.confidence.record import TrustRecord, applicability, digest
from slicermedai.confidence.saliency import saliency_map
from slicermedai.confidence.samples import sampler
from slicermedai.confidence.scope import Situation
from slicermedai.confidence.stability import Moves
from slicermedai.confidence.verdict import Observed, Standing, Verdict, verdict
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.counting import is_counted
from slicermedai.domain.finding import Box, Finding, Interval, Mask, PackedMask
from slicermedai.domain.provenance import Provenance, RecordUsed
from slicermedai.domain.result import Map, Quality
from slicermedai.domain.stability import Stability
from slicermedai.domain.uncertainty import Uncertainty
from slicermedai.domain.volume import Volume
from slicermedai.inference.task import Prediction

if TYPE_CHECKING:
    from slicermedai.confidence.mirrored import MirroredScores

_NO_SALIENCY = "Saliency: not assessed, since no map was asked for."
_NO_SAMPLES = {
    False: "Uncertainty: not assessed, since no samples were asked for.",
    True: "Uncertainty: not assessed, since nothing was found that could be asked about again.",
}
_NO_CHECK = "Stability: not assessed, since no check was asked for."
_NO_REFERENCE = "Out of distribution: not assessed, since no trust record says what inputs looked like."
_GENERATED = (
    "The image says of itself that it is generated: probabilities are those of generated images, of no patient."
)
_AGE = re.compile("([0-9]{3})([DWMY])")  # VR AS, PS3.5 6.2
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an image comes from, as far as it is known; see :class:`~slicermedai.confidence.scope.Scope`.

    ``age`` is in years; ``generated`` is True for phantoms and simulations.
    """

    manufacturer: str = ""
    site: str = ""
    protocol: str = ""
    age: float | None = None
    generated: bool = False


def origin_of(headers: Sequence[Any]) -> Origin:
    """From the DICOM headers of an image, by keyword; all unknown where there are none, as for image files.

    It is generated where all say so (Synthetic Data, 0008,001C; PS3.3 C.12.1).
    """
    if not headers:
        return Origin()
    said = {name: str(headers[0].get(name) or "").strip() for name in ("Manufacturer", "ProtocolName", "PatientAge")}
    age = _AGE.fullmatch(said["PatientAge"])
    synthetic = [str(header.get("SyntheticData") or "").strip() for header in headers]
    return Origin(
        manufacturer=said["Manufacturer"],
        site=str(headers[0].get("InstitutionName") or "").strip(),
        protocol=said["ProtocolName"],
        age=float(age[1]) / _PER_YEAR[age[2]] if age else None,
        generated=set(synthetic) == {"YES"},
    )


class RunTrust:
    """Made before the network runs; its ``observer`` goes to the inference, and :meth:`judged` comes after it.

    Without a trust record in use for the model there is no observer, and the run costs nothing more. ``moves`` is what
    a stability check found, where one was asked for; it is set before :meth:`judged`.
    """

    def __init__(
        self,
        manifest: Manifest,
        volume: Volume,
        *,
        origin: Origin | None = None,
        uncertainty: str = "none",
        pixel_values: str = "",
    ) -> None:
        self._model, self._origin = manifest.ref.title, origin or Origin()
        self._values = {label: value for value, label in manifest.ref.labels}
        self._record = record_of(manifest)
        is_classifier = manifest.ref.task == "classification"
        self.samples = None if is_classifier else sampler(uncertainty, manifest)
        self.mirrored = _mirrored(uncertainty, manifest) if is_classifier else None
        self.observer = _observer(manifest, self._record)
        self._situation = _situation(manifest, volume, self._origin, pixel_values)
        self._applicability = applicability(self._record, self._situation)
        self._known = self._record.ood if self._record and self._applicability.applies else None
        self._looks = appearance(volume) if self._known else {}
        self._ood = self._known.report(self._looks) if self._known else None
        self._joined = self._ood
        self.moves: Moves | None = None
        self._poor: list[str] = []
        self._moved: list[str] = []

    @property
    def ood(self) -> OodReport | None:
        """What the input checks found before the network ran; None where no record that applies can tell."""
        return self._ood

    @property
    def wants_features(self) -> bool:
        """True where the record knows what the network itself made of its patients' images."""
        return self._known is not None and any(shape.check == NETWORK for shape in self._known.shapes)

    @staticmethod
    def of(
        ref: BundleRef,
        volume: Volume,
        headers: Sequence[Any] = (),
        *,
        uncertainty: str = "none",
        pixel_values: str = "",
    ) -> RunTrust:
        """For a model and an image; ``headers`` are the image's, by DICOM keyword, () for image files.

        ``uncertainty`` is one of :data:`~slicermedai.confidence.samples.METHODS`; ``pixel_values`` is a person's word
        for what the model takes of grey pictures, "" for none. That an image calls itself generated counts for
        demonstration models alone: of others a record of generated data speaks of no image.
        """
        manifest, origin = manifest_of(ref), origin_of(headers)
        origin = replace(origin, generated=origin.generated and ref.demonstration)
        return RunTrust(manifest, volume, origin=origin, uncertainty=uncertainty, pixel_values=pixel_values)

    def noted(self, made: Provenance, *, saliency: bool = False) -> Provenance:
        """``made`` with alarms of the checks, red lights and what moved as warnings, and what was not assessed.

        After :meth:`judged`; ``saliency`` is True where a map of it was asked for: what became of it is told elsewhere.
        """
        alarms = [alarm.reason for alarm in self._joined.alarms] if self._joined else []
        missing = [] if saliency else [_NO_SALIENCY]
        missing += self._unvaried()
        if not self._joined:
            missing.append(self._why_not())
        if not self.moves or not self.moves.tried:
            missing.append(f"Stability: not assessed. {self.moves.notes[-1]}" if self.moves else _NO_CHECK)
        moved = (*self._moved, *self.moves.warnings) if self.moves else ()
        generated = [_GENERATED] if self._cited and self._origin.generated else []
        warned = (*made.warnings, *generated, *alarms, *self._poor, *moved)
        refusals = (*made.refusals, *missing)
        return replace(made, warnings=warned, refusals=refusals, trust_record=self._cited)

    def _unvaried(self) -> list[str]:
        """Why nothing is told of uncertainty; [] where it is."""
        asked = self.samples or self.mirrored
        if asked is not None and asked.has_varied:
            return []
        why_not = self.samples.refusal if self.samples else ""
        return [f"Uncertainty: not assessed, since {why_not}." if why_not else _NO_SAMPLES[asked is not None]]

    @property
    def _cited(self) -> RecordUsed | None:
        """The record that speaks for this run; None where none does."""
        if self._record is None or not self._applicability.applies:
            return None
        return RecordUsed(model=self._record.model, sha256=digest(self._record))

    def steadied(self, findings: Sequence[Finding]) -> Stability | None:
        """How the findings moved when the image was changed a little; None where that was not tried."""
        return self.moves.stability({self._value(one): one.tracking_uid for one in findings}) if self.moves else None

    def varied(self, findings: Sequence[Finding]) -> Uncertainty | None:
        """How the findings varied over the samples; None where none were taken."""
        if self.mirrored is not None:
            return self.mirrored.uncertainty([(self._value(one), one) for one in findings])
        return self.samples.uncertainty({self._value(one): one for one in findings}) if self.samples else None

    def maps(self, prediction: Prediction) -> tuple[Map, ...]:
        """What there is of maps, on the grid of the image: disagreement of samples, saliency with its checks.

        After :meth:`judged`, which says whether the checks apply.
        """
        disagreement = self.samples.map_on(prediction.label_map.geometry) if self.samples else None
        made = prediction.saliency
        saliency = saliency_map(made, self._record, self._applicability) if made else None
        return tuple(one for one in (disagreement, saliency) if one is not None)

    def judged(
        self, findings: Sequence[Finding], *, precision: str, features: Sequence[float] = (), features_of: str = ""
    ) -> tuple[tuple[Finding, ...], tuple[Quality, ...]]:
        """The findings with confidences and volume intervals, and the quality of each; no region is changed.

        ``precision`` is what the network ran in: a record says nothing of scores in another than its own. ``features``
        are the network's own of this image, where they were wanted and taken, of the layer ``features_of``: those of
        another layer than the record's are not known.
        """
        if self._known is not None and features and self._record and self._record.features_of == features_of:
            self._ood = self._known.report(self._looks | {NETWORK: np.asarray(features, dtype=np.float64)})
        self._applicability = applicability(self._record, replace(self._situation, precision=precision))
        self._ood = self._ood if self._applicability.applies else None
        self._joined = self._checked(findings)
        standing = Standing(model=self._model, record=self._record, applicability=self._applicability, ood=self._joined)
        verdicts = [verdict(self._observed(finding), standing) for finding in findings]
        self._poor = [
            f"{finding.label.name}: {found.light.reasons[0]}: expected to be poor"
            for finding, found in zip(findings, verdicts, strict=True)
            if found.light.light is Light.RED and found.quality.expected_dice is not None  # else the alarms say why
        ]
        self._moved = self._of_moved(findings)
        told = tuple(_told(finding, found) for finding, found in zip(findings, verdicts, strict=True))
        return told, tuple(found.quality for found in verdicts)

    def _why_not(self) -> str:
        """Why nobody can say whether the input is like those that the model was calibrated on."""
        if self._record is None or self._applicability.applies:
            return _NO_REFERENCE
        return f"Out of distribution: not assessed, since {'; '.join(self._applicability.reasons)}."

    def _checked(self, findings: Sequence[Finding]) -> OodReport | None:
        """The input checks, joined by implausible volumes."""
        if self._record is None or self._ood is None:
            return self._ood
        volumes = {self._value(finding): _volume(finding) for finding in findings}
        joined = self._ood.joined(volume_alarms(volumes, self._record.volumes, age=self._origin.age))
        doubts = age_doubts(self._record.volumes, age=self._origin.age)
        return replace(joined, unchecked=(*joined.unchecked, *doubts))

    def _observed(self, finding: Finding) -> Observed:
        value = self._value(finding)
        return Observed(
            value=value,
            tracking_uid=finding.tracking_uid,
            raw_score=finding.confidence.raw_score,
            volume_ml=_volume(finding),
            sketch=self.observer.sketch(value) if self.observer and self.observer.has_run else None,
            pairwise_dice=self.samples.pairwise_dice(value) if self.samples else None,
            unstable=self.moves.doubt(value) if self.moves else "",
            sampling=self.samples.method if self.samples and self.samples.has_varied else "",
            of_box=isinstance(finding.region, Box),
            of_image=finding.region is None,
        )

    def _of_moved(self, findings: Sequence[Finding]) -> list[str]:
        found = [(one.label.name, self.moves.reason(self._value(one))) for one in findings] if self.moves else []
        return [f"{name}: {reason}" for name, reason in found if reason]

    def _value(self, finding: Finding) -> int:
        """The label value of a finding's mask or box, or of the whole image; 0, which no record knows, for others."""
        if finding.region is None or isinstance(finding.region, Box):
            return self._values.get(finding.label) or self._values.get(replace(finding.label, modifier=None), 0)
        if isinstance(finding.region, PackedMask):
            return self._values.get(finding.label, 0)
        return finding.region.value if isinstance(finding.region, Mask) else 0


def _observer(manifest: Manifest, record: TrustRecord | None) -> MarginObserver | None:
    if record is None or manifest.ref.task != "segmentation":
        return None
    return MarginObserver([structure.value for structure in record.structures], outputs=manifest.outputs)


def _mirrored(uncertainty: str, manifest: Manifest) -> MirroredScores | None:
    if uncertainty == "none":
        return None
    from slicermedai.confidence.mirrored import mirrored_scores  # loads torch

    return mirrored_scores(uncertainty, manifest)


def _situation(manifest: Manifest, volume: Volume, origin: Origin, pixel_values: str) -> Situation:
    is_grey = volume.flat is not None and volume.flat.colours is None
    return Situation(
        weights_sha256=manifest.ref.weights_sha256,
        preprocessing_sha256=preprocessing_of(manifest, pixel_values=pixel_values if is_grey else ""),
        modality=volume.modality,
        manufacturer=origin.manufacturer,
        site=origin.site,
        protocol=origin.protocol,
        generated=origin.generated,
    )


def _volume(finding: Finding) -> float:
    return next((float(m.value) for m in finding.measurements if is_counted(m)), 0.0)


def _told(finding: Finding, found: Verdict) -> Finding:
    made = replace(finding, confidence=found.confidence)
    return made if found.volume_interval is None else _with_interval(made, found.volume_interval)


def _with_interval(finding: Finding, interval: Interval) -> Finding:
    measured = tuple(replace(m, interval=interval) if is_counted(m) else m for m in finding.measurements)
    return replace(finding, measurements=measured)
