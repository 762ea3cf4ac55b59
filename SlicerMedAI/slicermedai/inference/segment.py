"""The segmentation task: a bundle and its images in, coded labels on the grid of the first image out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from slicermedai.bundles.folds import chosen_folds, members_of, unasked
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.volume import Volume
from slicermedai.inference.device import choose_device, reproducible
from slicermedai.inference.explaining import check_target
from slicermedai.inference.marked import check_listeners
from slicermedai.inference.memory import Memory, Nothing
from slicermedai.inference.network import load_network
from slicermedai.inference.outcome import Checks, machine, manifest_of, sized, told
from slicermedai.inference.setting import NetworkLoader, Setting
from slicermedai.inference.sweep import Sweep
from slicermedai.inference.task import FOLDS, Listeners, Prediction, RunSettings


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A :class:`~slicermedai.inference.task.Task`. ``load`` is how networks are loaded: a bench may watch it.

    With a ``memory``, whose ``load`` goes with it, further marks on the same image cost what they change alone.
    """

    load: NetworkLoader = load_network
    memory: Memory = field(default_factory=Nothing)

    def predict(
        self, ref: BundleRef, inputs: Mapping[str, Volume], *, settings: RunSettings, listeners: Listeners
    ) -> Prediction:
        """See :meth:`~slicermedai.inference.task.Task.predict`."""
        manifest = manifest_of(ref)
        checks = self.memory.once("checks of the image", lambda: Checks.of(manifest, inputs, settings))
        check_target(ref, listeners)
        check_listeners(settings, listeners)
        folds = chosen_folds(manifest.folds, settings.folds, title=ref.title)
        by_folds = listeners.samples is not None and listeners.sampling == FOLDS
        device = choose_device(settings.device)
        sweep = Sweep(
            Setting(
                manifest=manifest,
                device=device.name,
                listeners=listeners,
                load=self.load,
                precision=settings.precision,
                folds=folds,
                seed=settings.seed,
                prompts=settings.prompts,
                memory=self.memory,
                members=members_of(manifest.folds, title=ref.title) if by_folds else (),
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
            regions=tuple(sweep.regions),
            steps=(*told(report), *sweep.steps),
            precision=sweep.precision,
            seed=settings.seed,
            threads=threads,
            warnings=(*checks.warnings, *report.warnings, *sweep.warnings),
            unchecked=(*checks.unchecked, *sweep.unchecked, *sweep.features.refusals, *unasked(manifest.folds, folds)),
            features=sweep.features.values,
            features_of=sweep.features.source,
            folds=folds,
            compatibility=report,
            probabilities=sweep.kept,
            saliency=sweep.saliency,
            prompts=settings.prompts,
            workload=sized(sweep.workload, inputs),
            **machine(device),
        )
