"""Which build of PyTorch a computer gets: by what nvidia-smi says of real cards and drivers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from slicermedai.jobs.torch_build import CHOICES, INDEX, Graphics, build_of, choose_build, look, parse


@pytest.mark.parametrize(
    ("line", "build"),
    [
        ("NVIDIA GeForce RTX 4090, 581.29, 8.9", "cu130"),
        ("NVIDIA H100 80GB HBM3, 580.65.06, 9.0", "cu130"),
        ("NVIDIA GeForce RTX 5090, 572.16, 12.0", "cu128"),
        ("NVIDIA GeForce RTX 5090, 582.28, 12.0", "cu130"),
        ("NVIDIA B200, 560.35.03, 10.0", "cpu"),
        ("Tesla V100-SXM2-16GB, 580.65.06, 7.0", "cu126"),
        ("NVIDIA GeForce GTX 1080 Ti, 576.02, 6.1", "cu126"),
        ("NVIDIA A100-SXM4-40GB, 525.60.13, 8.0", "cu126"),
        ("Tesla T4, 470.82.01, 7.5", "cpu"),
        ("Quadro K620, 525.147.05, [N/A]", "cu126"),
        ("Quadro K620, 525.147.05", "cu126"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "cpu"),
        ("", "cpu"),
    ],
)
def test_the_build_fits_card_and_driver(line: str, build: str) -> None:
    found = choose_build(parse(line), system="Linux")
    assert found.name == build
    assert found.index == f"{INDEX}{build}"


def test_the_reason_names_card_and_driver_and_says_what_to_do() -> None:
    assert choose_build(parse("Tesla T4, 470.82.01, 7.5"), system="Windows").why == (
        "Tesla T4 has driver 470.82.1, which is too old for CUDA 12: update it, then install again"
    )
    assert choose_build(parse("Tesla T4, 550.54, 7.5"), system="Windows").why == "Tesla T4 with driver 550.54"
    assert "no graphics processor" in choose_build([], system="Linux").why


def test_the_best_of_several_cards_decides() -> None:
    two = parse("NVIDIA T400, 581.29, 7.5\nNVIDIA RTX PRO 6000, 581.29, 12.0\n")
    assert choose_build(two, system="Linux").why.startswith("NVIDIA RTX PRO 6000")


def test_a_build_that_a_person_set_is_taken_and_a_mac_has_one_for_all() -> None:
    card = [Graphics(name="RTX", driver=(581, 29), capability=8.9)]
    assert choose_build(card, wanted="cu126", system="Linux").name == "cu126"
    assert choose_build(card, wanted="extension", system="Linux").name == "cu130"
    assert (choose_build([], system="Darwin").name, choose_build([], system="Darwin").index) == ("pypi", "")
    assert {"auto", "extension"} < set(CHOICES)


@pytest.mark.skipif(os.name == "nt", reason="absent: a shell script as a program")
def test_an_old_driver_is_asked_again_without_what_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "if 'compute_cap' in sys.argv[1]:\n    print('Field \"compute_cap\" is not a valid field to query.')\n"
        "    sys.exit(2)\nprint('Tesla P100, 470.57.02')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look() == [Graphics(name="Tesla P100", driver=(470, 57, 2))]
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert look() == []


@pytest.mark.parametrize(
    ("version", "index"),
    [("2.9.1+cu130", "https://download.pytorch.org/whl/cu130"), ("2.9.1+cpu", "https://download.pytorch.org/whl/cpu")],
)
def test_what_goes_with_an_installed_pytorch_is_of_its_build(version: str, index: str) -> None:
    build = build_of(version)
    assert build is not None and build.index == index
    assert build_of("2.9.1") is None and build_of("") is None and build_of("2.9.1+mine") is None
