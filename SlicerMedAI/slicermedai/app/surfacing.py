"""Surfaces of segments, made by a child and put in a moment at a time: Slicer would stand still for seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from slicermedai.app.aside import Chain
from slicermedai.app.meshes import Mesh
from slicermedai.app.moments import Moments
from slicermedai.app.review_ask import Errand, start_surfacing
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.result import AnalysisResult, Review


class Awaited(Protocol):
    """Segments that have no surface yet: :class:`slicermedai.scene.surfaces.Awaited` is such."""

    @property
    def names(self) -> Sequence[str]:
        """Their IDs, which are tracking UIDs of findings."""

    def put(self, name: str, mesh: Any) -> bool:
        """Give one its surface, unless it has changed."""


def surfaces(
    awaited: Awaited,
    result: AnalysisResult,
    folder: Path,
    reviews: Sequence[Review] = (),
    *,
    ask: Callable[..., Errand] = start_surfacing,
) -> Chain:
    """Make the surfaces of the segments that await them in a child, and give them to them a moment at a time.

    ``folder`` is that of ``result``, and ``reviews`` are decisions that are not saved in it. Where they cannot be made,
    3D views lack them until somebody makes them there.

    Raises
    ------
    MedAIError
        Why they cannot be made.
    """
    drawn = {one.tracking_uid for one in result.findings if isinstance(one.region, Mask | PackedMask)}
    wanted = [name for name in awaited.names if name in drawn]
    if not wanted:
        return
    making = ask(folder, wanted, reviews)
    try:
        yield making
        if making.error is not None:
            raise making.error
        yield Moments(_put(awaited, making.meshes()), total=len(wanted))
    finally:
        making.clean()


def _put(awaited: Awaited, meshes: Iterator[tuple[str, Mesh] | None]) -> Iterator[None]:
    for one in meshes:
        if one is not None:
            awaited.put(*one)
        yield
