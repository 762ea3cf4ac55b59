"""Parts of a configuration that cannot be made are refused with what lacks by name, whatever their code raises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigParser

from slicermedai.errors import BundleError
from slicermedai.inference.parts import make_part

WITHOUT = """
import sys
sys.modules[{package!r}] = None
from monai.bundle import ConfigParser
from slicermedai.errors import BundleError
from slicermedai.inference.parts import make_part
try:
    make_part(ConfigParser({{"part": {part!r}}}), "part", file="model")
except BundleError as error:
    print(error)
"""
NETWORKS: dict[str, dict[str, Any]] = {
    "torchvision": {"_target_": "TorchVisionFCModel", "model_name": "resnet18", "num_classes": 2},
    "einops": {"_target_": "ViT", "in_channels": 1, "img_size": [32, 32, 32], "patch_size": [16, 16, 16]},
}


@pytest.mark.parametrize("package", NETWORKS)
def test_a_package_that_lacks_is_named_with_what_brings_it(package: str) -> None:
    code = WITHOUT.format(package=package, part=NETWORKS[package])
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300)
    assert f"needs the Python module {package}, which is neither in the bundle's folder nor installed" in done.stdout
    assert "slicermedai packages install" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import medai_nowhere.inside", "needs the Python module medai_nowhere"),
        ("assert False, 'odd'", "AssertionError: odd"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_code_of_a_bundle_that_fails_is_refused(
    line: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "medai_odd_part.py").write_text(f"{line}\n\nclass Net: ...\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "medai_odd_part", raising=False)
    with pytest.raises(BundleError, match="part") as caught:
        make_part(ConfigParser({"part": {"_target_": "medai_odd_part.Net"}}), "part", file="model")
    assert told in str(caught.value)
    assert "packages install" not in str(caught.value)
