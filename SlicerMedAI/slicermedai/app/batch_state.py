"""What the module MedAI Batch shows and what is chosen in it, as values. No Qt and no MRML in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from slicermedai.app.state import Phase
from slicermedai.batch.rules import Rule, SeriesRules

LOOK, PREVIEW, RUN, RETRY, TABLES, GATHER, IMPORT = "look", "preview", "run", "retry", "tables", "gather", "import"
INSTALL = "install"
"""What can be going on. GATHER asks which results may go into the DICOM database, IMPORT adds them."""

FIRST_RULE = Rule(name="rule-1", origin="original")
FIRST_RULES = SeriesRules(rules=(FIRST_RULE,))
"""What stands there at the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person chose, as :class:`~slicermedai.batch.settings.Settings` takes it; the passphrase is not in here.

    ``output`` is the cohort's folder, "" for a new one. ``has_passphrase`` tells that one was typed.
    """

    bundle: str = ""
    identity: str = "keep"
    project_key: str = ""
    exclude: str = ""
    tilt: str = "refuse"
    output: str = ""
    processes: int = 1
    has_passphrase: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesShown:
    """A series of a study: what it was taken for, or why it was not. ``words`` may hold patient data; ``number`` is
    what reasons call it.
    """

    number: int
    series: str = field(repr=False)
    words: str = field(repr=False)
    modality: str
    slices: int
    thickness_mm: float | None
    kernel: str
    taken_as: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyShown:
    """A study of the preview. ``patient`` and ``date`` are patient data: for the screen, in memory alone."""

    number: int
    patient: str = field(repr=False)
    date: str = field(repr=False)
    state: str
    reason: str
    bundle: str = ""
    notes: tuple[str, ...] = ()
    series: tuple[SeriesShown, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseShown:
    """Where a case stands. ``patient`` and ``date`` are patient data: for the screen, in memory alone.

    ``is_ours`` tells that a run of this window has it, so that nobody runs it once that run has ended.
    """

    name: str
    patient: str = field(repr=False)
    date: str = field(repr=False)
    state: str
    reason: str = ""
    seconds: float = 0.0
    is_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortShown:
    """The cohort in the chosen folder: it keeps the settings and the rules that it was made with."""

    folder: str
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """Everything the module shows; ``activity`` says what is going on while ``phase`` is a busy one.

    ``is_planned`` is True where the cohort in the folder already knows what is chosen now.
    """

    phase: Phase = Phase.IDLE
    asked: Asked = Asked()
    rules: SeriesRules = FIRST_RULES
    rule: int = 0
    source_name: str = ""
    activity: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    studies: tuple[StudyShown, ...] = field(default=(), repr=False)
    is_previewed: bool = False
    cohort: CohortShown | None = None
    cases: tuple[CaseShown, ...] = field(default=(), repr=False)
    is_planned: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """State -> how many cases."""
        states = [one.state for one in self.cases]
        return {state: states.count(state) for state in dict.fromkeys(states)}
