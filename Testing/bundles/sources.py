"""Bundles as they come from elsewhere: no codes of labels, no hashes; with and without code of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from Testing.inference.tiny_bundle import change_json, write_json, write_tiny_bundle

METADATA: dict[str, Any] = {
    "version": "0.5.9",
    "task": "Decathlon spleen segmentation",
    "intended_use": "Research.",
    "network_data_format": {
        "inputs": {"image": {"type": "image", "modality": "CT", "channel_def": {"0": "image"}}},
        "outputs": {"pred": {"type": "image", "channel_def": {"0": "background", "1": "spleen"}}},
    },
}


def a_source(folder: Path, *, name: str = "phantom", version: str = "1.0") -> Path:
    """A bundle of one organ for CT, which segments what is bright."""
    written = write_tiny_bundle(folder / name)
    (written / "medai.json").unlink()
    write_json(written / "configs" / "metadata.json", {**METADATA, "version": version})
    return written


def with_code(bundle: Path) -> Path:
    """The same with a configuration that runs Python."""
    (bundle / "scripts").mkdir()
    (bundle / "scripts" / "__init__.py").write_text("", encoding="utf-8")
    (bundle / "scripts" / "net.py").write_text("def net(): ...\n", encoding="utf-8")
    change_json(bundle / "configs" / "inference.json", network_def="$scripts.net.net()", imports=["$import scripts"])
    return bundle
