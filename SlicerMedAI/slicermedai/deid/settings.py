"""What one de-identification is asked to do, and what it says afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.text_rule import TextRule
from slicermedai.errors import IdentityError

if TYPE_CHECKING:
    from slicermedai.deid.exclusion import ExclusionList
    from slicermedai.deid.keystore import ReidentificationTable
    from slicermedai.domain.result import Deidentification


_ENDINGS = frozenset({".dcm", ".ima", ".zip", ".txt", ".pdf", ".jpg", ".png", ".xml", ".gz", ".tif"})


class Naming(str, Enum):
    """How output files are named: 00001.dcm and so on, or PATIENT/STUDY/SERIES/INSTANCE.dcm of pseudonyms."""

    NUMBER = "number"
    TREE = "tree"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidSettings:
    """How a set of files is de-identified.

    Parameters
    ----------
    profile:
        The Basic profile and its options.
    key:
        Secret of the project; without it a key of this run alone, which nobody keeps.
    dates, ages:
        What becomes of dates and ages that the options keep; ``dates=None`` follows from the options.
    text:
        What becomes of free text that the options keep or the table does not list.
    table:
        Collects who is who; saved before the output gets its name.
    exclusion:
        Patients who opted out: their files are refused before anything is written.
    ocr:
        Text reader for burned-in text (:class:`slicermedai.deid.pixels.ocr.Ocr`); None leaves pixels as they are.
        With several processes it must be such that pickle can copy it.
    decisions:
        What a person decided about doubtful text, from :mod:`slicermedai.deid.pixels.decisions`.
    deface:
        Remove faces from head CT and MR.
    brain_mask:
        From the path of a series' folder to a mask for that step.
    processes:
        How many work at once; the output is the same for any number.
    names:
        How output files are named.
    """

    profile: Profile = field(default_factory=Profile)
    key: ProjectKey | None = field(default=None, repr=False)
    dates: DateRule | None = None
    ages: AgeRule = AgeRule.AS_IT_IS
    text: TextRule = TextRule.SCRUB
    table: ReidentificationTable | None = None
    exclusion: ExclusionList | None = None
    ocr: Any = None
    decisions: Mapping[str, bool] = field(default_factory=dict, repr=False)
    deface: bool = False
    brain_mask: Callable[..., Any] | None = None
    processes: int = 1
    names: Naming = Naming.NUMBER

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise IdentityError("at least one process is needed", attribute="processes")
        wanted = {o.value for o in self.profile.options} & {"113106", "113107"}
        if self.dates is not None and wanted != ({self.dates.option} - {None}):
            raise IdentityError("contradicts the options", attribute="dates")

    @property
    def date_rule(self) -> DateRule:
        """What becomes of dates that the options keep."""
        if self.dates is not None:
            return self.dates
        if Option.RETAIN_FULL_DATES in self.profile.options:
            return DateRule.KEEP
        return DateRule.SHIFT if Option.RETAIN_MODIFIED_DATES in self.profile.options else DateRule.REMOVE


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """What was done to one file.

    Parameters
    ----------
    number:
        Position in the input, from 1.
    source:
        File name of the input, with what is known of all patients masked; it may be identity all the same, so that
        :attr:`shown` stands in reports.
    output:
        Path below the output folder, with "/"; "" where there is none.
    patient, study, series:
        Pseudonym and the UIDs that the copy has; "" where there is no copy.
    sop_class:
        SOP Class UID, "" where it could not be read.
    done:
        (attribute, action) -> how often; actions as in :class:`slicermedai.deid.preview.PreviewRow`.
    claimed:
        Codes that the file carries.
    refused:
        Why it was left out; "" where it was not.
    quarantined:
        True where the verifier found identity in what had been written, which was removed.
    """

    number: int
    source: str
    output: str = ""
    patient: str = ""
    study: str = ""
    series: str = ""
    sop_class: str = ""
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    claimed: tuple[str, ...] = ()
    refused: str = ""
    quarantined: bool = False

    @property
    def shown(self) -> str:
        """What tells the input in a report: its number, and its name's ending where that is a usual one."""
        ending = PurePath(self.source).suffix.lower()
        return f"file {self.number}{f' (*{ending})' if ending in _ENDINGS else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """Burned-in text that nobody could classify: a person should look.

    ``number`` is the position in the input, from 1, and ``output`` as in :class:`FileRow`. ``source`` is the file, or
    the zip file that ``member`` lies in. ``verdict`` is what the text reader found, and holds what it read: patient
    data.
    """

    source: Path
    output: str
    member: str = ""
    number: int = 0
    verdict: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A step that was asked for and not done in ``files`` of the ``of`` files that were written.

    ``code`` and ``step`` are those of the option; ``why`` are reasons, without patient data.
    """

    code: str
    step: str
    files: int
    of: int
    why: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """In words."""
        reasons = f": {'; '.join(self.why)}" if self.why else ""
        return f"{self.step} ({self.code}) was asked for and not done in {self.files} of {self.of} files{reasons}."


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidOutcome:
    """What was done to a set of files."""

    record: Deidentification
    files: tuple[FileRow, ...]
    review: tuple[ReviewItem, ...] = ()
    fingerprint: str = ""
    missed: tuple[Missed, ...] = ()

    @property
    def quarantined(self) -> tuple[FileRow, ...]:
        """Files in whose copies the verifier found identity: any of them is a failure of the run."""
        return tuple(row for row in self.files if row.quarantined)
