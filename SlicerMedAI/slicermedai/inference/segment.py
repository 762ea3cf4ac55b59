"""The segmentation task: a bundle and an image in, coded labels on the image's own grid out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.bundles.verify import PINNED, check_hash, require_consent, with_consent
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import Volume
from slicermedai.inference.adapter.report import CompatibilityReport
from slicermedai.inference.contrast import check_acquisition
from slicermedai.inference.device import choose_device, reproducible
from slicermedai.inference.fitness import check_image
from slicermedai.inference.network import load_network
from slicermedai.inference.sweep import NetworkLoader, Setting, Sweep
from slicermedai.inference.task import Listeners, Prediction, RunSettings

_PACKAGES = ("torch", "monai", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A :class:`~slicermedai.inference.task.Task`. ``load`` is how networks are loaded: a bench may watch it."""

    load: NetworkLoader = load_network

    def predict(
        self, ref: BundleRef, inputs: Mapping[str, Volume], *, settings: RunSettings, listeners: Listeners
    ) -> Prediction:
        """See :meth:`~slicermedai.inference.task.Task.predict`."""
        manifest = _manifest_of(ref)
        require_consent(manifest.ref)
        warnings = [line for volume in inputs.values() for line in check_image(manifest, volume)]
        made = [check_acquisition(manifest, volume) for volume in inputs.values()]
        device = choose_device(settings.device)
        sweep = Sweep(
            Setting(
                manifest=manifest,
                device=device.name,
                listeners=listeners,
                load=self.load,
                precision=settings.precision,
            )
        )
        with reproducible(settings, device):
            label_map = sweep.run(inputs)
            threads = torch.get_num_threads()
        report = sweep.ledger.report()
        return Prediction(
            label_map=label_map,
            labels=ref.labels,
            scores=tuple(sorted(sweep.scores.items())),
            steps=(*_told(report), *sweep.steps),
            device=device.name,
            device_reason=device.reason,
            precision=sweep.precision,
            seed=settings.seed,
            threads=threads,
            versions=tuple((name, version(name)) for name in _PACKAGES),
            regions=tuple(sweep.regions),
            warnings=(*(line for one in made for line in one.warnings), *warnings, *report.warnings, *sweep.warnings),
            unchecked=tuple(line for one in made for line in one.unchecked),
            compatibility=report,
            probabilities=sweep.kept,
        )


def _told(report: CompatibilityReport) -> list[Step]:
    return [Step(name=f"adapt: {item.rule}", detail=item.detail) for item in report.applied]


def _manifest_of(ref: BundleRef) -> Manifest:
    """The manifest on disk with the consent of ``ref``; it must still pin the weights that ``ref`` names.

    A pinned hash is looked up again, since the configuration may have changed; a person's word stands.
    """
    manifest = read_manifest(Path(ref.path))
    check_hash(Path(ref.path) / ref.weights, expected=ref.weights_sha256, found=manifest.ref.weights_sha256)
    return dataclasses.replace(manifest, ref=with_consent(manifest, "" if ref.consent == PINNED else ref.consent))
