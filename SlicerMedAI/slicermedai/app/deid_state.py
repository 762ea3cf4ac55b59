"""What the module MedAI De-identify shows and what is chosen in it, as values. No Qt and no MRML in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from slicermedai.app.state import Phase, Work
from slicermedai.errors import MedAIError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person chose, as :class:`~slicermedai.jobs.specs.DeidJob` takes it; the passphrase is not in here.

    ``preset`` is the name of a built-in one or the path of a site's own, ``further`` are codes of options beside its
    own, ``ocr`` and ``deface`` None where they are as the preset says. ``has_passphrase`` tells that one was typed.
    """

    preset: str = "basic"
    further: frozenset[str] = frozenset()
    ocr: bool | None = None
    deface: bool | None = None
    key: str = ""
    table: str = ""
    exclude: str = ""
    output: str = ""
    tree: bool = False
    into_database: bool = False
    has_passphrase: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One attribute of one file that would change. ``before`` is patient data: for the screen, in memory alone."""

    path: str
    action: str
    before: str = field(repr=False)
    after: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewShown:
    """What would happen: how much to how many, and for the first file of each series the changes.

    ``is_cut`` is True where a file has more of them than are shown.
    """

    files: int
    patients: int
    elements: int
    refused: tuple[tuple[str, str], ...]
    examples: tuple[tuple[Change, ...], ...] = field(repr=False)
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that was not written, and why; ``kept_back`` where the verifier found identity in its copy."""

    name: str
    reason: str
    kept_back: bool
    asked_for: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidResult:
    """What a job left: where, how many files of how many patients, what was left out, which texts to look at.

    ``series`` are (UID, pseudonym of the patient) of what was written; ``pictures`` are patient data. ``missed``
    says which steps were asked for and not done.
    """

    folder: Path
    written: int
    patients: int
    left_out: tuple[LeftOut, ...]
    pictures: tuple[Path, ...]
    series: tuple[tuple[str, str], ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def copies(self) -> Path:
        """The folder that holds the copies."""
        return self.folder / "dicom"

    @property
    def kept_back(self) -> int:
        """How many files the verifier kept back."""
        return sum(one.kept_back for one in self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidState:
    """Everything the module shows; ``activity`` says what is going on while ``phase`` is a busy one."""

    phase: Phase = Phase.IDLE
    source_name: str = ""
    asked: Asked = Asked()
    activity: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    preview: PreviewShown | None = field(default=None, repr=False)
    result: DeidResult | None = None


class Working(Work, Protocol):
    """A preview, a job or an import that is under way; :class:`slicermedai.JobHandle` is one."""

    @property
    def error(self) -> MedAIError | None:
        """What ended it, where it did not succeed."""
