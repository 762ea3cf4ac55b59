"""Which models go by marks is seen from their files, by what they take and not by name; nothing of them is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slicermedai.bundles.marks import models_by_marks, takes_marks
from Testing.inference.prompt_bundle import PATTERNS, write_prompt_bundle, write_vista_bundle
from Testing.inference.tiny_bundle import change_json, write_tiny_bundle


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_kind_of_network_that_goes_by_marks_is_seen(tmp_path: Path, pattern: str) -> None:
    assert takes_marks(write_prompt_bundle(tmp_path / "a", pattern))


def test_others_are_not_and_are_not_listed(own_home: Path) -> None:
    write_tiny_bundle(own_home / "models" / "tiny@0.1")
    write_prompt_bundle(own_home / "models" / "marked@0.1", "at_places")
    assert [ref.title for ref in models_by_marks()] == ["marked@0.1"]
    assert not takes_marks(own_home / "nothing")


def own_code(folder: Path, source: str, network: Any) -> Path:
    write_prompt_bundle(folder, "at_places")
    (folder / "scripts" / "own.py").write_text(source)
    change_json(folder / "configs" / "inference.json", network_def=network)
    return folder


TAKES = "class Net:\n    def forward(self, image, *, point_coords=None, point_labels=None): ...\n"
POINTS_ALONE = "class Net:\n    def forward(self, image, point_coords): ...\n"


@pytest.mark.parametrize(
    ("source", "network", "expected"),
    [
        (TAKES, {"_target_": "scripts.own.Net"}, True),
        (TAKES, "$scripts.own.Net(channels=@channels)", True),
        (TAKES + "class Wider(Net): ...\n", {"_target_": "scripts.own.Wider"}, True),
        (TAKES + "def made(n):\n    return Net()\n", {"_target_": "scripts.own.made"}, True),
        (TAKES + "class Other:\n    def forward(self, image): ...\n", {"_target_": "scripts.own.Other"}, False),
        (TAKES + "def other(n):\n    return n\n", {"_target_": "scripts.own.other"}, False),
        (POINTS_ALONE, {"_target_": "scripts.own.Net"}, False),
        ("class Net(Net): ...\n", {"_target_": "scripts.own.Net"}, False),
        ("this is no Python", {"_target_": "scripts.own.Net"}, False),
        (TAKES, "$@network_def", False),
        (TAKES, {"_target_": "/etc.passwd"}, False),
        (TAKES, {"_target_": "..scripts.own.Net"}, False),
        (TAKES, {"_target_": "scripts.absent.Net"}, False),
        (TAKES, None, False),
    ],
)
def test_a_network_of_the_bundles_own_code_is_read_and_not_run(
    tmp_path: Path, source: str, network: Any, expected: bool
) -> None:
    ran = tmp_path / "ran"
    folder = own_code(tmp_path / "a", f"{source}open({str(ran)!r}, 'w')\n", network)
    assert takes_marks(folder) is expected
    assert not ran.exists()


def test_a_definition_is_followed_to_where_it_stands(tmp_path: Path) -> None:
    folder = own_code(tmp_path / "a", TAKES, "@base#net")
    change_json(folder / "configs" / "inference.json", base={"_target_": "scripts.own.Net"})
    assert takes_marks(folder)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("VISTA3D", True),
        ("monai.networks.nets.vista3d132", True),
        ("monai.networks.nets.vista3d.VISTA3D", True),
        ("UNet", False),
        ("monai.networks.nets.SegResNet", False),
    ],
)
def test_networks_of_the_library_are_looked_up_where_it_lies(tmp_path: Path, name: str, expected: bool) -> None:
    write_vista_bundle(tmp_path / "a")
    change_json(tmp_path / "a" / "configs" / "inference.json", network_def={"_target_": name})
    assert takes_marks(tmp_path / "a") is expected


def test_without_the_library_its_networks_are_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_vista_bundle(tmp_path / "a")
    assert takes_marks(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "monai", None)
    assert not takes_marks(tmp_path / "a")


def test_a_step_that_is_switched_off_draws_nothing(tmp_path: Path) -> None:
    folder = write_prompt_bundle(tmp_path / "a", "by_two_lists")
    path = folder / "configs" / "inference.json"
    path.write_text(path.read_text().replace('"sigma": 3', '"sigma": 3, "_disabled_": true'))
    assert not takes_marks(folder)


def test_looking_takes_no_import_of_what_is_heavy(own_home: Path) -> None:
    write_vista_bundle(own_home / "models" / "marked@0.1")
    code = (
        "import sys; from slicermedai.bundles.marks import models_by_marks;"
        "print([ref.name for ref in models_by_marks()], [n for n in ('torch', 'monai') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['marked'] []"
