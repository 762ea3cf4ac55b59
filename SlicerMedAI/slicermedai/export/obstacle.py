"""What of a source keeps DICOM objects from being made of its results, known before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "SOPInstanceUID")
"""What SEG and SR take from, or cite of, each source image, and cannot do without (PS3.3 C.7.4.1, C.12.2, C.17.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why no DICOM object can be filed; ``file`` and ``attribute`` where one file lacks something.

    ``of_place`` is True where only that is missing which places a region in space: what is written in words can be
    filed all the same.
    """

    reason: str
    file: Path | None = None
    attribute: str = ""
    advice: str = "or run on a DICOM series"
    of_place: bool = False

    @property
    def in_words(self) -> str:
        """The reason without the file, whose name may name the patient."""
        return f"{self.attribute}: {self.reason}" if self.attribute else self.reason


_OF_PLACE = ("FrameOfReferenceUID",)


def obstacle_of(
    headers: Sequence[Any], files: Sequence[Path], *, resampled: bool, placed: bool = True
) -> Obstacle | None:
    """What stands in the way of SEG and SR for a source with these ``headers`` (data sets), from ``files``.

    ``resampled`` is True where the analysed grid is not that of the source's slices; ``placed`` is False where it has
    no place in the patient, as that of a projection.
    """
    if not headers:
        return Obstacle(reason="the source has no patient and study (PatientID, StudyInstanceUID) to file them under")
    if resampled:
        return Obstacle(reason="the image was resampled, and its grid is not that of the source's slices")
    for number, header in enumerate(headers):
        for keyword in NEEDED if placed else (name for name in NEEDED if name not in _OF_PLACE):
            if not str(header.get(keyword) or "").strip():
                return Obstacle(
                    reason="the source does not say it, and DICOM results must cite it",
                    file=files[number] if number < len(files) else None,
                    attribute=keyword,
                    advice="or export the series again from where it is archived, with its UIDs",
                )
    if placed:
        return None
    reason = "a projection or photograph has no place in the patient, and this format puts regions there"
    return Obstacle(reason=reason, advice="or text, which says it in words", of_place=True)
