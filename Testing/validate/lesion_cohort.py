"""Patients with bright balls, some of them lesions, for a detector whose score is their brightness."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import nibabel
import numpy as np

from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.domain.volume import Volume
from Testing.fixtures.grids import covering
from Testing.inference.conftest import points_of
from Testing.inference.test_single import detecting
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import write_zoo_bundle

GRID = covering("SPL", spacing=(2.5, 2.0, 2.0), extent=(80.0, 80.0, 80.0))
PLACES = tuple(product((-20.0, 20.0), repeat=3))
RADIUS = 8.0
"""Of a reference lesion, mm; the balls themselves fade over 14 mm."""


@dataclass(frozen=True, kw_only=True)
class Ball:
    """A bright place, and whether it is a lesion."""

    place: tuple[float, float, float]
    brightness: float
    is_lesion: bool


def a_detector(folder: Path) -> Path:
    """A bundle ``finder@0.1`` that finds bright balls; a person has agreed to its code."""
    bundle = folder / "finder@0.1"
    write_zoo_bundle(bundle, "plain", detecting)
    change_json(bundle / "medai.json", task="detection")
    agree(Title(name="finder", version="0.1"), "the test", bundle)
    return bundle


def balls(rng: np.random.Generator, count: int = 4) -> tuple[Ball, ...]:
    """The brighter, the more probably a lesion: even at 1.15, nine in ten at 1.35."""
    chosen = rng.permutation(len(PLACES))[:count]
    bright = rng.uniform(0.8, 1.5, count)
    lesions = rng.random(count) < 1 / (1 + np.exp(-11 * (bright - 1.15)))
    return tuple(
        Ball(place=PLACES[n], brightness=float(b), is_lesion=bool(lesion))
        for n, b, lesion in zip(chosen, bright, lesions, strict=True)
    )


def image_of(found: Sequence[Ball], *, noise: float = 0.0, seed: int = 0) -> Volume:
    """Balls on :data:`GRID` that are brightest in their middle."""
    points, array = points_of(GRID), np.zeros(GRID.shape, dtype=np.float32)
    for one in found:
        near = np.linalg.norm(points - one.place, axis=-1)
        array = np.maximum(array, np.clip(1 - near / 14, 0, 1) * one.brightness)
    array += noise * np.random.default_rng(seed).normal(size=array.shape)
    return Volume(array=array.astype(np.float32), geometry=GRID, modality="MR")


def write_cohort(folder: Path, patients: Sequence[Sequence[Ball]]) -> Path:
    """A table of patients whose references are in turn a label map, points and boxes; "none" without a lesion."""
    folder.mkdir()
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "image", "reference", "subject", "sex"])
        for number, found in enumerate(patients):
            save_nifti(image_of(found, noise=0.01, seed=number).array, folder / f"{number}.nii")
            lesions = [one for one in found if one.is_lesion]
            write = (write_mask, write_points, write_boxes)[number % 3]
            reference = write(folder, number, lesions) if lesions else "none"
            writer.writerow([f"case {number}", f"{number}.nii", reference, f"patient {number}", "FM"[number % 2]])
    return folder / "cases.csv"


def save_nifti(array: np.ndarray, path: Path) -> None:
    """An array on :data:`GRID`."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ GRID.ijk_to_lps
    nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), affine), path)


def write_mask(folder: Path, number: int, lesions: Sequence[Ball]) -> str:
    """All lesions as one value of a label map."""
    points = points_of(GRID)
    inside = [np.linalg.norm(points - one.place, axis=-1) < RADIUS for one in lesions]
    save_nifti(np.any(inside, axis=0).astype(np.uint8), folder / f"{number}-reference.nii")
    return f"{number}-reference.nii"


def write_points(folder: Path, number: int, lesions: Sequence[Ball]) -> str:
    """Points that say how large they are."""
    placed = [
        {"label": f"Body-{n}", "description": f"diameter {2 * RADIUS:g} mm", "position": list(one.place)}
        for n, one in enumerate(lesions, 1)
    ]
    return write_markups(folder / f"{number}.mrk.json", [{"type": "Fiducial", "controlPoints": placed}])


def write_boxes(folder: Path, number: int, lesions: Sequence[Ball]) -> str:
    """Boxes around them."""
    made = [
        {
            "type": "ROI", "roiType": "Box", "center": list(one.place), "orientation": np.eye(3).ravel().tolist(),
            "size": [2 * RADIUS] * 3, "controlPoints": [{"label": f"Body-{n}", "position": list(one.place)}],
        }
        for n, one in enumerate(lesions, 1)
    ]  # fmt: skip
    return write_markups(folder / f"{number}.mrk.json", made)


def write_markups(path: Path, made: Sequence[dict[str, object]]) -> str:
    """As 3D Slicer saves them; returns the file's name."""
    path.write_text(json.dumps({"markups": [{"coordinateSystem": "LPS", **one} for one in made]}))
    return path.name
