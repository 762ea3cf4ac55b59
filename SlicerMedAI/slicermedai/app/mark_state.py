"""What the module MedAI Mark shows and what it needs, as values. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from slicermedai.app.state import Phase
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import Label
from slicermedai.domain.prompts import Prompt
from slicermedai.domain.result import AnalysisResult

if TYPE_CHECKING:
    from slicermedai.console.handle import JobHandle

ANSWER, SAVE = "answer", "save"
"""The activities: the model answers to the marks; the whole run is made and kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkState:
    """Everything that is shown.

    ``image`` is the name of the chosen volume, "" for none, ``has_files`` True where it is analysed by its DICOM files.
    ``structure`` is the model's name of what is marked, ``placing`` what the next click marks, "" for nothing.
    ``result`` is the answer to ``marks``, None before there is one, and older than them while ``phase`` is busy or has
    failed (see ``is_answered``). ``since`` are whole seconds since what is going on began. ``saved`` is the folder of
    the run that was kept with exactly these marks.
    """

    phase: Phase = Phase.IDLE
    activity: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    since: int = 0
    message: str = ""
    image: str = ""
    has_files: bool = False
    bundle: BundleRef | None = None
    structure: str = ""
    identity: str = "keep"
    device: str = "auto"
    placing: str = ""
    marks: tuple[Prompt, ...] = ()
    result: AnalysisResult | None = field(default=None, repr=False)
    is_answered: bool = False
    remark: str = ""
    saved: Path | None = None

    @property
    def title(self) -> str:
        """The chosen model's ``name@version``, "" where none is chosen."""
        return self.bundle.title if self.bundle else ""

    @property
    def structures(self) -> tuple[str, ...]:
        """What the chosen model can be asked for, in its order."""
        return tuple(structure_name(label) for _, label in self.bundle.labels) if self.bundle else ()


def structure_name(label: Label) -> str:
    """The label's name, with its side where the name does not say it: so a mark names it."""
    side = label.modifier.meaning.lower() if label.modifier else ""
    return label.name if not side or side in label.name.lower() else f"{label.name}, {side}"


class Session(Protocol):
    """Keeps a model and answers to marks; :class:`slicermedai.console.prompting.PromptSession` is one."""

    latest: AnalysisResult | None
    error: Exception | None
    callback_error: Exception | None
    progress: float
    stage: str
    is_waiting: bool
    on_result: Callable[[AnalysisResult], object] | None
    on_error: Callable[[Any], object]

    def replace(self, *marks: Prompt) -> None:
        """Mark these and nothing else, and ask."""

    def poll(self) -> None:
        """Take in what was said; never blocks."""

    def cancel(self) -> None:
        """Give the answer up; never blocks."""

    def rest(self) -> None:
        """End the process; the next mark starts another."""

    def save(self, output: Path, **options: Any) -> JobHandle:
        """Start the whole run with the marks."""

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the presenter needs of the application.

    Parameters
    ----------
    begin:
        Makes a session: ``begin(image_node, model, **options)``; nothing runs before the first mark.
    models:
        The installed models that go by marks.
    missing:
        The packages that are needed and not installed, as requirements (PEP 508).
    device, parent:
        As they are set: where models run, as a job calls it, and the folder in which results are kept; "" for the
        defaults.
    """

    begin: Callable[..., Session]
    models: Callable[[], Sequence[BundleRef]]
    missing: Callable[[], Sequence[str]] = tuple
    device: Callable[[], str] = lambda: ""
    parent: Callable[[], str] = lambda: ""


class Stage(Protocol):
    """Where marks are placed and answers shown: :class:`slicermedai.scene.marking.MarkScene` is one."""

    image_node: Any
    placing: str
    marks: tuple[Prompt, ...]
    image_state: Hashable
    """Of the image that is marked: equal as long as its voxels and its place are the same."""

    def when_changed(self, told: Callable[[], object]) -> None:
        """Call ``told`` whenever marks may have changed, or placing has ended."""

    def begin(self, kind: str, label: str) -> None:
        """Let clicks mark something."""

    def stop(self) -> None:
        """Clicks mark nothing any more."""

    def add_point(self, label: str, position: Sequence[float], *, inside: bool) -> None:
        """Mark a place, LPS mm."""

    def add_box(self, label: str, middle: Sequence[float], edge: float) -> None:
        """Mark a cube of ``edge`` mm around ``middle``, LPS mm."""

    def place(self, marks: Sequence[Prompt]) -> None:
        """Hold these marks and no others."""

    def show(self, result: AnalysisResult) -> str:
        """Show the answer; returns a remark."""

    def hide_answer(self) -> None:
        """Take the answer away."""

    def forget(self) -> None:
        """Remove all marks and the answer."""

    def leave(self) -> None:
        """The scene is being emptied."""


def in_order(before: Sequence[Prompt], found: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """``found`` in the order in which it was marked: what was there before as it was, then what is new."""
    rest, kept = list(found), []
    for one in before:
        if one in rest:
            rest.remove(one)
            kept.append(one)
    return (*kept, *rest)
