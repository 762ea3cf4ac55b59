"""The voxels of an image node, hashed a moment at a time: the window lives while it is compared with a result."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from slicermedai.domain.digests import pieces_of_image
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.scene.volumes import volume_as_shown

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
    """The hashes of image nodes that were taken, for as long as their voxels stay as they are."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str]] = {}

    def of(self, node: Any) -> str:
        """The hash of the voxels that ``node`` shows; "" where it was not taken."""
        changed, told = self._known.get(node.GetID(), (-1, ""))
        return told if changed == _changed(node) else ""

    def comparing(self, node: Any) -> Comparing | None:
        """Work that takes it; None where it was taken."""
        return None if self.of(node) else Comparing(node, lambda told: self._note(node, told))

    def _note(self, node: Any, told: str) -> None:
        self._known[node.GetID()] = _changed(node), told


def _changed(node: Any) -> int:
    image = node.GetImageData()
    return -2 if image is None else int(image.GetMTime())
