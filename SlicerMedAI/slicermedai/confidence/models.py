"""Which trust record is a model's: by the hash of its weights and of all that happens before them."""

from __future__ import annotations

from pathlib import Path

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.confidence.record import TrustRecord, find_record, preprocessing_sha256
from slicermedai.domain.bundle import BundleRef
from slicermedai.jobs.home import home

RECORDS = "trust"


def records_folder() -> Path:
    """Where the trust records in use lie."""
    return home() / RECORDS


def preprocessing_of(manifest: Manifest) -> str:
    """SHA-256 of all that happens to an image before the network sees it, and of how the network is swept over it."""
    config = manifest.config
    parts = {name: config.get(name) for name in ("preprocessing", "inferer")} | {"framing": manifest.framing}
    return preprocessing_sha256(parts)


def manifest_of(ref: BundleRef) -> Manifest:
    """The manifest of an installed bundle; errors as :func:`~slicermedai.bundles.manifest.read_manifest`."""
    return read_manifest(Path(ref.path))


def record_of(manifest: Manifest) -> TrustRecord | None:
    """The trust record in use for a model, None where there is none; errors as :func:`~.record.load_record`."""
    return find_record(
        records_folder(),
        weights_sha256=manifest.ref.weights_sha256,
        preprocessing_sha256=preprocessing_of(manifest),
    )
