"""The voxels of an image node, hashed a moment at a time: the window lives while it is compared with a result."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from slicermedai.domain.digests import pieces_of_image
from slicermedai.errors import GeometryError, JobCancelled, MedAIError
from slicermedai.scene.volumes import ijk_to_ras, parent_to_world, volume_as_shown

_SLICE = 0.03
"""Seconds of the window's time that are taken at once."""


class Comparing:
    """Work that a timer drives: at its end ``take`` gets the :func:`~slicermedai.domain.digests.hash_of_image`.

    Raises
    ------
    UnsupportedImageError, GeometryError
        The node shows no scalar image, or stands under a transform that is not linear.
    """

    def __init__(self, node: Any, take: Callable[[str], object]) -> None:
        self.progress, self.stage = 0.0, "compare"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self._node, self._take = node, take
        self._digest = hashlib.sha256()
        volume = volume_as_shown(node)
        self._pieces, self._all, self._hashed = pieces_of_image(volume), max(volume.array.shape), 0

    def poll(self) -> None:
        """Hash some more; never blocks for longer than a few planes take."""
        until = time.monotonic() + _SLICE
        while not self.done:
            piece = next(self._pieces, None)
            if piece is None:
                self.done = True
                self._take(self._digest.hexdigest())
                return
            self._digest.update(piece)
            self._hashed += 1
            if time.monotonic() >= until:
                break
        self.progress = min(self._hashed / self._all, 1.0)

    def cancel(self) -> None:
        """Compare no more."""
        self.done, self.error = True, JobCancelled("it was cancelled")

    drop = cancel

    def clean(self) -> None:
        """Nothing lies anywhere."""


class Hashes:
    """The hashes of image nodes that were taken, for as long as their voxels and their place stay as they are.

    A hash is along the patient's axes: an image that is turned has another one, be it in the same box.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[_State, str]] = {}

    def of(self, node: Any) -> str:
        """The hash of the voxels that ``node`` shows; "" where it was not taken."""
        state, told = self._known.get(node.GetID(), (None, ""))
        return told if state == _state(node) else ""

    def comparing(self, node: Any) -> Comparing | None:
        """Work that takes it; None where it was taken, or the node stands under a transform that is not linear.

        What is changed meanwhile counts as not taken.
        """
        state = _state(node)
        if self.of(node) or not state[1]:
            return None
        return Comparing(node, lambda told: self._note(node, state, told))

    def _note(self, node: Any, state: _State, told: str) -> None:
        self._known[node.GetID()] = state, told


_State = tuple[int, bytes]
"""When the voxels were changed, and where they lie, empty where no matrix says it; equal while a hash counts."""


def _state(node: Any) -> _State:
    image = node.GetImageData()
    try:
        place = (parent_to_world(node) @ ijk_to_ras(node)).tobytes()
    except GeometryError:
        place = b""
    return -2 if image is None else int(image.GetMTime()), place
