"""What a run leaves of itself: model, software, machine."""

from __future__ import annotations

from collections.abc import Sequence
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
        weights=_weights(bundle, prediction.folds),
        prompts=prediction.prompts,
    )


def ran_in(bundle: BundleRef, prediction: Prediction) -> str:
    """What scores depend on beside model and image: the precision, and folds other than the model's default."""
    if prediction.prompts:
        return f"{prediction.precision} with places that a person marked"
    folds = read_manifest(Path(bundle.path)).folds
    if folds is None or prediction.folds == folds.names[:1]:
        return prediction.precision
    return f"{prediction.precision} with folds {', '.join(prediction.folds)}"


def _weights(bundle: BundleRef, folds: Sequence[str]) -> tuple[WeightsFile, ...]:
    """The files of the networks and of their locator: loading them has held them against these hashes."""
    manifest = read_manifest(Path(bundle.path))
    own = [manifest.folds.file(name) for name in folds] if manifest.folds else [bundle.weights]
    used = (*own, (manifest.framing or {}).get("weights"))
    return tuple(WeightsFile(file=one.path, sha256=one.sha256) for one in manifest.files if one.path in used)
