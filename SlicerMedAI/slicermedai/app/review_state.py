"""What the module MedAI Review shows and what is decided in it, as values. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from slicermedai.app.state import Phase
from slicermedai.app.surfacing import Awaited
from slicermedai.domain import lung_rads
from slicermedai.domain.counting import is_counted
from slicermedai.domain.decisions import decided, last_decisions
from slicermedai.domain.finding import Finding, Mask, Measurement, PackedMask
from slicermedai.domain.result import AnalysisResult, Quality, Review
from slicermedai.domain.stability import StructureStability
from slicermedai.domain.uncertainty import StructureSpread
from slicermedai.domain.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person chose: the result's folder as it was named, and their own name."""

    folder: str = ""
    person: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Which map lies over the image (a negative number: none), from which share of its range on, and that value."""

    number: int = -1
    share: float = 0.25
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewState:
    """Everything that is shown.

    ``folder`` is the result folder that was opened and ``result`` what it holds; ``pending`` are decisions that are in
    no file yet, the last one last, and ``undone`` those that can be made again. ``chosen`` is the finding that is
    looked at, ``editing`` the one that was handed to the Segment Editor. ``saved`` is what was written last.
    """

    phase: Phase = Phase.IDLE
    asked: Asked = Asked()
    activity: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    folder: Path | None = None
    result: AnalysisResult | None = field(default=None, repr=False)
    pending: tuple[Review, ...] = field(default=(), repr=False)
    undone: tuple[Review, ...] = field(default=(), repr=False)
    chosen: str = ""
    editing: str = ""
    remark: str = ""
    in_scene: bool = False
    has_image: bool = False
    has_regions: bool = False
    laid: Laid = Laid()
    saved: Path | None = None

    @property
    def effective(self) -> AnalysisResult | None:
        """The result with all decisions so far."""
        if self.result is None or not self.pending:
            return self.result
        return replace(self.result, reviews=(*self.result.reviews, *self.pending))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One finding of the worklist, as it is with the decisions so far. A rejected one is as the network left it."""

    finding: Finding
    quality: Quality
    review: Review | None = None
    spread: StructureSpread | None = None
    stability: StructureStability | None = None
    is_saved: bool = False
    advice: lung_rads.Advice | None = None

    @property
    def uid(self) -> str:
        """Its tracking UID."""
        return self.finding.tracking_uid

    @property
    def volume(self) -> Measurement | None:
        """Its volume, where it was counted."""
        return next((one for one in self.finding.measurements if is_counted(one)), None)

    @property
    def has_voxels(self) -> bool:
        """True where it can be edited as a segment."""
        return isinstance(self.finding.region, (Mask, PackedMask))


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the presenter needs of the application.

    Parameters
    ----------
    files_of:
        The files of a series, by its UID, where they are known; else none.
    open_editor:
        Brings Slicer's Segment Editor to the front.
    recall, remember:
        Read and write a setting of the person's, as text.
    """

    files_of: Callable[[str], Sequence[str]] = lambda uid: ()
    open_editor: Callable[[], object] = lambda: None
    recall: Callable[[str], str] = lambda name: ""
    remember: Callable[[str, str], object] = lambda name, value: None


class Stage(Protocol):
    """Where a result is seen and drawn in: :class:`slicermedai.scene.reviewing.ReviewScene` is one."""

    is_there: bool
    image_node: object
    changed: frozenset[str]

    def has_image(self, result: AnalysisResult) -> bool:
        """Whether the image need not be read again."""

    def comparing(self, result: AnalysisResult) -> Any | None:
        """Work that compares the scene's image with the one that was analysed, None where there is none to do."""

    def preparing(self, result: AnalysisResult, image: Volume | None = None, *, known: str = "") -> Iterator[None]:
        """Returns what is large of both; nothing of it is shown."""

    def open(self, result: AnalysisResult, image: Volume | None = None, *, prepared: Any = None) -> str:
        """Show it, without surfaces; returns a remark."""

    def awaited(self) -> Awaited | None:
        """The segments that have no surface yet."""

    def apply(self, result: AnalysisResult) -> None:
        """Show what was decided."""

    def keep(self, result: AnalysisResult) -> None:
        """All decisions are saved."""

    def forget(self) -> None:
        """Let go of it."""

    def jump(self, place: Sequence[float]) -> None:
        """Bring the views to a place, LPS mm."""

    def outline(self, uid: str) -> bool:
        """Outline inner and outer region of a finding."""

    def lay_map(self, number: int, *, share: float) -> float | None:
        """Lay a map over the image."""

    def edit(self, uid: str) -> None:
        """Hand a finding's segment to the Segment Editor."""

    def drawn(self, uid: str) -> PackedMask:
        """The voxels of its segment."""

    def take(self, uid: str, region: PackedMask) -> None:
        """What its segment shows was read."""


def rows_of(state: ReviewState) -> tuple[Row, ...]:
    """The worklist, in the order of the result."""
    result, effective = state.result, state.effective
    if result is None or effective is None:
        return ()
    now, last = decided(effective), last_decisions(effective)
    findings = {one.tracking_uid: one for one in now.findings}
    quality = {one.tracking_uid: one for one in (*result.quality, *now.quality)}
    unsaved = {one.tracking_uid for one in state.pending}
    return tuple(
        Row(
            finding=findings.get(one.tracking_uid, one),
            quality=quality.get(one.tracking_uid) or Quality(tracking_uid=one.tracking_uid),
            review=last.get(one.tracking_uid),
            spread=now.uncertainty.of(one.tracking_uid) if now.uncertainty else None,
            stability=now.stability.of(one.tracking_uid) if now.stability else None,
            is_saved=one.tracking_uid not in unsaved,
            advice=lung_rads.advice(effective, findings.get(one.tracking_uid, one), last.get(one.tracking_uid)),
        )
        for one in result.findings
    )
