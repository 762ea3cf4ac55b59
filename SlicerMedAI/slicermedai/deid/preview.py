"""What would happen to a set of files, attribute by attribute, without any value."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.rewrite import Patients, rewrite_to
from slicermedai.deid.settings import DeidSettings
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One attribute.

    Parameters
    ----------
    keyword:
        DICOM keyword; "PrivateAttributes" for all private ones, "(gggg,eeee)" for unknown ones.
    action:
        X removed, Z emptied, D replaced by a dummy or pseudonym, U new UID, C identity masked, or a date moved.
    count:
        How many elements, over all files and depths.
    """

    keyword: str
    action: str
    count: int


def preview(
    files: Sequence[Path],
    *,
    profile: Profile | None = None,
    settings: DeidSettings | None = None,
    progress: Progress = silent,
) -> list[PreviewRow]:
    """What :func:`slicermedai.deid.run.deidentify` would do to ``files``; nothing is written.

    Raises
    ------
    UnreadableFileError
        None of the files can be read.
    """
    chosen = settings or DeidSettings(profile=profile or Profile(), key=ProjectKey.generate())
    patients = Patients.gather_for(files, chosen, progress)
    tally: Counter[tuple[str, str]] = Counter()
    for number, origin in enumerate(patients.files):
        progress("preview", number / len(patients.files))
        try:
            tally.update(rewrite_to(_Nowhere(), origin, patients.context(origin)))
        except InputError:  # counted as refused when the files are written
            continue
    return [PreviewRow(keyword=k, action=a, count=n) for (k, a), n in sorted(tally.items())]


class _Nowhere(io.BytesIO):
    """Takes bytes and forgets them."""

    def write(self, data: object, /) -> int:
        """Nothing is kept."""
        return len(data) if isinstance(data, (bytes, memoryview)) else 0
