"""Where tests take the brain model from: the fetched wheel, or the model that is installed on this machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.errors import MedAIError

MEMBERS = {
    "models/model.ts": "data/models/model.pt",
    "models/locator.ts": "data/models/bbox_model.pt",
    "LICENSE": "deepbet-1.0.2.dist-info/LICENSE",
}


def brain_wheel_in(data_folder: Path, scratch: Path) -> Path:
    """The wheel of deepbet 1.0.2, or its three files packed again from the installed model; skips by name."""
    found = sorted((data_folder / "deepbet").glob("deepbet-1.0.2-*.whl"))
    if found:
        return found[0]
    try:
        installed = Path(resolve("brain@1.0.2").path)
    except MedAIError:
        pytest.skip("absent: the brain model (PyPI deepbet 1.0.2); Scripts/test fetches it where it can")
    wheel = scratch / "deepbet-1.0.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, member in MEMBERS.items():
            archive.write(installed / name, member)
    return wheel
