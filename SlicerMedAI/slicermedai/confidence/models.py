"""Which trust record is a model's: by the hash of its weights and of all that happens before and after them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.bundles.verify import sha256_of
from slicermedai.confidence.record import TrustRecord, find_record, preprocessing_sha256
from slicermedai.domain.bundle import BundleRef
from slicermedai.jobs.home import home

RECORDS = "trust"


def records_folder() -> Path:
    """Where the trust records in use lie."""
    return home() / RECORDS


def preprocessing_of(manifest: Manifest, *, pixel_values: str = "") -> str:
    """SHA-256 of all that makes labels of an image beside the first weights.

    The whole configuration counts, with all that its parts refer to: preparation, network, windows and what is done
    with the scores. So do framing, meaning and order of channels and labels, and all other pinned files. A change that
    makes no difference gives another hash too: it costs a calibration, and never lends a record to another way.

    ``pixel_values`` is a person's word for what a model takes of grey pictures, where the model does not say it.
    """
    labels = manifest.ref.labels
    parts = {
        "config": manifest.config,
        "framing": manifest.framing,
        "outputs": manifest.outputs,
        "overlapping": manifest.overlapping,
        "inputs": manifest.inputs,
        "labels": [(value, label.type.value, label.modifier and label.modifier.value) for value, label in labels],
        "files": _files(manifest),
    }
    values = manifest.pixel_values or pixel_values
    return preprocessing_sha256(_plain(parts | ({"pixel_values": values} if values else {})))


def _files(manifest: Manifest) -> dict[str, str]:
    """Hashes of the bundle's own code, its metadata and its weights; the configuration is there as values."""
    folder = Path(manifest.ref.path)
    read = [folder / "configs" / "metadata.json", *sorted(folder.glob("scripts/**/*.py"))]
    found = {path.relative_to(folder).as_posix(): sha256_of(path) for path in read if path.is_file()}
    return found | {file.path: file.sha256 for file in manifest.files}


def _plain(value: Any) -> Any:
    """What YAML may hold beyond plain JSON values, as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    kept = value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    return value if kept else str(value)


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
