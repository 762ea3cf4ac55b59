"""What a run leaves of itself: model, software, machine."""

from __future__ import annotations

from pathlib import Path

from slicermedai import __version__
from slicermedai.bundles.manifest import read_manifest
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.provenance import Provenance, WeightsFile
from slicermedai.inference.task import Prediction


def provenance_of(bundle: BundleRef, prediction: Prediction) -> Provenance:
    """How ``prediction`` came about; times, job and the steps around the model are the caller's to add."""
    return Provenance(
        bundle=bundle.name,
        bundle_version=bundle.version,
        weights_sha256=bundle.weights_sha256,
        licence=bundle.licence,
        intended_use=bundle.intended_use,
        demonstration=bundle.demonstration,
        versions=(("slicermedai", __version__), *prediction.versions),
        device=prediction.device,
        precision=prediction.precision,
        seed=prediction.seed,
        threads=prediction.threads,
        steps=prediction.steps,
        warnings=prediction.warnings,
        refusals=prediction.unchecked,
        weights=_weights(bundle),
    )


def _weights(bundle: BundleRef) -> tuple[WeightsFile, ...]:
    """The network's file and that of its locator: loading them has held them against these hashes."""
    manifest = read_manifest(Path(bundle.path))
    used = (bundle.weights, (manifest.framing or {}).get("weights"))
    return tuple(WeightsFile(file=one.path, sha256=one.sha256) for one in manifest.files if one.path in used)
