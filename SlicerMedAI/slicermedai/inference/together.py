"""Do several images of one run lie in one space? Refused before anything is computed, where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError

_PROBES = 24
_LITTLE = 0.5


def check_together(inputs: Mapping[str, Volume], *, other_frames: bool = False) -> list[str]:
    """Warnings where images cover each other only in part.

    ``other_frames`` allows images of different frames of reference (DICOM PS3.3 C.7.4.1): somebody registered them.
    An image that does not say its frame cannot be compared, and passes.

    Raises
    ------
    InputError
        Two images have different frames of reference, or no point in common; or one is a picture without a place in the
        patient, and the other is none or has another grid.
    """
    found = []
    for (first, one), (second, other) in combinations(inputs.items(), 2):
        _check_spaces(first, one.geometry, second, other.geometry)
        if not one.geometry.is_in_patient:
            continue
        _check_frames(first, one.geometry, second, other.geometry, other_frames=other_frames)
        share = max(overlap(one.geometry, other.geometry), overlap(other.geometry, one.geometry))
        if not share:
            raise InputError(
                f"the images {first!r} and {second!r} have no place in common",
                attribute="ImagePositionPatient",
                advice="Choose images of one examination, or register them first.",
            )
        if share < _LITTLE:
            found.append(f"the images {first!r} and {second!r} cover each other by {share:.0%} alone")
    return found


def overlap(one: Geometry, other: Geometry) -> float:
    """The share, 0 to 1, of the box of ``one`` that lies in that of ``other``, by points on a grid."""
    along = [np.linspace(-0.5, n - 0.5, _PROBES) for n in one.shape]
    points = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
    index = other.to_index(one.to_lps(points))
    return float(((index >= -0.5) & (index <= np.array(other.shape) - 0.5)).all(axis=1).mean())


def _check_spaces(first: str, one: Geometry, second: str, other: Geometry) -> None:
    """Pictures without a place in the patient have their pixels alone to be laid onto each other by."""
    if one.space is not other.space:
        raise InputError(
            f"the images {first!r} and {second!r} cannot be laid onto each other: the numbers of one are"
            f" {one.space.value}, those of the other {other.space.value}",
            attribute="ImagerPixelSpacing, PixelSpacing, ImagePositionPatient",
            advice="Choose images of one kind, whose headers say their sizes in the same way.",
        )
    if not one.is_in_patient and not one.same_grid(other):
        raise InputError(
            f"the pictures {first!r} and {second!r} have different grids ({one.in_words}; {other.in_words}), and"
            " nothing says how one lies on the other",
            attribute="Rows, Columns, ImagerPixelSpacing",
            advice="Choose pictures of one grid, or bring them to one first.",
        )


def _check_frames(first: str, one: Geometry, second: str, other: Geometry, *, other_frames: bool) -> None:
    known = one.frame_of_reference_uid and other.frame_of_reference_uid
    if known and one.frame_of_reference_uid != other.frame_of_reference_uid and not other_frames:
        raise InputError(
            f"the images {first!r} and {second!r} are of different frames of reference: one's place says nothing of"
            " the other's",
            attribute="FrameOfReferenceUID",
            advice="Register them first, or say that they are registered (other_frames).",
        )
