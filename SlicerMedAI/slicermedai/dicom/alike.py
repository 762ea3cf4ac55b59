"""Which images of a series differ in time alone, by what their headers say of all else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slicermedai.dicom.planes import SETTINGS, Plane
from slicermedai.dicom.series import SeriesFiles

_OF_CONTRAST = (0, 1, 4, 5)
"""What in :attr:`Plane.contrast` is not of time: echo number, stack, b value, echo time."""
_SETS = ("ImageType", "FrameOfReferenceUID", "EchoNumbers", "StackID", "DiffusionBValue", "EchoTime", *SETTINGS)


def set_of(plane: Plane) -> tuple[object, ...]:
    """What an image is but for its place and time: ImageType, frame of reference, echo, stack, b value, echo time,
    and the settings that MR maps vary."""
    return plane.image_type, plane.frame_of_reference_uid, *(plane.contrast[i] for i in _OF_CONTRAST), *plane.settings


def differing(sets: Sequence[tuple[object, ...]]) -> str:
    """The attributes in which ``sets``, of :func:`set_of`, differ."""
    columns = zip(_SETS, zip(*sets, strict=True), strict=True)
    return ", ".join(name for name, values in columns if len(set(values)) > 1)


def differ_in_time(stacks: Sequence[SeriesFiles]) -> bool:
    """True for several stacks of one series, mostly at the same places, that nothing but time tells apart.

    Where two acquisitions of one body meet they share a slice or two, and are none of one place at two times.
    """
    planes = [plane for stack in stacks for plane in stack.planes]
    if len(stacks) < 2 or len({(one.uid, one.apart) for one in stacks}) > 1 or any(one.is_flat for one in stacks):
        return False
    if len(set(map(set_of, planes))) > 1:
        return False
    places = [{tuple(np.round(plane.position or (), 1).tolist()) for plane in one.planes} - {()} for one in stacks]
    return all(2 * len(place & places[0]) > max(len(place), len(places[0])) for place in places)
