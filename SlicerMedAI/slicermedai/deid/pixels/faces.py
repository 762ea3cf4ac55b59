"""Takes the face and the ears off a head in CT or MR and leaves the brain as it is (option 113102).

What is taken: everything in front of and below planes that touch the brain from there (the eyes, nose, mouth and
chin, with the bones behind them, from which a face can be modelled), the forehead down to 6 mm from the brain, and
the ears. Planes that shear off the face: Schimke and Hale, Quickshear Defacing for Neuroimages (HealthSec 2011);
forehead, ears and the check of the surface are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.deid.pixels.head import CHIN, STEP, Head, Mask, tissue
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnsupportedImageError


class FaceStaysError(UnsupportedImageError):
    """The face is still there; the message says why in fixed words, so that any report may say it."""


_ANGLES = (10.0, 25.0, 40.0)
_PLANE_MARGIN = 6.0
_FOREHEAD, _BONE = 25.0, 6.0
_EAR_OUT, _EAR_BONE = 10.0, 8.0
_LEAST_BRAIN, _MOST_BRAIN = 200.0, 2500.0
_FACE_WIDTH, _FACE_BELOW = 50.0, 90.0
_LEAST_FACE = 1500.0
_MOVED, _SHARE, _MEDIAN = 5.0, 0.9, 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Defaced:
    """A volume without its face.

    Parameters
    ----------
    array:
        (slices, rows, columns), of the volume's type; outside of ``region`` as it was.
    region:
        (slices, rows, columns): what was replaced.
    background:
        The value that was written, one that the volume has outside of the head.
    evidence:
        What the check measured.
    """

    array: NDArray[Any]
    region: Mask
    background: float
    evidence: FaceEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceEvidence:
    """What the surface looks like from the front before and after.

    Parameters
    ----------
    face_mm2:
        Area of the face in view, seen from the front, below the base of the frontal lobes.
    median_mm:
        How far its surface went back, median.
    moved_share:
        Share of it that went back by 5 mm or more.
    brain_changed:
        Voxels within the brain mask that changed.
    """

    face_mm2: float
    median_mm: float
    moved_share: float
    brain_changed: int

    @property
    def holds(self) -> bool:
        """True where a face was in view, is gone, and the brain is as it was: 113102 may then be claimed."""
        gone = self.median_mm >= _MEDIAN and self.moved_share >= _SHARE
        return self.face_mm2 >= _LEAST_FACE and gone and self.brain_changed == 0


def deface(volume: Volume, brain: Mask) -> Defaced:
    """Take the face off and check that it is gone.

    Parameters
    ----------
    volume:
        Head CT or MR in any orientation; its geometry (LPS) says where the front is.
    brain:
        (slices, rows, columns) on the volume's grid; no voxel of it changes.

    Raises
    ------
    UnsupportedImageError
        The mask is no brain, no face is in view, or the face is still there afterwards: the attribute says which.
    """
    _check_brain(volume, brain)
    head = Head.of(volume, brain)
    background = background_of(volume, brain)
    region = _on_grid(face_region(head), head.grid, volume.geometry) & ~brain
    array = np.array(volume.array)
    array[region] = background
    evidence = compare(volume, array, brain)
    _check(evidence)
    return Defaced(array=array, region=region, background=background, evidence=evidence)


def face_region(head: Head) -> Mask:
    """What is taken, on the upright grid: (slices, rows, columns)."""
    left, posterior, superior = head.points
    box, base = head.brain_box, head.frontal_base
    apart = ndimage.distance_transform_edt(~head.brain, sampling=STEP)
    sheared = np.zeros(head.brain.shape, dtype=bool)
    for angle in np.radians(_ANGLES):
        height = -posterior * np.cos(angle) - superior * np.sin(angle) + 0 * left
        sheared |= height > height[head.brain].max() + _PLANE_MARGIN
    forehead = (posterior < box[1, 0] + _FOREHEAD) & (superior > base - 10) & (apart > _BONE)
    aside = np.abs(left - box[0].mean()) > np.ptp(box[0]) / 2 + _EAR_OUT
    level = (superior < box[2].mean()) & (superior > box[2, 0] - 50)
    ears = aside & level & (posterior < box[1].mean() + 60) & (apart > _EAR_BONE)
    return np.asarray((sheared | forehead | ears) & (superior > base - CHIN))


def background_of(volume: Volume, brain: Mask) -> float:
    """The value that most voxels at the volume's border have, among the lower half of all values."""
    array = volume.array
    faces = [array[0], array[-1], array[:, 0], array[:, -1], array[:, :, 0], array[:, :, -1]]
    border = np.concatenate([face.ravel() for face in faces])
    low = border[border <= (np.median(array[brain]) + float(array.min())) / 2]
    values, counts = np.unique(low if low.size else array.min(), return_counts=True)
    return float(values[counts.argmax()])


def compare(volume: Volume, after: NDArray[Any], brain: Mask) -> FaceEvidence:
    """Look at both from the front: how far the first tissue along each line of sight went back."""
    head = Head.of(volume, brain)
    defaced = Head.of(Volume(array=after, geometry=volume.geometry, modality=volume.modality), brain)
    threshold, (left, _, superior) = head.threshold(), head.points
    box, base = head.brain_box, head.frontal_base
    first, second = (_depth(tissue(one.image, threshold)) for one in (head, defaced))
    seen = np.abs(left[0] - box[0].mean()) < _FACE_WIDTH
    seen = seen & (superior[:, 0] < base) & (superior[:, 0] > base - _FACE_BELOW)
    seen &= first < (box[1].mean() - head.grid.origin[1])
    back = (second - first)[seen]
    return FaceEvidence(
        face_mm2=float(seen.sum() * STEP**2),
        median_mm=float(np.median(back)) if back.size else 0.0,
        moved_share=float((back >= _MOVED).mean()) if back.size else 0.0,
        brain_changed=int((np.asarray(volume.array)[brain] != after[brain]).sum()),
    )


def _depth(mask: Mask) -> NDArray[np.float64]:
    """(slices, columns): mm from the front of the grid to the first tissue; the whole depth where there is none."""
    first = np.where(mask.any(axis=1), mask.argmax(axis=1), mask.shape[1])
    return np.asarray(first * STEP, dtype=np.float64)


def _on_grid(region: Mask, grid: Geometry, target: Geometry) -> Mask:
    """The upright region on the volume's own grid, by the nearest voxel."""
    out = np.zeros(target.shape, dtype=bool)
    row, column = np.meshgrid(np.arange(target.shape[1]), np.arange(target.shape[2]), indexing="ij")
    size = np.array(grid.shape)
    for index in range(target.shape[0]):
        points = target.to_lps(np.stack([np.full(row.shape, index), row, column], axis=-1).reshape(-1, 3))
        where = np.rint(grid.to_index(points)).astype(int)
        inside = ((where >= 0) & (where < size)).all(axis=1)
        plane = np.zeros(len(where), dtype=bool)
        plane[inside] = region[tuple(where[inside].T)]
        out[index] = plane.reshape(row.shape)
    return out


def _check_brain(volume: Volume, brain: Mask) -> None:
    size = float(brain.sum() * volume.geometry.voxel_volume / 1000) if brain.shape == volume.array.shape else 0.0
    if not _LEAST_BRAIN <= size <= _MOST_BRAIN:
        raise FaceStaysError(
            "no brain was found in it, so its face cannot be taken off safely",
            attribute="brain mask",
            advice="Leave the series out, or leave the Clean Recognizable Visual Features Option out.",
        )


def _check(evidence: FaceEvidence) -> None:
    if evidence.holds:
        return
    in_view = evidence.face_mm2 >= _LEAST_FACE
    raise FaceStaysError(
        "a face may still be recognised after it was taken off" if in_view else "no face is in view",
        attribute="PixelData",
        advice="The Clean Recognizable Visual Features Option is not claimed for this series.",
    )
