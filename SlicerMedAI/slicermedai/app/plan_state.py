"""What the module MedAI Plan shows and what is planned in it, as values. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from slicermedai.app.meshes import Mesh
from slicermedai.app.plan_roles import Candidate, candidates
from slicermedai.app.state import Phase
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, PackedMask
from slicermedai.domain.plan import Cut, Place, Plan
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.plan.history import History

_BY_HAND = Confidence(state=ConfidenceState.NOT_ASSESSED_EDITED, reason="redrawn by a person in the plan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person chose: the result's folder as it was named, their own name, and the other phase's folder."""

    folder: str = ""
    person: str = field(default="", repr=False)
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A row of the table; ``value`` is None where ``missing`` says why, ``points`` are its ends in LPS mm."""

    part: str
    structure: str
    quantity: str
    value: float | None
    unit: str
    note: str = ""
    missing: str = ""
    points: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """All numbers of a plan, and what must be read before them."""

    rows: tuple[Number, ...] = ()
    warnings: tuple[str, ...] = ()

    def value(self, structure: str, quantity: str) -> float | None:
        """One number; raises KeyError where the table has no such row."""
        for row in self.rows:
            if (row.structure, row.quantity) == (structure, quantity):
                return row.value
        raise KeyError((structure, quantity))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """Everything that is shown.

    ``folder`` is the result folder that was opened and ``result`` what it holds. ``history`` holds the plan as its
    ``numbers`` say it, and those before and after; ``kept`` is the plan that lies in a file. ``stale`` names what was
    changed in the scene and is not in the numbers. ``chosen`` is the structure that is looked at, ``editing`` the one
    that was handed to the Segment Editor. ``page`` and ``saved`` are what was written last.
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
    roles: tuple[tuple[str, str], ...] = ()
    history: History | None = field(default=None, repr=False)
    numbers: Numbers | None = field(default=None, repr=False)
    kept: Plan | None = field(default=None, repr=False)
    stale: tuple[str, ...] = ()
    chosen: str = ""
    editing: str = ""
    remark: str = ""
    in_scene: bool = False
    has_image: bool = False
    has_contours: bool = False
    shows_contours: bool = False
    saved: Path | None = None
    page: Path | None = None

    @property
    def plan(self) -> Plan | None:
        """The plan as it stands."""
        return None if self.history is None else self.history.plan

    @property
    def pending(self) -> tuple[Plan, ...]:
        """The plan where it lies in no file; a plan in which nothing was done yet is none."""
        plan = self.plan
        begun = self.history is not None and self.history.now > 0
        return (plan,) if plan is not None and plan is not self.kept and (begun or self.kept is not None) else ()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What can be planned with."""
        return candidates(decided(self.result)) if self.result is not None else ()

    @property
    def effective(self) -> AnalysisResult | None:
        """The result with the voxels that were drawn for the plan."""
        return with_drawn(self.result, self.plan) if self.result is not None and self.plan is not None else self.result


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the presenter needs of the application.

    Parameters
    ----------
    files_of:
        The files of a series, by its UID, where they are known; else none.
    open_editor:
        Brings Slicer's Segment Editor to the front.
    capture:
        Writes pictures of the open views into a folder: path, title and kind of each. ``only_slices`` where a face must
        not be seen.
    recall, remember:
        Read and write a setting of the person's, as text.
    """

    files_of: Callable[[str], Sequence[str]] = lambda uid: ()
    open_editor: Callable[[], object] = lambda: None
    capture: Callable[[Path, bool], list[dict[str, str]]] = lambda folder, only_slices: []
    recall: Callable[[str], str] = lambda name: ""
    remember: Callable[[str, str], object] = lambda name, value: None


class Stage(Protocol):
    """Where a plan is seen and changed by hand: :class:`slicermedai.scene.planning.PlanScene` is one."""

    is_there: bool
    image_node: Any
    changed: frozenset[str]

    def when_changed(self, told: Callable[[], object]) -> None:
        """Call ``told`` whenever somebody may have changed something."""

    def has_image(self, result: AnalysisResult) -> bool:
        """Whether the image need not be read again."""

    def comparing(self, result: AnalysisResult) -> Any | None:
        """Work to be done before it is shown, None for none."""

    def preparing(self, result: AnalysisResult, image: Volume | None = None, *, known: str = "") -> Iterator[None]:
        """Returns what is large of both; nothing of it is shown."""

    def open(self, result: AnalysisResult, image: Volume | None = None, *, prepared: Any = None) -> str:
        """Show it; returns a remark."""

    def apply(self, result: AnalysisResult) -> None:
        """Show the voxels of its findings."""

    def forget(self) -> None:
        """Let go of it, and remove what the plan added."""

    def leave(self) -> None:
        """The scene is being emptied."""

    def jump(self, place: Sequence[float]) -> None:
        """Bring the views to a place, LPS mm."""

    def edit(self, uid: str) -> None:
        """Hand a finding's segment to the Segment Editor."""

    def drawn(self, uid: str) -> PackedMask:
        """The voxels of its segment."""

    def take(self, uid: str, region: PackedMask) -> None:
        """What its segment shows was read."""

    def show_cuts(self, plan: Plan) -> None:
        """Show planes and boxes."""

    def moved(self, plan: Plan) -> dict[str, Cut | None]:
        """Cuts that were moved by hand, or deleted."""

    def show_shapes(self, shapes: Sequence[Finding], meshes: Mapping[str, Mesh]) -> None:
        """Show what is planned."""

    def show_contours(self, *, on: bool) -> bool:
        """Show inner and outer contours."""


_ORDER = ("Resection", "Standard liver", "Safety margins", "Distances", "Volumes and diameters")
"""The parts of the table as a planner looks for them; the others follow."""


def numbers_of(answer: Mapping[str, Any]) -> Numbers:
    """The table that a child answered."""
    rows = tuple(
        Number(
            part=row["part"],
            structure=row["structure"],
            quantity=row["quantity"],
            value=row["value"],
            unit=row["unit"],
            note=row["note"],
            missing=row["missing"],
            points=tuple(_place(point) for point in row["points_lps_mm"].split("; ") if point),
        )
        for row in answer["rows"]
    )
    known = {part: place for place, part in enumerate(_ORDER)}
    rows = tuple(sorted(rows, key=lambda row: known.get(row.part, len(known))))
    return Numbers(rows=rows, warnings=tuple(answer["warnings"]))


def with_drawn(result: AnalysisResult, plan: Plan) -> AnalysisResult:
    """``result`` with the voxels of what was edited in ``plan``; earlier decisions about those are left out."""
    edited = {one.tracking_uid: one.region for one in plan.structures if one.edited and one.tracking_uid}
    findings = tuple(
        replace(one, region=edited[one.tracking_uid], measurements=(), confidence=_BY_HAND)
        if one.tracking_uid in edited
        else one
        for one in result.findings
    )
    reviews = tuple(one for one in result.reviews if one.tracking_uid not in edited)
    return replace(result, findings=findings, reviews=reviews) if edited else result


def _place(text: str) -> Place:
    left, posterior, superior = (float(value) for value in text.split())
    return left, posterior, superior
