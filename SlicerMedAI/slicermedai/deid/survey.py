"""What is left when a job is done: its series, and how well patients can be told apart by their headers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from slicermedai.deid.datasets import PYDICOM_DAMAGE, as_found
from slicermedai.deid.dates import DateRule
from slicermedai.deid.risk import KEYWORDS, RiskReport, assess, patients_of
from slicermedai.deid.settings import FileRow
from slicermedai.errors import UnreadableFileError

_READ = ["PatientID", "Modality", *KEYWORDS]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLeft:
    """One series of the output: pseudonym, new UIDs, modality, files, elements by action, codes that all files carry.

    ``quarantined`` counts its files in which the verifier found identity.
    """

    patient: str
    study: str
    series: str
    modality: str
    files: int
    quarantined: int
    actions: tuple[tuple[str, int], ...]
    claimed: tuple[str, ...]


def survey(rows: Sequence[FileRow], folder: Path, *, dates: DateRule) -> tuple[tuple[SeriesLeft, ...], RiskReport]:
    """The series below ``folder``, and the risk of re-identification by what their headers hold.

    One file of each series is read: what the risk looks at is the same in all files of a series (PS3.3 C.7).

    Raises
    ------
    UnreadableFileError
        A copy cannot be read.
    """
    groups: defaultdict[tuple[str, str, str], list[FileRow]] = defaultdict(list)
    for row in rows:
        if row.patient:
            groups[row.patient, row.study, row.series].append(row)
    headers = {key: _header(group, folder) for key, group in groups.items()}
    series = tuple(_series(key, group, headers[key].get("Modality", "")) for key, group in groups.items())
    return series, assess(patients_of(filter(None, headers.values())), dates=dates)


def _header(group: list[FileRow], folder: Path) -> dict[str, str]:
    row = next((row for row in group if row.output), None)
    if row is None:
        return {}
    path = folder / row.output
    try:
        with as_found():
            read = dcmread(path, stop_before_pixels=True, specific_tags=list(_READ))
            return {keyword: str(read.get(keyword) or "") for keyword in _READ}
    except PYDICOM_DAMAGE as error:
        raise UnreadableFileError(f"a copy cannot be read again ({type(error).__name__})", file=path) from error


def _series(key: tuple[str, str, str], group: list[FileRow], modality: str) -> SeriesLeft:
    written = [row for row in group if row.output]
    actions: Counter[str] = Counter()
    for row in written:
        for (_, action), count in row.done.items():
            actions[action] += count
    claimed = set.intersection(*(set(row.claimed) for row in written)) if written else set()
    return SeriesLeft(
        patient=key[0],
        study=key[1],
        series=key[2],
        modality=modality,
        files=len(written),
        quarantined=sum(row.quarantined for row in group),
        actions=tuple(sorted(actions.items())),
        claimed=tuple(sorted(claimed)),
    )
