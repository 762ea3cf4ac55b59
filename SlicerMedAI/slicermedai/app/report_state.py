"""What the module MedAI Report shows and what is chosen in it, as values. No Qt and no MRML in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.app.state import Phase
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.result import Decision, Review, Status
from slicermedai.domain.study import Identity

OWN = "own"
"""Stands for a profile where the formats were ticked one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingShown:
    """A finding in texts. ``probability`` is there where it is calibrated, ``decision`` where somebody decided.

    ``lost_edit``: a person edited it, and it was rejected afterwards, so that its voxels are the model's own again.
    """

    uid: str
    name: str
    confidence: ConfidenceState
    probability: float | None = None
    measurements: tuple[tuple[str, str], ...] = ()
    decision: Decision | None = None
    lost_edit: bool = False
    person: str = field(default="", repr=False)
    reason: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatShown:
    """What would come of a format: its files, or why it cannot be written, by attribute, and how to mend that.

    ``cites`` are the formats that must be written with it.
    """

    name: str
    files: tuple[str, ...] = ()
    reason: str = ""
    attribute: str = ""
    advice: str = ""
    cites: tuple[str, ...] = ()

    @property
    def is_written(self) -> bool:
        """True where something would be written."""
        return bool(self.files) and not self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierShown:
    """A result of an earlier study of the patient; ``date`` is that of the study, YYYYMMDD, "" where it says none."""

    folder: Path
    date: str = field(repr=False)
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultShown:
    """A result as far as it is shown. ``patient_id`` is patient data (a pseudonym on the pseudonymous route).

    ``verifiers`` are the people by whom every object would say it was verified; ``whole`` is what was decided about
    the result as a whole. ``unsaid`` are attributes that the source lacks and that stay empty in every object.
    ``earlier`` are results whose findings may be followed.
    """

    folder: Path
    model: str
    status: Status
    identity: Identity
    job_id: str = ""
    study_uid: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    message: str = ""
    remark: str = ""
    demonstration: bool = False
    warnings: tuple[str, ...] = ()
    findings: tuple[FindingShown, ...] = ()
    whole: Decision | None = None
    verifiers: tuple[str, ...] = field(default=(), repr=False)
    formats: tuple[FormatShown, ...] = ()
    unsaid: tuple[str, ...] = ()
    earlier: tuple[EarlierShown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A folder of objects that were written from a result, with what must be known to pass them on."""

    folder: Path
    identity: Identity
    files: tuple[str, ...] = ()
    job_id: str = ""
    study_uid: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)

    @property
    def has_dicom(self) -> bool:
        """True where a DICOM database or an archive can take something of it."""
        return any(name.endswith(".dcm") for name in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person chose: the result's folder as it was named, formats, where to, and their own name.

    ``earlier`` is the folder of the earlier result whose findings are followed, "" for none, and ``matches`` the table
    (CSV) in which a person says which finding is which of them.
    """

    folder: str = ""
    formats: frozenset[str] = frozenset()
    output: str = ""
    earlier: str = ""
    matches: str = ""
    person: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportState:
    """Everything that is shown of the result; ``pending`` are decisions that are in no file yet, the last one last."""

    phase: Phase = Phase.IDLE
    asked: Asked = Asked()
    activity: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    shown: ResultShown | None = None
    pending: tuple[Review, ...] = ()
    written: Written | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerShown:
    """A destination. ``is_slicers`` where it stands in Slicer's own list of servers and not yet in ours."""

    name: str
    title: str
    research: bool = False
    is_slicers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryShown:
    """One object on its way to one destination; ``wait`` is seconds to the next try, 0 where none is planned."""

    uid: str
    object: str
    destination: str
    state: str
    tries: int
    wait: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """Everything that is shown of the outbox."""

    phase: Phase = Phase.IDLE
    activity: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    peer: str = ""
    peers: tuple[PeerShown, ...] = ()
    deliveries: tuple[DeliveryShown, ...] = ()
