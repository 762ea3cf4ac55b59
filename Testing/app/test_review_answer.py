"""Surfaces that the child of a review writes: Slicer's own where it has VTK, else coarser ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vtkmodules", reason="absent: vtk")

from slicermedai.app import review_answer
from slicermedai.app.meshes import Mesh, read_meshes
from slicermedai.domain.edits import packed
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.plan.shapes import coarse_mesh
from slicermedai.scene.closing import closed_surface
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead, small_head


def written(head: SmallHead, path: Path) -> dict[str, Mesh]:
    """What the child writes of all findings."""
    told: list[float] = []
    review_answer._write_surfaces(head.result.findings, path, lambda stage, share: told.append(share))
    assert len(told) == len(head.result.findings)
    return read_meshes(path)


def is_same(one: Mesh, other: Mesh) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_surfaces_are_slicers_own_with_vtk_and_coarse_ones_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = small_head()
    regions = [packed(one.region) for one in head.result.findings if isinstance(one.region, Mask | PackedMask)]
    made = written(head, tmp_path / "with.npz")
    monkeypatch.setitem(sys.modules, "slicermedai.scene.closing", None)
    else_made = written(head, tmp_path / "without.npz")
    for uid, region in zip((BRAIN_UID, VENTRICLE_UID), regions, strict=True):
        assert is_same(made[uid], closed_surface(region, coarse_mesh))
        assert is_same(else_made[uid], coarse_mesh(region))
        assert not is_same(made[uid], else_made[uid])
