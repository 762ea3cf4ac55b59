"""What would happen to a set of files, attribute by attribute, without any value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.deid.datasets import as_found, read
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.rewrite import Patients, rewrite_dataset
from slicermedai.domain.observer import Progress, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One attribute.

    Parameters
    ----------
    keyword:
        DICOM keyword; "PrivateAttributes" for all private ones, "(gggg,eeee)" for unknown ones.
    action:
        X removed, Z emptied, D replaced by a dummy or pseudonym, U new UID, C identity masked in text.
    count:
        How many elements, over all files and depths.
    """

    keyword: str
    action: str
    count: int


def preview(files: Sequence[Path], *, profile: Profile | None = None, progress: Progress = silent) -> list[PreviewRow]:
    """What :func:`slicermedai.deid.run.deidentify` would do to ``files``; nothing is written.

    Raises
    ------
    UnreadableFileError
        None of the files can be read.
    """
    tally: Counter[tuple[str, str]] = Counter()
    with as_found():
        patients = Patients.gather(files, profile=profile or Profile(), key=ProjectKey.generate(), progress=progress)
        for path in patients.files:
            tally.update(rewrite_dataset(read(path, pixels=False), patients.context(path)))
    return [PreviewRow(keyword=k, action=a, count=n) for (k, a), n in sorted(tally.items())]
