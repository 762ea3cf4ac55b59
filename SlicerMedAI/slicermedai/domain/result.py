"""The one thing that a run makes. Everything a person sees or sends is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from slicermedai.domain.change import FollowUp
from slicermedai.domain.codes import Code
from slicermedai.domain.course import Course, Moment
from slicermedai.domain.finding import Finding, Interval, Measurement, Region
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.nodule import Nodule
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.stability import Stability
from slicermedai.domain.study import SeriesRef, Study
from slicermedai.domain.uncertainty import Uncertainty
from slicermedai.domain.words import Words
from slicermedai.errors import InputError

RESULT = "result"
"""The folder of the result in the output of a run, and the stem of its JSON file."""
WARNINGS = "warnings.txt"
"""What a calibration or a validation warns of, a line each; absent where there is nothing."""
RATINGS = range(1, 6)
"""What a person may rate a finding with; 1 is the worst."""


class Status(Words):
    """What came of the run. "No finding" and "failed" are results, not missing ones."""

    COMPLETE = "complete"
    NO_FINDING = "no finding"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Map:
    """A quantity per voxel: (slices, rows, columns) on ``geometry``; one quantity, one unit.

    ``calibration`` names what made its voxels probabilities, "none" where nothing did. ``about`` pairs names and values
    of what made the map: its method, its target, and what checks said of it. ``explains`` are the tracking UIDs of the
    findings that the map explains.
    """

    name: str
    quantity: Code
    unit: Code
    array: NDArray[Any]
    geometry: Geometry
    calibration: str = "none"
    about: tuple[tuple[str, str], ...] = ()
    explains: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Map({self.name!r}, {self.quantity.meaning}, {self.unit.value!r}, {self.geometry.in_words})"


class Decision(Words):
    """What a person decided about a finding."""

    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDistance:
    """How far a person's voxels are from the network's: their Dice, and the volumes added and removed, ml."""

    dice: float
    added: float
    removed: float

    @property
    def changed(self) -> float:
        """The volume of all voxels that are not as they were, ml."""
        return self.added + self.removed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Review:
    """One decision by a named person about one finding; ``region`` and ``edit`` only where it was edited.

    ``rating`` is from 1 (unusable) to 5 (excellent), where the person gave one; it is about the network's answer.
    ``nodule`` is what a person entered of a lung nodule; it stays where later decisions do not say it again.
    ``measurements`` are those of the finding, measured anew of ``region``, or with the reason why one is missing; () in
    results of versions that did not measure again, and until the decision is saved.
    """

    tracking_uid: str
    person: str
    decision: Decision
    reason: str = ""
    time: str = ""
    region: Region | None = None
    rating: int | None = None
    edit: EditDistance | None = None
    nodule: Nodule | None = None
    measurements: tuple[Measurement, ...] = ()

    def __post_init__(self) -> None:
        if self.rating is not None and self.rating not in RATINGS:
            raise InputError("a rating is a whole number from 1 to 5", attribute="rating")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the segmentation of one structure is expected to be, or why that was not assessed.

    ``light`` is "green", "amber", "red" or "not assessed"; ``reasons`` say in words why it is that.
    """

    tracking_uid: str
    expected_dice: float | None = None
    state: str = "not assessed"
    reason: str = ""
    interval: Interval | None = None
    light: str = "not assessed"
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeChange:
    """What was done to one attribute: the action's code (PS3.15 Table E.1-1a), how many elements, and by which rule."""

    attribute: str
    action: str
    elements: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentification:
    """What the de-identification step did, did not do, and which files it left out: all is shown to people.

    ``changes`` names attributes and actions, never values. ``verified`` counts the files that were searched for
    identity after they had been written, without a hit. ``fingerprint`` tells project keys apart.
    """

    method: str
    codes: tuple[Code, ...] = ()
    files: int = 0
    elements_removed: int = 0
    elements_replaced: int = 0
    uids_replaced: int = 0
    done: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    changes: tuple[AttributeChange, ...] = ()
    verified: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AnalysisResult:
    """Study, findings, maps, trust and provenance of one run, and what people decided about it.

    ``notes`` is what the geometry gate said about the input. ``volume_geometry`` is the grid of the image that was
    analysed. Pixel-free source headers lie beside the saved result in ``source/`` and are opaque here. A result folder
    is patient data. Of one image of several over time ``moment`` says which; ``course`` holds what became of all of
    them, in the one result that stands for the series. ``follow_up`` is what changed since an earlier study.
    """

    status: Status
    study: Study
    volume_geometry: Geometry
    provenance: Provenance
    findings: tuple[Finding, ...] = ()
    maps: tuple[Map, ...] = ()
    quality: tuple[Quality, ...] = ()
    reviews: tuple[Review, ...] = ()
    sources: tuple[SeriesRef, ...] = ()
    deidentification: Deidentification | None = None
    notes: tuple[str, ...] = ()
    message: str = ""
    uncertainty: Uncertainty | None = None
    stability: Stability | None = None
    moment: Moment | None = None
    course: Course | None = None
    follow_up: FollowUp | None = None

    @property
    def needs_a_look(self) -> bool:
        """True where the run left warnings: they must be read before its numbers, and nothing may show it as clean."""
        return bool(self.provenance.warnings)

    @property
    def outcome(self) -> str:
        """The status for people: "complete", or "complete, with 2 warnings: read them first"."""
        count = len(self.provenance.warnings)
        if not count:
            return str(self.status)
        return f"{self.status}, with {'a warning: read it' if count == 1 else f'{count} warnings: read them'} first"

    def __repr__(self) -> str:
        """Short, and without what may name a patient."""
        found = ", ".join(f"{item.label.name} ({item.confidence.state})" for item in self.findings) or "none"
        model = f"{self.provenance.bundle}@{self.provenance.bundle_version}"
        return f"AnalysisResult({self.outcome!r}, model={model!r}, findings: {found}, {self.volume_geometry.in_words})"

    def save(self, folder: Path) -> Path:
        """Write into ``folder`` (made beside and renamed) without loss; see :mod:`domain.codec`.

        Raises
        ------
        ResultExistsError, OutputError, DiskFullError
        """
        from slicermedai.domain.codec import save_object

        return save_object(self, folder, kind=RESULT)

    @staticmethod
    def load(folder: Path) -> AnalysisResult:
        """Read what :meth:`save` wrote, given that folder or the output of a run around it.

        Raises
        ------
        UnreadableFileError
            Missing, truncated, or written by a newer version.
        """
        from slicermedai.domain.codec import load_object

        return load_object(result_folder(folder), AnalysisResult, kind=RESULT)


def result_folder(folder: Path) -> Path:
    """``folder`` itself, or the ``result`` folder in it where it is the output of a run."""
    inner = Path(folder) / RESULT
    return inner if (inner / f"{RESULT}.json").is_file() else Path(folder)
